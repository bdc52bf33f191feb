/** A model over many configurations: what each costs, and which no other beats. */
import { paramsOf, sizeOf, type Graph } from '../graph.ts';
import type { Profile } from '../profiles.ts';
import { analyzeSteps, addStep, noSums, type PlannedCode } from './steps.ts';
import { opDef } from '../ops.ts';
import type { OpName } from '../ops/types.ts';

export const SWEEP_FORMAT = 'vitc-sweep';
export const SWEEP_VERSION = 1;

export type SettingValue = number | string | boolean | readonly SettingValue[];

/** What one configuration costs. Bytes are bytes, times are seconds, of the whole batch. */
export interface SweepPoint {
  readonly settings: Readonly<Record<string, SettingValue>>;
  /** Why there are no figures: the configuration is not a model, or does not fit the target. */
  readonly problem?: string;
  readonly figures?: SweepFigures;
  /** Whether no other point is at least as fast and as large. */
  readonly front: boolean;
}

export interface SweepFigures {
  readonly parameters: number;
  readonly multiplyAdds: number;
  readonly flops: number;
  readonly leastBytes: number;
  readonly issuedBytes: number;
  readonly intensity: number;
  readonly dispatches: number;
  readonly arenaBytes: number;
  readonly seconds: number;
}

/** What stands for a model's capacity where nothing is trained. */
export type Capacity = 'parameters' | 'multiplyAdds';

export interface Sweep {
  readonly format: typeof SWEEP_FORMAT;
  readonly version: typeof SWEEP_VERSION;
  readonly model: string;
  readonly batch: number;
  readonly dtype: 'f32' | 'f16';
  /** How float inputs are given, where not f32. */
  readonly inputs?: 'f16';
  readonly target: string;
  readonly profile: string;
  readonly capacity: Capacity;
  readonly points: readonly SweepPoint[];
}

export function sweepFigures(graph: Graph, code: PlannedCode, profile: Profile): SweepFigures {
  const steps = analyzeSteps(code, profile);
  const sums = noSums();
  for (const s of steps) addStep(sums, s);
  const contracted = steps.flatMap((s) => s.ops).reduce((flops, op) => (opDef(op.op as OpName).class === 'contraction' ? flops + op.flops : flops), 0);
  return {
    parameters: paramsOf(graph).reduce((sum, p) => (p.attrs.buffer ? sum : sum + sizeOf(p.shape)), 0),
    multiplyAdds: contracted / 2,
    flops: sums.flops,
    leastBytes: sums.leastBytes,
    issuedBytes: sums.issuedBytes,
    intensity: sums.flops / sums.leastBytes,
    dispatches: sums.dispatches,
    arenaBytes: code.plan.arenaBytes,
    seconds: sums.seconds,
  };
}

/** Marks the points on the Pareto front: least time for most capacity. */
export function markFront(points: readonly Omit<SweepPoint, 'front'>[], capacity: Capacity): SweepPoint[] {
  const beats = (a: SweepFigures, b: SweepFigures): boolean => a.seconds <= b.seconds && a[capacity] >= b[capacity] && (a.seconds < b.seconds || a[capacity] > b[capacity]);
  return points.map((p) => ({ ...p, front: p.figures !== undefined && !points.some((q) => q.figures && beats(q.figures, p.figures!)) }));
}

/** `6..16:2` (both ends included), or values between commas; brackets hold lists together. Undefined where it is neither. */
export function sweepValues(text: string): string[] | undefined {
  const range = /^(-?[\d.]+?)\.\.(-?[\d.]+?)(?::(-?[\d.]+))?$/.exec(text);
  if (range) {
    const [from, to] = [Number(range[1]), Number(range[2])];
    const step = range[3] === undefined ? 1 : Number(range[3]);
    if (![from, to, step].every(Number.isFinite) || step === 0 || (to - from) / step < 0 || (to - from) / step > 10_000) return undefined;
    return Array.from({ length: Math.floor((to - from) / step + 1e-9) + 1 }, (_, i) => String(Number((from + i * step).toPrecision(12))));
  }
  const values: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i <= text.length; i++) {
    if (text[i] === '[') depth++;
    else if (text[i] === ']') depth--;
    else if (i === text.length || (text[i] === ',' && depth === 0)) {
      values.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return values.every((v) => v !== '') ? values : undefined;
}
