/** Constructors of WGSL trees, with the foldings that keep generated code readable. */
import { BOOL, F32, I32, U32, valueType, vector } from './wgsl.ts';
import type { BinaryOperator, Scalar, ValueType, WgslExpr, WgslStatement, WgslType, Width } from './wgsl.ts';

export const f32 = (value: number): WgslExpr => ({ kind: 'literal', type: F32, value });
export const i32 = (value: number): WgslExpr => ({ kind: 'literal', type: I32, value });
export const u32 = (value: number): WgslExpr => ({ kind: 'literal', type: U32, value });
export const bool = (value: boolean): WgslExpr => ({ kind: 'literal', type: BOOL, value: value ? 1 : 0 });

export const ref = (name: string, type: WgslType): WgslExpr => ({ kind: 'ref', name, type });
export const call = (name: string, type: WgslType, ...args: WgslExpr[]): WgslExpr => ({ kind: 'call', name, type, args });
export const construct = (type: WgslType, ...args: WgslExpr[]): WgslExpr => ({ kind: 'construct', type, args });
export const bitcast = (type: ValueType, a: WgslExpr): WgslExpr => ({ kind: 'bitcast', type, a });

/** A numeric conversion of a number or vector; none where the type is right already. */
export function convert(scalar: Scalar, a: WgslExpr): WgslExpr {
  const from = valueType(a);
  if (from.scalar === scalar) return a;
  if (a.kind === 'literal' && (scalar === 'f32' || (a.value >= 0 && a.type.scalar !== 'f32'))) return { ...a, type: vector(scalar, 1) };
  return construct(vector(scalar, from.width), a);
}

/** A scalar repeated to a vector; vectors of the width stay. */
export function splat(a: WgslExpr, width: Width): WgslExpr {
  const type = valueType(a);
  if (type.width === width) return a;
  if (type.width !== 1) throw new Error(`bug: a vector of ${type.width} where ${width} are wanted`);
  return construct(vector(type.scalar, width), a);
}

export function element(of: WgslExpr, at: WgslExpr | number): WgslExpr {
  const index = typeof at === 'number' ? u32(at) : at;
  if (of.type.kind === 'array') return { kind: 'element', type: of.type.of, of, at: index };
  const type = valueType(of);
  if (type.width === 1) return of;
  if (of.kind === 'construct' && index.kind === 'literal') {
    if (of.args.length === type.width) return of.args[index.value];
    if (of.args.length === 1 && valueType(of.args[0]).width === 1) return of.args[0];
  }
  return { kind: 'element', type: vector(type.scalar, 1), of, at: index };
}

const RELATIONAL = new Set<BinaryOperator>(['<', '<=', '>', '>=', '==', '!=']);

function fold(op: BinaryOperator, a: number, b: number): number | undefined {
  switch (op) {
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '/': return b === 0 ? undefined : Math.trunc(a / b);
    case '%': return b === 0 ? undefined : a % b;
    default: return undefined;
  }
}

/** Both sides have one scalar type; a scalar side is used with each component of a vector (only + - * / % allow that). */
export function binary(op: BinaryOperator, a: WgslExpr, b: WgslExpr): WgslExpr {
  const left = valueType(a);
  const right = valueType(b);
  if (op !== '<<' && op !== '>>' && left.scalar !== right.scalar) throw new Error(`bug: ${left.scalar} ${op} ${right.scalar}`);
  const width = Math.max(left.width, right.width) as Width;
  const type = vector(RELATIONAL.has(op) ? 'bool' : left.scalar, width);
  if (left.scalar === 'u32' && width === 1) {
    const x = a.kind === 'literal' ? a.value : undefined;
    const y = b.kind === 'literal' ? b.value : undefined;
    if (x !== undefined && y !== undefined) {
      const value = fold(op, x, y);
      if (value !== undefined && value >= 0 && value < 2 ** 32) return u32(value);
    }
    if (op === '+' && x === 0) return b;
    if ((op === '+' || op === '-') && y === 0) return a;
    if (op === '*' && x === 1) return b;
    if ((op === '*' || op === '/') && y === 1) return a;
    if ((op === '*' && (x === 0 || y === 0)) || (op === '%' && y === 1)) return u32(0);
  }
  return { kind: 'binary', type, op, a, b };
}

export const add = (a: WgslExpr, b: WgslExpr): WgslExpr => binary('+', a, b);
export const sub = (a: WgslExpr, b: WgslExpr): WgslExpr => binary('-', a, b);
export const mul = (a: WgslExpr, b: WgslExpr): WgslExpr => binary('*', a, b);
export const div = (a: WgslExpr, b: WgslExpr): WgslExpr => binary('/', a, b);
export const mod = (a: WgslExpr, b: WgslExpr): WgslExpr => binary('%', a, b);
export const less = (a: WgslExpr, b: WgslExpr): WgslExpr => binary('<', a, b);
export const and = (a: WgslExpr, b: WgslExpr): WgslExpr => binary('&', a, b);
export const negate = (a: WgslExpr): WgslExpr => ({ kind: 'unary', op: '-', type: valueType(a), a });
export const not = (a: WgslExpr): WgslExpr => ({ kind: 'unary', op: '!', type: valueType(a), a });

/** Terms combined two by two: a chain would wait for every step. */
export function inPairs(terms: readonly WgslExpr[], combine: (a: WgslExpr, b: WgslExpr) => WgslExpr): WgslExpr {
  let left = terms;
  while (left.length > 1) left = left.flatMap((x, i) => (i % 2 === 1 ? [] : [i + 1 < left.length ? combine(x, left[i + 1]) : x]));
  return left[0];
}

/** Built-ins whose arguments and result have one type. */
export function same(name: string, ...args: WgslExpr[]): WgslExpr {
  const width = Math.max(...args.map((a) => valueType(a).width)) as Width;
  return call(name, vector(valueType(args[0]).scalar, width), ...args.map((a) => splat(a, width)));
}

/** a * b + c, component by component. */
export const fma = (a: WgslExpr, b: WgslExpr, c: WgslExpr): WgslExpr => same('fma', a, b, c);

/** Eager: both sides are computed. */
export function select(condition: WgslExpr, then: WgslExpr, otherwise: WgslExpr): WgslExpr {
  const width = Math.max(valueType(condition).width, valueType(then).width, valueType(otherwise).width) as Width;
  return call('select', vector(valueType(then).scalar, width), splat(otherwise, width), splat(then, width), valueType(condition).width === 1 ? condition : splat(condition, width));
}

export const letOf = (name: string, value: WgslExpr): WgslStatement => ({ kind: 'let', name, value });
export const varOf = (name: string, type: WgslType, value?: WgslExpr): WgslStatement => ({ kind: 'var', name, type, value });
export const assign = (target: WgslExpr, value: WgslExpr, op?: '+' | '-' | '*'): WgslStatement => ({ kind: 'assign', target, value, op });
export const forOf = (name: string, from: WgslExpr, below: WgslExpr, step: WgslExpr, body: readonly WgslStatement[]): WgslStatement => ({ kind: 'for', name, from, below, step, body });
export const ifOf = (condition: WgslExpr, then: readonly WgslStatement[], otherwise?: readonly WgslStatement[]): WgslStatement => ({ kind: 'if', condition, then, else: otherwise });
export const barrier: WgslStatement = { kind: 'barrier' };
