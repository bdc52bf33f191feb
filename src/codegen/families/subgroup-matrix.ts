/**
 * Contractions of f16 operands in the device's matrix units, accumulated in f32. Each subgroup keeps fragmentsM x
 * fragmentsN results of 16 x 16. Operands come through workgroup memory, a tile of the depth at a time, or (`tileK` 0)
 * straight from memory, where they lie so that fragments can be loaded. Results pass through the same workgroup memory, a
 * row of fragments at a time, to the lanes, which finish and store them.
 */
import { storedElements } from '../../kernel-layout.ts';
import { contractionProblem, linearDepth } from '../../kernel-contraction.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';
import { axis, substitute } from '../../kernel-index.ts';
import type { Kernel } from '../../kernel.ts';
import { FRAGMENT, fragmentProblem, fragmentRoom, fragmentTile, resultPitch } from '../../kernel-fragments.ts';
import type { FragmentOperand, FragmentProblem } from '../../kernel-fragments.ts';
import type { Space } from '../../plan.ts';
import type { SubgroupMatrixSchedule } from '../../schedule.ts';
import type { Target } from '../../targets.ts';
import { atMost, Emitter } from '../emitter.ts';
import { Values } from '../values.ts';
import { add, assign, barrier, div, element, forOf, mod, mul, ref, u32 } from '../wgsl-build.ts';
import { U32 } from '../wgsl.ts';
import type { KernelCode, WgslExpr } from '../wgsl.ts';
import { emitDepth } from './contraction-depth.ts';
import { emitEpilogue } from './contraction-epilogue.ts';
import { defineGroups } from './contraction-tile.ts';
import { enableMatrices, FragmentMemory, matrix, multiplyAccumulate, resultGrid, resultLanes } from './fragment-memory.ts';
import { FragmentTile } from './subgroup-matrix-tiles.ts';

export function generateSubgroupMatrix(kernel: Kernel, spaces: readonly Space[], schedule: SubgroupMatrixSchedule, target: Target): KernelCode {
  const fragments = schedule.tileK === 0 ? fragmentProblem(kernel) : undefined;
  const problem = schedule.tileK === 0 ? fragments?.problem : contractionProblem(kernel);
  if (!problem) throw new Error(`bug: ${kernel.name} has no fragments`);
  // The problem's addresses are flat and as stored.
  const flat = kernel.params.map((p) => ({ ...p, shape: [storedElements(p)], layout: undefined }));
  const emitter = new Emitter({ ...kernel, params: flat }, spaces, target);
  enableMatrices(emitter);
  const linear = linearDepth(problem);
  const room = fragmentRoom(linear, schedule);
  const memory = new FragmentMemory(emitter, room.words, room.left + room.right, room.results);
  return new SubgroupMatrices(emitter, linear, schedule, fragments, memory).emit();
}

class SubgroupMatrices {
  private readonly values: Values;
  private readonly workgroups: readonly [number, number, number];
  private readonly subgroups: number;
  /** Which subgroup of its workgroup this is, along m and n. */
  private readonly inM: WgslExpr;
  private readonly inN: WgslExpr;
  /** The same of the whole dispatch. */
  private readonly sm: WgslExpr;
  private readonly sn: WgslExpr;

  constructor(private readonly emitter: Emitter, private readonly problem: ContractionProblem, private readonly schedule: SubgroupMatrixSchedule, private readonly fragments: FragmentProblem | undefined, private readonly memory: FragmentMemory) {
    const { subgroupsM, subgroupsN } = schedule;
    const { rows, columns } = fragmentTile(schedule);
    this.values = new Values(emitter, false);
    this.workgroups = [Math.ceil(problem.N / columns), Math.ceil(problem.M / rows), problem.B];
    this.subgroups = subgroupsM * subgroupsN;
    emitter.runs(this.executions());
    const id = emitter.builtin('workgroup_id');
    const subgroup = emitter.builtin('subgroup_id');
    this.inM = emitter.bind('in_m', div(subgroup, u32(subgroupsN)));
    this.inN = emitter.bind('in_n', mod(subgroup, u32(subgroupsN)));
    this.sm = emitter.bind('subgroup_m', add(mul(element(id, 1), u32(subgroupsM)), this.inM));
    this.sn = emitter.bind('subgroup_n', add(mul(element(id, 0), u32(subgroupsN)), this.inN));
    if (problem.B > 1) emitter.defineAxis({ name: 'b', extent: problem.B }, element(id, 2));
  }

