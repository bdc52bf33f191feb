/** Movement and reduction rules of `simplify`, each under the law it states. */
import { sameShape, sizeOf } from '../graph.ts';
import type { NodeId, Shape } from '../graph.ts';
import type { Pending, Rule, RuleTable, Simplifier } from './simplifier.ts';

/** Joins of more pieces stay nested: lists that grow in a loop must not be copied at every turn. */
const MAX_PIECES = 64;

/** move(c) = c */
const ofConstant: Rule = (n, g) => {
  const c = g.splat(n.args[0]);
  return c === undefined || n.op === 'broadcast' ? undefined : g.fill(c, n, n.origin);
};

const withoutLeadingOnes = (shape: Shape): Shape => shape.slice(Math.max(0, shape.findIndex((d) => d !== 1)));

/** The axes longer than 1, in order. */
const longAxes = (order: readonly number[], shape: Shape): number[] => order.filter((axis) => shape[axis] !== 1);

/** For a slice of concat(pieces): the slice of the one piece it lies in. */
function sliceOfPiece(n: Pending<'slice'>, pieces: readonly NodeId[], axis: number, g: Simplifier): NodeId | undefined {
  const { start, size, step } = n.attrs;
  const last = start[axis] + (size[axis] - 1) * step[axis];
  let from = 0;
  for (const piece of pieces) {
    const to = from + g.node(piece).shape[axis];
    if (Math.min(start[axis], last) >= from && Math.max(start[axis], last) < to) {
      return g.emit('slice', [piece], { start: start.with(axis, start[axis] - from), size, step }, n.origin);
    }
    from = to;
  }
  return undefined;
}

/** Two slices of one tensor that lie side by side on an axis, as one; undefined where they do not. */
function joined(a: NodeId, b: NodeId, axis: number, n: Pending, g: Simplifier): NodeId | undefined {
  const [x, y] = [g.as(a, 'slice'), g.as(b, 'slice')];
  if (!x || !y || x.args[0] !== y.args[0] || x.attrs.step[axis] !== 1) return undefined;
  if (!sameShape(x.attrs.step, y.attrs.step)) return undefined;
  const fits = x.attrs.start.every((s, i) => (i === axis ? s + x.attrs.size[i] === y.attrs.start[i] : s === y.attrs.start[i] && x.attrs.size[i] === y.attrs.size[i]));
  return fits ? g.emit('slice', x.args, { ...x.attrs, size: x.attrs.size.with(axis, x.attrs.size[axis] + y.attrs.size[axis]) }, n.origin) : undefined;
}

/** Over axes of 1 nothing is reduced. */
const overOnes: Rule<'reduceSum' | 'reduceMax' | 'reduceMin'> = (n, g) => {
  const { shape } = g.node(n.args[0]);
  return n.attrs.axes.every((axis) => shape[axis] === 1) ? g.reshape(n.args[0], n.shape, n.origin) : undefined;
};

/** max(c) = c */
const extremeOfConstant: Rule<'reduceMax' | 'reduceMin'> = (n, g) => {
  const c = g.splat(n.args[0]);
  return c === undefined ? undefined : g.fill(c, n, n.origin);
};

