/** Streaming attention on a device, under many schedules and layouts of its operands. */
import { describe, expect, test } from 'vitest';
import type { Graph, NodeId } from '../../src/graph.ts';
import { WEB, type Target } from '../../src/targets.ts';
import { attention as attentionOf, causal } from '../helpers/attention-graphs.ts';
import { checkOnDevice } from '../helpers/check-plan.ts';
import { testDevice } from '../helpers/device.ts';
import { Sketch } from '../helpers/patterns.ts';

const gpu = await testDevice();

function graphOf(build: (s: Sketch) => NodeId): Graph {
  const s = new Sketch();
  return s.graph(build(s));
}

/** softmax(scale * q k^T + bias) v over q, k, v: [b, n, d], or [b, d, n] where `channels` come first. */
const attention = (n: number, keys: number, depth: number, width: number, { channels = false, mask = false } = {}): Graph => graphOf((s) => {
  const [b, d] = [2, depth];
  const q = s.input('q', channels ? [b, d, n] : [b, n, d]);
  const k = s.input('k', channels ? [b, d, keys] : [b, keys, d]);
  const v = s.input('v', channels ? [b, width, keys] : [b, keys, width]);
  let scores = s.einsum(channels ? 'b e i, b e j -> b i j' : 'b i e, b j e -> b i j', q, k);
  scores = s.binary('mul', scores, s.number(d ** -0.5));
  if (mask) scores = s.binary('add', scores, s.param([n, keys]));
  return s.einsum(channels ? 'b i j, b d j -> b d i' : 'b i j, b j d -> b i d', s.softmax(scores), v);
});

const SCHEDULES = [
  { rows: 16, columns: 4, threads: 1 },
  { rows: 16, columns: 4, threads: 4 },
  { rows: 32, columns: 1, threads: 2 },
  { rows: 8, columns: 2, threads: 16 },
] as const;

const [one, few, pair, many] = SCHEDULES;

/** What has edges runs under every schedule; where only the addresses or the number of keys differ, under those that see it. */
describe.skipIf(!gpu)('attention', () => {
  describe.each<[string, Graph, readonly (typeof SCHEDULES)[number][]]>([
    ['tokens first', attention(19, 24, 8, 12), SCHEDULES],
    ['fewer keys than threads take', attention(5, 7, 6, 4), [few, many]],
    ['channels first, bias', attention(20, 22, 4, 8, { channels: true, mask: true }), SCHEDULES],
    ['odd depths', attention(9, 10, 5, 3, { mask: true }), SCHEDULES],
    ['causal', attentionOf({ rows: 9, keys: 9, depth: 4, values: 6, mask: causal }), [few, pair]],
    ['heads of one projection', graphOf((s) => s.attention(s.input('x', [2, 9, 16]), 2, s.param([2, 9, 9]))), [one, pair]],
    ['queries of a window', graphOf((s) => s.convolvedQueries(s.input('x', [2, 20, 3, 5]), 4, 3)), SCHEDULES],
  ])('%s', (_, graph, schedules) => {
    test.each(schedules)('%j', async (schedule) => {
      const plan = await checkOnDevice(gpu!.device, graph, { target: WEB, attention: true, schedule: (k) => (k.stages.length >= 5 ? { family: 'attention', ...schedule } : undefined) });
      expect(plan.kernels.map((k) => k.schedule.family)).toContain('attention');
    });
  });

  test('serves where the scores would be too large a tensor', async () => {
    const target: Target = { ...WEB, software: true, limits: { ...WEB.limits, maxBufferSize: 12000 } };
    const plan = await checkOnDevice(gpu!.device, attention(19, 24, 8, 12), { target, attention: true });
    expect(plan.kernels.map((k) => k.schedule.family)).toEqual(['attention']);
  });
});
