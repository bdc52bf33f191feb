/**
 * WGSL as a typed tree. Families build it, wgsl-print.ts prints it once.
 *
 * Accesses to global memory are nodes of their own (`load`, `store`, `matrixLoad`, `matrixStore`), so that storage
 * formats are handled in one place and the printer can emit a variant that counts every executed access.
 */
import type { Storage } from '../kernel.ts';

export type Scalar = 'f32' | 'f16' | 'i32' | 'u32' | 'bool';
export type Width = 1 | 2 | 3 | 4;
/** Elements that one access moves. */
export type AccessWidth = 1 | 2 | 4 | 8;

export type WgslType =
  | { readonly kind: 'value'; readonly scalar: Scalar; readonly width: Width }
  | { readonly kind: 'array'; readonly of: WgslType; readonly length: number }
  /** A subgroup matrix of the experimental Chromium extension. */
  | { readonly kind: 'matrix'; readonly role: 'left' | 'right' | 'result'; readonly component: Scalar; readonly columns: number; readonly rows: number };

/** A number or bool, or a vector of them. */
export type ValueType = Extract<WgslType, { kind: 'value' }>;

/**
 * Without && and ||: nothing here has effects, and & and | take bool too. Each short circuit is a branch, and a software
 * adapter's compiler took minutes over a few dozen of them in a loop.
 */
export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<<' | '>>' | '<' | '<=' | '>' | '>=' | '==' | '!=';
export type UnaryOperator = '-' | '!' | '~';

export type WgslExpr =
  | { readonly kind: 'literal'; readonly type: ValueType; readonly value: number }
  /** A let, var, parameter, constant or workgroup variable by name. */
  | { readonly kind: 'ref'; readonly type: WgslType; readonly name: string }
  | { readonly kind: 'unary'; readonly type: ValueType; readonly op: UnaryOperator; readonly a: WgslExpr }
  | { readonly kind: 'binary'; readonly type: ValueType; readonly op: BinaryOperator; readonly a: WgslExpr; readonly b: WgslExpr }
  /** A built-in or helper function. `workgroupUniformLoad` of an element of a workgroup array has a barrier before and after. */
  | { readonly kind: 'call'; readonly type: WgslType; readonly name: string; readonly args: readonly WgslExpr[] }
  /** `vec4<f32>(...)`, `f32(x)`: a value constructor or conversion. */
  | { readonly kind: 'construct'; readonly type: WgslType; readonly args: readonly WgslExpr[] }
  | { readonly kind: 'bitcast'; readonly type: ValueType; readonly a: WgslExpr }
  /** An element of an array or vector; a literal index into a vector prints as `.x`. */
  | { readonly kind: 'element'; readonly type: WgslType; readonly of: WgslExpr; readonly at: WgslExpr }
  /**
   * `width` consecutive elements of a binding, the first being element at * width (`at`: u32). f16 is widened to f32 unless
   * `raw`. Eight are f16 as they lie, in four words (vec4<u32>).
   */
  | { readonly kind: 'load'; readonly type: ValueType; readonly binding: string; readonly at: WgslExpr; readonly width: AccessWidth; readonly raw: boolean }
  /** A subgroup matrix from a binding (`offset` and `stride` in values) or a workgroup array (in its elements, perhaps vectors). */
  | { readonly kind: 'matrixLoad'; readonly type: Extract<WgslType, { kind: 'matrix' }>; readonly from: MatrixMemory; readonly offset: WgslExpr; readonly columnMajor: boolean; readonly stride: WgslExpr };

export interface MatrixMemory {
  readonly space: 'binding' | 'workgroup';
  readonly name: string;
}

