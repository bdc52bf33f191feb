/** Compares what generated kernels compute on a device with what the graph means, and the bytes they move with what the generator says. */
import { expect } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { splitLongRows } from '../../src/lower/long-rows.ts';
import { lower } from '../../src/lower/lower.ts';
import type { DividesDepth } from '../../src/lower/split-depth.ts';
import type { Tensor } from '../../src/ops/types.ts';
import type { Plan } from '../../src/plan.ts';
import { evaluateGraph } from '../../src/reference/graph.ts';
import { plan, type PlanOptions } from '../../src/schedule/plan.ts';
import type { Target } from '../../src/targets.ts';
import { relativeError, runPlan } from './run-plan.ts';
import { valuesOf } from './patterns.ts';

export interface CheckOptions extends PlanOptions {
  readonly target: Target;
  readonly fuse?: boolean;
  readonly attention?: boolean;
  /** Contractions compute the norms of their rows wherever that is cheaper. */
  readonly prologue?: boolean;
  /** Whether depths of contractions are divided. */
  readonly depth?: DividesDepth;
  /** Kernels of rows add the parts of what they read wherever they can. */
  readonly addsParts?: boolean;
  readonly storage?: 'f32' | 'f16';
  /** Everything but inputs and outputs is stored in pairs. */
  readonly pairs?: boolean;
  /** Over the greatest magnitude of an output. */
  readonly tolerance?: number;
  /** Inputs and weights by name; from the name where absent. */
  readonly values?: (name: string, shape: readonly number[], dtype: Tensor['dtype']) => Tensor;
}

export async function checkOnDevice(device: GPUDevice, whole: Graph, options: CheckOptions): Promise<Plan> {
  // Lowering splits these first: nodes keep their numbers then.
  const graph = splitLongRows(whole);
  const ends = new Set(graph.outputs.map((o) => o.node));
  const pairs = options.pairs ? new Set(graph.nodes.flatMap((n) => (n.dtype === 'f32' && n.op !== 'input' && !ends.has(n.id) ? [n.id] : []))) : undefined;
  // Counting takes a binding of its own.
  const bindings = Math.min(options.target.limits.maxStorageBuffersPerShaderStage, device.limits.maxStorageBuffersPerShaderStage - 1);
  const target: Target = { ...options.target, limits: { ...options.target.limits, maxStorageBuffersPerShaderStage: bindings } };
  const { fuse = true, attention = false, prologue = false, addsParts = false, depth, storage = 'f32', tolerance = 2e-6, values = valuesOf } = options;
  const { value, diagnostics } = plan(lower(graph, { fuse, attention: () => attention, prologue: () => prologue, addsParts: () => addsParts, depth, target, storage, pairs }), target, options);
  expect(diagnostics).toEqual([]);
  const inputs = Object.fromEntries(graph.nodes.flatMap((n) => (n.op === 'input' ? [[n.attrs.name, values(n.attrs.name, n.shape, n.dtype)]] : [])));
  const dtypes = new Map(graph.nodes.flatMap((n) => (n.op === 'param' ? [[n.attrs.name, n.dtype] as const] : [])));
  const weights = (name: string, shape: readonly number[]): Tensor => values(name, shape, dtypes.get(name) ?? 'f32');
  const want = evaluateGraph(graph, { inputs, params: weights }, { precision: 'f64' });
  const got = await runPlan(device, value!, { inputs, weights }, { instrument: true });
  for (const [name, tensor] of Object.entries(want)) expect(relativeError(got.outputs[name], tensor), name).toBeLessThanOrEqual(tolerance);
  expect(got.counted).toEqual(got.issued);
  return value!;
}
