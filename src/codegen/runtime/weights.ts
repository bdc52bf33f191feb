/** Weights: read, verified, uploaded; the bytes are used as they are. */
import { checkManifest } from './check.ts';
import { COPY_DST, STORAGE } from './constants.ts';
import { VitcError } from './errors.ts';
import type { ReadOptions } from './fetch.ts';
import { readBytes, readJson, readResponseBytes } from './fetch.ts';
import { unshared } from './inputs.ts';
import type { PackagePlan, WeightsManifest } from './plan.ts';

export type Bytes = ArrayBuffer | Uint8Array;

/**
 * Where weights come from instead of the package's own folder: another folder's URL (with weights.json and its shards),
 * the bytes of the shards, or a function that gives a shard's bytes or a response for its file name.
 */
export type WeightsSource = string | URL | Bytes | readonly Bytes[] | ((file: string) => Promise<Bytes | Response>);

export function folderUrl(url: string | URL): URL {
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const folder = new URL(url, page);
  if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  return folder;
}

async function readShard(source: WeightsSource | undefined, base: URL, file: string, index: number, options: ReadOptions): Promise<Uint8Array> {
  const url = new URL(file, base);
  let given: Bytes | Response | undefined;
  if (typeof source === 'function') given = await source(file);
  else if (source instanceof ArrayBuffer || source instanceof Uint8Array) given = index === 0 ? source : undefined;
  else if (Array.isArray(source)) given = source[index] ?? new Uint8Array(0);
  if (given === undefined) return readBytes(url, options);
  if (given instanceof Uint8Array || given instanceof ArrayBuffer) {
    options.onBytes?.(given.byteLength);
    return given instanceof Uint8Array ? unshared(given) : new Uint8Array(given);
  }
  return readResponseBytes(given, url, options);
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function checkFits(plan: PackagePlan, manifest: WeightsManifest, place: string): void {
  checkManifest(manifest, place);
  const same =
    manifest.fingerprint === plan.fingerprint &&
    manifest.shards.length === plan.shards.length &&
    plan.shards.every((bytes, i) => manifest.shards[i].bytes === bytes);
  if (same) return;
  throw new VitcError('bad-weights', `${place} is of another compilation of ${plan.name}; compile or pack its weights again`);
}

export interface WeightsRequest extends ReadOptions {
  /** The package's folder. */
  readonly base: URL;
  readonly source?: WeightsSource;
  /** Whether to compare SHA-256. */
  readonly verify: boolean;
  /** Of the weights: one for each shard, of its size. */
  readonly buffers: Promise<readonly GPUBuffer[]>;
}

/** Empty GPU buffers for the shards. */
export function weightBuffers(device: GPUDevice, plan: PackagePlan): GPUBuffer[] {
  return plan.shards.map((size, i) => device.createBuffer({ label: `${plan.name} weights ${i + 1}`, size, usage: STORAGE | COPY_DST }));
}

/**
 * Reads the shards one after another, and verifies each while it is on its way to the GPU.
 * Throws 'bad-weights' for a shard of other size or content than weights.json says, 'fetch-failed'.
 */
export async function loadWeights(device: Promise<GPUDevice>, plan: PackagePlan, request: WeightsRequest): Promise<void> {
  if (plan.shards.length === 0) return;
  const { source, signal } = request;
  const base = typeof source === 'string' || source instanceof URL ? folderUrl(source) : request.base;
  const place = new URL('weights.json', base);
  const manifest = await readJson<WeightsManifest>(place, { signal });
  checkFits(plan, manifest, place.href);
  if (source === undefined && manifest.shards.some((shard) => shard.sha256 === undefined)) {
    throw new VitcError('bad-weights', `${plan.name} was compiled without weights: compile it again with --weights, or give them: load({ weights })`);
  }
  for (const [index, shard] of manifest.shards.entries()) {
    const bytes = await readShard(source, base, shard.file, index, request);
    if (bytes.length !== shard.bytes) {
      throw new VitcError('bad-weights', `${shard.file} has ${bytes.length} bytes, and weights.json says ${shard.bytes}: it was cut short or altered`);
    }
    // Where WebGPU is, WebCrypto is: both need a secure page.
    const hash = request.verify && shard.sha256 !== undefined ? sha256(bytes) : undefined;
    const [{ queue }, buffers] = await Promise.all([device, request.buffers]);
    signal?.throwIfAborted();
    queue.writeBuffer(buffers[index], 0, bytes as Uint8Array<ArrayBuffer>);
    if (hash && (await hash) !== shard.sha256) {
      throw new VitcError('bad-weights', `${shard.file} is not the file that was packed: its SHA-256 differs from weights.json`);
    }
  }
}
