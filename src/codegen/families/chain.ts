/**
 * Chains: a workgroup computes the steps of a kernel one after the other, all threads at each, and passes values on
 * through workgroup memory. For a few small products, windows and softmaxes in a row, which as kernels of their own would
 * take longer to start than to run.
 */
import { sizeOf } from '../../graph.ts';
import type { Axis, Index, Kernel, Stage } from '../../kernel.ts';
import { chainLanes, matchChain, UNDER_WAY, type ChainForm, type ChainStep } from '../../kernel-chain.ts';
import { stageRefsOf, substituteExpr } from '../../kernel-expr.ts';
import { add as addIndex, axis as axisIndex, constant, flatten, scale, substitute, unflatten } from '../../kernel-index.ts';
import type { Space } from '../../plan.ts';
import type { ChainSchedule } from '../../schedule.ts';
import type { Target } from '../../targets.ts';
import { defineAxes, foldGroups, groupNumber } from '../dispatch.ts';
import { Emitter } from '../emitter.ts';
import { combine, combineLanes, startOf, typeOf } from '../scalar.ts';
import { greatestDivisor, Values } from '../values.ts';
import { assign, barrier, element, ifOf, less, splat, u32 } from '../wgsl-build.ts';
import { F32, vector, type KernelCode, type WgslExpr } from '../wgsl.ts';
import { storeLanes } from './generic.ts';

const LANE = 'chain~lane';

/** What the axes of a stage are at one point. */
type Point = ReadonlyMap<string, Index>;

class ChainEmitter {
  private readonly emitter: Emitter;
  private readonly values: Values;
  private readonly kept: WgslExpr;
  private readonly groups: readonly Axis[];
  private readonly stages: ReadonlyMap<string, Stage>;
  private loops = 0;

  constructor(kernel: Kernel, spaces: readonly Space[], private readonly form: ChainForm, private readonly schedule: ChainSchedule, target: Target) {
    this.emitter = new Emitter(kernel, spaces, target);
    this.values = new Values(this.emitter, false);
    this.kept = this.emitter.workgroupVar('kept', { kind: 'array', of: F32, length: form.words });
    this.groups = form.groups.map((extent, i) => ({ name: `group~${i}`, extent }));
    this.stages = new Map(kernel.stages.map((s) => [s.name, s]));
    for (const step of form.steps) {
      const { stage, local, place } = step;
      if (place !== undefined) this.values.place(stage.name, { memory: this.kept, base: place, words: sizeOf(local.map((a) => a.extent)), at: (at) => placeWithin(step, at) });
    }
  }

  generate(): KernelCode {
    const { emitter, form, schedule } = this;
    const count = sizeOf(form.groups);
    const workgroups = foldGroups(count, emitter.target.limits.maxComputeWorkgroupsPerDimension);
    const group = emitter.bind('group', groupNumber(emitter, workgroups));
    const body = emitter.nested({ fence: true }, () => {
      emitter.defineAxis({ name: LANE, extent: schedule.workgroup }, emitter.builtin('local_invocation_index'));
      defineAxes(emitter, this.groups, group);
      for (const step of form.steps) {
        if (step.waits) emitter.push(barrier);
        this.step(step);
      }
    });
    // The whole workgroup is inside or outside, so barriers may stand in the branch.
    const exact = workgroups[0] * workgroups[1] * workgroups[2] === count;
    emitter.push(exact ? { kind: 'block', body } : ifOf(less(group, u32(count)), body));
    return { ...emitter.finish([schedule.workgroup, 1, 1], workgroups), loose: true };
  }

