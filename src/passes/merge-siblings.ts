/**
 * Joins linear maps of one value by static weights into one: queries, keys and values of an attention become one
 * product with the weights side by side, and slices of it. Only where what follows is movement into contractions, so
 * that no activation loses its place in the product's own kernel.
 */
import { sizeOf } from '../graph.ts';
import type { Graph, Node, NodeId, NodeOf } from '../graph.ts';
import { GraphBuilder } from '../graph-builder.ts';
import { copyNode, finish, usersOf } from '../graph-rewrite.ts';
import { opDef } from '../ops.ts';
import { staticNodes } from './static-nodes.ts';

/** Joined weights stay well below the size of the smallest guaranteed binding. */
const MAX_WEIGHTS = 2 ** 24;

/** einsum(x, weight), and perhaps a bias along the last axis of the result. */
interface Sibling {
  readonly product: NodeOf<'einsum'>;
  /** The vector that is added, before its broadcast. */
  readonly bias?: NodeId;
  /** The product, or the sum with the bias. */
  readonly result: Node;
  /** Axes of the weight and of the result along which siblings are joined. */
  readonly weightAxis: number;
  readonly axis: number;
}

export function mergeSiblings(graph: Graph): Graph {
  const groups = siblingGroups(graph);
  if (groups.length === 0) return graph;
  const groupOf = new Map(groups.flatMap((group) => group.map((s) => [s.product.id, group] as const)));
  const known = staticNodes(graph);
  const builder = new GraphBuilder();
  const renamed: NodeId[] = [];
  const copy = (node: Node): void => void (renamed[node.id] ??= copyNode(node, node.args.map((id) => renamed[id]), builder));
  // Static nodes first: all weights of a group stand before its first product.
  for (const node of graph.nodes) if (known[node.id]) copy(node);
  for (const node of graph.nodes) {
    const group = groupOf.get(node.id);
    if (group) merge(group, renamed, builder);
    else copy(node);
  }
  return finish(graph, builder, renamed);
}

/** Groups that the pass would join, as facts; none after it. */
export function unmergedSiblings(graph: Graph): string[] {
  return siblingGroups(graph).map((group) => `${group.map((s) => `%${s.product.id}`).join(', ')} are linear maps of one value`);
}

function merge(group: readonly Sibling[], renamed: NodeId[], builder: GraphBuilder): void {
  const [{ product, axis, weightAxis }] = group;
  if (renamed[product.id] !== undefined) return;
  const { origin } = product;
  const weight = builder.push('concat', group.map((s) => renamed[s.product.args[1]]), { axis: weightAxis }, origin);
  let result = builder.push('einsum', [renamed[product.args[0]], weight], product.attrs, origin);
  if (group.some((s) => s.bias !== undefined)) {
    const bias = builder.push('concat', group.map((s) => (s.bias === undefined ? zeros(s, builder) : renamed[s.bias])), { axis: 0 }, origin);
    const spread = builder.push('broadcast', [bias], { shape: builder.type(result).shape }, origin);
    result = builder.push('add', [result, spread], {}, group.find((s) => s.bias !== undefined)!.result.origin);
  }
  let start = 0;
  for (const { product: own, result: { id, shape, origin: at } } of group) {
    const part = { start: shape.map((_, i) => (i === axis ? start : 0)), size: shape, step: shape.map(() => 1) };
    renamed[id] = builder.push('slice', [result], part, at);
    // Nothing reads the product but its bias, which is in the slice already.
    renamed[own.id] ??= renamed[id];
    start += shape[axis];
  }
}

function zeros({ result: { shape, origin }, axis }: Sibling, builder: GraphBuilder): NodeId {
  return builder.push('broadcast', [builder.push('constant', [], { value: 0, dtype: 'f32' }, origin)], { shape: [shape[axis]] }, origin);
}

function siblingGroups(graph: Graph): Sibling[][] {
  const users = usersOf(graph);
  const known = staticNodes(graph);
  const outputs = new Set(graph.outputs.map((o) => o.node));
  const groups = new Map<string, Sibling[]>();
  for (const node of graph.nodes) {
    if (node.op !== 'einsum' || known[node.id]) continue;
    const sibling = siblingOf(graph, node, users, known, outputs);
    if (!sibling || !feedsContractions(graph, sibling.result.id, users, outputs)) continue;
    const key = keyOf(graph, sibling);
    const group = groups.get(key) ?? [];
    const size = [...group, sibling].reduce((n, s) => n + sizeOf(graph.nodes[s.product.args[1]].shape), 0);
    if (size <= MAX_WEIGHTS) groups.set(key, [...group, sibling]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

function siblingOf(graph: Graph, product: NodeOf<'einsum'>, users: readonly (readonly NodeId[])[], known: Uint8Array, outputs: ReadonlySet<NodeId>): Sibling | undefined {
  const [x, weight] = product.args;
  const { left, right, out } = product.attrs;
  const own = right.filter((label) => !left.includes(label));
  if (!known[weight] || known[x] || own.length !== 1 || !out.includes(own[0])) return undefined;
  const weightAxis = right.indexOf(own[0]);
  const axis = out.indexOf(own[0]);
  const [only, ...others] = users[product.id];
  const sum = only === undefined ? undefined : graph.nodes[only];
  if (sum?.op === 'add' && others.length === 0 && !outputs.has(product.id) && axis === out.length - 1) {
    const spread = graph.nodes[sum.args.find((id) => id !== product.id) ?? product.id];
    const bias = spread.op === 'broadcast' ? spread.args[0] : undefined;
    if (bias !== undefined && known[bias] && graph.nodes[bias].shape.length === 1 && graph.nodes[bias].shape[0] === product.shape[axis]) return { product, bias, result: sum, weightAxis, axis };
  }
  return { product, result: product, weightAxis, axis };
}

/** What siblings have in common: the value and how its axes are used; all extents but the joined one follow from that. */
function keyOf(graph: Graph, { product, weightAxis, axis }: Sibling): string {
  const { left, right, out } = product.attrs;
  const place = (label: string): number => left.indexOf(label);
  const weight = graph.nodes[product.args[1]];
  return [product.args[0], weight.dtype, right.map(place), weightAxis, out.map(place), axis].join(';');
}

/** Whether the value goes through movement into contractions, and nowhere else. */
function feedsContractions(graph: Graph, id: NodeId, users: readonly (readonly NodeId[])[], outputs: ReadonlySet<NodeId>): boolean {
  if (outputs.has(id) || users[id].length === 0) return false;
  return users[id].every((user) => {
    const { op } = graph.nodes[user];
    const group = opDef(op).class;
    return group === 'contraction' || (group === 'movement' && op !== 'concat' && op !== 'pad' && feedsContractions(graph, user, users, outputs));
  });
}
