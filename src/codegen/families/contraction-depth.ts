/** The way along the depth of a product whose operands come through workgroup memory, a tile at a time. */
import { axis, constant } from '../../kernel-index.ts';
import type { Emitter } from '../emitter.ts';
import { add, barrier, forOf, ifOf, less, ref, u32 } from '../wgsl-build.ts';
import { U32 } from '../wgsl.ts';
import type { StagedOperand } from './contraction-operand.ts';

export interface Depth {
  /** Tiles of the depth. */
  readonly tiles: number;
  /** The next tile is loaded into registers while this one is multiplied. */
  readonly prefetch: boolean;
  /** Its loads come before the barrier that this one waits at, rather than after it. */
  readonly early?: boolean;
  /** Workgroups of the dispatch, invocations of each. */
  readonly groups: number;
  readonly size: number;
}

/** Stages each tile of the operands and has it multiplied by what `products` emits. */
export function emitDepth(emitter: Emitter, operands: readonly StagedOperand[], { tiles, prefetch, early = false, groups, size }: Depth, products: () => void): void {
  const prefetches = prefetch && tiles > 1;
  const tile = emitter.names.fresh('tile');
  const over = { name: 'tile', extent: tiles };
  const prefetchNext = (): void => {
    const next = emitter.nested({}, () => {
      emitter.runs(groups * size * (tiles - 1));
      emitter.defineAxis(over, emitter.bind('next', add(ref(tile, U32), u32(1))));
      for (const operand of operands) operand.prefetch(axis(over), groups * (tiles - 1));
    });
    emitter.push(ifOf(less(ref(tile, U32), u32(tiles - 1)), next));
  };
  if (prefetches) for (const operand of operands) operand.prefetch(constant(0), groups);
  const body = emitter.nested({}, () => {
    emitter.runs(groups * size * tiles);
    if (tiles > 1) emitter.defineAxis(over, ref(tile, U32));
    for (const operand of operands) operand.stage(axis(over), prefetches);
    if (prefetches && early) prefetchNext();
    emitter.push(barrier);
    if (prefetches && !early) prefetchNext();
    products();
    if (tiles > 1) emitter.push(barrier);
  });
  emitter.push(tiles > 1 ? forOf(tile, u32(0), u32(tiles), u32(1), body) : { kind: 'block', body });
}
