/** Attention of every kind of score: plain, with a bias, masked by places or by data. */
import type { Graph, NodeId } from '../../src/graph.ts';
import { Sketch } from './patterns.ts';

export function graphOf(build: (s: Sketch) => NodeId): Graph {
  const s = new Sketch();
  return s.graph(build(s));
}

export interface AttentionShape {
  readonly rows: number;
  readonly keys: number;
  readonly depth: number;
  readonly values: number;
  /** Operands are [b, d, n] rather than [b, n, d]. */
  readonly channels?: boolean;
  /** What is done with the scores, [2, rows, keys]. */
  readonly mask?: (s: Sketch, scores: NodeId, shape: AttentionShape) => NodeId;
}

/** softmax(f(q k^T)) v */
export function attention(shape: AttentionShape): Graph {
  const { rows, keys, depth, values, channels = false, mask } = shape;
  return graphOf((s) => {
    const order = (n: number, d: number): number[] => (channels ? [2, d, n] : [2, n, d]);
    const [q, k, v] = [s.input('q', order(rows, depth)), s.input('k', order(keys, depth)), s.input('v', order(keys, values))];
    const products = s.einsum(channels ? 'b e i, b e j -> b i j' : 'b i e, b j e -> b i j', q, k);
    const scaled = s.by('mul', products, depth ** -0.5);
    const scores = mask ? mask(s, scaled, shape) : scaled;
    return s.einsum(channels ? 'b i j, b d j -> b d i' : 'b i j, b j d -> b i d', s.softmax(scores), v);
  });
}

const counts = (s: Sketch, { rows, keys }: AttentionShape, axis: 0 | 1): NodeId =>
  s.like(s.reshape(s.op('iota', [], { n: axis === 0 ? rows : keys }), axis === 0 ? [1, rows, 1] : [1, 1, keys]), [2, rows, keys]);
export const bias: AttentionShape['mask'] = (s, scores, { rows, keys }) => s.binary('add', scores, s.param([rows, keys]));
export const causal: AttentionShape['mask'] = (s, scores, shape) => s.op('where', [s.op('lessEqual', [counts(s, shape, 1), counts(s, shape, 0)], {}), scores, s.number(-Infinity, [2, shape.rows, shape.keys])], {});
/** The last two keys are masked: for some keys of a vector that may be decided before any runs. */
export const ended: AttentionShape['mask'] = (s, scores, shape) => s.op('where', [s.op('less', [counts(s, shape, 1), s.like(s.op('constant', [], { value: shape.keys - 2, dtype: 'i32' }), [2, shape.rows, shape.keys])], {}), scores, s.number(-1e30, [2, shape.rows, shape.keys])], {});
/** Some rows have every key masked: their weights are equal. */
export const masked: AttentionShape['mask'] = (s, scores, shape) => s.op('where', [s.op('less', [counts(s, shape, 0), s.like(s.op('constant', [], { value: 3, dtype: 'i32' }), [2, shape.rows, shape.keys])], {}), scores, s.number(-3.4028234663852886e38, [2, shape.rows, shape.keys])], {});
export const data: AttentionShape['mask'] = (s, scores, { rows, keys }) => s.binary('add', scores, s.by('mul', s.like(s.reshape(s.input('mask', [2, keys]), [2, 1, keys]), [2, rows, keys]), 1e30));
