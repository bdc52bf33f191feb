import type { Graph, Node, NodeId } from '../graph.ts';
import type { Box } from './draft.ts';
import type { LowerOptions } from './lower.ts';

/** One stored node: its kernel reads what `stored` says and computes the rest. */
export interface Step {
  readonly node: NodeId;
  readonly stored: (id: NodeId) => boolean;
  /** Computed by one call for each of these parts of its domain, rather than by one. */
  readonly boxes?: readonly Box[];
}

/** The nodes that are stored, in an order in which they can be computed. */
export function chooseStored(graph: Graph, options: LowerOptions): Step[] {
  const live = liveNodes(graph);
  const stored = options.fuse ? everyOperation(graph) : everyOperation(graph);
  const isStored = (id: NodeId): boolean => stored.has(id);
  return graph.nodes.filter((n) => live.has(n.id) && stored.has(n.id) && !isBound(n)).map((n) => ({ node: n.id, stored: isStored }));
}

function everyOperation(graph: Graph): Set<NodeId> {
  const views = new Set(['constant', 'iota', 'reshape', 'broadcast']);
  const outputs = new Set(graph.outputs.map((o) => o.node));
  return new Set(graph.nodes.filter((n) => !views.has(n.op) || outputs.has(n.id)).map((n) => n.id));
}

/** Whether the node's values come from outside. */
export function isBound(node: Node): boolean {
  return node.op === 'input' || node.op === 'param';
}

/** Nodes that some output needs. */
export function liveNodes(graph: Graph): Set<NodeId> {
  const live = new Set<NodeId>();
  const visit = graph.outputs.map((o) => o.node);
  while (visit.length > 0) {
    const id = visit.pop()!;
    if (live.has(id)) continue;
    live.add(id);
    visit.push(...graph.nodes[id].args);
  }
  return live;
}
