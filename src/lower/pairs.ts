/** Which values are worth storing in pairs: what only contractions read that would rather have it so. */
import type { Graph, NodeId } from '../graph.ts';
import type { Kernel } from '../kernel.ts';
import { chooseSteps, onPaper } from './fuse.ts';
import { isBound } from './flow.ts';
import type { LowerOptions } from './lower.ts';
import { draftStep } from './pieces.ts';

/** The parameters of a contraction's operands, where both should be in pairs. */
export type PrefersPairs = (kernel: Kernel) => readonly string[] | undefined;

/** Nodes that are stored and whose every reader is a contraction of them with a weight, which prefers pairs. */
export function valuesForPairs(graph: Graph, options: LowerOptions, prefers: PrefersPairs): Set<NodeId> {
  const finisher = onPaper(graph, options);
  // Equal layers have one kernel, whose times are predicted once.
  const preferred = new Map<Kernel, ReturnType<PrefersPairs>>();
  const wanted = new Set<NodeId>();
  const otherwise = new Set<NodeId>();
  for (const step of chooseSteps(graph, options)) {
    for (const draft of draftStep(graph, step)) {
      const { kernel, args } = finisher.finish(draft);
      if (!preferred.has(kernel)) preferred.set(kernel, prefers(kernel));
      const operands = preferred.get(kernel);
      kernel.params.forEach((param, i) => {
        const id = Number(/\d+$/.exec(args[i])![0]);
        if (param.access === 'write' || isBound(graph.nodes[id])) return;
        (operands?.includes(param.name) ? wanted : otherwise).add(id);
      });
    }
  }
  return new Set([...wanted].filter((id) => !otherwise.has(id)));
}
