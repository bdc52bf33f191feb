/** Random graphs' patterns of concats: of what is made for them alone, and of what others read too. */
import type { NodeId } from '../../src/graph.ts';
import { RandomBuilder } from './random-builder.ts';

export abstract class RandomJoins extends RandomBuilder {
  /** Ways to make a value that has a kernel of its own. */
  protected abstract makers(x: NodeId): (() => NodeId | undefined)[];

  protected splitJoin(x: NodeId): NodeId | undefined {
    const shape = this.shapeOf(x);
    const axis = shape.findIndex((d) => d > 1);
    if (axis < 0) return undefined;
    const cut = this.random.integer(1, shape[axis] - 1);
    const part = (start: number, size: number): NodeId => this.op('slice', [x], { start: shape.map((_, i) => (i === axis ? start : 0)), size: shape.with(axis, size), step: shape.map(() => 1) });
    const [a, b] = [part(0, cut), part(cut, shape[axis] - cut)];
    return this.op('concat', this.random.chance(0.5) ? [a, this.unary(b)] : [a, b], { axis });
  }

  protected concat(x: NodeId): NodeId | undefined {
    const shape = this.shapeOf(x);
    if (shape.length === 0) return undefined;
    const axis = this.random.integer(0, shape.length - 1);
    const other = this.param(shape.with(axis, this.random.integer(1, 3)));
    const parts = this.random.shuffle([x, other, ...(this.random.chance(0.3) ? [this.unary(x)] : [])]);
    return this.fits(shape.with(axis, 2 * shape[axis] + 3)) ? this.op('concat', parts, { axis }) : undefined;
  }

  /** A longer tensor of what is made for it alone, and perhaps of what others read too. */
  protected join(x: NodeId): NodeId | undefined {
    const r = this.random;
    const make = (): NodeId | undefined => r.pick(this.makers(x))();
    const made = make();
    if (made === undefined || this.rank(made) === 0) return undefined;
    const shape = this.shapeOf(made);
    const axis = r.integer(0, shape.length - 1);
    const beside = shape.with(axis, r.integer(1, 3));
    if (r.chance(0.25)) return this.op('pad', [made], { padding: beside.map((n, i) => ({ low: 0, high: i === axis ? n : 0 })), value: r.pick([0, 0.5]) });
    const other = r.pick([() => this.param(beside), () => this.input(beside), () => this.full(0.5, beside), () => this.full(-1, beside)])();
    const same = r.chance(0.3) ? make() : undefined;
    const parts = [made, other, ...(same !== undefined && this.shapeOf(same).join() === shape.join() ? [same] : [])];
    if (!this.fits(shape.with(axis, 2 * shape[axis] + 3))) return undefined;
    if (r.chance(0.3)) this.pool.push(made);
    return this.op('concat', r.shuffle(parts), { axis });
  }

  /** The same pieces one after another in several orders: pieces that others read, some of them made later than others. */
  protected orders(x: NodeId): NodeId | undefined {
    const r = this.random;
    const make = r.pick(this.makers(x));
    const first = make();
    if (first === undefined || this.rank(first) === 0) return undefined;
    const shape = this.shapeOf(first);
    const second = make();
    const axis = second === undefined ? undefined : this.#axisBetween(first, second);
    const along = axis ?? r.integer(0, shape.length - 1);
    const made = [first, axis === undefined ? this.unary(first) : second!];
    if (r.chance(0.2)) made.push(this.unary(r.pick(made)));
    const pieces = [...made, ...(r.chance(0.2) ? [this.param(shape.with(along, r.integer(1, 3)))] : [])];
    const length = pieces.reduce((n, p) => n + this.shapeOf(p)[along], 0);
    if (!this.fits(shape.with(along, length))) return undefined;
    const joined = Array.from({ length: r.integer(1, 3) }, () => {
      const whole = this.op('concat', r.shuffle(pieces), { axis: along });
      return r.chance(0.3) ? this.unary(whole) : whole;
    });
    const some = (): NodeId[] => [...made, ...joined].filter(() => r.chance(0.25));
    this.pool.push(...some());
    this.wanted.push(...some());
    return joined.reduce((a, b) => this.binary(a, b));
  }

  /** The axis along which two tensors may be joined, if there is one; any, where they have one shape. */
  #axisBetween(a: NodeId, b: NodeId): number | undefined {
    const [one, other] = [this.shapeOf(a), this.shapeOf(b)];
    if (one.length !== other.length) return undefined;
    const differ = this.axes(a).filter((i) => one[i] !== other[i]);
    return differ.length === 0 ? this.random.integer(0, one.length - 1) : differ.length === 1 ? differ[0] : undefined;
  }
}
