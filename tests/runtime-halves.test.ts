/** Packages whose float inputs are given in half precision: what they take, refuse and compute. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileGraph, Sources, buildGraph, packWeights } from '../src/compile.ts';
import { loadPackage, type LoadedPackage } from '../src/cli/executor.ts';
import { packageFiles } from '../src/cli/packages.ts';
import { COPY_DST, COPY_SRC } from '../src/codegen/runtime/constants.ts';
import { readHalves } from '../src/codegen/runtime/half.ts';
import { pictureToTensor } from '../src/codegen/runtime/image.ts';
import type { Graph } from '../src/graph.ts';
import { decodeF16, encodeF16, fromF16 } from '../src/half.ts';
import type { Tensor } from '../src/ops/types.ts';
import { evaluateGraph } from '../src/reference/graph.ts';
import { WEB, type Target } from '../src/targets.ts';
import { seededWeight, unitValues } from '../src/weights/seeded.ts';
import { testDevice } from './helpers/device.ts';
import { relativeError } from './helpers/run-plan.ts';
import { writePackage } from './helpers/tiny-package.ts';
import { typeErrors } from './helpers/type-check.ts';

describe('conversion to halves', () => {
  test('gives every half back, and rounds what is between to the nearest, ties to even', () => {
    const floats: number[] = [];
    for (let half = 0; half < 0x7c00; half++) {
      const [low, high] = [fromF16(half), half === 0x7bff ? 65536 : fromF16(half + 1)];
      const middle = (low + high) / 2;
      floats.push(low, middle, middle * (1 - 2 ** -23), middle * (1 + 2 ** -23));
    }
    const values = Float32Array.from([...floats, Infinity, 3e38, 65520, 65519.99609375, 1e-45, 2 ** -25, 2 ** -25 * (1 + 2 ** -23)].flatMap((x) => [x, -x]));
    const halves = readHalves(values)!;
    expect(halves.findIndex((half, i) => half !== encodeF16(values.subarray(i, i + 1))[0])).toBe(-1);
    // By the definition, not by another implementation of it.
    const wrong = halves.findIndex((half, i) => {
      const [x, got] = [Math.abs(values[i]), half & 0x7fff];
      if (half >>> 15 !== Number(values[i] < 0 || Object.is(values[i], -0))) return true;
      if (got === 0x7c00) return x < 65520;
      const off = Math.abs(fromF16(got) - x);
      const next = Math.min(got > 0 ? Math.abs(fromF16(got - 1) - x) : Infinity, Math.abs((got === 0x7bff ? 65536 : fromF16(got + 1)) - x));
      return off > next || (off === next && got % 2 === 1);
    });
    expect(wrong).toBe(-1);
    expect(decodeF16(readHalves(Float32Array.of(NaN, 1))!)[0]).toBeNaN();
    expect(readHalves(new Float32Array(7))).toHaveLength(8);
  });
});

const SOURCE = `
model Halves(classes = 5) {
  /// Three by five: an odd number of elements.
  input a: [3, 5]
  input b: [3, 7]
  input scale: [1]
  input image: [1, 3, 3, 3] @image(mean = 0.5, std = 0.25)
  input rows: i32[3] @range(below = 3)
  param weight: [classes, 27]
  output same = a
  output joined = concat(a, b, axis = 1)
  output product = einsum("i j, i k -> j k", a, b) * scale
  output rowed = gather(a, rows, axis = 0)
  output shown = image
  output logits = einsum("b i, c i -> b c", reshape(image, [1, 27]), weight)
}
`;

function halvesGraph(): Graph {
  const { value, diagnostics } = buildGraph(new Sources({ read: (path) => (path === 'halves.vit' ? SOURCE : undefined) }), { entry: 'halves.vit' });
  if (!value) throw new Error(diagnostics[0].message);
  return value;
}

type Given = Record<'a' | 'b' | 'scale' | 'image' | 'rows', unknown>;

function floats(): Record<'a' | 'b' | 'scale' | 'image', Float32Array> & { rows: Int32Array } {
  return { a: unitValues('a', 15, 3), b: unitValues('b', 21, 3), scale: Float32Array.of(1.7), image: unitValues('image', 27, 1), rows: Int32Array.of(2, 0, 2) };
}

/** Stands for Float16Array where the platform has none. */
class StandIn extends (DataView as new (buffer: ArrayBuffer) => DataView) {
  get length(): number {
    return this.byteLength / 2;
  }
}

const Float16 = ((globalThis as { Float16Array?: unknown }).Float16Array ?? StandIn) as new (buffer: ArrayBuffer) => ArrayBufferView;

const gpu = await testDevice();

