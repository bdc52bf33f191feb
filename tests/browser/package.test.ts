/** A package in a real browser: the same files that Node loads, over HTTP, and the same numbers. */
import { rmSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StaticServer } from '../helpers/browser.ts';
import { launchBrowser, serve } from '../helpers/browser.ts';
import { expected, SIZE, tinyPackage, tinyValues } from '../helpers/tiny-package.ts';

const launched = await launchBrowser();
if (typeof launched === 'string') console.warn(`skipped: ${launched}`);
const browser = launched as Browser;

describe.skipIf(typeof launched === 'string')('a package in a browser', () => {
  let folder: string;
  let server: StaticServer;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    folder = tinyPackage();
    server = await serve({ tiny: folder });
    page = await browser.newPage();
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(server.url);
    // Text, since the test runner rewrites imports in functions.
    await page.evaluate(`(async () => {
      const tiny = await import('/tiny/index.js');
      const progress = [];
      const model = await tiny.load({ onProgress: (p) => progress.push(p) });
      Object.assign(globalThis, { tiny, model, progress });
    })()`);
  });

  afterAll(async () => {
    await browser.close();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs the model in the page on what `make` gives there; outputs come back as plain arrays. */
  async function runInPage(make: string): Promise<{ y: number[]; twice: number[] }> {
    return (await page.evaluate(`(async () => {
      const image = await (${make})();
      const outputs = await model.run({ image, shift: Int32Array.of(1, 2, 3) });
      return { y: Array.from(outputs.y), twice: Array.from(outputs.twice) };
    })()`)) as { y: number[]; twice: number[] };
  }

  test('finds its own device and reports progress', async () => {
    const progress = (await page.evaluate('progress')) as { phase: string; loaded: number; total: number }[];
    expect(progress.filter((p) => p.phase === 'kernels').at(-1)).toEqual({ phase: 'kernels', loaded: 2, total: 2 });
    expect(progress.filter((p) => p.phase === 'weights').at(-1)).toEqual({ phase: 'weights', loaded: 12, total: 12 });
  });

  test('computes the same from typed arrays', async () => {
    const { image } = tinyValues(1);
    const outputs = await runInPage(`() => Float32Array.from(${JSON.stringify(Array.from(image))})`);
    expect(outputs).toEqual(expected(image, [1, 2, 3]));
  });

  /** Opaque pixels of a formula, twice the model's size, so that they are resized. */
  const pixels = `(() => {
    const data = new ImageData(${2 * SIZE}, ${2 * SIZE});
    for (let i = 0; i < data.data.length; i++) data.data[i] = i % 4 === 3 ? 255 : (i * 29) % 256;
    return data;
  })()`;
  const canvas = `(() => { const c = new OffscreenCanvas(${2 * SIZE}, ${2 * SIZE}); c.getContext('2d').putImageData(${pixels}, 0, 0); return c; })()`;

  test.each([
    ['ImageData', pixels],
    ['ImageBitmap', `await createImageBitmap(${pixels})`],
    ['an OffscreenCanvas', canvas],
    ['a VideoFrame', `new VideoFrame(${canvas}, { timestamp: 0 })`],
    ['a canvas element', `(() => { const c = document.createElement('canvas'); c.width = c.height = ${2 * SIZE}; c.getContext('2d').putImageData(${pixels}, 0, 0); return c; })()`],
    ['an img element', `await (async () => { const img = new Image(); img.src = URL.createObjectURL(await (${canvas}).convertToBlob()); await img.decode(); return img; })()`],
  ])('takes %s', async (_, make) => {
    const raw = await runInPage(`async () => { const { data, width, height } = ${pixels}; return { data, width, height }; }`);
    const outputs = await runInPage(`async () => ${make}`);
    expect(outputs).toEqual(raw);
    expect(new Set(outputs.y).size).toBeGreaterThan(SIZE);
  });

  test('times its kernels', async () => {
    const kernels = await page.evaluate(`model.profile({ image: new Float32Array(${3 * SIZE * SIZE}), shift: new Int32Array(3) }).then((p) => p.kernels.map((k) => k.kernel))`);
    expect(kernels).toEqual(['affine', 'twice']);
  });

  test('says what it could not fetch', async () => {
    const refused = await page.evaluate(`tiny.load({ weights: '/nowhere' }).then(() => 'loaded', (e) => [e.name, e.code, e.message])`);
    expect(refused).toEqual(['VitcError', 'fetch-failed', `cannot read ${server.url}nowhere/weights.json: HTTP status 404`]);
    errors.length = 0;
  });

  test('leaves nothing on the console', async () => {
    await page.evaluate('model.destroy()');
    expect(errors).toEqual([]);
  });
});
