/** What a program needs against what a target allows. */
import { error } from '../diagnostics.ts';
import type { Diagnostic } from '../diagnostics.ts';
import { formatType } from '../graph.ts';
import type { Origin } from '../graph.ts';
import type { Buffer, Program } from '../kernel.ts';
import type { Plan } from '../plan.ts';
import type { Target } from '../targets.ts';

type PlannedMemory = Pick<Plan, 'buffers' | 'arenaBytes' | 'livenessBound' | 'weightShards'>;

/** 384 MiB, 1.5 GiB, 4100 bytes. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB'];
  let unit = 0;
  let value = bytes;
  for (; value >= 10000 && unit < units.length - 1; unit++) value /= 1024;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Where a buffer comes from in the source: the call that writes it, or the first that reads it. */
function originOf(program: Program, buffer: Buffer): Origin | undefined {
  const uses = program.calls.filter((c) => c.args.includes(buffer.id));
  const writes = uses.find((c) => c.kernel.params.some((p, i) => p.access === 'write' && c.args[i] === buffer.id));
  return (writes ?? uses[0])?.origin;
}

const KINDS: Record<Buffer['kind'], string> = { input: 'input', weight: 'weight', output: 'output', temp: 'intermediate tensor' };

/** Every tensor that does not fit into one binding. */
export function checkBuffers(program: Program, buffers: readonly Buffer[], bytesOf: (b: Buffer) => number, target: Target): Diagnostic[] {
  const most = Math.min(target.limits.maxStorageBufferBindingSize, target.limits.maxBufferSize);
  return buffers.filter((b) => bytesOf(b) > most).map((b) => {
    const message = `${KINDS[b.kind]} '${b.name}', ${formatType(b)}, has ${formatBytes(bytesOf(b))}; target '${target.name}' binds at most ${formatBytes(most)}`;
    return error('E0711', message, originOf(program, b)?.span, { help: 'take a smaller batch or image, store f16 (--dtype f16), or compile for a target with larger limits' });
  });
}

/** Every kernel that binds more buffers than the target allows. */
export function checkBindings(program: Program, target: Target): Diagnostic[] {
  const most = target.limits.maxStorageBuffersPerShaderStage;
  const seen = new Set<string>();
  return program.calls.flatMap(({ kernel, origin }) => {
    if (kernel.params.length <= most || seen.has(kernel.name)) return [];
    seen.add(kernel.name);
    const message = `kernel '${kernel.name}' binds ${kernel.params.length} buffers; target '${target.name}' allows ${most} in a shader`;
    return [error('E0713', message, origin.span, { help: 'compile for a target that allows more' })];
  });
}

/** The arena as a whole: one buffer holds it. */
export function checkSpaces(program: Program, memory: PlannedMemory, target: Target): Diagnostic[] {
  const most = target.limits.maxBufferSize;
  if (memory.arenaBytes <= most) return [];
  const largest = memory.buffers.filter((b) => b.space === 'arena').sort((a, b) => b.bytes - a.bytes);
  const notes = largest.slice(0, 3).map((b) => `${KINDS[b.buffer.kind]} '${b.buffer.name}', ${formatType(b.buffer)}, has ${formatBytes(b.bytes)}`);
  const message = `the tensors of '${program.name}' that live at once need ${formatBytes(memory.arenaBytes)}; a buffer of target '${target.name}' has at most ${formatBytes(most)}`;
  return [error('E0712', message, originOf(program, largest[0].buffer)?.span, { notes, help: 'take a smaller batch or image, or compile for a target with larger limits' })];
}
