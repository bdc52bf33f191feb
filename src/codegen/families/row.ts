/**
 * Rows: norms, softmax, reductions. `threads` threads share a row: each reduces its part of the row, partial results meet
 * in workgroup memory, and every thread goes on with the whole row's result. With `cache` the row is unrolled into
 * registers, so that later stages find the values that earlier ones loaded.
 */
import { sizeOf } from '../../graph.ts';
import type { Axis, Expr, Index, Kernel } from '../../kernel.ts';
import { binary as binaryExpr, indexValue, number, substituteExpr } from '../../kernel-expr.ts';
import { matchRow } from '../../kernel-forms.ts';
import type { ReduceStage, RowForm } from '../../kernel-forms.ts';
import { add as addIndex, axis as axisIndex, constant, scale, unflatten } from '../../kernel-index.ts';
import type { Space } from '../../plan.ts';
import type { RowSchedule } from '../../schedule.ts';
import type { Target } from '../../targets.ts';
import { defineAxes, foldGroups, groupNumber, threadNumber } from '../dispatch.ts';
import { Emitter } from '../emitter.ts';
import { combine, combineLanes, startOf, typeOf } from '../scalar.ts';
import { Values } from '../values.ts';
import { add, assign, div, ifOf, less, mod, mul, splat, u32 } from '../wgsl-build.ts';
import { vector } from '../wgsl.ts';
import type { KernelCode, WgslExpr } from '../wgsl.ts';
import { storeLanes } from './generic.ts';
import { meetRow } from './row-meet.ts';

const LANE = 'row~lane';

/** Groups that a thread loads before it waits for the first, where a row is not kept. */
const UNROLL = 8;

class RowEmitter {
  private readonly emitter: Emitter;
  private readonly values: Values;
  private readonly lane: Axis;
  private loops = 0;
  /** Index of this thread's row within the workgroup, and of the thread within its row. */
  private place: { readonly row: WgslExpr; readonly lane: WgslExpr } = { row: u32(0), lane: u32(0) };

  constructor(kernel: Kernel, spaces: readonly Space[], private readonly form: RowForm, private readonly schedule: RowSchedule, target: Target) {
    this.emitter = new Emitter(kernel, spaces, target);
    this.values = new Values(this.emitter);
    this.lane = { name: LANE, extent: schedule.threads };
  }

  generate(): KernelCode {
    const { emitter, schedule, form } = this;
    const rows = sizeOf(form.outer.map((a) => a.extent));
    if (schedule.threads === 1) {
      const { thread, workgroups } = threadNumber(emitter, rows, schedule.rows);
      emitter.push(ifOf(less(thread, u32(rows)), emitter.nested({ fence: true }, () => this.row(thread))));
      return emitter.finish([schedule.rows, 1, 1], workgroups);
    }
    if (rows % schedule.rows !== 0) throw new Error(`bug: ${rows} rows in workgroups of ${schedule.rows}`);
    const groups = rows / schedule.rows;
    const workgroups = foldGroups(groups, emitter.target.limits.maxComputeWorkgroupsPerDimension);
    const group = emitter.bind('group', groupNumber(emitter, workgroups));
    const body = emitter.nested({ fence: true }, () => {
      const local = emitter.builtin('local_invocation_index');
      const inGroup = schedule.rows === 1 ? u32(0) : emitter.bind('slot', div(local, u32(schedule.threads)));
      const lane = schedule.rows === 1 ? local : emitter.bind('lane', mod(local, u32(schedule.threads)));
      this.place = { row: inGroup, lane };
      emitter.defineAxis(this.lane, lane);
      this.row(schedule.rows === 1 ? group : emitter.bind('row', add(mul(group, u32(schedule.rows)), inGroup)));
    });
    // The whole workgroup is inside or outside, so barriers may stand in the branch.
    const exact = workgroups[0] * workgroups[1] * workgroups[2] === groups;
    emitter.push(exact ? { kind: 'block', body } : ifOf(less(group, u32(groups)), body));
    return emitter.finish([schedule.threads * schedule.rows, 1, 1], workgroups);
  }

  private row(number: WgslExpr): void {
    const { emitter, form } = this;
    defineAxes(emitter, form.outer, number);
    for (const { stage, outer } of form.stages) this.reduce(stage, outer);
    this.store();
  }

