/** Graphs of typical patterns, built by hand, for tests of the levels below the language. */
import type { Graph, NodeId, Origin } from '../../src/graph.ts';
import { sizeOf, type Shape } from '../../src/graph.ts';
import { GraphBuilder } from '../../src/graph-builder.ts';
import type { OpAttrs, OpName, Tensor } from '../../src/ops/types.ts';

const ORIGIN: Origin = { scope: '', block: 'Test' };

export class Sketch {
  readonly builder = new GraphBuilder();
  #params = 0;

  op<K extends OpName>(op: K, args: readonly NodeId[], attrs: OpAttrs[K]): NodeId {
    return this.builder.push(op, args, attrs, ORIGIN);
  }

  shape(x: NodeId): Shape {
    return this.builder.type(x).shape;
  }

  input(name: string, shape: Shape): NodeId {
    return this.op('input', [], { name, shape, dtype: 'f32' });
  }

  param(shape: Shape, name = `w${this.#params++}`): NodeId {
    return this.op('param', [], { name, shape, dtype: 'f32', buffer: false });
  }

  number(value: number, shape: Shape = []): NodeId {
    const c = this.op('constant', [], { value, dtype: 'f32' });
    return shape.length > 0 ? this.op('broadcast', [c], { shape }) : c;
  }

  like(x: NodeId, shape: Shape): NodeId {
    return this.shape(x).join() === shape.join() ? x : this.op('broadcast', [x], { shape });
  }

  binary(op: 'add' | 'sub' | 'mul' | 'div' | 'max' | 'min', a: NodeId, b: NodeId): NodeId {
    return this.op(op, [a, this.like(b, this.shape(a))], {});
  }

  /** With a number. */
  by(op: 'add' | 'sub' | 'mul' | 'div' | 'max' | 'min', a: NodeId, value: number): NodeId {
    return this.op(op, [a, this.number(value, this.shape(a))], {});
  }

  unary(op: 'exp' | 'erf' | 'rsqrt' | 'sigmoid' | 'tanh' | 'neg', x: NodeId): NodeId {
    return this.op(op, [x], {});
  }

  reshape(x: NodeId, shape: Shape): NodeId {
    return this.op('reshape', [x], { shape });
  }

  transpose(x: NodeId, permutation: readonly number[]): NodeId {
    return this.op('transpose', [x], { permutation });
  }

  slice(x: NodeId, axis: number, start: number, size: number): NodeId {
    const shape = this.shape(x);
    return this.op('slice', [x], { start: shape.map((_, i) => (i === axis ? start : 0)), size: shape.with(axis, size), step: shape.map(() => 1) });
  }

  split(x: NodeId, axis: number, sizes: readonly number[]): NodeId[] {
    let start = 0;
    return sizes.map((size) => this.slice(x, axis, (start += size) - size, size));
  }

  concat(parts: readonly NodeId[], axis: number): NodeId {
    return this.op('concat', parts, { axis });
  }

  /** Over the last axis, which stays as 1. */
  reduce(op: 'reduceSum' | 'reduceMax', x: NodeId): NodeId {
    const shape = this.shape(x);
    return this.reshape(this.op(op, [x], { axes: [shape.length - 1] }), [...shape.slice(0, -1), 1]);
  }

  einsum(text: string, a: NodeId, b: NodeId): NodeId {
    const [left, right, out] = text.split(/,|->/).map((s) => s.trim().split(' ').filter(Boolean));
    return this.op('einsum', [a, b], { left, right, out });
  }

  /** x [B, N, D] times a weight [out, D], with bias. */
  linear(x: NodeId, out: number): NodeId {
    const depth = this.shape(x).at(-1)!;
    return this.binary('add', this.einsum('b n d, o d -> b n o', x, this.param([out, depth])), this.param([out]));
  }

  gelu(x: NodeId): NodeId {
    return this.binary('mul', this.by('mul', x, 0.5), this.by('add', this.unary('erf', this.by('mul', x, Math.SQRT1_2)), 1));
  }

