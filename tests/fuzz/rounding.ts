/**
 * How far rounded arithmetic may take a graph's values from their meaning: running error bounds (Higham, Accuracy and
 * Stability of Numerical Algorithms, section 3.3), propagated beside the values.
 *
 * Every operation adds its own error, in units of the arithmetic's roundoff, to what it makes of its arguments' errors.
 * Own errors are what WGSL (section 15.7.4) allows of a shader; a sum of n terms gets 8 sqrt(n) roundoffs of the sum of
 * magnitudes (Higham and Mary 2019: exceeded with probability below 1e-13), so that its order is free. Where rounding may
 * flip a comparison, a floor or an order, the bound covers both outcomes.
 */
import type { Graph, Node, NodeId } from '../../src/graph.ts';
import { sizeOf } from '../../src/graph.ts';
import { opDef } from '../../src/ops.ts';
import type { OpAttrs, OpName, Tensor } from '../../src/ops/types.ts';
import { evaluateGraph, type Bindings } from '../../src/reference/graph.ts';

export interface Arithmetic {
  /** Spacing of numbers near 1: 2^-23 for f32. */
  readonly unit: number;
  /** The greatest number: what is above it on the way becomes infinite. */
  readonly most: number;
  /** Relative and absolute error of a stored weight, and of a stored intermediate value. */
  readonly weights: { readonly relative: number; readonly absolute: number };
  readonly stored?: { readonly relative: number; readonly absolute: number; readonly most: number };
}

const F32_UNIT = 2 ** -23;
const HALF = { relative: 2 ** -11, absolute: 2 ** -25, most: 65504 };
/** Two halves, the lower one rounded in any direction. */
const PAIR = { relative: 2 ** -21, absolute: 2 ** -24 };
const SINGLE = { relative: 2 ** -24, absolute: 2 ** -149 };
const MOST_F32 = (2 - F32_UNIT) * 2 ** 127;

/** Shader arithmetic on f32, with f16 weights, or with all of it stored as f16. */
export const F32: Arithmetic = { unit: F32_UNIT, most: MOST_F32, weights: SINGLE };
export const F16_WEIGHTS: Arithmetic = { unit: F32_UNIT, most: MOST_F32, weights: HALF };
export const F16: Arithmetic = { unit: F32_UNIT, most: MOST_F32, weights: HALF, stored: HALF };
/** Two evaluations in double precision that take different ways to one value; some operations' errors are below their f32 allowance. */
export const F64: Arithmetic = { unit: 2 ** -50, most: Number.MAX_VALUE, weights: { relative: 2 ** -52, absolute: 0 } };

interface Bounded {
  readonly value: Tensor;
  /** An absolute bound for each element; Infinity where nothing is known. */
  readonly error: Float64Array;
}

/** Outputs with the bounds of their errors; `pairs` are nodes that are stored in pairs. */
export function boundErrors(graph: Graph, bindings: Bindings, arithmetic: Arithmetic, pairs?: ReadonlySet<NodeId>): Record<string, Bounded> {
  const known = new Map<number, Bounded>();
  const out: Record<string, Bounded> = {};
  // The evaluator may reuse a tensor's memory for nothing else, but frees it; all are small here, and kept.
  evaluateGraph(graph, bindings, {
    precision: 'f64',
    onNode: (node, value) => {
      const args = node.args.map((id) => known.get(id)!);
      const error = sanitize(errorOf(node, args, value, arithmetic));
      const { stored, most } = arithmetic;
      if (node.dtype === 'f32' && node.op !== 'input' && node.op !== 'constant') {
        for (let i = 0; i < error.length; i++) if (Math.abs(value.data[i]) + error[i] > most) error[i] = Infinity;
      }
      if (stored && node.dtype === 'f32' && node.op !== 'input') {
        for (let i = 0; i < error.length; i++) {
          const size = Math.abs(value.data[i]);
          error[i] = size + error[i] > stored.most ? Infinity : error[i] + stored.relative * (size + error[i]) + stored.absolute;
        }
      }
      if (pairs?.has(node.id)) for (let i = 0; i < error.length; i++) error[i] += PAIR.relative * (Math.abs(value.data[i]) + error[i]) + PAIR.absolute;
      known.set(node.id, { value, error });
    },
  });
  for (const { name, node } of graph.outputs) out[name] = known.get(node)!;
  return out;
}

/** What is infinite on the way gives NaN: nothing is known then. */
function sanitize(error: Float64Array): Float64Array {
  for (let i = 0; i < error.length; i++) if (Number.isNaN(error[i])) error[i] = Infinity;
  return error;
}

type Scalar = (x: number, e: number, y: number, u: number) => number;

