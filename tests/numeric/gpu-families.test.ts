/** Every family under many schedules, the rules' own or not: all compute the same and count their bytes exactly. */
import { describe, expect, test } from 'vitest';
import type { Graph, NodeId } from '../../src/graph.ts';
import type { Kernel } from '../../src/kernel.ts';
import { matchRow } from '../../src/kernel-forms.ts';
import type { RowSchedule, WindowSchedule } from '../../src/schedule.ts';
import { WEB } from '../../src/targets.ts';
import { windowAxes } from '../../src/window-axes.ts';
import { checkOnDevice } from '../helpers/check-plan.ts';
import { testDevice } from '../helpers/device.ts';
import { Sketch } from '../helpers/patterns.ts';

const gpu = await testDevice();

function graphOf(build: (s: Sketch) => NodeId): Graph {
  const sketch = new Sketch();
  return sketch.graph(build(sketch));
}

/** The schedule for every kernel that has rows; the number of such kernels must not be 0. */
async function checkRows(graph: Graph, schedule: Omit<RowSchedule, 'family'>): Promise<void> {
  const plan = await checkOnDevice(gpu!.device, graph, { target: WEB, schedule: (k: Kernel) => (matchRow(k) ? { family: 'row', ...schedule } : undefined) });
  expect(plan.kernels.some((k) => k.schedule.family === 'row')).toBe(true);
}

const ROWS: [name: string, graph: Graph][] = [
  ['softmax over 67', graphOf((s) => s.softmax(s.input('x', [6, 67])))],
  ['layer norm of 40', graphOf((s) => s.layerNorm(s.input('x', [2, 3, 40])))],
  ['softmax over 2', graphOf((s) => s.softmax(s.input('x', [6, 2])))],
  ['mean over space', graphOf((s) => s.binary('mul', s.op('reduceSum', [s.input('x', [2, 3, 7, 6])], { axes: [2, 3] }), s.number(1 / 42)))],
  ['norm over channels before space', graphOf((s) => s.transpose(s.layerNorm(s.transpose(s.input('x', [6, 20, 4]), [0, 2, 1])), [0, 2, 1]))],
];

describe.skipIf(!gpu)('rows', () => {
  describe.each(ROWS)('%s', (_, graph) => {
    test.each([
      { threads: 1, rows: 64, vector: 4, cache: false },
      { threads: 1, rows: 4, vector: 1, cache: true },
      { threads: 8, rows: 2, vector: 4, cache: true },
      { threads: 16, rows: 3, vector: 2, cache: false },
      { threads: 64, rows: 1, vector: 4, cache: true },
      { threads: 256, rows: 1, vector: 1, cache: false },
    ] as const)('%j', (schedule) => checkRows(graph, schedule));
  });
});

describe.skipIf(!gpu)('one long row', () => {
  const graph = graphOf((s) => s.layerNorm(s.input('x', [1, 1, 1100])));
  test.each([
    { threads: 1, rows: 1, vector: 4, cache: false },
    { threads: 8, rows: 1, vector: 4, cache: false },
    { threads: 64, rows: 1, vector: 1, cache: false },
    { threads: 256, rows: 1, vector: 4, cache: true },
  ] as const)('%j', (schedule) => checkRows(graph, schedule));
});

interface Conv {
  readonly size: readonly [h: number, w: number];
  readonly window: number;
  readonly stride: number;
  readonly padding: number;
}

const depthwise = ({ size: [h, w], window, stride, padding }: Conv): Graph => graphOf((s) => s.silu(s.conv(s.input('x', [2, 3, h, w]), 3, window, { stride, padding, groups: 3 })));

async function checkWindow(graph: Graph, strip: Omit<WindowSchedule, 'family' | 'workgroup'>): Promise<void> {
  const plan = await checkOnDevice(gpu!.device, graph, { target: WEB, schedule: (k) => (windowAxes(k) ? { family: 'window', workgroup: 32, ...strip } : undefined) });
  expect(plan.kernels.some((k) => k.schedule.family === 'window')).toBe(true);
}

describe.skipIf(!gpu)('windows', () => {
  test.each([
    [{ size: [8, 8], window: 3, stride: 1, padding: 1 }, { stripH: 1, stripW: 1 }],
    [{ size: [8, 8], window: 3, stride: 1, padding: 1 }, { stripH: 2, stripW: 4 }],
    [{ size: [8, 8], window: 3, stride: 1, padding: 1 }, { stripH: 4, stripW: 1 }],
    [{ size: [4, 14], window: 5, stride: 1, padding: 2 }, { stripH: 2, stripW: 7 }],
    [{ size: [9, 13], window: 3, stride: 2, padding: 1 }, { stripH: 5, stripW: 1 }],
    [{ size: [5, 15], window: 3, stride: 2, padding: 0 }, { stripH: 2, stripW: 7 }],
  ] as [Conv, { stripH: number; stripW: number }][])('depthwise %j in strips %j', (conv, strip) => checkWindow(depthwise(conv), strip));

  test.each(['max', 'sum'] as const)('%s pooling', async (kind) => {
    const sides = (low: number, high: number) => [{ low, high }, { low, high }];
    const graph = graphOf((s) => s.op('pool', [s.input('x', [2, 3, 12, 12])], { kind, window: [3, 3], stride: [2, 2], padding: sides(1, 1), dilation: [1, 1] }));
    await checkWindow(graph, { stripH: 2, stripW: 2 });
  });

  test('along one axis', () => checkWindow(graphOf((s) => s.conv(s.input('x', [2, 4, 20]), 4, 3, { padding: 1, groups: 4 })), { stripH: 1, stripW: 5 }));
});

describe.skipIf(!gpu)('the generic loop nest', () => {
  test.each([1, 2, 4] as const)('computes everything, %i points a thread', async (vector) => {
    const graph = graphOf((s) => {
      const x = s.conv(s.input('x', [1, 8, 6, 8]), 8, 3, { padding: 1 });
      const tokens = s.transpose(s.reshape(s.relu(x), [1, 8, 48]), [0, 2, 1]);
      return s.attention(s.layerNorm(tokens), 2);
    });
    await checkOnDevice(gpu!.device, graph, { target: WEB, schedule: () => ({ family: 'generic', vector, workgroup: 64 }) });
  });

  test('folds long dispatches into y', async () => {
    const limits = { ...WEB.limits, maxComputeWorkgroupsPerDimension: 7 };
    const graph = graphOf((s) => s.softmax(s.input('x', [37, 30])));
    await checkOnDevice(gpu!.device, graph, { target: { ...WEB, limits }, fuse: false, schedule: () => ({ family: 'generic', vector: 1, workgroup: 64 }) });
    await checkOnDevice(gpu!.device, graph, { target: { ...WEB, limits }, schedule: (k) => (matchRow(k) ? { family: 'row', threads: 32, rows: 1, vector: 1, cache: true } : undefined) });
  });
});
