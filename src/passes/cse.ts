/** Common subexpressions. Afterwards no two nodes have the same operation, arguments and attributes. */
import type { Graph, NodeId } from '../graph.ts';
import { copyNode, rebuild } from '../graph-rewrite.ts';
import type { OpName } from '../ops/types.ts';
import { printFields } from '../text-value.ts';

const COMMUTATIVE: ReadonlySet<OpName> = new Set<OpName>(['add', 'mul', 'max', 'min', 'equal', 'and', 'or']);

/** Equal for nodes that compute the same value. */
export function valueKey(op: OpName, args: readonly NodeId[], attrs: object): string {
  const order = COMMUTATIVE.has(op) ? [...args].sort((a, b) => a - b) : args;
  return `${op}(${order.join()}) ${printFields(attrs)}`;
}

export function mergeEqualNodes(graph: Graph): Graph {
  const known = new Map<string, NodeId>();
  return rebuild(graph, (node, args, builder) => {
    const key = valueKey(node.op, args, node.attrs);
    const id = known.get(key) ?? copyNode(node, args, builder);
    known.set(key, id);
    return id;
  });
}

/** Pairs of nodes that still compute the same value. */
export function equalNodes(graph: Graph): string[] {
  const known = new Map<string, NodeId>();
  return graph.nodes.flatMap((node) => {
    const key = valueKey(node.op, node.args, node.attrs);
    const twin = known.get(key);
    known.set(key, twin ?? node.id);
    return twin === undefined ? [] : [`%${twin} and %${node.id} are the same ${node.op}`];
  });
}
