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
  /** Distinct bytes that the cache does not hold. */
  readonly memoryBytes: number;
  readonly invocations: number;
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
  readonly fill: number;
}

/** Bytes that an invocation has under way at once: a few independent vector loads (Little's law turns it into a rate). */
const IN_FLIGHT = 64;

/** Invocations keep several independent sums each, so that a part of all lanes suffices to fill the arithmetic units. */
const ARITHMETIC_FILL = 1 / 4;

export function predict(work: Work, profile: Profile): Prediction {
  const { bandwidth, cache: level, rates, lanes, latency, dispatch } = profile;
  const fill = Math.min(1, work.invocations / lanes);
  const rate = (work.units === 'f16' && rates.f16) || rates.f32;
  const arithmetic = work.flops / (rate * Math.min(1, work.invocations / (lanes * ARITHMETIC_FILL)));
  const cache = work.issuedBytes / Math.min(level.bandwidth, (work.invocations * IN_FLIGHT) / latency);
  const memory = work.memoryBytes / bandwidth;
  const busy = Math.max(memory, cache, arithmetic);
  const bound = busy < dispatch ? 'dispatch' : arithmetic >= busy ? 'arithmetic' : 'memory';
  return { memory, cache, arithmetic, dispatch, total: dispatch + busy, bound, fill };
}

/** FLOPs a byte above which a kernel that fills the device is bound by arithmetic. */
export function balanceOf({ rates, bandwidth }: Profile, units: Work['units'] = 'f32'): number {
  return ((units === 'f16' && rates.f16) || rates.f32) / bandwidth;
}
