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

/** Node's fetch does not read file: URLs. The specifier is no literal, so that bundlers for browsers leave it alone. */
async function* readFileUrl(url: URL): AsyncGenerator<Uint8Array> {
  const module = 'node:fs/promises';
  const fs = (await import(/* @vite-ignore */ /* webpackIgnore: true */ module)) as typeof import('node:fs/promises');
  const file = await fs.open(url);
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(CHUNK), 0, CHUNK);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function* readResponse(response: Response, url: URL): AsyncGenerator<Uint8Array> {
  if (!response.ok) throw unreadable(url, `HTTP status ${response.status}`);
  const reader = response.body?.getReader();
  if (!reader) return yield new Uint8Array(await response.arrayBuffer());
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value;
}

async function* open(url: URL, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  if (url.protocol === 'file:' && typeof process === 'object') yield* readFileUrl(url);
  else yield* readResponse(await fetch(url, { signal }), url);
}

async function collect(pieces: AsyncGenerator<Uint8Array>, url: URL, options: ReadOptions = {}): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of pieces) {
      options.signal?.throwIfAborted();
      parts.push(part);
      size += part.length;
      options.onBytes?.(part.length);
    }
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw cause instanceof VitcError ? cause : unreadable(url, (cause as Error).message, cause);
  }
  if (parts.length === 1) return parts[0];
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** All bytes of a URL. Throws VitcError 'fetch-failed', or the signal's reason. */
export function readBytes(url: URL, options: ReadOptions = {}): Promise<Uint8Array> {
  return collect(open(url, options.signal), url, options);
}

/** All bytes of a response that the caller made. */
export function readResponseBytes(response: Response, url: URL, options: ReadOptions = {}): Promise<Uint8Array> {
  return collect(readResponse(response, url), url, options);
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
