/** Evaluates a graph on the CPU by the op table's reference semantics: what a graph means. */
import { formatType, sameShape, sizeOf } from '../graph.ts';
import type { Graph, Node, NodeId, Shape } from '../graph.ts';
import { fromF16, toF16 } from '../half.ts';
import { opDef } from '../ops.ts';
import type { OpName, Tensor, TensorData } from '../ops/types.ts';

/** `f64`: f32 values are kept and computed in double precision. `f32`: every scalar operation rounds to f32, sums in index order. */
export type Precision = 'f64' | 'f32';

export interface Bindings {
  /** By input name, of the input's shape and dtype. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** A parameter's values; asked once a parameter, when its first user is computed. */
  readonly params: (name: string, shape: Shape) => Tensor;
}

export interface EvaluateOptions {
  readonly precision: Precision;
  /** `f16`: parameters and the results of contractions are rounded to half, the least that storing them so costs. */
  readonly storage?: 'f32' | 'f16';
  /** `f16`: f32 inputs are rounded to half. */
  readonly inputs?: 'f32' | 'f16';
  /** Work done and work in all, in floating-point operations and values written. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Each node's value; valid during the call only. */
  readonly onNode?: (node: Node, tensor: Tensor) => void;
}

const STORED_AS_HALF: ReadonlySet<string> = new Set(['param', 'einsum', 'conv'] satisfies OpName[]);

function roundToHalf(data: TensorData): void {
  for (let i = 0; i < data.length; i++) data[i] = fromF16(toF16(data[i]));
}

/** The outputs by name. A tensor is freed after its last use. */
export function evaluateGraph(graph: Graph, bindings: Bindings, options: EvaluateOptions): Record<string, Tensor> {
  const values: (Tensor | undefined)[] = new Array(graph.nodes.length);
  const lastUse = lastUses(graph);
  const work = graph.nodes.map((node) => (node.op === 'param' && lastUse[node.id] < 0 ? 0 : workOf(graph, node)));
  const total = work.reduce((sum, w) => sum + w, 0);
  let done = 0;
  const compute = (node: Node): Tensor => {
    let tensor = evaluateNode(node, node.args.map(valueOf), bindings, options.precision);
    if (options.inputs === 'f16' && node.dtype === 'f32' && node.op === 'input') {
      // The caller's values stay as they are.
      tensor = { ...tensor, data: tensor.data.slice() };
      roundToHalf(tensor.data);
    }
    if (options.storage === 'f16' && node.dtype === 'f32' && STORED_AS_HALF.has(node.op)) roundToHalf(tensor.data);
    options.onNode?.(node, tensor);
    options.onProgress?.((done += work[node.id]), total);
    return tensor;
  };
  /** Parameters stay unread until something needs them, so that big models do not lie in memory twice. */
  const valueOf = (id: NodeId): Tensor => (values[id] ??= compute(graph.nodes[id]));

  for (const node of graph.nodes) {
    if (node.op !== 'param') valueOf(node.id);
    for (const id of node.args) if (lastUse[id] === node.id) values[id] = undefined;
    if (lastUse[node.id] < 0) values[node.id] = undefined;
  }
  return Object.fromEntries(graph.outputs.map(({ name, node }) => [name, valueOf(node)]));
}

/** The id of each node's last reader: its length for outputs, -1 where there is none. */
function lastUses(graph: Graph): Int32Array {
  const last = new Int32Array(graph.nodes.length).fill(-1);
  for (const node of graph.nodes) for (const id of node.args) last[id] = node.id;
  for (const { node } of graph.outputs) last[node] = graph.nodes.length;
  return last;
}

function workOf(graph: Graph, node: Node): number {
  const args = node.args.map((id) => graph.nodes[id]);
  return sizeOf(node.shape) + opDef(node.op).flops(args, node.attrs as never, node);
}

function evaluateNode(node: Node, args: readonly Tensor[], bindings: Bindings, precision: Precision): Tensor {
  switch (node.op) {
    case 'input':
      return bound(node.attrs.name, bindings.inputs[node.attrs.name], node, precision);
    case 'param':
      return bound(node.attrs.name, bindings.params(node.attrs.name, node.shape), node, precision);
    case 'reshape':
      // The same values in the same order: no copy is needed.
      return { shape: node.shape, dtype: node.dtype, data: args[0].data };
    default: {
      const out: Tensor = { shape: node.shape, dtype: node.dtype, data: allocate(node, precision) };
      opDef(node.op).evaluate(args, node.attrs as never, out);
      return out;
    }
  }
}

function allocate(type: Pick<Node, 'shape' | 'dtype'>, precision: Precision): TensorData {
  const size = sizeOf(type.shape);
  if (type.dtype !== 'f32') return new Int32Array(size);
  return precision === 'f64' ? new Float64Array(size) : new Float32Array(size);
}

/** A bound tensor in the evaluator's own representation. */
function bound(name: string, tensor: Tensor | undefined, node: Node, precision: Precision): Tensor {
  if (!tensor) throw new Error(`bug: '${name}' is not bound`);
  if (tensor.dtype !== node.dtype || !sameShape(tensor.shape, node.shape) || tensor.data.length !== sizeOf(node.shape)) {
    throw new Error(`bug: '${name}' is bound to ${formatType(tensor)} with ${tensor.data.length} values; it is ${formatType(node)}`);
  }
  const data = allocate(node, precision);
  if (data.constructor === tensor.data.constructor) return tensor;
  data.set(tensor.data);
  return { ...tensor, data };
}
