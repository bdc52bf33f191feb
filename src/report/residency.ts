/**
 * What the shared cache still holds when a step touches it: pages of the arena and of the weights, the one touched
 * longest ago leaves first. Runs follow each other, so what the end of a run leaves is there at the start of the next.
 */
import type { Plan, PlannedBuffer } from '../plan.ts';

/** Pages a cache is modelled with. */
const PAGES = 1024;

/** By step and argument, the share of the buffer that memory must serve. */
export function missShares(plan: Pick<Plan, 'steps' | 'buffers'>, cacheBytes: number): number[][] {
  const page = Math.max(256, cacheBytes / PAGES);
  const capacity = Math.floor(cacheBytes / page);
  const places = new Map(plan.buffers.map((b) => [b.buffer.id, b]));
  // A set iterates in order of insertion: its first is the page touched longest ago.
  const held = new Set<string>();
  const touch = (name: string): boolean => {
    const hit = held.delete(name);
    held.add(name);
    if (held.size > capacity) for (const oldest of held) { held.delete(oldest); break; }
    return hit;
  };
  const share = (b: PlannedBuffer): number => {
    const first = Math.floor(b.offset / page);
    const last = Math.floor((b.offset + Math.max(1, b.bytes) - 1) / page);
    // What streams through a cache smaller than itself leaves nothing there for its own next reading.
    let missed = 0;
    for (let i = first; i <= last; i++) if (!touch(`${b.space}${b.shard}:${i}`)) missed++;
    return missed / (last - first + 1);
  };
  const run = (): number[][] => plan.steps.map((step) => step.args.map((id) => share(places.get(id)!)));
  run();
  return run();
}
