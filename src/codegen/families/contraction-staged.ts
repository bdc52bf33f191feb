/**
 * Tiles staged through workgroup memory: the workgroup loads a tile of each operand, `tileK` deep, every thread once a
 * value, and each value then serves threadM or threadN times as many products. For devices with fast workgroup memory.
 *
 * Tiles lie as [depth][row / 4] vectors of four rows (columns), so that a thread reads its rows and columns at one depth
 * as vectors. Thread t's rows are 4 t, ..., 4 t + 3 of every 4 * groupM: neighbouring threads read neighbouring vectors.
 */
import { add as plus, axis, constant, scale, strideOf } from '../../kernel-index.ts';
import { binary, indexValue, loadsOf, number, select as chosen, substituteExpr } from '../../kernel-expr.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';
import { linearDepth } from '../../kernel-contraction.ts';
import type { Axis, Expr, Index } from '../../kernel.ts';
import type { ContractionSchedule } from '../../schedule.ts';
import type { Emitter } from '../emitter.ts';
import { atMost } from '../emitter.ts';
import type { Values } from '../values.ts';
import { add, assign, barrier, construct, div, element, fma, forOf, ifOf, less, mod, mul, ref, u32 } from '../wgsl-build.ts';
import { F32, U32, vector } from '../wgsl.ts';
import type { WgslExpr } from '../wgsl.ts';
import type { Dispatch } from './contraction-direct.ts';
import { emitEpilogue } from './contraction-epilogue.ts';
import { loadAlong } from './contraction-lanes.ts';
import type { Along } from './contraction-lanes.ts';
import { defineGroups } from './contraction-tile.ts';

const VECTOR = vector('f32', 4);

export function emitStaged(emitter: Emitter, values: Values, original: ContractionProblem, schedule: ContractionSchedule): Dispatch {
  const problem = linearDepth(original);
  const { B, M, N } = problem;
  const { threadM, threadN, groupM, groupN, tileK } = schedule;
  if (threadM % 4 || threadN % 4 || tileK % 4 || schedule.vector !== 4 || schedule.splitK !== 1) throw new Error('bug: staged tiles are of vectors of four');
  const K = problem.depth[0];
  const rows = threadM * groupM;
  const columns = threadN * groupN;
  const size = groupM * groupN;
  const workgroups = [Math.ceil(N / columns), Math.ceil(M / rows), B] as const;
  const tiles = Math.ceil(K / tileK);

  emitter.runs(workgroups[0] * workgroups[1] * B * size);
  const local = emitter.builtin('local_invocation_index');
  const id = emitter.builtin('workgroup_id');
  const tx = emitter.bind('tx', mod(local, u32(groupN)));
  const ty = emitter.bind('ty', div(local, u32(groupN)));
  if (B > 1) emitter.defineAxis({ name: 'b', extent: B }, element(id, 2));

  const shared = { groups: workgroups[0] * workgroups[1] * B, size, tileK, tiles, K, local };
  const left = new StagedOperand(emitter, values, problem, 'left', { ...shared, extent: M, tile: rows, group: element(id, 1) });
  const right = new StagedOperand(emitter, values, problem, 'right', { ...shared, extent: N, tile: columns, group: element(id, 0) });
  const sums = Array.from({ length: threadM }, (_, i) => Array.from({ length: threadN / 4 }, (_, j) => emitter.variable(`sum${i}_${j}`, VECTOR, construct(VECTOR))));

  const tile = emitter.names.fresh('tile');
  const body = emitter.nested({}, () => {
    emitter.runs(shared.groups * size * tiles);
    if (tiles > 1) emitter.defineAxis(TILE(tiles), ref(tile, U32));
    left.stage();
    right.stage();
    emitter.push(barrier);
    const depth = emitter.names.fresh('depth');
    const products = emitter.nested({}, () => {
      const at = (t: WgslExpr, group: number, q: number, width: number): WgslExpr => add(add(mul(ref(depth, U32), u32(width)), t), u32(q * group));
      const a = Array.from({ length: threadM / 4 }, (_, q) => emitter.bind('a', element(left.memory, at(ty, groupM, q, left.rowVectors))));
      const b = Array.from({ length: threadN / 4 }, (_, q) => emitter.bind('b', element(right.memory, at(tx, groupN, q, right.rowVectors))));
      sums.forEach((row, i) => row.forEach((sum, j) => emitter.push(assign(sum, fma(construct(VECTOR, element(a[Math.floor(i / 4)], i % 4)), b[j], sum)))));
    });
    emitter.push(forOf(depth, u32(0), u32(tileK), u32(1), products));
    if (tiles > 1) emitter.push(barrier);
  });
  emitter.push(tiles > 1 ? forOf(tile, u32(0), u32(tiles), u32(1), body) : { kind: 'block', body });

  const threads = { m: workgroups[1] * groupM, n: workgroups[0] * groupN };
  const positions = (t: WgslExpr, group: WgslExpr, inGroup: number, count: number): WgslExpr[] =>
    Array.from({ length: count }, (_, q) => add(add(mul(group, u32(inGroup * count)), t), u32(q * inGroup)));
  const positionOf = (inGroup: number, count: number) => (t: number, q: number): number => Math.floor(t / inGroup) * inGroup * count + q * inGroup + (t % inGroup);
  const m = defineGroups(emitter, { role: 'm', extent: M, width: 4, threads: threads.m }, positions(ty, element(id, 1), groupM, threadM / 4), positionOf(groupM, threadM / 4));
  const n = defineGroups(emitter, { role: 'n', extent: N, width: 4, threads: threads.n }, positions(tx, element(id, 0), groupN, threadN / 4), positionOf(groupN, threadN / 4));
  emitEpilogue(emitter, values, problem, { rows: m.flatMap((g) => g.points), columns: n, sum: (i, j) => sums[i][j], threadsN: threads.n, repeats: B });
  return { workgroupSize: [size, 1, 1], workgroups };
}

