/** Contractions that compute the norms of their rows first: under every kind of schedule, on a device against the evaluator, with exact counts. */
import { describe, expect, test } from 'vitest';
import type { Graph, NodeId } from '../src/graph.ts';
import { contractionProblem } from '../src/kernel-contraction.ts';
import { matchContraction } from '../src/kernel-forms.ts';
import type { ContractionSchedule } from '../src/schedule.ts';
import { WEB } from '../src/targets.ts';
import { checkOnDevice } from './helpers/check-plan.ts';
import { testDevice } from './helpers/device.ts';
import { Sketch } from './helpers/patterns.ts';

const gpu = await testDevice();

const tiles = (threadM: number, threadN: number, groupM: number, groupN: number, tileK: number, splitK = 1, vector: 1 | 4 = 4, prefetch = false): ContractionSchedule => ({
  family: 'contraction', threadM, threadN, groupM, groupN, tileK, splitK, vector, prefetch,
});

/** Few and many threads a row; rows that fill the tile, overhang it, or take several passes. */
const SCHEDULES: Record<string, ContractionSchedule> = {
  'direct 4x4': tiles(4, 4, 2, 4, 0),
  'direct 1x1 scalars': tiles(1, 1, 8, 8, 0, 1, 1),
  'direct 1x4 shared by 8': tiles(1, 4, 1, 8, 0, 8),
  'direct 4x1 shared by 4': tiles(4, 1, 2, 4, 0, 4, 1),
  'staged 4x4': tiles(4, 4, 4, 4, 8),
  'staged 4x4 prefetched, uneven': tiles(4, 4, 3, 4, 8, 1, 4, true),
  'staged 4x4 shared by 4': tiles(4, 4, 2, 4, 16, 4),
};

const graphOf = (build: (s: Sketch) => NodeId): Graph => {
  const sketch = new Sketch();
  return sketch.graph(build(sketch));
};

const GRAPHS: Record<string, Graph> = {
  'norm of rows, linear, residual': graphOf((s) => {
    const x = s.input('x', [19, 40]);
    return s.binary('add', s.einsum('m k, n k -> m n', s.layerNorm(x), s.param([40, 40])), x);
  }),
  'norm of one long row': graphOf((s) => s.einsum('m k, n k -> m n', s.layerNorm(s.input('x', [1, 300])), s.param([24, 300]))),
  'norm of the right operand': graphOf((s) => s.einsum('o k, p k -> o p', s.param([20, 24]), s.layerNorm(s.input('x', [18, 24])))),
  'windows of normalized rows, odd extents': graphOf((s) => {
    const y = s.layerNorm(s.input('x', [2, 6, 4, 13]));
    const windows = s.reshape(s.transpose(s.reshape(y, [2, 3, 2, 2, 2, 13]), [0, 1, 3, 2, 4, 5]), [12, 4, 13]);
    return s.einsum('w i k, k n -> w i n', windows, s.param([13, 17]));
  }),
  'softmax of rows, product': graphOf((s) => s.einsum('b i j, b j d -> b i d', s.softmax(s.input('scores', [2, 9, 20])), s.input('v', [2, 20, 8]))),
};

describe.skipIf(!gpu)('a norm in the prologue', () => {
  describe.each(Object.entries(GRAPHS))('%s', (_, graph) => {
    test.each(Object.entries(SCHEDULES))('%s', async (_, schedule) => {
      const plan = await checkOnDevice(gpu!.device, graph, { target: WEB, prologue: true, schedule: (k) => (contractionProblem(k) ? schedule : undefined) });
      expect(plan.steps.length).toBe(1);
      expect(matchContraction(plan.kernels[0].kernel)!.prologue.length).toBeGreaterThan(0);
    });
  });

  test.each(Object.entries(SCHEDULES))('of rows that data chooses, %s', async (_, schedule) => {
    const graph = graphOf((s) => {
      const order = s.op('argsort', [s.input('order', [3, 5])], { descending: false });
      const chosen = s.op('gather', [s.layerNorm(s.input('x', [3, 5, 16])), s.slice(order, 1, 0, 1)], { axis: 1, batch: 1 });
      return s.einsum('m k, n k -> m n', s.reshape(chosen, [3, 16]), s.param([8, 16]));
    });
    const plan = await checkOnDevice(gpu!.device, graph, { target: WEB, prologue: true, schedule: (k) => (contractionProblem(k) ? schedule : undefined) });
    expect(plan.kernels.some(({ kernel }) => (matchContraction(kernel)?.prologue.length ?? 0) > 0)).toBe(true);
  });
});
