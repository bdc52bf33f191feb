/**
 * Streaming attention: softmax(f(Q K^T)) V with the scores in registers only (Milakov and Gimelshein 2018; Dao et al. 2022).
 *
 * A thread keeps one query row, the row's running maximum and sum, and its weighted sum of values, and walks over the
 * keys. Threads of a workgroup walk side by side over neighbouring rows, so that a key is read once for all of them from
 * the cache. With `threads` above 1 that many threads share a row: each walks over its part of the keys, and the parts
 * meet in workgroup memory.
 */
import { sizeOf } from '../../graph.ts';
import type { Axis, Expr, Index, Kernel } from '../../kernel.ts';
import { matchAttention } from '../../kernel-attention.ts';
import type { AttentionForm } from '../../kernel-attention.ts';
import { binary as binaryExpr, indexValue, loadsOf, number, substituteExpr } from '../../kernel-expr.ts';
import { add as addIndex, axis as axisIndex, constant, scale, strideOf, substitute, unflatten } from '../../kernel-index.ts';
import { storedIndex } from '../../kernel-layout.ts';
import type { Space } from '../../plan.ts';
import type { AttentionSchedule } from '../../schedule.ts';
import type { Target } from '../../targets.ts';
import { defineAxes, foldGroups, groupNumber } from '../dispatch.ts';
import { Emitter } from '../emitter.ts';
import { combineLanes, startOf } from '../scalar.ts';
import { Values } from '../values.ts';
import { add, and, assign, barrier, binary, construct, div, element, f32, ifOf, less, mod, mul, same, splat, sub, u32 } from '../wgsl-build.ts';
import { F32, vector } from '../wgsl.ts';
import type { KernelCode, Width, WgslExpr } from '../wgsl.ts';
import { storeLanes } from './generic.ts';

const PART = 'attention~part';
/** Bytes of workgroup memory that meeting parts take at most. */
const MEETING_BYTES = 8192;

type Lanes = 1 | 2 | 4;

export function generateAttention(kernel: Kernel, spaces: readonly Space[], schedule: AttentionSchedule, target: Target): KernelCode {
  const form = matchAttention(kernel);
  if (!form) throw new Error(`bug: ${kernel.name} is no attention`);
  return new AttentionEmitter(kernel, spaces, form, schedule, target).generate();
}

const extentsOf = (axes: readonly Axis[]): number[] => axes.map((a) => a.extent);
const countOf = (axes: readonly Axis[]): number => sizeOf(extentsOf(axes));
const widthFor = (count: number): Lanes => (count % 4 === 0 ? 4 : count % 2 === 0 ? 2 : 1);

class AttentionEmitter {
  private readonly emitter: Emitter;
  private readonly values: Values;
  private readonly part: Axis;
  private readonly depth: number;
  private readonly width: number;
  /** Whether neighbouring depths (or values) lie side by side in memory; else neighbouring columns are loaded together. */
  private readonly alongDepth: boolean;
  private readonly alongValues: boolean;
  private readonly top: WgslExpr;
  private readonly total: WgslExpr;
  /** The weighted sum: vectors along the values, or a number each. */
  private readonly sums: WgslExpr[] = [];
  private row: WgslExpr = u32(0);
  private place: WgslExpr = u32(0);

  constructor(kernel: Kernel, spaces: readonly Space[], private readonly form: AttentionForm, private readonly schedule: AttentionSchedule, target: Target) {
    this.emitter = new Emitter(kernel, spaces, target);
    this.values = new Values(this.emitter);
    this.part = { name: PART, extent: schedule.threads };
    this.depth = countOf(form.depth);
    this.width = countOf(form.values);
    this.alongDepth = this.isAlong(form.key, form.depth) || !this.isAlong(form.key, form.columns);
    this.alongValues = this.isAlong(form.value, form.values) || !this.isAlong(form.value, form.columns);
    this.top = { kind: 'ref', name: this.emitter.names.fresh('top'), type: F32 };
    this.total = { kind: 'ref', name: this.emitter.names.fresh('total'), type: F32 };
  }

  private isAlong(e: Expr, axes: readonly Axis[]): boolean {
    const last = axes.findLast((a) => a.extent > 1);
    return last !== undefined && loadsOf(e).some((l) => strideOf(storedIndex(this.emitter.params.get(l.buffer)!, l.at), last.name) === 1);
  }

