/**
 * Operands of products in pairs (pair.ts): a value is multiplied, where it is made, by a power of two that brings what it
 * can be at most to the upper end of f16; so is the weight that it meets, and the product is multiplied by the inverse of
 * both. What a value can be at most is known when weights are packed (magnitude.ts), so that nothing is looked for at run
 * time. Powers of two change no digit.
 */
import { paramsOf } from '../graph.ts';
import type { Graph, Node, NodeId, NodeOf, Origin } from '../graph.ts';
import { GraphBuilder } from '../graph-builder.ts';
import { copyNode, finish, usersOf } from '../graph-rewrite.ts';
import type { OpName } from '../ops/types.ts';
import { compact, removeDeadNodes } from './dce.ts';
import { Magnitudes, type Bound } from './magnitude.ts';
import type { SplitGraph } from './static.ts';

export interface PairedGraph extends SplitGraph {
  /** Nodes of the main graph that are stored in pairs, if they are stored. */
  readonly pairs: ReadonlySet<NodeId>;
}

/** What bounds are brought to: rounding may add to it, and f16 ends at twice as much. */
const TOP = 2 ** 15;
/** Bounds below are taken for this one: scales, and the inverse of two of them, stay finite. */
const LEAST = 2 ** -40;

/**
 * How loose a bound may be: of a value in pairs 2^-41 of what it can be at most is lost, and 2^14 times as much is an eighth
 * of what f32 loses.
 */
const LOOSEST = 2 ** 14;

/** Operations that leave a common factor of what they move where it is. */
const MOVES: ReadonlySet<OpName> = new Set<OpName>(['reshape', 'transpose', 'slice', 'broadcast', 'concat']);

type Contraction = NodeOf<'einsum'> | NodeOf<'conv'>;

/** A value, and the products that are all that reads it, through movement perhaps. */
interface Operand {
  readonly value: NodeId;
  /** The value and what it is moved to. */
  readonly moved: ReadonlySet<NodeId>;
  readonly products: readonly { readonly node: Contraction; readonly side: 0 | 1; readonly weight: NodeOf<'param'> }[];
}

/** The same model with those of the values in pairs that only products with weights read, and of which a bound is known. */
export function storeInPairs(split: SplitGraph, values: ReadonlySet<NodeId>): PairedGraph {
  return new Pairing(split).run(values);
}

class Pairing {
  readonly #main: Graph;
  readonly #users: readonly (readonly NodeId[])[];
  readonly #weights = new GraphBuilder();
  readonly #paramNode = new Map<string, NodeId>();
  readonly #added: { readonly name: string; readonly node: NodeId }[] = [];
  readonly #names: Set<string>;
  readonly #magnitudes: Magnitudes;
  readonly #builder = new GraphBuilder();
  /** Nodes of the old graph in the new one, as they are and times their scale. */
  readonly #plain: NodeId[] = [];
  readonly #scaled = new Map<NodeId, NodeId>();
  readonly #pairedWeights = new Map<string, { readonly node: NodeId; readonly scale: NodeId }>();

