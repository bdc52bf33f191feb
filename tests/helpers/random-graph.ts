/**
 * Seeded random graphs: every operation, shapes with ones and primes, and the patterns that models are made of.
 * Values stay within a few orders of magnitude, so that results can be compared.
 */
import { sizeOf } from '../../src/graph.ts';
import type { Graph, NodeId, Shape } from '../../src/graph.ts';
import type { OpAttrs, Tensor } from '../../src/ops/types.ts';
import { Random } from './random.ts';
import { EXTENTS } from './random-builder.ts';
import type { RandomGraphOptions } from './random-builder.ts';
import { RandomJoins } from './random-joins.ts';

export type { RandomGraphOptions };

export function randomGraph(seed: number, options: RandomGraphOptions = {}): Graph {
  return new RandomGraph(seed, { steps: 8, maxElements: 3000, discontinuous: true, ...options }).build();
}

/**
 * Seeded values for a graph's inputs and parameters: about [-1, 1), statistics positive, integers from -6 to 12. Some inputs
 * hold quarters only, so that values are equal, zero and exact in sums.
 */
export function randomBindings(graph: Graph, seed = 1): { inputs: Record<string, Tensor>; params: (name: string, shape: Shape) => Tensor } {
  const inputs = graph.inputs.map(({ name, node }) => {
    const { shape, dtype } = graph.nodes[node];
    const random = new Random(seed * 7919 + hash(name));
    const data = dtype === 'f32' ? new Float32Array(sizeOf(shape)) : new Int32Array(sizeOf(shape));
    const quarters = random.chance(0.3);
    const real = (): number => (quarters ? random.integer(-4, 4) / 4 : random.next() * 2 - 1);
    for (let i = 0; i < data.length; i++) data[i] = dtype === 'f32' ? real() : dtype === 'bool' ? random.integer(0, 1) : random.integer(-6, 12);
    return [name, { shape, dtype, data }] as const;
  });
  const params = (name: string, shape: Shape): Tensor => {
    const random = new Random(seed * 104729 + hash(name));
    const data = Float32Array.from({ length: sizeOf(shape) }, () => (name.includes('var') ? 0.5 + random.next() : random.next() * 2 - 1));
    return { shape, dtype: 'f32', data };
  };
  return { inputs: Object.fromEntries(inputs), params };
}

function hash(text: string): number {
  let h = 17;
  for (const c of text) h = (Math.imul(h, 31) + c.codePointAt(0)!) | 0;
  return h & 0xffff;
}

/** Patterns that are picked more often than others: their cases lie in how what they make is read. */
const OFTEN: Readonly<Record<string, number>> = { join: 2, orders: 3, normed: 3 };

