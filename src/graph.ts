/**
 * The graph: immutable typed SSA over the primitive operations, with concrete shapes.
 *
 * Nodes stand in topological order: every argument's id is smaller than the node's own.
 * Element-wise operations take arguments of exactly equal shape; broadcasting is an explicit `broadcast` node.
 */
import type { Span } from './source.ts';
import type { OpAttrs, OpName } from './ops/types.ts';

/** The types of values. Storage of f32 values as f16 is decided later, per buffer, and is no dtype of the graph. */
export type DType = 'f32' | 'i32' | 'bool';

/** Row-major; [] is a scalar. Every extent is a positive integer. */
export type Shape = readonly number[];

export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A call that was being evaluated: where it stands, and the call around it. */
export interface CallSite {
  readonly span: Span;
  readonly caller?: CallSite;
}

/** Where a node comes from: the innermost source span, the label path, the block and the calls it was evaluated in. */
export interface Origin {
  readonly span?: Span;
  /** The weight path of the enclosing scope, such as `blocks.3.attn`; '' at the top. */
  readonly scope: string;
  /** The innermost block's name, such as `Attention`; the model's at the top. */
  readonly block: string;
  /** The innermost call around the node; absent in the model's own body. */
  readonly caller?: CallSite;
}

export type NodeId = number;

export type Node = { [K in OpName]: NodeOf<K> }[OpName];

export interface NodeOf<K extends OpName> {
  readonly id: NodeId;
  readonly op: K;
  readonly args: readonly NodeId[];
  readonly attrs: OpAttrs[K];
  readonly shape: Shape;
  readonly dtype: DType;
  readonly origin: Origin;
}

/** What `@image(...)` says of an input; mean and std per channel, or one for all. */
export interface ImageSpec {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** The share of the resized picture's shorter side that the centre crop keeps. */
  readonly crop: number;
  readonly resample: 'nearest' | 'bilinear' | 'bicubic';
  readonly antialias: boolean;
  /** `shortest`: shorter side to size / crop, then centre crop; `squash`: both sides to the size. */
  readonly resize: 'shortest' | 'squash';
  /** Side of the small square pictures that the model was trained on: a picture is first brought to that, normalized, then enlarged. */
  readonly native?: number;
}

export interface GraphInput {
  readonly name: string;
  readonly node: NodeId;
  readonly doc?: string;
  readonly image?: ImageSpec;
  /** For i32 inputs that index: values are in [0, below). From `@range(below = N)`. */
  readonly below?: number;
}

export interface GraphOutput {
  readonly name: string;
  readonly node: NodeId;
  readonly doc?: string;
  /** Class names: a named set (`imagenet-1k`, `cifar-10`) or the names themselves. */
  readonly labels?: string | readonly string[];
  /** A typed post-processing that the package offers, from `@boxes(...)` and the like: attribute name and constant arguments. */
  readonly attributes: readonly OutputAttribute[];
}

export interface OutputAttribute {
  readonly name: string;
  readonly args: Readonly<Record<string, number | string | boolean | readonly (number | string)[]>>;
}

/** A rule of a model's `weights { }`: how a parameter is read from checkpoints whose names or layouts differ. */
export type WeightSource =
  | { readonly kind: 'tensor'; readonly name: string }
  | { readonly kind: 'transpose'; readonly of: WeightSource; readonly permutation?: readonly number[] }
  | { readonly kind: 'reshape'; readonly of: WeightSource; readonly shape: Shape }
  | { readonly kind: 'concat'; readonly of: readonly WeightSource[]; readonly axis: number }
  | { readonly kind: 'slice'; readonly of: WeightSource; readonly axis: number; readonly start: number; readonly end: number }
  | { readonly kind: 'scale'; readonly of: WeightSource; readonly by: number };

/** `{i}` in a pattern stands for one dot-free part, `{rest...}` for any; the source's names use the same holes. */
export type WeightRule =
  | { readonly kind: 'map'; readonly pattern: string; readonly source: WeightSource }
  | { readonly kind: 'ignore'; readonly pattern: string };

export interface Graph {
  /** The preset's or model's name. */
  readonly name: string;
  readonly doc?: string;
  readonly nodes: readonly Node[];
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly GraphOutput[];
  readonly weightRules: readonly WeightRule[];
}

/** Every parameter's node, in order of declaration. Names are unique. */
export function paramsOf(graph: Graph): NodeOf<'param'>[] {
  return graph.nodes.filter((n): n is NodeOf<'param'> => n.op === 'param');
}

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  for (let i = shape.length - 1, s = 1; i >= 0; s *= shape[i--]) strides[i] = s;
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** `f32[2, 197, 192]` */
export function formatType(type: TensorType): string {
  return `${type.dtype}[${type.shape.join(', ')}]`;
}