export const MOVEMENT_RULES: RuleTable = {
  reshape: [
    (n, g) => (sameShape(n.shape, g.node(n.args[0]).shape) ? n.args[0] : undefined),
    ofConstant,
    // reshape(reshape x) = reshape x
    (n, g) => {
      const inner = g.as(n.args[0], 'reshape');
      return inner && g.reshape(inner.args[0], n.shape, n.origin);
    },
  ],
  transpose: [
    (n) => (n.attrs.permutation.every((axis, i) => axis === i) ? n.args[0] : undefined),
    ofConstant,
    // Moving only axes of 1 is a reshape.
    (n, g) => {
      const long = longAxes(n.attrs.permutation, g.node(n.args[0]).shape);
      return long.every((axis, i) => i === 0 || axis > long[i - 1]) ? g.reshape(n.args[0], n.shape, n.origin) : undefined;
    },
    // transpose(transpose x) = transpose x
    (n, g) => {
      const inner = g.as(n.args[0], 'transpose');
      return inner && g.emit('transpose', inner.args, { permutation: n.attrs.permutation.map((axis) => inner.attrs.permutation[axis]) }, n.origin);
    },
  ],
  broadcast: [
    (n, g) => (sameShape(n.shape, g.node(n.args[0]).shape) ? n.args[0] : undefined),
    // Repeating nothing is a reshape.
    (n, g) => (sizeOf(n.shape) === sizeOf(g.node(n.args[0]).shape) && g.splat(n.args[0]) === undefined ? g.reshape(n.args[0], n.shape, n.origin) : undefined),
    // broadcast(broadcast x) = broadcast x
    (n, g) => {
      const inner = g.as(n.args[0], 'broadcast');
      return inner && g.broadcast(inner.args[0], n.shape, n.origin);
    },
    // Broadcasting adds leading axes of 1 by itself.
    (n, g) => {
      const inner = g.as(n.args[0], 'reshape');
      if (!inner) return undefined;
      const source = g.node(inner.args[0]).shape;
      const fits = source.length <= n.shape.length && sameShape(withoutLeadingOnes(source), withoutLeadingOnes(inner.shape));
      return fits ? g.broadcast(inner.args[0], n.shape, n.origin) : undefined;
    },
  ],
  slice: [
    (n, g) => (sameShape(n.shape, g.node(n.args[0]).shape) && n.attrs.step.every((s, i) => s > 0 || n.shape[i] === 1) ? n.args[0] : undefined),
    ofConstant,
    // slice(slice x) = slice x
    (n, g) => {
      const inner = g.as(n.args[0], 'slice');
      if (!inner) return undefined;
      const start = n.attrs.start.map((s, i) => inner.attrs.start[i] + s * inner.attrs.step[i]);
      return g.emit('slice', inner.args, { start, size: n.attrs.size, step: n.attrs.step.map((s, i) => s * inner.attrs.step[i]) }, n.origin);
    },
    (n, g) => {
      const inner = g.as(n.args[0], 'concat');
      return inner && sliceOfPiece(n, inner.args, inner.attrs.axis, g);
    },
    // slice(pad x) = slice x where no padding is read
    (n, g) => {
      const inner = g.as(n.args[0], 'pad');
      if (!inner) return undefined;
      const { shape } = g.node(inner.args[0]);
      const start = n.attrs.start.map((s, i) => s - inner.attrs.padding[i].low);
      const last = start.map((s, i) => s + (n.attrs.size[i] - 1) * n.attrs.step[i]);
      const within = shape.every((extent, i) => Math.min(start[i], last[i]) >= 0 && Math.max(start[i], last[i]) < extent);
      return within ? g.emit('slice', inner.args, { ...n.attrs, start }, n.origin) : undefined;
    },
    // slice(broadcast x) = broadcast(slice x)
    (n, g) => {
      const inner = g.as(n.args[0], 'broadcast');
      if (!inner) return undefined;
      const { shape } = g.node(inner.args[0]);
      const added = inner.shape.length - shape.length;
      const own = (values: readonly number[], repeated: number): number[] => shape.map((extent, i) => (extent === 1 ? repeated : values[added + i]));
      const taken = g.emit('slice', inner.args, { start: own(n.attrs.start, 0), size: own(n.attrs.size, 1), step: own(n.attrs.step, 1) }, n.origin);
      return g.broadcast(taken, n.shape, n.origin);
    },
  ],
  concat: [
    (n) => (n.args.length === 1 ? n.args[0] : undefined),
    // concat(x, concat(y, z)) = concat(x, y, z)
    (n, g) => {
      const flat = n.args.flatMap((id) => {
        const inner = g.as(id, 'concat');
        return inner?.attrs.axis === n.attrs.axis ? inner.args : [id];
      });
      return flat.length > n.args.length && flat.length <= MAX_PIECES ? g.emit('concat', flat, n.attrs, n.origin) : undefined;
    },
    // concat(x[:i], x[i:j]) = x[:j]
    (n, g) => {
      const merged: NodeId[] = [];
      for (const id of n.args) {
        const whole = merged.length > 0 ? joined(merged[merged.length - 1], id, n.attrs.axis, n, g) : undefined;
        if (whole === undefined) merged.push(id);
        else merged[merged.length - 1] = whole;
      }
      return merged.length < n.args.length ? g.emit('concat', merged, n.attrs, n.origin) : undefined;
    },
    // concat(c, c) = c
    (n, g) => {
      const c = g.splat(n.args[0]);
      return c !== undefined && n.args.every((id) => g.splat(id) === c) ? g.fill(c, n, n.origin) : undefined;
    },
  ],
  pad: [
    (n) => (n.attrs.padding.every((p) => p.low === 0 && p.high === 0) ? n.args[0] : undefined),
    (n, g) => (g.splat(n.args[0]) === n.attrs.value ? g.fill(n.attrs.value, n, n.origin) : undefined),
    // pad(pad x) = pad x
    (n, g) => {
      const inner = g.as(n.args[0], 'pad');
      if (inner?.attrs.value !== n.attrs.value) return undefined;
      const padding = n.attrs.padding.map((p, i) => ({ low: p.low + inner.attrs.padding[i].low, high: p.high + inner.attrs.padding[i].high }));
      return g.emit('pad', inner.args, { padding, value: n.attrs.value }, n.origin);
    },
  ],
  gather: [
    // gather(x, iota) = x
    (n, g) => {
      const indices = g.as(n.args[1], 'iota');
      return indices && indices.attrs.n === g.node(n.args[0]).shape[n.attrs.axis] ? n.args[0] : undefined;
    },
  ],
  reduceSum: [
    overOnes,
    // sum of n times c = n * c
    (n, g) => {
      const c = g.splat(n.args[0]);
      const count = sizeOf(g.node(n.args[0]).shape) / sizeOf(n.shape);
      return c === undefined || n.dtype !== 'f32' ? undefined : g.fill(c * count, n, n.origin);
    },
  ],
  reduceMax: [overOnes, extremeOfConstant],
  reduceMin: [overOnes, extremeOfConstant],
};
