/**
 * Splits what is known before any input is from the model: static values worth evaluating ahead become named tensors,
 * outputs of a graph of their own, and parameters of the main graph.
 *
 * Afterwards the main graph computes static values only where a kernel has them for free: movement of parameters,
 * and short element-wise expressions of iota or of broadcasts that would grow if they were stored.
 */
import { sizeOf } from '../graph.ts';
import type { Graph, GraphOutput, Node, NodeId } from '../graph.ts';
import { GraphBuilder } from '../graph-builder.ts';
import { copyNode, finish } from '../graph-rewrite.ts';
import { OPS } from '../ops.ts';
import type { OpName } from '../ops/types.ts';
import { valueKey } from './cse.ts';
import { removeDeadNodes } from './dce.ts';
import { staticNodes } from './static-nodes.ts';

export interface SplitGraph {
  /** The model; its parameters are outputs of `weights`. */
  readonly main: Graph;
  /** The original parameters to the main graph's: an output of the same name as each parameter of `main`. No inputs. */
  readonly weights: Graph;
}

/** A stored value this small is worth its bytes even where it is larger than what it is made of. */
const SMALL_BYTES = 2 ** 20;
/** An expression of iota with no more operations is computed where it is used. */
const FREE_OPS = 4;
const BYTES = 4;

const TRANSCENDENTAL: ReadonlySet<OpName> = new Set<OpName>(['exp', 'log', 'sin', 'cos', 'tanh', 'erf', 'sigmoid', 'pow']);
/** Movement that never needs storing: the indices of a read change. */
const FREE_MOVES: ReadonlySet<OpName> = new Set<OpName>(['reshape', 'transpose', 'broadcast', 'slice']);

export function splitStatic(graph: Graph): SplitGraph {
  const known = staticNodes(graph);
  const plan = planHoisting(graph, known);
  const weights = new WeightsBuilder(graph);
  const builder = new GraphBuilder();
  const renamed: NodeId[] = [];
  const params = new Map<string, NodeId>();
  for (const node of graph.nodes) {
    if (known[node.id] && plan.hoisted[node.id]) {
      if (!plan.needed[node.id]) continue;
      const name = weights.hoist(node);
      const buffer = weights.isBuffer(node.id);
      renamed[node.id] = params.get(name) ?? builder.push('param', [], { name, shape: node.shape, dtype: node.dtype, buffer }, node.origin);
      params.set(name, renamed[node.id]);
    } else {
      renamed[node.id] = copyNode(node, node.args.map((id) => renamed[id]), builder);
    }
  }
  return { main: removeDeadNodes(finish(graph, builder, renamed)), weights: weights.finish() };
}

interface HoistPlan {
  /** 1 for each static node that is stored rather than computed in the main graph. */
  readonly hoisted: Uint8Array;
  /** 1 for each hoisted node that the main graph reads. */
  readonly needed: Uint8Array;
}

function planHoisting(graph: Graph, known: Uint8Array): HoistPlan {
  const count = graph.nodes.length;
  const hoisted = new Uint8Array(count);
  /** What the main graph reads from memory to have the value. */
  const bytesRead = new Float64Array(count);
  /** Element-wise operations that the main graph computes to have the value. */
  const ops = new Float64Array(count);
  for (const node of graph.nodes) {
    if (!known[node.id]) continue;
    for (const id of new Set(node.args)) {
      bytesRead[node.id] += bytesRead[id];
      ops[node.id] += ops[id];
    }
    if (OPS[node.op].class === 'elementwise') ops[node.id]++;
    const bytes = sizeOf(node.shape) * BYTES;
    if (!isWorthStoring(node, bytes, bytesRead[node.id], ops[node.id])) continue;
    hoisted[node.id] = 1;
    bytesRead[node.id] = bytes;
    ops[node.id] = 0;
  }
  const needed = new Uint8Array(count);
  for (const node of graph.nodes) if (!hoisted[node.id]) for (const id of node.args) needed[id] = hoisted[id];
  for (const { node } of graph.outputs) needed[node] = hoisted[node];
  return { hoisted, needed };
}

