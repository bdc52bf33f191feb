import { rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { emitPackage, emitWeights } from '../src/codegen/package.ts';
import { tinyInput, tinyPackage } from './helpers/tiny-package.ts';
import { typeErrors } from './helpers/type-check.ts';

const files = emitPackage(tinyInput());
const text = (name: string) => files.get(name) as string;

describe('a package', () => {
  test('holds these files', () => {
    expect([...files.keys()].filter((name) => !name.startsWith('runtime/'))).toEqual([
      'package.json', 'README.md', 'index.js', 'index.d.ts', 'plan.js', 'report.json', 'weights.json', 'labels.js', 'kernels/affine.wgsl', 'kernels/twice.wgsl', 'weights.bin',
    ]);
    expect(files.has('runtime/pictures.js')).toBe(true);
    expect(files.has('runtime/classify.d.ts')).toBe(true);
    expect(files.has('runtime/detect.js')).toBe(false);
  });

  test('has a small runtime', () => {
    const code = [...files].filter(([name]) => name.startsWith('runtime/') && name.endsWith('.js')).map(([, content]) => content);
    expect(gzipSync(code.join('')).length).toBeLessThan(19_000);
  });

  test('leaves out what the model has no use for', () => {
    const { graph, ...rest } = tinyInput();
    const plain = emitPackage({ ...rest, graph: { ...graph, inputs: graph.inputs.map(({ image: _, ...input }) => input), outputs: graph.outputs.map(({ labels: _, ...output }) => output) } });
    for (const name of ['labels.js', 'runtime/pictures.js', 'runtime/image.js', 'runtime/classify.js']) expect(plain.has(name), name).toBe(false);
    expect(plain.get('index.js')).not.toContain('Pictures');
  });

  test('offers boxes where the model declares them', () => {
    const { graph, ...rest } = tinyInput();
    const outputs = graph.outputs.map((output) => (output.name === 'y' ? { ...output, attributes: [{ name: 'boxes', args: { format: 'cxcywh', scores: 'twice', background: 2 } }] } : output));
    const detector = emitPackage({ ...rest, graph: { ...graph, outputs } });
    expect(detector.get('index.js')).toContain('detectBoxes(outputs["y"], outputs["twice"], { format: "cxcywh", background: 2, labels: labels["twice"] }, threshold)');
    expect(detector.has('runtime/detect.js')).toBe(true);
    expect(detector.get('index.js')).not.toContain('export { classify }');
  });

  test('says in its manifests where every weight lies and what every step costs', () => {
    expect(JSON.parse(text('weights.json'))).toEqual({
      format: 1,
      fingerprint: expect.stringMatching(/^[0-9a-f]{8}$/),
      shards: [{ file: 'weights.bin', bytes: 12, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
      tensors: [{ name: 'scale', shape: [3], storage: 'f32', shard: 0, offset: 0, bytes: 12 }],
    });
    const report = JSON.parse(text('report.json'));
    expect(report.steps).toHaveLength(2);
    expect(report.steps[0]).toMatchObject({ kernel: 'affine', block: 'Tiny', flops: 96, issuedBytes: expect.any(Number) });
  });

  test('without weights has their layout, and takes them later', () => {
    const { weights, plan, ...rest } = tinyInput();
    const bare = emitPackage({ ...rest, plan });
    expect(bare.has('weights.bin')).toBe(false);
    expect(JSON.parse(bare.get('weights.json') as string).shards).toEqual([{ file: 'weights.bin', bytes: 12 }]);
    expect(bare.get('README.md')).toContain('compiled without weights');
    expect(emitWeights(plan, weights!)).toEqual(new Map([['weights.json', files.get('weights.json')], ['weights.bin', files.get('weights.bin')]]));
  });

  test('is refused where a step binds overlapping ranges of the arena', () => {
    const { plan, ...rest } = tinyInput();
    const buffers = plan.buffers.map((b) => (b.buffer.name === 'y' ? { ...b, offset: 256 } : b));
    expect(() => emitPackage({ ...rest, plan: { ...plan, buffers } })).toThrow('bug: two bindings of affine overlap in the arena');
  });

  test('is the same for the same input', () => {
    expect([...emitPackage(tinyInput())]).toEqual([...files]);
  });

  test('declares its inputs and outputs as types', () => {
    expect(text('index.d.ts')).toMatchInlineSnapshot(`
      "/// <reference types="@webgpu/types" />
      import type { LoadOptions } from './runtime/load.js';
      import type { Model } from './runtime/model.js';
      import type { Picture } from './runtime/pictures.js';
      import type { Tensor } from './runtime/readback.js';

      /** A model for tests. */
      export interface Inputs {
        /**
         * f32[1, 3, 4, 4], row-major.
         * A picture is prepared for the model: its shorter side resized and the centre cropped (bilinear), mean 0, std 1; an array is taken as prepared.
         */
        readonly image: Float32Array | GPUBuffer | Picture | readonly [Picture];
        /**
         * Added to each channel. i32[3], row-major.
         * Values are in [0, 1000).
         */
        readonly shift: Int32Array | GPUBuffer;
      }

      /** Outputs of tiny_model: row-major values with their shape. */
      export interface Outputs {
        /** f32[1, 3, 4, 4] */
        readonly y: Tensor<Float32Array, readonly [1, 3, 4, 4]>;
        /** i32[3] */
        readonly twice: Tensor<Int32Array, readonly [3]>;
      }

      /** What \`adapter.requestDevice\` needs for a device that runs this model. */
      export declare const requirements: GPUDeviceDescriptor;
      /** Loads tiny_model. Rejects with VitcError, whose \`code\` says why. */
      export declare function load(options?: LoadOptions): Promise<Model<Inputs, Outputs>>;
      /** Class names by output. */
      export declare const labels: { readonly twice: readonly string[] };
      export { classify } from './runtime/classify.js';
      export { VitcError } from './runtime/errors.js';
      export type { LoadOptions, Model };
      "
    `);
  });

  test('names its inputs in index.js', () => {
    expect(text('index.js')).toMatchInlineSnapshot(`
      "import { plan } from './plan.js';
      import { deviceDescriptor } from './runtime/device.js';
      import { loadModel } from './runtime/load.js';
      import { readPictures } from './runtime/pictures.js';
      import { labels } from './labels.js';

      export { classify } from './runtime/classify.js';
      export { VitcError } from './runtime/errors.js';
      export { labels };
      export const requirements = deviceDescriptor(plan);

      export function load(options) {
        return loadModel(plan, import.meta.url, options, { readPictures });
      }
      "
    `);
  });
});

test('a TypeScript program that uses a package is checked by its types', () => {
  const folder = tinyPackage();
  const bodies = {
    right: `const { y, twice } = await model.run({ image: new ImageData(1, 1), shift: new Int32Array(3) });
      const size: 4 = y.shape[3]; const all: Float32Array = y; const ints: Int32Array = twice;
      const names: string[] = classify(twice, labels.twice)[0].map((c) => c.label);
      const { y: buffer } = await model.run({ image: [{ data: new Uint8Array(3), width: 1, height: 1 }], shift: ints }, { outputs: 'gpu' });
      buffer.destroy(); void [size, all, names];`,
    missing: 'await model.run({ image: new Float32Array(48) });',
    dtype: 'await model.run({ image: new Float32Array(48), shift: new Float32Array(3) });',
    shape: 'const five: 5 = (await model.run({ image: new Float32Array(48), shift: new Int32Array(3) })).y.shape[3]; void five;',
  };
  try {
    const head = "import { classify, labels, load, VitcError } from './index.js';\nconst model = await load();\n";
    const found = typeErrors(folder, Object.fromEntries(Object.entries(bodies).map(([name, body]) => [name, `${head}${body}\nvoid [classify, labels, VitcError];\n`])));
    expect(found).toEqual([
      expect.stringMatching(/^dtype.mts: Type 'Float32Array<ArrayBuffer>' is not assignable to type .*Int32Array/),
      "missing.mts: Argument of type '{ image: Float32Array<ArrayBuffer>; }' is not assignable to parameter of type 'Inputs'.",
      "shape.mts: Type '4' is not assignable to type '5'.",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