/** The axis of the loop over tiles of the depth. */
const TILE = (tiles: number): Axis => ({ name: 'tile', extent: tiles });

interface Staging {
  /** M or N */
  readonly extent: number;
  /** Rows or columns of a workgroup's tile, and which tile it is. */
  readonly tile: number;
  readonly group: WgslExpr;
  readonly groups: number;
  readonly size: number;
  readonly tileK: number;
  readonly tiles: number;
  readonly K: number;
  readonly local: WgslExpr;
}

/** One operand's tile in workgroup memory. */
class StagedOperand {
  readonly memory: WgslExpr;
  /** Vectors of four rows that a depth takes. */
  readonly rowVectors: number;
  private readonly name: 'm' | 'n';
  private readonly along: Along;
  private readonly operand: Expr;

  constructor(private readonly emitter: Emitter, private readonly values: Values, problem: ContractionProblem, side: 'left' | 'right', private readonly at: Staging) {
    this.name = side === 'left' ? 'm' : 'n';
    this.operand = problem[side];
    this.along = loadAlong(problem, side, { k: problem.depth[0] % 4 === 0, side: at.extent % 4 === 0 });
    this.rowVectors = at.tile / 4;
    this.memory = emitter.workgroupVar(side === 'left' ? 'left_tile' : 'right_tile', { kind: 'array', of: VECTOR, length: at.tileK * this.rowVectors });
    this.units = this.defineUnits();
  }

  private readonly units: readonly Unit[];

