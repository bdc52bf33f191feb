/**
 * Register tiles straight from memory: each thread walks the reduced axes and multiplies what it loads. With splitK,
 * `splitK` threads of a workgroup share a tile's depth, in turns, bring what they have together in workgroup memory and
 * share out the tile's rows: for few rows and a long depth, where otherwise most of the device would idle.
 */
import { add as plus, axis, constant, scale } from '../../kernel-index.ts';
import { substituteExpr } from '../../kernel-expr.ts';
import type { Axis, Expr, Index } from '../../kernel.ts';
import type { ContractionSchedule } from '../../schedule.ts';
import type { Emitter } from '../emitter.ts';
import type { Values } from '../values.ts';
import { add, and, assign, binary, construct, div, element, f32, fma, forOf, ifOf, less, mod, mul, ref, u32 } from '../wgsl-build.ts';
import { U32, vector } from '../wgsl.ts';
import type { WgslExpr } from '../wgsl.ts';
import { emitEpilogue } from './contraction-epilogue.ts';
import { along, loadAlong } from '../../kernel-lanes.ts';
import type { Along } from '../../kernel-lanes.ts';
import { linearDepth } from '../../kernel-contraction.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';
import { emitPrologue } from './contraction-prologue.ts';
import type { DefineRows } from './contraction-prologue.ts';
import { shareSums } from './contraction-split.ts';
import { defineGroups } from './contraction-tile.ts';
import type { Group } from './contraction-tile.ts';

export interface Dispatch {
  readonly workgroupSize: readonly [number, number, number];
  readonly workgroups: readonly [number, number, number];
}

export function emitDirect(emitter: Emitter, values: Values, original: ContractionProblem, schedule: ContractionSchedule): Dispatch {
  const { threadM, threadN, groupM, groupN, splitK, vector: width } = schedule;
  const problem = splitK > 1 ? linearDepth(original) : original;
  const { B, M, N } = problem;
  const threadsM = Math.ceil(M / threadM);
  const threadsN = Math.ceil(N / threadN);
  const workgroups = [Math.ceil(threadsN / groupN), Math.ceil(threadsM / groupM), B] as const;
  const size = groupM * groupN * splitK;
  const all = workgroups[0] * workgroups[1] * B * size;

  const loads = planLoads(problem, schedule);
  // Neighbouring threads take neighbouring addresses: along the depth where the right operand lies so.
  const turnsFirst = splitK > 1 && loads.right === 'k';
  emitter.runs(all);
  const local = emitter.builtin('local_invocation_index');
  const turn = splitK === 1 ? u32(0) : emitter.bind('turn', turnsFirst ? mod(local, u32(splitK)) : div(local, u32(groupM * groupN)));
  const place = turnsFirst ? div(local, u32(splitK)) : local;
  const id = emitter.builtin('workgroup_id');
  const tn = emitter.bind('thread_n', add(mul(element(id, 0), u32(groupN)), mod(place, u32(groupN))));
  const row = div(place, u32(groupN));
  const tm = emitter.bind('thread_m', add(mul(element(id, 1), u32(groupM)), splitK === 1 || turnsFirst ? row : mod(row, u32(groupM))));
  if (B > 1) emitter.defineAxis({ name: 'b', extent: B }, element(id, 2));

  const inGroup = { m: splitK === 1 || turnsFirst ? row : mod(row, u32(groupM)), n: mod(place, u32(groupN)) };
  const defineLeft = emitPrologue(emitter, values, problem, 'left', { tile: threadM * groupM, group: element(id, 1), size, groups: all / size });
  const defineRight = emitPrologue(emitter, values, problem, 'right', { tile: threadN * groupN, group: element(id, 0), size, groups: all / size });
  const define = (groups: readonly Group[], rows: DefineRows, first: WgslExpr): void => {
    let place = 0;
    for (const { points } of groups) rows(points.map((p) => p.index), points.map(() => add(first, u32(place++))));
  };

  // Threads that share a depth meet at barriers, so all of them stay.
  const active = splitK === 1;
  const has = { m: active ? threadsM : workgroups[1] * groupM, n: active ? threadsN : workgroups[0] * groupN };
  const body = emitter.nested({}, () => {
    emitter.runs(B * has.m * has.n * splitK);
    const widthM = loads.left === 'side' ? 4 : 1;
    const positions = (thread: WgslExpr, count: number): WgslExpr[] => Array.from({ length: count }, (_, j) => add(mul(thread, u32(count)), u32(j)));
    const rowGroups = (): Group[] => defineGroups(emitter, { role: 'm', extent: M, width: widthM, threads: has.m }, positions(tm, threadM / widthM), (t, j) => (t * threadM) / widthM + j);
    const columnGroups = (): Group[] => defineGroups(emitter, { role: 'n', extent: N, width, threads: has.n }, positions(tn, threadN / width), (t, j) => (t * threadN) / width + j);
    const rows = rowGroups();
    const columns = columnGroups();
    define(rows, defineLeft, mul(inGroup.m, u32(threadM)));
    define(columns, defineRight, mul(inGroup.n, u32(threadN)));
    const tile = new RegisterTile(emitter, values, problem, loads, rows, columns, width);
    emitDepth(emitter, problem, tile, turn, splitK);
    const finish = (m: readonly Group[], n: readonly Group[], sums: readonly (readonly WgslExpr[])[]): void =>
      emitEpilogue(emitter, values, problem, { rows: m.flatMap((g) => g.points), columns: n, sum: (i, j) => sums[i][j], threadsN: has.n, repeats: B });
    if (splitK === 1) return finish(rows, columns, tile.sums);
    const { sharers, rows: shares, collect } = shareSums(emitter, tile.sums, { count: splitK, turn, threads: groupM * groupN, place, neighbours: turnsFirst ? 'turn' : 'place' });
    const last = emitter.nested({}, () => {
      emitter.runs(B * has.m * has.n * sharers);
      const own = shares.map((first) => add(mul(tm, u32(threadM)), sharers === 1 ? u32(first) : add(turn, u32(first))));
      const rowOf = (thread: number, j: number): number => Math.floor(thread / sharers) * threadM + (thread % sharers) + shares[j];
      const rows = defineGroups(emitter, { role: 'own_m', extent: M, width: 1, threads: has.m * sharers }, own, rowOf);
      // Columns are defined again in here, so that what the outputs load is loaded by these threads only.
      finish(rows, columnGroups(), collect());
    });
    emitter.push(sharers < splitK ? ifOf(less(turn, u32(sharers)), last) : { kind: 'block', body: last });
  });
  const inside = [...(active && threadsM % groupM ? [less(tm, u32(threadsM))] : []), ...(active && threadsN % groupN ? [less(tn, u32(threadsN))] : [])];
  if (inside.length > 0) emitter.push(ifOf(inside.reduce(and), body));
  else emitter.push(...body);
  return { workgroupSize: [size, 1, 1], workgroups };
}

