/**
 * Products of f32 operands in matrix units that multiply f16: each value is the sum of two f16, a high and a low part, and
 * a product is high high + (high low + low high), the second sum kept apart until the end (Ootomo and Yokota 2022,
 * "Recovering single precision accuracy from Tensor Cores while surpassing the FP32 theoretical peak performance",
 * section 3). Low parts are stored 2^11 times as large. Left out is low low, 2^-22 of a product.
 *
 * f16 has five bits of exponent: operands are scaled by powers of two, so that the greatest magnitude of the workgroup's
 * first tile comes to 2^TOP. Where a later tile does not fit then, which the end shows, the workgroup multiplies again with
 * the scale of the greatest of all. What is lost of a value is 2^-22 of it or 2^-35 of the greatest.
 * Infinities make NaN, and what else there is in such a tile is not scaled.
 */
import type { ContractionProblem } from '../../kernel-contraction.ts';
import { axis, constant } from '../../kernel-index.ts';
import { alongOf } from '../../kernel-lanes.ts';
import type { Index } from '../../kernel.ts';
import { LOW_SCALE } from '../../pair.ts';
import type { Emitter } from '../emitter.ts';
import { highPart } from '../helpers.ts';
import { add, assign, barrier, binary, bitcast, call, construct, convert, element, f32, fma, forOf, ifOf, less, mul, ref, same, select, splat, sub, u32 } from '../wgsl-build.ts';
import { F32, U32, valueType, vector } from '../wgsl.ts';
import type { WgslExpr } from '../wgsl.ts';
import type { Unit } from './contraction-operand.ts';
import type { FragmentMemory } from './fragment-memory.ts';
import { greatestOfSubgroups } from './row-meet.ts';
import { TwoPartTile } from './subgroup-matrix-parts.ts';

/** Exponent that the first tile's greatest magnitude is brought to: five more fit before 2^16, the end of f16. */
const TOP = 10;
/** The greatest scaled magnitude that both parts can hold. */
const MOST = 65000;
/** Biased exponents below are taken for this one: scales and their inverses stay finite. */
const LEAST_EXPONENT = 20;
const EXPONENT = 0x7f800000;

const PAIR = vector('f32', 2);

/** An operand that the workgroup splits. */
export class SplitTile extends TwoPartTile {
  /** The greatest magnitude that this thread has loaded. */
  readonly seen = this.emitter.variable('seen', F32);
  /** What a thread holds of each unit between the load and the write: vectors of four values, or its one value. */
  private readonly heldOf = new Map<Unit, readonly WgslExpr[]>();

  override prefetch(tile: Index, executions: number): void {
    for (const unit of this.units) {
      const held = this.heldBy(unit);
      this.where(unit, executions, () => this.fours(this.points(unit, tile)).map((points) => this.valuesAt(points, unit, tile)).forEach((value, i) => this.emitter.push(assign(held[i], value))));
    }
  }

  /** Notes the magnitudes of what was prefetched: in one number, as registers are few where results are many. */
  note(): void {
    const values = this.units.flatMap((unit) => this.heldBy(unit)).flatMap((four) => Array.from({ length: valueType(four).width }, (_, t) => element(four, t)));
    for (const value of values) this.emitter.push(assign(this.seen, same('max', this.seen, same('abs', value))));
  }

  /** Brings what was prefetched to workgroup memory, times the scale. */
  stageScaled(scale: WgslExpr, executions: number): void {
    for (const unit of this.units) {
      this.where(unit, executions, () => {
        const parts = this.heldBy(unit).map((held) => this.split(mul(held, scale)));
        this.put(this.place(unit, this.start), parts.map((p) => p.high));
        this.put(this.place(unit, this.startOfLow), parts.map((p) => p.low));
      });
    }
  }

  private fours<T>(values: readonly T[]): (readonly T[])[] {
    return values.length === 8 ? [values.slice(0, 4), values.slice(4)] : [values];
  }

  private heldBy(unit: Unit): readonly WgslExpr[] {
    let held = this.heldOf.get(unit);
    if (!held) {
      const type = vector('f32', this.along === 'none' ? 1 : 4);
      this.heldOf.set(unit, (held = Array.from({ length: this.wide / 4 }, () => this.emitter.variable('held', type))));
    }
    return held;
  }

  private put(at: WgslExpr, fours: readonly WgslExpr[]): void {
    if (this.along === 'none') this.into.putOne(at, fours[0]);
    else if (fours.length === 1) this.into.putFour(at, fours[0]);
    else this.into.putEight(at, construct(vector('u32', 4), ...fours.map((four) => bitcast(vector('u32', 2), four))));
  }

  private split(value: WgslExpr): { readonly high: WgslExpr; readonly low: WgslExpr } {
    const { emitter } = this;
    const scaled = emitter.bind('scaled', value);
    const kept = emitter.bind('kept', highPart(scaled));
    return { high: emitter.bind('high', convert('f16', kept)), low: emitter.bind('low', convert('f16', mul(sub(scaled, kept), f32(LOW_SCALE)))) };
  }
}