  constructor(private readonly split: SplitGraph) {
    this.#main = split.main;
    this.#users = usersOf(split.main);
    for (const node of split.weights.nodes) copyNode(node, node.args, this.#weights);
    for (const { name, node } of split.weights.outputs) this.#paramNode.set(name, node);
    this.#names = new Set(this.#paramNode.keys());
    this.#magnitudes = new Magnitudes(split.main, this.#weights, (name) => this.#paramNode.get(name)!);
  }

  run(values: ReadonlySet<NodeId>): PairedGraph {
    const { nodes } = this.#main;
    const byNode = new Map<NodeId, { readonly operand: Operand; readonly scale: Bound }>();
    const products = new Map<NodeId, { readonly operand: Operand; readonly scale: Bound; readonly side: 0 | 1; readonly weight: NodeOf<'param'> }>();
    for (const value of values) {
      const operand = this.#operand(value);
      const bound = operand && this.#magnitudes.looseness(value) <= LOOSEST ? this.#magnitudes.of(value) : undefined;
      if (!operand || bound === undefined) continue;
      const scale = this.#scaleOf(bound, nodes[value].origin);
      byNode.set(value, { operand, scale });
      for (const { node, side, weight } of operand.products) products.set(node.id, { operand, scale, side, weight });
    }
    const moved = new Set([...byNode.values()].flatMap(({ operand }) => [...operand.moved]));
    for (const node of nodes) {
      const product = products.get(node.id);
      this.#plain.push(product ? this.#product(node as Contraction, product) : copyNode(node, node.args.map((a) => this.#plain[a]), this.#builder));
      const own = byNode.get(node.id);
      if (own) this.#scaled.set(node.id, this.#times(this.#plain[node.id], own.scale, `${own.operand.products[0].weight.attrs.name}~scale`, node));
      else if (moved.has(node.id)) this.#scaled.set(node.id, copyNode(node, node.args.map((a) => this.#scaled.get(a)!), this.#builder));
    }
    return this.#compact(finish(this.#main, this.#builder, this.#plain));
  }

  /** Undefined where anything but products with weights reads the value. */
  #operand(value: NodeId): Operand | undefined {
    const { nodes, outputs } = this.#main;
    const moved = new Set([value]);
    const products: Operand['products'][number][] = [];
    // In order: what a node moves has been seen before it.
    const queue = [value];
    for (const id of queue) {
      if (outputs.some((o) => o.node === id)) return undefined;
      for (const user of this.#users[id]) {
        const node = nodes[user];
        if (moved.has(user)) continue;
        if (MOVES.has(node.op)) {
          // A concat of it with anything else has no common factor; one of its parts waits until all have been seen.
          if (!node.args.every((a) => moved.has(a))) {
            if (!node.args.every((a) => a < node.id && this.#comesFrom(a, value))) return undefined;
            continue;
          }
          moved.add(user);
          queue.push(user);
          continue;
        }
        if ((node.op !== 'einsum' && node.op !== 'conv') || node.args[0] === node.args[1]) return undefined;
        const side = node.args[0] === id ? 0 : 1;
        const weight = this.#weightOf(node.args[1 - side]);
        if (!weight || (node.op === 'conv' && side === 1)) return undefined;
        products.push({ node, side, weight });
      }
    }
    return products.length > 0 ? { value, moved, products } : undefined;
  }

  /** Whether a node is nothing but the value, moved. */
  #comesFrom(id: NodeId, value: NodeId): boolean {
    if (id === value) return true;
    const { op, args } = this.#main.nodes[id];
    return id > value && MOVES.has(op) && args.every((a) => this.#comesFrom(a, value));
  }

  /** The parameter that an operand is, or a view of. */
  #weightOf(id: NodeId): NodeOf<'param'> | undefined {
    let node = this.#main.nodes[id];
    while (MOVES.has(node.op) && node.op !== 'concat') node = this.#main.nodes[node.args[0]];
    return node.op === 'param' && node.dtype === 'f32' ? node : undefined;
  }

  #product(node: Contraction, { scale, side, weight }: { readonly scale: Bound; readonly side: 0 | 1; readonly weight: NodeOf<'param'> }): NodeId {
    const paired = this.#pairedWeight(weight);
    const operands = [this.#scaled.get(node.args[side])!, this.#viewOf(node.args[1 - side], paired.node)];
    const product = copyNode(node, side === 0 ? operands : operands.toReversed(), this.#builder);
    const both = this.#combine('mul', this.#node(scale, node.origin), paired.scale, node.origin);
    const inverse = this.#combine('div', this.#number(1, node.origin), both, node.origin);
    return this.#times(product, { node: inverse }, `${weight.attrs.name}~unscale`, node);
  }

  /** A weight's view of it in pairs. */
  #viewOf(id: NodeId, paired: NodeId): NodeId {
    const node = this.#main.nodes[id];
    return node.op === 'param' ? paired : copyNode(node, [this.#viewOf(node.args[0], paired)], this.#builder);
  }

  #pairedWeight({ id, attrs, shape, origin }: NodeOf<'param'>): { readonly node: NodeId; readonly scale: NodeId } {
    let paired = this.#pairedWeights.get(attrs.name);
    if (!paired) {
      const source = this.#paramNode.get(attrs.name)!;
      const scale = this.#node(this.#scaleOf(this.#magnitudes.of(id)!, origin), origin);
      const product = this.#combine('mul', source, this.#weights.push('broadcast', [scale], { shape }, origin), origin);
      const name = this.#fresh(`${attrs.name}~pair`);
      this.#added.push({ name, node: product });
      paired = { node: this.#builder.push('param', [], { ...attrs, name }, origin), scale };
      this.#pairedWeights.set(attrs.name, paired);
    }
    return paired;
  }

  /** The node times a scale, which is a constant or one more parameter. */
  #times(id: NodeId, scale: Bound, wish: string, { shape, origin }: Node): NodeId {
    let factor: NodeId;
    if (typeof scale === 'number') factor = this.#builder.push('constant', [], { value: scale, dtype: 'f32' }, origin);
    else {
      const name = this.#fresh(wish);
      this.#added.push({ name, node: scale.node });
      factor = this.#builder.push('param', [], { name, shape: [], dtype: 'f32', buffer: false }, origin);
    }
    return this.#builder.push('mul', [id, this.#builder.push('broadcast', [factor], { shape }, origin)], {}, origin);
  }

  /** The power of two that brings a bound to TOP, or to as much as half of it. */
  #scaleOf(bound: Bound, origin: Origin): Bound {
    if (typeof bound === 'number') return 2 ** Math.floor(Math.log2(TOP / Math.max(bound, LEAST)));
    const most = this.#combine('max', bound.node, this.#number(LEAST, origin), origin);
    const exponent = this.#combine('div', this.#unary('log', this.#combine('div', this.#number(TOP, origin), most, origin), origin), this.#number(Math.LN2, origin), origin);
    return { node: this.#combine('pow', this.#number(2, origin), this.#unary('floor', exponent, origin), origin) };
  }

  #node(bound: Bound, origin: Origin): NodeId {
    return typeof bound === 'number' ? this.#number(bound, origin) : bound.node;
  }

  #number(value: number, origin: Origin): NodeId {
    return this.#weights.push('constant', [], { value, dtype: 'f32' }, origin);
  }

