/** Operands in two parts in workgroup memory: the high parts of a tile, then the low ones, stored 2^11 times as large. */
import type { ContractionProblem } from '../../kernel-contraction.ts';
import { alongOf, consecutive } from '../../kernel-lanes.ts';
import { substituteExpr } from '../../kernel-expr.ts';
import type { Index } from '../../kernel.ts';
import type { Emitter } from '../emitter.ts';
import type { Values } from '../values.ts';
import { assign, binary, bitcast, construct, element, splat, u32 } from '../wgsl-build.ts';
import { valueType, vector } from '../wgsl.ts';
import type { ValueType, WgslExpr } from '../wgsl.ts';
import type { Staging, Unit } from './contraction-operand.ts';
import type { FragmentMemory } from './fragment-memory.ts';
import { FragmentTile } from './subgroup-matrix-tiles.ts';

type Side = 'left' | 'right';

/** Four halves. */
const HALVES = vector('u32', 2);

/** Values that a thread brings at once: vectors of eight where the operand is made of such. */
export function partsWidth(problem: ContractionProblem, side: Side, words: boolean): 4 | 8 {
  const way = alongOf(problem, side);
  const extent = way === 'k' ? problem.depth[0] : side === 'left' ? problem.M : problem.N;
  return words && way !== 'none' && extent % 8 === 0 ? 8 : 4;
}

export abstract class TwoPartTile extends FragmentTile {
  /** What a thread holds of each unit between the load and the write, by slot: vectors of four values or its one value. */
  private readonly heldOf = new Map<Unit, WgslExpr[][]>();

  /** `part`: values of a part, padding included. */
  constructor(emitter: Emitter, values: Values, problem: ContractionProblem, side: Side, staging: Omit<Staging, 'memory'>, into: FragmentMemory, start: number, private readonly part: number) {
    super(emitter, values, problem, side, staging, into, start);
  }

  low(row: WgslExpr, depth: number): WgslExpr {
    return this.fragmentFrom(this.start + this.part / this.into.wide, row, depth, false);
  }

  override prefetch(tile: Index, executions: number, slot = 0): void {
    for (const unit of this.units) {
      const held = this.heldBy(unit, slot);
      this.where(unit, executions, () => this.load4(unit, tile).forEach((value, i) => this.emitter.push(assign(held[i], value))));
    }
  }

  /** A unit's values in vectors of four, or its one value. */
  protected load4(unit: Unit, tile: Index): WgslExpr[] {
    const points = this.points(unit, tile);
    const fours = points.length === 8 ? [points.slice(0, 4), points.slice(4)] : [points];
    return fours.map((four) => this.fourAt(four, unit, tile));
  }

  protected abstract fourAt(points: readonly Map<string, Index>[], unit: Unit, tile: Index): WgslExpr;

  /** What `fourAt` gives: so many numbers, 4 or 1. */
  protected abstract fourType(width: 1 | 4): ValueType;

  protected heldBy(unit: Unit, slot = 0): WgslExpr[] {
    const slots = this.heldOf.get(unit) ?? [];
    this.heldOf.set(unit, slots);
    const [count, width] = this.along === 'none' ? [1, 1] as const : [this.wide / 4, 4] as const;
    return (slots[slot] ??= Array.from({ length: count }, () => this.emitter.variable('held', this.fourType(width))));
  }

  /** Brings a unit's parts to workgroup memory: fours of halves, or its one value. */
  protected putParts(unit: Unit, parts: readonly { readonly high: WgslExpr; readonly low: WgslExpr }[]): void {
    this.put(unit, this.start, parts.map((p) => p.high));
    this.put(unit, this.start + this.part / this.into.wide, parts.map((p) => p.low));
  }

  private put(unit: Unit, start: number, fours: readonly WgslExpr[]): void {
    const at = this.place(unit, start);
    if (this.along === 'none') this.into.putOne(at, fours[0]);
    else if (fours.length === 1) this.into.putFour(at, fours[0]);
    else this.into.putEight(at, construct(vector('u32', 4), ...fours.map((four) => (valueType(four).scalar === 'u32' ? four : bitcast(HALVES, four)))));
  }
}

/** An operand that is stored in pairs (pair.ts): its words are taken apart on their way, nothing else is done with them. */
export class PairTile extends TwoPartTile {
  override stage(tile: Index, prefetched: boolean, slot = 0): void {
    const { groups, tiles } = this.staging;
    for (const unit of this.units) this.where(unit, groups * tiles, () => this.putParts(unit, (prefetched ? this.heldBy(unit, slot) : this.load4(unit, tile)).map((words) => this.parts(words))));
  }

  protected override fourAt(points: readonly Map<string, Index>[], unit: Unit, tile: Index): WgslExpr {
    const { operand, emitter } = this;
    const flat = operand.kind === 'load' ? points.map((map) => (substituteExpr(operand, map) as typeof operand).at[0]) : [];
    if (operand.kind !== 'load' || flat.length !== 4 || !consecutive(flat)) throw new Error(`bug: an operand of ${emitter.kernel.name} is not made of whole vectors of pairs`);
    return this.insideDepth(unit, tile, operand.buffer, flat[0], 4, (at) => emitter.load(operand.buffer, at, 4, true));
  }

  protected override fourType(width: 1 | 4): ValueType {
    return vector('u32', width);
  }

  private parts(words: WgslExpr): { readonly high: WgslExpr; readonly low: WgslExpr } {
    const { emitter } = this;
    const named = emitter.bind('words', words);
    const [even, odd] = [0, 1].map((i) => emitter.bind(i === 0 ? 'even' : 'odd', construct(HALVES, element(named, i), element(named, i + 2))));
    const half = splat(u32(16), 2);
    return {
      high: emitter.bind('high', binary('|', binary('&', even, splat(u32(0xffff), 2)), binary('<<', odd, half))),
      low: emitter.bind('low', binary('|', binary('>>', even, half), binary('&', odd, splat(u32(0xffff0000), 2)))),
    };
  }
}
