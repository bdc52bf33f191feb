/** Schedules of kernels that reduce rows: norms, softmax, sums, pooling. */
import { sizeOf } from '../graph.ts';
import type { Kernel } from '../kernel.ts';
import { loadsOf } from '../kernel-expr.ts';
import { matchRow } from '../kernel-forms.ts';
import type { RowForm } from '../kernel-forms.ts';
import { strideOf } from '../kernel-index.ts';
import { storedIndex } from '../kernel-layout.ts';
import type { RowSchedule } from '../schedule.ts';
import type { Target } from '../targets.ts';
import { UNITS } from './contraction.ts';

/** Vectors of a row that a thread takes, about: fewer leave too little to do between barriers. */
const VECTORS_A_THREAD = 4;
/** Numbers of a row that a thread keeps in registers at most. */
const KEPT = 32;
/** The same where a row has a core for itself, and the threads that then share a row of more than `LONG` numbers. */
const KEPT_ALONE = 96;
const LONG = 16384;
const SHARED = 512;
/** Rows shorter than this are a thread's work. */
const SHORT = 32;
/** Threads that keep a GPU busy. */
const BUSY = 1 << 15;

/** Whether threads share rows and keep them, so that what a row is made of is computed once. */
export function keepsRows(kernel: Kernel, target: Target): boolean {
  const schedule = rowSchedule(kernel, target);
  return schedule !== undefined && schedule.cache && schedule.threads > 1;
}

export function rowSchedule(kernel: Kernel, target: Target): RowSchedule | undefined {
  const form = matchRow(kernel);
  if (!form || (!target.software && isShortSumOfColumns(kernel, form))) return undefined;
  const lengths = form.stages.map(({ stage }) => sizeOf(stage.reduce.axes.map((a) => a.extent)));
  if (form.row.length > 0) lengths.push(sizeOf(form.row.map((a) => a.extent)));
  const longest = Math.max(...lengths);
  const rows = sizeOf(form.outer.map((a) => a.extent));
  const vector = lengths.every((l) => l % 4 === 0) ? 4 : lengths.every((l) => l % 2 === 0) ? 2 : 1;
  // Several passes over one row are worth keeping it; a single one is not.
  const passes = form.stages.length + (form.row.length > 0 ? 1 : 0);
  // Registers are plenty where there are fewer rows than cores; numbers that are kept are written out, so they have to be plain.
  const single = rows < UNITS && [...form.stages.map((s) => s.stage.reduce.axes), form.row].every((axes) => axes.length === 1);
  const fits = (threads: number): boolean => passes > 1 && longest / threads <= (single ? KEPT_ALONE : KEPT) && lengths.every((l) => l === longest);
  const alone = target.software || longest < SHORT || (rows >= BUSY && !alongMemory(kernel, form));
  if (alone) return { family: 'row', threads: 1, rows: Math.min(64, target.limits.maxComputeInvocationsPerWorkgroup), vector, cache: fits(1) };
  const most = Math.min(single && longest > LONG ? SHARED : 256, target.limits.maxComputeInvocationsPerWorkgroup);
  let threads = 8;
  while (threads < most && threads * vector * VECTORS_A_THREAD < longest) threads *= 2;
  return { family: 'row', threads, rows: rowsTogether(rows, threads, most), vector, cache: fits(threads) };
}

/**
 * Whether short reductions are side by side in memory, as parts of sums are: a loop nest takes four of them at a time,
 * each load a vector.
 */
function isShortSumOfColumns(kernel: Kernel, { stages, row, outer }: RowForm): boolean {
  const params = new Map(kernel.params.map((p) => [p.name, p]));
  const [{ stage, outer: own }] = stages;
  const [column, reduced] = [own.at(-1), stage.reduce.axes];
  if (stages.length > 1 || row.length > 0 || reduced.length > 1 || reduced[0].extent > SHORT || !column || outer.at(-1)!.extent % 4 !== 0) return false;
  const loads = loadsOf(stage.body).map((l) => storedIndex(params.get(l.buffer)!, l.at));
  return loads.length > 0 && loads.every((at) => strideOf(at, column.name) === 1 && (strideOf(at, reduced[0].name) ?? 1) % 4 === 0);
}

/** The greatest number of rows for at most 64 threads (or one row) that divides all rows. */
function rowsTogether(rows: number, threads: number, most: number): number {
  let together = Math.max(1, Math.floor(Math.min(most, 64) / threads));
  while (rows % together !== 0) together--;
  return together;
}

/** Whether neighbours of a row are neighbours in memory, for the loads that move along it. */
function alongMemory(kernel: Kernel, form: RowForm): boolean {
  const params = new Map(kernel.params.map((p) => [p.name, p]));
  return form.stages.some(({ stage }) => {
    const last = stage.reduce.axes.at(-1)!;
    return loadsOf(stage.body).some((l) => strideOf(storedIndex(params.get(l.buffer)!, l.at), last.name) === 1);
  });
}
