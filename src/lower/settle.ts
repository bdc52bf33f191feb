/**
 * In which order of axes results are stored: as computed, or as the movement after them says. Movement costs nothing on
 * either side, so the side is taken that leaves the loops of producer and readers the simplest: a result that is stored
 * as it is computed runs along rows of tiles; one that is stored as it is read keeps the reader's axes whole. Where that
 * tells nothing, norms are stored along their rows if those that read them are products, to which either order is vectors.
 */
import type { NodeId } from '../graph.ts';
import type { Kernel } from '../kernel.ts';
import { classify, matchContraction, matchRow } from '../kernel-forms.ts';
import { loadsOf } from '../kernel-expr.ts';
import { draftNode } from './draft.ts';
import type { Finisher } from './finish.ts';
import { isBound, type Flow } from './flow.ts';

export function settleLayouts(flow: Flow, stored: ReadonlySet<NodeId>, finisher: Finisher): Set<NodeId> {
  const settled = new Set(stored);
  const readers = readersOf(flow, stored);
  for (const id of stored) {
    const before = beforeMovement(flow, stored, id);
    if (before === undefined) continue;
    const kernels = (root: NodeId): Kernel[] => {
      const isStored = (n: NodeId): boolean => n === root || (n !== id && settled.has(n));
      return [root, ...(readers.get(id) ?? [])].map((n) => finisher.finish(draftNode(flow.graph, isStored, n)).kernel);
    };
    const [moved, computed] = [kernels(id), kernels(before)];
    const sameForms = moved.every((kernel, i) => classify(kernel) === classify(computed[i]));
    const more = loops(computed) - loops(moved);
    if (!sameForms || more > 0 || (more === 0 && !followsRows(moved, computed))) continue;
    settled.delete(id);
    settled.add(before);
  }
  return settled;
}

/** What a stored node moves: the computed value before nothing but reshapes and transposes that nothing else reads. */
function beforeMovement({ graph, users, outputs }: Flow, stored: ReadonlySet<NodeId>, id: NodeId): NodeId | undefined {
  if (outputs.has(id)) return undefined;
  let at = id;
  while (graph.nodes[at].op === 'reshape' || graph.nodes[at].op === 'transpose') {
    [at] = graph.nodes[at].args;
    if (stored.has(at) || users[at].length !== 1 || outputs.has(at) || isBound(graph.nodes[at])) return undefined;
  }
  return at === id ? undefined : at;
}

/** Stored nodes whose kernels load each stored node. */
export function readersOf({ graph, live }: Flow, stored: ReadonlySet<NodeId>): Map<NodeId, NodeId[]> {
  const readers = new Map<NodeId, NodeId[]>();
  for (const id of stored) {
    if (!live.has(id) || isBound(graph.nodes[id])) continue;
    const { stages } = draftNode(graph, (n) => stored.has(n), id);
    for (const from of new Set(stages.flatMap((s) => loadsOf(s.body).map((l) => Number(/\d+$/.exec(l.buffer)![0]))))) readers.set(from, [...(readers.get(from) ?? []), id]);
  }
  return readers;
}

/** Loops of all stages: fewer are cheaper to index and tile. */
function loops(kernels: readonly Kernel[]): number {
  return kernels.reduce((n, k) => n + k.stages.reduce((m, s) => m + s.axes.length + (s.reduce?.axes.length ?? 0), 0), 0);
}

/** Whether the producer would store along its rows what it stores across them now, and none but products read it. */
function followsRows([moved, ...readers]: readonly Kernel[], [computed]: readonly Kernel[]): boolean {
  return isAlongRows(moved) === false && isAlongRows(computed) === true && readers.every((k) => matchContraction(k) !== undefined);
}

/** Whether neighbours in memory stand in one row; undefined where the kernel makes no rows. */
function isAlongRows(kernel: Kernel): boolean | undefined {
  const form = matchRow(kernel);
  const last = form?.outputs[0].axes.at(-1);
  return form && last && form.row.length > 0 ? form.row.some((a) => a.name === last.name) : undefined;
}
