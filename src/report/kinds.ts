/**
 * What every dispatch of a plan mostly is. Softmax and normalization are found by how values flow, whatever they are
 * called and however they are split into kernels: a sum of exponentials; a square root of a sum.
 */
import type { Expr, Kernel } from '../kernel.ts';
import { loadsOf, stageRefsOf, visitExpr } from '../kernel-expr.ts';
import type { OpClass, OpName } from '../ops/types.ts';
import { opDef } from '../ops.ts';
import type { Plan } from '../plan.ts';
import type { Kind } from './types.ts';

/** One stage of one dispatch. */
interface StageNode {
  readonly step: number;
  readonly body: Expr;
  readonly reduce?: 'sum' | 'max' | 'min';
  /** Whether its dispatch computes a matrix product or convolution. */
  readonly contracts: boolean;
  /** Whether it reads a weight. */
  readonly weighted: boolean;
  readonly sources: StageNode[];
  readonly users: StageNode[];
  /** Where its references and loads get their values, by the key of the expression. */
  readonly origin: Map<string, StageNode[]>;
}

export function kindsOf(plan: Pick<Plan, 'kernels' | 'steps' | 'buffers'>): Kind[] {
  const nodes = stageGraph(plan);
  const softmax = new Set(nodes.flatMap(softmaxAround));
  const norm = new Set(nodes.flatMap(normAround));
  const byStep = new Map<number, StageNode[]>();
  for (const n of nodes) byStep.set(n.step, [...(byStep.get(n.step) ?? []), n]);
  return plan.steps.map((step, i): Kind => {
    const stages = byStep.get(i) ?? [];
    const classes = new Set(step.call.ops.map((op) => opDef(op.op as OpName).class));
    const has = (...wanted: OpClass[]): boolean => wanted.some((c) => classes.has(c));
    if (has('contraction')) return 'contraction';
    if (stages.some((s) => softmax.has(s))) return 'softmax';
    if (stages.some((s) => norm.has(s))) return 'normalization';
    if (has('order')) return 'order';
    if (has('reduction') || stages.some((s) => s.reduce)) return 'reduction';
    return has('elementwise') ? 'elementwise' : 'movement';
  });
}

function stageGraph({ kernels, steps, buffers }: Pick<Plan, 'kernels' | 'steps' | 'buffers'>): StageNode[] {
  const weights = new Set(buffers.filter((b) => b.space === 'weights').map((b) => b.buffer.id));
  const writers = new Map<string, StageNode[]>();
  const nodes: StageNode[] = [];
  steps.forEach((step, i) => {
    const { kernel } = kernels[step.kernel];
    const contracts = step.call.ops.some((op) => opDef(op.op as OpName).class === 'contraction');
    const argOf = new Map(kernel.params.map((p, k) => [p.name, step.args[k]]));
    const own = new Map<string, StageNode>();
    for (const stage of kernel.stages) {
      const origin = new Map<string, StageNode[]>();
      const loads = loadsOf(stage.body);
      for (const { buffer } of loads) origin.set(`load ${buffer}`, writers.get(argOf.get(buffer)!) ?? []);
      for (const { stage: name } of stageRefsOf(stage.body)) origin.set(`stage ${name}`, [own.get(name)!]);
      const sources = [...new Set([...origin.values()].flat())];
      const node: StageNode = { step: i, body: stage.body, reduce: stage.reduce?.op, contracts, weighted: loads.some((l) => weights.has(argOf.get(l.buffer)!)), sources, users: [], origin };
      for (const source of sources) source.users.push(node);
      own.set(stage.name, node);
      nodes.push(node);
    }
    for (const store of kernel.stores) {
      const id = argOf.get(store.buffer)!;
      // Outputs that only pass a reduction on stand for it.
      const { body } = kernel.stages.find((s) => s.name === store.stage)!;
      writers.set(id, [...(writers.get(id) ?? []), own.get(body.kind === 'stage' ? body.stage : store.stage)!]);
    }
  });
  return nodes;
}

function originsOf(e: Expr, node: StageNode): readonly StageNode[] {
  return node.origin.get(e.kind === 'load' ? `load ${e.buffer}` : e.kind === 'stage' ? `stage ${e.stage}` : '') ?? [];
}

