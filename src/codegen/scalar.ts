/** Kernel arithmetic as WGSL, on numbers or on vectors of them: what WGSL computes differently from the reference is made good here. */
import type { DType } from '../graph.ts';
import type { BinaryName, ReduceName, UnaryName } from '../kernel.ts';
import { helper } from './helpers.ts';
import { add, binary, bool, convert, div, element, f32, i32, mul, negate, not, same, splat } from './wgsl-build.ts';
import { BOOL, F32, I32, valueType } from './wgsl.ts';
import type { BinaryOperator, ValueType, Width, WgslExpr } from './wgsl.ts';

/** The WGSL type of a dtype's values. */
export function typeOf(dtype: DType): ValueType {
  return dtype === 'f32' ? F32 : dtype === 'i32' ? I32 : BOOL;
}

export function emitConstant(value: number, dtype: DType): WgslExpr {
  if (dtype === 'bool') return bool(value !== 0);
  if (dtype === 'i32') return i32(value);
  if (Number.isNaN(value)) return helper('not_a_number');
  if (Number.isFinite(Math.fround(value))) return f32(value);
  const infinity = helper('infinity');
  return value > 0 ? infinity : negate(infinity);
}

export function emitUnary(op: UnaryName, a: WgslExpr): WgslExpr {
  switch (op) {
    case 'neg': return negate(a);
    case 'not': return not(a);
    case 'abs':
    case 'exp':
    case 'log':
    case 'sqrt':
    case 'floor': return same(op, a);
    case 'rsqrt': return same('inverseSqrt', a);
    // Past 10, tanh is 1 in f32, and implementations by exp may overflow.
    case 'tanh': return same('tanh', same('clamp', a, f32(-15), f32(15)));
    // exp stays finite.
    case 'sigmoid': return div(f32(1), add(same('exp', same('min', negate(a), f32(88))), f32(1)));
    case 'sin': return helper('sine', a);
    case 'cos': return helper('cosine', a);
    case 'erf': return helper('erf', a);
    default: return op satisfies never;
  }
}

const OPERATORS: { readonly [K in Exclude<BinaryName, 'pow' | 'mod' | 'max' | 'min'>]: BinaryOperator } = {
  add: '+', sub: '-', mul: '*', div: '/', equal: '==', less: '<', lessEqual: '<=', and: '&', or: '|',
};

export function emitBinary(op: BinaryName, a: WgslExpr, b: WgslExpr): WgslExpr {
  const width = Math.max(valueType(a).width, valueType(b).width) as Width;
  const { scalar } = valueType(a);
  const wide = (f: (x: WgslExpr, y: WgslExpr) => WgslExpr): WgslExpr => f(splat(a, width), splat(b, width));
  switch (op) {
    case 'max':
    case 'min': return same(op, a, b);
    case 'mod': return wide((x, y) => helper('floor_mod', x, y));
    case 'pow': return b.kind === 'literal' ? emitPower(a, b.value) : wide((x, y) => helper('power', x, y));
    case 'div': return scalar === 'i32' ? wide((x, y) => helper('floor_div', x, y)) : div(a, b);
    case 'add':
    case 'sub':
    case 'mul': return binary(OPERATORS[op], a, b);
    case 'and':
    case 'or':
    case 'equal':
    case 'less':
    case 'lessEqual': return wide((x, y) => binary(OPERATORS[op], x, y));
    default: return op satisfies never;
  }
}

/** Small powers by multiplication: exact for every sign of the base, where WGSL's pow takes positive ones only. */
function emitPower(a: WgslExpr, exponent: number): WgslExpr {
  if (exponent === 0.5) return same('sqrt', a);
  if (exponent === -0.5) return same('inverseSqrt', a);
  const simple = a.kind === 'ref' || a.kind === 'literal';
  if (Number.isInteger(exponent) && exponent !== 0 && Math.abs(exponent) <= (simple ? 8 : 1)) {
    let product = a;
    for (let i = 1; i < Math.abs(exponent); i++) product = mul(product, a);
    return exponent > 0 ? product : div(f32(1), product);
  }
  return helper('power', a, f32(exponent));
}

export function emitCast(dtype: DType, a: WgslExpr): WgslExpr {
  const { scalar, width } = valueType(a);
  if (dtype !== 'bool') return convert(dtype, a);
  return scalar === 'bool' ? a : binary('!=', a, splat(scalar === 'f32' ? f32(0) : i32(0), width));
}

/** What a sum, maximum or minimum starts from. The outermost finite f32 stands for infinity: no literal, and no arithmetic on it. */
export function startOf(op: ReduceName, dtype: DType): WgslExpr {
  if (op === 'sum') return dtype === 'f32' ? f32(0) : i32(0);
  const most = 3.4028234663852886e38;
  if (op === 'max') return dtype === 'f32' ? f32(-most) : i32(-(2 ** 31));
  return dtype === 'f32' ? f32(most) : i32(2 ** 31 - 1);
}

export function combine(op: ReduceName, a: WgslExpr, b: WgslExpr): WgslExpr {
  return op === 'sum' ? add(a, b) : same(op, a, b);
}

/** All lanes of a vector, combined. */
export function combineLanes(op: ReduceName, value: WgslExpr): WgslExpr {
  const { width } = valueType(value);
  let result = element(value, 0);
  for (let i = 1; i < width; i++) result = combine(op, result, element(value, i));
  return result;
}