  /**
   * A unit is what one thread loads at once: four depths of a row, four rows at a depth, or one value. Consecutive
   * threads take consecutive addresses. Where a unit's row is known before the loop over tiles, so is its address.
   */
  private defineUnits(): Unit[] {
    const { emitter, at } = this;
    const { tile, tileK, size, local } = at;
    const count = (tile * tileK) / (this.along === 'none' ? 1 : 4);
    const depthFirst = this.along === 'k' || (this.along === 'none' && this.walksDepth());
    const depths = this.along === 'k' ? tileK / 4 : tileK;
    const sides = this.along === 'side' ? tile / 4 : tile;
    return Array.from({ length: Math.ceil(count / size) }, (_, u): Unit => {
      const number = emitter.bind('unit', add(local, u32(u * size)));
      const depth = emitter.bind('unit_k', depthFirst ? mod(number, u32(depths)) : div(number, u32(sides)));
      const side = emitter.bind('unit_row', depthFirst ? div(number, u32(depths)) : mod(number, u32(sides)));
      const limit = this.along === 'side' ? at.extent / 4 : at.extent;
      const index: Axis = { name: `${this.name}~${u}`, extent: limit };
      const known: Axis = { name: `${this.name}k~${u}`, extent: depths };
      if (limit > 1) {
        const place = add(mul(at.group, u32(sides)), side);
        emitter.defineAxis(index, emitter.bind(this.name, at.extent % tile === 0 ? place : atMost(place, limit - 1)));
      }
      if (depths > 1) emitter.defineAxis(known, depth);
      const threads = Math.min(size, count - u * size);
      return { index: axis(index), depth: axis(known), row: side, place: depth, threads, ...(threads < size && { exists: less(number, u32(count)) }) };
    });
  }

  /** Whether single values lie closer along the depth than along the rows. */
  private walksDepth(): boolean {
    const step = (at: Index, name: string): number => Math.abs(strideOf(at, name) ?? Infinity) || Infinity;
    return loadsOf(this.operand).every(({ at: [index] }) => step(index, 'k0') <= step(index, this.name));
  }

  /** Loads the tile of the current depth, and zeros past the end of it. */
  stage(): void {
    const { emitter, at } = this;
    for (const unit of this.units) {
      const load = (): void => this.stageUnit(unit);
      if (!unit.exists) {
        load();
        continue;
      }
      const body = emitter.nested({}, () => {
        emitter.runs(at.groups * unit.threads * at.tiles);
        load();
      });
      emitter.push(ifOf(unit.exists, body));
    }
  }

  private stageUnit(unit: Unit): void {
    const { emitter, values, at } = this;
    const wide = this.along === 'k' ? 4 : 1;
    const first = plus(scale(axis(TILE(at.tiles)), at.tileK), scale(unit.depth, wide));
    const depths = Array.from({ length: wide }, (_, t) => plus(first, constant(t)));
    const sides = this.along === 'side' ? [0, 1, 2, 3].map((t) => plus(scale(unit.index, 4), constant(t))) : [unit.index];
    const points = depths.flatMap((k) => sides.map((side) => new Map([['k0', k], [this.name, side]])));
    // Past the end of the depth there are zeros; one test for all values of the unit, which end together.
    const whole = at.K % at.tileK === 0;
    const exists = binary('less', indexValue(first), number(at.K, 'i32'));
    const value = values.value(points.map((map) => {
      const operand = substituteExpr(this.operand, map);
      return whole ? operand : chosen(exists, operand, number(0));
    }));
    const slot = (depth: WgslExpr, vectorOfRows: WgslExpr): WgslExpr => element(this.memory, add(mul(depth, u32(this.rowVectors)), vectorOfRows));
    if (this.along === 'side') {
      emitter.push(assign(slot(unit.place, unit.row), values.splat(value, 4)));
      return;
    }
    const named = emitter.bind('staged', value);
    const row = div(unit.row, u32(4));
    const lane = mod(unit.row, u32(4));
    for (let t = 0; t < wide; t++) {
      const target = slot(add(mul(unit.place, u32(wide)), u32(t)), row);
      emitter.push(assign({ kind: 'element', type: F32, of: target, at: lane }, element(named, t)));
    }
  }
}

interface Unit {
  /** Its row, or vector of rows, in the matrix. */
  readonly index: Index;
  /** Its depth, or vector of depths, in the tile. */
  readonly depth: Index;
  /** The same as WGSL values, the row in the tile. */
  readonly row: WgslExpr;
  readonly place: WgslExpr;
  readonly threads: number;
  readonly exists?: WgslExpr;
}