  /** A stage's value for the row at hand. */
  private reduce(stage: ReduceStage, outer: readonly Axis[]): void {
    const { emitter, values, form } = this;
    const { op, axes } = stage.reduce;
    const atRow = new Map(outer.map((a, i) => [a.name, axisIndex(form.outer[i])]));
    const extents = axes.map((a) => a.extent);
    const width = this.widthFor(sizeOf(extents));
    const type = vector(typeOf(stage.dtype).scalar, width);
    const part = emitter.variable(stage.name, type, splat(startOf(op, stage.dtype), width));
    this.along(sizeOf(extents), width, (points) => {
      const bodies = points.map((r) => {
        const at = unflatten(r, extents);
        return substituteExpr(stage.body, new Map([...atRow, ...axes.map((a, i): [string, Index] => [a.name, at[i]])]));
      });
      const value = values.vector(bodies);
      emitter.push(op === 'sum' ? assign(part, value, '+') : assign(part, combine(op, part, value)));
    });
    const own = combineLanes(op, part);
    const { threads, rows } = this.schedule;
    const whole = threads === 1 ? own : meetRow(emitter, { name: stage.name, op, dtype: stage.dtype }, own, { threads, rows, size: threads * rows, ...this.place });
    values.define(stage.name, stage.axes.map((a) => atRow.get(a.name)!), emitter.bind(stage.name, whole));
  }

  private widthFor(length: number): 1 | 2 | 4 {
    const { vector: wanted } = this.schedule;
    return length % wanted === 0 ? wanted : length % 2 === 0 && wanted === 4 ? 2 : 1;
  }

  /** Calls f for this thread's points of a row: neighbouring ones, in groups of `width`. */
  private along(length: number, width: 1 | 2 | 4, f: (points: readonly Index[]) => void): void {
    const { emitter, schedule } = this;
    const { threads } = schedule;
    const groups = length / width;
    const lanesOf = (group: Index): Index[] => Array.from({ length: width }, (_, j) => addIndex(scale(group, width), constant(j)));
    if (!schedule.cache) {
      this.stream(groups, (group) => f(lanesOf(group)));
      return;
    }
    for (let first = 0; first < groups; first += threads) {
      const group = addIndex(axisIndex(this.lane), constant(first));
      if (first + threads <= groups) f(lanesOf(group));
      else {
        const condition = binaryExpr('less', indexValue(group), number(groups, 'i32'));
        const inside = this.values.scalar(condition);
        emitter.push(ifOf(inside, emitter.nested({ guard: { condition, holds: true } }, () => f(lanesOf(group)))));
      }
    }
  }

  /** This thread's groups one after the other; several in an iteration, so that their loads overlap. */
  private stream(groups: number, f: (group: Index) => void): void {
    const { emitter, schedule } = this;
    const { threads } = schedule;
    const blocks = Math.floor(groups / (threads * UNROLL));
    const own = axisIndex(this.lane);
    if (blocks > 0) {
      const block: Axis = { name: `block~${this.loops++}`, extent: blocks };
      emitter.loop(block, () => {
        for (let u = 0; u < UNROLL; u++) f(addIndex(scale(axisIndex(block), threads * UNROLL), constant(u * threads), own));
      });
    }
    const done = blocks * threads * UNROLL;
    if (done === groups) return;
    const rest: Axis = { name: `row~${this.loops++}`, extent: groups - done };
    const shared = threads > 1 ? { from: this.place.lane, step: u32(threads), replaces: [LANE] } : {};
    emitter.loop(rest, () => f(addIndex(constant(done), axisIndex(rest))), shared);
  }

  private store(): void {
    const { emitter, values, form, schedule } = this;
    const { kernel } = emitter;
    const isOuter = new Map(form.outer.map((a) => [a.name, a]));
    const [{ axes: shown }] = form.outputs;
    const extents = form.row.map((a) => a.extent);
    const emit = (points: readonly Index[]): void => {
      for (const stage of form.outputs) {
        const places = points.map((r) => {
          const at = new Map(form.row.map((a, i) => [a.name, unflatten(r, extents)[i]]));
          return shown.map((a) => at.get(a.name) ?? axisIndex(isOuter.get(a.name)!));
        });
        const value = values.value(places.map((at): Expr => ({ kind: 'stage', stage: stage.name, at })));
        for (const store of kernel.stores) if (store.stage === stage.name) storeLanes(emitter, values, store, stage, places, value);
      }
    };
    if (form.row.length > 0) this.along(sizeOf(extents), this.widthFor(sizeOf(extents)), emit);
    else if (schedule.threads === 1) emit([constant(0)]);
    else {
      const condition = binaryExpr('equal', indexValue(axisIndex(this.lane)), number(0, 'i32'));
      emitter.push(ifOf(values.scalar(condition), emitter.nested({ guard: { condition, holds: true } }, () => emit([constant(0)]))));
    }
  }
}

export function generateRow(kernel: Kernel, spaces: readonly Space[], schedule: RowSchedule, target: Target): KernelCode {
  const form = matchRow(kernel);
  if (!form) throw new Error(`bug: ${kernel.name} has no rows`);
  return new RowEmitter(kernel, spaces, form, schedule, target).generate();
}

