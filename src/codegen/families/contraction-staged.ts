/**
 * Tiles staged through workgroup memory: the workgroup loads a tile of each operand, `tileK` deep, every value once, and
 * each value then serves threadM or threadN times as many products. For devices with fast workgroup memory.
 *
 * Threads t of a side compute rows 4 t, ..., 4 t + 3 of every 4 * groupM, so that neighbouring threads read neighbouring
 * vectors of the tile. With splitK, as many threads share a tile of results and take every splitK-th depth.
 */
import { linearDepth } from '../../kernel-contraction.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';
import { prologueSeats } from '../../kernel-prologue.ts';
import { turnsLayout } from '../../kernel-turns.ts';
import type { ContractionSchedule } from '../../schedule.ts';
import type { Emitter } from '../emitter.ts';
import type { Values } from '../values.ts';
import { add, assign, construct, div, element, fma, forOf, ifOf, less, mod, mul, ref, u32 } from '../wgsl-build.ts';
import { U32, vector } from '../wgsl.ts';
import type { WgslExpr } from '../wgsl.ts';
import type { Dispatch } from './contraction-direct.ts';
import { emitDepth } from './contraction-depth.ts';
import { emitEpilogue } from './contraction-epilogue.ts';
import { StagedOperand } from './contraction-operand.ts';
import { emitPrologue } from './contraction-prologue.ts';
import { shareSums } from './contraction-split.ts';
import { defineGroups } from './contraction-tile.ts';
import type { Group } from './contraction-tile.ts';

const VECTOR = vector('f32', 4);

export function emitStaged(emitter: Emitter, values: Values, original: ContractionProblem, schedule: ContractionSchedule): Dispatch {
  const problem = linearDepth(original);
  const { B, M, N } = problem;
  const { threadM, threadN, groupM, groupN, tileK, splitK } = schedule;
  if (threadM % 4 || threadN % 4 || tileK % 4 || schedule.vector !== 4) throw new Error('bug: staged tiles are of vectors of four');
  const rows = threadM * groupM;
  const columns = threadN * groupN;
  const size = groupM * groupN * splitK;
  const workgroups = [Math.ceil(N / columns), Math.ceil(M / rows), B] as const;
  const groups = workgroups[0] * workgroups[1] * B;
  const tiles = Math.ceil(problem.depth[0] / tileK);

  emitter.runs(groups * size);
  const local = emitter.builtin('local_invocation_index');
  const id = emitter.builtin('workgroup_id');
  const tx = emitter.bind('tx', mod(local, u32(groupN)));
  const line = div(local, u32(groupN));
  const ty = emitter.bind('ty', splitK === 1 ? line : mod(line, u32(groupM)));
  const turn = splitK === 1 ? u32(0) : emitter.bind('turn', div(local, u32(groupM * groupN)));
  if (B > 1) emitter.defineAxis({ name: 'b', extent: B }, element(id, 2));

  const partial = 4 * turnsLayout(splitK, groupM * groupN, (threadM * threadN) / 4, 4).elements;
  const before = problem.prologue ? prologueSeats(problem.prologue, problem.prologue.side === 'left' ? rows : columns, size).bytes : 0;
  const padded = 4 * (tileK * (rows + columns + 8) + partial) + before <= emitter.target.limits.maxComputeWorkgroupStorageSize;
  const staging = { size, tileK, tiles, groups, padded };
  const operand = (side: 'left' | 'right', tile: number, group: WgslExpr): StagedOperand =>
    new StagedOperand(emitter, values, problem, side, { ...staging, tile, group, defineRows: emitPrologue(emitter, values, problem, side, { tile, group, size, groups }) });
  const left = operand('left', rows, element(id, 1));
  const right = operand('right', columns, element(id, 0));
  const operands = [left, right];
  const sums = Array.from({ length: threadM }, (_, i) => Array.from({ length: threadN / 4 }, (_, j) => emitter.variable(`sum${i}_${j}`, VECTOR, construct(VECTOR))));

  const products = (): void => {
    const depth = emitter.names.fresh('depth');
    const body = emitter.nested({}, () => {
      const vectors = (operand: StagedOperand, t: WgslExpr, inGroup: number, count: number): WgslExpr[] =>
        Array.from({ length: count / 4 }, (_, q) => emitter.bind('x', operand.at(ref(depth, U32), add(t, u32(q * inGroup)))));
      const a = vectors(left, ty, groupM, threadM);
      const b = vectors(right, tx, groupN, threadN);
      sums.forEach((row, i) => row.forEach((sum, j) => emitter.push(assign(sum, fma(construct(VECTOR, element(a[Math.floor(i / 4)], i % 4)), b[j], sum)))));
    });
    emitter.push(forOf(depth, turn, u32(tileK), u32(splitK), body));
  };

  emitDepth(emitter, operands, { tiles, prefetch: schedule.prefetch ?? false, groups, size }, products);

  const threads = { m: workgroups[1] * groupM, n: workgroups[0] * groupN };
  const side = (role: 'm' | 'n', t: WgslExpr, group: WgslExpr): Group[] => {
    const [extent, inGroup, count] = role === 'm' ? [M, groupM, threadM / 4] : [N, groupN, threadN / 4];
    const positions = Array.from({ length: count }, (_, q) => add(add(mul(group, u32(inGroup * count)), t), u32(q * inGroup)));
    return defineGroups(emitter, { role, extent, width: 4, threads: threads[role] }, positions, (thread, q) => Math.floor(thread / inGroup) * inGroup * count + q * inGroup + (thread % inGroup));
  };
  const finish = (m: readonly Group[], own: readonly (readonly WgslExpr[])[]): void => {
    const n = side('n', tx, element(id, 0));
    emitEpilogue(emitter, values, problem, { rows: m.flatMap((g) => g.points), columns: n, sum: (i, j) => own[i][j], threadsN: threads.n, repeats: B });
  };
  if (splitK === 1) {
    finish(side('m', ty, element(id, 1)), sums);
  } else {
    const { sharers, rows: shares, collect } = shareSums(emitter, sums, { count: splitK, turn, threads: groupM * groupN, place: local, neighbours: 'place' });
    const last = emitter.nested({}, () => {
      emitter.runs(groups * groupM * groupN * sharers);
      const first = mul(element(id, 1), u32(rows));
      const positions = shares.map((i) => add(add(first, mul(add(ty, u32(Math.floor(i / 4) * groupM)), u32(4))), sharers === 1 ? u32(i % 4) : add(turn, u32(i % 4))));
      const rowOf = (thread: number, j: number): number => {
        const [tile, share] = [Math.floor(thread / sharers), thread % sharers];
        return Math.floor(tile / groupM) * rows + (Math.floor(shares[j] / 4) * groupM + (tile % groupM)) * 4 + (shares[j] % 4) + share;
      };
      finish(defineGroups(emitter, { role: 'own_m', extent: M, width: 1, threads: threads.m * sharers }, positions, rowOf), collect());
    });
    emitter.push(sharers < splitK ? ifOf(less(turn, u32(sharers)), last) : { kind: 'block', body: last });
  }
  return { workgroupSize: [size, 1, 1], workgroups };
}