  /** Invocations of the dispatch. */
  private executions(): number {
    const { workgroups, subgroups, schedule } = this;
    return workgroups[0] * workgroups[1] * workgroups[2] * subgroups * schedule.subgroupSize;
  }

  emit(): KernelCode {
    const { emitter, schedule, fragments } = this;
    const { fragmentsM, fragmentsN, subgroupSize } = schedule;
    const sums = resultGrid(emitter, fragmentsM, fragmentsN);
    if (fragments) this.multiplyFromMemory(sums, fragments);
    else this.multiplyTiles(sums);
    this.finish(sums);
    return emitter.finish([this.subgroups * subgroupSize, 1, 1], this.workgroups);
  }

  private accumulate(sums: readonly (readonly WgslExpr[])[], left: readonly WgslExpr[], right: readonly WgslExpr[]): void {
    sums.forEach((row, i) => row.forEach((sum, j) => this.emitter.push(assign(sum, multiplyAccumulate(left[i], right[j], sum)))));
  }

  /** The workgroup brings tiles of both operands to workgroup memory. */
  private multiplyTiles(sums: readonly (readonly WgslExpr[])[]): void {
    const { emitter, values, problem, schedule, workgroups, memory } = this;
    const { fragmentsM, fragmentsN, tileK, prefetch } = schedule;
    const id = emitter.builtin('workgroup_id');
    const size = this.subgroups * schedule.subgroupSize;
    const groups = workgroups[0] * workgroups[1] * workgroups[2];
    const tiles = Math.ceil(problem.depth[0] / tileK);
    const staging = { size, tileK, tiles, groups, padded: true };
    const { rows, columns } = fragmentTile(schedule);
    const left = new FragmentTile(emitter, values, problem, 'left', { ...staging, tile: rows, group: element(id, 1) }, memory, 0);
    const right = new FragmentTile(emitter, values, problem, 'right', { ...staging, tile: columns, group: element(id, 0) }, memory, fragmentRoom(problem, schedule).left / memory.wide);
    const load = (operand: FragmentTile, role: 'left' | 'right', subgroup: WgslExpr, count: number, depth: number): WgslExpr[] =>
      Array.from({ length: count }, (_, f) => emitter.bind(role, operand.fragment(add(mul(subgroup, u32(FRAGMENT * count)), u32(FRAGMENT * f)), depth)));
    emitDepth(emitter, [left, right], { tiles, prefetch, groups, size }, () => {
      for (let depth = 0; depth < tileK; depth += FRAGMENT) this.accumulate(sums, load(left, 'left', this.inM, fragmentsM, depth), load(right, 'right', this.inN, fragmentsN, depth));
    });
    // The results come where the tiles were.
    if (tiles === 1) emitter.push(barrier);
  }