/** `bytesRead` and `ops`: what the value costs where it is used, if it is not stored. */
function isWorthStoring({ op }: Node, bytes: number, bytesRead: number, ops: number): boolean {
  if (op === 'param') return true;
  if (op === 'constant' || op === 'iota' || FREE_MOVES.has(op)) return false;
  const kind = OPS[op].class;
  if (kind === 'reduction' || kind === 'contraction' || kind === 'gather' || kind === 'order' || TRANSCENDENTAL.has(op)) return true;
  if (bytesRead === 0) return ops > FREE_OPS && bytes <= SMALL_BYTES;
  return bytes <= Math.max(SMALL_BYTES, bytesRead);
}

/** What a derived tensor's name says of how it came about. */
function suffixOf(op: OpName): string {
  if (op === 'mul' || op === 'div') return 'scaled';
  return op === 'add' || op === 'sub' ? 'shifted' : op;
}

class WeightsBuilder {
  readonly #graph: Graph;
  readonly #builder = new GraphBuilder();
  readonly #copies = new Map<NodeId, NodeId>();
  readonly #byValue = new Map<string, NodeId>();
  /** Names of stored values by node of the weights graph. */
  readonly #names = new Map<NodeId, string>();
  readonly #taken: Set<string>;
  readonly #outputs: GraphOutput[] = [];
  /** By old id: the largest parameter that a value is made of. */
  readonly #mainParam: (Node | undefined)[] = [];
  readonly #buffers: boolean[] = [];

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#taken = new Set(graph.nodes.flatMap((n) => (n.op === 'param' ? [n.attrs.name] : [])));
    for (const node of graph.nodes) {
      const parts = node.args.flatMap((id) => this.#mainParam[id] ?? []);
      if (node.op === 'param') parts.push(node);
      this.#mainParam.push(parts.reduce<Node | undefined>((best, p) => (best && sizeOf(best.shape) >= sizeOf(p.shape) ? best : p), undefined));
      this.#buffers.push(node.op === 'param' ? node.attrs.buffer : node.args.every((id) => this.#buffers[id]));
    }
  }

  /** Whether nothing trained is part of a value. */
  isBuffer(id: NodeId): boolean {
    return this.#buffers[id];
  }

  /** Makes a static node an output, once for each value; returns its name. */
  hoist(node: Node): string {
    const id = this.#copy(node);
    let name = this.#names.get(id);
    if (name === undefined) {
      name = node.op === 'param' ? node.attrs.name : this.#fresh(node);
      this.#names.set(id, name);
      this.#outputs.push({ name, node: id, attributes: [] });
    }
    return name;
  }

  finish(): Graph {
    return this.#builder.finish({ name: this.#graph.name, inputs: [], outputs: this.#outputs, weightRules: this.#graph.weightRules });
  }

  #copy(node: Node): NodeId {
    let id = this.#copies.get(node.id);
    if (id === undefined) {
      const args = node.args.map((arg) => this.#copy(this.#graph.nodes[arg]));
      const key = valueKey(node.op, args, node.attrs);
      id = this.#byValue.get(key) ?? copyNode(node, args, this.#builder);
      this.#byValue.set(key, id);
      this.#copies.set(node.id, id);
    }
    return id;
  }

  /** `patch_embed.conv.weight~scaled`; a number follows where that is taken. */
  #fresh(node: Node): string {
    const param = this.#mainParam[node.id];
    const base = param?.op === 'param' ? param.attrs.name : node.origin.scope;
    const first = `${base}~${suffixOf(node.op)}`;
    let name = first;
    for (let i = 2; this.#taken.has(name); i++) name = `${first}.${i}`;
    this.#taken.add(name);
    return name;
  }
}