/** The error of y = f(x) for x known within e. Own errors in units u. */
const UNARY: Partial<Record<OpName, Scalar>> = {
  neg: (_, e) => e,
  abs: (_, e) => e,
  exp: (x, e, y, u) => y * Math.expm1(Math.min(e, 700)) + (3 + 2 * Math.abs(x)) * u * y,
  log: (x, e, y, u) => (x > e ? -Math.log1p(-e / x) + Math.max(3 * Math.abs(y), 4) * u : e === 0 && x === 0 ? 0 : Infinity),
  sqrt: (x, e, y, u) => (x > e ? y - Math.sqrt(x - e) + 4 * u * y : e === 0 ? 0 : Infinity),
  rsqrt: (x, e, y, u) => (x > e ? 1 / Math.sqrt(x - e) - y + 4 * u * y : e === 0 ? 0 : Infinity),
  sin: (x, e, _, u) => Math.min(e, 2) + 4 * u * (1 + Math.abs(x) / 1024),
  cos: (x, e, _, u) => Math.min(e, 2) + 4 * u * (1 + Math.abs(x) / 1024),
  // The nearest place to 0 is where these are steepest.
  tanh: (x, e, _, u) => e * (1 - Math.tanh(Math.max(0, Math.abs(x) - e)) ** 2) + 84 * u,
  erf: (x, e, y, u) => 1.13 * e * Math.exp(-(Math.max(0, Math.abs(x) - e) ** 2)) + 4 * u * (1 + Math.abs(y)),
  sigmoid: (x, e, y, u) => {
    const near = 1 / (1 + Math.exp(Math.max(0, Math.abs(x) - e)));
    return e * near * (1 - near) + (8 + 2 * Math.min(Math.abs(x), 88)) * u * y + 2 ** -126;
  },
  floor: (x, e) => Math.floor(x + e) - Math.floor(x - e),
  not: (_, e) => e,
};

type Pair = (x: number, ex: number, y: number, ey: number, z: number, u: number) => number;
const flips: Pair = (x, ex, y, ey) => (ex + ey > 0 && Math.abs(x - y) <= ex + ey ? 1 : 0);

const BINARY: Partial<Record<OpName, Pair>> = {
  add: (x, ex, y, ey, _, u) => ex + ey + u * (Math.abs(x) + Math.abs(y)),
  sub: (x, ex, y, ey, _, u) => ex + ey + u * (Math.abs(x) + Math.abs(y)),
  mul: (x, ex, y, ey, z, u) => Math.abs(x) * ey + Math.abs(y) * ex + ex * ey + u * Math.abs(z),
  div: (_, ex, y, ey, z, u) => (Math.abs(y) > ey ? (ex + Math.abs(z) * ey) / (Math.abs(y) - ey) + 3 * u * Math.abs(z) : ex + ey === 0 ? 0 : Infinity),
  pow: powerError,
  // Where one is surely the greater, the other's error does not matter.
  max: (x, ex, y, ey) => (x - y > ex + ey ? ex : y - x > ex + ey ? ey : Math.max(ex, ey)),
  min: (x, ex, y, ey) => (y - x > ex + ey ? ex : x - y > ex + ey ? ey : Math.max(ex, ey)),
  equal: flips,
  less: flips,
  lessEqual: flips,
  // Certain where one side alone decides.
  and: (x, ex, y, ey) => ((ex === 0 && x === 0) || (ey === 0 && y === 0) ? 0 : Math.max(ex, ey)),
  or: (x, ex, y, ey) => ((ex === 0 && x !== 0) || (ey === 0 && y !== 0) ? 0 : Math.max(ex, ey)),
};

function powerError(x: number, ex: number, y: number, ey: number, z: number, u: number): number {
  const size = Math.abs(x);
  if (ex >= size && ex > 0) return ey === 0 && Number.isInteger(y) && y >= 0 ? (size + ex) ** y + Math.abs(z) : Infinity;
  if (size === 0) return ey === 0 ? 0 : Infinity;
  const logarithm = Math.abs(Math.log2(size));
  const own = (3 + 2 * Math.abs(y) * logarithm + Math.abs(y) * Math.max(3 * logarithm, 4)) * u;
  return Math.abs(z) * Math.expm1(Math.min(700, (Math.abs(y) * ex) / (size - ex) + ey * Math.abs(Math.log(size)) + own));
}

/** Integers are exact or anything: they wrap around, and divide to anything. */
const INTEGER: Partial<Record<OpName, Pair>> = {
  max: (_, ex, __, ey) => Math.max(ex, ey),
  min: (_, ex, __, ey) => Math.max(ex, ey),
  equal: flips,
  less: flips,
  lessEqual: flips,
  add: (_, ex, __, ey, z) => (ex + ey > 0 && Math.abs(z) + ex + ey >= 2 ** 31 ? Infinity : ex + ey),
  sub: (_, ex, __, ey, z) => (ex + ey > 0 && Math.abs(z) + ex + ey >= 2 ** 31 ? Infinity : ex + ey),
};

