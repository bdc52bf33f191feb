/** Reports: bytes and operations against counts made another way, sums that must agree, kinds, places, compare and sweep. */
import { describe, expect, test } from 'vitest';
import { packageFiles } from '../src/cli/packages.ts';
import { makeReport } from '../src/cli/reports.ts';
import { reportText } from '../src/cli/report-text.ts';
import { compileGraph } from '../src/compile.ts';
import { packagePlan } from '../src/codegen/package-plan.ts';
import { sizeOf } from '../src/graph.ts';
import type { Kernel } from '../src/kernel.ts';
import { PROFILES, profileNamed, readProfile } from '../src/profiles.ts';
import { compareReports } from '../src/report/compare.ts';
import { predict } from '../src/report/cost.ts';
import { kindsOf } from '../src/report/kinds.ts';
import { touchedElements } from '../src/report/least.ts';
import { missShares } from '../src/report/residency.ts';
import { markFront, sweepValues, type SweepFigures } from '../src/report/sweep.ts';
import type { Sums } from '../src/report/types.ts';
import { WEB } from '../src/targets.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';
import { touchedByRunning } from './helpers/touched.ts';

const tiny = (name: string) => tinyGraph(TINY.find((t) => t.name === name)!);
const H100 = profileNamed('nvidia-h100')!;

function points(kernel: Kernel): number {
  return kernel.stages.reduce((sum, s) => sum + [...s.axes, ...(s.reduce?.axes ?? [])].reduce((n, a) => n * a.extent, 1), 0);
}

/** Whether a condition or index of the kernel depends on data: then any place counts as touched. */
const readsByData = (kernel: Kernel): boolean => /"kind":"value"/.test(JSON.stringify(kernel.stages)) || /"condition":\{[^}]*"load"/.test(JSON.stringify(kernel.stages));

describe.each(['ViT', 'EfficientViT', 'Swin', 'Whisper', 'PoolFormer'])('%s, made tiny', (name) => {
  const graph = tiny(name);
  const full = makeReport({ graph, target: WEB, dtype: 'f32', profile: H100 });
  const { report, compilation } = full;
  const unfused = compileGraph(graph, { target: WEB, dtype: 'f32', fuse: false }).value!;

  test('least bytes are those of the elements that a run touches', () => {
    const kernels = [...compilation.plan.kernels, ...unfused.plan.kernels].map((k) => k.kernel).filter((k) => points(k) < 40_000 && !readsByData(k));
    expect(kernels.length).toBeGreaterThan(10);
    for (const kernel of kernels) expect(touchedElements(kernel), kernel.name).toEqual(touchedByRunning(kernel));
  });

  test('operations of matrix products and convolutions are two a point of their loops', () => {
    let checked = 0;
    for (const { kernel, call } of unfused.plan.steps.map((s) => ({ kernel: unfused.plan.kernels[s.kernel].kernel, call: s.call }))) {
      const product = call.ops.find((op) => op.op === 'einsum' || op.op === 'conv');
      const [sum] = kernel.stages;
      if (!product || sum.reduce?.op !== 'sum') continue;
      expect(product.flops, kernel.name).toBe(2 * points({ ...kernel, stages: [sum] }));
      checked++;
    }
    expect(checked).toBeGreaterThan(3);
  });

  test('sums agree: steps, kernels, kinds, bounds, blocks, lines, savings', () => {
    const close = (a: number, b: number): void => expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-9 * Math.max(Math.abs(a), Math.abs(b), 1e-12));
    const total = (list: readonly Sums[], of: (s: Sums) => number): number => list.reduce((sum, s) => sum + of(s), 0);
    for (const of of [(s: Sums) => s.seconds, (s: Sums) => s.leastBytes, (s: Sums) => s.issuedBytes, (s: Sums) => s.flops, (s: Sums) => s.dispatches]) {
      close(total(report.kernels.map((k) => k.sums), of), of(report.after));
      close(total(report.shares.map((s) => s.after), of), of(report.after));
      close(total(report.shares.map((s) => s.before), of), of(report.before));
      close(of(report.blocks[0].after), of(report.after));
      close(of(report.blocks[0].before), of(report.before));
      close(total(report.lines.map((l) => l.self), of), of(report.after));
    }
    close(report.savings.reduce((s, x) => s + x.seconds, 0), report.before.seconds - report.after.seconds);
    close(report.savings.reduce((s, x) => s + x.leastBytes, 0), report.before.leastBytes - report.after.leastBytes);
    close(Object.values(report.bounds).reduce((s, b) => s + b.seconds, 0), report.after.seconds);
    expect(report.blocks[0].parameters).toBe(report.parameters);
    expect(report.blocks[0].weightBytes).toBe(compilation.plan.buffers.reduce((s, b) => (b.space === 'weights' ? s + b.bytes : s), 0));
  });

  test('memory is what the package allocates', () => {
    const { plan, kernels } = compilation;
    expect(report.memory.arenaBytes).toBe(packagePlan(graph, plan, kernels).arenaBytes);
    expect(Math.max(...report.memory.tensors.map((t) => t.offset + t.bytes))).toBeLessThanOrEqual(report.memory.arenaBytes);
    expect(report.memory.peak.bytes).toBeLessThanOrEqual(report.memory.livenessBound);
    // Weights are whole shards; the report's blocks leave the gaps between them out.
    expect(report.after.weightBytes).toBe(plan.weightShards.reduce((a, b) => a + b, 0));
  });

  test.each([50, 80, 120])('text keeps to %i columns and leads with totals and reasons', (width) => {
    const lines = reportText(report, { rows: 10, width }).split('\n');
    // eslint-disable-next-line no-control-regex
    const visible = lines.map((line) => line.replace(/\x1b\[[0-9;]*m/g, ''));
    expect(visible.filter((line) => line.length > width)).toEqual([]);
    expect(visible.findIndex((line) => line.startsWith('predicted time'))).toBeLessThan(8);
    expect(visible.indexOf('Why')).toBeLessThan(24);
  });

  test('no plan moves less than its inputs, weights and outputs', () => {
    expect(report.after.leastBytes).toBeGreaterThanOrEqual(0.99 * report.after.floorBytes - 4 * sizeOf(graph.nodes[graph.inputs[0].node].shape));
    for (const s of report.steps) expect(s.leastStoreBytes).toBeLessThanOrEqual(s.issuedStoreBytes);
  });
});

