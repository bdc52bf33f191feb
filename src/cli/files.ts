/** Files for the command line: sources of a project, the zoo beside the compiler, outputs that are whole or absent. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { error } from '../diagnostics.ts';
import { decodeTensor, headerLength, readHeader, WeightsError, type TensorEntry } from '../weights/safetensors.ts';
import type { Checkpoint } from '../weights/resolve.ts';
import { CliError } from './errors.ts';

/** The package's root: beside src/ when run from source, beside dist/ when built. */
export const PACKAGE_ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const ZOO = join(PACKAGE_ROOT, 'zoo');

export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { version: string }).version;
}

/** Larger sources are no architectures. */
const MAX_SOURCE_BYTES = 4 << 20;

/**
 * A project: where imports may reach. The root is the working folder when the file lies in it, else the file's own folder.
 * Paths given out are relative to the root, with forward slashes; `std/...` is the standard library.
 */
export class Project {
  readonly root: string;
  readonly entry: string;

  constructor(file: string) {
    const path = resolve(file);
    const inside = !relative(process.cwd(), path).startsWith('..');
    this.root = path.startsWith(ZOO + sep) ? ZOO : inside ? process.cwd() : dirname(path);
    this.entry = relative(this.root, path).split(sep).join('/');
  }

  /** The text of a project or standard-library path; undefined where there is no such file. */
  read(path: string): string | undefined {
    const base = path.startsWith('std/') ? ZOO : this.root;
    const file = resolve(base, path);
    if (file !== base && !file.startsWith(base + sep)) return undefined;
    return existsSync(file) && statSync(file).isFile() ? readSource(file) : undefined;
  }
}

function readSource(file: string): string {
  const { size } = statSync(file);
  if (size > MAX_SOURCE_BYTES) throw new CliError(error('E0903', `${file} has ${size} bytes, more than a source may (${MAX_SOURCE_BYTES})`));
  return readFileSync(file, 'utf8');
}

/** The zoo's files, sorted. */
export function zooFiles(): string[] {
  return readdirSync(ZOO).filter((f) => f.endsWith('.vit')).sort().map((f) => join(ZOO, f));
}

/** A file's text, or E0901. */
export function readText(file: string): string {
  return new TextDecoder().decode(readBytes(file));
}

export function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CliError(error('E0901', `cannot read ${file}: ${reason(cause)}`));
  }
}

export function reason(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a folder';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'ENOSPC') return 'the disk is full';
  return (cause as Error).message;
}

/** Writes a file whole or not at all: to a temporary name beside it, then renamed. */
export function writeWhole(file: string, data: string | Uint8Array): void {
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    mkdirSync(dirname(resolve(file)), { recursive: true });
    writeFileSync(temporary, data);
    renameSync(temporary, file);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new CliError(error('E0902', `cannot write ${file}: ${reason(cause)}`));
  }
}

/** A file that marks a folder as written by the compiler, so that it may be replaced. */
const MARK = 'plan.js';

/** Writes a folder whole or not at all; an older package of the same name is replaced only once the new one is complete. */
export function writeFolder(folder: string, files: ReadonlyMap<string, string | Uint8Array>): void {
  const target = resolve(folder);
  const temporary = `${target}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  const old = `${temporary}.old`;
  try {
    if (existsSync(target) && (!statSync(target).isDirectory() || (readdirSync(target).length > 0 && !existsSync(join(target, MARK)))))
      throw new CliError(error('E0902', `${folder} exists and is no package that vitc wrote`, undefined, { help: 'name another folder, or remove this one' }));
    for (const [name, data] of files) {
      mkdirSync(dirname(join(temporary, name)), { recursive: true });
      writeFileSync(join(temporary, name), data);
    }
    if (existsSync(target)) renameSync(target, old);
    try {
      renameSync(temporary, target);
    } catch (cause) {
      if (existsSync(old)) renameSync(old, target);
      throw cause;
    }
    rmSync(old, { recursive: true, force: true });
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    if (cause instanceof CliError) throw cause;
    throw new CliError(error('E0902', `cannot write ${folder}: ${reason(cause)}`));
  }
}

export interface SafetensorsFile extends Checkpoint {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /** Whether a tensor is stored as integers. */
  integer(name: string): boolean;
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

/** A safetensors file, its tensors read when asked for. */
export function openSafetensors(file: string): SafetensorsFile {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (cause) {
    throw new CliError(error('E0901', `cannot read ${file}: ${reason(cause)}`));
  }
  const readAt = (start: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const n = readSync(descriptor, bytes, at, length - at, start + at);
      if (n === 0) throw new WeightsError(`${file} ended while it was read`);
      at += n;
    }
    return bytes;
  };
  try {
    const { size } = fstatSync(descriptor);
    const prefix = readAt(0, Math.min(8, size));
    const header = readHeader(readAt(0, 8 + headerLength(prefix, size, file)), size, file);
    return {
      label: file,
      entries: header.entries,
      shapes: new Map([...header.entries.values()].map((e) => [e.name, e.shape])),
      integer: (name) => !/^(F|BF)/.test(header.entries.get(name)!.stored),
      read(name) {
        const entry = header.entries.get(name)!;
        return decodeTensor(entry, readAt(entry.start, entry.end - entry.start));
      },
    };
  } catch (cause) {
    closeSync(descriptor);
    if (cause instanceof WeightsError) throw new CliError(error('E0801', cause.message));
    throw new CliError(error('E0901', `cannot read ${file}: ${reason(cause)}`));
  }
}
