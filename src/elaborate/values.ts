/** What expressions evaluate to at compile time. */
import type { Block, ConfigParam, Expr, Function, Model, Preset, Statement } from '../ast.ts';
import type { DType, NodeId, Shape, WeightSource } from '../graph.ts';
import type { Span } from '../source.ts';
import type { Builtin } from './builtins/types.ts';
import type { Environment } from './environment.ts';
import type { FileScope } from './files.ts';
import type { ParamScope } from './params.ts';

/** Numbers, booleans, strings, `none` (null) and lists are themselves; the rest are tagged objects. */
export type Value = number | boolean | string | null | ListValue | TaggedValue;
export type ListValue = readonly Value[];
export type TaggedValue =
  | TensorValue
  | BlockValue
  | InstanceValue
  | ScopeValue
  | FunctionValue
  | BuiltinValue
  | TargetValue
  | WeightValue
  | PoisonValue;

/** An extent as the source writes it, for messages: `N + 1`, and where. */
export interface Dim {
  readonly text: string;
  readonly span: Span;
}

export interface TensorValue {
  readonly kind: 'tensor';
  readonly id: NodeId;
  readonly shape: Shape;
  readonly dtype: DType;
  /** How the source names the axes, as far as known; aligned with `shape`. */
  readonly dims?: readonly (Dim | undefined)[];
}

/** A block; `config` is there once it has been called with its configuration. */
export interface BlockValue {
  readonly kind: 'block';
  readonly declaration: Block;
  readonly home: FileScope;
  readonly config?: Environment;
}

/** A labelled block: its parameters have a place, and every call shares them. */
export interface InstanceValue {
  readonly kind: 'instance';
  readonly block: BlockValue;
  readonly scope: ParamScope;
  readonly span: Span;
  calls: number;
}

/** A path below an instance, as in `enc.blocks[0]`. */
export interface ScopeValue {
  readonly kind: 'scope';
  readonly scope: ParamScope;
}

export interface FunctionValue {
  readonly kind: 'function';
  /** The declaration's name; `fn` for a lambda. */
  readonly name: string;
  readonly declaration: Function | (Expr & { readonly kind: 'lambda' });
  readonly params: readonly ConfigParam[];
  readonly body: readonly Statement[] | Expr;
  readonly environment: Environment;
}

export interface BuiltinValue {
  readonly kind: 'builtin';
  readonly builtin: Builtin;
}

/** A model or preset: a name that presets refer to, no value to compute with. */
export interface TargetValue {
  readonly kind: 'target';
  readonly declaration: Model | Preset;
  readonly home: FileScope;
}

/** The right side of a weight rule. */
export interface WeightValue {
  readonly kind: 'weights';
  readonly source: WeightSource;
}

/** Stands for a value whose computation failed and has been reported. */
export interface PoisonValue {
  readonly kind: 'poison';
}

export const POISON: PoisonValue = { kind: 'poison' };

export type Kind = 'int' | 'number' | 'bool' | 'string' | 'none' | 'list' | 'tensor' | 'block' | 'function' | 'model' | 'weights';

export function isList(value: Value): value is ListValue {
  return Array.isArray(value);
}

export function isTensor(value: Value): value is TensorValue {
  return typeof value === 'object' && value !== null && !isList(value) && value.kind === 'tensor';
}

/** The tag of a tagged value, else nothing. */
export function tagOf(value: Value): TaggedValue['kind'] | undefined {
  return typeof value === 'object' && value !== null && !isList(value) ? value.kind : undefined;
}

/** The kind as the language names it. A number without fraction, exact in a double, is an int. */
export function kindOf(value: Value): Kind {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'int' : 'number';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (value === null) return 'none';
  if (isList(value)) return 'list';
  switch (value.kind) {
    case 'tensor':
    case 'block':
    case 'function':
    case 'weights':
      return value.kind;
    case 'instance':
    case 'scope':
      return 'block';
    case 'builtin':
      return 'function';
    case 'target':
      return 'model';
    case 'poison':
      throw new Error('bug: a poisoned value is asked for its kind');
    default:
      return value satisfies never;
  }
}

/** How much is shown of a string in a list. */
const MOST_SHOWN = 100;

/** A value for messages and `str`: lists are cut after eight items, strings in them after a hundred characters. */
export function formatValue(value: Value, depth = 0): string {
  if (typeof value === 'string') return depth > 0 ? JSON.stringify(value.length > MOST_SHOWN ? `${value.slice(0, MOST_SHOWN)}...` : value) : value;
  if (value === null) return 'none';
  if (typeof value !== 'object') return String(value);
  if (isList(value)) {
    if (depth > 2) return '[...]';
    const items = value.slice(0, 8).map((item) => formatValue(item, depth + 1));
    return `[${[...items, ...(value.length > 8 ? ['...'] : [])].join(', ')}]`;
  }
  switch (value.kind) {
    case 'tensor':
      return `${value.dtype}[${value.shape.join(', ')}]`;
    case 'block':
      return value.config ? `${value.declaration.name.text}(...)` : value.declaration.name.text;
    case 'instance':
      return `${value.scope.path || '_'}: ${value.block.declaration.name.text}(...)`;
    case 'scope':
      return value.scope.path;
    case 'function':
      return value.name;
    case 'builtin':
      return value.builtin.name;
    case 'target':
      return value.declaration.name.text;
    case 'weights':
      return 'a weight source';
    case 'poison':
      return 'a value that could not be computed';
    default:
      return value satisfies never;
  }
}

/** `a string`, `an int`, `f32[1, 3]`, `none`: what a message says that a value is. */
export function describe(value: Value): string {
  const kind = kindOf(value);
  switch (kind) {
    case 'tensor':
      return formatValue(value);
    case 'none':
      return 'none';
    case 'int':
    case 'number':
    case 'bool':
      return `the ${kind} ${formatValue(value)}`;
    case 'string':
      return `the string ${JSON.stringify((value as string).slice(0, 40))}`;
    case 'list':
      return `a list of ${(value as ListValue).length} ${(value as ListValue).length === 1 ? 'item' : 'items'}`;
    case 'block':
    case 'function':
    case 'model':
      return `the ${kind} ${formatValue(value)}`;
    case 'weights':
      return 'a weight source';
    default:
      return kind satisfies never;
  }
}
