/** Attention as one kernel: products whose one operand is a softmax of another product take both in. */
import type { NodeId } from '../graph.ts';
import type { Kernel } from '../kernel.ts';
import { matchAttention } from '../kernel-attention.ts';
import { loadsOf } from '../kernel-expr.ts';
import { draftNode } from './draft.ts';
import type { Finisher } from './finish.ts';
import { endsIn, isBound, type Flow } from './flow.ts';

/** The stored nodes less the scores and softmaxes that attention kernels compute. */
export function joinAttention(flow: Flow, stored: ReadonlySet<NodeId>, finisher: Finisher, accepts: (kernel: Kernel) => boolean): Set<NodeId> {
  const joined = new Set(stored);
  for (const { id, op } of flow.graph.nodes) {
    if (!stored.has(id) || !flow.live.has(id) || op === 'input' || op === 'param') continue;
    const inner = innerOf(flow, joined, id, finisher, accepts);
    for (const part of inner ?? []) joined.delete(part);
  }
  return joined;
}

/** Softmax and scores that nothing but the kernel of `root` reads, where it is an attention with both inside. */
function innerOf(flow: Flow, stored: ReadonlySet<NodeId>, root: NodeId, finisher: Finisher, accepts: (kernel: Kernel) => boolean): readonly NodeId[] | undefined {
  const without = (parts: readonly NodeId[]) => draftNode(flow.graph, (id) => stored.has(id) && !parts.includes(id), root);
  const ownReads = (parts: readonly NodeId[]): NodeId[] =>
    [...new Set(without(parts).stages.flatMap((s) => loadsOf(s.body).map((l) => Number(/\d+$/.exec(l.buffer)![0]))))].filter(
      (id) => !isBound(flow.graph.nodes[id]) && !flow.outputs.has(id) && endsIn(flow, id, root),
    );
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
