/** What `plan.js` of a package holds: everything the runtime needs besides WGSL and weights, in a compact form. */

/** How a picture becomes an input: see `pictureToTensor`. mean and std are per channel, or one for all. */
export interface ImageSpec {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** The share of the resized picture that the centre crop keeps. */
  readonly crop: number;
  readonly resample: 'nearest' | 'bilinear' | 'bicubic';
  readonly antialias: boolean;
  /** `shortest`: shorter side to size / crop; `squash`: both sides to size / crop. */
  readonly resize: 'shortest' | 'squash';
  /** Side of the small square pictures that the model was trained on: brought to that first, normalized, then enlarged. */
  readonly native?: number;
}

export type DType = 'f32' | 'i32' | 'bool';

/** An input or output of the model; `offset` and its elements, of 4 bytes unless `storage` says less, lie in the arena. */
export interface Port {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly offset: number;
}

export interface InputPort extends Port {
  /** An f32 input that is given and stored in half precision. */
  readonly storage?: 'f16';
  readonly image?: ImageSpec;
  /** Values are in [0, below). */
  readonly below?: number;
}

export interface PackagePlan {
  readonly format: 1;
  readonly name: string;
  /** Of the layout of the weights; weights.json must have the same. */
  readonly fingerprint: string;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** The subgroup sizes that the kernels work with, smallest and largest. */
  readonly subgroupSizes?: readonly [number, number];
  readonly arenaBytes: number;
  /** Bytes of each GPU buffer of weights. */
  readonly shards: readonly number[];
  readonly inputs: readonly InputPort[];
  readonly outputs: readonly Port[];
  /** [space, offset, bytes]; space 0 is the arena, n the shard n - 1. */
  readonly buffers: readonly (readonly [number, number, number])[];
  readonly kernels: readonly KernelEntry[];
  /** [kernel, buffer, buffer, ...]: the buffers in the order of the kernel's bindings. */
  readonly steps: readonly (readonly number[])[];
  /** Steps of each part of a run: the GPU works on one while the CPU submits the next. At least one part. */
  readonly parts: readonly number[];
}

/** `kernels/ID.wgsl`, entry point `main`, all bindings in group 0. */
export interface KernelEntry {
  readonly id: string;
  /** A letter a binding: r read-only storage (weights), s storage (the arena). */
  readonly access: string;
  readonly workgroups: readonly [number, number, number];
}

/** weights.json */
export interface WeightsManifest {
  readonly format: 1;
  readonly fingerprint: string;
  /** sha256 is absent while no weights have been packed. */
  readonly shards: readonly { readonly file: string; readonly bytes: number; readonly sha256?: string }[];
  readonly tensors: readonly WeightEntry[];
}

export interface WeightEntry {
  readonly name: string;
  readonly shape: readonly number[];
  /** `pair`: f32 as the sum of two f16 in a word, the high part in its low half, the rest 2^11 times as large. */
  readonly storage: 'f32' | 'f16' | 'pair' | 'i32';
  /** Absent: plain row-major. Otherwise outer axes of extent / block rounded up, then the axes within a block. */
  readonly blocks?: readonly number[];
  readonly shard: number;
  readonly offset: number;
  readonly bytes: number;
}

/** report.json: what each step of the plan does and costs. */
export interface PackageReport {
  readonly format: 1;
  readonly name: string;
  readonly target: string;
  readonly arenaBytes: number;
  readonly livenessBound: number;
  readonly weightBytes: number;
  /** The device profile that predicted times are of. */
  readonly predictedFor?: string;
  readonly steps: readonly StepReport[];
}

export interface StepReport {
  readonly kernel: string;
  /** Weight path of the enclosing scope, such as `blocks.3.attn`, and the innermost block's name. */
  readonly scope: string;
  readonly block: string;
  /** `path:line:column` in the model's source. */
  readonly source?: string;
  readonly flops: number;
  /** What the kernel's loads and stores issue, and what the operations would as kernels of their own. */
  readonly issuedBytes?: number;
  readonly unfusedBytes: number;
  readonly predictedMilliseconds?: number;
}

/** `f32[1, 3, 224, 224]`; an input stored in half precision is `f16[...]`. */
export function formatPort({ dtype, storage, shape }: Pick<InputPort, 'dtype' | 'storage' | 'shape'>): string {
  return `${storage ?? dtype}[${shape.join(', ')}]`;
}

/** Bytes in the arena, of whole 32-bit words: what is copied, and what a GPUBuffer must hold. */
export function bytesOf({ storage, shape }: Pick<InputPort, 'storage' | 'shape'>): number {
  return storage === 'f16' ? 4 * Math.ceil(sizeOf(shape) / 2) : 4 * sizeOf(shape);
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, extent) => size * extent, 1);
}
