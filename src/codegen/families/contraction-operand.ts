/** One operand of a contraction in workgroup memory, and how the workgroup brings it there. */
import { add as plus, axesOf, axis, constant, isConstant, scale, sub, substitute } from '../../kernel-index.ts';
import { binary, indexValue, loadsOf, number, select, substituteExpr } from '../../kernel-expr.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';
import { alongOf } from '../../kernel-lanes.ts';
import type { Along } from '../../kernel-lanes.ts';
import type { Axis, Expr, Index } from '../../kernel.ts';
import type { Emitter } from '../emitter.ts';
import { atMost } from '../emitter.ts';
import type { Values } from '../values.ts';
import { add, assign, div, element, ifOf, less, mod, mul, u32 } from '../wgsl-build.ts';
import { F32, vector } from '../wgsl.ts';
import type { ValueType, WgslExpr } from '../wgsl.ts';
import type { DefineRows } from './contraction-prologue.ts';

const VECTOR = vector('f32', 4);

export interface Staging {
  /** Rows or columns of a workgroup's tile, and which tile it is. */
  readonly tile: number;
  readonly group: WgslExpr;
  readonly tileK: number;
  /** Tiles of the depth. */
  readonly tiles: number;
  /** Whether there is room for a vector more at each depth. */
  readonly padded: boolean;
  /** Threads of a workgroup, workgroups. */
  readonly size: number;
  readonly groups: number;
  /** Tells the axes of operands apart that stand on one side of different products. Default: the side's. */
  readonly label?: string;
  /** Tells values what reductions over rows are that the operand uses. */
  readonly defineRows?: DefineRows;
  /** Where the tile lies, an array of enough vectors; else memory of its own. */
  readonly memory?: WgslExpr;
  /** Values that a vector holds. Default: 4. */
  readonly wide?: 4 | 8;
}

/**
 * What one thread loads at once: a vector of depths of a row, of rows at a depth, or one value. `row` and `depth` count
 * in the tile, by vectors along the vector.
 */
export interface Unit {
  readonly row: WgslExpr;
  readonly depth: WgslExpr;
  /** Its row in the matrix and its depth in the tile, by vectors along the vector. */
  readonly rowIndex: Index;
  readonly depthIndex: Index;
  /** Threads that have this unit, and the test for it where not all have. */
  readonly threads: number;
  readonly exists?: WgslExpr;
  /** Holds the unit's values between the load and the write, when prefetched. */
  held?: WgslExpr;
}

/** The tile lies as [depth][row / 4] vectors of four rows: what a thread reads at one depth is whole vectors. */
export class StagedOperand {
  protected readonly name: 'm' | 'n';
  private readonly extent: number;
  protected readonly depth: number;
  protected readonly operand: Expr;
  protected readonly along: Along;
  /** Vectors from one depth to the next. */
  private readonly pitch: number;
  protected readonly memory: WgslExpr;
  protected readonly wide: 4 | 8;
  protected readonly units: readonly Unit[];

  constructor(protected readonly emitter: Emitter, protected readonly values: Values, problem: ContractionProblem, side: 'left' | 'right', protected readonly staging: Staging) {
    this.name = side === 'left' ? 'm' : 'n';
    this.extent = side === 'left' ? problem.M : problem.N;
    [this.depth] = problem.depth;
    this.operand = problem[side];
    this.along = alongOf(problem, side);
    this.wide = staging.wide ?? 4;
    // Vectors along the depth are written down a column: with a pitch of an odd number of vectors they meet fewer banks twice.
    this.pitch = staging.tile / 4 + (staging.padded && this.along !== 'side' ? 1 : 0);
    this.memory = staging.memory ?? emitter.workgroupVar(`${side}_tile`, { kind: 'array', of: VECTOR, length: staging.tileK * this.pitch });
    this.units = this.defineUnits();
    for (const unit of this.units) {
      // Threads without a unit come by too: they read the last row.
      const row = unit.exists ? atMost(unit.row, (this.along === 'side' ? staging.tile / this.wide : staging.tile) - 1) : unit.row;
      if (this.along !== 'side') staging.defineRows?.([unit.rowIndex], [row]);
      else staging.defineRows?.(this.rowsOf(unit.rowIndex), this.lanes().map((t) => add(mul(row, u32(this.wide)), u32(t))));
    }
  }

