/**
 * When a value is worth storing: what it costs to compute it at every use against storing it once and loading it at
 * every use. Costs are in bytes of memory traffic an element, arithmetic converted at the rate of a GPU whose balance is
 * about 16 operations a byte.
 */
import type { Node, NodeId, NodeOf } from '../graph.ts';
import { sizeOf } from '../graph.ts';
import type { BinaryName, UnaryName } from '../kernel.ts';
import type { OpName } from '../ops/types.ts';
import { opDef } from '../ops.ts';
import { isBound, type Flow } from './flow.ts';

/** Loading or storing one f32. */
export const MOVE = 4;
/** Loading from a tensor so much smaller that its values stay in a cache. */
export const CACHED = 0.5;
const SMALLER = 8;
const CHEAP = 0.25;
const EXPENSIVE = 2;
/** One select of a concat or pad. */
const SELECT = 0.5;
/** What another dispatch costs, in bytes that could have been moved meanwhile. */
export const DISPATCH = 1 << 19;
/** Neighbouring results that share a loaded operand in a contraction's tile. */
const TILE = 64;

const TRANSCENDENTAL = new Set<OpName | UnaryName | BinaryName>(['exp', 'log', 'sin', 'cos', 'tanh', 'erf', 'sigmoid', 'pow', 'sqrt', 'rsqrt']);

/** What an element-wise operation costs. */
export function operationCost(op: OpName | UnaryName | BinaryName): number {
  return TRANSCENDENTAL.has(op) ? EXPENSIVE : CHEAP;
}

/** Whether the operation becomes a reduce stage. */
export function isHeavy({ op }: Node): boolean {
  return op === 'einsum' || op === 'conv' || op === 'pool' || op === 'argsort' || isReduction({ op });
}

export function isReduction({ op }: { readonly op: OpName }): boolean {
  return op === 'reduceSum' || op === 'reduceMax' || op === 'reduceMin';
}

/** Costs under a growing set of stored nodes; ask in topological order. */
export class Costs {
  readonly #cost: number[] = [];

  constructor(
    private readonly flow: Flow,
    private readonly stored: (id: NodeId) => boolean,
  ) {}

  /** Computing one element where the node is not stored, loads included. */
  compute(id: NodeId): number {
    return (this.#cost[id] ??= this.#computed(this.flow.graph.nodes[id]));
  }

  /** Getting one element of `id` for an element of a value of `size` elements. */
  #read(id: NodeId, size: number): number {
    const node = this.flow.graph.nodes[id];
    if (!isBound(node) && !this.stored(id) && !isHeavy(node)) return this.compute(id);
    return sizeOf(node.shape) * SMALLER <= size ? CACHED : MOVE;
  }

  #computed(node: Node): number {
    const size = sizeOf(node.shape);
    const reads = node.args.map((id) => this.#read(id, size));
    const sum = reads.reduce((a, b) => a + b, 0);
    switch (node.op) {
      case 'constant':
      case 'iota':
        return 0;
      case 'concat':
        return Math.max(...reads) + SELECT * (reads.length - 1);
      case 'pad':
        return sum + SELECT;
      default:
        return opDef(node.op).class === 'movement' ? sum : sum + operationCost(node.op);
    }
  }

  /** Whether storing the node is cheaper than computing it `times` times for each element. */
  worthStoring(id: NodeId, times: number): boolean {
    const cost = this.compute(id);
    return times * cost > cost + MOVE + times * MOVE + DISPATCH / sizeOf(this.flow.graph.nodes[id].shape);
  }
}

/** How often a user computes each element of its argument, where the argument is not stored. */
export function timesUsed(flow: Flow, user: Node, arg: NodeId): number {
  const { nodes } = flow.graph;
  const size = sizeOf(nodes[arg].shape);
  switch (user.op) {
    case 'einsum': {
      const { left, right, out } = user.attrs;
      return Math.max(...user.args.flatMap((id, side) => {
        if (id !== arg) return [];
        const own = side === 0 ? left : right;
        return [tiles(out.reduce((n, label, i) => (own.includes(label) ? n : n * user.shape[i]), 1))];
      }));
    }
    case 'conv': {
      const [x, w] = user.args;
      if (arg === w && arg !== x) return tiles(sizeOf(user.shape) / user.shape[1]);
      const [outputs, , ...window] = nodes[w].shape;
      return windowReuse(user.attrs, window) * tiles(outputs / user.attrs.groups);
    }
    case 'pool':
      return windowReuse(user.attrs, user.attrs.window);
    default:
      return Math.max(1, isHeavy(user) ? 1 : sizeOf(user.shape) / (opDef(user.op).class === 'movement' && user.op !== 'broadcast' ? sizeOf(user.shape) : size));
  }
}

export const tiles = (extent: number): number => Math.ceil(extent / TILE);

/** Windows that an element stands in. */
function windowReuse({ stride }: Pick<NodeOf<'conv'>['attrs'], 'stride'>, window: readonly number[]): number {
  return window.reduce((n, w, i) => n * Math.max(1, w / stride[i]), 1);
}