describe('kinds', () => {
  const kinds = (name: string, fuse: boolean): Map<string, number> => {
    const { plan } = compileGraph(tiny(name), { target: WEB, dtype: 'f32', fuse, chains: false }).value!;
    const counts = new Map<string, number>();
    for (const kind of kindsOf(plan)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return counts;
  };

  test('a softmax is max, subtraction, exponential, sum and division, whatever they are called', () => {
    // Depth 1: one softmax, of five dispatches.
    expect(kinds('ViT', false).get('softmax')).toBe(5);
  });

  test('norms are found by the root of a sum', () => {
    // Three layer norms, each: sum and scaling for the mean, difference, square, sum, scaling, epsilon, root, product, scale and shift.
    const found = kinds('ViT', false).get('normalization')!;
    expect(found % 3).toBe(0);
    expect(found).toBeGreaterThanOrEqual(3 * 8);
    // A norm that more than products read is a kernel of its own.
    expect(kinds('DETR', true).get('normalization')).toBeGreaterThan(0);
  });

  test('a model without either has none', () => {
    expect(kinds('ResNet', false).get('softmax')).toBeUndefined();
    expect(kinds('ResNet', false).get('normalization')).toBeUndefined();
  });
});

describe('predictions', () => {
  const effort = { arithmetic: 0, integer: 0, local: 0, accesses: 0, sectors: 0, waits: 0, early: 0, localWaits: 0, barriers: 0, matrix: 0, code: 0, workgroupBytes: 0 };
  const work = { effort, workgroups: 4096, workgroupSize: 256, leastBytes: 0, memoryBytes: 0 };

  test('are bound by what takes longest', () => {
    const memory = predict({ ...work, leastBytes: 1e9, memoryBytes: 1e9 }, H100);
    expect(memory.bound).toBe('memory');
    expect(memory.total).toBeGreaterThan(1e9 / H100.bandwidth);
    expect(memory.total).toBeLessThan(1.6e9 / H100.bandwidth);
    expect(predict({ ...work, effort: { ...effort, arithmetic: 1e4 } }, H100).bound).toBe('arithmetic');
    expect(predict({ ...work, workgroups: 1, effort: { ...effort, waits: 1000 } }, H100).bound).toBe('latency');
    expect(predict({ ...work, workgroups: 1, effort: { ...effort, arithmetic: 10 } }, H100).bound).toBe('dispatch');
  });

  test('a device that is full takes as long as its lanes need', () => {
    const { count, lanes, clock } = H100.cores;
    const { issue } = predict({ ...work, workgroups: 8 * count, effort: { ...effort, arithmetic: 1e4 } }, H100);
    expect(issue).toBeCloseTo((8 * count * 256 * 1e4) / (count * lanes * clock), 9);
  });

  test('few workgroups leave cores idle, and wait as long as many', () => {
    const waiting = { ...work, effort: { ...effort, waits: 100, arithmetic: 1000 } };
    const [few, many] = [1, 132].map((workgroups) => predict({ ...waiting, workgroups }, H100));
    expect(few.total).toBe(many.total);
    expect(few.fill).toBeCloseTo(1 / 132, 9);
    expect(many.fill).toBe(1);
    // Workgroups that do not fit on a core at once take turns.
    const crowded = (workgroupBytes: number) => predict({ ...waiting, workgroups: 4 * 132, effort: { ...waiting.effort, workgroupBytes } }, H100).wait;
    expect(crowded(H100.cores.memory)).toBeCloseTo(4 * crowded(0), 12);
  });

  test('more of anything takes no less time', () => {
    for (const key of Object.keys(effort) as (keyof typeof effort)[]) expect(predict({ ...work, effort: { ...effort, [key]: 1e5 } }, H100).total, key).toBeGreaterThanOrEqual(predict(work, H100).total);
  });

  test('the cache keeps what was touched last', () => {
    const { plan } = compileGraph(tiny('ViT'), { target: WEB, dtype: 'f32' }).value!;
    expect(missShares(plan, 1e9).flat().every((share) => share === 0)).toBe(true);
    expect(missShares(plan, 1).flat().some((share) => share > 0.5)).toBe(true);
  });

  test('profiles are whole and say where their figures come from', () => {
    for (const profile of PROFILES) {
      expect(readProfile(JSON.stringify(profile))).toEqual(profile);
      expect(Object.values(profile.sources).filter((text) => text === '' || text === 'not told')).toEqual([]);
    }
    expect(readProfile('{')).toBe('it is no JSON');
    expect(readProfile('{"name": "x", "bandwidth": -1}')).toContain('bandwidth, cache, rates, dispatch, fetch, cores, latency are missing');
  });
});

test('a package says what is predicted for it', () => {
  const compilation = compileGraph(tiny('Mixer'), { target: WEB, dtype: 'f32' }).value!;
  const files = packageFiles(compilation);
  const report = JSON.parse(files.get('report.json') as string) as { predictedFor: string; steps: { predictedMilliseconds: number }[] };
  const want = makeReport({ graph: compilation.graph, target: WEB, dtype: 'f32', profile: H100, compilation }).report.steps.map((s) => Number((1000 * s.seconds).toPrecision(4)));
  expect(report.predictedFor).toBe('nvidia-h100');
  expect(report.steps.map((s) => s.predictedMilliseconds)).toEqual(want);
  expect(files.get('README.md')).toMatch(/A run is \d+ dispatches, predicted to take [\d.]+ µs on the device profile `nvidia-h100`/);
});

test('comparisons name the cheapest, an item at a time', () => {
  const report = (batch: number) => makeReport({ graph: tinyGraph(TINY.find((t) => t.name === 'Mixer')!, batch), target: WEB, dtype: 'f32', profile: H100 }).report;
  const comparison = compareReports([{ label: 'one', report: report(1) }, { label: 'eight', report: report(8) }]);
  expect(comparison.cheapest).toBe(1);
  expect(comparison.findings).toHaveLength(1);
  expect(comparison.findings[0]).toMatch(/^eight is [\d.]+x as fast as one: /);
  expect(comparison.blocks.every((b) => b.seconds.every((s) => s !== null))).toBe(true);
});

test('sweeps take ranges and lists, and mark the front', () => {
  expect(sweepValues('6..16:5')).toEqual(['6', '11', '16']);
  expect(sweepValues('0.5..1:0.25')).toEqual(['0.5', '0.75', '1']);
  expect(sweepValues('2,4,8')).toEqual(['2', '4', '8']);
  expect(sweepValues('[1,2],[3,4]')).toEqual(['[1,2]', '[3,4]']);
  expect(sweepValues('3..1')).toBeUndefined();
  expect(sweepValues('1,,2')).toBeUndefined();
  const point = (seconds: number, parameters: number) => ({ settings: {}, figures: { seconds, parameters } as SweepFigures });
  expect(markFront([point(1, 10), point(2, 10), point(2, 20), point(3, 15)], 'parameters').map((p) => p.front)).toEqual([true, false, true, false]);
});
