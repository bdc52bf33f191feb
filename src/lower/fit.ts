/** Keeps kernels within the buffers that a target lets them bind: what reads too many is computed in parts. */
import type { Graph, NodeId } from '../graph.ts';
import { isHeavy } from './cost.ts';
import { isBound } from './flow.ts';

/**
 * Stored nodes and more: while the kernel of one binds more than `maxBuffers`, the value inside it that reads the most,
 * but no more than fits, is stored too. Concats are left alone: their kernels can be cut.
 */
export function fitBuffers(graph: Graph, stored: ReadonlySet<NodeId>, maxBuffers: number): Set<NodeId> {
  const fitted = new Set(stored);
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (!fitted.has(id) || isBound(graph.nodes[id])) continue;
    for (let part = tooMuch(graph, fitted, id, maxBuffers); part !== undefined; part = tooMuch(graph, fitted, id, maxBuffers)) fitted.add(part);
  }
  return fitted;
}

/** What to store so that the kernel of `root` reads less; undefined where it fits, or where nothing can be done. */
function tooMuch(graph: Graph, stored: ReadonlySet<NodeId>, root: NodeId, maxBuffers: number): NodeId | undefined {
  const loads = new Map<NodeId, ReadonlySet<NodeId>>();
  const heavy = new Set<NodeId>();
  const leaves = (id: NodeId): ReadonlySet<NodeId> => {
    if (id !== root && stored.has(id)) return new Set([id]);
    let own = loads.get(id);
    if (!own) {
      const { args, op } = graph.nodes[id];
      own = new Set(args.flatMap((a) => [...leaves(a)]));
      if (isHeavy(graph.nodes[id]) || args.some((a) => heavy.has(a))) heavy.add(id);
      // The ranks take the argument's place.
      if (op === 'argsort') own = new Set([id]);
      loads.set(id, own);
    }
    return own;
  };
  if (leaves(root).size + 1 <= maxBuffers) return undefined;
  let best: NodeId | undefined;
  for (const [id, own] of loads) {
    const { op } = graph.nodes[id];
    if (id === root || heavy.has(id) || own.size < 2 || own.size + 1 > maxBuffers || op === 'concat') continue;
    if (best === undefined || own.size > loads.get(best)!.size || (own.size === loads.get(best)!.size && id > best)) best = id;
  }
  return best;
}
