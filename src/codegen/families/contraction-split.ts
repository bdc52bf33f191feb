/** Sums over the threads of a workgroup that share the depth of a tile. */
import type { Emitter } from '../emitter.ts';
import { add, and, assign, barrier, binary, element, ifOf, less, mod, mul, sub, u32 } from '../wgsl-build.ts';
import type { WgslExpr } from '../wgsl.ts';

/**
 * Adds the sums of `splitK` (a power of two) threads, numbered by `turn`, into those of turn 0, by a tree in workgroup
 * memory. `place` modulo `threads` is the same for threads that share a tile. Every thread of the workgroup must come here.
 */
export function sumTurns(emitter: Emitter, sums: readonly WgslExpr[], turn: WgslExpr, place: WgslExpr, splitK: number, threads: number): void {
  const half = splitK / 2;
  const shared = emitter.workgroupVar('partial', { kind: 'array', of: sums[0].type, length: half * threads * sums.length });
  const thread = emitter.bind('thread', mod(place, u32(threads)));
  const slot = (of: WgslExpr, i: number): WgslExpr => element(shared, add(add(mul(of, u32(threads)), thread), u32(i * half * threads)));
  for (let stride = half; stride >= 1; stride /= 2) {
    const write = emitter.nested({}, () => sums.forEach((sum, i) => emitter.push(assign(slot(sub(turn, u32(stride)), i), sum))));
    emitter.push(ifOf(and(binary('>=', turn, u32(stride)), less(turn, u32(2 * stride))), write), barrier);
    const read = emitter.nested({}, () => sums.forEach((sum, i) => emitter.push(assign(sum, slot(turn, i), '+'))));
    emitter.push(ifOf(less(turn, u32(stride)), read));
    if (stride > 1) emitter.push(barrier);
  }
}
