/** Choosing tiles for attention: they fit the target's memory as counted and as generated, spread small problems, leave out what does not pay. */
import { describe, expect, test } from 'vitest';
import { generateAttentionTiles } from '../src/codegen/families/attention-tiles.ts';
import type { WgslType } from '../src/codegen/wgsl.ts';
import type { Graph } from '../src/graph.ts';
import { attentionLayout } from '../src/kernel-attention-layout.ts';
import { attentionProblem } from '../src/kernel-attention-problem.ts';
import type { Kernel } from '../src/kernel.ts';
import { lower } from '../src/lower/lower.ts';
import type { AttentionTilesSchedule } from '../src/schedule.ts';
import { attentionCandidates, attentionTiles } from '../src/schedule/attention-tiles.ts';
import { WEB, type Target } from '../src/targets.ts';
import { attention, causal, ended, type AttentionShape } from './helpers/attention-graphs.ts';
import { checkInterpreted } from './helpers/interpret-plan.ts';
import { Sketch } from './helpers/patterns.ts';

const LARGE: Target = { ...WEB, name: 'large', limits: { ...WEB.limits, maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 1024 } };

interface Shape {
  readonly batch: number;
  readonly rows: number;
  readonly keys: number;
  readonly depth: number;
  readonly values: number;
}

function kernelOf({ batch, rows, keys, depth, values }: Shape): Kernel {
  const s = new Sketch();
  const [q, k, v] = [s.input('q', [batch, rows, depth]), s.input('k', [batch, keys, depth]), s.input('v', [batch, keys, values])];
  return kernelIn(s.graph(s.einsum('b i j, b j d -> b i d', s.softmax(s.einsum('b i e, b j e -> b i j', q, k)), v)));
}

function kernelIn(graph: Graph): Kernel {
  const { calls } = lower(graph, { fuse: true, attention: () => true, target: WEB, storage: 'f32' });
  expect(calls).toHaveLength(1);
  return calls[0].kernel;
}

function bytesOf(type: WgslType): number {
  if (type.kind === 'array') return type.length * bytesOf(type.of);
  if (type.kind === 'matrix') throw new Error('a matrix in workgroup memory');
  return 4 * type.width;
}

const SHAPES: readonly Shape[] = [16, 36, 48, 64, 80, 128].flatMap((depth) => [
  { batch: 3, rows: 197, keys: 197, depth, values: depth },
  { batch: 64, rows: 49, keys: 49, depth, values: 32 },
  { batch: 8, rows: 1500, keys: 1500, depth: depth + 1, values: depth - 1 },
]);

describe('attention in tiles', () => {
  test.each([WEB, LARGE])('fits $name', (target) => {
    for (const shape of SHAPES) {
      const kernel = kernelOf(shape);
      const schedule = attentionTiles(kernel, target)!;
      expect(schedule, JSON.stringify(shape)).toBeDefined();
      const { bytes, size } = attentionLayout(attentionProblem(kernel)!, schedule);
      const { module } = generateAttentionTiles(kernel, kernel.params.map(() => 'arena'), schedule, target);
      const used = module.workgroupVars.reduce((sum, v) => sum + bytesOf(v.type), 0);
      expect(used, JSON.stringify({ shape, schedule })).toBeLessThanOrEqual(bytes);
      expect(bytes).toBeLessThanOrEqual(target.limits.maxComputeWorkgroupStorageSize);
      expect(module.workgroupSize).toEqual([size, 1, 1]);
      expect(size).toBeLessThanOrEqual(target.limits.maxComputeInvocationsPerWorkgroup);
    }
  });

  test('a few heads of one image still make work for a large GPU', () => {
    const kernel = kernelOf({ batch: 3, rows: 197, keys: 197, depth: 64, values: 64 });
    for (const target of [WEB, LARGE]) expect(attentionLayout(attentionProblem(kernel)!, attentionTiles(kernel, target)!).groups).toBeGreaterThanOrEqual(64);
  });

  test('many heads share what is staged among many rows', () => {
    const kernel = kernelOf({ batch: 192, rows: 197, keys: 197, depth: 64, values: 64 });
    expect(attentionLayout(attentionProblem(kernel)!, attentionTiles(kernel, WEB)!).rows).toBeGreaterThanOrEqual(32);
  });

  test.each<[string, Shape, Target]>([
    ['deep products', { batch: 2, rows: 16, keys: 16, depth: 784, values: 16 }, WEB],
    ['wide values', { batch: 2, rows: 16, keys: 16, depth: 16, values: 784 }, WEB],
    ['three keys', { batch: 2, rows: 16, keys: 3, depth: 16, values: 16 }, WEB],
    ['a CPU', { batch: 2, rows: 16, keys: 16, depth: 16, values: 16 }, { ...WEB, software: true }],
  ])('not for %s', (_, shape, target) => {
    expect(attentionTiles(kernelOf(shape), target)).toBeUndefined();
  });

  test('causal over four keys, the first of which all rows see, in every tile', () => {
    const graph = attention({ rows: 4, keys: 4, depth: 2, values: 2, mask: causal });
    const candidates = attentionCandidates(kernelIn(graph), WEB);
    expect(candidates.length).toBeGreaterThan(50);
    for (const { schedule } of candidates) checkInterpreted(graph, { target: WEB, storage: 'f32', attention: true, tolerance: 2e-6, schedule: () => schedule });
  });

  test('a mask of places loads nothing, in every tile', () => {
    const shape: AttentionShape = { rows: 3, keys: 8, depth: 5, values: 3, mask: ended };
    const [masked, plain] = [kernelIn(attention(shape)), kernelIn(attention({ ...shape, mask: undefined }))];
    const bytes = (kernel: Kernel, schedule: AttentionTilesSchedule): unknown => generateAttentionTiles(kernel, kernel.params.map(() => 'arena'), schedule, WEB).issued;
    for (const { schedule } of attentionCandidates(masked, WEB)) expect(bytes(masked, schedule), JSON.stringify(schedule)).toEqual(bytes(plain, schedule));
  });
});
