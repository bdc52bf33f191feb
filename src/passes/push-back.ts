/** Moving a static scale or shift toward where a value comes from, into operations that hold static values already. */
import { sizeOf } from '../graph.ts';
import type { Node, NodeId, NodeOf } from '../graph.ts';
import type { GraphBuilder } from '../graph-builder.ts';
import { scalesWeight, weightTimesOutput } from './contraction-weights.ts';
import type { Contraction, Side } from './contraction-weights.ts';
import { Factors } from './factor.ts';
import type { Factor } from './factor.ts';
import { isStatic } from './static-nodes.ts';

/** How far a search goes: no honest chain between a contraction and its scale is longer. */
const MAX_DEPTH = 24;
/** Static values of this many elements may be copied or repeated without a second thought. */
const SMALL = 8192;

/** A graph under construction: which nodes are static, and how often each is read. */
export class Uses {
  readonly #builder: GraphBuilder;
  readonly #static: boolean[] = [];
  readonly #uses: number[] = [];

  constructor(builder: GraphBuilder) {
    this.#builder = builder;
  }

  isStatic(id: NodeId): boolean {
    for (let i = this.#static.length; i <= id; i++) this.#static.push(isStatic(this.#builder.node(i), (arg) => this.#static[arg]));
    return this.#static[id];
  }

  /** Nodes made on the way have one reader: whatever they were made for. */
  of(id: NodeId): number {
    return this.#uses[id] ?? 1;
  }

  /** Says how many readers of the old graph a node has; they add up when it stands for several nodes. */
  record(id: NodeId, count: number): void {
    this.#uses[id] = (this.#uses[id] ?? 0) + count;
  }
}

export class PushBack {
  readonly #builder: GraphBuilder;
  readonly #uses: Uses;

  constructor(builder: GraphBuilder, uses: Uses) {
    this.#builder = builder;
    this.#uses = uses;
  }

  /** A node equal to id * factor that costs nothing at run time, or undefined. Only values with one reader change. */
  scale(id: NodeId, factor: Factor, depth = 0): NodeId | undefined {
    const node = this.#builder.node(id);
    if (this.#uses.isStatic(id)) return this.#ofStatic('mul', node, factor);
    if (this.#uses.of(id) !== 1 || depth > MAX_DEPTH) return undefined;
    const inner = (arg: number, f = factor): NodeId | undefined => this.scale(node.args[arg], f, depth + 1);
    switch (node.op) {
      case 'neg':
        return this.#with(node, inner(0));
      case 'add':
      case 'sub': {
        // (x + y) * s = x * s + y * s
        const [x, y] = [inner(0), inner(1)];
        return x === undefined || y === undefined ? undefined : this.#with(node, x, y);
      }
      case 'mul': {
        // (x * y) * s = (x * s) * y
        const x = inner(0);
        if (x !== undefined) return this.#with(node, x, node.args[1]);
        const y = inner(1);
        return y === undefined ? undefined : this.#with(node, node.args[0], y);
      }
      case 'div': {
        const x = inner(0);
        return x === undefined ? undefined : this.#with(node, x, node.args[1]);
      }
      case 'reshape':
      case 'transpose':
        return this.#with(node, inner(0, this.#factors(node).moveBack(factor, node, this.#builder.node(node.args[0]).shape)));
      case 'conv':
      case 'einsum':
        return this.#contraction(node, factor, depth);
      default:
        return undefined;
    }
  }

  /** A node equal to id + factor that costs nothing at run time, or undefined. */
  shift(id: NodeId, factor: Factor, depth = 0): NodeId | undefined {
    const node = this.#builder.node(id);
    if (this.#uses.isStatic(id)) return this.#ofStatic('add', node, factor);
    if (this.#uses.of(id) !== 1 || depth > MAX_DEPTH) return undefined;
    switch (node.op) {
      case 'add': {
        const y = this.shift(node.args[1], factor, depth + 1);
        if (y !== undefined) return this.#with(node, node.args[0], y);
        const x = this.shift(node.args[0], factor, depth + 1);
        return x === undefined ? undefined : this.#with(node, x, node.args[1]);
      }
      case 'sub':
        return this.#with(node, this.shift(node.args[0], factor, depth + 1), node.args[1]);
      case 'reshape':
      case 'transpose':
        return this.#with(node, this.shift(node.args[0], this.#factors(node).moveBack(factor, node, this.#builder.node(node.args[0]).shape), depth + 1));
      default:
        return undefined;
    }
  }

  #factors(node: Node): Factors {
    return new Factors(this.#builder, node.origin);
  }

  /** The node with other arguments; undefined if one of them is. */
  #with(node: Node, ...args: (NodeId | undefined)[]): NodeId | undefined {
    return args.includes(undefined) ? undefined : this.#builder.push(node.op, args as NodeId[], node.attrs, node.origin);
  }

  /** Combined ahead of time, unless that would make many bytes of few. */
  #ofStatic(op: 'mul' | 'add', node: Node, factor: Factor): NodeId | undefined {
    const factors = this.#factors(node);
    const own = factors.of(node.id);
    const combined = factors.combine(op, own, factor, node.shape);
    const size = (f: Factor): number => sizeOf(this.#builder.node(f.node).shape);
    const grows = this.#uses.of(node.id) !== 1 || size(combined) > Math.max(size(own), size(factor));
    return grows && size(combined) > SMALL ? undefined : factors.whole(combined, node.shape);
  }

  /** Into the weight, or through the operand that is no weight. */
  #contraction(node: Contraction, factor: Factor, depth: number): NodeId | undefined {
    for (const side of [1, 0] as Side[]) {
      if (!scalesWeight(node, side, factor.axes)) continue;
      const id = node.args[side];
      if (!this.#uses.isStatic(id)) {
        const scaled = node.op === 'einsum' ? this.scale(id, this.#operandFactor(node, side, factor), depth + 1) : undefined;
        if (scaled !== undefined) return this.#with(node, ...node.args.with(side, scaled));
      } else if (this.#uses.of(id) === 1) {
        return this.#with(node, ...node.args.with(side, weightTimesOutput(node, side, id, factor, this.#factors(node), this.#builder)));
      }
    }
    return undefined;
  }

  #operandFactor(node: NodeOf<'einsum'>, side: Side, factor: Factor): Factor {
    const labels = side === 0 ? node.attrs.left : node.attrs.right;
    return this.#factors(node).rename(factor, (axis) => labels.indexOf(node.attrs.out[axis]));
  }
}
