/** Outputs that are whole or absent, whatever ends the process while they are written. */
import { createHash, randomBytes } from 'node:crypto';
import { accessSync, constants as access, existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants, hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { error } from '../diagnostics.ts';
import { CliError } from './errors.ts';

/** What a failed call of the file system means, in words. */
export function reason(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a folder';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  if (code === 'ENOSPC') return 'the disk is full';
  if (code === 'EROFS') return 'the file system is read-only';
  if (code === 'ENOTDIR' || code === 'EEXIST') return 'a part of its path is no folder';
  if (code === 'ELOOP') return 'its links lead in a circle';
  if (code === 'ENAMETOOLONG') return 'its name is too long';
  return (cause as Error).message;
}

/** A folder and those above it. Node's own `recursive` never returns where a file system says ENOENT of a parent that is there, as /proc does. */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(folder).isDirectory()) return;
    const parent = dirname(folder);
    if (code !== 'ENOENT' || parent === folder) throw cause;
    if (existsSync(parent)) throw new Error(`no folder can be made in ${parent}`);
    makeFolder(parent);
    try {
      mkdirSync(folder);
    } catch (again) {
      // Another process may have been first.
      if ((again as NodeJS.ErrnoException).code !== 'EEXIST' || !statSync(folder).isDirectory()) throw again;
    }
  }
}

/** What an output's path names once links are followed, the last one too where it leads to nothing yet: a link stays one. */
function behindLinks(path: string): string {
  if (path === '') throw new Error('it has no name');
  let at = resolve(path);
  for (let links = 0; links < 40; links++) {
    if (!lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink()) return at;
    at = resolve(realpathSync(dirname(at)), readlinkSync(at));
  }
  throw Object.assign(new Error('links in a circle'), { code: 'ELOOP' });
}

const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** A name beside the output's that tells who writes there: a machine, a process, and which of its outputs. */
function temporaryName(target: string): string {
  return `${target}.${HOST}-${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
}

const TEMPORARY = /^\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp(\.old)?$/;

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/**
 * Removes what killed processes of this machine left beside an output, after putting back an older folder that one of
 * them had moved away and not yet replaced. What cannot be looked at or removed stays: it does no harm.
 */
export function restore(output: string): void {
  try {
    const target = behindLinks(output);
    const left = readdirSync(dirname(target)).flatMap((name) => {
      const found = name.startsWith(basename(target)) ? TEMPORARY.exec(name.slice(basename(target).length)) : null;
      return found && found[1] === HOST && !isRunning(Number(found[2])) ? [{ path: join(dirname(target), name), isOld: found[3] !== undefined }] : [];
    });
    const old = left.find((l) => l.isOld);
    if (old && !existsSync(target)) renameSync(old.path, target);
    for (const { path } of left) rmSync(path, { recursive: true, force: true });
  } catch {
    // The output itself says what is wrong.
  }
}

/** As far as that goes: it is what went wrong before that is told. */
function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // It may never have been there.
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs what must not be cut in two; a signal that came meanwhile ends the process after it, unless the command listens
 * to it and ends in its own way. `run` must not wait.
 */
function uninterrupted<T>(run: () => T): T {
  const end = (signal: NodeJS.Signals): never => process.exit(128 + constants.signals[signal]);
  const deadly = SIGNALS.filter((signal) => process.listenerCount(signal) === 0);
  for (const signal of deadly) process.on(signal, end);
  try {
    return run();
  } finally {
    // Signals are told by the event loop, on its next turn but one at the latest.
    setImmediate(() => setImmediate(() => deadly.forEach((signal) => process.off(signal, end))));
  }
}

/** Writes a file whole or not at all: to a temporary name beside it, then renamed. A device or a pipe is written to. */
export function writeWhole(file: string, data: string | Uint8Array): void {
  let temporary: string | undefined;
  try {
    const there = statSync(file, { throwIfNoEntry: false });
    // A rename would put a file in the place of /dev/null.
    if (there && !there.isFile() && !there.isDirectory()) return writeFileSync(file, data);
    const target = behindLinks(file);
    restore(target);
    makeFolder(dirname(target));
    const beside = (temporary = temporaryName(target));
    uninterrupted(() => {
      writeFileSync(beside, data, { flag: 'wx' });
      renameSync(beside, target);
    });
  } catch (cause) {
    if (temporary !== undefined) remove(temporary);
    throw new CliError(error('E0902', `cannot write ${file}: ${reason(cause)}`));
  }
}

/** A file that marks a folder as written by the compiler, so that it may be replaced. */
const MARK = 'plan.js';

/**
 * Writes a folder whole or not at all; an older package of the same name is replaced only once the new one is complete.
 * A process that is killed between the two renames leaves the older one under another name, from which the next
 * command on this folder puts it back (`restore`).
 */
export function writeFolder(folder: string, files: ReadonlyMap<string, string | Uint8Array>): void {
  let temporary: string | undefined;
  try {
    const target = behindLinks(folder);
    const beside = (temporary = temporaryName(target));
    const old = `${beside}.old`;
    restore(target);
    if (existsSync(target) && (!statSync(target).isDirectory() || (readdirSync(target).length > 0 && !existsSync(join(target, MARK)))))
      throw new CliError(error('E0902', `${folder} exists and is no package that vitc wrote`, undefined, { help: 'name another folder, or remove this one' }));
    // What may be renamed but not emptied could not be removed afterwards.
    if (existsSync(target)) accessSync(target, access.W_OK);
    uninterrupted(() => {
      for (const [name, data] of files) {
        makeFolder(dirname(join(beside, name)));
        writeFileSync(join(beside, name), data);
      }
      if (existsSync(target)) renameSync(target, old);
      try {
        renameSync(beside, target);
      } catch (cause) {
        if (existsSync(old)) renameSync(old, target);
        throw cause;
      }
      remove(old);
    });
  } catch (cause) {
    if (temporary !== undefined) remove(temporary);
    if (cause instanceof CliError) throw cause;
    throw new CliError(error('E0902', `cannot write ${folder}: ${reason(cause)}`));
  }
}

/** What a folder was written with, for people: its own files by name, folders by how many they hold. */
export function summarize(folder: string, names: Iterable<string>): string {
  const top: string[] = [];
  const inside = new Map<string, number>();
  for (const name of names) {
    const slash = name.indexOf('/');
    if (slash < 0) top.push(name);
    else inside.set(name.slice(0, slash), (inside.get(name.slice(0, slash)) ?? 0) + 1);
  }
  const groups = [...inside].map(([name, count]) => `${name}/ (${count} files)`);
  return `${folder}: ${[...top.sort(), ...groups].join(', ')}`;
}