  private multiplyFromMemory(sums: readonly (readonly WgslExpr[])[], { left, right, blocks }: FragmentProblem): void {
    const { emitter, schedule } = this;
    const { fragmentsM, fragmentsN } = schedule;
    // Fragments past the last one are the last one again; nothing of theirs is stored.
    const define = (side: 'm' | 'n', subgroup: WgslExpr, count: number): string[] =>
      Array.from({ length: count }, (_, f) => {
        const own = { name: `${side}block${f}`, extent: blocks[side] };
        const at = add(mul(subgroup, u32(count)), u32(f));
        const even = blocks[side] % (count * (side === 'm' ? schedule.subgroupsM : schedule.subgroupsN)) === 0;
        if (own.extent > 1) emitter.defineAxis(own, emitter.bind(own.name, even ? at : atMost(at, own.extent - 1)));
        return own.name;
      });
    const rows = define('m', this.sm, fragmentsM);
    const columns = define('n', this.sn, fragmentsN);
    const executions = (this.executions() / schedule.subgroupSize) * blocks.k;
    const step = emitter.names.fresh('step');
    const body = emitter.nested({}, () => {
      emitter.runs(executions * schedule.subgroupSize);
      if (blocks.k > 1) emitter.defineAxis({ name: 'kblock', extent: blocks.k }, ref(step, U32));
      const load = (role: 'left' | 'right', operand: FragmentOperand, side: 'm' | 'n', block: string): WgslExpr => {
        const start = this.renamed(operand, `${side}block`, block, blocks[side]);
        const binding = emitter.binding(operand.buffer);
        emitter.count(executions * FRAGMENT * FRAGMENT * 2, 0);
        return emitter.bind(role, { kind: 'matrixLoad', type: matrix(role), from: { space: 'binding', name: binding.name }, offset: this.values.index(start), columnMajor: operand.columnMajor, stride: u32(operand.stride) });
      };
      this.accumulate(sums, rows.map((block) => load('left', left, 'm', block)), columns.map((block) => load('right', right, 'n', block)));
    });
    emitter.push(forOf(step, u32(0), u32(blocks.k), u32(1), body));
  }

  private renamed(operand: FragmentOperand, from: string, to: string, extent: number): FragmentOperand['start'] {
    return substitute(operand.start, new Map([[from, axis({ name: to, extent })]]));
  }

  /** A row of fragments at a time goes to the lanes. Neighbours stand along the columns, so that they store whole lines. */
  private finish(sums: readonly (readonly WgslExpr[])[]): void {
    const { emitter, problem, schedule, values, memory } = this;
    const { fragmentsM, fragmentsN, subgroupsM, subgroupsN, subgroupSize } = schedule;
    const fours = (FRAGMENT / 4) * fragmentsN;
    const pitch = resultPitch(schedule);
    const start = emitter.bind('start', mul(emitter.builtin('subgroup_id'), u32(FRAGMENT * pitch)));
    const lane = emitter.builtin('subgroup_invocation_id');
    const { lanesM, lanesN } = resultLanes(fours, subgroupSize);
    const passes = Math.ceil(FRAGMENT / lanesM);
    const laneM = emitter.bind('lane_m', div(lane, u32(lanesN)));
    const laneN = emitter.bind('lane_n', mod(lane, u32(lanesN)));
    const threads = { m: this.workgroups[1] * subgroupsM * lanesM, n: this.workgroups[0] * subgroupsN * lanesN };
    const columns = defineGroups(
      emitter, { role: 'n', extent: problem.N, width: 4, threads: threads.n },
      Array.from({ length: fours / lanesN }, (_, j) => add(add(mul(this.sn, u32(fours)), laneN), u32(j * lanesN))),
      (thread, j) => Math.floor(thread / lanesN) * fours + j * lanesN + (thread % lanesN),
    );
    const rowAt = (subgroup: number, f: number, pass: number): number => (subgroup * fragmentsM + f) * FRAGMENT + pass * lanesM;
    sums.forEach((row, f) => {
      row.forEach((sum, j) => memory.putResults(add(start, u32((j * FRAGMENT) / 4)), sum, pitch));
      emitter.push(barrier);
      const body = emitter.nested({}, () => {
        emitter.runs(problem.B * threads.m * threads.n);
        const rows = defineGroups(
          emitter, { role: 'm', extent: problem.M, width: 1, threads: threads.m },
          Array.from({ length: passes }, (_, pass) => add(add(mul(this.sm, u32(fragmentsM * FRAGMENT)), laneM), u32(rowAt(0, f, pass)))),
          (thread, pass) => rowAt(Math.floor(thread / lanesM), f, pass) + (thread % lanesM),
        );
        const sum = (i: number, j: number): WgslExpr => emitter.bind('sum', memory.results(add(add(start, add(mul(laneM, u32(pitch)), laneN)), u32(i * lanesM * pitch + j * lanesN))));
        emitEpilogue(emitter, values, problem, { rows: rows.flatMap((g) => g.points), columns, sum, threadsN: threads.n, repeats: problem.B });
      });
      emitter.push({ kind: 'block', body });
      if (f + 1 < sums.length) emitter.push(barrier);
    });
  }
}