  private step(step: ChainStep): void {
    const { emitter, values, schedule } = this;
    const { stage, local } = step;
    const lanes = chainLanes(step, schedule.workgroup);
    const extents = local.map((a, i) => (i === 0 ? a.extent / lanes : a.extent));
    const over: Axis = { name: `point~${this.loops++}`, extent: sizeOf(extents) };
    emitter.loop(over, () => {
      const at = unflatten(axisIndex(over), extents);
      const points = Array.from({ length: lanes }, (_, lane): Point => {
        const own = at.map((index, i) => (i === 0 ? addIndex(scale(index, lanes), constant(lane)) : index));
        return new Map(stage.axes.map((a) => [a.name, local.includes(a) ? own[local.indexOf(a)] : axisIndex(this.groups[step.groups.indexOf(a)])]));
      });
      const results = stage.reduce ? this.reduce(stage, points) : this.compute(stage, points);
      points.forEach((point, lane) => {
        const place = stage.axes.map((a) => point.get(a.name)!);
        const value = step.stores.length + (step.place === undefined ? 0 : 1) > 1 ? emitter.bind(stage.name, results[lane]) : results[lane];
        if (step.place !== undefined) emitter.push(assign(element(this.kept, values.index(addIndex(placeWithin(step, place), constant(step.place)))), value));
        for (const store of step.stores) storeLanes(emitter, values, store, stage, [place], value);
      });
    }, { from: emitter.builtin('local_invocation_index'), step: u32(schedule.workgroup), replaces: [LANE] });
  }

  /** A stage that reduces nothing itself; what it reads of reductions within the step is computed first, for all points together. */
  private compute(stage: Stage, points: readonly Point[]): WgslExpr[] {
    const { values } = this;
    for (const { stage: name, at } of stageRefsOf(stage.body)) {
      const read = this.stages.get(name)!;
      if (!read.reduce || values.isPlaced(name)) continue;
      const places = points.map((point) => at.map((index) => substitute(index, point)));
      const sums = this.reduce(read, places.map((place) => new Map(read.axes.map((a, i) => [a.name, place[i]]))));
      places.forEach((place, lane) => values.define(name, place, sums[lane]));
    }
    return points.map((point) => values.scalar(substituteExpr(stage.body, point)));
  }

  /** A reduction at several points: along its last axis in vectors where that goes evenly, and some of them under way together. */
  private reduce(stage: Stage, points: readonly Point[]): WgslExpr[] {
    const { emitter, values } = this;
    const { op, axes } = stage.reduce!;
    const { extent } = axes.at(-1)!;
    const width = extent % 4 === 0 ? 4 : 1;
    const unrolled = greatestDivisor(extent / width, UNDER_WAY / width);
    const loops = axes.map((a, i): Axis => ({ name: `${a.name}~${this.loops++}`, extent: i < axes.length - 1 ? a.extent : a.extent / width / unrolled }));
    const type = vector(typeOf(stage.dtype).scalar, width);
    const sums = points.map(() => emitter.variable(stage.name, type, splat(startOf(op, stage.dtype), width)));
    const bodyAt = (point: Point, turn: number, lane: number) => {
      const last = addIndex(scale(axisIndex(loops.at(-1)!), width * unrolled), constant(turn * width + lane));
      const at = axes.map((a, i): [string, Index] => [a.name, i < axes.length - 1 ? axisIndex(loops[i]) : last]);
      return substituteExpr(stage.body, new Map([...point, ...at]));
    };
    const nest = (depth: number): void => {
      if (depth < loops.length) return emitter.loop(loops[depth], () => nest(depth + 1));
      const turns = Array.from({ length: unrolled }, (_, turn) =>
        points.map((point) => values.vector(Array.from({ length: width }, (_, lane) => bodyAt(point, turn, lane)))),
      );
      for (const turn of turns) turn.forEach((value, i) => emitter.push(op === 'sum' ? assign(sums[i], value, '+') : assign(sums[i], combine(op, sums[i], value))));
    };
    nest(0);
    return sums.map((sum) => (width === 1 ? sum : emitter.bind(stage.name, combineLanes(op, sum))));
  }
}

/** Where a step's value lies among its values. */
function placeWithin({ stage, local }: ChainStep, at: readonly Index[]): Index {
  return flatten(stage.axes.flatMap((a, i) => (local.includes(a) ? [at[i]] : [])), local.map((a) => a.extent));
}

export function generateChain(kernel: Kernel, spaces: readonly Space[], schedule: ChainSchedule, target: Target): KernelCode {
  const form = matchChain(kernel, schedule.split);
  if (!form) throw new Error(`bug: ${kernel.name} is no chain`);
  return new ChainEmitter(kernel, spaces, form, schedule, target).generate();
}