/** The stage in which the value of `e` is an exponential, as it is or behind moves. */
function exponential(e: Expr, node: StageNode, depth = 0): StageNode | undefined {
  if (e.kind === 'unary') return e.op === 'exp' ? node : undefined;
  if (e.kind === 'select') return exponential(e.then, node, depth) ?? exponential(e.else, node, depth);
  if (depth > REACH) return undefined;
  for (const origin of originsOf(e, node)) {
    const found = origin.reduce ? undefined : exponential(origin.body, origin, depth + 1);
    if (found) return found;
  }
  return undefined;
}

/** How many stages a pattern may be spread over. */
const REACH = 6;

/** Stages that a stage's value depends on without another reduction between; reductions met are included. */
function upstream(from: StageNode, depth = REACH): Set<StageNode> {
  const seen = new Set<StageNode>();
  let front = [from];
  for (let i = 0; i < depth && front.length > 0; i++) {
    front = front.flatMap((n) => n.sources).filter((n) => !seen.has(n));
    for (const n of front) seen.add(n);
    front = front.filter((n) => !n.reduce && !n.contracts);
  }
  return seen;
}

/** The part of `among` that depends on one of `reductions` directly or through it. */
function between(reductions: readonly StageNode[], among: ReadonlySet<StageNode>): StageNode[] {
  const found = new Set(reductions);
  let front: StageNode[] = [...reductions];
  while (front.length > 0) {
    front = front.flatMap((n) => n.users).filter((n) => among.has(n) && !found.has(n));
    for (const n of front) found.add(n);
  }
  return [...found];
}

/** A sum of exponentials, the greatest value taken off before, and what divides by it. */
function softmaxAround(sum: StageNode): StageNode[] {
  if (sum.reduce !== 'sum') return [];
  const exp = exponential(sum.body, sum);
  if (!exp) return [];
  const above = upstream(sum).add(exp);
  for (const n of upstream(exp)) above.add(n);
  const greatest = [...above].filter((n) => n.reduce === 'max' && !n.contracts);
  return [sum, exp, ...between(greatest, above), ...sum.users.filter((n) => !n.reduce && !n.contracts)];
}

/** A square root of a sum, the means taken off before, what multiplies by it, and the affine map after. */
function normAround(root: StageNode): StageNode[] {
  const sums: StageNode[] = [];
  visitExpr(root.body, (e) => {
    if (e.kind !== 'unary' || (e.op !== 'sqrt' && e.op !== 'rsqrt')) return;
    visitExpr(e.a, (inner) => {
      for (const origin of originsOf(inner, root)) sums.push(...[origin, ...(origin.reduce ? [] : upstream(origin, 3))].filter((n) => n.reduce === 'sum' && !n.contracts));
    });
  });
  if (sums.length === 0) return [];
  const members = new Set<StageNode>([root, ...sums]);
  for (const sum of sums) {
    const above = upstream(sum);
    const means = [...above].filter((n) => n.reduce === 'sum' && !n.contracts);
    for (const n of between(means, above)) members.add(n);
  }
  const rooted = upstream(root);
  for (const n of between(sums, rooted)) members.add(n);
  // The product with the root, then scale and shift by weights.
  let front = root.users.filter(isMap);
  for (let i = 0; i < 3 && front.length > 0; i++) {
    for (const n of front) members.add(n);
    front = front.flatMap((n) => n.users).filter((n) => isMap(n) && n.weighted && n.sources.length === 1 && !members.has(n));
  }
  return [...members];
}

function isMap(n: StageNode): boolean {
  return !n.reduce && !n.contracts;
}

/** The operations of a dispatch for people: `einsum add erf mul x2`. */
export function opsText(kernel: Pick<Kernel, 'name'>, ops: readonly { readonly op: string }[]): string {
  const counts = new Map<string, number>();
  for (const { op } of ops) counts.set(op, (counts.get(op) ?? 0) + 1);
  return [...counts].map(([op, n]) => (n > 1 ? `${op} x${n}` : op)).join(' ') || kernel.name;
}
