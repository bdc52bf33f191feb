/**
 * Chains: kernels whose stages one workgroup can compute one after the other, with what later ones read kept in workgroup
 * memory in between. Axes along which every stage needs only its own part of those before it number the workgroups.
 */
import { sizeOf } from './graph.ts';
import type { Axis, Kernel, Stage, Store } from './kernel.ts';
import { stageRefsOf, type StageExpr } from './kernel-expr.ts';
import { plainAxis } from './kernel-index.ts';

/** A stage that all threads of the workgroup compute together. */
export interface ChainStep {
  readonly stage: Stage;
  /** The stage's axis for each of the chain's groups; undefined where its values are the same in all of them. */
  readonly groups: readonly (Axis | undefined)[];
  /** Its other axes: what the threads run over. */
  readonly local: readonly Axis[];
  readonly stores: readonly Store[];
  /** Where its values lie in workgroup memory, in words, row-major over `local`; undefined where no later step reads them. */
  readonly place?: number;
  /** Reductions that it computes on the way, each at one point. */
  readonly inlined: readonly Stage[];
  /** Whether earlier steps, and all who read what lay at its place, must be done first. */
  readonly waits: boolean;
}

export interface ChainForm {
  /** Workgroups along each group. */
  readonly groups: readonly number[];
  readonly steps: readonly ChainStep[];
  /** Workgroup memory, in words of four bytes. */
  readonly words: number;
}

/** Sets of axes along which workgroups may have parts, at most: a chain's `split` tells by its bits which of them they have. */
const MOST_SETS = 4;

/** All that `split` may be. */
export function chainSplits(kernel: Kernel): number[] {
  return Array.from({ length: 2 ** separable(kernel).length }, (_, split) => split);
}

/** Undefined for kernels of one step, and where values that are passed on are not f32. */
export function matchChain(kernel: Kernel, split: number): ChainForm | undefined {
  const uses = usesOf(kernel);
  const stored = new Set(kernel.stores.map((s) => s.stage));
  const isStep = (s: Stage): boolean => stored.has(s.name) || !isInline(s, uses.get(s.name) ?? []);
  const steps = kernel.stages.filter(isStep);
  const kept = new Set(steps.filter((s) => (uses.get(s.name) ?? []).length > 0).map((s) => s.name));
  if (kept.size === 0 || steps.some((s) => kept.has(s.name) && s.dtype !== 'f32')) return undefined;
  const groups = separable(kernel).filter((_, i) => (split >> i) & 1);
  const byName = new Map(kernel.stages.map((s) => [s.name, s]));
  const inlined = (stage: Stage): Stage[] =>
    [...new Set(stageRefsOf(stage.body).map((r) => r.stage))].map((name) => byName.get(name)!).filter((s) => !isStep(s)).flatMap((s) => [...inlined(s), s]);
  const parts = steps.map((stage): Omit<ChainStep, 'waits' | 'place'> & { readonly reads: readonly string[] } => {
    const own = groups.map((names) => stage.axes.find((a) => names.has(a.name)));
    const within = inlined(stage);
    const reads = [stage, ...within].flatMap((s) => stageRefsOf(s.body).map((r) => r.stage)).filter((name) => kept.has(name));
    return { stage, groups: own, local: stage.axes.filter((a) => !own.includes(a)), stores: kernel.stores.filter((s) => s.stage === stage.name), inlined: within, reads };
  });
  const places = placesOf(parts.map(({ stage, local, reads }) => ({ name: stage.name, words: kept.has(stage.name) ? sizeOf(local.map((a) => a.extent)) : 0, reads })));
  return {
    groups: groups.map((names) => kernel.stages.flatMap((s) => s.axes).find((a) => names.has(a.name))!.extent),
    steps: parts.map(({ reads, ...part }, i) => ({ ...part, ...(kept.has(part.stage.name) ? { place: places.at[i] } : {}), waits: places.waits[i] })),
    words: places.words,
  };
}

interface Use {
  readonly user: Stage;
  readonly ref: StageExpr;
}

function usesOf({ stages }: Kernel): Map<string, Use[]> {
  const uses = new Map<string, Use[]>();
  for (const user of stages) for (const ref of stageRefsOf(user.body)) uses.set(ref.stage, [...(uses.get(ref.stage) ?? []), { user, ref }]);
  return uses;
}

