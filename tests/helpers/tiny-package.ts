/**
 * A model of two kernels, planned by hand, so that the package and its runtime are tested without the passes before:
 * y[c, i] = image[c, i] * scale[c] + shift[c]; twice[c] = 2 * shift[c].
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Model } from '../../src/codegen/runtime/model.ts';
import type { LoadOptions } from '../../src/codegen/runtime/load.ts';
import { runtimeFiles } from '../../src/cli/runtime-files.ts';
import { generateKernel } from '../../src/codegen/generate.ts';
import type { PackageFiles, PackageInput } from '../../src/codegen/package.ts';
import { emitPackage } from '../../src/codegen/package.ts';
import { GraphBuilder } from '../../src/graph-builder.ts';
import type { Graph } from '../../src/graph.ts';
import { binary, cast, load, number, stageAt } from '../../src/kernel-expr.ts';
import { axis } from '../../src/kernel-index.ts';
import type { Axis, Buffer, CallOp, Kernel, KernelCall } from '../../src/kernel.ts';
import type { Plan, PlannedBuffer, PlannedKernel } from '../../src/plan.ts';
import { WEB } from '../../src/targets.ts';

const ORIGIN = { scope: '', block: 'Tiny' };
export const SIZE = 4;
export const SCALE = Float32Array.of(1, 10, 100);

function tinyGraph(): Graph {
  const b = new GraphBuilder();
  const shape = [1, 3, SIZE, SIZE];
  const image = b.push('input', [], { name: 'image', shape, dtype: 'f32' }, ORIGIN);
  const shift = b.push('input', [], { name: 'shift', shape: [3], dtype: 'i32' }, ORIGIN);
  const scale = b.push('param', [], { name: 'scale', shape: [3], dtype: 'f32', buffer: false }, ORIGIN);
  const perChannel = (id: number) => b.push('broadcast', [b.push('reshape', [id], { shape: [3, 1, 1] }, ORIGIN)], { shape }, ORIGIN);
  const product = b.push('mul', [image, perChannel(scale)], {}, ORIGIN);
  const y = b.push('add', [product, perChannel(b.push('cast', [shift], { dtype: 'f32' }, ORIGIN))], {}, ORIGIN);
  const twice = b.push('add', [shift, shift], {}, ORIGIN);
  return b.finish({
    name: 'tiny_model',
    doc: 'A model for tests.',
    inputs: [
      { name: 'image', node: image, image: { mean: [0], std: [1], crop: 1, resample: 'bilinear', antialias: true, resize: 'shortest' } },
      { name: 'shift', node: shift, doc: 'Added to each channel.', below: 1000 },
    ],
    outputs: [
      { name: 'y', node: y, attributes: [] },
      { name: 'twice', node: twice, attributes: [], labels: ['red', 'green', 'blue'] },
    ],
    weightRules: [],
  });
}

const c: Axis = { name: 'c', extent: 3 };
const i: Axis = { name: 'i', extent: SIZE * SIZE };

/** image and y are seen as [3, SIZE * SIZE]. */
const affine: Kernel = {
  name: 'affine',
  params: [
    { name: 'x', shape: [3, SIZE * SIZE], dtype: 'f32', storage: 'f32', access: 'read' },
    { name: 'scale', shape: [3], dtype: 'f32', storage: 'f32', access: 'read' },
    { name: 'shift', shape: [3], dtype: 'i32', storage: 'i32', access: 'read' },
    { name: 'out', shape: [3, SIZE * SIZE], dtype: 'f32', storage: 'f32', access: 'write' },
  ],
  stages: [
    { name: 'product', axes: [c, i], body: binary('mul', load('x', [axis(c), axis(i)]), load('scale', [axis(c)])), dtype: 'f32' },
    { name: 'result', axes: [c, i], body: binary('add', stageAt('product', [axis(c), axis(i)]), cast('f32', load('shift', [axis(c)]))), dtype: 'f32' },
  ],
  stores: [{ buffer: 'out', stage: 'result' }],
};

const twice: Kernel = {
  name: 'twice',
  params: [
    { name: 'x', shape: [3], dtype: 'i32', storage: 'i32', access: 'read' },
    { name: 'out', shape: [3], dtype: 'i32', storage: 'i32', access: 'write' },
  ],
  stages: [{ name: 'result', axes: [c], body: binary('mul', load('x', [axis(c)]), number(2, 'i32')), dtype: 'i32' }],
  stores: [{ buffer: 'out', stage: 'result' }],
};