  private lanes(): number[] {
    return Array.from({ length: this.wide }, (_, t) => t);
  }

  /** The rows of a unit along the side. */
  private rowsOf(rowIndex: Index): Index[] {
    return this.lanes().map((t) => plus(scale(rowIndex, this.wide), constant(t)));
  }

  /** What a unit's values are held as when prefetched. */
  protected held(): ValueType {
    return vector('f32', this.along === 'none' ? 1 : 4);
  }

  /** Four neighbouring rows at a depth of the tile. */
  at(depth: WgslExpr, vectorOfRows: WgslExpr): WgslExpr {
    return element(this.memory, add(mul(depth, u32(this.pitch)), vectorOfRows));
  }

  /** Loads a tile of the depth into registers; `executions`: how often each thread of the dispatch's workgroups, per thread. */
  prefetch(tile: Index, executions: number): void {
    for (const unit of this.units) {
      unit.held ??= this.emitter.variable('held', this.held());
      this.where(unit, executions, () => this.emitter.push(assign(unit.held!, this.load(unit, tile))));
    }
  }

  /** Brings a tile of the depth to workgroup memory, from registers where it was prefetched. */
  stage(tile: Index, prefetched: boolean): void {
    const { groups, tiles } = this.staging;
    for (const unit of this.units) this.where(unit, groups * tiles, () => this.write(unit, prefetched ? unit.held! : this.load(unit, tile)));
  }

  protected where(unit: Unit, executions: number, f: () => void): void {
    if (!unit.exists) return f();
    // Other threads have no place of their own to load from.
    const body = this.emitter.nested({ fence: true }, () => {
      this.emitter.runs(executions * unit.threads);
      f();
    });
    this.emitter.push(ifOf(unit.exists, body));
  }

  /** Which line of the tile, of so many that the workgroup brings at once, a thread's first unit is of. */
  protected lineOf(line: WgslExpr, _lines: number): WgslExpr {
    return line;
  }

  /** Consecutive threads take consecutive addresses. */
  private defineUnits(): Unit[] {
    const { emitter, extent, staging } = this;
    const { tile, tileK, size, group, label = this.name } = staging;
    const local = emitter.builtin('local_invocation_index');
    const depths = this.along === 'k' ? tileK / this.wide : tileK;
    const rows = this.along === 'side' ? tile / this.wide : tile;
    const limit = this.along === 'side' ? extent / this.wide : extent;
    const depthFirst = this.along === 'k' || (this.along === 'none' && this.walksDepth());
    const inner = depthFirst ? depths : rows;
    const count = depths * rows;
    // Where whole lines go to the workgroup at once, a thread's units differ along the other direction only.
    const regular = size % inner === 0 && count % size === 0;
    const step = size / inner;
    const fast = emitter.bind('fast', mod(local, u32(inner)));
    const slow = emitter.bind('slow', this.lineOf(div(local, u32(inner)), step));
    const overhangs = extent % tile !== 0;

    const defineRow = (u: number, row: WgslExpr, by: number): Index => {
      const own: Axis = { name: `${label}~${u}`, extent: overhangs ? limit : limit - by };
      const at = add(mul(group, u32(rows)), row);
      if (own.extent > 1) emitter.defineAxis(own, emitter.bind(this.name, overhangs ? atMost(at, limit - 1) : at));
      return axis(own);
    };
    const defineDepth = (u: number, depth: WgslExpr, most: number): Index => {
      const own: Axis = { name: `${label}k~${u}`, extent: most };
      if (most > 1) emitter.defineAxis(own, depth);
      return axis(own);
    };

    const total = Math.ceil(count / size);
    let shared: { row: Index; depth: Index } | undefined;
    return Array.from({ length: total }, (_, u): Unit => {
      const threads = Math.min(size, count - u * size);
      if (!regular) {
        const unit = emitter.bind('unit', add(local, u32(u * size)));
        const depth = emitter.bind('unit_depth', depthFirst ? mod(unit, u32(inner)) : div(unit, u32(inner)));
        const row = emitter.bind('unit_row', depthFirst ? div(unit, u32(inner)) : mod(unit, u32(inner)));
        return { row, depth, rowIndex: defineRow(u, row, 0), depthIndex: defineDepth(u, depth, depths), threads, ...(threads < size && { exists: less(unit, u32(count)) }) };
      }
      const by = u * step;
      const further = add(slow, u32(by));
      if (depthFirst) {
        shared ??= { depth: defineDepth(0, fast, depths), row: defineRow(0, slow, (total - 1) * step) };
        const rowIndex = overhangs && u > 0 ? defineRow(u, further, 0) : plus(shared.row, constant(by));
        return { row: further, depth: fast, rowIndex, depthIndex: shared.depth, threads };
      }
      shared ??= { depth: defineDepth(0, slow, step), row: defineRow(0, fast, 0) };
      return { row: fast, depth: further, rowIndex: shared.row, depthIndex: plus(shared.depth, constant(by)), threads };
    });
  }

