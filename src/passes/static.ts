/**
 * Splits what is known before any input is from the model: static values worth evaluating ahead become named tensors,
 * outputs of a graph of their own, and parameters of the main graph.
 *
 * Afterwards the main graph computes static values only where a kernel has them for free: movement of parameters,
 * and short element-wise expressions of iota or of broadcasts that would grow if they were stored.
 */
import { sizeOf } from '../graph.ts';
import type { Graph, GraphOutput, Node, NodeId, NodeOf } from '../graph.ts';
import { GraphBuilder } from '../graph-builder.ts';
import { copyNode, countUses, finish } from '../graph-rewrite.ts';
import { OPS } from '../ops.ts';
import type { OpName } from '../ops/types.ts';
import { valueKey } from './cse.ts';
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
/** A derived value is stored in the order in which it is read. */
const REARRANGEMENTS: ReadonlySet<OpName> = new Set<OpName>(['reshape', 'transpose']);

export function splitStatic(graph: Graph): SplitGraph {
  const { read, stored } = planStorage(graph);
  const weights = new WeightsBuilder(graph, stored);
  const builder = new GraphBuilder();
  const renamed: NodeId[] = [];
  const params = new Map<string, NodeId>();
  for (const node of graph.nodes) {
    weights.visit(node);
    if (stored[node.id]) {
      const { name, buffer } = weights.store(node);
      renamed[node.id] = params.get(name) ?? builder.push('param', [], { name, shape: node.shape, dtype: node.dtype, buffer }, node.origin);
      params.set(name, renamed[node.id]);
    } else if (read[node.id]) {
      renamed[node.id] = copyNode(node, node.args.map((id) => renamed[id]), builder);
    }
  }
  return { main: finish(graph, builder, renamed), weights: weights.finish() };
}

interface StoragePlan {
  /** 1 for each node that the main graph has, computed or stored. */
  readonly read: Uint8Array;
  /** 1 for each static one of them that is stored. */
  readonly stored: Uint8Array;
}

function planStorage(graph: Graph): StoragePlan {
  const count = graph.nodes.length;
  const known = staticNodes(graph);
  const uses = countUses(graph);
  const worth = new Uint8Array(count);
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
    const [source] = node.args;
    const rearranged = REARRANGEMENTS.has(node.op) && worth[source] && graph.nodes[source].op !== 'param' && uses[source] === 1;
    if (!rearranged && !isWorthStoring(node, bytes, bytesRead[node.id], ops[node.id])) continue;
    worth[node.id] = 1;
    bytesRead[node.id] = bytes;
    ops[node.id] = 0;
  }
  const read = new Uint8Array(count);
  for (const { node } of [...graph.inputs, ...graph.outputs]) read[node] = 1;
  for (let id = count - 1; id >= 0; id--) if (read[id] && !worth[id]) for (const arg of graph.nodes[id].args) read[arg] = 1;
  return { read, stored: read.map((r, id) => r & worth[id]) };
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

/** What is known of a static value by old id. */
interface Provenance {
  /** The parameter that it is named after: one of its own size, or else the largest that it is made of. */
  readonly param?: NodeOf<'param'>;
  /** Whether nothing trained is part of it. */
  readonly buffer: boolean;
}

class WeightsBuilder {
  readonly #graph: Graph;
  readonly #builder = new GraphBuilder();
  /** Whether each old node is part of a stored value. */
  readonly #part: Uint8Array;
  readonly #provenance: Provenance[] = [];
  /** Old ids to ids here. */
  readonly #copies: NodeId[] = [];
  readonly #byValue = new Map<string, NodeId>();
  /** Names of stored values by id here. */
  readonly #names = new Map<NodeId, string>();
  readonly #taken: Set<string>;
  readonly #outputs: GraphOutput[] = [];

  constructor(graph: Graph, stored: Uint8Array) {
    this.#graph = graph;
    this.#part = Uint8Array.from(stored);
    for (let id = graph.nodes.length - 1; id >= 0; id--) if (this.#part[id]) for (const arg of graph.nodes[id].args) this.#part[arg] = 1;
    this.#taken = new Set(graph.nodes.flatMap((n) => (n.op === 'param' ? [n.attrs.name] : [])));
  }

  /** Takes note of the next node of the old graph. */
  visit(node: Node): void {
    const parts = node.args.map((id) => this.#provenance[id]);
    const params = node.op === 'param' ? [node] : parts.flatMap((p) => p.param ?? []);
    const size = sizeOf(node.shape);
    const largest = params.length > 0 ? params.reduce((best, p) => (sizeOf(p.shape) > sizeOf(best.shape) ? p : best)) : undefined;
    const param = params.find((p) => sizeOf(p.shape) === size) ?? largest;
    this.#provenance.push({ param, buffer: node.op === 'param' ? node.attrs.buffer : parts.every((p) => p.buffer) });
    if (!this.#part[node.id]) return;
    const args = node.args.map((id) => this.#copies[id]);
    const key = valueKey(node.op, args, node.attrs);
    const id = this.#byValue.get(key) ?? copyNode(node, args, this.#builder);
    this.#byValue.set(key, id);
    this.#copies[node.id] = id;
  }

  /** Makes a static node an output, once for each value. */
  store(node: Node): { readonly name: string; readonly buffer: boolean } {
    const id = this.#copies[node.id];
    let name = this.#names.get(id);
    if (name === undefined) {
      name = node.op === 'param' ? node.attrs.name : this.#fresh(node);
      this.#names.set(id, name);
      this.#outputs.push({ name, node: id, attributes: [] });
    }
    return { name, buffer: this.#provenance[node.id].buffer };
  }

  finish(): Graph {
    return this.#builder.finish({ name: this.#graph.name, inputs: [], outputs: this.#outputs, weightRules: this.#graph.weightRules });
  }

  /** `patch_embed.conv.weight~scaled`; a number follows where that is taken. */
  #fresh(node: Node): string {
    if (REARRANGEMENTS.has(node.op)) return this.#fresh(this.#graph.nodes[node.args[0]]);
    const base = this.#provenance[node.id].param?.attrs.name ?? node.origin.scope;
    const first = `${base}~${suffixOf(node.op)}`;
    let name = first;
    for (let i = 2; this.#taken.has(name); i++) name = `${first}.${i}`;
    this.#taken.add(name);
    return name;
  }
}
