/**
 * Kernels: loop nests over scalar expressions whose reads carry index maps.
 *
 * A kernel is a list of stages. A stage gives a value for every point of its axes, perhaps by reducing over further
 * axes; its body loads from buffers and from earlier stages, both through index maps. The last stages are stored.
 * Stages never touch memory unless stored: reshape, transpose, slice, concat, pad, broadcast and window partition are
 * index maps, and an epilogue or a softmax is a later stage of the same kernel. How a stage is computed (once a thread,
 * once a row in workgroup memory, in register tiles) is the schedule's business, not the kernel's.
 */
import type { DType, Origin, Shape } from './graph.ts';

/** A loop variable; names are unique within a kernel. Runs from 0 to extent - 1. */
export interface Axis {
  readonly name: string;
  readonly extent: number;
}

/**
 * A quasi-affine integer expression in normal form: offset + sum of scale * atom. Atoms are distinct and sorted by
 * `keyOfAtom`; scales are not zero. Built by the functions of kernel-index.ts only, which simplify by ranges.
 */
export interface Index {
  readonly offset: number;
  readonly terms: readonly IndexTerm[];
}

export interface IndexTerm {
  readonly scale: number;
  readonly atom: Atom;
}

export type Atom =
  | { readonly kind: 'axis'; readonly name: string; readonly extent: number }
  /** floor(of / by), by > 0 */
  | { readonly kind: 'div'; readonly of: Index; readonly by: number }
  /** of - floor(of / by) * by: in [0, by) */
  | { readonly kind: 'mod'; readonly of: Index; readonly by: number }
  /** An i32 value read from data, clamped to [0, extent): what gather indexes with. */
  | { readonly kind: 'value'; readonly of: Expr; readonly extent: number };

export type UnaryName = 'neg' | 'abs' | 'exp' | 'log' | 'sqrt' | 'rsqrt' | 'sin' | 'cos' | 'tanh' | 'erf' | 'sigmoid' | 'floor' | 'not';
export type BinaryName = 'add' | 'sub' | 'mul' | 'div' | 'mod' | 'pow' | 'max' | 'min' | 'equal' | 'less' | 'lessEqual' | 'and' | 'or';
export type ReduceName = 'sum' | 'max' | 'min';

/** A scalar expression. Arithmetic is in f32 (or i32, bool); other storage is widened by the load and narrowed by the store. */
export type Expr =
  | { readonly kind: 'const'; readonly value: number; readonly dtype: DType }
  /** The i32 value of an index. */
  | { readonly kind: 'index'; readonly of: Index }
  /** One element of a buffer parameter, by logical index: one Index per axis of the buffer's shape. */
  | { readonly kind: 'load'; readonly buffer: string; readonly at: readonly Index[] }
  /** The value of an earlier stage at a point of its axes. */
  | { readonly kind: 'stage'; readonly stage: string; readonly at: readonly Index[] }
  | { readonly kind: 'unary'; readonly op: UnaryName; readonly a: Expr }
  | { readonly kind: 'binary'; readonly op: BinaryName; readonly a: Expr; readonly b: Expr }
  /** Lazy: indices in the branch not taken may be out of bounds (padding, concat). */
  | { readonly kind: 'select'; readonly condition: Expr; readonly then: Expr; readonly else: Expr }
  | { readonly kind: 'cast'; readonly dtype: DType; readonly a: Expr };

/** One value for each point of `axes`: body, or the reduction of body over `reduce.axes`. */
export interface Stage {
  readonly name: string;
  readonly axes: readonly Axis[];
  readonly reduce?: { readonly op: ReduceName; readonly axes: readonly Axis[] };
  readonly body: Expr;
  readonly dtype: DType;
}

/** How a dtype lies in memory. bool and i32 are 'i32'; 'pair' is f32 as the sum of two f16 (pair.ts). */
export type Storage = 'f32' | 'f16' | 'pair' | 'i32';

export const BYTES_OF: Record<Storage, number> = { f32: 4, f16: 2, pair: 4, i32: 4 };

/** A formal parameter of a kernel: bound to a buffer by each call. */
export interface KernelParam {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly storage: Storage;
  readonly layout?: Layout;
  readonly access: 'read' | 'write';
}

/**
 * Where an element lies: row-major over `tiles`-blocked axes. Absent: plain row-major.
 * With blocks [b0, b1, ...] (one per axis, 1 for none) the physical order is the outer axes (extent / b, rounded up),
 * then the inner ones; an activation of [M, K] in 16x16 blocks is { blocks: [16, 16] }.
 */
export interface Layout {
  readonly blocks: readonly number[];
}

/** The stage's value at each point of its axes goes to buffer[at]; `at` absent: the point itself. Writes never collide. */
export interface Store {
  readonly buffer: string;
  readonly stage: string;
  readonly at?: readonly Index[];
}

/** Kernels with equal text (params, stages, stores) are one kernel. */
export interface Kernel {
  /** Readable, from what it does and its shape: `matmul_197x192x576_gelu`. Not an identity: text is. */
  readonly name: string;
  readonly params: readonly KernelParam[];
  readonly stages: readonly Stage[];
  readonly stores: readonly Store[];
}

export type BufferId = string;

/** A tensor in memory. */
export interface Buffer {
  readonly id: BufferId;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly storage: Storage;
  readonly layout?: Layout;
  /** input and output: the model's; weight: uploaded once; temp: in the arena. An output is also in the arena. */
  readonly kind: 'input' | 'weight' | 'output' | 'temp';
  /** The input's, output's or weight's name; for temps, where it comes from, such as `blocks.0.attn.qkv`. */
  readonly name: string;
}

export interface KernelCall {
  readonly kernel: Kernel;
  /** Buffers in the order of the kernel's params. */
  readonly args: readonly BufferId[];
  /** Where the stored value comes from in the source. */
  readonly origin: Origin;
  /** Every graph operation that this call computes, for reports by block and line and for savings by cause. */
  readonly ops: readonly CallOp[];
}

export interface CallOp {
  readonly op: string;
  readonly origin: Origin;
  readonly flops: number;
  /** Bytes that this op would load and store as its own kernel with f32 storage. */
  readonly unfusedBytes: number;
}

/** The whole model at this level: calls in order. */
export interface Program {
  readonly name: string;
  readonly buffers: readonly Buffer[];
  readonly calls: readonly KernelCall[];
}
