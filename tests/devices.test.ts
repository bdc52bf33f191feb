import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { openDevice } from '../src/cli/devices.ts';
import { PACKAGE_ROOT } from '../src/cli/files.ts';
import { WEB_LIMITS } from '../src/targets.ts';
import { testDevice } from './helpers/device.ts';

const gpu = await testDevice();

test('the CPU is always a device', async () => {
  expect(await openDevice('cpu')).toMatchObject({ kind: 'cpu' });
});

describe.skipIf(!gpu)('a WebGPU device', () => {
  test('is described by a native target with at least the default limits', () => {
    const { target, kind } = gpu!;
    expect(target.name).toBe('native');
    expect(target.software).toBe(kind === 'software');
    for (const [name, value] of Object.entries(WEB_LIMITS)) {
      const offered = target.limits[name as keyof typeof WEB_LIMITS];
      if (name.startsWith('min')) expect(offered).toBeLessThanOrEqual(value);
      else expect(offered, name).toBeGreaterThanOrEqual(value);
    }
    expect(JSON.parse(JSON.stringify(target))).toEqual(target);
  });
});

const built = join(PACKAGE_ROOT, 'dist', 'cli', 'devices.js');
const canUnpack = process.platform === 'linux' && process.arch === 'x64' && existsSync(built);

/** Commands that were started without the software adapter's environment, as users start them. */
describe.skipIf(!canUnpack)('a command on the software adapter', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vitc-test-'));
  const script = join(folder, 'command.mjs');
  writeFileSync(
    script,
    `import { openDevice } from ${JSON.stringify(pathToFileURL(built).href)};
    import { endFailed } from ${JSON.stringify(pathToFileURL(join(dirname(built), 'software-device.js')).href)};
    try {
      const opened = await openDevice('software');
      console.log(opened.kind, process.argv[2]);
      if (process.argv[2] === 'wait') setInterval(() => {}, 1000);
      else if (process.argv[2] === 'fail') endFailed(5);
      else process.exit(7);
    } catch (failure) {
      console.log(failure.exit, failure.message);
      process.exit(1);
    }`,
  );
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function start(argument: string, environment: Record<string, string> = {}) {
    const { LD_LIBRARY_PATH: _, VK_DRIVER_FILES: __, ...inherited } = process.env;
    const child = spawn(process.execPath, [script, argument], { env: { ...inherited, ...environment }, stdio: ['ignore', 'pipe', 'ignore'] });
    let output = '';
    const printed = new Promise<void>((resolve) => child.stdout.on('data', (text) => ((output += text), resolve())));
    const ended = new Promise<{ code: number | null; output: string }>((resolve) => child.once('close', (code) => resolve({ code, output })));
    return { child, printed, ended };
  }

  test('is started again where it can be found, with its arguments, terminal and exit code', async () => {
    expect(await start('once').ended).toEqual({ code: 7, output: 'software once\n' });
  });

  test('ends with its code where it failed, though it stops at once', async () => {
    expect(await start('fail').ended).toEqual({ code: 5, output: 'software fail\n' });
  });

  test('passes signals on', async () => {
    const { child, printed, ended } = start('wait');
    await printed;
    child.kill('SIGTERM');
    expect((await ended).code).toBe(128 + 15);
  });

  test('unpacks the driver once, though many commands want it at once', async () => {
    const cache = join(folder, 'cache');
    const ends = await Promise.all(Array.from({ length: 3 }, () => start('once', { XDG_CACHE_HOME: cache }).ended));
    expect(ends.map((end) => end.code)).toEqual([7, 7, 7]);
    expect(readdirSync(join(cache, 'vitc'))).toHaveLength(1);
  });

  test('says why where the driver cannot be unpacked', async () => {
    expect((await start('once', { XDG_CACHE_HOME: script }).ended).output).toMatch(/^3 the software adapter is not available: its driver cannot be unpacked into .*: a part of its path is no folder/);
  });
});
