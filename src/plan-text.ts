/**
 * The text form of plans: where everything lies and how it is computed, then the program (kernel-text.ts) with each
 * planned kernel under its id.
 *
 *   plan tiny
 *   target {name: web, limits: {...}, ...}
 *   memory arenaBytes=1536812 livenessBound=1536600 weightShards=[22831264]
 *   place t3 arena bytes=605184 offset=151552 shard=0 live=[1, 4]
 *   schedule matmul_197x576x192 [arena, weights, arena] family=contraction threadM=8 ...
 *   schedule matmul_197x576x192_2 of matmul_197x576x192 [arena, weights, arena] family=generic ...
 *   program ...
 *
 * `of` gives the kernel's own name where its id is another. What `printPlan` writes, `readPlan` (plan-read.ts) reads
 * back the same, source spans excepted.
 */
import type { Kernel, Program } from './kernel.ts';
import { printProgram } from './kernel-text.ts';
import type { Plan } from './plan.ts';
import { printFields, printValue } from './text-value.ts';

export function printPlan(plan: Plan): string {
  const { name, target, kernels, buffers, arenaBytes, livenessBound, weightShards } = plan;
  const lines = [
    `plan ${printValue(name)}`,
    `target ${printValue(target)}`,
    `memory ${printFields({ arenaBytes, livenessBound, weightShards })}`,
    ...buffers.map(({ buffer, space, ...place }) => `place ${buffer.id} ${space} ${printFields({ bytes: place.bytes, offset: place.offset, shard: place.shard, live: place.live })}`),
    ...kernels.map(({ id, kernel, spaces, schedule }) => {
      const own = kernel.name === id ? '' : ` of ${printValue(kernel.name)}`;
      return `schedule ${printValue(id)}${own} ${printValue(spaces)} ${printFields(schedule)}`;
    }),
  ];
  return `${lines.join('\n')}\n${printProgram(programOf(plan))}`;
}

/** The plan's program, its kernels named by their ids. */
function programOf({ name, kernels, steps, buffers }: Plan): Program {
  const named = kernels.map(({ id, kernel }): Kernel => ({ ...kernel, name: id }));
  return { name, buffers: buffers.map((b) => b.buffer), calls: steps.map(({ kernel, args, call }) => ({ ...call, args, kernel: named[kernel] })) };
}