export interface LoadPlan {
  readonly left: Along;
  readonly right: Along;
  /** Depth that one step of the innermost loop covers. */
  readonly step: number;
}

function planLoads(problem: ContractionProblem, schedule: ContractionSchedule): LoadPlan {
  const innermost = problem.depth.at(-1)!;
  // Short odd depths, such as a 3x3 window's rows, are one step.
  const step = innermost % 4 !== 0 && innermost <= 7 ? innermost : 4;
  const k = innermost % 4 === 0;
  return {
    step,
    left: loadAlong(problem, 'left', { k, side: problem.M % 4 === 0 && schedule.threadM % 4 === 0 }),
    right: loadAlong(problem, 'right', { k, side: schedule.vector === 4 }),
  };
}

/** The loops over the reduced axes around one step of the tile. */
function emitDepth(emitter: Emitter, problem: ContractionProblem, tile: RegisterTile, turn: WgslExpr, splitK: number): void {
  const inner = problem.depth.length - 1;
  const { step } = tile.loads;
  const steps = Math.floor(problem.depth[inner] / step);
  const rest = problem.depth[inner] % step;
  const innermost = (executions: number): void => {
    const chunk: Axis = { name: 'step', extent: steps };
    if (steps === 1 && splitK === 1) {
      tile.step(step, constant(0));
    } else if (steps > 0) {
      const body = emitter.nested({}, () => {
        emitter.runs((executions / splitK) * steps);
        emitter.defineAxis(chunk, ref(name, U32));
        tile.step(step, scale(axis(chunk), step));
      });
      emitter.push(forOf(name, splitK === 1 ? u32(0) : turn, u32(steps), u32(splitK), body));
    }
    if (rest === 0) return;
    const body = emitter.nested({}, () => {
      emitter.runs(executions / splitK);
      tile.step(rest, constant(steps * step));
    });
    emitter.push(splitK === 1 ? { kind: 'block', body } : ifOf(binary('==', turn, u32(0)), body));
  };
  const name = emitter.names.fresh('step');
  const nest = (depth: number, executions: number): void => {
    if (depth === inner) return innermost(executions);
    const over: Axis = { name: `k${depth}`, extent: problem.depth[depth] };
    const variable = emitter.names.fresh(over.name);
    const body = emitter.nested({}, () => {
      emitter.runs(executions * over.extent);
      emitter.defineAxis(over, ref(variable, U32));
      nest(depth + 1, executions * over.extent);
    });
    emitter.push(forOf(variable, u32(0), u32(over.extent), u32(1), body));
  };
  nest(0, emitter.executions());
}

