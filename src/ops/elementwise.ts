/** Element-wise operations: equal shapes in, the same shape out. */
import { formatType, sizeOf } from '../graph.ts';
import type { DType, TensorType } from '../graph.ts';
import { dtypesDiffer, fail, result, shapesDiffer, wrongDtype } from './check.ts';
import { erf } from './erf.ts';
import type { OpDef, OpName, TensorData } from './types.ts';

type Unary = 'neg' | 'abs' | 'exp' | 'log' | 'sqrt' | 'rsqrt' | 'sin' | 'cos' | 'tanh' | 'erf' | 'sigmoid' | 'floor' | 'not';
type Binary = 'add' | 'sub' | 'mul' | 'div' | 'mod' | 'pow' | 'max' | 'min' | 'equal' | 'less' | 'lessEqual' | 'and' | 'or';
type Elementwise = Unary | Binary | 'cast' | 'where';

/** One operation a value where f32 is computed with; integer and boolean work is no floating-point operation. */
const flopsOf = (args: readonly TensorType[]): number => (args[0].dtype === 'f32' ? sizeOf(args[0].shape) : 0);

type ByDtype<F> = { readonly [D in DType]?: F };
const allowed = (fs: ByDtype<unknown>): DType[] => Object.keys(fs) as DType[];

/**
 * A unary operation from its scalar functions; storing into a Float32Array rounds the one operation to f32. `f32Loop` is
 * f32's function over arrays, for operations that whole weights are packed with: calls for each value were most of that time.
 */
function unary<K extends Unary>(op: K, doc: string, fs: ByDtype<(x: number) => number>, f32Loop?: (x: TensorData, to: TensorData) => void): OpDef<K> {
  return {
    class: 'elementwise',
    arity: 1,
    doc,
    infer: ([x]) => {
      const wrong = wrongDtype(op, x, ...allowed(fs));
      return wrong ? fail(wrong) : result(op, x.shape, x.dtype);
    },
    flops: flopsOf,
    evaluate: ([x], _, out) => {
      if (f32Loop && x.dtype === 'f32') return f32Loop(x.data, out.data);
      const f = fs[x.dtype]!;
      for (let i = 0; i < out.data.length; i++) out.data[i] = f(x.data[i]);
    },
  };
}

function binary<K extends Binary>(op: K, doc: string, fs: ByDtype<(x: number, y: number) => number>, out?: DType, f32Loop?: (x: TensorData, y: TensorData, to: TensorData) => void): OpDef<K> {
  return {
    class: 'elementwise',
    arity: 2,
    doc,
    infer: ([x, y]) => {
      const wrong = dtypesDiffer(op, x, y) ?? wrongDtype(op, x, ...allowed(fs)) ?? shapesDiffer(op, x, y);
      return wrong ? fail(wrong) : result(op, x.shape, out ?? x.dtype);
    },
    flops: flopsOf,
    evaluate: ([x, y], _, to) => {
      if (f32Loop && x.dtype === 'f32') return f32Loop(x.data, y.data, to.data);
      const f = fs[x.dtype]!;
      for (let i = 0; i < to.data.length; i++) to.data[i] = f(x.data[i], y.data[i]);
    },
  };
}

function compare<K extends Binary>(op: K, doc: string, f: (x: number, y: number) => boolean, dtypes: readonly DType[]): OpDef<K> {
  const test = (x: number, y: number): number => (f(x, y) ? 1 : 0);
  return binary(op, doc, Object.fromEntries(dtypes.map((d) => [d, test])), 'bool');
}

const modulo = (x: number, y: number): number => (y === 0 ? 0 : x - y * Math.floor(x / y));

/** The saturating conversion that shaders make: NaN gives 0. */
function toInteger(x: number): number {
  if (Number.isNaN(x)) return 0;
  return Math.min(Math.max(Math.trunc(x), -(2 ** 31)), 2 ** 31 - 1);
}

