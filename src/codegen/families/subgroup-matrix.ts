/**
 * Contractions of f16 operands in the device's matrix units, accumulated in f32. Each subgroup keeps fragmentsM x
 * fragmentsN results of 16 x 16; operands are loaded straight from memory, which is fastest where they lie in 16 x 16
 * blocks. Results pass through workgroup memory, a row of fragments at a time, to the lanes, which finish and store them.
 */
import { storedElements } from '../../kernel-layout.ts';
import { axis, substitute } from '../../kernel-index.ts';
import type { Kernel } from '../../kernel.ts';
import { FRAGMENT, fragmentProblem } from '../../kernel-fragments.ts';
import type { FragmentOperand, FragmentProblem } from '../../kernel-fragments.ts';
import type { Space } from '../../plan.ts';
import type { SubgroupMatrixSchedule } from '../../schedule.ts';
import type { Target } from '../../targets.ts';
import { atMost, Emitter } from '../emitter.ts';
import { Values } from '../values.ts';
import { add, assign, barrier, call, construct, div, element, forOf, mod, mul, ref, u32 } from '../wgsl-build.ts';
import { F32, U32, vector } from '../wgsl.ts';
import type { KernelCode, WgslExpr, WgslType } from '../wgsl.ts';
import { emitEpilogue } from './contraction-epilogue.ts';
import { defineGroups } from './contraction-tile.ts';

type MatrixType = Extract<WgslType, { kind: 'matrix' }>;

const matrix = (role: MatrixType['role']): MatrixType => ({ kind: 'matrix', role, component: role === 'result' ? 'f32' : 'f16', columns: FRAGMENT, rows: FRAGMENT });

export function generateSubgroupMatrix(kernel: Kernel, spaces: readonly Space[], schedule: SubgroupMatrixSchedule, target: Target): KernelCode {
  const found = fragmentProblem(kernel);
  if (!found) throw new Error(`bug: ${kernel.name} has no fragments`);
  // The problem's addresses are flat and as stored.
  const flat = kernel.params.map((p) => ({ ...p, shape: [storedElements(p)], layout: undefined }));
  const emitter = new Emitter({ ...kernel, params: flat }, spaces, target);
  emitter.enable('subgroups');
  emitter.enable('chromium_experimental_subgroup_matrix');
  emitter.diagnosticOff('chromium.subgroup_matrix_uniformity');
  return new SubgroupMatrices(emitter, found, schedule).emit();
}

class SubgroupMatrices {
  private readonly values: Values;
  private readonly workgroups: readonly [number, number, number];
  private readonly subgroups: number;
  /** Which subgroup this is, along m and n of the whole dispatch. */
  private readonly sm: WgslExpr;
  private readonly sn: WgslExpr;

  constructor(private readonly emitter: Emitter, private readonly found: FragmentProblem, private readonly schedule: SubgroupMatrixSchedule) {
    const { blocks, problem } = found;
    const { fragmentsM, fragmentsN, subgroupsM, subgroupsN, subgroupSize } = schedule;
    this.values = new Values(emitter, false);
    this.workgroups = [Math.ceil(blocks.n / (fragmentsN * subgroupsN)), Math.ceil(blocks.m / (fragmentsM * subgroupsM)), problem.B];
    this.subgroups = subgroupsM * subgroupsN;
    emitter.runs(this.workgroups[0] * this.workgroups[1] * problem.B * this.subgroups * subgroupSize);
    const id = emitter.builtin('workgroup_id');
    const subgroup = emitter.builtin('subgroup_id');
    this.sm = emitter.bind('subgroup_m', add(mul(element(id, 1), u32(subgroupsM)), div(subgroup, u32(subgroupsN))));
    this.sn = emitter.bind('subgroup_n', add(mul(element(id, 0), u32(subgroupsN)), mod(subgroup, u32(subgroupsN))));
    if (problem.B > 1) emitter.defineAxis({ name: 'b', extent: problem.B }, element(id, 2));
  }

  emit(): KernelCode {
    const { emitter, schedule } = this;
    const { fragmentsM, fragmentsN, subgroupSize } = schedule;
    const sums = grid(fragmentsM, fragmentsN, (i, j) => emitter.variable(`sum${i}_${j}`, matrix('result')));
    this.multiply(sums);
    this.finish(sums);
    return emitter.finish([this.subgroups * subgroupSize, 1, 1], this.workgroups);
  }