/** A thread's sums in named variables, and one step of multiplying. */
class RegisterTile {
  /** Row by group of columns. */
  readonly sums: readonly (readonly WgslExpr[])[];

  constructor(
    private readonly emitter: Emitter,
    private readonly values: Values,
    private readonly problem: ContractionProblem,
    readonly loads: LoadPlan,
    private readonly rows: readonly Group[],
    private readonly columns: readonly Group[],
    private readonly width: 1 | 2 | 4,
  ) {
    const type = vector('f32', width);
    const zero = width === 1 ? f32(0) : construct(type);
    this.sums = rows.flatMap((g) => g.points).map((_, i) => columns.map((_, j) => emitter.variable(`sum${i}_${j}`, type, zero)));
  }

  /** Adds the products at `count` depths from `first` on. */
  step(count: number, first: Index): void {
    const { emitter, width } = this;
    const depths = Array.from({ length: count }, (_, t) => plus(first, constant(t)));
    const left = this.left(depths);
    const right = this.right(depths);
    depths.forEach((_, t) => {
      const b = this.columns.map((_, j) => right(t, j));
      this.sums.forEach((row, i) => {
        const a = left(t, i);
        row.forEach((sum, j) => emitter.push(assign(sum, fma(this.values.splat(a, width), this.values.splat(b[j], width), sum))));
      });
    });
  }

  private at(e: Expr, depths: readonly Index[], name: 'm' | 'n', index: Index): Expr[] {
    const inner = `k${this.problem.depth.length - 1}`;
    return along(substituteExpr(e, new Map([[name, index]])), inner, depths);
  }

  /** The left operand's value at depth t and row i. */
  private left(depths: readonly Index[]): (t: number, i: number) => WgslExpr {
    const { values, emitter, problem } = this;
    const points = this.rows.flatMap((g) => g.points);
    if (this.loads.left === 'k' && depths.length === 4) {
      const vectors = points.map((p) => emitter.bind('a', values.value(this.at(problem.left, depths, 'm', p.index))));
      return (t, i) => element(vectors[i], t);
    }
    if (this.loads.left === 'side') {
      const vectors = depths.map((d) => this.rows.map((g) => emitter.bind('a', values.value(g.points.flatMap((p) => this.at(problem.left, [d], 'm', p.index))))));
      return (t, i) => element(vectors[t][Math.floor(i / 4)], i % 4);
    }
    const scalars = depths.map((d) => points.map((p) => emitter.bind('a', values.scalar(this.at(problem.left, [d], 'm', p.index)[0]))));
    return (t, i) => scalars[t][i];
  }

  /** The right operand's values at depth t and the columns of group j. */
  private right(depths: readonly Index[]): (t: number, j: number) => WgslExpr {
    const { values, emitter, problem, width } = this;
    if (this.loads.right === 'k' && depths.length === 4) {
      const vectors = this.columns.map((g) => g.points.map((p) => emitter.bind('b', values.value(this.at(problem.right, depths, 'n', p.index)))));
      return (t, j) => (width === 1 ? element(vectors[j][0], t) : emitter.bind('b', construct(vector('f32', width), ...vectors[j].map((v) => element(v, t)))));
    }
    // Scattered values one by one: a vector load of some would load again what others share.
    const vectors = depths.map((d) => this.columns.map((g) => {
      const lanes = g.points.flatMap((p) => this.at(problem.right, [d], 'n', p.index));
      if (this.loads.right === 'side' || width === 1) return emitter.bind('b', values.value(lanes));
      return emitter.bind('b', construct(vector('f32', width), ...lanes.map((e) => values.scalar(e))));
    }));
    return (t, j) => vectors[t][j];
  }
}