  /** Whether single values lie closer along the depth than along the rows. */
  private walksDepth(): boolean {
    const near = (name: string): number => loadsOf(this.operand).reduce((sum, { at: [index] }) => sum + stepAlong(index, name), 0);
    return near('k0') < near(this.name);
  }

  protected firstDepth(unit: Unit, tile: Index): Index {
    return plus(scale(tile, this.staging.tileK), scale(unit.depthIndex, this.along === 'k' ? this.wide : 1));
  }

  /** Depth and row of each of a unit's values in a tile of the depth. */
  protected points(unit: Unit, tile: Index): Map<string, Index>[] {
    const first = this.firstDepth(unit, tile);
    const depths = this.along === 'k' ? this.lanes().map((t) => plus(first, constant(t))) : [first];
    const rows = this.along === 'side' ? this.rowsOf(unit.rowIndex) : [unit.rowIndex];
    return depths.flatMap((k) => rows.map((row) => new Map([['k0', k], [this.name, row]])));
  }

  /** A unit's values in a tile of the depth: zeros past the end of it. */
  protected load(unit: Unit, tile: Index): WgslExpr {
    return this.valuesAt(this.points(unit, tile), unit, tile);
  }

  /** The operand at some of a unit's points, 4 or 1. */
  protected valuesAt(points: readonly Map<string, Index>[], unit: Unit, tile: Index): WgslExpr {
    const first = this.firstDepth(unit, tile);
    // One test for all values of the unit: vectors along the depth end with it.
    const inside = binary('less', indexValue(first), number(this.depth, 'i32'));
    const whole = this.depth % this.staging.tileK === 0;
    const value = this.values.value(points.map((map) => {
      const operand = substituteExpr(this.operand, map);
      return whole ? operand : select(inside, operand, number(0));
    }));
    return this.values.splat(value, points.length as 1 | 4);
  }

  protected write(unit: Unit, value: WgslExpr): void {
    const { emitter } = this;
    if (this.along === 'side') {
      emitter.push(assign(this.at(unit.depth, unit.row), value));
      return;
    }
    const wide = this.along === 'k' ? 4 : 1;
    const named = emitter.bind('staged', value);
    const vectorOfRows = div(unit.row, u32(4));
    const lane = mod(unit.row, u32(4));
    for (let t = 0; t < wide; t++) {
      const target = this.at(add(mul(unit.depth, u32(wide)), u32(t)), vectorOfRows);
      emitter.push(assign({ kind: 'element', type: F32, of: target, at: lane }, element(named, t)));
    }
  }
}

/** A step to a place that only data tells. */
const ANYWHERE = 1 << 20;

/** How far the index moves in the first steps along an axis, others at 0: also where it holds divisions. */
function stepAlong(index: Index, name: string): number {
  const at = (t: number): Index => substitute(index, new Map([...axesOf(index)].map((a) => [a, constant(a === name ? t : 0)])));
  let total = 0;
  for (let t = 0; t < 8; t++) {
    const step = sub(at(t + 1), at(t));
    total += isConstant(step) ? Math.abs(step.offset) : ANYWHERE;
  }
  return total;
}
