/** Generated kernels on a device against the graph's meaning, and the bytes they move against what the generator says. */
import { describe, expect, test } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { lower } from '../../src/lower/lower.ts';
import type { Tensor } from '../../src/ops/types.ts';
import { evaluateGraph } from '../../src/reference/graph.ts';
import { plan } from '../../src/schedule/plan.ts';
import { WEB, type Target } from '../../src/targets.ts';
import { testDevice } from '../helpers/device.ts';
import { pattern, PATTERNS, valuesOf } from '../helpers/patterns.ts';
import { relativeError, runPlan } from '../helpers/run-plan.ts';

const gpu = await testDevice();

async function check(graph: Graph, target: Target, fuse: boolean): Promise<void> {
  const program = lower(graph, { fuse, target, storage: 'f32' });
  const { value, diagnostics } = plan(program, target);
  expect(diagnostics).toEqual([]);
  const inputs = Object.fromEntries(graph.nodes.flatMap((n) => (n.op === 'input' ? [[n.attrs.name, valuesOf(n.attrs.name, n.shape, n.dtype)]] : [])));
  const dtypes = new Map(graph.nodes.flatMap((n) => (n.op === 'param' ? [[n.attrs.name, n.dtype] as const] : [])));
  const weights = (name: string, shape: readonly number[]): Tensor => valuesOf(name, shape, dtypes.get(name));
  const want = evaluateGraph(graph, { inputs, params: weights }, { precision: 'f64' });
  const got = await runPlan(gpu!.device, value!, { inputs, weights }, { instrument: true });
  for (const [name, tensor] of Object.entries(want)) expect(relativeError(got.outputs[name], tensor), name).toBeLessThanOrEqual(2e-6);
  expect(got.counted).toEqual(got.issued);
}

describe.skipIf(!gpu).each([
  ['an operation a kernel, web', false, 'web'],
  ['fused, web', true, 'web'],
  ['fused, native', true, 'native'],
])('kernels compute what the graph means: %s', (_, fuse, target) => {
  test.each(Object.keys(PATTERNS))('%s', (name) => check(pattern(name), target === 'web' ? WEB : gpu!.target, fuse));
});