export const ELEMENTWISE: { [K in Elementwise & OpName]: OpDef<K> } = {
  neg: unary('neg', 'The negative: -x.', { f32: (x) => -x, i32: (x) => -x | 0 }),
  abs: unary('abs', 'The absolute value.', { f32: Math.abs, i32: (x) => Math.abs(x) | 0 }, (x, to) => {
    for (let i = 0; i < to.length; i++) to[i] = Math.abs(x[i]);
  }),
  exp: unary('exp', 'The exponential, base e.', { f32: Math.exp }),
  log: unary('log', 'The natural logarithm.', { f32: Math.log }),
  sqrt: unary('sqrt', 'The square root.', { f32: Math.sqrt }),
  rsqrt: unary('rsqrt', 'One over the square root.', { f32: (x) => 1 / Math.sqrt(x) }),
  sin: unary('sin', 'The sine of radians.', { f32: Math.sin }),
  cos: unary('cos', 'The cosine of radians.', { f32: Math.cos }),
  tanh: unary('tanh', 'The hyperbolic tangent.', { f32: Math.tanh }),
  erf: unary('erf', 'The error function.', { f32: erf }),
  sigmoid: unary('sigmoid', 'The logistic function: 1 / (1 + exp(-x)).', { f32: (x) => 1 / (1 + Math.exp(-x)) }),
  floor: unary('floor', 'The greatest integer not above x, as f32.', { f32: Math.floor }),
  not: unary('not', 'Logical negation.', { bool: (x) => 1 - x }),
  cast: {
    class: 'elementwise',
    arity: 1,
    doc: 'To another dtype. f32 to i32 truncates toward zero and saturates (NaN gives 0); to bool is x != 0; bool to numbers is 0 or 1.',
    infer: ([x], { dtype }) => result('cast', x.shape, dtype),
    flops: () => 0,
    evaluate: ([x], { dtype }, out) => {
      for (let i = 0; i < out.data.length; i++) {
        const value = x.data[i];
        out.data[i] = dtype === 'bool' ? (value !== 0 ? 1 : 0) : dtype === 'i32' ? toInteger(value) : value;
      }
    },
  },
  add: binary('add', 'The sum. i32 wraps around.', { f32: (x, y) => x + y, i32: (x, y) => (x + y) | 0 }),
  sub: binary('sub', 'The difference. i32 wraps around.', { f32: (x, y) => x - y, i32: (x, y) => (x - y) | 0 }),
  mul: binary('mul', 'The product. i32 wraps around.', { f32: (x, y) => x * y, i32: Math.imul }, undefined, (x, y, to) => {
    for (let i = 0; i < to.length; i++) to[i] = x[i] * y[i];
  }),
  div: binary('div', 'The quotient. i32: floor division; by zero gives 0.', {
    f32: (x, y) => x / y,
    i32: (x, y) => (y === 0 ? 0 : Math.floor(x / y) | 0),
  }),
  mod: binary('mod', 'Floor modulo of i32, with the sign of the divisor; by zero gives 0.', { i32: modulo }),
  pow: binary('pow', 'x to the power y.', { f32: Math.pow }),
  max: binary('max', 'The greater of two values.', { f32: Math.max, i32: Math.max }),
  min: binary('min', 'The lesser of two values.', { f32: Math.min, i32: Math.min }),
  equal: compare('equal', 'Whether two values are equal: bool.', (x, y) => x === y, ['f32', 'i32', 'bool']),
  less: compare('less', 'Whether x < y: bool.', (x, y) => x < y, ['f32', 'i32']),
  lessEqual: compare('lessEqual', 'Whether x <= y: bool.', (x, y) => x <= y, ['f32', 'i32']),
  and: binary('and', 'Logical conjunction.', { bool: (x, y) => x & y }),
  or: binary('or', 'Logical disjunction.', { bool: (x, y) => x | y }),
  where: {
    class: 'elementwise',
    arity: 3,
    doc: 'where(condition, a, b): a where the condition holds, else b.',
    infer: ([condition, a, b]) => {
      if (condition.dtype !== 'bool') return fail(`where: the condition is ${formatType(condition)}; it must be bool`);
      const wrong = dtypesDiffer('where', a, b) ?? shapesDiffer('where', a, b) ?? shapesDiffer('where', condition, a);
      return wrong ? fail(wrong) : result('where', a.shape, a.dtype);
    },
    flops: () => 0,
    evaluate: ([condition, a, b], _, out) => {
      for (let i = 0; i < out.data.length; i++) out.data[i] = condition.data[i] ? a.data[i] : b.data[i];
    },
  },
};
