/** Reading a package's files, in browsers, Node and Deno. */
import { VitcError } from './errors.ts';

export interface ReadOptions {
  /** Called with the bytes of each piece as it arrives. */
  readonly onBytes?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

const CHUNK = 8 << 20;

function unreadable(url: URL, reason: string, cause?: unknown): VitcError {
  return new VitcError('fetch-failed', `cannot read ${url.href}: ${reason}`, { cause });
}

let nodeFiles: Promise<typeof import('node:fs/promises')> | undefined;

/** Node's fetch does not read file: URLs. The specifier is no literal, so that bundlers for browsers leave it alone. */
async function readFileUrl(url: URL, { signal, onBytes }: ReadOptions): Promise<Uint8Array> {
  const module = 'node:fs/promises';
  const fs = await (nodeFiles ??= import(/* @vite-ignore */ /* webpackIgnore: true */ module) as NonNullable<typeof nodeFiles>);
  const file = await fs.open(url);
  try {
    const bytes = new Uint8Array((await file.stat()).size);
    let at = 0;
    while (at < bytes.length) {
      const { bytesRead } = await file.read(bytes, at, Math.min(CHUNK, bytes.length - at));
      if (bytesRead === 0) break;
      signal?.throwIfAborted();
      at += bytesRead;
      onBytes?.(bytesRead);
    }
    return bytes.subarray(0, at);
  } finally {
    await file.close();
  }
}

/** The body's bytes, written straight into place as far as the header tells their number. */
async function readBody(response: Response, url: URL, { signal, onBytes }: ReadOptions): Promise<Uint8Array> {
  if (!response.ok) throw unreadable(url, `HTTP status ${response.status}`);
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array(await response.arrayBuffer());
  // Where the body is compressed this is too few, and the bytes after go into pieces.
  const told = new Uint8Array(Number(response.headers.get('content-length') ?? 0));
  const more: Uint8Array[] = [];
  let at = 0;
  let size = 0;
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    signal?.throwIfAborted();
    const { value } = piece;
    size += value.length;
    if (more.length === 0 && size <= told.length) {
      told.set(value, at);
      at = size;
    } else more.push(value);
    onBytes?.(value.length);
  }
  if (more.length === 0) return told.subarray(0, at);
  const bytes = new Uint8Array(size);
  bytes.set(told.subarray(0, at));
  for (const piece of more) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

async function named(reading: Promise<Uint8Array>, url: URL, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    return await reading;
  } catch (cause) {
    signal?.throwIfAborted();
    throw cause instanceof VitcError ? cause : unreadable(url, `${(cause as Error).message}${crossOriginHint(url)}`, cause);
  }
}

/** Browsers do not say why they refuse: to a script, a server without CORS looks like none. */
function crossOriginHint(url: URL): string {
  const page = (globalThis as { location?: { origin: string } }).location?.origin;
  if (page === undefined || page === url.origin) return '';
  return `; it is of another origin, whose server must be up and allow this page with the header Access-Control-Allow-Origin: ${page}`;
}

/** All bytes of a URL. Throws VitcError 'fetch-failed', or the signal's reason. */
export function readBytes(url: URL, options: ReadOptions = {}): Promise<Uint8Array> {
  const isFile = url.protocol === 'file:' && typeof process === 'object';
  const reading = isFile ? readFileUrl(url, options) : fetch(url, { signal: options.signal }).then((response) => readBody(response, url, options));
  return named(reading, url, options.signal);
}

/** All bytes of a response that the caller made. */
export function readResponseBytes(response: Response, url: URL, options: ReadOptions = {}): Promise<Uint8Array> {
  return named(readBody(response, url, options), url, options.signal);
}

export async function readText(url: URL, options: ReadOptions = {}): Promise<string> {
  return new TextDecoder().decode(await readBytes(url, options));
}

export async function readJson<T>(url: URL, options: ReadOptions = {}): Promise<T> {
  const text = await readText(url, options);
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw unreadable(url, 'it is no JSON text', cause);
  }
}
