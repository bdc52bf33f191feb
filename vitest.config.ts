import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['tests/helpers/global-setup.ts'],
    // Dawn and whole models on a CPU adapter need room; a hang is still found.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Processes, not threads: the software adapter is found through the environment that a process starts with.
    pool: 'forks',
    maxWorkers: 2,
  },
});
