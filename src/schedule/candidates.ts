/**
 * Schedules of a kernel worth measuring: what `vitc tune` searches, and all that a tuning file may choose from. Every one
 * computes the same and keeps to the target's limits; which is fastest is for measurements to say.
 */
import { sizeOf } from '../graph.ts';
import { matchAttention } from '../kernel-attention.ts';
import { isReduce, matchContraction, matchReduce, matchRow } from '../kernel-forms.ts';
import type { Kernel } from '../kernel.ts';
import type { AttentionSchedule, GenericSchedule, RowSchedule, Schedule, WindowSchedule } from '../schedule.ts';
import type { Target } from '../targets.ts';
import { windowAxes } from '../window-axes.ts';
import { attentionMatrixCandidates } from './attention-matrix.ts';
import { attentionCandidates } from './attention-tiles.ts';
import { chainCandidates } from './chain.ts';
import { contractionCandidates } from './candidates-contraction.ts';
import { chooseSchedule, genericSchedule, RULES } from './rules.ts';

/** The rules' choice first, then what other rules would choose, then every variation; each once. */
export function candidates(kernel: Kernel, target: Target): Schedule[] {
  const ruled = RULES.filter((r) => r.name !== 'generic').flatMap((rule) => rule.applies(kernel, target) ?? []);
  const all = [chooseSchedule(kernel, target), ...ruled, ...attentionSchedules(kernel, target), ...windows(kernel, target), ...contractionCandidates(kernel, target), ...chainCandidates(kernel, target), ...rows(kernel, target), ...generics(kernel, target)];
  return [...new Map(all.map((s) => [scheduleKey(s), s])).values()];
}

/** Equal keys, equal schedules; whatever the order of fields. */
export function scheduleKey(schedule: Schedule): string {
  return Object.entries(schedule).map(([name, value]) => `${name}=${value}`).sort().join();
}

/** How many fields differ; Infinity between families. */
export function distance(a: Schedule, b: Schedule): number {
  if (a.family !== b.family) return Infinity;
  const [left, right] = [a, b].map((s) => new Map<string, unknown>(Object.entries(s)));
  return [...new Set([...left.keys(), ...right.keys()])].filter((name) => left.get(name) !== right.get(name)).length;
}

const WORKGROUPS = [32, 64, 128, 256] as const;

function workgroups({ limits }: Target): number[] {
  return WORKGROUPS.filter((n) => n <= Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX));
}

/** Not where tiles do: without sharing what is loaded, products of any size are slower by far. */
function generics(kernel: Kernel, target: Target): GenericSchedule[] {
  if (matchContraction(kernel) || matchAttention(kernel)) return [];
  // Of several reductions all but the last are computed again for every point.
  if (kernel.stages.filter(isReduce).length > 1) return [];
  const { vector: widest } = genericSchedule(kernel, { ...target, software: true });
  return ([1, 2, 4] as const).filter((v) => v <= widest).flatMap((vector) => workgroups(target).map((workgroup): GenericSchedule => ({ family: 'generic', vector, workgroup })));
}

/** Numbers of a row that a thread keeps at most. */
const MOST_KEPT = 96;

function rows(kernel: Kernel, target: Target): RowSchedule[] {
  const form = matchRow(kernel);
  if (!form || matchContraction(kernel)) return [];
  const lengths = form.stages.map(({ stage }) => sizeOf(stage.reduce.axes.map((a) => a.extent)));
  if (form.row.length > 0) lengths.push(sizeOf(form.row.map((a) => a.extent)));
  const longest = Math.max(...lengths);
  const even = lengths.every((l) => l === longest) && lengths.length > 1;
  const count = sizeOf(form.outer.map((a) => a.extent));
  const most = Math.min(target.limits.maxComputeInvocationsPerWorkgroup, target.limits.maxComputeWorkgroupSizeX);
  const found: RowSchedule[] = [];
  for (const vector of ([1, 2, 4] as const).filter((v) => lengths.every((l) => l % v === 0))) {
    for (const cache of even ? [true, false] : [false]) {
      for (const threads of [1, 8, 16, 32, 64, 128, 256, 512, 1024].filter((t) => t <= most)) {
        // A thread that shares a row and has none of it only waits.
        if ((cache && longest / threads > MOST_KEPT) || (threads > 1 && threads * vector > longest)) continue;
        const together = threads === 1 ? workgroups(target) : [1, 2, 4, 8, 16].filter((r) => r * threads <= most && count % r === 0);
        for (const rows of together) found.push({ family: 'row', threads, rows, vector, cache });
      }
    }
  }
  return found;
}

/** Elements of a window, and multiply-adds of a strip, at most: all are unrolled. */
const MOST_TAPS = 64;
const MOST_UNROLLED = 512;

function windows(kernel: Kernel, target: Target): WindowSchedule[] {
  const form = matchReduce(kernel);
  const axes = windowAxes(kernel);
  if (!form || !axes) return [];
  const taps = sizeOf(form.acc.reduce.axes.map((a) => a.extent));
  if (taps > MOST_TAPS) return [];
  const strips = (extent: number): number[] => [1, 2, 3, 4, 6, 7, 8].filter((s) => extent % s === 0);
  const down = axes.h === undefined ? [1] : strips(form.accAxes[axes.h].extent);
  const found: WindowSchedule[] = [];
  for (const stripH of down) for (const stripW of strips(form.accAxes[axes.w].extent)) {
    if (taps * stripH * stripW > MOST_UNROLLED) continue;
    for (const workgroup of workgroups(target)) found.push({ family: 'window', stripH, stripW, workgroup });
  }
  return found;
}

/** Tiles that a model of a large GPU finds worth measuring. */
const MOST_TILES = 200;

function attentionSchedules(kernel: Kernel, target: Target): Schedule[] {
  const form = matchAttention(kernel);
  if (!form) return [];
  const keys = sizeOf(form.columns.map((a) => a.extent));
  const most = Math.min(256, target.limits.maxComputeInvocationsPerWorkgroup);
  const found: Schedule[] = [attentionMatrixCandidates(kernel, target), attentionCandidates(kernel, target)]
    .flatMap((list) => [...list].sort((a, b) => a.cycles - b.cycles).slice(0, MOST_TILES).map((c) => c.schedule));
  for (const rows of [16, 32, 64, 128]) for (const columns of ([1, 2, 4] as const).filter((c) => c <= keys)) for (const threads of [1, 2, 4, 8, 16]) {
    if (rows * threads <= most && threads * columns <= keys) found.push({ family: 'attention', rows, columns, threads } satisfies AttentionSchedule);
  }
  return found;
}