  generate(): KernelCode {
    const { emitter, form, schedule } = this;
    const { rows, threads } = schedule;
    const count = countOf(form.rows);
    const tiles = Math.ceil(count / rows);
    const groups = countOf(form.batch) * tiles;
    const workgroups = foldGroups(groups, emitter.target.limits.maxComputeWorkgroupsPerDimension);
    const group = emitter.bind('group', groupNumber(emitter, workgroups));
    const body = emitter.nested({ fence: true }, () => {
      defineAxes(emitter, form.batch, emitter.bind('batch', div(group, u32(tiles))));
      const local = emitter.builtin('local_invocation_index');
      this.place = threads === 1 ? u32(0) : emitter.bind('part', div(local, u32(rows)));
      const own = threads === 1 ? local : mod(local, u32(rows));
      this.row = emitter.bind('row', add(mul(mod(group, u32(tiles)), u32(rows)), own));
      this.declare();
      const partial = count % rows !== 0;
      const within = (f: () => void, condition?: WgslExpr): void => {
        const statements = emitter.nested({ fence: true }, () => {
          defineAxes(emitter, form.rows, this.row);
          f();
        });
        const inside = partial ? less(this.row, u32(count)) : undefined;
        const all = inside && condition ? and(inside, condition) : (inside ?? condition);
        emitter.push(all ? ifOf(all, statements) : { kind: 'block', body: statements });
      };
      within(() => {
        if (threads > 1) emitter.defineAxis(this.part, this.place);
        this.attend();
        if (threads === 1) this.groups().forEach((sum, g) => this.finishGroup(g, div(sum, this.total)));
      });
      if (threads > 1) this.meet(within);
    });
    const exact = workgroups[0] * workgroups[1] * workgroups[2] === groups;
    emitter.push(exact ? { kind: 'block', body } : ifOf(less(group, u32(groups)), body));
    return emitter.finish([rows * threads, 1, 1], workgroups);
  }

  private declare(): void {
    const { emitter } = this;
    const named = (e: WgslExpr): string => (e as { name: string }).name;
    emitter.push({ kind: 'var', name: named(this.top), type: F32, value: startOf('max', 'f32') }, { kind: 'var', name: named(this.total), type: F32, value: f32(0) });
    const width = this.alongValues ? widthFor(this.width) : 1;
    for (let d = 0; d < this.width; d += width) this.sums.push(emitter.variable('sum', vector('f32', width), splat(f32(0), width)));
  }

  /** This thread's keys. */
  private attend(): void {
    const { emitter, values, form, schedule } = this;
    const { threads } = schedule;
    const lanes = schedule.columns;
    const queryWidth = widthFor(this.depth);
    const query: WgslExpr[] = [];
    for (let e = 0; e < this.depth; e += queryWidth) query.push(emitter.bind('query', values.vector(this.lanesOf(form.query, form.depth, constant(e), queryWidth))));

    const count = countOf(form.columns);
    const blocks = Math.floor(count / lanes);
    if (blocks > 0) {
      const block: Axis = { name: 'attention~block', extent: blocks };
      const shared = threads > 1 ? { from: this.place, step: u32(threads), replaces: [PART] } : {};
      emitter.loop(block, () => this.step(scale(axisIndex(block), lanes), lanes, query), shared);
    }
    const rest = count - blocks * lanes;
    if (rest === 0) return;
    const tail = (): void => {
      for (let c = blocks * lanes; c < count; c++) this.step(constant(c), 1, query);
    };
    if (threads === 1) return tail();
    const condition = binaryExpr('equal', indexValue(axisIndex(this.part)), number(0, 'i32'));
    emitter.push(ifOf(values.scalar(condition), emitter.nested({ guard: { condition, holds: true } }, tail)));
  }

  /** The expression at neighbouring points of linear position `first` along the axes. */
  private lanesOf(e: Expr, axes: readonly Axis[], first: Index, width: number, more: ReadonlyMap<string, Index> = new Map()): Expr[] {
    return Array.from({ length: width }, (_, lane) => substituteExpr(e, new Map([...more, ...this.pointOf(axes, addIndex(first, constant(lane)))])));
  }

  private pointOf(axes: readonly Axis[], position: Index): Map<string, Index> {
    const at = unflatten(position, extentsOf(axes));
    return new Map(axes.map((a, i) => [a.name, at[i]]));
  }

  /** Some neighbouring columns: their scores, then their values weighted. */
  private step(first: Index, lanes: Lanes, query: readonly WgslExpr[]): void {
    const { emitter, values, form } = this;
    const columns = Array.from({ length: lanes }, (_, c) => this.pointOf(form.columns, addIndex(first, constant(c))));
    const points = columns.map((column) => form.product.at.map((i) => substitute(i, column)));
    values.defineLanes(form.product.stage, points, emitter.bind('product', this.products(columns, query)));
    const score = emitter.bind('score', values.vector(columns.map((column) => substituteExpr(form.score, column))));
    const top = emitter.bind('next', same('max', this.top, combineLanes('max', score)));
    const shrink = emitter.bind('shrink', same('exp', sub(this.top, top)));
    const weight = emitter.bind('weight', same('exp', sub(score, splat(top, lanes))));
    emitter.push(assign(this.total, add(mul(this.total, shrink), combineLanes('sum', weight))), assign(this.top, top));
    if (this.alongValues) {
      const width = widthFor(this.width);
      this.sums.forEach((sum, g) => {
        const weighted = columns.map((column, c) => mul(values.vector(this.lanesOf(form.value, form.values, constant(g * width), width, column)), element(weight, c)));
        emitter.push(assign(sum, weighted.reduce(add, mul(sum, shrink))));
      });
    } else {
      this.sums.forEach((sum, d) => {
        const at = this.pointOf(form.values, constant(d));
        const value = values.vector(columns.map((column) => substituteExpr(form.value, new Map([...column, ...at]))));
        emitter.push(assign(sum, add(mul(sum, shrink), combineLanes('sum', emitter.bind('weighted', mul(value, weight))))));
      });
    }
  }

