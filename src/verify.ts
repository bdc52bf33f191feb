/** The invariants of graphs; every pass must keep them. */
import { formatType } from './graph.ts';
import type { Graph, Node } from './graph.ts';
import { inferType, OPS } from './ops.ts';

/** Every broken invariant as a fact with the node it is about; empty for a good graph. */
export function verifyGraph(graph: Graph): string[] {
  const errors: string[] = [];
  graph.nodes.forEach((node, index) => {
    for (const message of nodeErrors(graph, node, index)) errors.push(`%${index} = ${message}`);
  });
  errors.push(
    ...repeated('input', namesOf(graph, 'input')),
    ...repeated('param', namesOf(graph, 'param')),
    ...repeated('output', graph.outputs.map((o) => o.name)),
    ...inputErrors(graph),
  );
  for (const { name, node } of graph.outputs) {
    if (!graph.nodes[node]) errors.push(`output '${name}' is node ${node}; there are ${graph.nodes.length}`);
  }
  return errors;
}

function nodeErrors(graph: Graph, node: Node, index: number): string[] {
  if (node.id !== index) return [`${node.op}: its id is ${node.id}`];
  if (!Object.hasOwn(OPS, node.op)) return [`${node.op}: the operation is unknown`];
  const later = node.args.find((id) => !Number.isInteger(id) || id < 0 || id >= index);
  if (later !== undefined) return [`${node.op}: its argument %${later} does not stand before it`];
  const inferred = inferType(node.op, node.args.map((id) => graph.nodes[id]), node.attrs as never);
  if (!inferred.ok) return [inferred.message];
  if (formatType(inferred.type) !== formatType(node)) return [`${node.op}: it is ${formatType(node)}, its shape rule says ${formatType(inferred.type)}`];
  return [];
}

function namesOf(graph: Graph, op: 'input' | 'param'): string[] {
  return graph.nodes.flatMap((n) => (n.op === op ? [n.attrs.name] : []));
}

function repeated(kind: string, names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.flatMap((name) => {
    if (!seen.has(name)) return seen.add(name), [];
    return [`${kind} '${name}' stands twice`];
  });
}

/** Every input node is a declared input and every declared input an input node of its name. */
function inputErrors(graph: Graph): string[] {
  const errors: string[] = [];
  for (const { name, node } of graph.inputs) {
    const found = graph.nodes[node];
    if (found?.op !== 'input') errors.push(`input '${name}' is node ${node}, which is ${found ? found.op : 'absent'}`);
    else if (found.attrs.name !== name) errors.push(`input '${name}' is node ${node}, which is named '${found.attrs.name}'`);
  }
  const declared = new Set(graph.inputs.map((i) => i.name));
  for (const name of namesOf(graph, 'input')) if (!declared.has(name)) errors.push(`input node '${name}' is no declared input`);
  return errors;
}
