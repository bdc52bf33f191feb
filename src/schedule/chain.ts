/** Chains: when stages are computed one after the other in one workgroup, and when kernels are joined to one for that. */
import { sizeOf } from '../graph.ts';
import type { Axis, Kernel, Stage } from '../kernel.ts';
import { chainLanes, chainSplits, matchChain, UNDER_WAY, type ChainForm, type ChainStep } from '../kernel-chain.ts';
import { loadsOf, stageRefsOf } from '../kernel-expr.ts';
import { add, constant, flatten, plainAxis, strideOf } from '../kernel-index.ts';
import type { ChainSchedule } from '../schedule.ts';
import type { Target } from '../targets.ts';
import { UNITS } from './contraction.ts';

/** Seconds that the processor takes for a dispatch beyond the device's start of it, where calls follow each other (Node on the host of an H200). */
const RECORD = 2e-6;
/** A chain must be so much faster. */
const SURE = 0.85;
/** What chains take of what is predicted of them, measured on an H200: 0.9 to 2 times. */
const LONGER = 1.25;

// What follows is in nanoseconds, of an H200; of other devices they need only be in such proportions.

/** What a kernel of a chain may take one unit alone, were it to do nothing but multiply and add. */
const SMALL = 2000;
/** Multiply-adds a nanosecond: of a unit, and the share that small kernels reach of all of them. */
const UNIT = 253;
const REACHED = 0.2;
/** A step's barrier and its way to the first value. */
const STEP = 300;
/** Waiting for values from memory and from workgroup memory. */
const FAR = 150;
const NEAR = 40;
/** Accesses a nanosecond of a unit's subgroups. */
const ISSUE = 1.3;
/** As many accesses of memory are the threads' that do not stand side by side. */
const SCATTERED = 12;
/** Invocations of a workgroup: these where the target has them, which wait less, or else as many as it has. */
const WORKGROUPS = [512, 768, 1024] as const;
const FEWER = [64, 128, 256] as const;

/** Undefined where it is none, where the target lacks the memory, and on a CPU, which gains nothing from workgroups. */
export function chainSchedule(kernel: Kernel, target: Target): ChainSchedule | undefined {
  let best: { readonly schedule: ChainSchedule; readonly time: number } | undefined;
  for (const { schedule, form } of formsOf(kernel, target)) {
    const time = chainTime(form, kernel, schedule.workgroup);
    if (!best || time < best.time) best = { schedule, time };
  }
  return best && best.time < genericTime(kernel) ? best.schedule : undefined;
}

/** What may be measured in place of the rule's choice. */
export function chainCandidates(kernel: Kernel, target: Target): ChainSchedule[] {
  return formsOf(kernel, target).map((f) => f.schedule);
}

function formsOf(kernel: Kernel, { limits, software }: Target): { readonly schedule: ChainSchedule; readonly form: ChainForm }[] {
  if (software) return [];
  const most = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
  const workgroups = (most < WORKGROUPS[0] ? FEWER : WORKGROUPS).filter((n) => n <= most);
  return chainSplits(kernel).flatMap((split) => {
    const form = matchChain(kernel, split);
    if (!form || 4 * form.words > limits.maxComputeWorkgroupStorageSize) return [];
    return workgroups.map((workgroup) => ({ schedule: { family: 'chain', split, workgroup } as const, form }));
  });
}

/** Seconds gained by one kernel in place of several that follow each other, by what each is predicted to take; none where that is less than sure. */
export function chainGain(joined: number, apart: readonly number[]): number {
  const before = apart.reduce((sum, seconds) => sum + seconds + RECORD, 0);
  const gain = before - (LONGER * joined + RECORD);
  return gain > (1 - SURE) * before ? gain : 0;
}

/** Whether a kernel is small enough for a chain, at best: told before any is made. */
export function maySuitChain(kernel: Kernel): boolean {
  const [{ stage: name }] = kernel.stores;
  const { axes } = kernel.stages.find((s) => s.name === name)!;
  const groups = Math.min(UNITS, sizeOf(axes.slice(0, -2).map((a) => a.extent)));
  return work(kernel) / (groups * UNIT) < SMALL;
}

const reduced = (stage: Stage): number => sizeOf(stage.reduce?.axes.map((a) => a.extent) ?? []);

/** Values of stages and of what they reduce. */
function work({ stages }: Kernel): number {
  return stages.reduce((sum, s) => sum + sizeOf(s.axes.map((a) => a.extent)) * reduced(s), 0);
}

function chainTime({ groups, steps }: ChainForm, kernel: Kernel, workgroup: number): number {
  return Math.ceil(sizeOf(groups) / UNITS) * steps.reduce((sum, step) => sum + stepTime(step, kernel, workgroup), 0);
}

function stepTime(step: ChainStep, kernel: Kernel, workgroup: number): number {
  const lanes = chainLanes(step, workgroup);
  const count = sizeOf(step.local.map((a) => a.extent));
  const turns = Math.ceil(count / lanes / workgroup);
  const subgroups = Math.ceil(Math.min(count / lanes, workgroup) / 32);
  const shapes = new Map(kernel.params.map((p) => [p.name, p.shape]));
  let time = STEP;
  for (const { stage, first, last } of [{ stage: step.stage, first: step.local[0]?.name, last: step.local.at(-1)?.name }, ...step.inlined.map((stage) => ({ stage, ...axesWithin(step, stage) }))]) {
    const loads = loadsOf(stage.body).map(({ buffer, at }) => ({ at: flatten(at, shapes.get(buffer)!), scattered: SCATTERED }));
    const kept = stageRefsOf(stage.body).map(({ at }) => ({ at: add(...at), scattered: 1 }));
    const accesses = [...loads, ...kept].reduce((sum, { at, scattered }) => {
      const along = last === undefined ? 0 : strideOf(at, last);
      return sum + (first !== undefined && strideOf(at, first) !== 0 ? lanes : 1) * (along === 0 || along === 1 ? 1 : scattered);
    }, 0);
    const length = reduced(stage);
    time += turns * Math.max(Math.ceil(length / UNDER_WAY) * (loads.length > 0 ? FAR : NEAR), (subgroups * length * accesses) / ISSUE);
  }
  return time;
}

/** What the step's first and last axes are called in a stage that it computes on the way. */
function axesWithin({ stage, local }: ChainStep, within: Stage): { readonly first?: string; readonly last?: string } {
  const [read] = stageRefsOf(stage.body).filter((r) => r.stage === within.name);
  const named = (axis: Axis | undefined): string | undefined => within.axes.find((_, i) => plainAxis(read?.at[i] ?? constant(0))?.name === axis?.name)?.name;
  return { first: named(local[0]), last: named(local.at(-1)) };
}

/** The generic loop nest computes what a stage reads again for each of its points. */
function genericTime(kernel: Kernel): number {
  const each = new Map<string, number>();
  for (const stage of kernel.stages) each.set(stage.name, reduced(stage) * (1 + stageRefsOf(stage.body).reduce((sum, r) => sum + each.get(r.stage)!, 0)));
  const total = kernel.stores.reduce((sum, { stage: name }) => sum + sizeOf(kernel.stages.find((s) => s.name === name)!.axes.map((a) => a.extent)) * each.get(name)!, 0);
  const longest = Math.max(...kernel.stores.map((s) => each.get(s.stage)!));
  return total / (UNITS * UNIT * REACHED) + longest * 2;
}
