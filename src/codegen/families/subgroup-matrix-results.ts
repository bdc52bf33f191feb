/**
 * The way of a subgroup's results from the matrix units to memory: some fragments at a time go to workgroup memory and from
 * there to the lanes, which finish and store them. All of them take that way in one loop, so that what is done with results
 * stands in the kernel's text once.
 */
import { FRAGMENT, resultPitch } from '../../kernel-fragments.ts';
import type { FragmentRoom } from '../../kernel-fragments.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';
import type { SubgroupMatrixSchedule } from '../../schedule.ts';
import type { Emitter } from '../emitter.ts';
import type { Values } from '../values.ts';
import { add, barrier, binary, div, forOf, ifOf, mod, mul, ref, u32 } from '../wgsl-build.ts';
import { U32 } from '../wgsl.ts';
import type { WgslExpr } from '../wgsl.ts';
import { emitEpilogue } from './contraction-epilogue.ts';
import { defineGroups } from './contraction-tile.ts';
import type { Group } from './contraction-tile.ts';
import { resultLanes } from './fragment-memory.ts';
import type { FragmentMemory } from './fragment-memory.ts';

export interface Results {
  readonly problem: ContractionProblem;
  readonly schedule: SubgroupMatrixSchedule;
  readonly room: FragmentRoom;
  readonly memory: FragmentMemory;
  /** Which subgroup of the dispatch this is, along m and n, and how many there are. */
  readonly at: { readonly m: WgslExpr; readonly n: WgslExpr };
  readonly subgroups: { readonly m: number; readonly n: number };
  /** Kinds of sums, rows and columns of fragments each, and what makes a result of one of each kind. */
  readonly kinds: readonly (readonly (readonly WgslExpr[])[])[];
  readonly join: (sums: readonly WgslExpr[]) => WgslExpr;
}

/** Every thread of the workgroup comes here, after a barrier behind the last use of the tiles. */
export function emitResults(emitter: Emitter, values: Values, { problem, schedule, room, memory, at, subgroups, kinds, join }: Results): void {
  const { fragmentsM, fragmentsN, subgroupSize } = schedule;
  // A step is some fragments of one row of them, its lanes neighbours along the columns, so that they store whole lines.
  const { resultFragments: across } = room;
  const [stepsM, stepsN] = [fragmentsM, fragmentsN / across];
  const steps = stepsM * stepsN;
  const fours = (FRAGMENT / 4) * across;
  const pitch = resultPitch(across);
  const { lanesM, lanesN } = resultLanes(fours, subgroupSize);
  const passes = FRAGMENT / lanesM;
  const start = emitter.bind('start', mul(emitter.subgroup(schedule.subgroupsM * schedule.subgroupsN), u32(kinds.length * FRAGMENT * pitch)));
  const placeOf = (kind: number): WgslExpr => add(start, u32(kind * FRAGMENT * pitch));
  const lane = emitter.builtin('subgroup_invocation_id');
  const laneM = emitter.bind('lane_m', div(lane, u32(lanesN)));
  const laneN = emitter.bind('lane_n', mod(lane, u32(lanesN)));
  // Steps count as threads of their own.
  const threads = { m: subgroups.m * stepsM * lanesM, n: subgroups.n * stepsN * lanesN };

  const defineColumns = (stepN: WgslExpr): Group[] => defineGroups(
    emitter, { role: 'n', extent: problem.N, width: 4, threads: threads.n },
    Array.from({ length: fours / lanesN }, (_, j) => add(add(mul(add(mul(at.n, u32(stepsN)), stepN), u32(fours)), laneN), u32(j * lanesN))),
    (thread, j) => Math.floor(thread / lanesN) * fours + j * lanesN + (thread % lanesN),
  );
  const defineRows = (stepM: WgslExpr): Group[] => defineGroups(
    emitter, { role: 'm', extent: problem.M, width: 1, threads: threads.m },
    Array.from({ length: passes }, (_, pass) => add(add(mul(add(mul(at.m, u32(stepsM)), stepM), u32(FRAGMENT)), laneM), u32(pass * lanesM))),
    (thread, pass) => Math.floor(thread / lanesM) * FRAGMENT + pass * lanesM + (thread % lanesM),
  );
  /** Brings all kinds of a step's sums to workgroup memory. */
  const put = (number: number): void => kinds.forEach((sums, kind) => {
    const row = sums[Math.floor(number / stepsN)];
    const first = (number % stepsN) * across;
    for (let j = 0; j < across; j++) memory.putResults(add(placeOf(kind), u32((j * FRAGMENT) / 4)), row[first + j], pitch);
  });

  const outer = stepsN === 1 ? defineColumns(u32(0)) : undefined;
  const finish = (number: WgslExpr): void => {
    emitter.runs(problem.B * threads.m * threads.n);
    if (steps === 1) put(0);
    else for (let s = 0; s < steps; s++) emitter.push(ifOf(binary('==', number, u32(s)), emitter.nested({}, () => put(s))));
    emitter.push(barrier);
    const columns = outer ?? defineColumns(mod(number, u32(stepsN)));
    const rows = defineRows(div(number, u32(stepsN)));
    const inner = emitter.bind('inner', add(mul(laneM, u32(pitch)), laneN));
    const sum = (i: number, j: number): WgslExpr => {
      const found = kinds.map((_, kind) => emitter.bind('sum', memory.results(add(add(placeOf(kind), inner), u32(i * lanesM * pitch + j * lanesN)))));
      return kinds.length === 1 ? found[0] : emitter.bind('whole', join(found));
    };
    emitEpilogue(emitter, values, problem, { rows: rows.flatMap((g) => g.points), columns, sum, threadsN: threads.n, repeats: problem.B });
    if (steps > 1) emitter.push(barrier);
  };
  const step = emitter.names.fresh('step');
  const body = emitter.nested({}, () => finish(steps > 1 ? ref(step, U32) : u32(0)));
  emitter.push(steps > 1 ? forOf(step, u32(0), u32(steps), u32(1), body) : { kind: 'block', body });
}
