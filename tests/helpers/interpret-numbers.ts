/** Numbers and vectors of WGSL in JavaScript: rounded as their types are, component by component. */
import type { BinaryOperator, Scalar, UnaryOperator, ValueType } from '../../src/codegen/wgsl.ts';
import { fromF16, toF16 } from '../../src/half.ts';

export type Value = number | boolean | readonly Value[];

export const roundF16 = (value: number): number => fromF16(toF16(value));

const ROUND: Record<Scalar, (value: number) => number | boolean> = {
  f32: Math.fround,
  f16: roundF16,
  i32: (v) => v | 0,
  u32: (v) => v >>> 0,
  bool: Boolean,
};

const nearestEven = (x: number): number => {
  const down = Math.floor(x);
  if (x - down !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
};

const BUILTINS: Record<string, (...args: number[]) => number | boolean> = {
  fma: (a, b, c) => a * b + c,
  min: Math.min, max: Math.max, abs: Math.abs, exp: Math.exp, log: Math.log, sqrt: Math.sqrt, floor: Math.floor, tanh: Math.tanh, sign: Math.sign, pow: Math.pow,
  inverseSqrt: (x) => 1 / Math.sqrt(x),
  round: nearestEven,
  clamp: (x, low, high) => Math.min(Math.max(x, low), high),
  select: (otherwise, then, condition) => (condition ? then : otherwise),
};

const OPERATORS: Record<BinaryOperator, (a: number, b: number) => number | boolean> = {
  '+': (a, b) => a + b, '-': (a, b) => a - b, '*': (a, b) => a * b, '/': (a, b) => a / b, '%': (a, b) => a % b,
  '&': (a, b) => a & b, '|': (a, b) => a | b, '^': (a, b) => a ^ b, '<<': (a, b) => a << b, '>>': (a, b) => a >> b,
  '<': (a, b) => a < b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '>=': (a, b) => a >= b, '==': (a, b) => a === b, '!=': (a, b) => a !== b,
};

const UNARY: Record<UnaryOperator, (a: number) => number | boolean> = { '-': (a) => -a, '!': (a) => !a, '~': (a) => ~a };

/** A function of numbers, of vectors where one is given: numbers beside it stand for all components. */
function lift(of: (...args: number[]) => number | boolean, round: (value: number) => number | boolean): (...args: Value[]) => Value {
  return (...args) => {
    const wide = args.find((a) => Array.isArray(a)) as readonly Value[] | undefined;
    if (!wide) return round(Number(of(...(args as number[]))));
    return wide.map((_, lane) => round(Number(of(...args.map((a) => (Array.isArray(a) ? a[lane] : a) as number)))));
  };
}

/** Built-in functions that change the number of components. */
const PACKING: Record<string, (value: Value) => Value> = {
  pack2x16float: (v) => { const [low, high] = v as readonly number[]; return (toF16(low) | (toF16(high) << 16)) >>> 0; },
  unpack2x16float: (v) => [fromF16(Number(v) & 0xffff), fromF16(Number(v) >>> 16)],
};

/** A built-in function whose result is of this type; undefined where it is none of these. */
export function builtinOf(name: string, scalar: Scalar): ((...args: Value[]) => Value) | undefined {
  if (PACKING[name]) return PACKING[name];
  const of = BUILTINS[name];
  return of && lift(of, ROUND[scalar]);
}

/** `scalar`: of the result; `operand`: of both sides. */
export function operatorOf(op: BinaryOperator, scalar: Scalar, operand: Scalar): (...args: Value[]) => Value {
  if (op === '*' && operand !== 'f32' && operand !== 'f16') return lift(Math.imul, ROUND[scalar]);
  if (op === '>>' && operand === 'u32') return lift((a, b) => a >>> b, ROUND[scalar]);
  return lift(OPERATORS[op], ROUND[scalar]);
}

export function unaryOf(op: UnaryOperator, scalar: Scalar): (...args: Value[]) => Value {
  return lift(UNARY[op], ROUND[scalar]);
}

/** A conversion of a number or vector. */
export function conversionOf(to: Scalar, from: Scalar): (...args: Value[]) => Value {
  const integer = to === 'i32' || to === 'u32';
  return lift((v) => (integer && (from === 'f32' || from === 'f16') ? Math.trunc(v) : v), ROUND[to]);
}

const bits = new DataView(new ArrayBuffer(16));

/** The same bits as another type, of the same size in all. */
export function bitcastOf(to: ValueType, from: Scalar): (...args: Value[]) => Value {
  return (value) => {
    const numbers = (Array.isArray(value) ? value : [value]) as readonly number[];
    numbers.forEach((v, i) => {
      if (from === 'f32') bits.setFloat32(4 * i, v, true);
      else if (from === 'f16') bits.setUint16(2 * i, toF16(v), true);
      else bits.setUint32(4 * i, v, true);
    });
    const read = (i: number): number => {
      switch (to.scalar) {
        case 'f32': return bits.getFloat32(4 * i, true);
        case 'i32': return bits.getInt32(4 * i, true);
        case 'f16': return fromF16(bits.getUint16(2 * i, true));
        default: return bits.getUint32(4 * i, true);
      }
    };
    return to.width === 1 ? read(0) : Array.from({ length: to.width }, (_, i) => read(i));
  };
}
