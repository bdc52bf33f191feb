/**
 * The generic loop nest: a thread computes a few neighbouring points of the stored axes, with everything that they need.
 * Covers every kernel.
 */
import { sizeOf } from '../../graph.ts';
import type { Axis, Expr, Index, Kernel, Stage, Store } from '../../kernel.ts';
import { add as addIndex, axis as axisIndex, constant, floorDiv, keyOf, scale, substitute } from '../../kernel-index.ts';
import { storedIndex } from '../../kernel-layout.ts';
import type { Space } from '../../plan.ts';
import type { GenericSchedule } from '../../schedule.ts';
import type { Target } from '../../targets.ts';
import { defineAxes, threadNumber } from '../dispatch.ts';
import { Emitter } from '../emitter.ts';
import { consecutive } from '../../kernel-lanes.ts';
import { Values } from '../values.ts';
import { element, ifOf, less, sub, u32 } from '../wgsl-build.ts';
import type { KernelCode } from '../wgsl.ts';

/** Stores over equal axes: one thread computes the same point of all of them. */
interface Part {
  readonly axes: readonly Axis[];
  readonly stores: readonly { readonly store: Store; readonly stage: Stage }[];
  /** Points of the last axis that a thread computes. */
  readonly lanes: 1 | 2 | 4;
  readonly threads: number;
}

export function generateGeneric(kernel: Kernel, spaces: readonly Space[], schedule: GenericSchedule, target: Target): KernelCode {
  const emitter = new Emitter(kernel, spaces, target);
  const values = new Values(emitter);
  const parts = partsOf(kernel, schedule.vector);
  const total = parts.reduce((sum, p) => sum + p.threads, 0);
  if (total > 2 ** 32 - 1) throw new Error(`bug: ${kernel.name} wants ${total} threads`);
  const { thread, workgroups } = threadNumber(emitter, total, schedule.workgroup);
  let start = 0;
  for (const part of parts) {
    const first = start;
    const body = emitter.nested({ fence: true }, () => emitPart(emitter, values, part, sub(thread, u32(first))));
    // Threads of earlier parts are below `first` and wrap around: the difference alone tells whose thread this is.
    emitter.push(ifOf(less(sub(thread, u32(first)), u32(part.threads)), body));
    start += part.threads;
  }
  return emitter.finish([schedule.workgroup, 1, 1], workgroups);
}

function partsOf(kernel: Kernel, vector: 1 | 2 | 4): Part[] {
  const parts = new Map<string, { store: Store; stage: Stage }[]>();
  for (const store of kernel.stores) {
    const stage = kernel.stages.find((s) => s.name === store.stage);
    if (!stage) throw new Error(`bug: ${kernel.name} stores ${store.stage}, which is no stage`);
    const key = stage.axes.map((a) => a.extent).join();
    parts.set(key, [...(parts.get(key) ?? []), { store, stage }]);
  }
  return [...parts.values()].map((stores) => {
    const { axes } = stores[0].stage;
    const last = axes.at(-1)?.extent ?? 1;
    const lanes = last % vector === 0 ? vector : last % 2 === 0 && vector === 4 ? 2 : 1;
    return { axes, stores, lanes, threads: sizeOf(axes.map((a) => a.extent)) / lanes };
  });
}

function emitPart(emitter: Emitter, values: Values, { axes, stores, lanes }: Part, number: ReturnType<typeof sub>): void {
  const loops = axes.map((a, i): Axis => (i === axes.length - 1 && lanes > 1 ? { name: `${a.name}~${lanes}`, extent: a.extent / lanes } : a));
  defineAxes(emitter, loops, number);
  /** The point of lane j, by the axes of the stage. */
  const pointOf = (stage: Stage, lane: number): Index[] =>
    stage.axes.map((_, i) => (i === axes.length - 1 && lanes > 1 ? addIndex(scale(axisIndex(loops[i]), lanes), constant(lane)) : axisIndex(loops[i])));
  for (const { store, stage } of stores) {
    const points = Array.from({ length: lanes }, (_, lane) => pointOf(stage, lane));
    const value = values.value(points.map((at): Expr => ({ kind: 'stage', stage: stage.name, at })));
    storeLanes(emitter, values, store, stage, points, value);
  }
}

/** Stores the lanes' values: at once where they lie side by side. */
export function storeLanes(emitter: Emitter, values: Values, store: Store, stage: Stage, points: readonly (readonly Index[])[], value: ReturnType<typeof element>): void {
  const param = emitter.params.get(store.buffer);
  if (!param) throw new Error(`bug: the kernel has no parameter ${store.buffer}`);
  const flat = points.map((point) => {
    const map = new Map(stage.axes.map((a, i) => [a.name, point[i]]));
    return storedIndex(param, store.at ? store.at.map((i) => substitute(i, map)) : point);
  });
  const width = flat.length as 1 | 2 | 4;
  if (consecutive(flat)) {
    emitter.store(store.buffer, values.index(floorDiv(flat[0], width)), values.splat(value, width), width);
    return;
  }
  const named = emitter.bind(stage.name, value);
  flat.forEach((f, lane) => {
    if (flat.findIndex((other) => keyOf(other) === keyOf(f)) !== lane) throw new Error(`bug: two points of ${stage.name} are stored at one place`);
    emitter.store(store.buffer, values.index(f), element(named, lane), 1);
  });
}
