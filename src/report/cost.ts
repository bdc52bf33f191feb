/**
 * Predicted time of a dispatch, from what its code makes a subgroup execute, how many subgroups a core gets, and which
 * bytes lie beyond the cores:
 *
 *     dispatch + fetch + join(LATE, join(PIPES, issue, local, touch, cache, memory), wait)
 *
 * where join(p, ...) is the p-norm: parts that overlap, though never wholly. All of it is of the core that has most to do.
 * - issue: instructions over the lanes; integer ones at INTEGER, an access of global memory at ACCESS of a multiply-add.
 * - local: cycles of workgroup memory, with the conflicts of its banks.
 * - touch: 32-byte sectors that accesses touch, four a cycle.
 * - cache: distinct bytes over what the shared cache delivers; memory: those of them that it does not hold.
 * - wait: how long one workgroup takes that is alone on a core (its instructions, and each time that it waits for memory,
 *   for workgroup memory and at barriers), times the turns that the core takes when not all of them fit on it at once.
 *   Subgroups of a chain, which meet at few barriers, wait while others of them go on.
 * - fetch: instructions of the code, which a core reads before it runs them.
 *
 * After Hong and Kim 2009, "An Analytical Model for a GPU Architecture with Memory-level and Thread-level Parallelism
 * Awareness", with counts from the generated code in place of profiles. Fitted by bench/fit-cost.mjs.
 */
import type { Effort } from '../effort.ts';
import type { Profile } from '../profiles.ts';
import type { Bound } from './types.ts';

/** What one dispatch asks for. */
export interface Work {
  readonly effort: Effort;
  readonly workgroups: number;
  /** Invocations of a workgroup. */
  readonly workgroupSize: number;
  /** Distinct bytes. */
  readonly leastBytes: number;
  /** Distinct bytes that the cache does not hold. */
  readonly memoryBytes: number;
}

/** Seconds. */
export interface Prediction {
  readonly issue: number;
  readonly local: number;
  readonly touch: number;
  readonly cache: number;
  readonly memory: number;
  readonly wait: number;
  /** Starting it, its code read. */
  readonly dispatch: number;
  readonly total: number;
  readonly bound: Bound;
  /** Share of the cores that its workgroups keep busy. */
  readonly fill: number;
}

/** Invocations that run in step; the counts of `Effort` are of so many. */
const SUBGROUP = 32;
/** Instructions on integers that remain of those counted: compilers hoist and join the rest. */
const INTEGER = 0.5;
/** Instructions that a load or store stands for: addresses in 64 bits, checks of bounds, the units that take it. */
const ACCESS = 15;
/** The same where addresses follow from each other, step by step written out. */
const ACCESS_LOOSE = 6;
/** Sectors of 32 bytes a cycle and core. */
const SECTORS = 4;
/** Share by which waiting grows for values that come from memory. */
const FAR = 0.7;
const PIPES = 1.25;
const LATE = 1.5;

export function predict({ effort, workgroups, workgroupSize, leastBytes, memoryBytes }: Work, profile: Profile): Prediction {
  const { cores, latency, rates } = profile;
  const second = 1 / cores.clock;
  const subgroups = Math.ceil(workgroupSize / SUBGROUP);
  // Of the core that has most.
  const share = Math.ceil(workgroups / cores.count);
  const cycles = (SUBGROUP / cores.lanes) * second;
  const matrix = rates.f16 === undefined ? 0 : (effort.matrix * 2 * cores.count) / rates.f16;
  const instructions = effort.arithmetic + INTEGER * effort.integer + (effort.loose ? ACCESS_LOOSE : ACCESS) * effort.accesses;
  const issue = share * subgroups * (instructions * cycles + matrix);
  const local = share * subgroups * effort.local * second;
  const touch = (share * subgroups * effort.sectors * second) / SECTORS;
  const cache = leastBytes / profile.cache.bandwidth;
  const memory = memoryBytes / profile.bandwidth;

  const far = latency.memory * (1 + (leastBytes > 0 ? (FAR * memoryBytes) / leastBytes : 0));
  // A subgroup issues one instruction a cycle at most, however many lanes are idle.
  const own = instructions * Math.max(second, subgroups * cycles) + subgroups * (effort.local * second + matrix);
  const stalls = effort.waits * far + effort.localWaits * latency.local + effort.barriers * latency.barrier;
  const alone = effort.loose ? Math.max(own, own / subgroups + stalls) : Math.max(own + stalls, effort.early * far);
  const resident = Math.max(1, Math.floor(Math.min(cores.invocations / (subgroups * SUBGROUP), cores.memory / Math.max(1, effort.workgroupBytes))));
  const wait = Math.ceil(share / resident) * alone;

  const dispatch = profile.dispatch + effort.code * profile.fetch;
  const busy = join(LATE, join(PIPES, issue, local, touch, cache, memory), wait);
  const greatest = Math.max(issue + local, touch + cache + memory, wait);
  const bound = busy < dispatch ? 'dispatch' : greatest === wait ? 'latency' : greatest === issue + local ? 'arithmetic' : 'memory';
  return { issue, local, touch, cache, memory, wait, dispatch, total: dispatch + busy, bound, fill: Math.min(1, workgroups / (share * cores.count)) };
}

function join(power: number, ...parts: readonly number[]): number {
  return parts.reduce((sum, part) => sum + part ** power, 0) ** (1 / power);
}

/** Operations a byte at which memory and arithmetic take equally long. */
export function balanceOf({ rates, bandwidth }: Profile): number {
  return rates.f32 / bandwidth;
}