  relu(x: NodeId): NodeId {
    return this.by('max', x, 0);
  }

  silu(x: NodeId): NodeId {
    return this.binary('mul', x, this.unary('sigmoid', x));
  }

  softmax(x: NodeId): NodeId {
    const e = this.unary('exp', this.binary('sub', x, this.reduce('reduceMax', x)));
    return this.binary('div', e, this.reduce('reduceSum', e));
  }

  layerNorm(x: NodeId): NodeId {
    const depth = this.shape(x).at(-1)!;
    const centred = this.binary('sub', x, this.by('div', this.reduce('reduceSum', x), depth));
    const variance = this.by('div', this.reduce('reduceSum', this.binary('mul', centred, centred)), depth);
    const scaled = this.binary('mul', centred, this.unary('rsqrt', this.by('add', variance, 1e-6)));
    return this.binary('add', this.binary('mul', scaled, this.param([depth])), this.param([depth]));
  }

  conv(x: NodeId, out: number, window: number, { stride = 1, padding = 0, groups = 1, dilation = 1 } = {}): NodeId {
    const channels = this.shape(x)[1];
    const axes = this.shape(x).slice(2);
    const w = this.param([out, channels / groups, ...axes.map(() => window)]);
    const attrs = { stride: axes.map(() => stride), padding: axes.map(() => ({ low: padding, high: padding })), dilation: axes.map(() => dilation), groups };
    const y = this.op('conv', [x, w], attrs);
    return this.binary('add', y, this.reshape(this.param([out]), [out, ...axes.map(() => 1)]));
  }

  /** Multi-head self-attention over x [B, N, D]; a bias of the scores may be given. */
  attention(x: NodeId, heads: number, bias?: NodeId): NodeId {
    const [b, n, d] = this.shape(x);
    const qkv = this.reshape(this.linear(x, 3 * d), [b, n, 3, heads, d / heads]);
    const parts = this.transpose(qkv, [2, 0, 3, 1, 4]);
    const [q, k, v] = [0, 1, 2].map((i) => this.reshape(this.slice(parts, 0, i, 1), [b, heads, n, d / heads]));
    let scores = this.by('mul', this.einsum('b h i e, b h j e -> b h i j', q, k), (d / heads) ** -0.5);
    if (bias !== undefined) scores = this.binary('add', scores, bias);
    const mixed = this.einsum('b h i j, b h j e -> b h i e', this.softmax(scores), v);
    return this.linear(this.reshape(this.transpose(mixed, [0, 2, 1, 3]), [b, n, d]), d);
  }

  /** Channel-first attention of [B, C, H, W], of whose channels the first and second `key` are queries and keys; a depthwise convolution on the queries. */
  convolvedQueries(x: NodeId, key: number, window: number): NodeId {
    const [b, c, h, w] = this.shape(x);
    const [q, k, v] = this.split(x, 1, [key, key, c - 2 * key]);
    const flat = (y: NodeId): NodeId => this.reshape(y, [b, this.shape(y)[1], h * w]);
    const scores = this.einsum('b e i, b e j -> b i j', flat(this.conv(q, key, window, { padding: (window - 1) / 2, groups: key })), flat(k));
    return this.einsum('b i j, b d j -> b d i', this.softmax(this.by('mul', scores, key ** -0.5)), flat(v));
  }

  /** [B, H, W, C] in windows: [B * H/w * W/w, w * w, C]. */
  windows(x: NodeId, w: number): NodeId {
    const [b, h, width, c] = this.shape(x);
    const parts = this.transpose(this.reshape(x, [b, h / w, w, width / w, w, c]), [0, 1, 3, 2, 4, 5]);
    return this.reshape(parts, [(b * h * width) / (w * w), w * w, c]);
  }

