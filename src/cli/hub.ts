/** Weight files from a Hugging Face hub: listed by @huggingface/hub, downloaded with resumption, checked, kept in a cache. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { error } from '../diagnostics.ts';
import { CliError } from './errors.ts';
import { makeFolder, reason } from './outputs.ts';
import { cacheFolder } from './software-device.ts';

export interface HubName {
  readonly owner: string;
  readonly name: string;
  readonly revision: string;
  /** One file of the repository; absent: its safetensors. */
  readonly file?: string;
}

export interface HubOptions {
  readonly onProgress?: (file: string, done: number, total: number) => void;
  /** Default: HF_ENDPOINT, else the library's own. */
  readonly endpoint?: string;
  readonly cache?: string;
  /** Milliseconds without a byte after which a server is given up; a minute unless told. */
  readonly patience?: number;
}

const PATIENCE = 60_000;
/** Of a repository's listing. */
const MAX_PAGES = 100;
const MAX_FILES = 10_000;
const MAX_PAGE_BYTES = 16 << 20;

const PART = /^[A-Za-z0-9][\w.-]*$/;

/** `hf:OWNER/NAME`, `hf:OWNER/NAME@REVISION`, `hf:OWNER/NAME/path/FILE.safetensors`; undefined where the text is no hub name. */
export function parseHubName(text: string): HubName | undefined {
  if (!text.startsWith('hf:')) return undefined;
  const [owner, nameAndRevision = '', ...rest] = text.slice(3).split('/');
  const [name, revision = 'main', more] = nameAndRevision.split('@');
  const parts = [owner, name, revision, ...rest];
  if (more !== undefined || !parts.every((part) => PART.test(part)))
    throw new CliError(error('E0820', `${JSON.stringify(text)} is no hub name`, undefined, { help: 'write hf:OWNER/NAME, with @REVISION or /FILE.safetensors where wanted' }));
  return { owner, name, revision, ...(rest.length > 0 && { file: rest.join('/') }) };
}

interface RemoteFile {
  readonly path: string;
  readonly size: number;
  /** sha256 of large files; of small ones git's blob hash. */
  readonly hash: { readonly kind: 'sha256' | 'git'; readonly value: string } | undefined;
}

/** The repository's safetensors files, or the one named, on disk; downloads what the cache lacks. */
export async function pull(wanted: HubName, options: HubOptions = {}): Promise<string[]> {
  const files = await list(wanted, options);
  const found = wanted.file === undefined ? files.filter((f) => f.path.endsWith('.safetensors')) : files.filter((f) => f.path === wanted.file);
  // A repository may hold the same model for several frameworks or precisions; the plain name is the one meant.
  const chosen = found.some((f) => f.path === 'model.safetensors') && wanted.file === undefined ? found.filter((f) => f.path === 'model.safetensors') : found;
  if (chosen.length === 0) {
    const what = wanted.file ?? 'safetensors file';
    throw new CliError(error('E0821', `${wanted.owner}/${wanted.name} has no ${what}`, undefined, { help: files.length > 0 ? `it has ${files.slice(0, 8).map((f) => f.path).join(', ')}${files.length > 8 ? ', …' : ''}` : undefined }));
  }
  const paths: string[] = [];
  for (const file of chosen) paths.push(await fetchFile(wanted, file, options));
  return paths;
}

/** `fetch` for a listing: so many pages of so many bytes, each within the patience. */
function patientFetch(patience: number): typeof fetch {
  let pages = 0;
  return async (input, init) => {
    if (++pages > MAX_PAGES) throw new Error(`its listing has more than ${MAX_PAGES} pages`);
    const response = await fetch(input, { ...init, signal: AbortSignal.timeout(patience) });
    if (!response.body) return response;
    const body = Readable.toWeb(Readable.fromWeb(response.body as import('node:stream/web').ReadableStream).compose(atMost(MAX_PAGE_BYTES, 'a page of its listing')));
    return new Response(body as ReadableStream, { status: response.status, statusText: response.statusText, headers: response.headers });
  };
}

/** Passes bytes on and fails after `most` of them: what comes from a server may never end. */
function atMost(most: number, what: string, onBytes?: (count: number) => void): Transform {
  let left = most;
  return new Transform({
    transform(chunk: Uint8Array, _, done) {
      if ((left -= chunk.byteLength) < 0) return done(new Error(`the hub sends more than the ${most} bytes of ${what}`));
      onBytes?.(chunk.byteLength);
      done(null, chunk);
    },
  });
}

const HASHES = { sha256: /^[0-9a-f]{64}$/, git: /^[0-9a-f]{40}$/ } as const;

