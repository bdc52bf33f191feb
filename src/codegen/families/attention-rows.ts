/** One operand of attention's products in workgroup memory, row by row: vectors along the depth, as they lie in memory. */
import { rowPitch } from '../../kernel-attention-layout.ts';
import { binary, indexValue, number, select, substituteExpr } from '../../kernel-expr.ts';
import { add as plus, axis, constant, scale } from '../../kernel-index.ts';
import type { Axis, Expr, Index } from '../../kernel.ts';
import type { Emitter } from '../emitter.ts';
import { atMost } from '../emitter.ts';
import type { Values } from '../values.ts';
import { add, assign, div, element, ifOf, less, mod, mul, u32 } from '../wgsl-build.ts';
import { vector } from '../wgsl.ts';
import type { WgslExpr } from '../wgsl.ts';

export interface RowStaging {
  /** Over axis `name`, its rows, and k0, its depth. */
  readonly operand: Expr;
  readonly name: 'm' | 'n';
  readonly extent: number;
  readonly depth: number;
  /** Rows of a tile, and depth staged at once; multiples of four. */
  readonly tile: number;
  readonly tileK: number;
  /** Threads of a workgroup, and how often these stage a tile in the whole dispatch. */
  readonly size: number;
  readonly stagings: number;
  readonly memory: WgslExpr;
}

interface Unit {
  readonly row: WgslExpr;
  readonly quad: WgslExpr;
  readonly exists?: WgslExpr;
  readonly threads: number;
  /** Holds the unit's values between the load and the write, when prefetched. */
  held?: WgslExpr;
}

/** Rows 4 t + c of a tile lie at c * tile / 4 + t: threads that each read four neighbouring rows read neighbouring lines. */
export class StagedRows {
  private readonly units: readonly Unit[];

  constructor(private readonly emitter: Emitter, private readonly values: Values, private readonly staging: RowStaging) {
    const { tile, tileK, size } = staging;
    const local = emitter.builtin('local_invocation_index');
    const inner = tileK / 4;
    const count = tile * inner;
    const regular = size % inner === 0;
    const quad = emitter.bind('unit_quad', mod(local, u32(inner)));
    const row = emitter.bind('unit_row', div(local, u32(inner)));
    this.units = Array.from({ length: Math.ceil(count / size) }, (_, u): Unit => {
      const threads = Math.min(size, count - u * size);
      const unit = add(local, u32(u * size));
      const exists = threads < size ? { exists: less(unit, u32(count)) } : {};
      if (regular) return { row: add(row, u32((u * size) / inner)), quad, threads, ...exists };
      return { row: emitter.bind('unit_row', div(unit, u32(inner))), quad: emitter.bind('unit_quad', mod(unit, u32(inner))), threads, ...exists };
    });
  }

  /** Defines the axes of this tile's rows in the current scope. */
  begin(group: WgslExpr): void {
    const { emitter, staging } = this;
    const { name, extent, tile, tileK } = staging;
    this.units.forEach(({ row, quad }, u) => {
      const own = this.rowAxis(u);
      const at = add(mul(group, u32(tile)), row);
      if (extent > 1) emitter.defineAxis(own, emitter.bind(name, extent % tile === 0 && !this.units[u].exists ? at : atMost(at, extent - 1)));
      if (tileK > 4) emitter.defineAxis(this.quadAxis(u), quad);
    });
  }

  /** Loads step `step` of the depth into registers; `executions`: how often all workgroups of the dispatch do. */
  prefetch(step: Index, executions: number): void {
    const { emitter } = this;
    this.units.forEach((unit, u) => {
      unit.held ??= emitter.variable('held', vector('f32', 4));
      this.where(unit, executions, () => emitter.push(assign(unit.held!, this.load(u, step))));
    });
  }

  /** Brings step `step` of the depth to workgroup memory, from registers where it was prefetched: zeros past the end of it. */
  stage(step: Index, prefetched: boolean): void {
    const { emitter, staging } = this;
    this.units.forEach((unit, u) => this.where(unit, staging.stagings, () => {
      const target = this.line(mod(unit.row, u32(4)), div(unit.row, u32(4)), unit.quad);
      emitter.push(assign(target, prefetched ? unit.held! : this.load(u, step)));
    }));
  }

  private where(unit: Unit, executions: number, f: () => void): void {
    const { emitter } = this;
    if (!unit.exists) return f();
    const body = emitter.nested({}, () => {
      emitter.runs(executions * unit.threads);
      f();
    });
    emitter.push(ifOf(unit.exists, body));
  }

  /** Four depths of row 4 t + c of the tile. */
  at(t: WgslExpr, c: number, quad: WgslExpr): WgslExpr {
    return this.line(u32(c), t, quad);
  }

  private line(c: WgslExpr, t: WgslExpr, quad: WgslExpr): WgslExpr {
    const { memory, tile, tileK } = this.staging;
    return element(memory, add(mul(add(mul(c, u32(tile / 4)), t), u32(rowPitch(tileK))), quad));
  }

  private rowAxis(u: number): Axis {
    return { name: `${this.staging.name}row~${u}`, extent: this.staging.extent };
  }

  private quadAxis(u: number): Axis {
    return { name: `${this.staging.name}quad~${u}`, extent: this.staging.tileK / 4 };
  }

  private load(u: number, step: Index): WgslExpr {
    const { operand, name, depth, tileK } = this.staging;
    const first = plus(scale(step, tileK), scale(axis(this.quadAxis(u)), 4));
    const whole = depth % tileK === 0;
    // A vector ends with the depth, or each of its values is tested.
    const inside = (k: Index): Expr => binary('less', indexValue(depth % 4 === 0 ? first : k), number(depth, 'i32'));
    return this.values.vector([0, 1, 2, 3].map((t) => {
      const k = plus(first, constant(t));
      const value = substituteExpr(operand, new Map([[name, axis(this.rowAxis(u))], ['k0', k]]));
      return whole ? value : select(inside(k), value, number(0));
    }));
  }
}
