/**
 * Finds the first layer that differs from a reference implementation, from a summary of what each of its modules returned.
 *
 * Modules are matched by path: a module `blocks.3.attn` of the reference is the label path `blocks.3.attn` here.
 * Layouts may differ between the two, so what is compared is the number of values, their mean and standard deviation.
 */
import { sizeOf } from '../graph.ts';
import type { Graph, NodeId, Shape } from '../graph.ts';
import type { Tensor } from '../ops/types.ts';

export interface Summary {
  readonly shape: Shape;
  readonly mean: number;
  /** Of the sample, with n - 1 in the denominator; NaN for one value. */
  readonly std: number;
  /** The first four values, row-major. */
  readonly first: readonly number[];
}

export interface ModuleComparison {
  readonly path: string;
  readonly reference: Summary;
  /** The node of this scope that comes closest, and its summary; absent where no node has as many values. */
  readonly node?: NodeId;
  readonly ours?: Summary;
  /** The larger of the differences of mean and standard deviation, over the reference's root mean square. */
  readonly error: number;
}

export interface TraceComparison {
  /** Modules that this graph has a scope for, in the order in which the reference ran them. */
  readonly modules: readonly ModuleComparison[];
  /** The first of them with an error above the tolerance. */
  readonly firstDifferent?: ModuleComparison;
}

export function summarize(tensor: Tensor): Summary {
  const { data } = tensor;
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i];
  const mean = sum / data.length;
  let squares = 0;
  for (let i = 0; i < data.length; i++) squares += (data[i] - mean) ** 2;
  return { shape: tensor.shape, mean, std: Math.sqrt(squares / (data.length - 1)), first: Array.from(data.subarray(0, 4)) };
}

/**
 * Compares the reference's modules with a run of the graph. `summaries` holds what the evaluator's `onNode` saw of the f32
 * nodes. A module's result may also be a node of the scope around it, since a reference may count an activation as part
 * of the layer before it.
 */
export function compareTrace(
  graph: Graph,
  summaries: ReadonlyMap<NodeId, Summary>,
  trace: ReadonlyMap<string, Summary>,
  tolerance = 1e-6,
): TraceComparison {
  const scopes = nodesByScope(graph, summaries);
  const modules: ModuleComparison[] = [];
  for (const [path, reference] of trace) {
    const inside = scopes.below.get(path);
    if (!inside) continue;
    const around = scopes.at.get(path.slice(0, Math.max(0, path.lastIndexOf('.')))) ?? [];
    modules.push(closest(path, reference, [...inside, ...around], summaries));
  }
  return { modules, firstDifferent: modules.find((m) => !(m.error <= tolerance)) };
}

/** Nodes whose scope is exactly a path, and nodes whose scope is it or lies below it. */
function nodesByScope(graph: Graph, summaries: ReadonlyMap<NodeId, Summary>): { at: Map<string, NodeId[]>; below: Map<string, NodeId[]> } {
  const at = new Map<string, NodeId[]>();
  const below = new Map<string, NodeId[]>();
  const add = (map: Map<string, NodeId[]>, path: string, id: NodeId): void => {
    const list = map.get(path);
    if (list) list.push(id);
    else map.set(path, [id]);
  };
  for (const { id, origin } of graph.nodes) {
    if (!summaries.has(id)) continue;
    add(at, origin.scope, id);
    for (let path = origin.scope; path; path = path.slice(0, Math.max(0, path.lastIndexOf('.')))) add(below, path, id);
  }
  return { at, below };
}

function closest(path: string, reference: Summary, candidates: readonly NodeId[], summaries: ReadonlyMap<NodeId, Summary>): ModuleComparison {
  let best: ModuleComparison = { path, reference, error: Infinity };
  const size = sizeOf(reference.shape);
  for (const node of candidates) {
    const ours = summaries.get(node)!;
    if (sizeOf(ours.shape) !== size) continue;
    const error = distance(ours, reference);
    if (error < best.error || best.ours === undefined) best = { path, reference, node, ours, error };
  }
  return best;
}

function distance(ours: Summary, reference: Summary): number {
  const scale = Math.hypot(reference.mean, size1(reference) ? 0 : reference.std) || 1;
  const spread = size1(reference) ? 0 : Math.abs(ours.std - reference.std);
  return Math.max(Math.abs(ours.mean - reference.mean), spread) / scale;
}

/** One value has no spread. */
function size1(summary: Summary): boolean {
  return sizeOf(summary.shape) === 1;
}

/** One line a person can read. */
export function formatModule(m: ModuleComparison): string {
  const show = (s: Summary): string => `[${s.shape.join(', ')}] mean ${s.mean.toPrecision(6)} std ${s.std.toPrecision(6)} first ${s.first.map((v) => v.toPrecision(5)).join(' ')}`;
  return `${m.path}: error ${m.error.toExponential(1)}\n  reference ${show(m.reference)}\n  ours      ${m.ours ? show(m.ours) : 'no node of this size'}`;
}
