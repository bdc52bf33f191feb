/**
 * Arithmetic rules of `simplify`, each under the algebra it states; c, d are constants, x, y any values.
 * A rule may make f32 results more exact, never less: x / c is a product only where 1 / c is exact, because floor(x / c) must not change.
 */
import { sizeOf } from '../graph.ts';
import type { NodeId } from '../graph.ts';
import { OP_NAMES, OPS, opDef } from '../ops.ts';
import type { OpName, Tensor, TensorData } from '../ops/types.ts';
import type { Pending, Rule, RuleTable, Simplifier } from './simplifier.ts';

const ELEMENTWISE = OP_NAMES.filter((op) => OPS[op].class === 'elementwise');

/** f(c, d) is a constant. */
const foldConstants: Rule = (n, g) => {
  const values = n.args.map((id) => g.splat(id));
  if (values.includes(undefined)) return undefined;
  const args = n.args.map((id, i): Tensor => ({ shape: [], dtype: g.dtypeOf(id), data: store(g.dtypeOf(id), values[i]!) }));
  const out: Tensor = { shape: [], dtype: n.dtype, data: store(n.dtype, 0) };
  opDef(n.op).evaluate(args, n.attrs as never, out);
  const [value] = out.data;
  return Number.isNaN(value) ? undefined : g.fill(value, n, n.origin);
};

function store(dtype: string, value: number): TensorData {
  return dtype === 'f32' ? Float64Array.of(value) : Int32Array.of(value);
}

/** f(broadcast x, broadcast y) = broadcast f(x, y) for x and y of one shape. */
const broadcastLast: Rule = (n, g) => {
  const varying = n.args.filter((id) => g.splat(id) === undefined);
  const sources = varying.map((id) => g.as(id, 'broadcast')?.args[0]);
  if (sources.length === 0 || sources.includes(undefined)) return undefined;
  const shapes = sources.map((id) => g.node(id!).shape);
  if (shapes.some((s) => s.join() !== shapes[0].join()) || sizeOf(shapes[0]) === sizeOf(n.shape)) return undefined;
  const args = n.args.map((id) => {
    const value = g.splat(id);
    return value === undefined ? g.as(id, 'broadcast')!.args[0] : g.fill(value, { shape: shapes[0], dtype: g.dtypeOf(id) }, n.origin);
  });
  return g.broadcast(g.emit(n.op, args, n.attrs, n.origin), n.shape, n.origin);
};

/** f(c, x) = f(x, c) for commutative f: later rules look for constants on the right. */
const constantRight: Rule = (n, g) => {
  const [x, y] = n.args;
  return g.splat(x) !== undefined && g.splat(y) === undefined ? g.emit(n.op, [y, x], n.attrs, n.origin) : undefined;
};

/** f(x, c) = x */
const neutral = (c: number): Rule => (n, g) => (g.splat(n.args[1]) === c ? n.args[0] : undefined);

/** f(x, c) = d */
const absorbing = (c: number, d = c): Rule => (n, g) => (g.splat(n.args[1]) === c ? g.fill(d, n, n.origin) : undefined);

/** f(x, x) = x */
const idempotent: Rule = (n) => (n.args[0] === n.args[1] ? n.args[0] : undefined);

/** Zero, or a value that f32 holds to full precision. */
function isNormal(c: number): boolean {
  return c === 0 || (Math.abs(c) >= 2 ** -126 && Math.abs(c) < 2 ** 128);
}

/** f(f(x, c), d) = f(x, f(c, d)): f32 sums and products round once instead of twice; integers wrap the same. */
const associate: Rule = (n, g) => {
  const [inner, d] = n.args;
  const node = g.node(inner);
  if (node.op !== n.op || g.splat(d) === undefined || g.splat(node.args[1]) === undefined) return undefined;
  const folded = g.emit(n.op, [node.args[1], d], n.attrs, n.origin);
  const value = g.splat(folded);
  return value === undefined || !isNormal(value) ? undefined : g.emit(n.op, [node.args[0], folded], n.attrs, n.origin);
};

/** f(f(x)) = x */
const involution: Rule = (n, g) => {
  const inner = g.node(n.args[0]);
  return inner.op === n.op ? inner.args[0] : undefined;
};

const isF32 = (n: Pending): boolean => n.dtype === 'f32';

/** Whether 1 / c is exact and both are normal f32: powers of two. */
function hasExactReciprocal(c: number): boolean {
  const exponent = Math.round(Math.log2(Math.abs(c)));
  return Math.abs(c) === 2 ** exponent && Math.abs(exponent) <= 126;
}

/** x ** n by squaring; at most 8, so that it stays shorter than the function. */
function power(x: NodeId, exponent: number, n: Pending, g: Simplifier): NodeId {
  if (exponent === 1) return x;
  const half = power(x, Math.floor(exponent / 2), n, g);
  const square = g.emit('mul', [half, half], {}, n.origin);
  return exponent % 2 === 0 ? square : g.emit('mul', [square, x], {}, n.origin);
}

