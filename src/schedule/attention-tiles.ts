/** Tiles for attention through workgroup memory, by its extents and the target. */
import { attentionLayout } from '../kernel-attention-layout.ts';
import { attentionProblem, type AttentionProblem } from '../kernel-attention-problem.ts';
import type { Kernel } from '../kernel.ts';
import type { AttentionTilesSchedule } from '../schedule.ts';
import type { Target } from '../targets.ts';

interface Tile {
  readonly threadM: number;
  readonly groupM: number;
  readonly threadN: number;
  /** Threads along the keys at most. */
  readonly groupN: number;
  /** Rows a second on a device that is full, relative to the first tile: by how many products a loaded value serves. */
  readonly speed: number;
}

/** From the most rows, which share every staged key and value, to the fewest, which give a device the most to do at once. */
const TILES: readonly Tile[] = [
  { threadM: 8, groupM: 8, threadN: 4, groupN: 16, speed: 1 },
  { threadM: 4, groupM: 8, threadN: 4, groupN: 16, speed: 0.8 },
  { threadM: 4, groupM: 4, threadN: 4, groupN: 32, speed: 0.6 },
  { threadM: 4, groupM: 2, threadN: 4, groupN: 64, speed: 0.4 },
  { threadM: 4, groupM: 1, threadN: 4, groupN: 64, speed: 0.25 },
];
/** Workgroups and threads that keep a large GPU busy. */
const BUSY_GROUPS = 128;
const BUSY_THREADS = 1 << 15;
/** Workgroup memory that leaves room for several workgroups on a core. */
const MOST_BYTES = 32768;

/** Values up to which a row's weighted sums stay in registers, and depth up to which its products are worth joining. */
const MOST_VALUES = 128;
const MOST_DEPTH = 256;

/** Undefined where the kernel is no attention, where no tile fits, and on a CPU, whose workgroup memory is memory. */
export function attentionTiles(kernel: Kernel, target: Target): AttentionTilesSchedule | undefined {
  const problem = target.software ? undefined : attentionProblem(kernel);
  if (!problem) return undefined;
  const { products, mix } = problem;
  if (products.N < 4 || products.depth[0] > MOST_DEPTH || mix.N > MOST_VALUES || mix.B > target.limits.maxComputeWorkgroupsPerDimension) return undefined;
  const found = TILES.flatMap((tile) => {
    const schedule = fitted(problem, tile, target);
    return schedule ? [{ schedule, tile, layout: attentionLayout(problem, schedule) }] : [];
  });
  const busy = found.filter(({ layout }) => layout.groups >= BUSY_GROUPS && layout.groups * layout.size >= BUSY_THREADS);
  const timeOf = ({ tile, layout }: (typeof found)[number]): number => (layout.rowTiles * layout.rows) / tile.speed;
  const candidates = busy.length > 0 ? busy : found.filter(({ layout }) => layout.rows <= Math.max(4, mix.M)).slice(-1);
  return candidates.toSorted((a, b) => timeOf(a) - timeOf(b))[0]?.schedule;
}

/** The tile with as many keys at once and as much staged at once as workgroup memory holds. */
function fitted(problem: AttentionProblem, { threadM, groupM, threadN, groupN: most }: Tile, { limits }: Target): AttentionTilesSchedule | undefined {
  const { products } = problem;
  const [depth] = products.depth;
  const whole = 4 * Math.ceil(depth / 4);
  const bytes = Math.min(limits.maxComputeWorkgroupStorageSize, MOST_BYTES);
  const steps = [...new Set([whole, 32, 16, 8].filter((t) => t <= whole))];
  const enough = 2 ** Math.ceil(Math.log2(Math.ceil(products.N / threadN)));
  for (let groupN = Math.max(4, Math.min(most, enough)); groupN >= 4; groupN /= 2) {
    if (groupM * groupN > limits.maxComputeInvocationsPerWorkgroup) continue;
    for (const tileK of steps) {
      for (const keep of [true, false]) {
        const schedule = { family: 'attentionTiles', threadM, threadN, groupM, groupN, tileK, tileV: keysAtOnce(problem, threadN * groupN, tileK), keep } as const;
        if (attentionLayout(problem, schedule).bytes <= bytes) return schedule;
      }
    }
  }
  return undefined;
}

/** Keys whose values take about as much room as all keys in `tileK` of their depth; a tile of keys is a multiple of them. */
function keysAtOnce({ mix }: AttentionProblem, keys: number, tileK: number): number {
  let count = keys;
  while (count > 8 && count * mix.N > tileK * keys) count /= 2;
  return count;
}
