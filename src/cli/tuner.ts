/**
 * Searches schedules by measuring. Each kernel starts at the rules' choice; what other rules would choose and a spread of
 * candidates are measured beside it, then neighbours of the best, which differ in one field, until none is better or its
 * share of the time is used up. A schedule counts only if it computes what the rules' choice does.
 */
import type { PlannedKernel } from '../plan.ts';
import type { Schedule } from '../schedule.ts';
import { candidates, distance, scheduleKey } from '../schedule/candidates.ts';
import { kernelDigest } from '../schedule/kernel-key.ts';
import { recordOf, type TunedKernel } from '../tuning.ts';
import type { GpuDevice } from './devices.ts';
import { differenceOf, KernelTiming, type ReadyKernel } from './kernel-timing.ts';

/** A kernel of a plan, with how often a prediction dispatches it. */
export interface TuningJob {
  readonly planned: PlannedKernel;
  readonly calls: number;
}

export interface TunerOptions {
  readonly opened: GpuDevice;
  /** For all kernels together. */
  readonly seconds: number;
  /** Asked between measurements. */
  readonly stopped: () => boolean;
  readonly onMeasured?: (planned: PlannedKernel, schedule: Schedule, microseconds: number) => void;
  readonly onKernel: (result: KernelResult, done: number, total: number) => void;
}

export interface KernelResult extends TunedKernel {
  readonly calls: number;
  /** Schedules that computed something else, which the compiler's tests should have caught. */
  readonly wrong: readonly Schedule[];
}

/** Candidates that are compiled together, so that the device does not idle between their measurements; on a CPU, which compiles, it does not anyway. */
const BATCH = { gpu: 8, software: 2 } as const;
/** Candidates beyond the rules' that a search starts from. */
const SPREAD = 16;
/** Seconds that a schedule is measured for, and that the device is kept busy before each batch. */
const MEASURE = 0.02;
const WARM = 0.1;
/** A schedule is better where it takes this share of the best one's time. */
const BETTER = 0.98;
/** A dispatch that alone takes so many times what the best takes is not measured further. */
const HOPELESS = 4;
/** Differences that another order of sums makes, over the greatest magnitude. */
const TOLERANCE = { f32: 1e-4, f16: 4e-3, pair: 1e-4, i32: 0 } as const;

/** Tunes each kernel, those that take longest first; equal kernels once. */
export async function tuneKernels(planned: readonly TuningJob[], options: TunerOptions): Promise<KernelResult[]> {
  const { opened, stopped } = options;
  const jobs = new Map<string, TuningJob>();
  for (const job of planned) {
    const key = kernelDigest(job.planned.kernel);
    jobs.set(key, { planned: jobs.get(key)?.planned ?? job.planned, calls: (jobs.get(key)?.calls ?? 0) + job.calls });
  }
  const end = performance.now() + 1000 * options.seconds;
  const weighed: { key: string; job: TuningJob; weight: number }[] = [];
  for (const [key, job] of jobs) {
    if (stopped()) return [];
    weighed.push({ key, job, weight: job.calls * (await ruleTime(job.planned, opened)) });
  }
  weighed.sort((a, b) => b.weight - a.weight);
  let rest = weighed.reduce((sum, w) => sum + w.weight, 0);
  const results: KernelResult[] = [];
  for (const [i, { key, job, weight }] of weighed.entries()) {
    const now = performance.now();
    if (stopped() || now >= end) break;
    // What a kernel leaves of its share is the others'.
    const found = await tuneOne(key, job, now + (end - now) * (weight / Math.max(rest, weight)), options);
    rest -= weight;
    if (!found) continue;
    results.push(found);
    options.onKernel(found, i + 1, weighed.length);
  }
  return results;
}

/** Microseconds of the rules' choice. */
async function ruleTime(planned: PlannedKernel, { device, target }: GpuDevice): Promise<number> {
  const timing = new KernelTiming(device, target, planned);
  try {
    const ready = await timing.ready(planned.schedule);
    if (!ready) throw new Error(`bug: ${planned.id} does not compile as the rules choose`);
    return await timing.time(ready, MEASURE);
  } finally {
    timing.destroy();
  }
}