  #unary(op: 'log' | 'floor', id: NodeId, origin: Origin): NodeId {
    return this.#weights.push(op, [id], {}, origin);
  }

  #combine(op: 'mul' | 'div' | 'max' | 'pow', a: NodeId, b: NodeId, origin: Origin): NodeId {
    return this.#weights.push(op, [a, b], {}, origin);
  }

  #fresh(wish: string): string {
    let name = wish;
    for (let i = 2; this.#names.has(name); i++) name = `${wish}.${i}`;
    this.#names.add(name);
    return name;
  }

  /** Without what nothing needs any more, in either graph. */
  #compact(whole: Graph): PairedGraph {
    const { graph: main, renamed } = compact(whole);
    const names = new Set(paramsOf(main).map((p) => p.attrs.name));
    const { nodes: _, outputs, ...parts } = this.split.weights;
    const all = [...outputs, ...this.#added.map((o) => ({ ...o, attributes: [] }))];
    const weights = removeDeadNodes(this.#weights.finish({ ...parts, outputs: all.filter((o) => names.has(o.name)) }));
    const pairs = [...this.#scaled.values(), ...[...this.#pairedWeights.values()].map((w) => w.node)].flatMap((id) => renamed[id] ?? []);
    return { main, weights, pairs: new Set(pairs) };
  }
}