function errorOf(node: Node, args: readonly Bounded[], { data }: Tensor, { unit: u, weights }: Arithmetic): Float64Array {
  const out = new Float64Array(data.length);
  const [a, b] = args;
  const unary = UNARY[node.op];
  if (unary) {
    for (let i = 0; i < out.length; i++) out[i] = unary(a.value.data[i], a.error[i], data[i], u);
    return out;
  }
  const f32 = args.length > 0 && a.value.dtype === 'f32';
  const binary = f32 || a?.value.dtype === 'bool' ? BINARY[node.op] : (INTEGER[node.op] ?? (BINARY[node.op] && uncertain));
  if (binary) {
    for (let i = 0; i < out.length; i++) out[i] = binary(a.value.data[i], a.error[i], b.value.data[i], b.error[i], data[i], u);
    return out;
  }
  switch (node.op) {
    case 'input':
    case 'iota':
      return out;
    case 'param':
      return out.map((_, i) => weights.relative * Math.abs(data[i]) + weights.absolute);
    case 'constant':
      return out.fill(node.dtype === 'f32' && Number.isFinite(data[0]) ? Math.abs(data[0] - Math.fround(data[0])) : 0);
    case 'cast':
      return out.map((_, i) => castError(a, i, node.dtype, u));
    case 'mod':
      return out.map((_, i) => uncertain(0, a.error[i], 0, b.error[i], 0, u));
    case 'where':
      return whereError(args);
    case 'reshape':
      return out.map((_, i) => a.error[i]);
    case 'transpose':
    case 'broadcast':
    case 'slice':
    case 'concat':
      return apply(node, args);
    case 'pad':
      return apply({ ...node, attrs: { ...node.attrs, value: 0 } }, args);
    case 'gather':
      return gatherError(node.attrs, a, b, node.shape);
    case 'reduceMax':
    case 'reduceMin':
      return apply({ ...node, op: 'reduceMax' } as Node, args);
    case 'pool':
      if (node.attrs.kind === 'max') return apply(node, args);
      return sumError(node, args, sizeOf(node.attrs.window), u);
    case 'reduceSum':
      return f32 ? sumError(node, args, sizeOf(node.attrs.axes.map((x) => a.value.shape[x])), u) : apply(node, args);
    case 'conv':
      return sumError(node, args, sizeOf(b.value.shape.slice(1)), u);
    case 'einsum':
      return sumError(node, args, termsOf(node.attrs, args), u);
    case 'argsort':
      return orderError(a);
    default:
      throw new Error(`no error bound is known of ${node.op}`);
  }
}

const uncertain: Pair = (_, ex, __, ey) => (ex + ey > 0 ? Infinity : 0);

/** The operation on other f32 values of the arguments' shapes. */
function apply(node: Node, args: readonly Bounded[], values = args.map((x) => x.error)): Float64Array {
  const data = new Float64Array(sizeOf(node.shape));
  const tensors = values.map((v, i): Tensor => ({ shape: args[i].value.shape, dtype: 'f32', data: v }));
  opDef(node.op).evaluate(tensors, node.attrs as never, { shape: node.shape, dtype: 'f32', data });
  return data;
}

/** What is linear in each argument: F(|x| + e) - F(|x|), and the rounding of its sums. */
function sumError(node: Node, args: readonly Bounded[], terms: number, u: number): Float64Array {
  const sizes = args.map(({ value }) => Float64Array.from(value.data, Math.abs));
  const exact = apply(node, args, sizes);
  const most = apply(node, args, sizes.map((s, k) => s.map((x, i) => x + args[k].error[i])));
  const own = (8 * Math.sqrt(terms) + 1) * u;
  return most.map((m, i) => m - exact[i] + own * exact[i]);
}

/** Terms of each sum: places of the labels that vanish. */
function termsOf({ left, right, out }: OpAttrs['einsum'], [a, b]: readonly Bounded[]): number {
  const extents = new Map([...left.map((l, i) => [l, a.value.shape[i]] as const), ...right.map((l, i) => [l, b.value.shape[i]] as const)]);
  for (const label of out) extents.delete(label);
  return sizeOf([...extents.values()]);
}