  unwindows(x: NodeId, w: number, [b, h, width, c]: Shape): NodeId {
    return this.reshape(this.transpose(this.reshape(x, [b, h / w, width / w, w, w, c]), [0, 1, 3, 2, 4, 5]), [b, h, width, c]);
  }

  /** The graph with every input, and these outputs named y0, y1, ... */
  graph(...outputs: readonly NodeId[]): Graph {
    const parts = this.builder.finish({ name: 'test', inputs: [], outputs: outputs.map((node, i) => ({ name: `y${i}`, node, attributes: [] })), weightRules: [] });
    return { ...parts, inputs: parts.nodes.flatMap((n) => (n.op === 'input' ? [{ name: n.attrs.name, node: n.id }] : [])) };
  }
}

export const PATTERNS: Readonly<Record<string, (s: Sketch) => NodeId[]>> = {
  softmax: (s) => [s.softmax(s.input('x', [2, 3, 5, 7]))],
  layerNorm: (s) => [s.layerNorm(s.input('x', [2, 5, 12]))],
  residualNorm: (s) => {
    const sum = s.binary('add', s.input('x', [2, 5, 12]), s.input('y', [2, 5, 12]));
    return [s.linear(s.layerNorm(sum), 6), sum];
  },
  linearGelu: (s) => [s.gelu(s.linear(s.input('x', [2, 5, 12]), 8))],
  mlpResidual: (s) => {
    const x = s.input('x', [2, 5, 12]);
    return [s.binary('add', x, s.linear(s.gelu(s.linear(s.layerNorm(x), 24)), 12))];
  },
  gated: (s) => {
    const x = s.input('x', [2, 5, 12]);
    return [s.binary('mul', s.silu(s.linear(x, 8)), s.linear(x, 8))];
  },
  attention: (s) => [s.attention(s.input('x', [2, 5, 12]), 3)],
  biasedAttention: (s) => [s.attention(s.input('x', [2, 5, 12]), 3, s.param([3, 5, 5]))],
  multiQuery: (s) => {
    const [q, k, v] = [s.input('q', [2, 3, 5, 4]), s.input('k', [2, 7, 4]), s.input('v', [2, 7, 6])];
    return [s.einsum('b h i j, b j d -> b i h d', s.softmax(s.einsum('b h i e, b j e -> b h i j', q, k)), v)];
  },
  crossAttention: (s) => {
    const [x, y] = [s.input('x', [2, 5, 12]), s.input('y', [2, 7, 8])];
    const [q, k, v] = [s.linear(x, 6), s.linear(y, 6), s.linear(y, 4)];
    return [s.linear(s.einsum('b i j, b j d -> b i d', s.softmax(s.by('mul', s.einsum('b i e, b j e -> b i j', q, k), 0.4)), v), 12)];
  },
  causalAttention: (s) => {
    const [q, k, v] = [s.input('q', [6, 4]), s.input('k', [6, 4]), s.input('v', [6, 3])];
    const i = s.op('broadcast', [s.reshape(s.op('iota', [], { n: 6 }), [6, 1])], { shape: [6, 6] });
    const j = s.op('broadcast', [s.op('iota', [], { n: 6 })], { shape: [6, 6] });
    const masked = s.op('where', [s.op('lessEqual', [j, i], {}), s.einsum('i e, j e -> i j', q, k), s.number(-1e9, [6, 6])], {});
    return [s.einsum('i j, j d -> i d', s.softmax(masked), v)];
  },
  talkingHeads: (s) => {
    const [q, k, v] = [s.input('q', [3, 5, 4]), s.input('k', [3, 5, 4]), s.input('v', [3, 5, 4])];
    const mixed = s.einsum('g h, h i j -> g i j', s.param([3, 3]), s.softmax(s.einsum('h i e, h j e -> h i j', q, k)));
    return [s.einsum('h i j, h j d -> h i d', mixed, v)];
  },
  windowAttention: (s) => {
    const x = s.input('x', [2, 6, 6, 8]);
    return [s.binary('add', x, s.unwindows(s.attention(s.windows(x, 3), 2), 3, [2, 6, 6, 8]))];
  },
  convolvedQueries: (s) => [s.convolvedQueries(s.input('x', [2, 20, 4, 4]), 4, 3)],
  convRelu: (s) => [s.relu(s.conv(s.input('x', [2, 3, 9, 9]), 6, 3, { stride: 2, padding: 1 }))],
  pointwiseConv: (s) => [s.relu(s.conv(s.input('x', [2, 4, 5, 5]), 6, 1))],
  depthwise: (s) => [s.silu(s.conv(s.input('x', [2, 4, 6, 6]), 4, 3, { padding: 1, groups: 4 }))],
  groupedDilated: (s) => [s.conv(s.input('x', [1, 4, 8, 8]), 6, 3, { padding: 2, dilation: 2, groups: 2 })],
  conv1d: (s) => [s.conv(s.input('x', [2, 4, 9]), 6, 3, { padding: 1 })],
  patchEmbed: (s) => {
    const x = s.conv(s.input('x', [2, 3, 8, 8]), 12, 4, { stride: 4 });
    const tokens = s.transpose(s.reshape(x, [2, 12, 4]), [0, 2, 1]);
    const all = s.concat([s.like(s.param([1, 1, 12]), [2, 1, 12]), tokens], 1);
    const sum = s.binary('add', all, s.param([1, 5, 12]));
    return [s.binary('add', sum, s.linear(s.layerNorm(sum), 12))];
  },
  squeezeExcite: (s) => {
    const x = s.relu(s.conv(s.input('x', [2, 4, 6, 6]), 8, 3, { padding: 1 }));
    const mean = s.by('div', s.reshape(s.op('reduceSum', [x], { axes: [2, 3] }), [2, 8, 1, 1]), 36);
    const gate = s.unary('sigmoid', s.conv(s.relu(s.conv(mean, 2, 1)), 8, 1));
    return [s.conv(s.binary('mul', x, gate), 5, 1)];
  },
  cascade: (s) => {
    const [a, b] = s.split(s.input('x', [1, 8, 4, 4]), 1, [4, 4]);
    const first = s.conv(a, 4, 3, { padding: 1 });
    const second = s.conv(s.binary('add', b, first), 4, 3, { padding: 1 });
    return [s.conv(s.relu(s.concat([first, second], 1)), 6, 1)];
  },
  groupNorm: (s) => {
    const x = s.conv(s.input('x', [2, 4, 3, 3]), 8, 3, { padding: 1 });
    const rows = s.reshape(x, [2, 2, 36]);
    const normed = s.reshape(s.layerNorm(rows), [2, 8, 3, 3]);
    return [s.relu(normed)];
  },
  pools: (s) => {
    const x = s.input('x', [2, 3, 7, 7]);
    const window = { window: [3, 3], stride: [2, 2], padding: [{ low: 1, high: 1 }, { low: 1, high: 1 }], dilation: [1, 1] };
    return [s.op('pool', [x], { kind: 'max', ...window }), s.by('div', s.op('pool', [x], { kind: 'sum', ...window }), 9)];
  },
  tokensToImage: (s) => {
    const x = s.input('x', [2, 16, 6]);
    const image = s.reshape(s.transpose(x, [0, 2, 1]), [2, 6, 4, 4]);
    const y = s.conv(image, 6, 3, { padding: 1, groups: 6 });
    return [s.binary('add', x, s.transpose(s.reshape(y, [2, 6, 16]), [0, 2, 1]))];
  },
  order: (s) => {
    const x = s.input('x', [3, 7]);
    const sorted = s.op('argsort', [x], { descending: true });
    return [s.op('gather', [x, s.slice(sorted, 1, 0, 3)], { axis: 1, batch: 1 }), sorted];
  },
  lookup: (s) => {
    const table = s.param([9, 4]);
    const ids = s.op('argsort', [s.input('x', [2, 5])], { descending: false });
    return [s.op('gather', [table, ids], { axis: 0, batch: 0 })];
  },
  causalMask: (s) => {
    const x = s.input('x', [2, 5, 5]);
    const i = s.op('broadcast', [s.reshape(s.op('iota', [], { n: 5 }), [5, 1])], { shape: [2, 5, 5] });
    const j = s.op('broadcast', [s.op('iota', [], { n: 5 })], { shape: [2, 5, 5] });
    return [s.softmax(s.op('where', [s.op('lessEqual', [j, i], {}), x, s.number(-Infinity, [2, 5, 5])], {}))];
  },
  copies: (s) => {
    const x = s.input('x', [2, 6]);
    const y = s.transpose(x, [1, 0]);
    return [x, y, y, s.param([3]), s.number(2, [2, 2]), s.op('iota', [], { n: 4 })];
  },
  padded: (s) => {
    const x = s.input('x', [2, 3, 4]);
    const pad = s.op('pad', [x], { padding: [{ low: 0, high: 0 }, { low: 1, high: 2 }, { low: 2, high: 0 }], value: 1.5 });
    return [s.softmax(pad), s.op('slice', [pad], { start: [1, 5, 5], size: [2, 3, 2], step: [-1, -2, -3] })];
  },
  /** Windows of an image rolled by 2, rolled back into the residual. */
  shiftedWindows: (s) => {
    const x = s.input('x', [1, 6, 6, 4]);
    const roll = (y: NodeId, by: number): NodeId => [1, 2].reduce((z, axis) => s.concat(s.split(z, axis, [by, 6 - by]).reverse(), axis), y);
    const mixed = s.linear(s.windows(roll(x, 2), 3), 4);
    return [s.binary('add', x, roll(s.unwindows(mixed, 3, [1, 6, 6, 4]), 4))];
  },
  longRows: (s) => {
    const x = s.input('x', [2, 48, 40, 40]);
    const rows = s.reshape(x, [2, 76800]);
    const centred = s.binary('sub', rows, s.by('div', s.reduce('reduceSum', rows), 76800));
    const variance = s.by('div', s.reduce('reduceSum', s.binary('mul', centred, centred)), 76800);
    return [s.conv(s.reshape(s.binary('mul', centred, s.unary('rsqrt', s.by('add', variance, 1e-5))), [2, 48, 40, 40]), 2, 1), s.op('reduceMax', [x], { axes: [1, 2, 3] })];
  },
  // A kernel of these would bind more buffers than a target allows.
  wideConcat: (s) => [s.concat(Array.from({ length: 20 }, (_, i) => s.relu(s.input(`x${i}`, [2, 1 + (i % 3), 4]))), 1)],
  wideSum: (s) => [Array.from({ length: 20 }, (_, i) => s.input(`x${i}`, [2, 4])).reduce((a, b) => s.binary('add', a, b))],
  widePieces: (s) => {
    const parts = Array.from({ length: 10 }, (_, i) => s.linear(s.input(`x${i}`, [1, 4, 6]), 2 + i));
    return [s.linear(s.relu(s.concat(parts, 2)), 4)];
  },
};

export function pattern(name: string): Graph {
  const sketch = new Sketch();
  return sketch.graph(...PATTERNS[name](sketch));
}

/** Values in [-1, 1) from a name, the same every time. */
export function valuesOf(name: string, shape: Shape, dtype: Tensor['dtype'] = 'f32'): Tensor {
  let state = [...name].reduce((h, c) => (h * 31 + c.charCodeAt(0)) >>> 0, 7);
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const size = sizeOf(shape);
  if (dtype === 'f32') return { shape, dtype, data: Float64Array.from({ length: size }, () => next() * 2 - 1) };
  return { shape, dtype, data: Int32Array.from({ length: size }, () => Math.floor(next() * (dtype === 'bool' ? 2 : 8))) };
}