  /** The products of the query with the keys of these columns: a number, or a vector with one for each. */
  private products(columns: readonly ReadonlyMap<string, Index>[], query: readonly WgslExpr[]): WgslExpr {
    const { emitter, values, form } = this;
    const width = widthFor(this.depth);
    if (this.alongDepth) {
      const each = columns.map((column) => {
        const terms = query.map((q, g) => mul(q, values.vector(this.lanesOf(form.key, form.depth, constant(g * width), width, column))));
        return combineLanes('sum', emitter.bind('terms', terms.reduce(add)));
      });
      return each.length === 1 ? each[0] : construct(vector('f32', each.length as Width), ...each);
    }
    const terms = Array.from({ length: this.depth }, (_, e) => {
      const at = this.pointOf(form.depth, constant(e));
      const key = values.vector(columns.map((column) => substituteExpr(form.key, new Map([...column, ...at]))));
      return mul(key, element(query[Math.floor(e / width)], e % width));
    });
    return terms.reduce(add);
  }

  /** The weighted sums in vectors along the values. */
  private groups(): WgslExpr[] {
    const width = widthFor(this.width);
    if (this.alongValues || width === 1) return this.sums;
    return Array.from({ length: this.width / width }, (_, g) => construct(vector('f32', width), ...this.sums.slice(g * width, (g + 1) * width)));
  }

  /** The epilogue and stores of one group of values. */
  private finishGroup(group: number, result: WgslExpr): void {
    const { emitter, values, form } = this;
    const width = widthFor(this.width);
    const maps = Array.from({ length: width }, (_, lane) => {
      const at = new Map(form.acc.axes.map((a) => [a.name, axisIndex(a)]));
      return new Map([...at, ...this.pointOf(form.values, constant(group * width + lane))]);
    });
    values.defineLanes(form.acc.name, maps.map((m) => form.acc.axes.map((a) => m.get(a.name)!)), emitter.bind(form.acc.name, result));
    const points = maps.map((m) => form.accAxes.map((a) => m.get(a.name)!));
    for (const stage of form.outputs) {
      const value = values.value(points.map((at): Expr => ({ kind: 'stage', stage: stage.name, at })));
      for (const store of emitter.kernel.stores) if (store.stage === stage.name) storeLanes(emitter, values, store, stage, points, value);
    }
  }

  /** The parts of each row combined: every part scaled to the common maximum, then summed a few groups at a time. */
  private meet(within: (f: () => void, condition?: WgslExpr) => void): void {
    const { emitter, schedule } = this;
    const { rows, threads } = schedule;
    const all = rows * threads;
    const local = emitter.builtin('local_invocation_index');
    const own = emitter.bind('own', mod(local, u32(rows)));
    const width = widthFor(this.width);
    const tops = emitter.workgroupVar('tops', { kind: 'array', of: F32, length: all });
    const totals = emitter.workgroupVar('totals', { kind: 'array', of: F32, length: all });
    const ofParts = (from: WgslExpr, base: WgslExpr): WgslExpr[] => Array.from({ length: threads }, (_, p) => element(from, add(base, u32(p * rows))));
    emitter.push(assign(element(tops, local), this.top), barrier);
    const top = emitter.bind('highest', ofParts(tops, own).reduce((a, b) => same('max', a, b)));
    const shrink = emitter.bind('shrink', same('exp', sub(this.top, top)));
    emitter.push(assign(element(totals, local), mul(this.total, shrink)), barrier);
    const total = emitter.bind('whole', ofParts(totals, own).reduce(add));

    const groups = this.groups();
    const atOnce = Math.max(1, Math.min(groups.length, Math.floor(MEETING_BYTES / (all * 4 * width))));
    const shared = emitter.workgroupVar('parts', { kind: 'array', of: vector('f32', width), length: all * atOnce });
    for (let first = 0; first < groups.length; first += atOnce) {
      const now = groups.slice(first, first + atOnce);
      if (first > 0) emitter.push(barrier);
      now.forEach((sum, k) => emitter.push(assign(element(shared, add(local, u32(k * all))), mul(sum, shrink))));
      emitter.push(barrier);
      now.forEach((_, k) => {
        const g = first + k;
        within(() => this.finishGroup(g, div(ofParts(shared, add(own, u32(k * all))).reduce(add), total)), binary('==', this.place, u32(g % threads)));
      });
    }
  }
}