function castError({ value, error }: Bounded, i: number, dtype: Tensor['dtype'], u: number): number {
  const x = value.data[i];
  const e = error[i];
  if (dtype === 'bool') return value.dtype === 'f32' ? (e > 0 && Math.abs(x) <= e ? 1 : 0) : e > 0 ? 1 : 0;
  if (value.dtype === 'f32' && dtype === 'i32') {
    // What saturates is not the same number as f32 and as i32.
    if (Math.abs(x) + e >= 2 ** 31 - 256) return 256 + e;
    return Math.max(Math.trunc(x + e) - Math.trunc(x), Math.trunc(x) - Math.trunc(x - e));
  }
  return dtype === 'f32' && Math.abs(x) > 2 ** 24 ? e + u * Math.abs(x) : e;
}

function whereError([condition, a, b]: readonly Bounded[]): Float64Array {
  return condition.error.map((e, i) => {
    const chosen = condition.value.data[i] ? a.error[i] : b.error[i];
    return e > 0 ? Math.abs(a.value.data[i] - b.value.data[i]) + Math.max(a.error[i], b.error[i]) : chosen;
  });
}

/** An index that is not certain may take any place near it. */
function gatherError({ axis, batch }: OpAttrs['gather'], x: Bounded, indices: Bounded, shape: readonly number[]): Float64Array {
  const { shape: own, data } = x.value;
  const out = new Float64Array(sizeOf(shape));
  const batches = sizeOf(own.slice(0, batch));
  const between = sizeOf(own.slice(batch, axis));
  const extent = own[axis];
  const inner = sizeOf(own.slice(axis + 1));
  const count = sizeOf(indices.value.shape.slice(batch));
  const inside = (i: number): number => Math.min(Math.max(i, 0), extent - 1);
  let at = 0;
  for (let b = 0; b < batches; b++) {
    for (let m = 0; m < between; m++) {
      for (let q = 0; q < count; q++) {
        const index = indices.value.data[b * count + q];
        const reach = indices.error[b * count + q];
        for (let r = 0; r < inner; r++) {
          const place = (i: number): number => ((b * between + m) * extent + i) * inner + r;
          const here = place(inside(index));
          let worst = x.error[here];
          if (reach > 0) for (let i = inside(index - reach); i <= inside(index + reach); i++) worst = Math.max(worst, Math.abs(data[place(i)] - data[here]) + x.error[place(i)]);
          out[at++] = worst;
        }
      }
    }
  }
  return out;
}

/** Values that may change places make every position between them uncertain; what may be no number may take no place, or several. */
function orderError({ value, error }: Bounded): Float64Array {
  const n = value.shape[value.shape.length - 1];
  const out = new Float64Array(value.data.length);
  for (let base = 0; base < out.length; base += n) {
    if (error.subarray(base, base + n).includes(Infinity)) {
      out.fill(Infinity, base, base + n);
      continue;
    }
    const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => value.data[base + i] - value.data[base + j] || i - j);
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        const [p, q] = [base + order[i], base + order[j]];
        const reach = error[p] + error[q];
        if (!(reach > 0 && value.data[q] - value.data[p] <= reach)) continue;
        for (let k = i; k <= j; k++) {
          // Ascending or descending: equal ranks from either end.
          out[base + k] = n;
          out[base + n - 1 - k] = n;
        }
      }
    }
  }
  return out;
}

export interface Comparison {
  /** The greatest difference in units of its bound; above 1 is wrong. */
  readonly worst: number;
  /** Of the elements, the share that could be compared: whose bound is below a hundredth of the greatest magnitude. */
  readonly compared: number;
  /** Where the worst lies: `out0[17] is 1.5, 1.25 is wanted, within 1e-6`. */
  readonly at?: string;
}

/** Allowed beside the bound, whatever the values: results below the normal numbers may be flushed to zero. */
const TINY = 2 ** -126;

export function compareBounded(name: string, got: Tensor, want: Tensor, error: Float64Array): Comparison {
  if (got.data.length !== want.data.length) return { worst: Infinity, compared: 0, at: `${name} has ${got.data.length} values for ${want.data.length}` };
  let scale = 0;
  for (const w of want.data) if (Number.isFinite(w)) scale = Math.max(scale, Math.abs(w));
  let worst = 0;
  let compared = 0;
  let at: string | undefined;
  for (let i = 0; i < error.length; i++) {
    const [g, w, e] = [got.data[i], want.data[i], error[i]];
    if (e <= scale / 100 || (want.dtype !== 'f32' && e === 0)) compared++;
    if (e === Infinity || Object.is(g, w) || g === w || (Number.isNaN(g) && Number.isNaN(w))) continue;
    const difference = Math.abs(g - w) / (e + TINY);
    const ratio = Number.isNaN(difference) ? Infinity : difference;
    if (ratio > worst) {
      worst = ratio;
      at = `${name}[${i}] is ${g}, ${w} is wanted, within ${e.toExponential(2)}`;
    }
  }
  return { worst, compared: compared / Math.max(1, error.length), ...(at !== undefined && { at }) };
}
