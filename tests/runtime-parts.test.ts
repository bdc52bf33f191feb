/** Runs in parts: every dispatch once and in order, in as few submits as it is worth, with runs that overlap. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageFiles } from '../src/cli/packages.ts';
import { generateKernel } from '../src/codegen/generate.ts';
import type { Model } from '../src/codegen/runtime/model.ts';
import { runParts } from '../src/codegen/run-parts.ts';
import { compileGraph, packWeights } from '../src/compile.ts';
import { binary, load, number } from '../src/kernel-expr.ts';
import { axis } from '../src/kernel-index.ts';
import { WEB } from '../src/targets.ts';
import { seededWeight } from '../src/weights/seeded.ts';
import { freshDevice, testDevice } from './helpers/device.ts';
import { Sketch } from './helpers/patterns.ts';
import type { Inputs, Outputs, PackageModule } from './helpers/tiny-package.ts';
import { expected, importPackage, tinyInput, tinyPackage, tinyValues, writePackage } from './helpers/tiny-package.ts';

const gpu = await testDevice();

/** The device, with a call for each submit and write before it is made. */
function watched(device: GPUDevice, seen: (name: 'submit' | 'writeBuffer') => void): GPUDevice {
  const queue = new Proxy(device.queue, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (name === 'submit' || name === 'writeBuffer') seen(name);
        return value.apply(target, args) as unknown;
      };
    },
  });
  return new Proxy(device, {
    get(target, name) {
      const value = name === 'queue' ? queue : (Reflect.get(target, name, target) as unknown);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** The tiny package with `twice` as shift * 3 ** times, by as many dispatches that each need the one before. */
function chainPackage(times: number): string {
  const { plan, ...rest } = tinyInput();
  const kernels = plan.kernels.map((planned) =>
    planned.id === 'twice' ? { ...planned, kernel: { ...planned.kernel, stages: planned.kernel.stages.map((stage) => ({ ...stage, body: binary('mul', load('x', [axis(stage.axes[0])]), number(3, 'i32')) })) } } : planned,
  );
  const spare = { ...plan.buffers.find(({ buffer }) => buffer.name === 'twice')!, offset: 1024 };
  const buffers = [...plan.buffers, { ...spare, buffer: { ...spare.buffer, id: 'spare', name: 'spare', kind: 'temp' as const } }];
  const names = (i: number): string => (i < 0 ? 'shift' : (times - i) % 2 === 1 ? 'twice' : 'spare');
  const chain = Array.from({ length: times }, (_, i) => ({ ...plan.steps[1], args: [names(i - 1), names(i)] }));
  return tinyPackage({ ...rest, kernels: kernels.map((kernel) => generateKernel(kernel, WEB)), plan: { ...plan, kernels, buffers, steps: [plan.steps[0], ...chain], arenaBytes: 2048, livenessBound: 2048 } });
}

function powered(shift: Int32Array, times: number): number[] {
  return Array.from(shift, (value) => {
    for (let i = 0; i < times; i++) value = Math.imul(value, 3);
    return value;
  });
}

describe('parts of a run', () => {
  /** Of so many dispatches, nothing of which is predicted. */
  const unpredicted = (count: number): number[] => runParts(new Array<undefined>(count).fill(undefined));

  test('hold every dispatch, and grow', () => {
    for (let count = 0; count < 3000; count++) {
      const sizes = unpredicted(count);
      expect(sizes.reduce((a, b) => a + b)).toBe(count);
      expect(sizes.every((size, i) => i === 0 || size > sizes[i - 1])).toBe(true);
      expect(sizes.length).toBeLessThanOrEqual(5);
    }
  });

  test('are one where a second would not be worth its submit', () => {
    expect([0, 1, 30, 50].map(unpredicted)).toEqual([[0], [1], [30], [50]]);
    expect([62, 120, 154, 400].map(unpredicted)).toEqual([[22, 40], [36, 84], [44, 110], [31, 69, 300]]);
  });

  test('begin with few dispatches where these are predicted to take long', () => {
    expect(runParts(new Array<number>(111).fill(30))).toEqual([12, 99]);
    expect(runParts([...new Array<number>(10).fill(2), ...new Array<number>(90).fill(100)])).toEqual([13, 87]);
    expect(runParts(new Array<number>(40).fill(1000))).toEqual([1, 39]);
  });
});

describe.skipIf(!gpu)('a run in parts', () => {
  const device = gpu!?.device;
  const TIMES = 399;
  const folders: string[] = [];
  let long: PackageModule;

  beforeAll(async () => {
    folders.push(chainPackage(TIMES));
    long = await importPackage(folders[0]);
  });
  afterAll(() => {
    for (const each of folders) rmSync(each, { recursive: true, force: true });
  });

  function expectRight({ y, twice }: Outputs, seed: number): void {
    const { image, shift } = tinyValues(seed);
    expect(Array.from(twice)).toEqual(powered(shift, TIMES));
    expect(Array.from(y)).toEqual(expected(image, shift).y);
  }

  test('is submitted before run returns: at once if it is short, in three parts if it is long', async () => {
    folders.push(tinyPackage());
    const short = await importPackage(folders.at(-1)!);
    for (const [module, submits] of [[short, 1], [long, 3]] as const) {
      let count = 0;
      const model = await module.load({ device: watched(device, (name) => (count += name === 'submit' ? 1 : 0)) });
      for (let i = 0; i < 3; i++) {
        count = 0;
        const running = model.run(tinyValues());
        expect(count).toBe(submits);
        await running;
        expect(count).toBe(submits);
      }
      model.destroy();
    }
  });

  test('does every dispatch once and in order, alone and overlapping with runs of each kind', async () => {
    const model = await long.load({ device });
    for (let seed = 0; seed < 3; seed++) expectRight(await model.run(tinyValues(seed)), seed);
    const flying = Array.from({ length: 12 }, async (_, seed) => {
      if (seed % 4 === 1) return (await model.profile(tinyValues(seed))).outputs;
      if (seed % 4 !== 2) return model.run(tinyValues(seed));
      const outputs = await model.run(tinyValues(seed), { outputs: 'gpu' });
      return model.run({ ...tinyValues(seed), shift: outputs.twice });
    });
    for (const [seed, outputs] of (await Promise.all(flying)).entries()) {
      // Of what a first run left on the GPU: three to twice the power.
      if (seed % 4 === 2) expect(Array.from(outputs.twice)).toEqual(powered(tinyValues(seed).shift, 2 * TIMES));
      else expectRight(outputs, seed);
    }
    model.destroy();
  });

  test('rejects where the device is lost between two parts, with others in flight', async () => {
    const own = (await freshDevice())!.device;
    let left = 0;
    const model = await long.load({ device: watched(own, (name) => name === 'submit' && --left === 0 && own.destroy()) });
    expectRight(await model.run(tinyValues(1)), 1);
    left = 5;
    const flying = [model.run(tinyValues()), model.run(tinyValues()), model.run(tinyValues(), { outputs: 'gpu' })];
    for (const each of await Promise.allSettled(flying)) expect(each).toMatchObject({ status: 'rejected', reason: { code: 'device-lost' } });
    expect(left).toBeLessThanOrEqual(0);
    await expect(model.run(tinyValues())).rejects.toMatchObject({ code: 'device-lost' });
    model.destroy();
  });

  test('copies an input of a single chunk by its own submit, and gives overlapping runs their own', async () => {
    const sketch = new Sketch();
    const graph = sketch.graph(sketch.linear(sketch.input('x', [1, 64, 1024]), 8));
    const compilation = compileGraph(graph, { target: WEB, dtype: 'f32' }).value!;
    folders.push(writePackage(packageFiles(compilation, packWeights(compilation, (name, shape) => seededWeight(name, shape)))));
    const seen = { submit: 0, writeBuffer: 0 };
    const model = (await (await importPackage(folders.at(-1)!)).load({ device: watched(device, (name) => seen[name]++) })) as unknown as Model<Inputs, Record<string, Float32Array>>;
    const [output] = model.outputs;
    const values = (seed: number): Float32Array => Float32Array.from({ length: 64 * 1024 }, (_, i) => ((i * 7 + seed * 3) % 32) / 32);
    const buffer = device.createBuffer({ size: 64 * 1024 * 4, usage: 0x80 | 0x4 | 0x8 });
    const wanted: Float32Array[] = [];
    for (let seed = 0; seed < 6; seed++) {
      device.queue.writeBuffer(buffer, 0, values(seed) as Float32Array<ArrayBuffer>);
      wanted.push((await model.run({ x: buffer }))[output.name]);
    }
    const shared = new Float32Array(64 * 1024);
    const run = (seed: number) => {
      shared.set(values(seed));
      return model.run({ x: shared });
    };
    for (let round = 0; round < 3; round++) {
      const flying = wanted.map((_, seed) => run(seed));
      for (const [seed, outputs] of flying.entries()) expect((await outputs)[output.name]).toEqual(wanted[seed]);
    }
    Object.assign(seen, { submit: 0, writeBuffer: 0 });
    for (const [seed, each] of wanted.entries()) expect((await run(seed))[output.name]).toEqual(each);
    expect(seen).toEqual({ submit: wanted.length, writeBuffer: 0 });
    buffer.destroy();
    model.destroy();
  });
});
