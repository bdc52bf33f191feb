/**
 * Values of a graph without inputs, in double precision, asked for one at a time so that no more than what one needs lies
 * in memory. Scalars are remembered: a scale that many values are made of may itself be made of large tensors.
 */
import type { Graph, Node, NodeId, Shape } from '../graph.ts';
import type { TensorData } from '../ops/types.ts';
import { evaluateGraph } from './graph.ts';

export class StaticValues {
  readonly #scalars = new Map<NodeId, number>();

  /** `read` gives a parameter's values. */
  constructor(
    private readonly graph: Graph,
    private readonly read: (name: string, shape: Shape) => Float32Array,
  ) {}

  /** A parameter as it is, anything else evaluated, with the scalars on the way, so that nothing is computed for both. */
  of(id: NodeId): ArrayLike<number> {
    const node = this.graph.nodes[id];
    if (node.op === 'param') return this.read(node.attrs.name, node.shape);
    const scaled = this.#scaled(id);
    const cone = this.#cone(id);
    const scalars = cone.filter((n) => this.#isScalar(n) && !this.#scalars.has(n));
    const [value, ...found] = this.#evaluate(cone, [scaled?.value ?? id, ...scalars]);
    scalars.forEach((scalar, i) => this.#scalars.set(scalar, found[i][0]));
    if (scaled) {
      const factor = this.#scalars.get(scaled.by)!;
      for (let i = 0; i < value.length; i++) value[i] *= factor;
    }
    return value;
  }

  #isScalar(id: NodeId): boolean {
    const { op, shape, dtype } = this.graph.nodes[id];
    return shape.length === 0 && dtype === 'f32' && op !== 'param' && op !== 'constant';
  }

  /** A product with a scalar: it takes neither a tensor of equal values nor another one for the result. */
  #scaled(id: NodeId): { readonly value: NodeId; readonly by: NodeId } | undefined {
    const { op, args: [value, factor], dtype } = this.graph.nodes[id];
    if (op !== 'mul' || dtype !== 'f32') return undefined;
    const { op: moves, args: [by] } = this.graph.nodes[factor];
    return moves === 'broadcast' && this.#isScalar(by) ? { value, by } : undefined;
  }

  /** What a node is made of, itself too, as far as scalars that are known; in order. */
  #cone(id: NodeId): NodeId[] {
    const needed = new Set<NodeId>();
    const visit = [id];
    for (let next = visit.pop(); next !== undefined; next = visit.pop()) {
      if (needed.has(next)) continue;
      needed.add(next);
      if (!this.#scalars.has(next)) visit.push(...this.graph.nodes[next].args);
    }
    return [...needed].sort((a, b) => a - b);
  }

  /** The values of some nodes of a cone. */
  #evaluate(cone: readonly NodeId[], wanted: readonly NodeId[]): TensorData[] {
    const isNeeded = new Set(wanted);
    for (const id of cone.toReversed()) if (isNeeded.has(id) && !this.#scalars.has(id)) for (const arg of this.graph.nodes[id].args) isNeeded.add(arg);
    const needed = cone.filter((id) => isNeeded.has(id));
    const renumbered = new Map(needed.map((old, i) => [old, i]));
    const nodes = needed.map((old, i): Node => {
      const node = this.graph.nodes[old];
      const known = this.#scalars.get(old);
      if (known !== undefined) return { id: i, op: 'constant', args: [], attrs: { value: known, dtype: 'f32' }, shape: [], dtype: 'f32', origin: node.origin };
      return { ...node, id: i, args: node.args.map((a) => renumbered.get(a)!) };
    });
    const outputs = wanted.map((id, i) => ({ name: String(i), node: renumbered.get(id)!, attributes: [] }));
    const params = (name: string, shape: Shape) => ({ shape, dtype: 'f32' as const, data: new Float64Array(this.read(name, shape)) });
    const values = evaluateGraph({ ...this.graph, nodes, inputs: [], outputs }, { inputs: {}, params }, { precision: 'f64' });
    return outputs.map(({ name }) => values[name].data);
  }
}
