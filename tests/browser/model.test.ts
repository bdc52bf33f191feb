/** A small model of the zoo in a browser and in Node: one package, one answer. */
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileGraph, packWeights } from '../../src/compile.ts';
import { ZOO } from '../../src/cli/files.ts';
import { findModel, graphOf, requiredWeights } from '../../src/cli/model.ts';
import { packageFiles } from '../../src/cli/packages.ts';
import type { PackageFiles } from '../../src/codegen/package.ts';
import { WEB } from '../../src/targets.ts';
import type { StaticServer } from '../helpers/browser.ts';
import { launchBrowser, serve } from '../helpers/browser.ts';
import { testDevice } from '../helpers/device.ts';
import { importPackage, writePackage } from '../helpers/tiny-package.ts';

const [gpu, browser] = [await testDevice(), await launchBrowser()];
if (typeof browser === 'string') console.warn(`skipped: ${browser}`);

const PRESET = 'vit_tiny_patch16_224';
/** A software adapter takes its time to compile kernels, so one layer must do. */
const SETTINGS = { size: 64, depth: 1 };
const PICTURE = join(ZOO, 'pictures', 'chelsea.png');

describe.skipIf(!gpu || typeof browser === 'string')(`${PRESET} of one layer in a browser and in Node`, () => {
  let files: PackageFiles;
  let folder: string;
  let server: StaticServer;
  let inNode: number[];

  beforeAll(async () => {
    const model = findModel(PRESET);
    const graph = graphOf(model, { set: SETTINGS });
    // Browser and Node have the same software adapter; another is the machine's, and the browser may not see it.
    const target = gpu!.kind === 'software' ? gpu!.target : WEB;
    const compilation = compileGraph(graph, { target, dtype: 'f32' }).value!;
    const { read } = await requiredWeights(model, graph, { seed: 1 });
    files = packageFiles(compilation, packWeights(compilation, read));
    folder = writePackage(files);
    server = await serve({ model: folder, pictures: dirname(PICTURE) });
    const { data, info } = await sharp(PICTURE).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const loaded = await (await importPackage(folder)).load({ device: gpu!.device });
    const outputs = await loaded.run({ image: { data: new Uint8Array(data), width: info.width, height: info.height } });
    inNode = Array.from((outputs as unknown as Record<string, Float32Array>).logits);
    loaded.destroy();
  });

  afterAll(async () => {
    if (typeof browser !== 'string') await browser.close();
    server?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  test('gives the same logits, to f32 rounding', async () => {
    const page = await (browser as Exclude<typeof browser, string>).newPage();
    await page.goto(server.url);
    const inBrowser = (await page.evaluate(`(async () => {
      const { load } = await import('/model/index.js');
      const img = new Image();
      img.src = '/pictures/chelsea.png';
      await img.decode();
      const model = await load();
      const { logits } = await model.run({ image: img });
      return Array.from(logits);
    })()`)) as number[];
    const scale = Math.max(...inNode.map(Math.abs));
    expect(scale).toBeGreaterThan(0.1);
    expect(inBrowser).toHaveLength(inNode.length);
    inBrowser.forEach((value, i) => expect(Math.abs(value - inNode[i]) / scale).toBeLessThan(1e-5));
  });

  test('is smaller than 60 KB of code, compressed', () => {
    const code = [...files].filter(([name]) => /\.(js|wgsl)$/.test(name)).map(([, content]) => content as string);
    expect(gzipSync(code.join('')).length).toBeLessThan(60_000);
  });
});
