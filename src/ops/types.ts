/**
 * The primitive operations: their attributes, and what the op table must say of each.
 * A name added here does not compile until the table, the reference, the lowering and the text form handle it.
 */
import type { DType, Shape, TensorType } from '../graph.ts';

/** Padding of one spatial axis. */
export interface Pad {
  readonly low: number;
  readonly high: number;
}

interface None {}

export interface WindowAttrs {
  readonly stride: readonly number[];
  readonly padding: readonly Pad[];
  readonly dilation: readonly number[];
}

/** Attributes by operation. */
export interface OpAttrs {
  // Sources.
  /** A model input. */
  input: { readonly name: string; readonly shape: Shape; readonly dtype: DType };
  /** A weight, named by its state-dict path. `buffer`: no trained parameter (batch-norm statistics), not counted as one. */
  param: { readonly name: string; readonly shape: Shape; readonly dtype: DType; readonly buffer: boolean };
  /** One value, rank 0. Booleans are 0 and 1. Infinity and -Infinity are allowed, NaN is not. */
  constant: { readonly value: number; readonly dtype: DType };
  /** 0, 1, ... n - 1: i32[n]. */
  iota: { readonly n: number };

  // Element-wise, one argument: f32 to f32 (neg, abs also i32; not: bool).
  neg: None;
  abs: None;
  exp: None;
  log: None;
  sqrt: None;
  rsqrt: None;
  sin: None;
  cos: None;
  tanh: None;
  erf: None;
  sigmoid: None;
  floor: None;
  not: None;
  /** To another dtype: f32 to i32 truncates toward zero and saturates; to bool is `!= 0`; bool to numbers is 0 or 1. */
  cast: { readonly dtype: DType };

  // Element-wise, two arguments of equal shape and dtype.
  add: None;
  sub: None;
  mul: None;
  /** i32: floor division; by zero gives 0. */
  div: None;
  /** Floor modulo, sign of the divisor (i32 only); by zero gives 0. */
  mod: None;
  pow: None;
  max: None;
  min: None;
  equal: None;
  less: None;
  lessEqual: None;
  and: None;
  or: None;
  /** where(condition: bool, a, b), equal shapes. */
  where: None;

  // Movement: no arithmetic, only other indices.
  reshape: { readonly shape: Shape };
  /** out[i] = in[i permuted]: output axis k is input axis permutation[k]. */
  transpose: { readonly permutation: readonly number[] };
  /** To `shape`, right-aligned: new leading axes, and axes of 1, are repeated. */
  broadcast: { readonly shape: Shape };
  /** out[i] = in[start + i * step], per axis; size is the output's extent; a negative step walks backwards. */
  slice: { readonly start: readonly number[]; readonly size: readonly number[]; readonly step: readonly number[] };
  concat: { readonly axis: number };
  pad: { readonly padding: readonly Pad[]; readonly value: number };
  /**
   * gather(x, indices: i32): out = x.shape[:axis] + indices.shape[batch:] + x.shape[axis+1:]; the first `batch` axes
   * of x and indices are shared (batch <= axis). Indices outside are clamped to the axis.
   */
  gather: { readonly axis: number; readonly batch: number };

  // Reductions over `axes` (ascending), which vanish from the shape.
  reduceSum: { readonly axes: readonly number[] };
  reduceMax: { readonly axes: readonly number[] };
  reduceMin: { readonly axes: readonly number[] };

  // Contractions.
  /** einsum of two f32 tensors: one label per axis, none twice on one side; labels absent from `out` are summed. */
  einsum: { readonly left: readonly string[]; readonly right: readonly string[]; readonly out: readonly string[] };
  /** conv(x: [B, C, ...S], w: [O, C / groups, ...K]) -> [B, O, ...], cross-correlation as in PyTorch; 1, 2 or 3 spatial axes. */
  conv: WindowAttrs & { readonly groups: number };
  /** Over the last window.length axes; padded places count as 0 for `sum` and are ignored by `max`. */
  pool: WindowAttrs & { readonly kind: 'max' | 'sum'; readonly window: readonly number[] };

  // Order.
  /** Stable order of the values along the last axis: i32 indices. */
  argsort: { readonly descending: boolean };
}

export type OpName = keyof OpAttrs;

/** Which group an operation belongs to, for fusion and for the report's shares. */
export type OpClass = 'source' | 'elementwise' | 'movement' | 'gather' | 'reduction' | 'contraction' | 'order';

/** A tensor's values for the reference. bool and i32 in Int32Array; f32 in Float32Array or Float64Array by the evaluator's precision. */
export type TensorData = Float32Array | Float64Array | Int32Array;

export interface Tensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: TensorData;
}

export type InferResult = { readonly ok: true; readonly type: TensorType } | { readonly ok: false; readonly message: string };

/** What the table says of one operation. */
export interface OpDef<K extends OpName> {
  readonly class: OpClass;
  /** Number of arguments; concat takes one or more. */
  readonly arity: number | 'variadic';
  /** One paragraph for the reference manual and `vitc explain`. */
  readonly doc: string;
  /** The output's type, or a fact that says why there is none. */
  readonly infer: (args: readonly TensorType[], attrs: OpAttrs[K]) => InferResult;
  /**
   * Floating-point operations of the whole node, a multiply-add counted as two, transcendentals as one; movement costs none.
   */
  readonly flops: (args: readonly TensorType[], attrs: OpAttrs[K], out: TensorType) => number;
  /**
   * Reference semantics. `out` is allocated, of the right size and precision; with Float32Array every scalar operation
   * rounds to f32 (Math.fround), sums included, in index order.
   */
  readonly evaluate: (args: readonly Tensor[], attrs: OpAttrs[K], out: Tensor) => void;
}

export type OpTable = { readonly [K in OpName]: OpDef<K> };
