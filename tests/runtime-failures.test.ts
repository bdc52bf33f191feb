/** What goes wrong on devices: lost, too small, out of memory; and what callers do wrong. Each has a typed error, and the next load or run works. */
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileGraph, packWeights } from '../src/compile.ts';
import { packageFiles } from '../src/cli/packages.ts';
import type { LoadOptions } from '../src/codegen/runtime/load.ts';
import type { Model } from '../src/codegen/runtime/model.ts';
import { WEB } from '../src/targets.ts';
import { seededWeight } from '../src/weights/seeded.ts';
import { freshDevice, testAdapter, testDevice } from './helpers/device.ts';
import { Sketch } from './helpers/patterns.ts';
import type { Inputs, Outputs, PackageModule } from './helpers/tiny-package.ts';
import { expected, importPackage, SIZE, tinyInput, tinyPackage, tinyValues, writePackage } from './helpers/tiny-package.ts';

const gpu = await testDevice();
const STORAGE_IN_OUT = 0x80 | 0x4 | 0x8;

/** A device that makes buffers of some label larger than any memory. */
function starved(device: GPUDevice, isStarved: (label: string) => boolean): GPUDevice {
  return new Proxy(device, {
    get(target, name) {
      if (name === 'createBuffer') {
        return (descriptor: GPUBufferDescriptor) => target.createBuffer(isStarved(descriptor.label ?? '') ? { ...descriptor, size: target.limits.maxBufferSize } : descriptor);
      }
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe.skipIf(!gpu)('a package on a device that fails', () => {
  const device = gpu!?.device;
  const folders: string[] = [];
  let module: PackageModule;
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);

  beforeAll(async () => {
    process.on('unhandledRejection', note);
    folders.push(tinyPackage());
    module = await importPackage(folders[0]);
  });
  afterAll(() => {
    process.off('unhandledRejection', note);
    for (const each of folders) rmSync(each, { recursive: true, force: true });
    expect(unhandled).toEqual([]);
  });

  async function expectWorks(on: GPUDevice | Model<Inputs, Outputs>): Promise<void> {
    const model = 'createBuffer' in on ? await module.load({ device: on }) : on;
    const { image, shift } = tinyValues(4);
    expect(Array.from((await model.run({ image, shift })).y)).toEqual(expected(image, shift).y);
    if (model !== on) model.destroy();
  }

  test.each([1, 3, 8])('lost with %i runs in flight of each kind: all reject, and the next load works', async (count) => {
    const own = (await freshDevice())!.device;
    const model = await module.load({ device: own });
    await expectWorks(model);
    const inputs = tinyValues();
    const flying = Array.from({ length: count }, () => [model.run(inputs), model.run(inputs, { outputs: 'gpu' }), model.profile(inputs)]).flat();
    own.destroy();
    for (const each of await Promise.allSettled(flying)) {
      expect(each).toMatchObject({ status: 'rejected', reason: { name: 'VitcError', code: 'device-lost', message: expect.stringContaining('load tiny_model again') } });
    }
    await expect(model.run(inputs)).rejects.toMatchObject({ code: 'device-lost' });
    model.destroy();
    await expectWorks((await freshDevice())!.device);
  });

  test('lost while loading, at any moment: load rejects, and the next works', async () => {
    for (const phase of ['weights', 'kernels'] as const) {
      const own = (await freshDevice())!.device;
      const loading = module.load({ device: own, onProgress: (p) => p.phase === phase && own.destroy() });
      await expect(loading).rejects.toMatchObject({ code: 'device-lost' });
    }
    await expectWorks((await freshDevice())!.device);
  });

  test('a model that was destroyed hears nothing of its device being lost, and one made after is told', async () => {
    const own = (await freshDevice())!.device;
    const early = await module.load({ device: own });
    early.destroy();
    const late = await module.load({ device: own });
    own.destroy();
    await own.lost;
    await expect(early.run(tinyValues())).rejects.toMatchObject({ code: 'destroyed' });
    await expect(late.run(tinyValues())).rejects.toMatchObject({ code: 'device-lost' });
  });

  // A software adapter refuses its largest buffer; others may have the memory.
  test.skipIf(gpu?.kind !== 'software')('without memory for arena, weights, staging or outputs: out-of-memory, and it goes on', async () => {
    const own = (await freshDevice())!.device;
    const load = (isStarved: (label: string) => boolean) => module.load({ device: starved(own, isStarved) });
    const memory = (what: string) => ({ code: 'out-of-memory', message: expect.stringMatching(new RegExp(`no memory for ${what}.*destroy models and buffers that are done`)) });
    await expect(load((label) => label.includes('arena'))).rejects.toMatchObject(memory('the arena \\(1024 bytes\\)'));
    await expect(load((label) => label.includes('weights'))).rejects.toMatchObject(memory('the weights \\(12 bytes\\)'));
    let isStarved = false;
    const model = await load((label) => isStarved && (label === 'outputs' || label === 'twice'));
    isStarved = true;
    await expect(model.run(tinyValues())).rejects.toMatchObject(memory('a run of tiny_model'));
    await expect(model.run(tinyValues(), { outputs: 'gpu' })).rejects.toMatchObject(memory('a run of tiny_model'));
    isStarved = false;
    await expectWorks(model);
    model.destroy();
  });

  test('an adapter that has given its device already, or is none, is named with what to do', async () => {
    const adapter = await testAdapter();
    (await adapter.requestDevice()).destroy();
    await expect(module.load({ adapter })).rejects.toMatchObject({ code: 'no-adapter', message: expect.stringMatching(/^the adapter gave no device \(.*consumed.*\); request a new adapter/) });
    const none = { requestAdapter: async () => null };
    const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
    Object.defineProperty(globalThis, 'navigator', { value: { gpu: none }, configurable: true });
    try {
      await expect(module.load()).rejects.toMatchObject({ code: 'no-adapter', message: expect.stringContaining('no GPU, or its driver is blocked') });
    } finally {
      if (before) Object.defineProperty(globalThis, 'navigator', before);
      else delete (globalThis as { navigator?: unknown }).navigator;
    }
  });

  test('an adapter that lacks what the kernels need is not even asked for a device', async () => {
    const { plan, kernels, ...rest } = tinyInput();
    const wanting = (change: object) => ({ ...rest, plan, kernels: kernels.map((k) => ({ ...k, module: { ...k.module, ...change } })) });
    const asked: unknown[] = [];
    const adapter = (has: object) => ({ features: new Set(), limits: {}, info: {}, requestDevice: (what: unknown) => (asked.push(what), Promise.reject(new Error('asked'))), ...has }) as unknown as GPUAdapter;
    const [half, wide] = [wanting({ enables: ['f16'] }), wanting({ workgroupSize: [512, 1, 1] })].map(tinyPackage);
    folders.push(half, wide);
    const load = async (folder: string, options: LoadOptions) => (await importPackage(folder)).load(options);
    await expect(load(half, { adapter: adapter({}) })).rejects.toMatchObject({ code: 'missing-feature', message: expect.stringMatching(/shader-f16, which the adapter lacks; use another adapter, or compile .* `web`/) });
    const limits = { maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupSizeX: 256 };
    await expect(load(wide, { adapter: adapter({ limits }) })).rejects.toMatchObject({ code: 'limit-too-low', message: expect.stringMatching(/maxComputeWorkgroupSizeX of 512 \(the adapter has 256\).*compile the model for the target `web`/) });
    expect(asked).toEqual([]);
  });

  describe('inputs that are no inputs', () => {
    let model: Model<Inputs, Outputs>;
    beforeAll(async () => (model = await module.load({ device })));
    afterAll(() => model?.destroy());

    const detached = () => {
      const array = new Float32Array(3 * SIZE * SIZE);
      structuredClone(array.buffer, { transfer: [array.buffer] });
      return array;
    };
    test.each<[string, () => unknown]>([
      ['nothing', () => undefined],
      ['null', () => null],
      ['a number', () => 1],
      ['text', () => 'picture.png'],
      ['no elements', () => new Float32Array(0)],
      ['no pictures', () => []],
      ['an array whose memory was transferred', detached],
      ['64-bit floats', () => new Float64Array(3 * SIZE * SIZE)],
      ['bytes', () => new Uint8Array(3 * SIZE * SIZE)],
      ['the memory of an array', () => new ArrayBuffer(12 * SIZE * SIZE)],
      ['a view without elements', () => new DataView(new ArrayBuffer(12 * SIZE * SIZE))],
      ['one element too many', () => new Float32Array(3 * SIZE * SIZE + 1)],
      ['a GPU buffer of no bytes', () => device.createBuffer({ size: 0, usage: STORAGE_IN_OUT })],
      ['pixels of no bytes', () => ({ data: new Uint8Array(0), width: 4, height: 4 })],
      ['pixels of a negative size', () => ({ data: new Uint8Array(48), width: -4, height: -4 })],
      ['pixels of half a pixel', () => ({ data: new Uint8Array(48), width: 4.5, height: 4 })],
      ['pixels of a size that is no number', () => ({ data: new Uint8Array(48), width: NaN, height: 4 })],
    ])('are refused: %s', async (_, make) => {
      await expect(model.run({ image: make(), shift: Int32Array.of(1, 2, 3) })).rejects.toMatchObject({ name: 'VitcError', code: 'bad-input', message: expect.stringMatching(/image|picture/) });
      await expectWorks(model);
    });

    test.each<[string, unknown]>([
      ['negative', Int32Array.of(-1, 0, 0)],
      ['of another type', new Uint32Array(3)],
      ['big', BigInt64Array.of(1n, 2n, 3n)],
      ['none', new Int32Array(0)],
    ])('are refused: integers that are %s', async (_, shift) => {
      await expect(model.run({ ...tinyValues(), shift })).rejects.toMatchObject({ code: 'bad-input', message: expect.stringContaining('input "shift"') });
    });

    test.each([undefined, null, 3, 'image', []])('are refused as a whole: %s', async (inputs) => {
      await expect(model.run(inputs as unknown as Inputs)).rejects.toMatchObject({ code: 'bad-input' });
    });

    test('shared memory is an input like any other', async () => {
      const { image, shift } = tinyValues(6);
      const shared = new Float32Array(new SharedArrayBuffer(image.byteLength));
      shared.set(image);
      expect(Array.from((await model.run({ image: shared, shift })).y)).toEqual(expected(image, shift).y);
    });

    test('good and bad runs overlap without harm, and a destroyed model settles them all', async () => {
      const runs = Array.from({ length: 30 }, (_, seed) => {
        const { image, shift } = tinyValues(seed);
        const inputs = seed % 3 === 0 ? { image, shift: Int32Array.of(seed, -1, 0) } : { image, shift };
        return seed % 7 === 1 ? model.profile(inputs).then(({ outputs }) => outputs) : model.run(inputs);
      });
      for (const [seed, outcome] of (await Promise.allSettled(runs)).entries()) {
        if (seed % 3 === 0) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'bad-input' } });
        else expect(Array.from((outcome as PromiseFulfilledResult<Outputs>).value.y)).toEqual(expected(tinyValues(seed).image, tinyValues(seed).shift).y);
      }
      const short = await module.load({ device });
      const flying = Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? short.profile(tinyValues()) : i % 3 === 1 ? short.run(tinyValues(), { outputs: 'gpu' }) : short.run(tinyValues())));
      short.destroy();
      for (const each of await Promise.allSettled(flying)) expect(each).toMatchObject({ status: 'rejected', reason: { code: 'destroyed' } });
    });

    test('only GPU buffers can be recorded', () => {
      const encoder = device.createCommandEncoder();
      expect(() => model.record(encoder, { inputs: { image: tinyValues().image as unknown as GPUBuffer } })).toThrow('input "image": only a GPUBuffer can be recorded');
    });
  });
});

