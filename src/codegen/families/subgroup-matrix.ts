/**
 * Contractions of f16 operands, or of f32 ones split into two (subgroup-matrix-split.ts), in the device's matrix units,
 * accumulated in f32. Each subgroup keeps fragmentsM x
 * fragmentsN results of 16 x 16. Operands come through workgroup memory, a tile of the depth at a time, or (`tileK` 0)
 * straight from memory, where they lie so that fragments can be loaded. Results pass through the same workgroup memory to
 * the lanes, which finish and store them (subgroup-matrix-results.ts).
 */
import { storedElements } from '../../kernel-layout.ts';
import { contractionProblem, linearDepth } from '../../kernel-contraction.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';
import { axis, substitute } from '../../kernel-index.ts';
import type { Kernel } from '../../kernel.ts';
import { arePairs, FRAGMENT, fragmentProblem, fragmentRoom, fragmentTile } from '../../kernel-fragments.ts';
import type { FragmentOperand, FragmentProblem } from '../../kernel-fragments.ts';
import type { Space } from '../../plan.ts';
import type { SubgroupMatrixSchedule } from '../../schedule.ts';
import type { Target } from '../../targets.ts';
import { bytesOf } from '../effort.ts';
import { atMost, Emitter } from '../emitter.ts';
import { Values } from '../values.ts';
import { add, assign, barrier, div, element, forOf, mod, mul, ref, u32 } from '../wgsl-build.ts';
import { U32 } from '../wgsl.ts';
import type { KernelCode, WgslExpr } from '../wgsl.ts';
import { emitDepth } from './contraction-depth.ts';
import type { Staging } from './contraction-operand.ts';
import { emitPrologue } from './contraction-prologue.ts';
import { clearGrid, enableMatrices, FragmentMemory, matrix, multiplyAccumulate, resultGrid } from './fragment-memory.ts';
import { emitResults } from './subgroup-matrix-results.ts';
import type { Results } from './subgroup-matrix-results.ts';
import { PairTile } from './subgroup-matrix-parts.ts';
import type { TwoPartTile } from './subgroup-matrix-parts.ts';
import { emitSplitDepth, joinSums, SplitTile, splitWidth } from './subgroup-matrix-split.ts';
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
  const memory = new FragmentMemory(emitter, room.words ? (arePairs(kernel, linear) ? 'fours' : 'eights') : 'ones', room.left + room.right, room.results);
  const code = new SubgroupMatrices(emitter, linear, schedule, fragments, memory).emit();
  if (memory.wide === 4 && code.module.workgroupVars.some((v) => bytesOf(v.type) % 16 !== 0)) throw new Error(`bug: tiles of ${kernel.name} may not lie at 16 bytes`);
  return code;
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
    const subgroup = emitter.bind('subgroup', emitter.subgroup(this.subgroups));
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
    if (schedule.split) this.multiplyParts(sums);
    else {
      if (fragments) this.multiplyFromMemory(sums, fragments);
      else this.multiplyTiles(sums);
      this.finish([sums], ([sum]) => sum);
    }
    return emitter.finish([this.subgroups * subgroupSize, 1, 1], this.workgroups);
  }

  private accumulate(sums: readonly (readonly WgslExpr[])[], left: readonly WgslExpr[], right: readonly WgslExpr[]): void {
    sums.forEach((row, i) => row.forEach((sum, j) => this.emitter.push(assign(sum, multiplyAccumulate(left[i], right[j], sum)))));
  }

  /** How the workgroup brings tiles of an operand to workgroup memory. */
  private staging(side: 'left' | 'right'): Omit<Staging, 'memory'> {
    const { emitter, values, problem, schedule, workgroups } = this;
    const { rows, columns } = fragmentTile(schedule);
    const [tile, along] = side === 'left' ? [rows, 1] : [columns, 0];
    const at = { tile, group: element(emitter.builtin('workgroup_id'), along), size: this.subgroups * schedule.subgroupSize, groups: workgroups[0] * workgroups[1] * workgroups[2] };
    const defineRows = emitPrologue(emitter, values, problem, side, at);
    return { ...at, tileK: schedule.tileK, tiles: Math.ceil(problem.depth[0] / schedule.tileK), padded: true, defineRows };
  }

  /** The subgroup's fragments of a tile at a depth. */
  private load(role: 'left' | 'right', fragment: (row: WgslExpr) => WgslExpr): WgslExpr[] {
    const { fragmentsM, fragmentsN } = this.schedule;
    const [subgroup, count] = role === 'left' ? [this.inM, fragmentsM] : [this.inN, fragmentsN];
    return Array.from({ length: count }, (_, f) => this.emitter.bind(role, fragment(add(mul(subgroup, u32(FRAGMENT * count)), u32(FRAGMENT * f)))));
  }

  private multiplyTiles(sums: readonly (readonly WgslExpr[])[]): void {
    const { emitter, values, problem, schedule, memory } = this;
    const staging = { left: this.staging('left'), right: this.staging('right') };
    const { size, groups, tiles } = staging.left;
    const left = new FragmentTile(emitter, values, problem, 'left', staging.left, memory, 0);
    const right = new FragmentTile(emitter, values, problem, 'right', staging.right, memory, fragmentRoom(problem, schedule).left / memory.wide);
    emitDepth(emitter, [left, right], { tiles, prefetch: schedule.prefetch, groups, size }, () => {
      for (let depth = 0; depth < schedule.tileK; depth += FRAGMENT) this.accumulate(sums, this.load('left', (row) => left.fragment(row, depth)), this.load('right', (row) => right.fragment(row, depth)));
    });
    // The results come where the tiles were.
    if (tiles === 1) emitter.push(barrier);
  }

  /** The same of operands in two parts, whose products with a low part have sums of their own. */
  private multiplyParts(high: readonly (readonly WgslExpr[])[]): void {
    const { emitter, values, problem, schedule, memory } = this;
    const low = resultGrid(emitter, schedule.fragmentsM, schedule.fragmentsN, 'low');
    const room = fragmentRoom(problem, schedule);
    const staging = { left: this.staging('left'), right: this.staging('right') };
    const tiles = <T extends TwoPartTile>(Tile: new (...args: ConstructorParameters<typeof PairTile>) => T, wide: (side: 'left' | 'right') => 4 | 8): readonly [T, T] => {
      const tile = (side: 'left' | 'right', start: number): T =>
        new Tile(emitter, values, problem, side, { ...staging[side], wide: wide(side) }, memory, start / memory.wide, room[side] / 2);
      return [tile('left', 0), tile('right', room.left)];
    };
    const products = ([left, right]: readonly [TwoPartTile, TwoPartTile]): void => {
      for (let depth = 0; depth < schedule.tileK; depth += FRAGMENT) {
        const [a, b] = [this.load('left', (row) => left.fragment(row, depth)), this.load('right', (row) => right.fragment(row, depth))];
        this.accumulate(high, a, b);
        this.accumulate(low, a, this.load('right', (row) => right.low(row, depth)));
        this.accumulate(low, this.load('left', (row) => left.low(row, depth)), b);
      }
    };
    let inverse: readonly WgslExpr[] = [];
    if (arePairs(emitter.kernel, problem)) {
      // Loads before the barrier: 642 to 604 µs at 12608 x 3072 x 768, where f16 as it is lost 2% (bench/NOTES.md, 31).
      const pairs = tiles(PairTile, () => 4);
      emitDepth(emitter, pairs, { ...staging.left, prefetch: schedule.prefetch, early: true }, () => products(pairs));
      // The results come where the tiles were.
      if (staging.left.tiles === 1) emitter.push(barrier);
    } else {
      const split = tiles(SplitTile, (side) => splitWidth(problem, side, memory));
      const clear = (): void => [high, low].forEach((sums) => clearGrid(emitter, sums));
      inverse = emitSplitDepth(emitter, split, { ...staging.left, subgroupSize: schedule.subgroupSize }, clear, () => products(split));
    }
    this.finish([high, low], ([h, l]) => joinSums(h, l, inverse));
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

  private finish(kinds: Results['kinds'], join: Results['join']): void {
    const { emitter, values, problem, schedule, memory, workgroups } = this;
    const subgroups = { m: workgroups[1] * schedule.subgroupsM, n: workgroups[0] * schedule.subgroupsN };
    emitResults(emitter, values, { problem, schedule, room: fragmentRoom(problem, schedule), memory, at: { m: this.sm, n: this.sn }, subgroups, kinds, join });
  }
}
