import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshDevice, testAdapter, testDevice } from './helpers/device.ts';
import type { Inputs, Outputs, PackageModule } from './helpers/tiny-package.ts';
import { expected, importPackage, SIZE, tinyInput, tinyPackage, tinyValues } from './helpers/tiny-package.ts';
import type { LoadOptions, LoadProgress } from '../src/codegen/runtime/load.ts';
import type { Model } from '../src/codegen/runtime/model.ts';

const gpu = await testDevice();
const STORAGE_IN_OUT = 0x80 | 0x4 | 0x8;

describe.skipIf(!gpu)('a package on a device', () => {
  const device = gpu!?.device;
  let folder: string;
  let module: PackageModule;
  let model: Model<Inputs, Outputs>;
  const folders: string[] = [];

  beforeAll(async () => {
    folders.push((folder = tinyPackage()));
    module = await importPackage(folder);
    model = await module.load({ device });
  });
  afterAll(() => {
    model?.destroy();
    for (const each of folders) rmSync(each, { recursive: true, force: true });
  });

  /** A copy of the package with something done to it. */
  function spoiled(change: (folder: string) => void): string {
    const copy = tinyPackage();
    folders.push(copy);
    cpSync(folder, copy, { recursive: true });
    change(copy);
    return copy;
  }

  async function loadFrom(path: string, options: LoadOptions = {}) {
    return (await importPackage(path)).load({ device, ...options });
  }

  test('computes from typed arrays', async () => {
    const inputs = tinyValues();
    const outputs = await model.run(inputs);
    expect(Array.from(outputs.y)).toEqual(expected(inputs.image, inputs.shift).y);
    expect(Array.from(outputs.twice)).toEqual([2, 4, 6]);
    expect(outputs.y).toBeInstanceOf(Float32Array);
    expect(outputs.y.shape).toEqual([1, 3, SIZE, SIZE]);
    expect(outputs.twice).toBeInstanceOf(Int32Array);
  });

  test('passes NaN and infinity through', async () => {
    const { image, shift } = tinyValues();
    image[0] = NaN;
    image[1] = Infinity;
    const { y } = await model.run({ image, shift });
    expect(y[0]).toBeNaN();
    expect(y[1]).toBe(Infinity);
  });

  test('keeps twenty overlapping runs apart, though their arrays are reused', async () => {
    const shared = tinyValues();
    const runs = Array.from({ length: 20 }, (_, seed) => {
      const values = tinyValues(seed);
      shared.image.set(values.image);
      shared.shift.set(values.shift);
      return { values, outputs: model.run(shared) };
    });
    for (const { values, outputs } of runs) expect(Array.from((await outputs).y)).toEqual(expected(values.image, values.shift).y);
  });

  test('takes and gives GPU buffers', async () => {
    const { image, shift } = tinyValues(5);
    const buffer = device.createBuffer({ size: image.byteLength, usage: STORAGE_IN_OUT });
    device.queue.writeBuffer(buffer, 0, image as Float32Array<ArrayBuffer>);
    const onGpu = await model.run({ image: buffer, shift }, { outputs: 'gpu' });
    const again = await model.run({ image: onGpu.y, shift });
    const once = expected(image, shift).y;
    expect(Array.from(again.y)).toEqual(expected(once, shift).y);
  });

  test('takes pixels, and prepares them', async () => {
    const data = new Uint8ClampedArray(SIZE * SIZE * 4).fill(51);
    const { y } = await model.run({ image: { data, width: SIZE, height: SIZE }, shift: Int32Array.of(0, 0, 0) });
    expect(y[0]).toBeCloseTo(0.2, 6);
    expect(y[SIZE * SIZE * 2]).toBeCloseTo(20, 4);
  });

  test('records into an encoder of the caller', async () => {
    const { image, shift } = tinyValues(9);
    await model.run({ image, shift });
    const out = device.createBuffer({ size: 4 * image.length, usage: STORAGE_IN_OUT });
    const encoder = device.createCommandEncoder();
    model.record(encoder, { outputs: { y: out } });
    device.queue.submit([encoder.finish()]);
    const { y } = await model.run({ image: out, shift: Int32Array.of(0, 0, 0) });
    expect(y[0]).toBe(expected(image, shift).y[0]);
  });

  test('times each kernel beside what the report says of it', async () => {
    const inputs = tinyValues(3);
    const profile = await model.profile(inputs);
    expect(Array.from(profile.outputs.y)).toEqual(expected(inputs.image, inputs.shift).y);
    expect(profile.kernels.map((k) => k.kernel)).toEqual(['affine', 'twice']);
    for (const kernel of profile.kernels) {
      expect(kernel.milliseconds).toBeGreaterThanOrEqual(0);
      expect(kernel.issuedBytes).toBeGreaterThan(0);
    }
  });

  test('times more steps than one query set holds', async () => {
    const { plan, ...rest } = tinyInput();
    const long = tinyPackage({ ...rest, plan: { ...plan, steps: Array.from({ length: 1100 }, () => plan.steps).flat() } });
    folders.push(long);
    const loaded = await loadFrom(long);
    const { kernels } = await loaded.profile(tinyValues());
    expect(kernels).toHaveLength(2200);
    expect(kernels.slice(2048).some((k) => k.milliseconds > 0)).toBe(true);
    loaded.destroy();
  });

  test.each<[string, Inputs, string]>([
    ['a missing input', { image: tinyValues().image }, 'input "shift" is missing: i32[3]'],
    ['an unknown input', { ...tinyValues(), img: 1 }, 'there is no input "img"; the inputs are image, shift'],
    ['a wrong length', { ...tinyValues(), image: new Float32Array(7) }, 'input "image": expected a Float32Array of 48 elements (f32[1, 3, 4, 4]), a GPUBuffer, or pictures; got Float32Array of 7 elements'],
    ['a wrong dtype', { ...tinyValues(), shift: new Float32Array(3) }, 'input "shift": expected an Int32Array of 3 elements (i32[3]), a GPUBuffer; got Float32Array of 3 elements'],
    ['an index out of range', { ...tinyValues(), shift: Int32Array.of(0, 1000, 0) }, 'input "shift": element 1 is 1000; values must be at least 0 and below 1000'],
    ['a plain array', { ...tinyValues(), shift: [1, 2, 3] }, 'got an array of 3'],
    ['too many pictures', { ...tinyValues(), image: [{}, {}] }, 'expected 1 picture'],
    ['an empty picture', { ...tinyValues(), image: { data: new Uint8Array(0), width: 0, height: 0 } }, 'has no content'],
    ['a half picture', { ...tinyValues(), image: { data: new Uint8Array(50), width: 10, height: 10 } }, 'neither gray, RGB nor RGBA'],
  ])('refuses %s', async (_, inputs, message) => {
    await expect(model.run(inputs)).rejects.toMatchObject({ name: 'VitcError', code: 'bad-input', message: expect.stringContaining(message) });
  });

  test('refuses GPU buffers that are too small or cannot be copied from', async () => {
    const small = device.createBuffer({ size: 16, usage: STORAGE_IN_OUT });
    await expect(model.run({ ...tinyValues(), image: small })).rejects.toThrow('takes 192 bytes, and the GPUBuffer has 16');
    const closed = device.createBuffer({ size: 192, usage: 0x80 });
    await expect(model.run({ ...tinyValues(), image: closed })).rejects.toThrow('COPY_SRC');
    const destroyed = device.createBuffer({ size: 192, usage: STORAGE_IN_OUT });
    destroyed.destroy();
    await expect(model.run({ ...tinyValues(), image: destroyed })).rejects.toMatchObject({ code: 'bad-input' });
    const foreign = (await freshDevice())!.device.createBuffer({ size: 192, usage: STORAGE_IN_OUT });
    await expect(model.run({ ...tinyValues(), image: foreign })).rejects.toMatchObject({ code: 'bad-input' });
    expect(Array.from((await model.run(tinyValues())).twice)).toEqual([2, 4, 6]);
  });

  test('reports progress of weights and kernels', async () => {
    const seen: LoadProgress[] = [];
    (await module.load({ device, onProgress: (p) => seen.push(p) })).destroy();
    expect(seen.filter((p) => p.phase === 'kernels').map((p) => p.loaded)).toEqual([1, 2]);
    expect(seen.filter((p) => p.phase === 'weights').at(-1)).toEqual({ phase: 'weights', loaded: 12, total: 12 });
  });

  test('takes weights as bytes, from a function and from another folder', async () => {
    const bytes = readFileSync(join(folder, 'weights.bin'));
    const bare = spoiled((copy) => rmSync(join(copy, 'weights.bin')));
    const inputs = tinyValues();
    const sources: LoadOptions['weights'][] = [bytes, new Uint8Array(bytes).buffer, [bytes], async () => new Response(bytes), `file://${folder}`];
    for (const weights of sources) {
      const loaded = await loadFrom(bare, { weights });
      expect(Array.from((await loaded.run(inputs)).y)).toEqual(expected(inputs.image, inputs.shift).y);
      loaded.destroy();
    }
    await expect(loadFrom(bare)).rejects.toMatchObject({ code: 'fetch-failed', message: expect.stringContaining('weights.bin') });
  });

  test('refuses weights that are short, altered, or of another compilation', async () => {
    const short = spoiled((copy) => writeFileSync(join(copy, 'weights.bin'), readFileSync(join(copy, 'weights.bin')).subarray(0, 8)));
    await expect(loadFrom(short)).rejects.toMatchObject({ code: 'bad-weights', message: 'weights.bin has 8 bytes, and weights.json says 12: it was cut short or altered' });
    const altered = spoiled((copy) => writeFileSync(join(copy, 'weights.bin'), new Uint8Array(12)));
    await expect(loadFrom(altered)).rejects.toMatchObject({ code: 'bad-weights', message: expect.stringContaining('SHA-256') });
    const other = spoiled((copy) => writeFileSync(join(copy, 'weights.json'), readFileSync(join(copy, 'weights.json'), 'utf8').replace(/"fingerprint":"\w+"/, '"fingerprint":"0"')));
    await expect(loadFrom(other)).rejects.toMatchObject({ code: 'bad-weights', message: expect.stringContaining('another compilation') });
    const broken = spoiled((copy) => writeFileSync(join(copy, 'weights.json'), '{'));
    await expect(loadFrom(broken)).rejects.toMatchObject({ code: 'fetch-failed', message: expect.stringContaining('no JSON') });
  });

  test('says that it was compiled without weights, and takes them when given', async () => {
    const bare = tinyPackage({ weights: undefined });
    folders.push(bare);
    await expect(loadFrom(bare)).rejects.toMatchObject({ code: 'bad-weights', message: expect.stringContaining('compiled without weights') });
    const loaded = await loadFrom(bare, { weights: readFileSync(join(folder, 'weights.bin')) });
    expect(Array.from((await loaded.run(tinyValues())).twice)).toEqual([2, 4, 6]);
    loaded.destroy();
  });

  test('names the kernel that does not compile, and the line', async () => {
    const wrong = spoiled((copy) => writeFileSync(join(copy, 'kernels/twice.wgsl'), '@compute @workgroup_size(1)\nfn main() { nonsense(); }'));
    await expect(loadFrom(wrong)).rejects.toMatchObject({ code: 'kernel-failed', message: expect.stringMatching(/^kernel twice does not compile here: 2:13 .*nonsense/) });
    const gone = spoiled((copy) => rmSync(join(copy, 'kernels/affine.wgsl')));
    await expect(loadFrom(gone)).rejects.toMatchObject({ code: 'fetch-failed', message: expect.stringContaining('affine.wgsl') });
  });

  test('names a feature or limit that the device lacks', async () => {
    const { plan, kernels, ...rest } = tinyInput();
    const wanting = (module: object) => ({ ...rest, plan, kernels: kernels.map((k) => ({ ...k, module: { ...k.module, ...module } })) });
    const f16 = tinyPackage(wanting({ enables: ['f16'] }));
    const wide = tinyPackage(wanting({ workgroupSize: [4096, 1, 1] }));
    folders.push(f16, wide);
    if (!device.features.has('shader-f16')) {
      await expect(loadFrom(f16)).rejects.toMatchObject({ code: 'missing-feature', message: expect.stringContaining('tiny_model needs the WebGPU feature shader-f16, which the device lacks') });
    }
    await expect(loadFrom(wide)).rejects.toMatchObject({ code: 'limit-too-low', message: expect.stringMatching(/maxComputeInvocationsPerWorkgroup of 4096 \(the device has \d+\)/) });
    expect((await importPackage(wide)).requirements.requiredLimits).toMatchObject({ maxComputeWorkgroupSizeX: 4096 });
  });

  test('says what to do where there is no WebGPU', async () => {
    await expect(module.load()).rejects.toMatchObject({ code: 'no-webgpu', message: expect.stringContaining('npm package `webgpu`') });
  });

  test('refuses a device that is too small for the model', async () => {
    const { plan, ...rest } = tinyInput();
    const huge = tinyPackage({ ...rest, plan: { ...plan, arenaBytes: 2 ** 40 } });
    folders.push(huge);
    await expect(loadFrom(huge)).rejects.toMatchObject({ code: 'limit-too-low', message: expect.stringContaining('maxBufferSize of 1099511627776') });
  });

  test('makes a device of its own of an adapter, and ends it', async () => {
    const adapter = await testAdapter();
    const loaded = await module.load({ adapter });
    expect(Array.from((await loaded.run(tinyValues())).twice)).toEqual([2, 4, 6]);
    loaded.destroy();
    expect((await loaded.device.lost).reason).toBe('destroyed');
  });

  test('stops loading when told', async () => {
    const stop = new AbortController();
    stop.abort(new Error('enough'));
    await expect(module.load({ device, signal: stop.signal })).rejects.toThrow('enough');
  });

  test('after destroy, runs reject, and so does one in flight', async () => {
    const loaded = await module.load({ device });
    const flying = loaded.run(tinyValues());
    loaded.destroy();
    loaded.destroy();
    await expect(flying).rejects.toMatchObject({ code: 'destroyed' });
    await expect(loaded.run(tinyValues())).rejects.toMatchObject({ code: 'destroyed', message: 'tiny_model was destroyed' });
    expect(() => loaded.record(device.createCommandEncoder())).toThrow('destroyed');
    // The device is the caller's and goes on.
    expect(Array.from((await model.run(tinyValues())).twice)).toEqual([2, 4, 6]);
  });

  test('when the device is lost, runs reject, and so does one in flight', async () => {
    const own = await freshDevice();
    const loaded = await module.load({ device: own!.device });
    const flying = loaded.run(tinyValues());
    own!.device.destroy();
    await expect(flying).rejects.toMatchObject({ code: 'device-lost', message: expect.stringContaining('load tiny_model again') });
    await expect(loaded.run(tinyValues())).rejects.toMatchObject({ code: 'device-lost' });
    loaded.destroy();
    const late = module.load({ device: own!.device }).then((useless) => useless.run(tinyValues()));
    await expect(late).rejects.toMatchObject({ code: 'device-lost' });
  });

  test('imports nothing of Node, so that bundlers for browsers take it', () => {
    for (const file of ['index.js', 'plan.js', 'runtime/load.js', 'runtime/fetch.js']) {
      expect(readFileSync(join(folder, file), 'utf8')).not.toMatch(/(from|import\()\s*["']node:/);
    }
  });
});