describe.skipIf(!gpu)('weights in several files', () => {
  const device = gpu!?.device;
  let folder: string;
  let files: string[];
  let module: PackageModule;

  beforeAll(async () => {
    const sketch = new Sketch();
    const x = sketch.input('x', [1, 4, 32]);
    const graph = sketch.graph(sketch.linear(sketch.linear(sketch.linear(x, 40), 48), 24));
    // Memory for one matrix a buffer.
    const target = { ...WEB, limits: { ...WEB.limits, maxBufferSize: 8192, maxStorageBufferBindingSize: 8192 } };
    const compilation = compileGraph(graph, { target, dtype: 'f32' }).value!;
    folder = writePackage(packageFiles(compilation, packWeights(compilation, (name, shape) => seededWeight(name, shape))));
    files = (JSON.parse(readFileSync(join(folder, 'weights.json'), 'utf8')) as { shards: { file: string }[] }).shards.map((shard) => shard.file);
    module = await importPackage(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function withSpoiled(file: string, spoil: (path: string, bytes: Buffer) => void, check: (loading: Promise<unknown>) => Promise<unknown>): Promise<void> {
    const path = join(folder, file);
    const bytes = readFileSync(path);
    const submits: unknown[] = [];
    const queue = new Proxy(device.queue, { get: (target, name) => (name === 'submit' ? (...args: unknown[]) => submits.push(args) : (Reflect.get(target, name, target) as () => void).bind(target)) });
    const watched = new Proxy(device, {
      get(target, name) {
        const value = name === 'queue' ? queue : (Reflect.get(target, name, target) as unknown);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    try {
      spoil(path, bytes);
      await check(module.load({ device: watched }));
      // Nothing has run on them.
      expect(submits).toEqual([]);
    } finally {
      writeFileSync(path, bytes);
    }
  }

  test('are all found altered: any bit of any file', async () => {
    expect(files.length).toBeGreaterThan(2);
    for (const file of files) {
      for (const place of [0, 0.5, 1]) {
        await withSpoiled(
          file,
          (path, bytes) => {
            const changed = Buffer.from(bytes);
            changed[Math.min(changed.length - 1, Math.floor(place * changed.length))] ^= 1;
            writeFileSync(path, changed);
          },
          (loading) => expect(loading).rejects.toMatchObject({ code: 'bad-weights', message: `${file} is not the file that was packed: its SHA-256 differs from weights.json` }),
        );
      }
    }
  });

  test('are all found cut short, longer, empty, absent or in each other’s place', async () => {
    for (const [i, file] of files.entries()) {
      const wrong = { code: 'bad-weights', message: expect.stringContaining(`${file} has `) };
      await withSpoiled(file, (path, bytes) => truncateSync(path, bytes.length - 1), (loading) => expect(loading).rejects.toMatchObject(wrong));
      await withSpoiled(file, (path, bytes) => writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(4)])), (loading) => expect(loading).rejects.toMatchObject(wrong));
      await withSpoiled(file, (path) => truncateSync(path, 0), (loading) => expect(loading).rejects.toMatchObject(wrong));
      await withSpoiled(file, (path) => rmSync(path), (loading) => expect(loading).rejects.toMatchObject({ code: 'fetch-failed', message: expect.stringContaining(file) }));
      const other = readFileSync(join(folder, files[(i + 1) % files.length]));
      await withSpoiled(file, (path) => writeFileSync(path, other), (loading) => expect(loading).rejects.toMatchObject({ code: 'bad-weights' }));
    }
    const model = await module.load({ device });
    expect(await model.run({ x: new Float32Array(4 * 32) })).toBeDefined();
    model.destroy();
  });
});
