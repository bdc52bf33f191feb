/** Makes a program fit what WebGPU allows of any kernel: no buffer bound twice, no 16-bit stores without shader-f16. */
import type { Buffer, BufferId, Expr, Kernel, KernelCall, KernelParam, Program } from '../kernel.ts';
import { substituteExpr } from '../kernel-expr.ts';
import { reshapeIndex } from '../kernel-index.ts';
import type { Target } from '../targets.ts';

export function legalize(program: Program, target: Target): Program {
  const calls = program.calls.map(bindOnce);
  return target.shaderF16 ? { ...program, calls } : widenStored({ ...program, calls });
}

/** A writable range may be bound once only, so a buffer that is passed twice becomes one parameter. */
function bindOnce(call: KernelCall): KernelCall {
  const firstOf = new Map<BufferId, KernelParam>();
  const instead = new Map<string, KernelParam>();
  const params: KernelParam[] = [];
  call.kernel.params.forEach((param, i) => {
    const first = firstOf.get(call.args[i]);
    if (!first) {
      firstOf.set(call.args[i], param);
      params.push(param);
      return;
    }
    if (first.access === 'write' || param.access === 'write') throw new Error(`bug: ${call.kernel.name} reads and writes one buffer`);
    instead.set(param.name, first);
  });
  if (instead.size === 0) return call;
  const shapes = new Map(call.kernel.params.map((p) => [p.name, p.shape]));
  const redirect = (e: Expr): Expr => substituteExpr(e, new Map(), (leaf) => {
    const first = leaf.kind === 'load' ? instead.get(leaf.buffer) : undefined;
    if (!first || leaf.kind !== 'load') return leaf;
    return { kind: 'load', buffer: first.name, at: reshapeIndex(leaf.at, shapes.get(leaf.buffer)!, first.shape) };
  });
  const kernel: Kernel = { ...call.kernel, params, stages: call.kernel.stages.map((s) => ({ ...s, body: redirect(s.body) })) };
  return { ...call, kernel, args: [...firstOf.keys()] };
}

/**
 * Without shader-f16 a 32-bit word holds two f16 values, which different threads would have to write: what kernels
 * store is f32 then. Weights and inputs stay f16, they are only read.
 */
function widenStored(program: Program): Program {
  const widened = new Set<BufferId>();
  const buffers = program.buffers.map((b): Buffer => {
    if (b.storage !== 'f16' || b.kind === 'weight' || b.kind === 'input') return b;
    widened.add(b.id);
    return { ...b, storage: 'f32' };
  });
  if (widened.size === 0) return program;
  const calls = program.calls.map((call): KernelCall => {
    const params = call.kernel.params.map((p, i): KernelParam => (widened.has(call.args[i]) ? { ...p, storage: 'f32' } : p));
    return { ...call, kernel: { ...call.kernel, params } };
  });
  return { ...program, buffers, calls };
}
