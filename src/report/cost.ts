/**
 * Predicted time of a dispatch: the slowest of what it asks of memory, of the shared cache and of the arithmetic units,
 * and the cost of starting it. After the roofline of Williams et al. 2009, with two additions without which small
 * kernels look far too fast: a cache that serves what was touched recently, and a device that few invocations do not fill.
 */
import type { Profile } from '../profiles.ts';
import type { Bound } from './types.ts';

/** What one dispatch asks for. */
export interface Work {
  readonly flops: number;
  /** Loads and stores as executed. */
  readonly issuedBytes: number;
  /** Of these, loaded before tiles are staged; 0 unless said. */
  readonly prologueBytes?: number;
  /** Distinct bytes that the cache does not hold. */
  readonly memoryBytes: number;
  readonly workgroups: number;
  /** Invocations of a workgroup. */
  readonly workgroupSize: number;
  /** Whether tiles are staged in workgroup memory: then every load is waited for at a barrier. */
  readonly staged: boolean;
  /** Operands in f16 matrix units, or anything else. */
  readonly units: 'f32' | 'f16';
}

/** Seconds. */
export interface Prediction {
  readonly memory: number;
  readonly cache: number;
  readonly arithmetic: number;
  readonly dispatch: number;
  readonly total: number;
  readonly bound: Bound;
  /** Share of the device's arithmetic that the dispatch can use at once. */
  readonly fill: number;
}

/**
 * Bytes that an invocation has under way at once (with the latency, Little's law gives its rate): one vector of four f32
 * where barriers stand between loads, a few where loads do not wait for each other.
 */
const IN_FLIGHT = { staged: 16, direct: 64 } as const;

export function predict(work: Work, profile: Profile): Prediction {
  const { bandwidth, cache: level, rates, cores, latency, dispatch } = profile;
  const fill = fillOf(work, cores);
  const rate = (work.units === 'f16' && rates.f16) || rates.f32;
  const arithmetic = work.flops / (rate * fill);
  const { prologueBytes = 0 } = work;
  const inFlight = (each: number): number => (work.workgroups * work.workgroupSize * each) / latency;
  const direct = Math.min(level.direct, inFlight(IN_FLIGHT.direct));
  const staged = Math.min(level.bandwidth, inFlight(IN_FLIGHT.staged));
  const cache = work.staged ? prologueBytes / direct + (work.issuedBytes - prologueBytes) / staged : work.issuedBytes / direct;
  const memory = work.memoryBytes / bandwidth;
  const busy = Math.max(memory, cache, arithmetic);
  const bound = busy < dispatch ? 'dispatch' : arithmetic >= busy ? 'arithmetic' : 'memory';
  return { memory, cache, arithmetic, dispatch, total: dispatch + busy, bound, fill };
}

/** The last wave of workgroups leaves cores idle, and a core with few invocations leaves its units idle. */
function fillOf({ workgroups, workgroupSize }: Work, { count, invocations }: Profile['cores']): number {
  const waves = Math.ceil(workgroups / count);
  return (workgroups / (waves * count)) * Math.min(1, (waves * workgroupSize) / invocations);
}

/** FLOPs a byte above which a kernel that fills the device is bound by arithmetic. */
export function balanceOf({ rates, bandwidth }: Profile, units: Work['units'] = 'f32'): number {
  return ((units === 'f16' && rates.f16) || rates.f32) / bandwidth;
}
