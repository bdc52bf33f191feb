/**
 * Runs once before the test processes start: builds dist/ (packages ship compiled runtime files) and sets the
 * environment in which Dawn finds the software adapter. VITC_TEST_DEVICE=gpu leaves the machine's own adapters visible.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { softwareEnvironment } from '../../src/cli/software-device.ts';

export default async function setup(): Promise<void> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  // Errors are the type check's business (npm run check), not the tests'; tsc writes its output in spite of them.
  spawnSync(process.execPath, [tsc, '-p', root], { cwd: root, stdio: 'ignore' });
  if (process.env.VITC_TEST_DEVICE === 'gpu') return;
  try {
    Object.assign(process.env, await softwareEnvironment());
  } catch (failure) {
    console.warn(`${(failure as Error).message}; tests that need a device are skipped unless WebGPU finds another`);
  }
}