const points = (stage: Stage): number => sizeOf(stage.axes.map((a) => a.extent));

/** Whether a stage is computed where it is read: at one place, no more often than it has points. */
function isInline(stage: Stage, uses: readonly Use[]): boolean {
  if (uses.length !== 1) return false;
  const [{ user }] = uses;
  return points(user) * sizeOf(user.reduce?.axes.map((a) => a.extent) ?? []) <= points(stage);
}

/** Sets of axes that run together through all stages: who reads a stage reads it at the same place along them. */
function separable({ stages, stores }: Kernel): Set<string>[] {
  const stored = new Set(stores.map((s) => s.stage));
  const parent = new Map<string, string>(stages.flatMap((s) => s.axes.map((a) => [a.name, a.name])));
  const find = (name: string): string => (parent.get(name) === name ? name : find(parent.get(name)!));
  const crossed = new Set<string>();
  const byName = new Map(stages.map((s) => [s.name, s]));
  for (const user of stages) {
    const own = new Map(user.axes.map((a) => [a.name, a]));
    for (const { stage, at } of stageRefsOf(user.body)) {
      byName.get(stage)!.axes.forEach((a, i) => {
        const reader = own.get(plainAxis(at[i])?.name ?? '');
        if (reader?.extent === a.extent) parent.set(find(a.name), find(reader.name));
        else crossed.add(a.name);
      });
    }
  }
  const sets = new Map<string, Set<string>>();
  for (const name of parent.keys()) sets.set(find(name), (sets.get(find(name)) ?? new Set()).add(name));
  return [...sets.values()].filter((names) => {
    if ([...names].some((n) => crossed.has(n))) return false;
    const counts = stages.map((s) => s.axes.filter((a) => names.has(a.name)).length);
    return counts.every((n, i) => n === 1 || (n === 0 && !stored.has(stages[i].name)));
  }).slice(0, MOST_SETS);
}

interface Kept {
  readonly name: string;
  /** 0: nothing is kept of it. */
  readonly words: number;
  readonly reads: readonly string[];
}

/** First fit by lifetimes; and before which steps the workgroup must wait: for values, or for readers of what is overwritten. */
function placesOf(steps: readonly Kept[]): { readonly at: readonly number[]; readonly words: number; readonly waits: readonly boolean[] } {
  const last = new Map<string, number>();
  steps.forEach(({ reads }, i) => reads.forEach((name) => last.set(name, i)));
  const at: number[] = [];
  const spans: { readonly from: number; readonly to: number; readonly until: number }[] = [];
  let words = 0;
  steps.forEach(({ name, words: size }, i) => {
    let place = 0;
    for (const s of spans.filter((s) => s.until >= i).sort((a, b) => a.from - b.from)) if (s.from < place + size && place < s.to) place = s.to;
    at.push(place);
    if (size === 0) return;
    spans.push({ from: place, to: place + size, until: last.get(name)! });
    words = Math.max(words, place + size);
  });
  const index = new Map(steps.map((s, i) => [s.name, i]));
  const overlaps = (a: number, b: number): boolean => at[a] < at[b] + steps[b].words && at[b] < at[a] + steps[a].words;
  let written: number[] = [];
  let read: number[] = [];
  const waits = steps.map(({ reads }, i) => {
    const of = reads.map((name) => index.get(name)!);
    const must = of.some((r) => written.includes(r)) || [...written, ...read].some((other) => overlaps(i, other));
    if (must) [written, read] = [[], []];
    written.push(i);
    read.push(...of);
    return must;
  });
  return { at, words, waits };
}

/** Values of a reduction that are under way together, at most. */
export const UNDER_WAY = 16;
/** Points of a step that a thread computes at once, at most. */
const MOST_LANES = 8;

/** Neighbouring points along a step's first axis that a thread computes at once, sharing what they read: what takes the fewest turns. */
export function chainLanes({ local, stage, inlined }: ChainStep, threads: number): number {
  const [first] = local;
  if (!first || !(stage.reduce || inlined.some((s) => s.reduce))) return 1;
  const count = sizeOf(local.map((a) => a.extent));
  const cost = (lanes: number): number => Math.ceil(count / lanes / threads) * (lanes + 3);
  let best = 1;
  for (let lanes = 2; lanes <= MOST_LANES; lanes++) if (first.extent % lanes === 0 && cost(lanes) < cost(best)) best = lanes;
  return best;
}
