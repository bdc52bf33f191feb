/** Parts of a divided contraction that are added by the kernel of rows that reads their sums: where that is done, and what comes of it. */
import { describe, expect, it, test } from 'vitest';
import type { Graph, NodeId } from '../src/graph.ts';
import type { Program } from '../src/kernel.ts';
import { classify } from '../src/kernel-forms.ts';
import { lower, type LowerOptions } from '../src/lower/lower.ts';
import { evaluateGraph } from '../src/reference/graph.ts';
import { evaluateProgram } from '../src/reference/kernel.ts';
import { keepsRows } from '../src/schedule/row.ts';
import { WEB } from '../src/targets.ts';
import { checkOnDevice } from './helpers/check-plan.ts';
import { testDevice } from './helpers/device.ts';
import { Sketch, valuesOf } from './helpers/patterns.ts';
import { relativeError } from './helpers/run-plan.ts';

const gpu = await testDevice();

const graphOf = (build: (s: Sketch) => NodeId[]): Graph => {
  const sketch = new Sketch();
  return sketch.graph(...build(sketch));
};

/** A product of few rows and 48 columns, with a bias and a residual. */
const block = (s: Sketch, x: NodeId): NodeId => s.binary('add', x, s.linear(x, 48));

const JOINED: Record<string, Graph> = {
  'a norm of what is also an output': graphOf((s) => {
    const sum = block(s, s.input('x', [1, 9, 48]));
    return [s.layerNorm(sum), sum];
  }),
  'a residual that is read once more': graphOf((s) => {
    const sum = block(s, s.input('x', [1, 9, 48]));
    return [s.binary('add', sum, s.linear(s.layerNorm(sum), 48))];
  }),
  'a norm that is stored with its axes exchanged': graphOf((s) => [s.einsum('b t c, b t d -> b c d', s.layerNorm(block(s, s.input('x', [2, 9, 48]))), s.input('y', [2, 9, 7]))]),
  'rows that are stored along two axes': graphOf((s) => {
    const sum = s.reshape(block(s, s.input('x', [1, 9, 48])), [3, 3, 48]);
    return [s.layerNorm(s.reshape(sum, [9, 48])), sum];
  }),
  'softmax of the products': graphOf((s) => [s.softmax(s.linear(s.input('x', [1, 3, 40]), 48))]),
  'batches': graphOf((s) => [s.layerNorm(block(s, s.input('x', [3, 5, 48])))]),
};

const APART: Record<string, Graph> = {
  'another kernel reads them first': graphOf((s) => {
    const sum = s.reshape(block(s, s.input('x', [1, 48, 48])), [48, 48]);
    const crossed = s.softmax(s.binary('add', sum, s.transpose(sum, [1, 0])));
    return [crossed, s.layerNorm(sum)];
  }),
  'some of the rows are left out': graphOf((s) => {
    const sum = block(s, s.input('x', [1, 9, 48]));
    return [s.layerNorm(s.slice(sum, 1, 2, 5)), sum];
  }),
  'each sum is read in two places': graphOf((s) => {
    const sum = s.reshape(block(s, s.input('x', [1, 48, 48])), [48, 48]);
    return [s.softmax(s.binary('add', sum, s.transpose(sum, [1, 0])))];
  }),
};

const lowered = (graph: Graph, options: Partial<LowerOptions> = {}): Program =>
  lower(graph, { fuse: true, depth: (_, offered) => offered[0], addsParts: () => true, target: WEB, storage: 'f32', ...options });

function expectRight(graph: Graph, program: Program): void {
  const inputs = Object.fromEntries(graph.nodes.flatMap((n) => (n.op === 'input' ? [[n.attrs.name, valuesOf(n.attrs.name, n.shape, n.dtype)]] : [])));
  const params = (name: string, shape: readonly number[]) => valuesOf(name, shape, 'f32');
  const want = evaluateGraph(graph, { inputs, params }, { precision: 'f64' });
  const got = evaluateProgram(program, { inputs, weights: params }, { precision: 'f64' });
  for (const [name, tensor] of Object.entries(want)) expect(relativeError(got[name], tensor), name).toBeLessThanOrEqual(1e-12);
}

describe('parts are added by the kernel of rows that comes next', () => {
  test.each(Object.entries(JOINED))('%s', (_, graph) => {
    const [joined, apart] = [lowered(graph), lowered(graph, { addsParts: undefined })];
    expect(joined.calls.length).toBe(apart.calls.length - 1);
    const adds = joined.calls.filter((c) => c.kernel.name.startsWith('parts_') && classify(c.kernel) === 'row');
    expect(adds.map((c) => c.kernel.stores.length)).toEqual([2]);
    // Nothing of the work is lost on the way.
    const work = (p: Program) => p.calls.flatMap((c) => c.ops).reduce((sum, op) => sum + op.flops, 0);
    expect(work(joined)).toBe(work(apart));
    expectRight(graph, joined);
  });

  test.each(Object.entries(APART))('not where %s', (_, graph) => {
    const [joined, apart] = [lowered(graph), lowered(graph, { addsParts: undefined })];
    expect(joined.calls.map((c) => c.kernel)).toEqual(apart.calls.map((c) => c.kernel));
    expectRight(graph, joined);
  });

  const [, graph] = Object.entries(JOINED)[0];
  it('in as many buffers as a kernel may have, and not in more', () => {
    const limited = (most: number): number => lowered(graph, { target: { ...WEB, limits: { ...WEB.limits, maxStorageBuffersPerShaderStage: most } } }).calls.length;
    const least = lowered(graph).calls.length;
    const [join] = lowered(graph).calls.filter((c) => c.kernel.stores.length === 2);
    expect([limited(join.args.length), limited(join.args.length - 1)]).toEqual([least, least + 1]);
  });

  it('where their number is small', () => {
    const most = graphOf((s) => [s.layerNorm(block(s, s.input('x', [1, 9, 48]))), s.param([1])].slice(0, 1));
    const calls = (parts: number): number => lowered(most, { depth: (_, offered) => offered.find((n) => n >= parts) }).calls.length;
    expect(calls(2)).toBe(2);
    const wide = graphOf((s) => [s.layerNorm(s.einsum('b t k, c k -> b t c', s.input('x', [1, 9, 128]), s.param([48, 128])))]);
    expect(lowered(wide, { depth: () => 32 }).calls.length).toBe(2);
  });

  it('if threads share rows and keep them', () => {
    const [{ kernel }] = lowered(JOINED['a norm of what is also an output']).calls.slice(-1);
    expect(keepsRows(kernel, WEB)).toBe(true);
    expect(keepsRows(kernel, { ...WEB, software: true })).toBe(false);
    expect(lowered(graph, { addsParts: () => false }).calls.length).toBe(lowered(graph, { addsParts: undefined }).calls.length);
  });

  it('makes one kernel of equal blocks', () => {
    const blocks = graphOf((s) => {
      let x = s.input('x', [1, 9, 48]);
      for (let i = 0; i < 4; i++) x = block(s, s.layerNorm(x));
      return [s.layerNorm(x)];
    });
    const adds = lowered(blocks).calls.filter((c) => c.kernel.stores.length === 2).map((c) => c.kernel);
    expect(adds.length).toBe(4);
    expect(new Set(adds).size).toBe(1);
  });
});

describe.skipIf(!gpu)('on a device', () => {
  test.each(Object.entries(JOINED))('%s', async (_, graph) => {
    const plan = await checkOnDevice(gpu!.device, graph, { target: WEB, depth: (_, offered) => offered[0], addsParts: true });
    expect(plan.steps.length).toBe(lowered(graph).calls.length);
  });
});
