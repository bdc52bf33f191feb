/** How values flow through a graph: live nodes, users, and immediate post-dominators. */
import type { Graph, Node, NodeId } from '../graph.ts';

/** Stands for the end of the graph, after all outputs. */
export const EXIT = Infinity;

export interface Flow {
  readonly graph: Graph;
  readonly live: ReadonlySet<NodeId>;
  readonly outputs: ReadonlySet<NodeId>;
  /** Live users of each node, each once, in order. */
  readonly users: readonly (readonly NodeId[])[];
  /** The first node that every path from a node to an output goes through; EXIT where there is none. */
  readonly postDominator: readonly NodeId[];
}

export function flowOf(graph: Graph): Flow {
  const outputs = new Set(graph.outputs.map((o) => o.node));
  const live = new Set<NodeId>();
  const visit = [...outputs];
  while (visit.length > 0) {
    const id = visit.pop()!;
    if (live.has(id)) continue;
    live.add(id);
    visit.push(...graph.nodes[id].args);
  }
  const users: NodeId[][] = graph.nodes.map(() => []);
  for (const id of live) for (const arg of new Set(graph.nodes[id].args)) users[arg].push(id);
  for (const list of users) list.sort((a, b) => a - b);
  return { graph, live, outputs, users, postDominator: postDominators(graph, outputs, users) };
}

function postDominators(graph: Graph, outputs: ReadonlySet<NodeId>, users: readonly (readonly NodeId[])[]): NodeId[] {
  const dominator = new Array<NodeId>(graph.nodes.length).fill(EXIT);
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (outputs.has(id) || users[id].length === 0) continue;
    // Ids grow along every path: the nearer of two is followed until they meet.
    dominator[id] = users[id].reduce((a, b) => {
      while (a !== b) {
        if (a < b) a = dominator[a];
        else b = dominator[b];
      }
      return a;
    });
  }
  return dominator;
}

/** The nodes on paths from `from` to its post-dominator `to`: without `from`, with `to`. */
export function between(flow: Flow, from: NodeId, to: NodeId): Set<NodeId> {
  const found = new Set<NodeId>([to]);
  const visit = [from];
  while (visit.length > 0) {
    for (const user of flow.users[visit.pop()!]) {
      if (found.has(user)) continue;
      found.add(user);
      visit.push(user);
    }
  }
  return found;
}

/** Whether all values of a node end in `root`. */
export function endsIn({ postDominator }: Flow, id: NodeId, root: NodeId): boolean {
  let at = id;
  while (at < root) at = postDominator[at];
  return at === root;
}

/** Whether the node's values come from outside. */
export function isBound(node: Node): boolean {
  return node.op === 'input' || node.op === 'param';
}
