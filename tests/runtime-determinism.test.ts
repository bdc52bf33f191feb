/** Every run of a package gives the same bits on one device: alone, beside others, after NaN and infinity, and from a second load. */
import { rmSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { compileGraph, packWeights } from '../src/compile.ts';
import { packageFiles } from '../src/cli/packages.ts';
import type { Model } from '../src/codegen/runtime/model.ts';
import { sizeOf } from '../src/graph.ts';
import { WEB } from '../src/targets.ts';
import { seededIndices, seededInput, seededWeight } from '../src/weights/seeded.ts';
import { testDevice } from './helpers/device.ts';
import { importPackage, writePackage } from './helpers/tiny-package.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';

const gpu = await testDevice();

/**
 * Attention; windows; mixing by layers; masks; text beside sound in two outputs. A software adapter takes minutes to
 * compile the families with many convolutions: VITC_TEST_FAMILIES=all takes every one.
 */
const FAMILIES = new Set(['vit', 'swin', 'mixer', 'navit', 'whisper']);
const CHOSEN = process.env.VITC_TEST_FAMILIES === 'all' ? TINY : TINY.filter(({ file }) => FAMILIES.has(file));

type Arrays = Record<string, Float32Array | Int32Array>;
type AnyModel = Model<Arrays, Arrays>;

function inputsOf(model: AnyModel, seed: number): Arrays {
  const values = ({ name, shape, dtype, below }: AnyModel['inputs'][number]) => (dtype === 'f32' ? seededInput(name, shape, seed) : seededIndices(name, shape, dtype === 'bool' ? 2 : (below ?? 2), seed));
  return Object.fromEntries(model.inputs.map((port) => [port.name, values(port)]));
}

/** The same with every float one value. */
function filled(model: AnyModel, value: number): Arrays {
  const inputs = inputsOf(model, 1);
  for (const { name, dtype, shape } of model.inputs) if (dtype === 'f32') inputs[name] = new Float32Array(sizeOf(shape)).fill(value);
  return inputs;
}

function bitsOf(outputs: Arrays): Record<string, string> {
  return Object.fromEntries(Object.entries(outputs).map(([name, values]) => [name, Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64')]));
}

describe.skipIf(!gpu)('a run is the same, bit by bit', () => {
  const folders: string[] = [];
  afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

  test.each(CHOSEN)('$name', async (tiny) => {
    const { value: compilation } = compileGraph(tinyGraph(tiny), { target: WEB, dtype: 'f32' });
    const folder = writePackage(packageFiles(compilation!, packWeights(compilation!, (name, shape) => seededWeight(name, shape))));
    folders.push(folder);
    const load = async () => (await (await importPackage(folder)).load({ device: gpu!.device })) as unknown as AnyModel;
    // One after the other, so that the second finds its kernels compiled.
    const [model, other] = [await load(), await load()];
    const inputs = inputsOf(model, 1);
    const first = await model.run(inputs);
    const bits = bitsOf(first);
    // Not a constant, which would be the same for no merit.
    for (const [name, values] of Object.entries(first)) expect([name, new Set(values).size > Math.min(4, values.length - 1)]).toEqual([name, true]);

    expect(bitsOf(await model.run(inputs))).toEqual(bits);
    const another = bitsOf(await model.run(inputsOf(model, 2)));
    expect(another).not.toEqual(bits);
    expect(bitsOf(await model.run(inputs))).toEqual(bits);
    // Nothing of a run stays behind in the arena, NaN least of all.
    for (const value of [NaN, Infinity, -Infinity, 3e38, 1e-45]) {
      await model.run(filled(model, value));
      expect(bitsOf(await model.run(inputs)), String(value)).toEqual(bits);
    }
    const both = await Promise.all([model.run(inputs), other.run(inputsOf(other, 2)), model.run(inputsOf(model, 2)), other.run(inputs), model.run(inputs)]);
    expect(both.map(bitsOf)).toEqual([bits, another, another, bits, bits]);
    model.destroy();
    other.destroy();
  }, 900_000);
});
