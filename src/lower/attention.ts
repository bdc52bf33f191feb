/**
 * Attention as one kernel: products whose one operand is a softmax of another product take both in, and what makes the
 * queries where that is a small reduction.
 */
import type { NodeId } from '../graph.ts';
import { sizeOf } from '../graph.ts';
import type { Kernel, Stage } from '../kernel.ts';
import { matchAttention } from '../kernel-attention.ts';
import { loadsOf } from '../kernel-expr.ts';
import { matchReduce } from '../kernel-forms.ts';
import { CACHED, DISPATCH, MOVE } from './cost.ts';
import { draftNode } from './draft.ts';
import type { Finisher } from './finish.ts';
import { endsIn, isBound, type Flow } from './flow.ts';

/** The stored nodes less the scores and softmaxes that attention kernels compute. */
export function joinAttention(flow: Flow, stored: ReadonlySet<NodeId>, finisher: Finisher, accepts: (kernel: Kernel) => boolean): Set<NodeId> {
  const joined = new Set(stored);
  for (const { id, op } of flow.graph.nodes) {
    if (!stored.has(id) || !flow.live.has(id) || op === 'input' || op === 'param') continue;
    const inner = innerOf(flow, joined, id, finisher, accepts);
    if (!inner) continue;
    for (const part of inner) joined.delete(part);
    const window = queryOf(flow, joined, id, finisher, accepts);
    if (window !== undefined) joined.delete(window);
  }
  return joined;
}

/** A reduction that only the queries of an attention kernel read, where computing it there costs less than a dispatch. */
function queryOf(flow: Flow, stored: ReadonlySet<NodeId>, root: NodeId, finisher: Finisher, accepts: (kernel: Kernel) => boolean): NodeId | undefined {
  const { graph } = flow;
  const kernel = (id: NodeId, without?: NodeId): Kernel => finisher.finish(draftNode(graph, (n) => n !== without && stored.has(n), id)).kernel;
  return readBy(flow, draftNode(graph, (n) => stored.has(n), root).stages, root).find((id) => {
    const own = matchReduce(kernel(id));
    if (!own) return false;
    const elements = sizeOf(graph.nodes[id].shape);
    const loads = elements * sizeOf(own.acc.reduce.axes.map((a) => a.extent)) * loadsOf(own.acc.body).length;
    if (CACHED * loads >= DISPATCH + 2 * MOVE * elements) return false;
    const joined = kernel(root, id);
    return matchAttention(joined) !== undefined && accepts(joined);
  });
}

/** Stored nodes that the stages load and nothing but the kernel of `root` reads. */
function readBy(flow: Flow, stages: readonly Stage[], root: NodeId): NodeId[] {
  const read = new Set(stages.flatMap((s) => loadsOf(s.body).map((l) => Number(/\d+$/.exec(l.buffer)![0]))));
  return [...read].filter((id) => !isBound(flow.graph.nodes[id]) && !flow.outputs.has(id) && endsIn(flow, id, root));
}

/** Softmax and scores that nothing but the kernel of `root` reads, where it is an attention with both inside. */
function innerOf(flow: Flow, stored: ReadonlySet<NodeId>, root: NodeId, finisher: Finisher, accepts: (kernel: Kernel) => boolean): readonly NodeId[] | undefined {
  const without = (parts: readonly NodeId[]) => draftNode(flow.graph, (id) => stored.has(id) && !parts.includes(id), root);
  const ownReads = (parts: readonly NodeId[]): NodeId[] => readBy(flow, without(parts).stages, root);
  if (without([]).stages.length !== 2) return undefined;
  for (const softmax of ownReads([])) {
    if (without([softmax]).stages.length !== 4) continue;
    for (const scores of ownReads([softmax])) {
      const draft = without([softmax, scores]);
      if (draft.stages.length !== 5) continue;
      const { kernel } = finisher.finish(draft);
      if (matchAttention(kernel) && accepts(kernel)) return [softmax, scores];
    }
  }
  return undefined;
}