class RandomGraph extends RandomJoins {
  build(): Graph {
    const r = this.random;
    for (let i = r.integer(1, 2); i > 0; i--) this.pool.push(this.input(this.shape(r.integer(2, 4))));
    const steps = Object.entries(this.#patterns()).flatMap((pattern) => Array.from({ length: OFTEN[pattern[0]] ?? 1 }, () => pattern));
    for (let i = 0; i < this.options.steps; i++) {
      const [name, step] = r.pick(steps);
      this.scope = `step${i}.${name}`;
      const x = this.operand();
      const made = step(x);
      if (made !== undefined) this.pool.push(made);
    }
    const outputs = new Set([...r.shuffle(this.pool.slice(-4)).slice(0, r.integer(1, 3)), ...this.wanted]);
    return this.builder.finish({
      name: `random${this.seed}`,
      inputs: this.inputs,
      outputs: [...outputs].map((node, i) => ({ name: `out${i}`, node, attributes: [] })),
      weightRules: [],
    });
  }

  /** Ways to make an f32 value from one; undefined where its shape does not suit. */
  #patterns(): Record<string, (x: NodeId) => NodeId | undefined> {
    const r = this.random;
    return {
      unary: (x) => this.unary(x),
      chain: (x) => this.unary(this.unary(this.unary(x))),
      binary: (x) => this.binary(x, this.like(x)),
      residual: (x) => this.op('add', [x, this.unary(x)]),
      scaleShift: (x) => this.affine(x, r.integer(0, this.rank(x))),
      gelu: (x) => this.op('mul', [x, this.plus(this.op('erf', [this.times(x, Math.SQRT1_2)]), 1)]),
      silu: (x) => this.op('mul', [x, this.op('sigmoid', [x])]),
      softmax: (x) => this.softmax(x),
      layerNorm: (x) => this.layerNorm(x),
      rmsNorm: (x) => this.rmsNorm(x),
      linear: (x) => this.#linear(x),
      linearNorm: (x) => this.affine(this.#linear(this.layerNorm(x) ?? x) ?? x, -1),
      attention: (x) => this.#attention(x),
      einsum: (x) => this.#einsum(x),
      convolution: (x) => this.#convolution(x),
      convNorm: (x) => this.#convNorm(x),
      pool: (x) => this.#pooling(x),
      reduce: (x) => this.reduce(x),
      reshape: (x) => this.#regroup(x),
      transpose: (x) => this.op('transpose', [x], { permutation: r.shuffle(this.axes(x)) }),
      window: (x) => this.#windows(x),
      slice: (x) => this.#slice(x),
      split: (x) => this.splitJoin(x),
      concat: (x) => this.concat(x),
      join: (x) => this.join(x),
      orders: (x) => this.orders(x),
      normed: (x) => this.#normed(x),
      pad: (x) => this.#pad(x),
      gather: (x) => this.#gather(x),
      mask: (x) => this.#mask(x),
      squeezeExcite: (x) => this.op('mul', [x, this.back(x, this.op('sigmoid', [this.mean(x)]))]),
      position: (x) => this.#position(x),
      integers: (x) => this.op('add', [x, this.times(this.op('cast', [this.#integers(this.shapeOf(x), 5)], { dtype: 'f32' }), 0.1)]),
      dead: (x) => void this.unary(x),
      ...(this.options.discontinuous ? { jump: (x: NodeId) => this.#jump(x), sort: (x: NodeId) => this.#sort(x) } : {}),
    };
  }

  // Contractions.

  #linear(x: NodeId): NodeId | undefined {
    const shape = this.shapeOf(x);
    const rank = shape.length;
    if (rank === 0 || rank > 4) return undefined;
    const depth = shape[rank - 1];
    const out = this.random.pick([1, 2, 5, 8, 12]);
    if (!this.fits([...shape.slice(0, -1), out]) || !this.fits([out, depth])) return undefined;
    const lead = ['a', 'b', 'c'].slice(0, rank - 1);
    const y = this.op('einsum', [x, this.times(this.param([out, depth]), 1 / Math.sqrt(depth))], { left: [...lead, 'k'], right: ['n', 'k'], out: [...lead, 'n'] });
    return this.random.chance(0.7) ? this.op('add', [y, this.op('broadcast', [this.param([out], 'bias')], { shape: this.shapeOf(y) })]) : y;
  }

  protected override makers(x: NodeId): (() => NodeId | undefined)[] {
    return [
      () => this.#linear(x),
      () => this.#linear(x),
      () => this.#einsum(x),
      () => this.#einsum(x),
      () => this.#convolution(x),
      () => this.softmax(x),
      () => this.layerNorm(x),
      () => this.reduce(x),
      () => this.#pooling(x),
      () => this.#linear(this.layerNorm(x) ?? x),
    ];
  }

  /** A norm that one to three products read, and perhaps others. */
  #normed(x: NodeId): NodeId | undefined {
    const r = this.random;
    const norm = r.chance(0.6) ? this.layerNorm(x) : this.rmsNorm(x);
    if (norm === undefined) return undefined;
    const products = Array.from({ length: r.integer(1, 3) }, () => this.#linear(norm)).filter((p) => p !== undefined);
    if (r.chance(0.4)) this.wanted.push(norm);
    this.pool.push(...products.slice(1), ...(r.chance(0.3) ? [norm] : []));
    return products[0];
  }

  /** softmax(q k^T) v over heads that the last axis splits into. */
  #attention(x: NodeId): NodeId | undefined {
    const tokens = this.rank(x) > 3 ? undefined : this.rank(x) < 2 ? undefined : x;
    if (tokens === undefined) return undefined;
    const [batch, n, d] = [1, 1, ...this.shapeOf(tokens)].slice(-3);
    const heads = this.random.pick([1, 2, 3].filter((h) => d % h === 0));
    if (!this.fits([batch, heads, n, n]) || !this.fits([3, batch, n, d]) || !this.fits([3 * d, d])) return undefined;
    const flat = this.op('reshape', [tokens], { shape: [batch, n, d] });
    const weight = this.times(this.param([3 * d, d]), 1 / Math.sqrt(d));
    const qkv = this.op('einsum', [flat, weight], { left: ['b', 'n', 'k'], right: ['o', 'k'], out: ['b', 'n', 'o'] });
    const split = this.op('transpose', [this.op('reshape', [qkv], { shape: [batch, n, 3, heads, d / heads] })], { permutation: [2, 0, 3, 1, 4] });
    const [q, k, v] = [0, 1, 2].map((t) => {
      const part = this.op('slice', [split], { start: [t, 0, 0, 0, 0], size: [1, batch, heads, n, d / heads], step: [1, 1, 1, 1, 1] });
      return this.op('reshape', [part], { shape: [batch, heads, n, d / heads] });
    });
    const scores = this.times(this.op('einsum', [q, k], { left: ['b', 'h', 'i', 'd'], right: ['b', 'h', 'j', 'd'], out: ['b', 'h', 'i', 'j'] }), (d / heads) ** -0.5);
    const biased = this.random.chance(0.5) ? this.op('add', [scores, this.op('broadcast', [this.param([heads, n, n], 'bias')], { shape: this.shapeOf(scores) })]) : scores;
    const mixed = this.op('einsum', [this.softmax(biased)!, v], { left: ['b', 'h', 'i', 'j'], right: ['b', 'h', 'j', 'd'], out: ['b', 'h', 'i', 'd'] });
    return this.op('reshape', [this.op('transpose', [mixed], { permutation: [0, 2, 1, 3] })], { shape: this.shapeOf(tokens) });
  }

  /** Any labels: shared, summed on both sides, summed on one. */
  #einsum(x: NodeId): NodeId | undefined {
    const left = this.axes(x).map((axis) => `l${axis}`);
    const extents = new Map(left.map((l, i) => [l, this.shapeOf(x)[i]]));
    const right = left.filter(() => this.random.chance(0.5));
    for (let i = this.random.integer(0, 2); i > 0; i--) {
      right.push(`r${i}`);
      extents.set(`r${i}`, this.random.pick(EXTENTS));
    }
    const order = this.random.shuffle(right);
    const out = this.random.shuffle([...extents.keys()].filter(() => this.random.chance(0.6)));
    const shape = (labels: readonly string[]): number[] => labels.map((l) => extents.get(l)!);
    const work = sizeOf([...extents.values()]);
    if (!this.fits(shape(order)) || !this.fits(shape(out)) || work > 50 * this.options.maxElements) return undefined;
    const y = this.random.chance(0.6) ? this.param(shape(order)) : this.input(shape(order));
    const flip = this.random.chance(0.5);
    const sums = this.op('einsum', flip ? [y, x] : [x, y], { left: flip ? order : left, right: flip ? left : order, out });
    return this.times(sums, 1 / Math.sqrt(work / sizeOf(shape(out))));
  }

  /** The value as [batch, channels, 1 to 3 spatial axes]. */
  #image(x: NodeId): NodeId | undefined {
    const rank = this.rank(x);
    if (rank < 2 || rank > 5) return undefined;
    return rank === 2 ? this.op('reshape', [x], { shape: [1, ...this.shapeOf(x)] }) : x;
  }

  #spatial(extents: readonly number[], window: readonly number[]): OpAttrs['conv'] {
    const r = this.random;
    const stride = extents.map(() => r.pick([1, 1, 2, 3]));
    const dilation = extents.map(() => r.pick([1, 1, 2]));
    const padding = extents.map((extent, i) => {
      const reach = (window[i] - 1) * dilation[i] + 1;
      const least = Math.max(0, reach - extent);
      return { low: Math.max(least, r.integer(0, Math.floor(reach / 2))), high: r.integer(0, Math.floor(reach / 2)) };
    });
    return { stride, dilation, padding, groups: 1 };
  }

  #convolution(x: NodeId): NodeId | undefined {
    const image = this.#image(x);
    if (image === undefined) return undefined;
    const r = this.random;
    const [batch, channels, ...extents] = this.shapeOf(image);
    const groups = r.pick([1, 1, channels, ...[2, 3].filter((g) => channels % g === 0)]);
    const outputs = groups * r.pick([1, 2, 3]);
    const window = extents.map(() => r.pick([1, 1, 2, 3]));
    const weight = [outputs, channels / groups, ...window];
    const attrs = r.chance(0.3) ? { ...this.#spatial(extents, window), padding: extents.map((d, i) => ({ low: Math.max(0, 2 * window[i] - 1 - d), high: 0 })) } : this.#spatial(extents, window);
    if (!this.fits(weight) || !this.fits([batch, outputs, ...extents.map((d) => d + 4)])) return undefined;
    return this.op('conv', [image, this.times(this.param(weight), 1 / Math.sqrt(sizeOf(weight.slice(1))))], { ...attrs, groups });
  }

  /** Batch norm as models write it. */
  #convNorm(x: NodeId): NodeId | undefined {
    const y = this.#convolution(x);
    if (y === undefined) return undefined;
    const shape = this.shapeOf(y);
    const side = (kind: string): NodeId => this.op('reshape', [this.param([shape[1]], kind)], { shape: [1, shape[1], ...shape.slice(2).map(() => 1)] });
    const whole = (id: NodeId): NodeId => this.op('broadcast', [id], { shape });
    const centred = this.op('sub', [y, whole(side('running_mean'))]);
    const deviation = this.op('sqrt', [this.plus(side('running_var'), 1e-5)]);
    const scaled = this.op('mul', [this.op('div', [centred, whole(deviation)]), whole(side('weight'))]);
    return this.op('add', [scaled, whole(side('bias'))]);
  }

  #pooling(x: NodeId): NodeId | undefined {
    const rank = this.rank(x);
    if (rank === 0) return undefined;
    const extents = this.shapeOf(x).slice(-this.random.integer(1, Math.min(3, rank)));
    const window = extents.map((d) => Math.min(d, this.random.pick([1, 2, 3])));
    const { stride, dilation, padding } = this.#spatial(extents, window);
    const kind = this.random.pick(['max', 'sum'] as const);
    const plain = kind === 'max' ? { dilation: dilation.map(() => 1), padding: padding.map((p, i) => ({ low: Math.min(p.low, window[i] - 1), high: Math.min(p.high, window[i] - 1) })) } : { dilation, padding };
    const pooled = this.op('pool', [x], { kind, window, stride, ...plain });
    return kind === 'sum' ? this.times(pooled, 1 / sizeOf(window)) : pooled;
  }

  // Movement.

  #regroup(x: NodeId): NodeId {
    const shape = [...this.shapeOf(x)];
    const r = this.random;
    const axis = r.integer(0, Math.max(0, shape.length - 1));
    const factor = [2, 3, 4, 5].find((f) => shape[axis] % f === 0);
    if (shape.length > 4 || (shape.length > 1 && r.chance(0.5))) shape.splice(Math.min(axis, shape.length - 2), 2, shape[Math.min(axis, shape.length - 2)] * shape[Math.min(axis, shape.length - 2) + 1]);
    else if (factor !== undefined) shape.splice(axis, 1, shape[axis] / factor, factor);
    else shape.splice(axis, 0, 1);
    return this.op('reshape', [x], { shape });
  }

