/**
 * The software adapter: SwiftShader, a Vulkan driver on the CPU, from the npm package @sparticuz/chromium.
 *
 * The dynamic loader reads LD_LIBRARY_PATH when a process starts, so the driver is usable only by a process that was
 * started with the environment of `softwareEnvironment`; `ensureSoftwareEnvironment` starts the command again with it.
 */
import { spawn } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { constants, homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import tar from 'tar-fs';
import { error } from '../diagnostics.ts';
import { CliError, EXIT } from './errors.ts';
import { makeFolder, reason } from './outputs.ts';

const ICD = 'vk_swiftshader_icd.json';
const WANTED = new Set(['libvk_swiftshader.so', 'libvulkan.so.1', ICD]);

/** Where vitc keeps what it can make again: `$XDG_CACHE_HOME/vitc`, by default `~/.cache/vitc`. */
export function cacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME;
  // The XDG specification: relative paths are to be ignored.
  return join(base?.startsWith('/') ? base : join(homedir(), '.cache'), 'vitc');
}

function unavailable(reason: string): CliError {
  const help = "use `--device cpu`, or name a CPU driver's ICD file in VK_DRIVER_FILES";
  return new CliError(error('E0922', `the software adapter is not available: ${reason}`, undefined, { help }), EXIT.noDevice);
}

/** Unpacks the driver once; a second process that does the same at the same time does no harm. */
async function unpackedDriver(): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw unavailable(`SwiftShader is packaged for linux-x64 only, and this is ${process.platform}-${process.arch}`);
  }
  const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium');
  const root = join(dirname(entry), '..', '..');
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const folder = join(cacheFolder(), `swiftshader-${version}`);
  if (existsSync(join(folder, ICD))) return folder;
  makeFolder(cacheFolder());
  const partial = await mkdtemp(`${folder}.`);
  try {
    await pipeline(
      createReadStream(join(root, 'bin', 'swiftshader.tar.br')),
      createBrotliDecompress(),
      tar.extract(partial, { ignore: (_, header) => !WANTED.has(header?.name ?? '') }),
    );
    await rename(partial, folder);
  } catch (failure) {
    await rm(partial, { recursive: true, force: true });
    // Another process was first: its folder is as good.
    if (!existsSync(join(folder, ICD))) throw failure;
  }
  return folder;
}

/**
 * The variables that a process must be started with to find the software adapter, and no other.
 * Throws CliError E0922 where there is none.
 */
export async function softwareEnvironment(): Promise<Record<string, string>> {
  let folder: string;
  try {
    folder = await unpackedDriver();
  } catch (failure) {
    if (failure instanceof CliError) throw failure;
    throw unavailable(`its driver cannot be unpacked into ${cacheFolder()}: ${reason(failure)}`);
  }
  const others = (process.env.LD_LIBRARY_PATH ?? '').split(delimiter).filter((path) => path !== '' && path !== folder);
  return { LD_LIBRARY_PATH: [folder, ...others].join(delimiter), VK_DRIVER_FILES: join(folder, ICD) };
}

/** Set in the environment of a command that was started again. */
const STARTED_AGAIN = 'VITC_STARTED_AGAIN';

/**
 * Ends the process after a failure. Kernels may still be compiling, in threads that crash once `exit` has taken down what
 * they use, and that take minutes to wait for: so a command that was started again tells its parent the code and stops at once.
 */
export function endFailed(code: number): void {
  if (process.env[STARTED_AGAIN] === undefined || !process.connected) process.exit(code);
  process.send!(code, () => process.kill(process.pid, 'SIGKILL'));
}

/** Whether this process was started so that the software adapter is visible. */
function isReady(environment: Record<string, string>): boolean {
  return Object.entries(environment).every(([name, value]) => process.env[name] === value);
}

/**
 * Returns if this process can open the software adapter. Otherwise runs the same command line in a child that can,
 * with this process's terminal, and ends this process as the child ended: then it does not return.
 * Call it before anything is printed. Throws CliError E0922.
 */
export async function ensureSoftwareEnvironment(): Promise<void> {
  const environment = await softwareEnvironment();
  if (isReady(environment)) return;
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...environment, [STARTED_AGAIN]: '1' },
  });
  // A terminal sends its signals to the whole group, a supervisor to this process only: pass them on.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const forward = (signal: NodeJS.Signals) => void child.kill(signal);
  for (const signal of signals) process.on(signal, forward);
  let told: number | undefined;
  child.on('message', (code: number) => (told = code));
  // What it told is read when its channel has ended, which may be after itself.
  const read = new Promise<void>((resolve) => child.once('disconnect', resolve));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', (failure) => reject(unavailable(failure.message)));
    child.once('exit', (...how) => resolve(how));
  });
  await read;
  for (const each of signals) process.off(each, forward);
  process.exit(told ?? code ?? 128 + (signal ? constants.signals[signal] : 1));
}