/** Undefined where it was stopped before anything beside the rules' choice was measured. */
async function tuneOne(key: string, { planned, calls }: TuningJob, end: number, { opened, stopped, onMeasured }: TunerOptions): Promise<KernelResult | undefined> {
  const { device, target } = opened;
  const all = candidates(planned.kernel, target);
  const timing = new KernelTiming(device, target, planned);
  const over = (): boolean => stopped() || performance.now() >= end;
  try {
    const rules = (await timing.ready(planned.schedule))!;
    const wanted = await timing.outputs(rules);
    const tolerance = Math.max(...planned.kernel.params.filter((p) => p.access === 'write').map((p) => TOLERANCE[p.storage]));
    const seen = new Set([scheduleKey(planned.schedule)]);
    const wrong: Schedule[] = [];
    let best: { ready: ReadyKernel; ratio: number } = { ready: rules, ratio: 1 };
    let rulesTime = Infinity;
    let measured = 0;
    /** Measures a batch beside the rules' choice: what counts is the ratio, as clocks change. Returns whether the best changed. */
    const measureBatch = async (batch: readonly Schedule[]): Promise<boolean> => {
      const ready = (await Promise.all(batch.map((s) => timing.ready(s)))).filter((r) => r !== undefined);
      await timing.warm(rules, WARM);
      const reference = await timing.time(rules, MEASURE);
      rulesTime = Math.min(rulesTime, reference);
      let changed = false;
      for (const candidate of ready) {
        if (stopped()) break;
        const time = await timing.time(candidate, MEASURE, HOPELESS * reference + 50);
        measured++;
        onMeasured?.(planned, candidate.schedule, time);
        if (time / reference >= BETTER * best.ratio) continue;
        if (differenceOf(await timing.outputs(candidate), wanted) > tolerance) {
          wrong.push(candidate.schedule);
          continue;
        }
        best = { ready: candidate, ratio: time / reference };
        changed = true;
      }
      return changed;
    };
    const measureAll = async (list: readonly Schedule[]): Promise<boolean> => {
      const fresh = list.filter((s) => !seen.has(scheduleKey(s)));
      let changed = false;
      for (let i = 0; i < fresh.length && !over(); i += BATCH[opened.kind]) {
        const batch = fresh.slice(i, i + BATCH[opened.kind]);
        for (const schedule of batch) seen.add(scheduleKey(schedule));
        changed = (await measureBatch(batch)) || changed;
      }
      return changed;
    };
    const step = Math.max(1, Math.floor(all.length / SPREAD));
    await measureAll(all.filter((_, i) => i < 4 || i % step === 0));
    const neighbours = (): Schedule[] => all.filter((s) => distance(s, best.ready.schedule) === 1);
    while (!over() && (await measureAll(neighbours())));
    if (measured === 0) return undefined;
    // The winner of many noisy measurements was lucky too: it must win once more.
    if (best.ready !== rules) best = { ...best, ratio: await confirm(timing, best.ready, rules) };
    const chosen = best.ratio < BETTER ? best : { ready: rules, ratio: 1 };
    return {
      key, kernel: planned.kernel.name, schedule: recordOf(chosen.ready.schedule), microseconds: rounded(rulesTime * chosen.ratio), rulesMicroseconds: rounded(rulesTime),
      measured, date: new Date().toISOString(), calls, wrong,
    };
  } finally {
    timing.destroy();
  }
}

/** The median ratio of several measurements side by side. */
async function confirm(timing: KernelTiming, ready: ReadyKernel, rules: ReadyKernel): Promise<number> {
  await timing.warm(rules, WARM);
  const ratios: number[] = [];
  for (let i = 0; i < 5; i++) ratios.push((await timing.time(ready, MEASURE)) / (await timing.time(rules, MEASURE)));
  return ratios.sort((a, b) => a - b)[2];
}

const rounded = (microseconds: number): number => Number(microseconds.toPrecision(4));