  /** Window partition of the last two axes. */
  #windows(x: NodeId): NodeId | undefined {
    const shape = this.shapeOf(x);
    const [h, w] = shape.slice(-2);
    const size = [2, 3, 5].find((s) => h % s === 0 && w % s === 0);
    if (shape.length < 2 || shape.length > 4 || size === undefined) return undefined;
    const lead = shape.slice(0, -2);
    const n = lead.length;
    const cut = this.op('reshape', [x], { shape: [...lead, h / size, size, w / size, size] });
    const moved = this.op('transpose', [cut], { permutation: [...lead.keys(), n, n + 2, n + 1, n + 3] });
    return this.op('reshape', [moved], { shape: [...lead, (h / size) * (w / size), size * size] });
  }

  #slice(x: NodeId): NodeId {
    const attrs = this.shapeOf(x).map((d) => {
      const size = this.random.integer(1, d);
      const step = this.random.pick([1, 1, -1, 2].filter((s) => (size - 1) * Math.abs(s) < d));
      const span = (size - 1) * Math.abs(step);
      const start = this.random.integer(0, d - 1 - span);
      return { start: step < 0 ? start + span : start, size, step };
    });
    return this.op('slice', [x], { start: attrs.map((a) => a.start), size: attrs.map((a) => a.size), step: attrs.map((a) => a.step) });
  }

  #pad(x: NodeId): NodeId | undefined {
    const padding = this.axes(x).map(() => ({ low: this.random.pick([0, 0, 1, 2]), high: this.random.pick([0, 0, 1]) }));
    const shape = this.shapeOf(x).map((d, i) => d + padding[i].low + padding[i].high);
    return this.fits(shape) ? this.op('pad', [x], { padding, value: this.random.pick([0, 0, 0.5, -1]) }) : undefined;
  }

  /** Indices computed from iota, given as input, or both; some lie outside and are clamped. */
  #gather(x: NodeId): NodeId | undefined {
    const shape = this.shapeOf(x);
    if (shape.length === 0) return undefined;
    const r = this.random;
    const axis = r.integer(0, shape.length - 1);
    const batch = r.integer(0, axis);
    const own = [...shape.slice(0, batch), ...this.shape(r.integer(0, 2)).map((d) => Math.min(d, 5))];
    const count = own.slice(batch);
    if (!this.fits([...shape.slice(0, axis), ...count, ...shape.slice(axis + 1)]) || !this.fits(own)) return undefined;
    const indices = r.chance(0.5) ? this.input(own, 'i32') : this.#integers(own, shape[axis]);
    return this.op('gather', [x, indices], { axis, batch });
  }

  /** i32 arithmetic over iota, of either sign: (i * a + b) mod n and the like. */
  #integers(shape: Shape, n: number): NodeId {
    const r = this.random;
    const iota = this.op('reshape', [this.op('iota', [], { n: sizeOf(shape) })], { shape });
    const c = (value: number): NodeId => this.full(value, shape, 'i32');
    const start = r.chance(0.5) ? this.input(shape, 'i32') : iota;
    let i = this.op('add', [this.op('mul', [start, c(r.pick([1, 2, 3, 5, -1, -3]))]), c(r.integer(-9, 9))]);
    i = this.op(r.pick(['mod', 'div'] as const), [i, c(r.pick([1, 1, 1, -1]) * r.integer(1, n))]);
    if (r.chance(0.3)) i = this.op('max', [this.op('sub', [i, c(1)]), this.op('neg', [c(1)])]);
    return r.chance(0.3) ? this.op('abs', [this.op('min', [i, c(n)])]) : i;
  }

  /** where(mask, x, y) with a mask of positions. */
  #mask(x: NodeId): NodeId {
    const r = this.random;
    const shape = this.shapeOf(x);
    const [a, b] = [this.#integers(shape, 5), this.#integers(shape, 3)];
    let mask = this.op(r.pick(['less', 'lessEqual', 'equal'] as const), [a, b]);
    if (r.chance(0.5)) mask = this.op(r.pick(['and', 'or'] as const), [mask, this.op('not', [this.op('less', [b, this.full(1, shape, 'i32')])])]);
    if (r.chance(0.3)) return this.op('mul', [x, this.op('cast', [mask], { dtype: 'f32' })]);
    return this.op('where', [mask, x, r.chance(0.5) ? this.full(-2, shape) : this.like(x)]);
  }

  /** x + sin(position * frequency), computed from iota. */
  #position(x: NodeId): NodeId | undefined {
    const shape = this.shapeOf(x);
    if (shape.length === 0) return undefined;
    const n = shape[shape.length - 1];
    const at = this.op('cast', [this.op('iota', [], { n })], { dtype: 'f32' });
    const wave = this.op(this.random.pick(['sin', 'cos'] as const), [this.times(at, 0.3)]);
    return this.op('add', [x, this.op('broadcast', [wave], { shape })]);
  }

  // What rounding may flip.

  #jump(x: NodeId): NodeId {
    const shape = this.shapeOf(x);
    const scaled = this.plus(this.times(x, 3.7), 0.123);
    return this.random.pick<() => NodeId>([
      () => this.op('floor', [scaled]),
      () => this.op('cast', [this.op('cast', [scaled], { dtype: 'i32' })], { dtype: 'f32' }),
      () => this.op('where', [this.op('less', [scaled, this.like(x)]), x, this.full(0.25, shape)]),
      () => this.op('where', [this.op('cast', [x], { dtype: 'bool' }), x, this.full(0.25, shape)]),
    ])();
  }

  /** Sorts, and takes the first few. */
  #sort(x: NodeId): NodeId | undefined {
    const shape = this.shapeOf(x);
    const rank = shape.length;
    if (rank === 0) return undefined;
    const r = this.random;
    // Where values are equal, the order shows in places, or in what else is taken from them.
    const key = r.pick<() => NodeId>([
      () => x,
      () => this.op('max', [x, this.full(0, shape)]),
      () => this.op('floor', [this.plus(this.times(x, 2.3), 0.123)]),
      () => this.op('cast', [this.#integers(shape, 5)], { dtype: 'f32' }),
    ])();
    const order = this.op('argsort', [key], { descending: r.chance(0.5) });
    const top = this.op('slice', [order], { start: shape.map(() => 0), size: shape.with(rank - 1, Math.min(r.pick([3, 8]), shape[rank - 1])), step: shape.map(() => 1) });
    return r.chance(0.3) ? this.op('cast', [top], { dtype: 'f32' }) : this.op('gather', [x, top], { axis: rank - 1, batch: rank - 1 });
  }
}
