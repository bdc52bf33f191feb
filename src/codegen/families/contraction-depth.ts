/** The way along the depth of a product whose operands come through workgroup memory, a tile at a time. */
import { axis, constant } from '../../kernel-index.ts';
import type { Index } from '../../kernel.ts';
import type { Emitter } from '../emitter.ts';
import { add, barrier, forOf, ifOf, less, ref, u32 } from '../wgsl-build.ts';
import { U32 } from '../wgsl.ts';
import type { WgslExpr } from '../wgsl.ts';
import type { StagedOperand } from './contraction-operand.ts';

export interface Depth {
  /** Tiles of the depth. */
  readonly tiles: number;
  /** The next tile is loaded into registers while this one is multiplied. */
  readonly prefetch: boolean;
  /** How many are on their way then; one, where absent. */
  readonly ahead?: number;
  /** Workgroups of the dispatch, invocations of each. */
  readonly groups: number;
  readonly size: number;
}

/** Stages each tile of the operands and has it multiplied by what `products` emits. */
export function emitDepth(emitter: Emitter, operands: readonly StagedOperand[], { tiles, prefetch, ahead = 1, groups, size }: Depth, products: () => void): void {
  const early = prefetch && tiles > 1;
  // Each tile under way has registers of its own, so as many steps are written out as there are such.
  const turns = early ? Math.min(ahead, tiles - 1) : 1;
  const over = { name: 'tile', extent: tiles };
  const load = (tile: Index, slot: number, times: number): void => {
    for (const operand of operands) operand.prefetch(tile, groups * times, slot);
  };
  if (early) for (let slot = 0; slot < turns; slot++) load(constant(slot), slot, 1);
  /** How many of the tiles from `first` on are this turn's. */
  const timesFrom = (first: number): number => Math.max(0, Math.ceil((tiles - first) / turns));
  const step = (tile: WgslExpr, slot: number): void => {
    if (tiles > 1) emitter.defineAxis(over, tile);
    for (const operand of operands) operand.stage(axis(over), early, slot);
    emitter.push(barrier);
    const times = timesFrom(slot + turns);
    if (early && times > 0) {
      const next = emitter.nested({}, () => {
        emitter.runs(groups * size * times);
        emitter.defineAxis(over, emitter.bind('next', add(tile, u32(turns))));
        load(axis(over), slot, times);
      });
      emitter.push(ifOf(less(tile, u32(tiles - turns)), next));
    }
    products();
    if (tiles > 1) emitter.push(barrier);
  };
  const tile = emitter.names.fresh('tile');
  const body = emitter.nested({}, () => {
    emitter.runs(groups * size * timesFrom(0));
    step(ref(tile, U32), 0);
    for (let slot = 1; slot < turns; slot++) {
      const at = emitter.bind('tile', add(ref(tile, U32), u32(slot)));
      const own = emitter.nested({}, () => {
        emitter.runs(groups * size * timesFrom(slot));
        step(at, slot);
      });
      emitter.push(tiles % turns === 0 ? { kind: 'block', body: own } : ifOf(less(at, u32(tiles)), own));
    }
  });
  emitter.push(tiles > 1 ? forOf(tile, u32(0), u32(tiles), u32(turns), body) : { kind: 'block', body });
}
