/** Runs one kernel under one schedule on a device beside the reference evaluator, and compares values and counted bytes. */
import { expect } from 'vitest';
import type { Kernel, Program } from '../../src/kernel.ts';
import type { Tensor } from '../../src/ops/types.ts';
import { evaluateProgram } from '../../src/reference/kernel.ts';
import { plan } from '../../src/schedule/plan.ts';
import type { Schedule } from '../../src/schedule.ts';
import type { Target } from '../../src/targets.ts';
import { valuesOf } from './patterns.ts';
import { relativeError, runPlan } from './run-plan.ts';

/** The kernel alone: what it reads are inputs, what it writes are outputs. */
export function programOf(kernel: Kernel): Program {
  return {
    name: kernel.name,
    buffers: kernel.params.map(({ name, shape, dtype, storage, layout, access }) => ({ id: name, name, shape, dtype, storage, layout, kind: access === 'read' ? 'input' : 'output' })),
    calls: [{ kernel, args: kernel.params.map((p) => p.name), origin: { scope: '', block: '' }, ops: [] }],
  };
}

/** `instrument`: the kernel counts what it loads and stores, and that is compared too; it computes the same. */
export async function checkKernel(device: GPUDevice, target: Target, kernel: Kernel, schedule: Schedule, { tolerance = 3e-6, instrument = true } = {}): Promise<void> {
  const program = programOf(kernel);
  const { value, diagnostics } = plan(program, target, { schedule: () => schedule });
  expect(diagnostics).toEqual([]);
  const inputs: Record<string, Tensor> = Object.fromEntries(kernel.params.filter((p) => p.access === 'read').map((p) => [p.name, valuesOf(p.name, p.shape, p.dtype)]));
  const weights = (name: string): never => {
    throw new Error(`bug: ${kernel.name} has no weight ${name}`);
  };
  const want = evaluateProgram(program, { inputs, weights }, { precision: 'f64' });
  const got = await runPlan(device, value!, { inputs, weights }, { instrument });
  for (const [name, tensor] of Object.entries(want)) expect(relativeError(got.outputs[name], tensor), name).toBeLessThanOrEqual(tolerance);
  if (instrument) expect(got.counted).toEqual(got.issued);
}
