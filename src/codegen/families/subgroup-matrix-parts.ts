/** Operands in two parts in workgroup memory: the high parts of a tile, then the low ones, stored 2^11 times as large. */
import { consecutive } from '../../kernel-lanes.ts';
import { substituteExpr } from '../../kernel-expr.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';
import type { Index } from '../../kernel.ts';
import type { Emitter } from '../emitter.ts';
import type { Values } from '../values.ts';
import { binary, construct, element, splat, u32 } from '../wgsl-build.ts';
import { vector } from '../wgsl.ts';
import type { ValueType, WgslExpr } from '../wgsl.ts';
import type { Staging, Unit } from './contraction-operand.ts';
import type { FragmentMemory } from './fragment-memory.ts';
import { FragmentTile } from './subgroup-matrix-tiles.ts';

export abstract class TwoPartTile extends FragmentTile {
  /** `part`: values of a part, padding included. */
  constructor(emitter: Emitter, values: Values, problem: ContractionProblem, side: 'left' | 'right', staging: Omit<Staging, 'memory'>, into: FragmentMemory, start: number, private readonly part: number) {
    super(emitter, values, problem, side, staging, into, start);
  }

  /** Where the low parts begin, in elements of the memory. */
  protected get startOfLow(): number {
    return this.start + this.part / this.into.wide;
  }

  low(row: WgslExpr, depth: number): WgslExpr {
    return this.fragmentFrom(this.startOfLow, row, depth, false);
  }
}

/** Four halves. */
const HALVES = vector('u32', 2);

/**
 * An operand that is stored in pairs (pair.ts): its words are taken apart on their way, nothing else is done with them. A
 * thread brings four values at once, 16 bytes, so that neighbours load what lies side by side; eight would be two loads
 * that each leave out every other 16 bytes.
 */
export class PairTile extends TwoPartTile {
  protected override held(): ValueType {
    return vector('u32', 4);
  }

  protected override load(unit: Unit, tile: Index): WgslExpr {
    const { operand, emitter } = this;
    const flat = operand.kind === 'load' ? this.points(unit, tile).map((map) => (substituteExpr(operand, map) as typeof operand).at[0]) : [];
    if (operand.kind !== 'load' || flat.length !== 4 || !consecutive(flat)) throw new Error(`bug: an operand of ${emitter.kernel.name} is not made of whole vectors of pairs`);
    return this.insideDepth(unit, tile, operand.buffer, flat[0], 4, (at) => emitter.load(operand.buffer, at, 4, true));
  }

  protected override write(unit: Unit, words: WgslExpr): void {
    const { emitter, into } = this;
    const named = emitter.bind('words', words);
    const [even, odd] = [0, 1].map((i) => emitter.bind(i === 0 ? 'even' : 'odd', construct(HALVES, element(named, i), element(named, i + 2))));
    const half = splat(u32(16), 2);
    const high = emitter.bind('high', binary('|', binary('&', even, splat(u32(0xffff), 2)), binary('<<', odd, half)));
    const low = emitter.bind('low', binary('|', binary('>>', even, half), binary('&', odd, splat(u32(0xffff0000), 2))));
    into.putFour(this.place(unit, this.start), high);
    into.putFour(this.place(unit, this.startOfLow), low);
  }
}
