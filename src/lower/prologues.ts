/**
 * Norms inside of the products that read them: a stored row whose every reader is a contraction is computed by these
 * instead, its reductions in a prologue and the rest where the operand is loaded. Each tile of columns computes them
 * again, from rows that it is about to load anyway: worth it where a dispatch costs more, not for wide products of
 * large tensors.
 */
import type { NodeId } from '../graph.ts';
import { sizeOf } from '../graph.ts';
import type { Axis, Expr, Kernel } from '../kernel.ts';
import { axesOfExpr, stageRefsOf, visitExpr } from '../kernel-expr.ts';
import { classify, matchContraction, matchRow, type ContractionForm, type ReduceStage } from '../kernel-forms.ts';
import { CACHED, DISPATCH, MOVE, operationCost, tiles } from './cost.ts';
import { draftNode } from './draft.ts';
import type { Finisher } from './finish.ts';
import { isBound, type Flow } from './flow.ts';
import { readersOf } from './settle.ts';

/** Whether a contraction that computes a prologue, `after`, runs as well as it did without. */
export type AcceptsPrologue = (before: Kernel, after: Kernel) => boolean;

/** The stored nodes less those that contractions compute in their prologues. */
export function joinPrologues(flow: Flow, stored: ReadonlySet<NodeId>, finisher: Finisher, maxBuffers: number, accepts: AcceptsPrologue): Set<NodeId> {
  const { graph } = flow;
  const joined = new Set(stored);
  const readers = readersOf(flow, stored);
  for (const { id } of graph.nodes) {
    const users = readers.get(id) ?? [];
    if (!joined.has(id) || isBound(graph.nodes[id]) || flow.outputs.has(id) || users.length === 0) continue;
    const kernel = (root: NodeId, without?: NodeId): Kernel => finisher.finish(draftNode(graph, (n) => n !== without && joined.has(n), root)).kernel;
    const own = kernel(id);
    if (classify(own) !== 'row') continue;
    let cost = 0;
    const joins = users.every((user) => {
      const [before, after] = [kernel(user), kernel(user, id)];
      const form = matchContraction(after);
      if (!form || form.prologue.length === 0 || classify(before) !== 'reduce' || after.params.length > maxBuffers || !accepts(before, after)) return false;
      cost += prologueCost(form);
      return true;
    });
    if (joins && cost < rowCost(own)) joined.delete(id);
  }
  return joined;
}

/** Of the reductions and of what is computed where the operand is loaded: for each tile of the other operand. */
function prologueCost({ prologue, left, right, batch, m, n, k }: ContractionForm): number {
  const [operand, own, other] = stageRefsOf(left).length > 0 ? [left, m, n] : [right, n, m];
  const rows = points([...batch, ...own]);
  const reductions = CACHED * points(prologue[0].stage.reduce.axes) + reduceCost(prologue.map((p) => p.stage));
  return tiles(points(other)) * rows * (reductions + points(k) * arithmetic(operand, k));
}

/** Of a kernel that reads rows, writes them, and is a dispatch. */
function rowCost(kernel: Kernel): number {
  const { outer, row, stages, outputs } = matchRow(kernel)!;
  const reductions = MOVE * points(stages[0].stage.reduce.axes) + reduceCost(stages.map((s) => s.stage));
  return DISPATCH + points(outer) * (reductions + points(row) * outputs.reduce((sum, o) => sum + MOVE + arithmetic(o.body, row), 0));
}

function reduceCost(stages: readonly ReduceStage[]): number {
  return stages.reduce((sum, { body, reduce: { axes } }) => sum + points(axes) * arithmetic(body, axes), 0);
}

const points = (axes: readonly Axis[]): number => sizeOf(axes.map((a) => a.extent));

/** What a point of the axes costs; what does not depend on them is computed once for all. */
function arithmetic(e: Expr, along: readonly Axis[]): number {
  let sum = 0;
  visitExpr(e, (part) => {
    if ((part.kind === 'unary' || part.kind === 'binary') && along.some((a) => axesOfExpr(part).has(a.name))) sum += operationCost(part.op);
  });
  return sum;
}
