/** bench/soak.mjs, shortened: runs and loads leave the heap and the GPU's memory as they were. docs/RELIABILITY.md has the full figures. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testDevice } from './helpers/device.ts';
import { tinyPackage } from './helpers/tiny-package.ts';

const gpu = await testDevice();

interface Point {
  readonly phase: 'runs' | 'loads';
  readonly done: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly gpuResources: number;
  readonly gpuBytes: number;
  readonly gpuResourcesMade: number;
  readonly modelsHeld: number;
}

describe.skipIf(!gpu)('2000 runs and 100 loads', () => {
  let folder: string;
  let result: { readonly errors: readonly string[]; readonly points: readonly Point[] };
  const of = (phase: Point['phase']) => result.points.filter((p) => p.phase === phase);

  beforeAll(() => {
    folder = tinyPackage();
    const script = fileURLToPath(new URL('../bench/soak.mjs', import.meta.url));
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--expose-gc', script, folder, '--runs', '2000', '--loads', '100', '--json'], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${stdout}\n${stderr}`);
    result = JSON.parse(stdout);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Bytes a step. The least of each half, since how much of the garbage is found at a point is chance. */
  function growth(points: readonly Point[], measure: (p: Point) => number): number {
    const half = points.length / 2;
    const least = (some: readonly Point[]) => Math.min(...some.map(measure));
    return (least(points.slice(half)) - least(points.slice(0, half))) / (points[half].done - points[0].done);
  }

  test('leave no error of WebGPU', () => expect(result.errors).toEqual([]));

  test('leave no GPU memory: a model keeps its buffers, and destroy gives all back', () => {
    const [runs, loads] = [of('runs'), of('loads')];
    expect([runs.length, loads.length]).toEqual([10, 10]);
    expect(runs[0].gpuResources).toBeGreaterThan(2);
    // The arena, the weights and four staging buffers, whatever the number of runs.
    for (const p of runs) expect(p.gpuResources).toBeLessThanOrEqual(6);
    expect(runs.at(-1)!.gpuBytes).toBe(runs[4].gpuBytes);
    for (const p of loads) expect([p.gpuResources, p.gpuBytes]).toEqual([0, 0]);
    expect(loads.at(-1)!.gpuResourcesMade).toBeGreaterThan(runs.at(-1)!.gpuResourcesMade + 100 * 3);
  });

  test('leave no model: once destroyed, nothing holds it though its device lives', () => {
    // The last may still be on the stack.
    for (const p of of('loads')) expect(p.modelsHeld).toBeLessThanOrEqual(1);
  });

  test('leave the heap flat', () => {
    // A run makes a kilobyte of promises and outputs, a load more than its limit; compiled code comes to a part of these.
    expect(growth(of('runs'), (p) => p.heapBytes)).toBeLessThan(150);
    expect(growth(of('runs'), (p) => p.externalBytes)).toBeLessThan(50);
    expect(growth(of('loads'), (p) => p.heapBytes)).toBeLessThan(8000);
    expect(growth(of('loads'), (p) => p.externalBytes)).toBeLessThan(50);
  });
});
