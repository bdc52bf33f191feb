/** What random graphs are made with: nodes, values to read, element-wise operations, norms. */
import { sizeOf } from '../../src/graph.ts';
import type { GraphInput, NodeId, Shape } from '../../src/graph.ts';
import { GraphBuilder } from '../../src/graph-builder.ts';
import type { OpAttrs, OpName } from '../../src/ops/types.ts';
import { Random } from './random.ts';

export interface RandomGraphOptions {
  /** Patterns to string together. Default 8. */
  readonly steps?: number;
  /** The largest tensor. Default 3000 elements. */
  readonly maxElements?: number;
  /** Operations that jump (floor, comparisons and order of f32 values, casts to i32): rounding may flip them. Default true. */
  readonly discontinuous?: boolean;
}

export const EXTENTS = [1, 1, 2, 3, 4, 5, 7, 8, 11, 13, 17];

export class RandomBuilder {
  protected readonly random: Random;
  protected readonly builder = new GraphBuilder();
  protected readonly inputs: GraphInput[] = [];
  /** f32 values that later steps may read. */
  protected readonly pool: NodeId[] = [];
  /** Values that are outputs besides some of the last ones. */
  protected readonly wanted: NodeId[] = [];
  protected scope = '';
  private params = 0;

  constructor(
    protected readonly seed: number,
    protected readonly options: Required<RandomGraphOptions>,
  ) {
    this.random = new Random(seed);
  }

  protected op<K extends OpName>(op: K, args: readonly NodeId[], attrs = {} as OpAttrs[K]): NodeId {
    return this.builder.push(op, args, attrs, { scope: this.scope, block: 'Random' });
  }

  protected shapeOf(id: NodeId): Shape {
    return this.builder.type(id).shape;
  }

  protected rank(id: NodeId): number {
    return this.shapeOf(id).length;
  }

  protected axes(id: NodeId): number[] {
    return this.shapeOf(id).map((_, axis) => axis);
  }

  protected fits(shape: Shape): boolean {
    return sizeOf(shape) <= this.options.maxElements;
  }

  protected shape(rank: number): number[] {
    for (;;) {
      const shape = Array.from({ length: rank }, () => this.random.pick(EXTENTS));
      if (this.fits(shape)) return shape;
    }
  }

  protected input(shape: Shape, dtype: 'f32' | 'i32' = 'f32'): NodeId {
    const name = `in${this.inputs.length}`;
    const node = this.op('input', [], { name, shape, dtype });
    this.inputs.push({ name, node });
    return node;
  }

  protected param(shape: Shape, kind = 'weight'): NodeId {
    return this.op('param', [], { name: `p${this.params++}.${kind}`, shape, dtype: 'f32', buffer: kind.startsWith('running') });
  }

  protected full(value: number, shape: Shape, dtype: 'f32' | 'i32' | 'bool' = 'f32'): NodeId {
    const scalar = this.op('constant', [], { value, dtype });
    return shape.length === 0 ? scalar : this.op('broadcast', [scalar], { shape });
  }

  protected times(x: NodeId, c: number): NodeId {
    return this.op('mul', [x, this.full(c, this.shapeOf(x))]);
  }

  protected plus(x: NodeId, c: number): NodeId {
    return this.op('add', [x, this.full(c, this.shapeOf(x))]);
  }

  protected operand(): NodeId {
    // Mostly the newest value, so that chains grow.
    return this.random.chance(0.6) ? this.pool[this.pool.length - 1] : this.random.pick(this.pool);
  }

  /** A value of the same shape: another one, a broadcast parameter, or the value itself. */
  protected like(x: NodeId): NodeId {
    const shape = this.shapeOf(x);
    const twins = this.pool.filter((id) => this.shapeOf(id).join() === shape.join());
    if (twins.length > 0 && this.random.chance(0.5)) return this.random.pick(twins);
    const own = shape.map((d) => (this.random.chance(0.5) ? d : 1)).slice(this.random.integer(0, shape.length));
    const source = this.random.chance(0.7) ? this.param(own) : this.input(own);
    return this.op('broadcast', [source], { shape });
  }

  // Element-wise.

