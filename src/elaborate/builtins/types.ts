/** What the table says of a built-in function, and how one reads its arguments. */
import type { Code } from '../../codes.ts';
import type { DiagnosticParts } from '../../diagnostics.ts';
import type { Span } from '../../source.ts';
import { suggest } from '../../suggest.ts';
import { missing } from '../arguments.ts';
import type { Given, Matched } from '../arguments.ts';
import type { Context } from '../context.ts';
import type { Operand, TensorOperand } from '../tensors.ts';
import { describe, isList, isTensor } from '../values.ts';
import type { ListValue, TensorValue, Value } from '../values.ts';

export interface BuiltinParam {
  readonly name: string;
  /** What stands for it where it is not given; absent: it must be. */
  readonly default?: Value;
  /** How the manual writes the default where it depends on other arguments. */
  readonly defaultText?: string;
}

/** The chapters of the manual's list. */
export type BuiltinGroup = 'element-wise' | 'movement' | 'reduction' | 'contraction' | 'windows' | 'order' | 'sources' | 'configuration';

export interface Builtin {
  readonly name: string;
  readonly group: BuiltinGroup;
  readonly params: readonly BuiltinParam[];
  /** The parameter that takes every argument given by position. */
  readonly variadic?: string;
  /** Other named arguments are allowed and kept: `rearrange(x, pattern, h = 3)`. */
  readonly open?: boolean;
  /** One paragraph for the manual. */
  readonly doc: string;
  readonly run: (call: BuiltinCall) => Value;
}

/** The arguments of one call, read with their kinds checked. */
export class BuiltinCall {
  readonly context: Context;
  readonly builtin: Builtin;
  readonly span: Span;
  readonly #matched: Matched;

  constructor(context: Context, builtin: Builtin, span: Span, matched: Matched) {
    this.context = context;
    this.builtin = builtin;
    this.span = span;
    this.#matched = matched;
  }

  /** The arguments of the variadic parameter. */
  get variadic(): readonly Given[] {
    return this.#matched.variadic;
  }

  /** The named arguments that are no parameters. */
  get rest(): readonly Given[] {
    return this.#matched.rest;
  }

  given(name: string): Given {
    const i = this.builtin.params.findIndex((p) => p.name === name);
    if (i < 0) throw new Error(`bug: ${this.builtin.name} has no parameter ${name}`);
    const slot = this.#matched.slots[i];
    if (slot) return slot;
    const { default: fallback } = this.builtin.params[i];
    if (fallback === undefined) missing(this.context, { name: this.builtin.name, noun: 'argument' }, name, this.span);
    return { value: fallback, span: this.span };
  }

  has(name: string): boolean {
    return this.#matched.slots[this.builtin.params.findIndex((p) => p.name === name)] !== undefined;
  }

  value(name: string): Value {
    return this.given(name).value;
  }

  operand(name: string): Operand {
    return this.given(name);
  }

  tensor(name: string): TensorValue {
    return this.tensorOperand(name).value;
  }

  tensorOperand(name: string): TensorOperand {
    const { value, span } = this.given(name);
    return { value: isTensor(value) ? value : this.wants(name, 'a tensor'), span };
  }

  bool(name: string): boolean {
    const { value } = this.given(name);
    return typeof value === 'boolean' ? value : this.wants(name, 'a bool');
  }

  number(name: string): number {
    const { value } = this.given(name);
    return typeof value === 'number' ? value : this.wants(name, 'a number');
  }

  /** An int from `least` on. */
  int(name: string, least = -Infinity): number {
    const { value } = this.given(name);
    return isInt(value, least) ? value : this.wants(name, intFrom(least));
  }

  /** A list's items, each of which is a step; a tensor's come from loops. */
  list(name: string): ListValue {
    const { value } = this.given(name);
    if (!isList(value)) return this.wants(name, 'a list');
    this.context.step(this.span, value.length);
    return value;
  }

  /** A list of ints from `least` on. */
  ints(name: string, least = -Infinity): number[] {
    const { value } = this.given(name);
    if (isList(value)) this.context.step(this.span, value.length);
    if (isList(value) && value.every((v) => isInt(v, least))) return value as number[];
    return this.wants(name, `a list of ints${Number.isFinite(least) ? ` from ${least}` : ''}`);
  }

  /** An int for all of `count` places, or a list with one for each. */
  perAxis(name: string, count: number, least: number): number[] {
    const { value, span } = this.given(name);
    if (isInt(value, least)) return new Array<number>(count).fill(value);
    if (!isList(value) || !value.every((v) => isInt(v, least))) return this.wants(name, `${intFrom(least)}, or a list of them`);
    if (value.length !== count) this.fail('E0411', `\`${name}\` has ${value.length} entries for ${count} spatial ${count === 1 ? 'axis' : 'axes'}`, span);
    return value as number[];
  }

  string(name: string): string {
    const { value } = this.given(name);
    return typeof value === 'string' ? value : this.wants(name, 'a string');
  }

  oneOf<const T extends string>(name: string, choices: readonly T[]): T {
    const { value, span } = this.given(name);
    const found = choices.find((c) => c === value);
    if (found !== undefined) return found;
    return oneOfFailed(this.context, name, value, choices, span);
  }

  /** An axis of a tensor of this rank; negative counts from the end. */
  axis(name: string, tensor: TensorValue): number {
    return this.axisOf(this.given(name).value, name, tensor);
  }

  axisOf(value: Value, name: string, tensor: TensorValue, rank = tensor.shape.length): number {
    if (typeof value !== 'number' || !Number.isInteger(value)) return this.wants(name, 'an axis, which is an int');
    if (value < -rank || value >= rank) {
      this.fail('E0406', `axis ${value} is outside ${describe(tensor)}, which has ${rank} ${tensor.shape.length === rank ? '' : 'places for it, '}${rank === 1 ? 'axis' : 'axes'}`.replace('places for it, axes', 'places for a new axis'), this.given(name).span, {
        ...(rank > 0 && { help: `axes are 0 to ${rank - 1}; -1 is the last` }),
      });
    }
    return value < 0 ? value + rank : value;
  }

  wants(name: string, what: string): never {
    const { value, span } = this.given(name);
    return this.fail('E0301', `\`${name}\` of \`${this.builtin.name}\` wants ${what} and gets ${describe(value)}`, span);
  }

  fail(code: Code, message: string, span: Span = this.span, parts: DiagnosticParts = {}): never {
    return this.context.fail(code, message, span, parts);
  }
}

function isInt(value: Value, least: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least;
}

function intFrom(least: number): string {
  return Number.isFinite(least) ? `an int from ${least}` : 'an int';
}

/** A value that is none of the choices. */
export function oneOfFailed(context: Context, name: string, value: Value, choices: readonly string[], span: Span): never {
  const close = typeof value === 'string' ? suggest(value, choices) : undefined;
  return context.fail('E0313', `\`${name}\` is ${describe(value)}; it can be ${choices.map((c) => JSON.stringify(c)).join(', ')}`, span, close ? { help: `did you mean "${close}"?` } : {});
}
