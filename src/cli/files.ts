/** Files for the command line: sources of a project, the zoo beside the compiler, weight files. */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { error } from '../diagnostics.ts';
import { decodeTensor, headerLength, readHeader, WeightsError, type TensorEntry } from '../weights/safetensors.ts';
import type { Checkpoint } from '../weights/resolve.ts';
import { CliError } from './errors.ts';
import { reason } from './outputs.ts';
import { decodeText } from './utf8.ts';

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
    this.root = isWithin(ZOO, path) ? ZOO : isWithin(process.cwd(), path) ? process.cwd() : dirname(path);
    this.entry = relative(this.root, path).split(sep).join('/');
  }

  /**
   * The text of a project or standard-library path; undefined where there is no such file. Throws CliError E0204 for a
   * link that leads out of the project: only the entry, which the user named, may be one.
   */
  read(path: string): string | undefined {
    const base = path.startsWith('std/') ? ZOO : this.root;
    const file = resolve(base, path);
    if (path.includes('\0') || !isWithin(base, file)) return undefined;
    if (!existsSync(file) || !statSync(file).isFile()) return undefined;
    if (path !== this.entry && !isWithin(realpathSync(base), realpathSync(file)))
      throw new CliError(error('E0204', `${path} is a link to a file outside of ${base === ZOO ? 'the standard library' : 'the project'}; imports stay within`));
    return readSource(file, path);
  }

  /** A file that the entry names, relative to itself; undefined where that leaves the project. */
  beside(name: string): string | undefined {
    const file = resolve(this.root, dirname(this.entry), name);
    if (isAbsolute(name) || name.includes('\0') || !isWithin(this.root, file)) return undefined;
    return !existsSync(file) || isWithin(realpathSync(this.root), realpathSync(file)) ? file : undefined;
  }
}

/** Whether a path lies below a folder, by its name; links are not followed. */
function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** A source's text; `name` is how it is called in messages. Throws CliError E0901 and E0903. */
function readSource(file: string, name: string): string {
  const { size } = statSync(file);
  if (size > MAX_SOURCE_BYTES) throw new CliError(error('E0903', `${name} has ${size} bytes, more than a source may (${MAX_SOURCE_BYTES})`));
  return decodeText(readBytes(file, name), name);
}

/** The zoo's files, sorted. */
export function zooFiles(): string[] {
  return readdirSync(ZOO).filter((f) => f.endsWith('.vit')).sort().map((f) => join(ZOO, f));
}

/** A file's text, or CliError E0901: bytes that are no UTF-8 would be lost where it is written again. */
export function readText(file: string): string {
  return decodeText(readBytes(file), file);
}

/** No picture and no JSON of ours is larger; pipes and devices may never end. */
const MAX_BYTES = 256 << 20;

/** A file's content; `name` is how it is called in messages. Throws CliError E0901. */
export function readBytes(file: string, name = file): Uint8Array {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const parts: Uint8Array[] = [];
    for (let total = 0; ; ) {
      const part = new Uint8Array(1 << 20);
      const n = readSync(descriptor, part);
      if (n === 0) return Buffer.concat(parts);
      if ((total += n) > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`);
      parts.push(part.subarray(0, n));
    }
  } catch (cause) {
    throw new CliError(error('E0901', `cannot read ${name}: ${reason(cause)}`));
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

export interface SafetensorsFile extends Checkpoint {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /** Whether a tensor is stored as integers. */
  integer(name: string): boolean;
}

/** A safetensors file, its tensors read when asked for. Throws CliError E0901 and E0801, then and later. */
export function openSafetensors(file: string): SafetensorsFile {
  const refusing = <T>(run: () => T): T => {
    try {
      return run();
    } catch (cause) {
      if (cause instanceof CliError) throw cause;
      if (cause instanceof WeightsError) throw new CliError(error('E0801', cause.message));
      throw new CliError(error('E0901', `cannot read ${file}: ${reason(cause)}`));
    }
  };
  const descriptor = refusing(() => openSync(file, 'r'));
  const readAt = (start: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const n = readSync(descriptor, bytes, at, length - at, start + at);
      if (n === 0) throw new WeightsError(`${file} ended while it was read`);
      at += n;
    }
    return bytes;
  };
  const open = (): SafetensorsFile => {
    const { size } = fstatSync(descriptor);
    const prefix = readAt(0, Math.min(8, size));
    const header = readHeader(readAt(0, 8 + headerLength(prefix, size, file)), size, file);
    const entryOf = (name: string): TensorEntry => {
      const entry = header.entries.get(name);
      if (!entry) throw new WeightsError(`${file} has no tensor ${JSON.stringify(name)}`);
      return entry;
    };
    return {
      label: file,
      entries: header.entries,
      shapes: new Map([...header.entries.values()].map((e) => [e.name, e.shape])),
      integer: (name) => !/^(F|BF)/.test(entryOf(name).stored),
      read: (name) => refusing(() => {
        const entry = entryOf(name);
        return decodeTensor(entry, readAt(entry.start, entry.end - entry.start));
      }),
    };
  };
  try {
    return refusing(open);
  } catch (cause) {
    closeSync(descriptor);
    throw cause;
  }
}
