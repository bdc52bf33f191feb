/**
 * Magnitudes: how large the elements of a value can get for any finite inputs at all. Norms and softmaxes bound what
 * inputs do not; weights are unknown until they are packed, so a bound that depends on them is a scalar of the weights
 * graph.
 *
 * Bounds are those of real numbers: what rounding to f32 adds, such as in long sums, is for the reader of a bound to
 * allow for. They hold for results that are numbers: where a sum overflows on the way, NaN is no magnitude. In turn, a
 * bound whose scalar comes out infinite or NaN says nothing.
 */
import { sizeOf } from '../graph.ts';
import type { Graph, Node, NodeId, NodeOf, Origin } from '../graph.ts';
import type { GraphBuilder } from '../graph-builder.ts';
import type { OpAttrs, OpName } from '../ops/types.ts';
import { valueKey } from './cse.ts';
import { MagnitudeForms } from './magnitude-forms.ts';
import { staticNodes } from './static-nodes.ts';

/** A bound of a value's magnitudes: a number, or a scalar (shape []) of the weights graph. */
export type Bound = number | { readonly node: NodeId };

/** How a node's bound comes from those of some of its arguments; there is none where one of them has none. */
interface BoundRule {
  readonly reads: readonly NodeId[];
  /** Called when the bound is asked for, since it may append to the weights graph. */
  readonly bound: (read: readonly Bound[]) => Bound;
  /** How loose the bound is where those that are read are so loose; as the loosest of them, where absent. */
  readonly looseness?: (read: readonly number[]) => number;
}

/** Quotients by less are not bounded: the divisor may become zero in f32. */
const LEAST_DIVISOR = 2 ** -126;

const fixed = (bound: number, looseness = 1): BoundRule => ({ reads: [], bound: () => bound, looseness: () => looseness });
const sameAs = (argument: NodeId): BoundRule => ({ reads: [argument], bound: ([x]) => x });

export class Magnitudes {
  readonly #main: Graph;
  readonly #paramNode: (name: string) => NodeId;
  readonly #scalars: Scalars;
  readonly #forms: MagnitudeForms;
  readonly #known: Uint8Array;
  /** By node of the main graph, as far as anyone asked; undefined where nothing bounds the node. */
  readonly #rules: (BoundRule | undefined)[] = [];
  readonly #looseness: number[] = [];
  readonly #bounds = new Map<NodeId, Bound>();
  /** Static nodes of the main graph in the weights graph. */
  readonly #copies = new Map<NodeId, NodeId>();

  /** `weights` holds the weights graph's nodes and gets those of bounds; `paramNode` gives the node there that a parameter of `main` is. */
  constructor(main: Graph, weights: GraphBuilder, paramNode: (name: string) => NodeId) {
    this.#main = main;
    this.#paramNode = paramNode;
    this.#scalars = new Scalars(weights);
    this.#forms = new MagnitudeForms(main);
    this.#known = staticNodes(main);
  }