export interface SplitDepth {
  /** Tiles of the depth. */
  readonly tiles: number;
  /** Workgroups of the dispatch, invocations of each. */
  readonly groups: number;
  readonly size: number;
  readonly subgroupSize: number;
}

/**
 * Stages each tile of the operands and has it multiplied by what `products` emits; `clear` sets the sums to zero. Gives
 * the inverse scales of left and right, by which the sums are to be multiplied.
 */
export function emitSplitDepth(emitter: Emitter, operands: readonly [SplitTile, SplitTile], { tiles, groups, size, subgroupSize }: SplitDepth, clear: () => void, products: () => void): readonly [WgslExpr, WgslExpr] {
  const local = emitter.builtin('local_invocation_index');
  const subgroups = size / subgroupSize;
  // Whole 16 bytes, as what tiles may lie behind has to be (fragment-memory.ts); so are splitBytes.
  const met = emitter.workgroupVar('greatest', { kind: 'array', of: PAIR, length: 2 * Math.ceil(subgroups / 2) });
  const greatest = (): WgslExpr => greatestOfSubgroups(emitter, met, construct(PAIR, ...operands.map((o) => o.seen)), subgroups);
  const scales = emitter.variable('scale', PAIR);
  const bits = (value: number): WgslExpr => splat(u32(value), 2);
  const over = { name: 'tile', extent: tiles };
  const load = (at: Index, executions: number): void => {
    for (const operand of operands) operand.prefetch(at, executions);
  };
  const note = (): void => {
    for (const operand of operands) operand.note();
  };

  /** Once along the depth. */
  const attempt = (): void => {
    load(constant(0), groups);
    note();
    const found = emitter.bind('found', binary('&', bitcast(vector('u32', 2), greatest()), bits(EXPONENT)));
    const exponent = select(binary('==', found, bits(EXPONENT)), bits((127 + TOP) * 2 ** 23), same('max', found, bits(LEAST_EXPONENT * 2 ** 23)));
    emitter.push(assign(scales, bitcast(PAIR, sub(bits((254 + TOP) * 2 ** 23), exponent))));
    clear();
    const multiply = (tile: WgslExpr): void => {
      emitter.runs(groups * size * tiles);
      operands.forEach((operand, i) => operand.stageScaled(element(scales, i), groups * tiles));
      emitter.push(barrier);
      if (tiles > 1) {
        const next = emitter.nested({}, () => {
          emitter.runs(groups * size * (tiles - 1));
          emitter.defineAxis(over, emitter.bind('next', add(tile, u32(1))));
          load(axis(over), groups * (tiles - 1));
        });
        emitter.push(ifOf(less(tile, u32(tiles - 1)), next));
      }
      products();
      if (tiles > 1) note();
      emitter.push(barrier);
    };
    const tile = emitter.names.fresh('tile');
    const body = emitter.nested({}, () => multiply(ref(tile, U32)));
    emitter.push(tiles > 1 ? forOf(tile, u32(0), u32(tiles), u32(1), body) : { kind: 'block', body });
  };

  if (tiles === 1) {
    attempt();
  } else {
    const repeat = emitter.workgroupVar('repeat', { kind: 'array', of: U32, length: 4 });
    const attempts = emitter.variable('attempts', U32, u32(1));
    // Loads that were moved out of the loop would take registers all along it.
    const body = emitter.nested({ fence: true }, () => {
      emitter.runs(groups * size);
      attempt();
      const scaled = emitter.bind('scaled', mul(greatest(), scales));
      const exceeds = emitter.bind('exceeds', less(f32(MOST), same('max', element(scaled, 0), element(scaled, 1))));
      const tell = emitter.nested({}, () => emitter.push(assign(element(repeat, 0), convert('u32', exceeds))));
      emitter.push(ifOf(binary('==', local, u32(0)), tell));
      emitter.push(assign(attempts, add(u32(1), call('workgroupUniformLoad', U32, element(repeat, 0)))));
    });
    emitter.push(forOf(emitter.names.fresh('attempt'), u32(0), attempts, u32(1), body));
  }
  const inverse = emitter.bind('inverse', bitcast(PAIR, sub(bits(254 * 2 ** 23), bitcast(vector('u32', 2), scales))));
  return [element(inverse, 0), element(inverse, 1)];
}

/** Values that a thread brings at once: vectors of eight where the memory is of such and the operand too. */
export function splitWidth(problem: ContractionProblem, side: 'left' | 'right', { elements }: FragmentMemory): 4 | 8 {
  const way = alongOf(problem, side);
  const extent = way === 'k' ? problem.depth[0] : side === 'left' ? problem.M : problem.N;
  return elements === 'eights' && way !== 'none' && extent % 8 === 0 ? 8 : 4;
}

/** A product's sum of its two sums, times what its operands are to be multiplied by. */
export function joinSums(high: WgslExpr, low: WgslExpr, inverses: readonly WgslExpr[]): WgslExpr {
  return inverses.reduce(mul, fma(low, splat(f32(1 / LOW_SCALE), valueType(low).width), high));
}