async function list({ owner, name, revision }: HubName, options: HubOptions): Promise<RemoteFile[]> {
  const { listFiles } = await import('@huggingface/hub');
  const hubUrl = options.endpoint ?? process.env.HF_ENDPOINT;
  const files: RemoteFile[] = [];
  let entries = 0;
  try {
    for await (const entry of listFiles({ repo: { type: 'model', name: `${owner}/${name}` }, revision, recursive: true, hubUrl, accessToken: process.env.HF_TOKEN, fetch: patientFetch(options.patience ?? PATIENCE) })) {
      if (++entries > MAX_FILES) throw new Error(`it has more than ${MAX_FILES} files`);
      if (entry.type !== 'file' || typeof entry.path !== 'string' || !entry.path.split('/').every((part) => PART.test(part))) continue;
      const hash = entry.lfs ? ({ kind: 'sha256', value: entry.lfs.oid } as const) : entry.oid ? ({ kind: 'git', value: entry.oid } as const) : undefined;
      const size = entry.lfs?.size ?? entry.size;
      // The hash becomes a folder of the cache, and what is not what it says it is was not meant for us.
      if (hash && !(typeof hash.value === 'string' && HASHES[hash.kind].test(hash.value))) throw new Error(`${entry.path} is listed with the hash ${JSON.stringify(hash.value)}, which is none`);
      if (!Number.isSafeInteger(size) || size < 0) throw new Error(`${entry.path} is listed with the size ${JSON.stringify(size)}, which is none`);
      files.push({ path: entry.path, size, hash });
    }
  } catch (cause) {
    const status = (cause as { statusCode?: number }).statusCode;
    const why = status === 404 ? 'there is no such repository or revision' : status === 401 || status === 403 ? 'access denied; set HF_TOKEN if it is private' : unreached(cause) ?? (cause as Error).message;
    throw new CliError(error('E0821', `cannot list ${owner}/${name}: ${why}`, undefined, { help: unreached(cause) && 'without a connection, give a file: `--weights FILE.safetensors`; HF_ENDPOINT names another server' }));
  }
  return files;
}

/** What `fetch` says of a server that no connection leads to; its own message is no more than that it failed. */
function unreached(cause: unknown): string | undefined {
  const { code } = ((cause as Error).cause ?? {}) as NodeJS.ErrnoException;
  return cause instanceof TypeError && code !== undefined ? `the hub cannot be reached (${code})` : undefined;
}

async function fetchFile(wanted: HubName, file: RemoteFile, options: HubOptions): Promise<string> {
  const { owner, name, revision } = wanted;
  const folder = join(options.cache ?? cacheFolder(), 'hub', `${owner}--${name}`, file.hash?.value ?? revision);
  const path = join(folder, file.path.replaceAll('/', '--'));
  if (existsSync(path) && statSync(path).size === file.size) return path;
  const partial = `${path}.partial`;
  try {
    makeFolder(folder);
    if (existsSync(partial) && statSync(partial).size > file.size) rmSync(partial);
    const had = existsSync(partial) ? statSync(partial).size : 0;
    if (had < file.size || !existsSync(partial)) await download(wanted, file, partial, had, options);
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError(error('E0822', `${file.path} of ${owner}/${name} was not downloaded: ${reason(cause)}`, undefined, { help: 'run the command again: it goes on where it stopped' }));
  }
  const size = statSync(partial).size;
  if (size !== file.size) throw new CliError(error('E0822', `${file.path} of ${owner}/${name} ended at ${size} of ${file.size} bytes`, undefined, { help: 'run the command again: it goes on where it stopped' }));
  if (file.hash && (await hashOf(partial, file)) !== file.hash.value) {
    rmSync(partial);
    throw new CliError(error('E0823', `${file.path} of ${owner}/${name} does not have the hash that the hub lists`, undefined, { help: 'it was removed; run the command again' }));
  }
  renameSync(partial, path);
  return path;
}

async function download({ owner, name, revision }: HubName, file: RemoteFile, partial: string, had: number, options: HubOptions): Promise<void> {
  const { HUB_URL } = await import('@huggingface/hub');
  const endpoint = options.endpoint ?? process.env.HF_ENDPOINT ?? HUB_URL;
  const url = `${endpoint}/${owner}/${name}/resolve/${encodeURIComponent(revision)}/${file.path.split('/').map(encodeURIComponent).join('/')}`;
  const headers: Record<string, string> = {};
  if (process.env.HF_TOKEN) headers.authorization = `Bearer ${process.env.HF_TOKEN}`;
  if (had > 0) headers.range = `bytes=${had}-`;
  const { bavail, bsize } = statfsSync(dirname(partial));
  if (bavail * bsize < file.size - had) throw new Error(`it has ${file.size} bytes, and the cache's disk has room for ${bavail * bsize}`);
  const stop = new AbortController();
  const patience = options.patience ?? PATIENCE;
  const giveUp = () => stop.abort(new Error(`the hub has sent nothing for ${patience / 1000} s`));
  let clock = setTimeout(giveUp, patience);
  try {
    const response = await fetch(url, { headers, signal: stop.signal });
    if (!response.ok || !response.body) throw new Error(`the hub answered ${response.status}`);
    // A server that ignores the range, or has its own idea of it, sends everything again.
    const resumed = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${had}-`) !== false;
    if (response.status === 206 && !resumed) throw new Error('the hub sends another part than was asked for');
    let done = resumed ? had : 0;
    const counted = atMost(file.size - done, file.path, (count) => {
      clearTimeout(clock);
      clock = setTimeout(giveUp, patience);
      options.onProgress?.(file.path, (done += count), file.size);
    });
    await pipeline(Readable.fromWeb(response.body as import('node:stream/web').ReadableStream), counted, createWriteStream(partial, { flags: resumed ? 'a' : 'w' }), { signal: stop.signal });
  } catch (cause) {
    throw stop.signal.aborted ? (stop.signal.reason as Error) : cause;
  } finally {
    clearTimeout(clock);
  }
}

/** sha256 of the bytes, or git's: sha1 of `blob SIZE\0` and the bytes. */
async function hashOf(path: string, file: RemoteFile): Promise<string> {
  const hash = createHash(file.hash?.kind === 'git' ? 'sha1' : 'sha256');
  if (file.hash?.kind === 'git') hash.update(`blob ${file.size}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