function tinyPlan(): Plan {
  const buffer = (kind: Buffer['kind'], name: string, shape: number[], dtype: 'f32' | 'i32'): Buffer => ({ id: name, kind, name, shape, dtype, storage: dtype });
  const place = (b: Buffer, offset: number): PlannedBuffer => ({
    buffer: b,
    bytes: 4 * b.shape.reduce((size, extent) => size * extent, 1),
    space: b.kind === 'weight' ? 'weights' : 'arena',
    shard: 0,
    offset,
    live: [-1, 2],
  });
  const planned = (id: string, kernel: Kernel, spaces: PlannedKernel['spaces']): PlannedKernel => ({ id, kernel, spaces, schedule: { family: 'generic', vector: 1, workgroup: 64 } });
  const ops: CallOp[] = [{ op: 'mul', origin: ORIGIN, flops: 2 * 3 * SIZE * SIZE, unfusedBytes: 0 }];
  const step = (kernel: number, k: Kernel, args: string[]) => ({ kernel, args, call: { kernel: k, args, origin: ORIGIN, ops } satisfies KernelCall });
  return {
    name: 'tiny_model',
    target: WEB,
    kernels: [planned('affine', affine, ['arena', 'weights', 'arena', 'arena']), planned('twice', twice, ['arena', 'arena'])],
    steps: [step(0, affine, ['image', 'scale', 'shift', 'y']), step(1, twice, ['shift', 'twice'])],
    buffers: [
      place(buffer('input', 'image', [1, 3, SIZE, SIZE], 'f32'), 0),
      place(buffer('input', 'shift', [3], 'i32'), 256),
      place(buffer('output', 'y', [1, 3, SIZE, SIZE], 'f32'), 512),
      place(buffer('output', 'twice', [3], 'i32'), 768),
      place(buffer('weight', 'scale', [3], 'f32'), 0),
    ],
    arenaBytes: 1024,
    livenessBound: 1024,
    weightShards: [12],
  };
}

export function tinyInput(overrides: Partial<PackageInput> = {}): PackageInput {
  const plan = tinyPlan();
  const bytes = new Uint8Array(SCALE.buffer);
  return {
    graph: tinyGraph(),
    plan,
    kernels: plan.kernels.map((kernel) => generateKernel(kernel, WEB)),
    runtime: runtimeFiles(),
    weights: [{ bytes, sha256: createHash('sha256').update(bytes).digest('hex') }],
    ...overrides,
  };
}

/** Writes a package into a temporary folder of its own, which it returns. */
export function writePackage(files: PackageFiles): string {
  const folder = mkdtempSync(join(tmpdir(), 'vitc-test-'));
  for (const [name, content] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

export function tinyPackage(overrides?: Partial<PackageInput>): string {
  return writePackage(emitPackage(tinyInput(overrides)));
}

export type Inputs = Record<string, unknown>;
export type Outputs = Record<'y' | 'twice', (Float32Array | Int32Array) & { readonly shape: readonly number[] }>;

export interface PackageModule {
  load(options?: LoadOptions): Promise<Model<Inputs, Outputs>>;
  readonly requirements: GPUDeviceDescriptor;
  readonly labels: Record<string, readonly string[]>;
}

export function importPackage(folder: string): Promise<PackageModule> {
  return import(pathToFileURL(join(folder, 'index.js')).href);
}

/** What the model gives. */
export function expected(image: ArrayLike<number>, shift: ArrayLike<number>): { y: number[]; twice: number[] } {
  const size = SIZE * SIZE;
  return {
    y: Array.from({ length: 3 * size }, (_, at) => Math.fround(Math.fround(image[at] * SCALE[Math.floor(at / size)]) + shift[Math.floor(at / size)])),
    twice: Array.from({ length: 3 }, (_, channel) => 2 * shift[channel]),
  };
}

export function tinyValues(seed = 1): { image: Float32Array; shift: Int32Array } {
  return { image: Float32Array.from({ length: 3 * SIZE * SIZE }, (_, at) => ((at * 7 + seed * 3) % 32) / 32), shift: Int32Array.of(seed, seed + 1, seed + 2) };
}
