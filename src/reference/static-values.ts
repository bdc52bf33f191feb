/**
 * Values of a graph without inputs, in double precision, asked for one at a time so that no more than what one needs lies
 * in memory. Scalars are remembered: a scale that many values are made of may itself be made of large tensors.
 */
import type { Graph, Node, NodeId, Shape } from '../graph.ts';
import { evaluateGraph } from './graph.ts';

export class StaticValues {
  readonly #scalars = new Map<NodeId, number>();

  /** `read` gives a parameter's values. */
  constructor(
    private readonly graph: Graph,
    private readonly read: (name: string, shape: Shape) => Float32Array,
  ) {}

  /** A parameter as it is, anything else evaluated. */
  of(id: NodeId): ArrayLike<number> {
    const node = this.graph.nodes[id];
    if (node.op === 'param') return this.read(node.attrs.name, node.shape);
    const scalars = this.#cone(id, false).filter((n) => n !== id && this.#isScalar(n));
    for (const scalar of scalars) if (!this.#scalars.has(scalar)) this.#scalars.set(scalar, this.#evaluate(scalar)[0]);
    return this.#scalars.has(id) ? [this.#scalars.get(id)!] : this.#evaluate(id);
  }

  #isScalar(id: NodeId): boolean {
    const { op, shape, dtype } = this.graph.nodes[id];
    return shape.length === 0 && dtype === 'f32' && op !== 'param' && op !== 'constant';
  }

  /** What a node is made of, in order: as far as scalars that are known, or as all scalars but itself. */
  #cone(id: NodeId, toScalars: boolean): NodeId[] {
    const needed = new Set<NodeId>();
    const visit = [id];
    for (let next = visit.pop(); next !== undefined; next = visit.pop()) {
      if (needed.has(next)) continue;
      needed.add(next);
      if (next === id || !(this.#scalars.has(next) || (toScalars && this.#isScalar(next)))) visit.push(...this.graph.nodes[next].args);
    }
    return [...needed].sort((a, b) => a - b);
  }

  #evaluate(id: NodeId): ArrayLike<number> {
    const renumbered = new Map(this.#cone(id, true).map((old, i) => [old, i]));
    const nodes = [...renumbered].map(([old, i]): Node => {
      const node = this.graph.nodes[old];
      const known = old === id ? undefined : this.#scalars.get(old);
      if (known !== undefined) return { id: i, op: 'constant', args: [], attrs: { value: known, dtype: 'f32' }, shape: [], dtype: 'f32', origin: node.origin };
      return { ...node, id: i, args: node.args.map((a) => renumbered.get(a)!) };
    });
    const part: Graph = { ...this.graph, nodes, inputs: [], outputs: [{ name: 'value', node: renumbered.get(id)!, attributes: [] }] };
    const params = (name: string, shape: Shape) => ({ shape, dtype: 'f32' as const, data: new Float64Array(this.read(name, shape)) });
    return evaluateGraph(part, { inputs: {}, params }, { precision: 'f64' }).value.data;
  }
}