  protected unary(x: NodeId): NodeId {
    const positive = (floor: number): NodeId => this.plus(this.op('abs', [x]), floor);
    return this.random.pick<() => NodeId>([
      () => this.op('neg', [x]),
      () => this.op('abs', [x]),
      () => this.op('exp', [this.op('tanh', [x])]),
      () => this.op('log', [positive(0.5)]),
      () => this.op('sqrt', [positive(0.1)]),
      () => this.op('rsqrt', [positive(0.1)]),
      () => this.op('sin', [x]),
      () => this.op('cos', [x]),
      () => this.op('tanh', [x]),
      () => this.op('erf', [x]),
      () => this.op('sigmoid', [x]),
      () => this.op('pow', [positive(0.5), this.full(this.random.pick([0.5, 1, 1.7, -0.5]), this.shapeOf(x))]),
      () => this.op('pow', [this.op('tanh', [x]), this.full(this.random.pick([2, 3]), this.shapeOf(x))]),
      () => this.op('max', [x, this.full(0, this.shapeOf(x))]),
      () => this.times(x, this.random.pick([-1, 0.5, 1, 1.25])),
      () => this.op('div', [x, this.full(this.random.pick([2, 3]), this.shapeOf(x))]),
    ])();
  }

  protected binary(x: NodeId, y: NodeId): NodeId {
    return this.random.pick<() => NodeId>([
      () => this.op('add', [x, y]),
      () => this.op('sub', [x, y]),
      () => this.op('mul', [this.op('tanh', [x]), y]),
      () => this.op('div', [x, this.plus(this.op('abs', [y]), 0.5)]),
      () => this.op('max', [x, y]),
      () => this.op('min', [x, y]),
    ])();
  }

  /** x * s + t, or its like, with parameters along one axis (from the end where negative; all axes past the rank). */
  protected affine(x: NodeId, axis: number): NodeId {
    const shape = this.shapeOf(x);
    const at = axis < 0 ? shape.length + axis : axis;
    const own = shape.map((d, i) => (i === at || at >= shape.length ? d : 1));
    const side = (kind: string): NodeId => this.op('broadcast', [this.param(own, kind)], { shape });
    const scaled = this.random.chance(0.5) ? this.op('mul', [x, side('scale')]) : this.op('mul', [side('scale'), this.op('sub', [x, side('mean')])]);
    return this.op('add', [scaled, side('shift')]);
  }

  // Reductions with broadcast.

  /** A reduced value of the last axis brought back to the whole shape. */
  protected back(x: NodeId, reduced: NodeId): NodeId {
    const shape = this.shapeOf(x);
    if (shape.length === 0) return reduced;
    return this.op('broadcast', [this.op('reshape', [reduced], { shape: [...shape.slice(0, -1), 1] })], { shape });
  }

  protected mean(x: NodeId): NodeId {
    if (this.rank(x) === 0) return x;
    return this.times(this.op('reduceSum', [x], { axes: [this.rank(x) - 1] }), 1 / this.shapeOf(x)[this.rank(x) - 1]);
  }

  protected softmax(x: NodeId): NodeId | undefined {
    if (this.rank(x) === 0) return undefined;
    const last = [this.rank(x) - 1];
    const e = this.op('exp', [this.op('sub', [x, this.back(x, this.op('reduceMax', [x], { axes: last }))])]);
    return this.op('div', [e, this.back(x, this.op('reduceSum', [e], { axes: last }))]);
  }

  protected layerNorm(x: NodeId): NodeId | undefined {
    if (this.rank(x) === 0) return undefined;
    const centred = this.op('sub', [x, this.back(x, this.mean(x))]);
    const variance = this.mean(this.op('mul', [centred, centred]));
    const normed = this.op('mul', [centred, this.back(x, this.op('rsqrt', [this.plus(variance, 1e-2)]))]);
    return this.affine(normed, -1);
  }

  protected rmsNorm(x: NodeId): NodeId {
    return this.op('mul', [x, this.back(x, this.op('rsqrt', [this.plus(this.mean(this.op('mul', [x, x])), 1e-3)]))]);
  }

  protected reduce(x: NodeId): NodeId | undefined {
    const axes = this.axes(x).filter(() => this.random.chance(0.4));
    if (axes.length === 0) return undefined;
    const op = this.random.pick(['reduceSum', 'reduceMax', 'reduceMin'] as const);
    const reduced = this.op(op, [x], { axes });
    return op === 'reduceSum' ? this.times(reduced, 1 / axes.reduce((n, a) => n * this.shapeOf(x)[a], 1)) : reduced;
  }
}
