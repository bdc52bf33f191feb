import { describe, expect, test } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import type { Program } from '../../src/kernel.ts';
import { classify } from '../../src/kernel-forms.ts';
import { lower } from '../../src/lower/lower.ts';
import type { DividesDepth } from '../../src/lower/split-depth.ts';
import type { Tensor } from '../../src/ops/types.ts';
import { evaluateGraph } from '../../src/reference/graph.ts';
import { evaluateProgram } from '../../src/reference/kernel.ts';
import { WEB } from '../../src/targets.ts';
import { verifyProgram } from '../../src/verify-kernel.ts';
import { pattern, PATTERNS, valuesOf } from '../helpers/patterns.ts';
import { randomBindings, randomGraph } from '../helpers/random-graph.ts';

type Bindings = Parameters<typeof evaluateGraph>[1];

/** Lowers and compares with the graph's meaning in double precision. */
function check(graph: Graph, fuse: boolean, { inputs, params }: Bindings, attention = false, prologue = false, depth?: DividesDepth): Program {
  const program = lower(graph, { fuse, attention: () => attention, prologue: () => prologue, depth, target: WEB, storage: 'f32' });
  expect(verifyProgram(program, WEB.limits.maxStorageBuffersPerShaderStage)).toEqual([]);
  const want = evaluateGraph(graph, { inputs, params }, { precision: 'f64' });
  const got = evaluateProgram(program, { inputs, weights: params }, { precision: 'f64' });
  for (const [name, { data, shape }] of Object.entries(want)) {
    expect(got[name].shape).toEqual(shape);
    expect(relativeError(data, got[name].data), `${name} of ${graph.name}`).toBeLessThanOrEqual(1e-12);
  }
  return program;
}

/** The largest difference by the largest finite value; values that are not finite must be the same. */
function relativeError(want: ArrayLike<number>, got: ArrayLike<number>): number {
  let worst = 0;
  let scale = 1e-30;
  for (let i = 0; i < want.length; i++) {
    if (Object.is(want[i], got[i])) continue;
    if (Number.isFinite(want[i])) scale = Math.max(scale, Math.abs(want[i]));
    const difference = Math.abs(want[i] - got[i]);
    worst = Math.max(worst, Number.isNaN(difference) ? Infinity : difference);
  }
  return worst / scale;
}

function patternBindings(graph: Graph): Bindings {
  const inputs = Object.fromEntries(graph.nodes.flatMap((n) => (n.op === 'input' ? [[n.attrs.name, valuesOf(n.attrs.name, n.shape, n.dtype)]] : [])));
  const dtypes = new Map(graph.nodes.flatMap((n) => (n.op === 'param' ? [[n.attrs.name, n.dtype] as const] : [])));
  return { inputs, params: (name, shape): Tensor => valuesOf(name, shape, dtypes.get(name)) };
}

test.each(['attention', 'biasedAttention', 'windowAttention', 'multiQuery', 'crossAttention', 'causalAttention', 'convolvedQueries'])('one kernel for %s', (name) => {
  const { calls } = check(pattern(name), true, patternBindings(pattern(name)), true);
  expect(calls.filter((c) => classify(c.kernel) === 'attention').length).toBe(1);
});

test('mixing heads after the softmax is no attention kernel', () => {
  const { calls } = check(pattern('talkingHeads'), true, patternBindings(pattern('talkingHeads')), true);
  expect(calls.filter((c) => classify(c.kernel) === 'attention').length).toBe(0);
});

const fewest: DividesDepth = (_, offered) => offered[0];
const most: DividesDepth = (_, offered) => offered.at(-1);

describe.each([
  ['an operation a kernel', false],
  ['fused', true],
])('lowering keeps the meaning: %s', (_, fuse) => {
  test.each(Object.keys(PATTERNS))('%s', (name) => void check(pattern(name), fuse, patternBindings(pattern(name))));

  test.skipIf(!fuse).each(Object.keys(PATTERNS))('%s, norms in prologues', (name) => void check(pattern(name), fuse, patternBindings(pattern(name)), false, true));

  test.skipIf(!fuse).each(Object.keys(PATTERNS))('%s, depths divided', (name) => {
    for (const depth of [fewest, most]) check(pattern(name), fuse, patternBindings(pattern(name)), false, false, depth);
  });

  // Jumps may flip where sums are taken in another order; they are compared one operation a kernel.
  test.each(Array.from({ length: 60 }, (_, i) => i))('random graph %d', (seed) => {
    const graph = randomGraph(seed, { maxElements: 600, discontinuous: !fuse });
    check(graph, fuse, randomBindings(graph));
    if (fuse) check(graph, fuse, randomBindings(graph), false, true);
    if (fuse) check(graph, fuse, randomBindings(graph), false, false, seed % 2 ? fewest : most);
  });
});