  /** A bound of |x| for every element x of a node of the main graph; undefined where there is none. */
  of(id: NodeId): Bound | undefined {
    this.#decide(id);
    if (!this.#rules[id]) return undefined;
    const bound = settle(id, this.#bounds, (i) => this.#rules[i]!.reads, (i) => {
      const { reads, bound } = this.#rules[i]!;
      return bound(reads.map((read) => this.#bounds.get(read)!));
    });
    return typeof bound !== 'number' || Number.isFinite(bound) ? bound : undefined;
  }

  /**
   * How many times as large the bound is, about, as what comes of usual inputs and weights: values of a normed row are near
   * 1 and one may be the root of their number; terms of a sum, of which the bound takes all for of one sign, are of either,
   * and their sum is near the root of their number. Infinity where nothing bounds the value.
   */
  looseness(id: NodeId): number {
    this.#decide(id);
    return this.#looseness[id];
  }

  /** Whether there are bounds is decided first, so that nothing is appended for arguments of what has none. */
  #decide(id: NodeId): void {
    for (const node of this.#main.nodes.slice(this.#rules.length, id + 1)) {
      const found = this.#rule(node);
      const rule = found?.reads.every((read) => this.#rules[read]) ? found : undefined;
      const read = rule?.reads.map((r) => this.#looseness[r]) ?? [];
      this.#rules.push(rule);
      this.#looseness.push(!rule ? Infinity : rule.looseness ? rule.looseness(read) : Math.max(1, ...read));
    }
  }

  #rule(node: Node): BoundRule | undefined {
    const { args, origin } = node;
    const scalars = this.#scalars;
    switch (node.op) {
      case 'param':
        return node.dtype === 'f32' ? { reads: [], bound: () => scalars.greatest(this.#copy(node.id), [], origin) } : undefined;
      case 'constant':
        return Number.isFinite(node.attrs.value) ? fixed(Math.abs(node.attrs.value)) : undefined;
      case 'iota':
        return fixed(node.attrs.n - 1);
      case 'reshape':
      case 'transpose':
      case 'slice':
      case 'broadcast':
      case 'gather':
      case 'neg':
      case 'abs':
      case 'reduceMax':
      case 'reduceMin':
        return sameAs(args[0]);
      case 'concat':
      case 'max':
      case 'min':
        return this.#greatest(args, 0, origin);
      case 'where':
        return this.#greatest(args.slice(1), 0, origin);
      case 'pad':
        return Number.isFinite(node.attrs.value) ? this.#greatest(args, Math.abs(node.attrs.value), origin) : undefined;
      case 'sigmoid':
      case 'erf':
      case 'tanh':
      case 'sin':
      case 'cos':
        return fixed(1);
      case 'exp':
        return this.#forms.isNotPositive(args[0]) ? fixed(1) : { reads: args, bound: ([x]) => scalars.exp(x, origin), looseness: ([x]) => Math.exp(x) };
      case 'sqrt':
        return { reads: args, bound: ([x]) => scalars.power(x, 0.5, origin), looseness: ([x]) => Math.sqrt(x) };
      case 'floor':
        return { reads: args, bound: ([x]) => scalars.sum(x, 1, origin) };
      case 'cast':
        return node.dtype === 'bool' || this.#main.nodes[args[0]].dtype === 'bool' ? fixed(1) : sameAs(args[0]);
      case 'add':
      case 'sub':
        return { reads: args, bound: ([x, y]) => scalars.sum(x, y, origin) };
      case 'mul':
        return this.#norm(node) ?? { reads: args, bound: ([x, y]) => scalars.product(x, y, origin), looseness: ([x, y]) => x * y };
      case 'div':
        return this.#norm(node) ?? (this.#forms.softmaxAxes(node.id) ? fixed(1) : this.#quotient(node));
      case 'pow': {
        const exponent = this.#forms.constant(args[1]);
        return exponent !== undefined && exponent >= 0 && exponent < Infinity ? { reads: [args[0]], bound: ([x]) => scalars.power(x, exponent, origin), looseness: ([x]) => x ** exponent } : undefined;
      }
      case 'reduceSum':
        return this.#sum(args[0], sizeOf(this.#main.nodes[args[0]].shape) / sizeOf(node.shape), origin);
      case 'pool':
        return node.attrs.kind === 'max' ? sameAs(args[0]) : this.#sum(args[0], sizeOf(node.attrs.window), origin);
      case 'einsum':
        return this.#einsum(node);
      case 'conv':
        return this.#conv(node);
      case 'input':
      case 'log':
      case 'rsqrt':
      case 'not':
      case 'mod':
      case 'equal':
      case 'less':
      case 'lessEqual':
      case 'and':
      case 'or':
      case 'argsort':
        return undefined;
      default:
        throw new Error(`bug: ${(node satisfies never as Node).op} has no bound`);
    }
  }

  #greatest(args: readonly NodeId[], least: number, origin: Origin): BoundRule {
    return { reads: args, bound: (read) => read.reduce((x, y) => this.#scalars.max(x, y, origin), least) };
  }

  #sum(argument: NodeId, count: number, origin: Origin): BoundRule {
    return { reads: [argument], bound: ([x]) => this.#scalars.product(x, count, origin), looseness: ([x]) => x * Math.sqrt(count) };
  }

  #norm(node: NodeOf<'mul'> | NodeOf<'div'>): BoundRule | undefined {
    const bound = this.#forms.norm(node);
    // That of a single value: of a root of a mean square, the root of how many there are.
    return bound === undefined ? undefined : fixed(bound, Math.max(1, bound));
  }

  /** i32 quotients are rounded down, away from zero where they are negative; nobody needs their bound. */
  #quotient({ args, dtype, origin }: NodeOf<'div'>): BoundRule | undefined {
    const divisor = Math.abs(this.#forms.constant(args[1]) ?? 0);
    return dtype === 'f32' && divisor >= LEAST_DIVISOR ? { reads: [args[0]], bound: ([x]) => this.#scalars.product(x, 1 / divisor, origin) } : undefined;
  }

  #einsum(node: NodeOf<'einsum'>): BoundRule {
    const { args: [x, y], attrs, origin } = node;
    const averaged = this.#forms.averaged(node);
    if (averaged !== undefined) return sameAs(averaged);
    const isSummed = (label: string): boolean => !attrs.out.includes(label);
    /** How many elements the labels of `own` that are summed, and are none of `other`, stand for. */
    const count = (id: NodeId, own: readonly string[], other: readonly string[]): number =>
      sizeOf(this.#main.nodes[id].shape.filter((_, axis) => isSummed(own[axis]) && !other.includes(own[axis])));
    const weight = this.#known[y] ? 1 : this.#known[x] ? 0 : undefined;
    if (weight === undefined) {
      const all = count(x, attrs.left, []) * count(y, attrs.right, attrs.left);
      return { reads: [x, y], bound: ([a, b]) => this.#scalars.product(this.#scalars.product(a, b, origin), all, origin), looseness: ([a, b]) => a * b * Math.sqrt(all) };
    }
    const [value, w, labels] = weight === 1 ? [x, y, attrs.right] : [y, x, attrs.left];
    // Where a label of the value alone is summed, each product is there that many times.
    const repeats = weight === 1 ? count(x, attrs.left, attrs.right) : count(y, attrs.right, attrs.left);
    const axes = labels.flatMap((label, axis) => (isSummed(label) ? [axis] : []));
    return this.#weighted(value, w, axes, repeats, origin);
  }

  /** Every output channel's sum of products; padded places are zero and add nothing. */
  #conv({ args: [x, w], origin }: NodeOf<'conv'>): BoundRule | undefined {
    const axes = this.#main.nodes[w].shape.map((_, axis) => axis).slice(1);
    return this.#known[w] ? this.#weighted(x, w, axes, 1, origin) : undefined;
  }

  /** Sums over `axes` of a static tensor times a value, `repeats` times. */
  #weighted(value: NodeId, w: NodeId, axes: readonly number[], repeats: number, origin: Origin): BoundRule {
    const scalars = this.#scalars;
    const { shape } = this.#main.nodes[w];
    return {
      reads: [value],
      bound: ([x]) => scalars.product(scalars.product(x, repeats, origin), scalars.greatest(this.#copy(w), axes, origin), origin),
      looseness: ([x]) => x * Math.sqrt(repeats * sizeOf(axes.map((axis) => shape[axis]))),
    };
  }

  /** A static node in the weights graph. */
  #copy(id: NodeId): NodeId {
    const { nodes } = this.#main;
    return settle(id, this.#copies, (i) => nodes[i].args, (i) => {
      const node = nodes[i];
      return node.op === 'param' ? this.#paramNode(node.attrs.name) : this.#scalars.append(node.op, node.args.map((arg) => this.#copies.get(arg)!), node.attrs, node.origin);
    });
  }
}

/** Makes what `id` stands for after all that it reads, without recursion: chains of nodes may be longer than the stack. */
function settle<T>(id: NodeId, made: Map<NodeId, T>, reads: (id: NodeId) => readonly NodeId[], make: (id: NodeId) => T): T {
  const stack = [id];
  for (let top = id; stack.length > 0; top = stack[stack.length - 1]) {
    const missing = made.has(top) ? undefined : reads(top).find((read) => !made.has(read));
    if (missing !== undefined) {
      stack.push(missing);
      continue;
    }
    if (!made.has(top)) made.set(top, make(top));
    stack.pop();
  }
  return made.get(id)!;
}

/** Arithmetic of bounds: numbers at once, anything else by nodes appended to the weights graph, equal ones once. */
class Scalars {
  readonly #builder: GraphBuilder;
  readonly #byValue = new Map<string, NodeId>();

  constructor(builder: GraphBuilder) {
    this.#builder = builder;
  }

  sum(x: Bound, y: Bound, origin: Origin): Bound {
    if (typeof x === 'number' && typeof y === 'number') return x + y;
    return this.#endless(x, y) ?? (x === 0 ? y : y === 0 ? x : this.#binary('add', x, y, origin));
  }

  product(x: Bound, y: Bound, origin: Origin): Bound {
    if (x === 0 || y === 0) return 0;
    if (typeof x === 'number' && typeof y === 'number') return x * y;
    return this.#endless(x, y) ?? (x === 1 ? y : y === 1 ? x : this.#binary('mul', x, y, origin));
  }

  max(x: Bound, y: Bound, origin: Origin): Bound {
    if (typeof x === 'number' && typeof y === 'number') return Math.max(x, y);
    if (typeof x !== 'number' && typeof y !== 'number' && x.node === y.node) return x;
    return this.#endless(x, y) ?? (x === 0 ? y : y === 0 ? x : this.#binary('max', x, y, origin));
  }

  exp(x: Bound, origin: Origin): Bound {
    return typeof x === 'number' ? Math.exp(x) : { node: this.append('exp', [x.node], {}, origin) };
  }

  /** For exponents of at least 0. */
  power(x: Bound, exponent: number, origin: Origin): Bound {
    if (typeof x === 'number') return x ** exponent;
    if (exponent === 0.5) return { node: this.append('sqrt', [x.node], {}, origin) };
    return exponent === 0 ? 1 : exponent === 1 ? x : this.#binary('pow', x, exponent, origin);
  }

  /** The greatest sum of |w| over `axes`; the greatest |w| where there are none. */
  greatest(w: NodeId, axes: readonly number[], origin: Origin): Bound {
    let node = this.append('abs', [w], {}, origin);
    if (axes.length > 0) node = this.append('reduceSum', [node], { axes }, origin);
    const rest = this.#builder.type(node).shape.map((_, axis) => axis);
    return { node: rest.length > 0 ? this.append('reduceMax', [node], { axes: rest }, origin) : node };
  }

  append<K extends OpName>(op: K, args: readonly NodeId[], attrs: OpAttrs[K], origin: Origin): NodeId {
    const key = valueKey(op, args, attrs);
    const id = this.#byValue.get(key) ?? this.#builder.push(op, args, attrs, origin);
    this.#byValue.set(key, id);
    return id;
  }

  /** Numbers that overflowed stay numbers: in the graph, zero times infinity would be no bound any more. */
  #endless(x: Bound, y: Bound): number | undefined {
    return [x, y].some((bound) => typeof bound === 'number' && !Number.isFinite(bound)) ? Infinity : undefined;
  }

  #binary(op: 'add' | 'mul' | 'max' | 'pow', x: Bound, y: Bound, origin: Origin): Bound {
    const [a, b] = [x, y].map((bound) => (typeof bound === 'number' ? this.append('constant', [], { value: bound, dtype: 'f32' }, origin) : bound.node));
    return { node: this.append(op, [a, b], {}, origin) };
  }
}