const SPECIFIC: RuleTable = {
  neg: [
    involution,
    // -(x * c) = x * -c
    (n, g) => {
      const product = g.as(n.args[0], 'mul');
      const c = product && g.splat(product.args[1]);
      return isF32(n) && c !== undefined ? g.emit('mul', [product!.args[0], g.fill(-c, n, n.origin)], {}, n.origin) : undefined;
    },
    // -(x - y) = y - x
    (n, g) => {
      const difference = g.as(n.args[0], 'sub');
      return difference && g.emit('sub', [difference.args[1], difference.args[0]], {}, n.origin);
    },
  ],
  not: [involution],
  abs: [
    // abs(abs x) = abs x
    (n, g) => g.as(n.args[0], 'abs')?.id,
    // abs(-x) = abs x
    (n, g) => {
      const negated = g.as(n.args[0], 'neg');
      return negated && g.emit('abs', negated.args, {}, n.origin);
    },
  ],
  floor: [
    // floor(floor x) = floor x
    (n, g) => g.as(n.args[0], 'floor')?.id,
  ],
  cast: [
    (n, g) => (g.dtypeOf(n.args[0]) === n.dtype ? n.args[0] : undefined),
    // A bool survives any dtype between.
    (n, g) => {
      const inner = g.as(n.args[0], 'cast');
      return inner && g.dtypeOf(inner.args[0]) === 'bool' ? g.emit('cast', inner.args, { dtype: n.dtype }, n.origin) : undefined;
    },
  ],
  add: [
    constantRight,
    neutral(0),
    associate,
    // x + -y = x - y, -x + y = y - x
    (n, g) => {
      const [x, y] = n.args;
      const [minusX, minusY] = [g.as(x, 'neg'), g.as(y, 'neg')];
      if (minusY) return g.emit('sub', [x, minusY.args[0]], {}, n.origin);
      return minusX && g.emit('sub', [y, minusX.args[0]], {}, n.origin);
    },
  ],
  sub: [
    neutral(0),
    // x - c = x + -c
    (n, g) => {
      const c = g.splat(n.args[1]);
      return c !== undefined && isF32(n) ? g.emit('add', [n.args[0], g.fill(-c, n, n.origin)], {}, n.origin) : undefined;
    },
    // 0 - x = -x
    (n, g) => (g.splat(n.args[0]) === 0 ? g.emit('neg', [n.args[1]], {}, n.origin) : undefined),
    // x - -y = x + y
    (n, g) => {
      const negated = g.as(n.args[1], 'neg');
      return negated && g.emit('add', [n.args[0], negated.args[0]], {}, n.origin);
    },
  ],
  mul: [
    constantRight,
    neutral(1),
    // x * 0 = 0, which for f32 holds not for infinities
    (n, g) => (isF32(n) ? undefined : absorbing(0)(n, g)),
    // x * -1 = -x
    (n, g) => (g.splat(n.args[1]) === -1 ? g.emit('neg', [n.args[0]], {}, n.origin) : undefined),
    associate,
    // -x * c = x * -c
    (n, g) => {
      const negated = g.as(n.args[0], 'neg');
      const c = g.splat(n.args[1]);
      return isF32(n) && negated && c !== undefined ? g.emit('mul', [negated.args[0], g.fill(-c, n, n.origin)], {}, n.origin) : undefined;
    },
  ],
  div: [
    neutral(1),
    // x / c = x * (1 / c) for powers of two
    (n, g) => {
      const c = g.splat(n.args[1]);
      return isF32(n) && c !== undefined && hasExactReciprocal(c) ? g.emit('mul', [n.args[0], g.fill(1 / c, n, n.origin)], {}, n.origin) : undefined;
    },
    // x / sqrt y = x * rsqrt y
    (n, g) => {
      const root = g.as(n.args[1], 'sqrt');
      return root && g.emit('mul', [n.args[0], g.emit('rsqrt', root.args, {}, n.origin)], {}, n.origin);
    },
  ],
  mod: [absorbing(1, 0)],
  pow: [
    neutral(1),
    // Whole powers are products, which negative x needs: shaders define pow for x >= 0 only.
    (n, g) => {
      const c = g.splat(n.args[1]);
      return c !== undefined && Number.isInteger(c) && c >= 2 && c <= 8 ? power(n.args[0], c, n, g) : undefined;
    },
    (n, g) => (g.splat(n.args[1]) === 0.5 ? g.emit('sqrt', [n.args[0]], {}, n.origin) : undefined),
    (n, g) => (g.splat(n.args[1]) === -0.5 ? g.emit('rsqrt', [n.args[0]], {}, n.origin) : undefined),
    (n, g) => (g.splat(n.args[1]) === -1 ? g.emit('div', [g.fill(1, n, n.origin), n.args[0]], {}, n.origin) : undefined),
  ],
  max: [constantRight, neutral(-Infinity), idempotent, associate],
  min: [constantRight, neutral(Infinity), idempotent, associate],
  equal: [constantRight],
  and: [constantRight, neutral(1), absorbing(0), idempotent],
  or: [constantRight, neutral(0), absorbing(1), idempotent],
  where: [
    // where(c, x, y) is x or y
    (n, g) => {
      const c = g.splat(n.args[0]);
      return c === undefined ? undefined : n.args[c ? 1 : 2];
    },
    // where(_, x, x) = x
    (n) => (n.args[1] === n.args[2] ? n.args[1] : undefined),
    // where(not c, x, y) = where(c, y, x)
    (n, g) => {
      const negated = g.as(n.args[0], 'not');
      return negated && g.emit('where', [negated.args[0], n.args[2], n.args[1]], {}, n.origin);
    },
  ],
};

const GENERAL: RuleTable = Object.fromEntries(ELEMENTWISE.map((op: OpName) => [op, [foldConstants, broadcastLast]]));

export const ARITHMETIC_RULES: readonly RuleTable[] = [GENERAL, SPECIFIC];
