/** The plan: what is dispatched in which order, where every buffer lies, and how every kernel is computed. */
import type { Buffer, BufferId, Kernel, KernelCall } from './kernel.ts';
import type { Schedule } from './schedule.ts';
import type { Target } from './targets.ts';

/** A kernel with the schedule chosen for it; calls of equal kernels share it. */
export interface PlannedKernel {
  /** Unique and readable, a valid file name: `matmul_197x192x576_gelu`, with a number where names meet. */
  readonly id: string;
  readonly kernel: Kernel;
  /** Where each parameter's buffer lies, in order: it decides how the parameter is bound. */
  readonly spaces: readonly Space[];
  readonly schedule: Schedule;
}

/** One arena for all that a run computes, inputs and outputs included; weights in buffers of their own. */
export type Space = 'arena' | 'weights';

export interface Step {
  /** Index into Plan.kernels. */
  readonly kernel: number;
  readonly args: readonly BufferId[];
  readonly call: KernelCall;
}

/** Where a buffer lies. Offsets are multiples of minStorageBufferOffsetAlignment. */
export interface PlannedBuffer {
  readonly buffer: Buffer;
  /** As stored: elements (padded to whole blocks) times bytes of storage, rounded up to 4. */
  readonly bytes: number;
  readonly space: Space;
  /** Which GPU buffer of the weights; 0 in the arena. */
  readonly shard: number;
  readonly offset: number;
  /** First and last step that touch it; inputs are live from -1, outputs to steps.length. Weights: all. */
  readonly live: readonly [first: number, last: number];
}

export interface Plan {
  readonly name: string;
  readonly target: Target;
  readonly kernels: readonly PlannedKernel[];
  readonly steps: readonly Step[];
  readonly buffers: readonly PlannedBuffer[];
  readonly arenaBytes: number;
  /** The most bytes live at once: no arena can be smaller. */
  readonly livenessBound: number;
  readonly weightShards: readonly number[];
}
