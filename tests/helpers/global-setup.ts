/**
 * Runs once before the test processes start: builds dist/ where the runtime that packages ship is older there than its
 * source, and sets the environment in which Dawn finds the software adapter. VITC_TEST_DEVICE=gpu leaves the machine's
 * own adapters visible instead.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { softwareEnvironment } from '../../src/cli/software-device.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function isRuntimeStale(): boolean {
  const [source, built] = ['src', 'dist'].map((top) => join(ROOT, top, 'codegen', 'runtime'));
  const time = (file: string) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return readdirSync(source).some((name) => time(join(source, name)) > time(join(built, name.replace(/\.ts$/, '.js'))));
}

export default async function setup(): Promise<void> {
  if (isRuntimeStale()) {
    const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
    // Type errors are the type check's business; tsc writes its output in spite of them.
    spawnSync(process.execPath, [tsc, '-p', ROOT, '--incremental', 'false'], { cwd: ROOT, stdio: 'ignore' });
  }
  if (process.env.VITC_TEST_DEVICE === 'gpu') return;
  try {
    Object.assign(process.env, await softwareEnvironment());
  } catch (failure) {
    console.warn(`${(failure as Error).message}; tests that need a device are skipped unless WebGPU finds another`);
  }
}
