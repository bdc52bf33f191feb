/** Attention in tiles on a device: tiles that do not divide the problem, layouts of operands, masks, and values from few to many. */
import { describe, expect, test } from 'vitest';
import type { Graph, NodeId } from '../../src/graph.ts';
import type { AttentionTilesSchedule } from '../../src/schedule.ts';
import { WEB } from '../../src/targets.ts';
import { attention, bias, causal, data, graphOf, masked, type AttentionShape as Shape } from '../helpers/attention-graphs.ts';
import { checkOnDevice } from '../helpers/check-plan.ts';
import { testDevice } from '../helpers/device.ts';
import type { Sketch } from '../helpers/patterns.ts';

const gpu = await testDevice();

const tiles = (threadM: number, groupM: number, threadN: number, groupN: number, tileK: number, tileV: number, keep: boolean, dots: boolean): AttentionTilesSchedule =>
  ({ family: 'attentionTiles', threadM, groupM, threadN, groupN, tileK, tileV, keep, dots });

const SCHEDULES = [
  tiles(4, 2, 4, 4, 8, 8, true, true), tiles(4, 1, 4, 32, 4, 32, false, false), tiles(8, 2, 4, 4, 12, 8, false, true), tiles(4, 2, 8, 4, 8, 16, true, false),
  { ...tiles(4, 2, 4, 4, 4, 8, false, true), prefetch: true }, { ...tiles(4, 1, 4, 16, 4, 16, false, false), prefetch: true },
];

const [square, wide, uneven, deep] = SCHEDULES;

/**
 * Edges, layouts and groups of values meet every schedule. What is done with a score is the same code however operands are
 * staged, so each mask meets two schedules, of other tiles.
 */
const SHAPES: readonly [string, Shape, readonly AttentionTilesSchedule[]][] = [
  ['whole tiles', { rows: 16, keys: 32, depth: 16, values: 16 }, [square, deep]],
  ['edges', { rows: 19, keys: 37, depth: 12, values: 20 }, SCHEDULES],
  ['odd everywhere', { rows: 9, keys: 41, depth: 7, values: 5, mask: bias }, SCHEDULES],
  ['channels first, bias', { rows: 20, keys: 36, depth: 4, values: 8, channels: true, mask: bias }, SCHEDULES],
  ['more values than threads', { rows: 5, keys: 17, depth: 8, values: 36 }, SCHEDULES],
  ['causal', { rows: 21, keys: 21, depth: 8, values: 8, mask: causal }, [square, wide]],
  ['rows without keys', { rows: 7, keys: 21, depth: 8, values: 8, mask: masked }, [uneven, deep]],
  ['masked by data', { rows: 6, keys: 30, depth: 8, values: 12, mask: data }, [square, uneven]],
  ['few rows, few values', { rows: 2, keys: 23, depth: 5, values: 3 }, [wide, deep]],
];

const families = async (graph: Graph, options: Partial<Parameters<typeof checkOnDevice>[2]>): Promise<string[]> =>
  (await checkOnDevice(gpu!.device, graph, { target: WEB, attention: true, ...options } as never)).kernels.map((k) => k.schedule.family);

describe.skipIf(!gpu)('attention in tiles', () => {
  // Each schedule meets every other shape: whole tiles and edges, masks, both layouts.
  describe.each(SHAPES.map(([name, shape], i) => [name, shape, SCHEDULES.filter((_, j) => (i + j) % 2 === 0)] as const))('%s', (_, shape, schedules) => {
    test.each(schedules)('%j', async (schedule) => {
      expect(await families(attention(shape), { schedule: (k) => (k.stages.length >= 5 ? schedule : undefined) })).toContain('attentionTiles');
    });
  });

  describe.each([[4, 4, 3], [3, 5, 5]])('queries of a window over %i x %i', (h, w, window) => {
    test.each(SCHEDULES)('%j', async (schedule) => {
      const graph = graphOf((s) => s.convolvedQueries(s.input('x', [2, 20, h, w]), 4, window));
      expect(await families(graph, { schedule: (k) => (k.stages.length >= 5 ? schedule : undefined) })).toEqual(['attentionTiles']);
    });
  });

  test.each<[string, (s: Sketch) => NodeId]>([
    ['heads of one projection', (s) => s.attention(s.input('x', [2, 9, 16]), 2, s.param([2, 9, 9]))],
    ['windows', (s) => s.unwindows(s.attention(s.windows(s.input('x', [2, 6, 6, 8]), 3), 2), 3, [2, 6, 6, 8])],
    ['keys that heads share', (s) => {
      const [q, k, v] = [s.input('q', [2, 3, 5, 4]), s.input('k', [2, 7, 4]), s.input('v', [2, 7, 6])];
      return s.einsum('b h i j, b j d -> b i h d', s.softmax(s.einsum('b h i e, b j e -> b h i j', q, k)), v);
    }],
    ['channels first, odd', (s) => {
      const [q, k, v] = [s.input('q', [2, 5, 9]), s.input('k', [2, 5, 10]), s.input('v', [2, 3, 10])];
      return s.einsum('b i j, b d j -> b d i', s.softmax(s.einsum('b e i, b e j -> b i j', q, k)), v);
    }],
  ])('%s, as the rules choose', async (_, build) => {
    expect(await families(graphOf(build), {})).toContain('attentionTiles');
  });

  test('in halves', async () => {
    expect(await families(attention({ rows: 19, keys: 37, depth: 12, values: 20, mask: bias }), { storage: 'f16', tolerance: 2e-3 })).toContain('attentionTiles');
  });
});