describe.skipIf(!gpu)('a package with halves for inputs', () => {
  const device = gpu!?.device;
  const graph = halvesGraph();
  const folders: string[] = [];
  const loaded: LoadedPackage[] = [];
  const weights = (name: string, shape: readonly number[]) => seededWeight(name, shape);

  async function open(target: Target, inputs: 'f32' | 'f16' = 'f16'): Promise<LoadedPackage> {
    const { value, diagnostics } = compileGraph(graph, { target, dtype: 'f16', inputs });
    expect(diagnostics).toEqual([]);
    const folder = writePackage(packageFiles(value!, packWeights(value!, weights)));
    folders.push(folder);
    const executor = await loadPackage(folder, gpu!);
    loaded.push(executor);
    return executor;
  }

  /** Of inputs and weights rounded to half, in double precision. */
  function wanted(values: ReturnType<typeof floats>): Record<string, Tensor> {
    const inputs = Object.fromEntries(graph.inputs.map(({ name, node }): [string, Tensor] => {
      const { shape, dtype } = graph.nodes[node];
      return [name, { shape, dtype, data: values[name as keyof typeof values] }];
    }));
    return evaluateGraph(graph, { inputs, params: (name, shape) => ({ shape, dtype: 'f32', data: decodeF16(encodeF16(weights(name, shape))) }) }, { precision: 'f64', inputs: 'f16' });
  }

  /** Arithmetic is f32; of what is only moved, nothing may be lost. */
  function expectOutputs(got: Awaited<ReturnType<LoadedPackage['run']>>, values = floats()): void {
    for (const [name, tensor] of Object.entries(wanted(values))) {
      const error = relativeError({ ...got[name], data: got[name].data as Float32Array }, tensor);
      expect([name, error <= (['same', 'joined', 'rowed', 'shown'].includes(name) ? 0 : 1e-6)]).toEqual([name, true]);
    }
  }

  let executor: LoadedPackage;
  const run = (inputs: Given) => executor.run(inputs as never);

  beforeAll(async () => {
    executor = await open(WEB);
  });
  afterAll(() => {
    for (const each of loaded) each.close();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  test('says how each input is stored', () => {
    expect(executor.model.inputs.map(({ name, dtype, storage }) => [name, dtype, storage])).toEqual([
      ['a', 'f32', 'f16'], ['b', 'f32', 'f16'], ['scale', 'f32', 'f16'], ['image', 'f32', 'f16'], ['rows', 'i32', undefined],
    ]);
  });

  const given: Record<string, (values: Float32Array) => unknown> = {
    'f32 values': (values) => values,
    'the bits of halves': (values) => encodeF16(values),
    'a Float16Array': (values) => new Float16(encodeF16(values).slice().buffer),
    'bits in the middle of shared memory': (values) => {
      const shared = new Uint16Array(new SharedArrayBuffer(2 * values.length + 6), 6);
      shared.set(encodeF16(values));
      return shared;
    },
    'a GPUBuffer of halves': (values) => {
      const buffer = device.createBuffer({ size: 4 * Math.ceil(values.length / 2), usage: COPY_SRC | COPY_DST });
      device.queue.writeBuffer(buffer, 0, readHalves(values) as Uint16Array<ArrayBuffer>);
      return buffer;
    },
  };
  // Without shader-f16 two halves lie packed in a word, with it they are loaded as they are.
  test.each(Object.keys(given).flatMap((kind) => [[kind, 'web'], [kind, 'native']]))('takes %s, for target %s', async (kind, target) => {
    const stub = !('Float16Array' in globalThis);
    if (stub) Object.assign(globalThis, { Float16Array: Float16 });
    try {
      const opened = target === 'web' ? executor : (loaded[1] ?? (await open(gpu!.target)));
      const { a, b, scale, image, rows } = floats();
      const take = given[kind];
      expectOutputs(await opened.run({ a: take(a), b: take(b), scale: take(scale), image: take(image), rows } as never));
    } finally {
      if (stub) delete (globalThis as { Float16Array?: unknown }).Float16Array;
    }
  });

  test('keeps inputs in f32 where they are not asked for in half', async () => {
    const whole = await open(WEB, 'f32');
    const values = floats();
    expect(whole.model.inputs.every((port) => port.storage === undefined)).toBe(true);
    expect(Array.from((await whole.run(values)).same.data)).toEqual(Array.from(values.a));
    await expect(whole.run({ ...values, a: encodeF16(values.a) })).rejects.toThrow('input "a": expected a Float32Array of 15 elements (f32[3, 5]), a GPUBuffer; got Uint16Array of 15 elements');
  });

  test('takes pictures, prepared as ever and rounded', async () => {
    const picture = { data: Uint8Array.from({ length: 27 }, (_, i) => 9 * i), width: 3, height: 3 };
    const image = pictureToTensor(picture, graph.inputs[3].image!, 3, 3, 3);
    const values = { ...floats(), image };
    expectOutputs(await run({ ...values, image: picture }), values);
    expectOutputs(await run({ ...values, image: [picture] }), values);
  });

  test('makes infinities of what halves cannot hold, and keeps NaN', async () => {
    const values = floats();
    values.a.set([65519, 65520, -1e9, NaN, 1e-9]);
    const { same } = await run(values);
    expect(Array.from(same.data).slice(0, 5)).toEqual([65504, Infinity, -Infinity, NaN, 0]);
  });

  test('leaves the arrays that it is given alone, and may be run again before they are read', async () => {
    const values = floats();
    const bits = encodeF16(values.a);
    const runs = Array.from({ length: 4 }, (_, i) => {
      bits.fill(encodeF16(Float32Array.of(i))[0]);
      return run({ ...values, a: bits });
    });
    bits.fill(0x7e00);
    for (const [i, each] of runs.entries()) expect(new Set((await each).same.data as Float32Array)).toEqual(new Set([i]));
    expect(values).toEqual(floats());
  });

  test('records halves that are on the GPU', async () => {
    const values = floats();
    await run(values);
    const { model } = executor;
    const a = given['a GPUBuffer of halves'](values.b.subarray(0, 15)) as GPUBuffer;
    const encoder = device.createCommandEncoder();
    model.record(encoder, { inputs: { a } });
    expect(() => model.record(encoder, { inputs: { a: new Uint16Array(15) as never } })).toThrow('input "a": only a GPUBuffer can be recorded');
    device.queue.submit([encoder.finish()]);
    expectOutputs(await run({ ...values, a }), { ...values, a: values.b.slice(0, 15) });
  });

  test.each<[string, Partial<Given>, string]>([
    ['a wrong length', { a: new Uint16Array(16) }, 'input "a": expected a Float16Array, a Uint16Array of bits or a Float32Array of 15 elements (f16[3, 5]), a GPUBuffer; got Uint16Array of 16 elements'],
    ['bytes', { a: new Uint8Array(30) }, 'got Uint8Array of 30 elements'],
    ['integers', { b: new Int16Array(21) }, 'input "b": expected a Float16Array, a Uint16Array of bits or a Float32Array of 21 elements'],
    ['doubles', { b: new Float64Array(21) }, 'got Float64Array of 21 elements'],
    ['a missing input', { b: undefined }, 'input "b" is missing: f16[3, 7]'],
    ['halves for integers', { rows: new Uint16Array(3) }, 'input "rows": expected an Int32Array of 3 elements (i32[3])'],
    ['an array for a picture', { image: new Uint16Array(28) }, 'of 27 elements (f16[1, 3, 3, 3]), a GPUBuffer, or pictures; got Uint16Array of 28 elements'],
    ['too many pictures', { image: [{}, {}] }, 'expected 1 picture for f16[1, 3, 3, 3], got 2'],
  ])('refuses %s', async (_, change, message) => {
    await expect(run({ ...floats(), ...change })).rejects.toMatchObject({ name: 'VitcError', code: 'bad-input', message: expect.stringContaining(message) });
  });

  test('refuses GPU buffers that end within a word', async () => {
    const short = device.createBuffer({ size: 30, usage: COPY_SRC });
    await expect(run({ ...floats(), a: short })).rejects.toThrow('input "a": f16[3, 5] takes 32 bytes, and the GPUBuffer has 30');
  });

  test('is typed, with and without a library that knows Float16Array', () => {
    const [folder] = folders;
    const head = `import { load } from '${join(folder, 'index.js')}';\nconst model = await load();\nconst rest = { b: new Float32Array(21), scale: new Uint16Array(1), image: { data: new Uint8Array(27), width: 3, height: 3 }, rows: new Int32Array(3) };\n`;
    const programs = {
      bits: `${head}const { same } = await model.run({ ...rest, a: new Uint16Array(15) }); const all: Float32Array = same; void all;`,
      doubles: `${head}await model.run({ ...rest, a: new Float64Array(15) });`,
      bytes: `${head}await model.run({ ...rest, a: new Uint8Array(15) });`,
    };
    const refused = [expect.stringMatching(/^bytes\.mts: Type 'Uint8Array<ArrayBuffer>' is not assignable/), expect.stringMatching(/^doubles\.mts: Type 'Float64Array<ArrayBuffer>' is not assignable/)];
    expect(typeErrors(folder, programs)).toEqual(refused);
    const halves = { ...programs, halves: `${head}await model.run({ ...rest, a: new Float16Array(15) });` };
    expect(typeErrors(folder, halves, ['esnext', 'dom'])).toEqual(refused);
    expect(typeErrors(folder, { halves: halves.halves })).toEqual([expect.stringMatching(/^halves\.mts: Cannot find name 'Float16Array'/)]);
  });
});