  private multiply(sums: readonly (readonly WgslExpr[])[]): void {
    const { emitter, found, schedule } = this;
    const { left, right, blocks, problem } = found;
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
    const executions = this.workgroups[0] * this.workgroups[1] * problem.B * this.subgroups * blocks.k;
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
      const a = rows.map((block) => load('left', left, 'm', block));
      const b = columns.map((block) => load('right', right, 'n', block));
      sums.forEach((row, i) => row.forEach((sum, j) => emitter.push(assign(sum, call('subgroupMatrixMultiplyAccumulate', matrix('result'), a[i], b[j], sum)))));
    });
    emitter.push(forOf(step, u32(0), u32(blocks.k), u32(1), body));
  }

  private renamed(operand: FragmentOperand, from: string, to: string, extent: number): FragmentOperand['start'] {
    return substitute(operand.start, new Map([[from, axis({ name: to, extent })]]));
  }

  /** Lanes of a subgroup stand as subgroupSize / 4 rows of four vectors of four columns. */
  private finish(sums: readonly (readonly WgslExpr[])[]): void {
    const { emitter, found, schedule, values } = this;
    const { problem } = found;
    const { fragmentsM, fragmentsN, subgroupsM, subgroupsN, subgroupSize } = schedule;
    const pitch = FRAGMENT * fragmentsN;
    const scratch = emitter.workgroupVar('results', { kind: 'array', of: F32, length: this.subgroups * FRAGMENT * pitch });
    const start = emitter.bind('start', mul(emitter.builtin('subgroup_id'), u32(FRAGMENT * pitch)));
    const lane = emitter.builtin('subgroup_invocation_id');
    const lanesM = subgroupSize / 4;
    const passes = FRAGMENT / lanesM;
    const laneM = emitter.bind('lane_m', div(lane, u32(4)));
    const laneN = emitter.bind('lane_n', mod(lane, u32(4)));
    const threads = { m: this.workgroups[1] * subgroupsM * lanesM, n: this.workgroups[0] * subgroupsN * 4 };
    const columns = defineGroups(
      emitter, { role: 'n', extent: problem.N, width: 4, threads: threads.n },
      Array.from({ length: fragmentsN }, (_, f) => add(add(mul(this.sn, u32(fragmentsN * 4)), laneN), u32(f * 4))),
      (thread, f) => (Math.floor(thread / 4) * fragmentsN + f) * 4 + (thread % 4),
    );
    const rowAt = (subgroup: number, f: number, pass: number): number => (subgroup * fragmentsM + f) * FRAGMENT + pass * lanesM;
    sums.forEach((row, f) => {
      row.forEach((sum, j) => emitter.push({ kind: 'matrixStore', to: { space: 'workgroup', name: (scratch as { name: string }).name }, offset: add(start, u32(j * FRAGMENT)), value: sum, columnMajor: false, stride: u32(pitch) }));
      emitter.push(barrier);
      const body = emitter.nested({}, () => {
        emitter.runs(problem.B * threads.m * threads.n);
        const rows = defineGroups(
          emitter, { role: 'm', extent: problem.M, width: 1, threads: threads.m },
          Array.from({ length: passes }, (_, pass) => add(add(mul(this.sm, u32(fragmentsM * FRAGMENT)), laneM), u32(rowAt(0, f, pass)))),
          (thread, pass) => rowAt(Math.floor(thread / lanesM), f, pass) + (thread % lanesM),
        );
        const at = (i: number, j: number, t: number): WgslExpr => add(add(start, add(mul(laneM, u32(pitch)), mul(laneN, u32(4)))), u32(i * lanesM * pitch + j * FRAGMENT + t));
        const sum = (i: number, j: number): WgslExpr => construct(vector('f32', 4), ...[0, 1, 2, 3].map((t) => element(scratch, at(i, j, t))));
        emitEpilogue(emitter, values, problem, { rows: rows.flatMap((g) => g.points), columns, sum, threadsN: threads.n, repeats: problem.B });
      });
      emitter.push({ kind: 'block', body });
      if (f + 1 < sums.length) emitter.push(barrier);
    });
  }
}

function grid<T>(rows: number, columns: number, f: (i: number, j: number) => T): T[][] {
  return Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (__, j) => f(i, j)));
}
