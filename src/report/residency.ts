/**
 * What the shared cache still holds when a step touches it: pages of the arena and of the weights, the one touched
 * longest ago leaves first. Runs follow each other, so what the end of a run leaves is there at the start of the next.
 */
import type { BufferId } from '../kernel.ts';
import type { Plan, PlannedBuffer } from '../plan.ts';

/** Pages a cache is modelled with. */
const PAGES = 1024;

/** By step and argument, the share of the buffer that memory must serve. */
export function missShares(plan: Pick<Plan, 'steps' | 'buffers'>, cacheBytes: number): number[][] {
  const page = Math.max(256, cacheBytes / PAGES);
  const pagesOf = ({ offset, bytes }: PlannedBuffer): [first: number, last: number] => [Math.floor(offset / page), Math.floor((offset + Math.max(1, bytes) - 1) / page)];
  // The arena's and each shard's pages are numbered one after the other.
  const lengths = new Map<string, number>();
  const areaOf = ({ space, shard }: PlannedBuffer): string => `${space}${shard}`;
  for (const b of plan.buffers) lengths.set(areaOf(b), Math.max(lengths.get(areaOf(b)) ?? 0, pagesOf(b)[1] + 1));
  let count = 0;
  const starts = new Map([...lengths].map(([area, length]) => [area, (count += length) - length]));
  const places = new Map(plan.buffers.map((b) => [b.buffer.id, { start: starts.get(areaOf(b))!, pages: pagesOf(b) }]));
  const cache = new Cache(count, Math.floor(cacheBytes / page));
  const share = (id: BufferId): number => {
    const { start, pages: [first, last] } = places.get(id)!;
    // What streams through a cache smaller than itself leaves nothing there for its own next reading.
    let missed = 0;
    for (let i = first; i <= last; i++) if (!cache.touch(start + i)) missed++;
    return missed / (last - first + 1);
  };
  const run = (): number[][] => plan.steps.map((step) => step.args.map(share));
  run();
  return run();
}

/** Pages in the order in which they were touched, a ring of links around a place that is no page. */
class Cache {
  private readonly older: Int32Array;
  private readonly newer: Int32Array;
  private readonly held: Uint8Array;
  private size = 0;

  constructor(private readonly pages: number, private readonly capacity: number) {
    this.older = new Int32Array(pages + 1).fill(pages);
    this.newer = new Int32Array(pages + 1).fill(pages);
    this.held = new Uint8Array(pages);
  }

  /** Whether the page was held; it is now the one touched last. */
  touch(page: number): boolean {
    const hit = this.held[page] === 1;
    if (hit) this.remove(page);
    const last = this.older[this.pages];
    this.link(page, this.pages);
    this.link(last, page);
    this.held[page] = 1;
    if (++this.size > this.capacity) this.remove(this.newer[this.pages]);
    return hit;
  }

  private remove(page: number): void {
    this.link(this.older[page], this.newer[page]);
    this.held[page] = 0;
    this.size--;
  }

  private link(older: number, newer: number): void {
    this.newer[older] = newer;
    this.older[newer] = older;
  }
}
