/** Program to plan: equal kernels joined and scheduled, every buffer given its place, limits of the target checked. */
import type { Diagnostic, Result } from '../diagnostics.ts';
import type { Buffer, BufferId, Kernel, KernelCall, Program } from '../kernel.ts';
import { BYTES_OF } from '../kernel.ts';
import { storedElements } from '../kernel-layout.ts';
import type { Plan, PlannedBuffer, PlannedKernel, Space, Step } from '../plan.ts';
import type { Schedule } from '../schedule.ts';
import type { Target } from '../targets.ts';
import { planArena } from './arena.ts';
import { kernelKey } from './kernel-key.ts';
import { legalize } from './legalize.ts';
import { checkBindings, checkBuffers, checkSpaces } from './limits.ts';
import { chooseSchedule } from './rules.ts';

export interface PlanOptions {
  /** A schedule that replaces the rules' choice, such as a tuned one; undefined leaves the choice to them. */
  readonly schedule?: (kernel: Kernel) => Schedule | undefined;
}

export function plan(program: Program, target: Target, options: PlanOptions = {}): Result<Plan | undefined> {
  const legal = legalize(program, target);
  const byId = new Map(legal.buffers.map((b) => [b.id, b]));
  const { kernels, steps } = planKernels(legal, byId, target, options);
  const live = liveRanges(legal);
  const used = legal.buffers.filter((b) => live.has(b.id));
  const diagnostics: Diagnostic[] = [...checkBuffers(legal, used, bytesOf, target), ...checkBindings(legal, target)];
  const memory = planMemory(used, live, legal.calls.length, target);
  diagnostics.push(...checkSpaces(legal, memory, target));
  if (diagnostics.length > 0) return { value: undefined, diagnostics };
  return { value: { name: program.name, target, kernels, steps, ...memory }, diagnostics };
}

/** As stored, rounded up to whole 32-bit words. */
export function bytesOf(buffer: Buffer): number {
  return Math.ceil((storedElements(buffer) * BYTES_OF[buffer.storage]) / 4) * 4;
}

export function spaceOf(buffer: Buffer): Space {
  return buffer.kind === 'weight' ? 'weights' : 'arena';
}

function planKernels(program: Program, byId: ReadonlyMap<BufferId, Buffer>, target: Target, options: PlanOptions): { kernels: PlannedKernel[]; steps: Step[] } {
  const kernels: PlannedKernel[] = [];
  const ids = new Set<string>();
  const indexOf = new Map<string, number>();
  const steps = program.calls.map((call): Step => {
    const spaces = call.args.map((id) => spaceOf(byId.get(id)!));
    const key = `${spaces.join()}\n${kernelKey(call.kernel)}`;
    let index = indexOf.get(key);
    if (index === undefined) {
      index = kernels.length;
      indexOf.set(key, index);
      const schedule = options.schedule?.(call.kernel) ?? chooseSchedule(call.kernel, target);
      kernels.push({ id: uniqueId(call.kernel.name, ids), kernel: call.kernel, spaces, schedule });
    }
    return { kernel: index, args: call.args, call };
  });
  return { kernels, steps };
}

function uniqueId(name: string, taken: Set<string>): string {
  const base = name.replace(/[^A-Za-z0-9_]+/g, '_').slice(0, 100) || 'kernel';
  let id = base;
  for (let i = 2; taken.has(id.toLowerCase()); i++) id = `${base}_${i}`;
  // File systems may not tell upper from lower case.
  taken.add(id.toLowerCase());
  return id;
}

type Live = readonly [first: number, last: number];

/** First and last step that touch each buffer; buffers that nothing touches have none, unless they are inputs or outputs. */
function liveRanges(program: Program): Map<BufferId, Live> {
  const live = new Map<BufferId, Live>();
  for (const b of program.buffers) {
    if (b.kind === 'input') live.set(b.id, [-1, -1]);
    else if (b.kind === 'output') live.set(b.id, [program.calls.length, program.calls.length]);
  }
  program.calls.forEach((call: KernelCall, step) => {
    for (const id of call.args) {
      const [first, last] = live.get(id) ?? [step, step];
      live.set(id, [Math.min(first, step), Math.max(last, step)]);
    }
  });
  return live;
}

export type PlannedMemory = Pick<Plan, 'buffers' | 'arenaBytes' | 'livenessBound' | 'weightShards'>;

function planMemory(buffers: readonly Buffer[], live: ReadonlyMap<BufferId, Live>, steps: number, target: Target): PlannedMemory {
  const { minStorageBufferOffsetAlignment: alignment, maxBufferSize } = target.limits;
  const inArena = buffers.filter((b) => spaceOf(b) === 'arena');
  const arena = planArena(inArena.map((b) => ({ bytes: bytesOf(b), live: live.get(b.id)! })), alignment);
  const offsets = new Map(inArena.map((b, i) => [b.id, arena.offsets[i]]));
  const weightShards: number[] = [];
  const planned = buffers.map((buffer): PlannedBuffer => {
    const bytes = bytesOf(buffer);
    if (spaceOf(buffer) === 'arena') return { buffer, bytes, space: 'arena', shard: 0, offset: offsets.get(buffer.id)!, live: live.get(buffer.id)! };
    // Weights lie in order of declaration, so that neighbours upload together; a new shard starts where one is full.
    const last = weightShards.length - 1;
    let offset = Math.ceil((weightShards[last] ?? 0) / alignment) * alignment;
    if (last < 0 || offset + bytes > maxBufferSize) {
      weightShards.push(0);
      offset = 0;
    }
    weightShards[weightShards.length - 1] = offset + bytes;
    return { buffer, bytes, space: 'weights', shard: weightShards.length - 1, offset, live: [-1, steps] };
  });
  return { buffers: planned, arenaBytes: arena.bytes, livenessBound: arena.bound, weightShards };
}
