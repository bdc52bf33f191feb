import { describe, expect, test } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { lower } from '../../src/lower/lower.ts';
import type { Tensor } from '../../src/ops/types.ts';
import { evaluateGraph } from '../../src/reference/graph.ts';
import { evaluateProgram } from '../../src/reference/kernel.ts';
import { WEB } from '../../src/targets.ts';
import { verifyProgram } from '../../src/verify-kernel.ts';
import { pattern, PATTERNS, valuesOf } from '../helpers/patterns.ts';

/** Lowers and compares with the graph's meaning in double precision. */
function check(graph: Graph, fuse: boolean): void {
  const program = lower(graph, { fuse, target: WEB, storage: 'f32' });
  expect(verifyProgram(program, WEB.limits.maxStorageBuffersPerShaderStage)).toEqual([]);
  const inputs = Object.fromEntries(graph.nodes.flatMap((n) => (n.op === 'input' ? [[n.attrs.name, valuesOf(n.attrs.name, n.shape, n.dtype)]] : [])));
  const dtypes = new Map(graph.nodes.flatMap((n) => (n.op === 'param' ? [[n.attrs.name, n.dtype] as const] : [])));
  const weights = (name: string, shape: readonly number[]): Tensor => valuesOf(name, shape, dtypes.get(name));
  const want = evaluateGraph(graph, { inputs, params: weights }, { precision: 'f64' });
  const got = evaluateProgram(program, { inputs, weights }, { precision: 'f64' });
  for (const [name, { data, shape }] of Object.entries(want)) {
    expect(got[name].shape).toEqual(shape);
    let worst = 0;
    let scale = 1e-30;
    data.forEach((v, i) => {
      if (Number.isFinite(v)) scale = Math.max(scale, Math.abs(v));
      const difference = Object.is(v, got[name].data[i]) ? 0 : Math.abs(v - got[name].data[i]);
      worst = Math.max(worst, Number.isNaN(difference) && Number.isNaN(v) ? 0 : Number.isNaN(difference) ? Infinity : difference);
    });
    expect(worst / scale, `${name} of ${graph.name}`).toBeLessThanOrEqual(1e-12);
  }
}

describe.each([
  ['an operation a kernel', false],
  ['fused', true],
])('lowering keeps the meaning: %s', (_, fuse) => {
  test.each(Object.keys(PATTERNS))('%s', (name) => check(pattern(name), fuse));
});