export type WgslStatement =
  | { readonly kind: 'let'; readonly name: string; readonly value: WgslExpr }
  | { readonly kind: 'var'; readonly name: string; readonly type: WgslType; readonly value?: WgslExpr }
  /** target op= value; the target is a ref or element. */
  | { readonly kind: 'assign'; readonly target: WgslExpr; readonly op?: '+' | '-' | '*'; readonly value: WgslExpr }
  /** `width` consecutive elements, the first being element at * width. f32 values are narrowed to f16 storage. */
  | { readonly kind: 'store'; readonly binding: string; readonly at: WgslExpr; readonly width: 1 | 2 | 4; readonly value: WgslExpr }
  | { readonly kind: 'matrixStore'; readonly to: MatrixMemory; readonly offset: WgslExpr; readonly value: WgslExpr; readonly columnMajor: boolean; readonly stride: WgslExpr }
  /** for (var name = from; name < below; name += step), u32. */
  | { readonly kind: 'for'; readonly name: string; readonly from: WgslExpr; readonly below: WgslExpr; readonly step: WgslExpr; readonly body: readonly WgslStatement[] }
  | { readonly kind: 'if'; readonly condition: WgslExpr; readonly then: readonly WgslStatement[]; readonly else?: readonly WgslStatement[] }
  | { readonly kind: 'block'; readonly body: readonly WgslStatement[] }
  /** workgroupBarrier() */
  | { readonly kind: 'barrier' }
  | { readonly kind: 'return'; readonly value?: WgslExpr }
  | { readonly kind: 'comment'; readonly text: string };

/** A storage buffer: parameter number `index` of the kernel, group 0. */
export interface Binding {
  readonly name: string;
  readonly index: number;
  /** Arena buffers are all read_write: one GPU buffer may not be bound both ways in a dispatch. */
  readonly access: 'read' | 'read_write';
  readonly storage: Storage;
  /** f16 held in u32 words, for devices without shader-f16. */
  readonly packed: boolean;
  /** Elements as stored, padding of blocks included. */
  readonly elements: number;
}

export interface WgslFunction {
  readonly name: string;
  readonly params: readonly { readonly name: string; readonly type: WgslType }[];
  readonly result: WgslType;
  readonly body: readonly WgslStatement[];
}

export type Builtin = 'workgroup_id' | 'local_invocation_id' | 'local_invocation_index' | 'global_invocation_id' | 'num_workgroups' | 'subgroup_size' | 'subgroup_id' | 'subgroup_invocation_id';

export interface WgslModule {
  /** One line above the code: what the kernel is. */
  readonly comment?: string;
  readonly enables: readonly ('f16' | 'subgroups' | 'chromium_experimental_subgroup_matrix')[];
  /** Diagnostics switched off, such as `subgroup_uniformity`. */
  readonly diagnosticsOff: readonly string[];
  readonly bindings: readonly Binding[];
  readonly workgroupVars: readonly { readonly name: string; readonly type: WgslType }[];
  readonly constants: readonly { readonly name: string; readonly value: WgslExpr }[];
  readonly functions: readonly WgslFunction[];
  readonly workgroupSize: readonly [x: number, y: number, z: number];
  /** The entry point's parameters. */
  readonly builtins: readonly { readonly name: string; readonly builtin: Builtin }[];
  readonly body: readonly WgslStatement[];
}

/** What a family makes of a kernel. */
export interface KernelCode {
  readonly module: WgslModule;
  readonly workgroups: readonly [x: number, y: number, z: number];
  /** Bytes that one dispatch loads from and stores to storage buffers: every executed access counts. */
  readonly issued: { readonly loadBytes: number; readonly storeBytes: number };
  /** Subgroups of a workgroup have unequal work, and wait for each other seldom. */
  readonly loose?: true;
}

export const F32 = vector('f32', 1);
export const F16 = vector('f16', 1);
export const I32 = vector('i32', 1);
export const U32 = vector('u32', 1);
export const BOOL = vector('bool', 1);

export function vector(scalar: Scalar, width: Width): ValueType {
  return { kind: 'value', scalar, width };
}

export function valueType(e: WgslExpr): ValueType {
  if (e.type.kind !== 'value') throw new Error(`bug: ${e.kind} is no number or vector`);
  return e.type;
}

/** The type that a binding's elements have in the text. Pairs are words there: loads and stores of values convert them. */
export function scalarOf(storage: Storage): Scalar {
  return storage === 'pair' ? 'u32' : storage;
}

/** Bytes of an access as issued: packed f16 moves whole 32-bit words. */
export function accessBytes(binding: Pick<Binding, 'storage' | 'packed'>, width: number): number {
  if (binding.storage !== 'f16') return 4 * width;
  return binding.packed ? 4 * Math.ceil(width / 2) : 2 * width;
}
