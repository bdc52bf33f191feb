/** Small models of the zoo in a browser and in Node: one package, one answer. */
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConfigLiteral } from '../../src/compile.ts';
import { compileGraph, packWeights } from '../../src/compile.ts';
import { ZOO } from '../../src/cli/files.ts';
import { findModel, graphOf, requiredWeights } from '../../src/cli/model.ts';
import { packageFiles } from '../../src/cli/packages.ts';
import type { PackageFiles } from '../../src/codegen/package.ts';
import { WEB } from '../../src/targets.ts';
import type { StaticServer } from '../helpers/browser.ts';
import { launchBrowser, serve } from '../helpers/browser.ts';
import { testDevice } from '../helpers/device.ts';
import { valuesOf } from '../helpers/patterns.ts';
import { importPackage, writePackage } from '../helpers/tiny-package.ts';

const gpu = await testDevice();
const launched = await launchBrowser();
if (typeof launched === 'string') console.warn(`skipped: ${launched}`);
const browser = launched as Browser;

interface Case {
  readonly preset: string;
  /** A software adapter takes its time to compile kernels, so few layers, narrow ones, must do. */
  readonly settings: Readonly<Record<string, ConfigLiteral>>;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
}

const MODELS: readonly Case[] = [
  { preset: 'vit_tiny_patch16_224', settings: { size: 64, depth: 1 }, outputs: { logits: [1, 1000] } },
  { preset: 'resnet18', settings: { size: 32, depths: [1, 1, 0, 0] }, outputs: { logits: [1, 1000] } },
  // Two blocks of 2 by 2 windows, the second's shifted and masked.
  { preset: 'swin_tiny_patch4_window7_224', settings: { size: 32, window: 4, dim: 16, depths: [2], heads: [2] }, outputs: { logits: [1, 1000] } },
  // Sound and as many integer tokens as the encoder has places, so that both sides have kernels in common; two outputs, one of which the decoder reads too.
  { preset: 'whisper_tiny', settings: { dim: 32, depth: 1, heads: 2, mels: 10, frames: 24, words: 51, context: 16, length: 12 }, outputs: { encoder: [1, 12, 32], logits: [1, 12, 51] } },
];

const PICTURE = join(ZOO, 'pictures', 'chelsea.png');
const { data: pixels, info } = await sharp(PICTURE).removeAlpha().raw().toBuffer({ resolveWithObject: true });
const picture = { data: new Uint8Array(pixels), width: info.width, height: info.height };

type Outputs = Record<string, { readonly shape: readonly number[]; readonly values: number[] }>;

/** In the page, as text, since the test runner rewrites imports in functions: pictures by address, other inputs by value. */
const runInPage = (inputs: string): string => `(async () => {
  const { load } = await import('/model/index.js');
  const picture = new Image();
  picture.src = '/pictures/chelsea.png';
  await picture.decode();
  const model = await load();
  const outputs = await model.run(${inputs});
  model.destroy();
  return Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name, { shape: t.shape, values: Array.from(t) }]));
})()`;

afterAll(() => (typeof launched === 'string' ? undefined : browser.close()));

describe.skipIf(!gpu || typeof launched === 'string').each(MODELS)('$preset, made small, in a browser and in Node', ({ preset, settings, outputs: shapes }) => {
  let files: PackageFiles;
  let folder: string;
  let server: StaticServer;
  let page: Page;
  let inNode: Outputs;
  /** What Node's run takes, and the same as the page's text. */
  const inputs: Record<string, unknown> = {};
  const texts: string[] = [];

  beforeAll(async () => {
    const model = findModel(preset);
    const graph = graphOf(model, { set: settings });
    const compilation = compileGraph(graph, { target: WEB, dtype: 'f32' }).value!;
    const { read } = await requiredWeights(model, graph, { seed: 1 });
    files = packageFiles(compilation, packWeights(compilation, read));
    folder = writePackage(files);
    for (const { name, node, image } of graph.inputs) {
      const { shape, dtype } = graph.nodes[node];
      const values = Array.from(valuesOf(name, shape, dtype).data, Math.fround);
      inputs[name] = image ? picture : dtype === 'f32' ? Float32Array.from(values) : Int32Array.from(values);
      texts.push(`${name}: ${image ? 'picture' : `${dtype === 'f32' ? 'Float32Array' : 'Int32Array'}.of(${values.join()})`}`);
    }
    const loaded = await (await importPackage(folder)).load({ device: gpu!.device });
    const outputs = await loaded.run(inputs);
    inNode = Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name, { shape: t.shape, values: Array.from(t) }]));
    loaded.destroy();
    server = await serve({ model: folder, pictures: dirname(PICTURE) });
    page = await browser.newPage();
  });

  afterAll(async () => {
    await page?.close();
    server?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  test('gives the same outputs, to f32 rounding', async () => {
    await page.goto(server.url);
    const inBrowser = (await page.evaluate(runInPage(`{ ${texts.join(', ')} }`))) as Outputs;
    for (const [name, shape] of Object.entries(shapes)) {
      const [got, want] = [inBrowser[name], inNode[name]];
      expect([got.shape, want.shape], name).toEqual([shape, shape]);
      const scale = Math.max(...want.values.map(Math.abs));
      const error = Math.max(...got.values.map((value, i) => Math.abs(value - want.values[i])));
      // Neither all the same nor NaN, which would agree too.
      expect(new Set(want.values).size, name).toBeGreaterThan(want.values.length / 2);
      expect(scale, name).toBeGreaterThan(0.1);
      expect(error / scale, name).toBeLessThan(1e-5);
    }
    expect(Object.keys(inBrowser)).toEqual(Object.keys(shapes));
  });

  test('is smaller than 60 KB of code, compressed', () => {
    const code = [...files].filter(([name]) => /\.(js|wgsl)$/.test(name)).map(([, content]) => content as string);
    expect(gzipSync(code.join('')).length).toBeLessThan(60_000);
  });
});
