/** A package as pages embed it: under a strict policy, in a sub-path, from another origin, in a worker, with pictures of any kind. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StaticServer } from '../helpers/browser.ts';
import { launchBrowser, serve } from '../helpers/browser.ts';
import { expected, SIZE, tinyPackage } from '../helpers/tiny-package.ts';

const launched = await launchBrowser();
if (typeof launched === 'string') console.warn(`skipped: ${launched}`);
const browser = launched as Browser;

/** No eval, nothing inline, nothing from elsewhere; not even strings as scripts. */
const POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'";

/** Runs on all zeros and [1, 2, 3]; in pages and workers. */
const RUN = `
  const model = await load();
  const { y, twice } = await model.run({ image: new Float32Array(${3 * SIZE * SIZE}).fill(0.5), shift: Int32Array.of(1, 2, 3) });
  model.destroy();
  const result = { y: Array.from(y), twice: Array.from(twice) };`;
const RESULT = expected(new Float32Array(3 * SIZE * SIZE).fill(0.5), [1, 2, 3]);

const FILES = {
  'page.html': '<!doctype html><title>page</title><script type="module" src="page.js"></script>',
  'page.js': `
    import { load } from './deep/models/tiny/index.js';
    const violations = [];
    addEventListener('securitypolicyviolation', (e) => violations.push(e.violatedDirective + ' ' + e.blockedURI));
    globalThis.outcome = (async () => { ${RUN} return { result, violations }; })();`,
  'worker.js': `
    import { load } from './deep/models/tiny/index.js';
    const violations = [];
    addEventListener('securitypolicyviolation', (e) => violations.push(e.violatedDirective + ' ' + e.blockedURI));
    ${RUN}
    // Pictures that a worker can have.
    const canvas = new OffscreenCanvas(${2 * SIZE}, ${2 * SIZE});
    const context = canvas.getContext('2d');
    for (let i = 0; i < ${2 * SIZE}; i++) { context.fillStyle = 'rgb(' + 29 * i + ',' + 7 * i + ',90)'; context.fillRect(i, 0, 1, ${2 * SIZE}); }
    const data = context.getImageData(0, 0, ${2 * SIZE}, ${2 * SIZE});
    const again = await load();
    const pictures = {};
    for (const [kind, image] of [['OffscreenCanvas', canvas], ['ImageData', data], ['ImageBitmap', await createImageBitmap(canvas)], ['VideoFrame', new VideoFrame(canvas, { timestamp: 0 })]]) {
      pictures[kind] = Array.from((await again.run({ image, shift: new Int32Array(3) })).y);
    }
    postMessage({ result, pictures, violations });`,
};

/** A site in a folder: a page, a worker, and the package some folders down. */
function site(packageFolder: string): string {
  const root = mkdtempSync(join(tmpdir(), 'vitc-test-'));
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(root, name), text);
  mkdirSync(join(root, 'deep', 'models'), { recursive: true });
  cpSync(packageFolder, join(root, 'deep', 'models', 'tiny'), { recursive: true });
  return root;
}

describe.skipIf(typeof launched === 'string')('a package in a page', () => {
  const folders: string[] = [];
  const servers: StaticServer[] = [];
  let strict: StaticServer;
  let plain: StaticServer;
  let open: StaticServer;
  let closed: StaticServer;
  let page: Page;

  beforeAll(async () => {
    const tiny = tinyPackage();
    const root = site(tiny);
    folders.push(tiny, root);
    strict = await serve({ some: root }, { 'content-security-policy': POLICY });
    plain = await serve({ tiny });
    open = await serve({ tiny }, { 'access-control-allow-origin': '*' });
    closed = await serve({ tiny });
    servers.push(strict, plain, open, closed);
    page = await browser.newPage();
  });

  afterAll(async () => {
    await browser.close();
    for (const server of servers) server.close();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  test('runs under a strict Content-Security-Policy, from a sub-path', async () => {
    await page.goto(`${strict.url}some/page.html`);
    expect(await page.evaluate('outcome')).toEqual({ result: RESULT, violations: [] });
    // The policy is in force: what it forbids does fail.
    expect(await page.evaluate("import('data:text/javascript,0').then(() => 'allowed', () => 'refused')")).toBe('refused');
  });

  test('runs in a worker under the same policy, on every kind of picture that workers have', async () => {
    await page.goto(`${strict.url}some/page.html`);
    const { result, pictures, violations } = (await page.evaluate(`new Promise((done, failed) => {
      const policy = trustedTypes.createPolicy('test', { createScriptURL: (url) => url });
      const worker = new Worker(policy.createScriptURL('worker.js'), { type: 'module' });
      worker.onmessage = (e) => done(e.data);
      worker.onerror = (e) => failed(new Error(e.message));
    })`)) as { result: unknown; pictures: Record<string, number[]>; violations: string[] };
    expect({ result, violations }).toEqual({ result: RESULT, violations: [] });
    expect(Object.keys(pictures)).toEqual(['OffscreenCanvas', 'ImageData', 'ImageBitmap', 'VideoFrame']);
    for (const values of Object.values(pictures)) expect(values).toEqual(pictures.ImageData);
    expect(new Set(pictures.ImageData).size).toBeGreaterThan(SIZE);
  });

  test('loads from another origin that allows it', async () => {
    await page.goto(plain.url);
    const load = (module: string, options: string) => page.evaluate(`(async () => { const { load: loadPackage } = await import('${module}'); const load = () => loadPackage(${options}); ${RUN} return result; })()`);
    expect(await load(`${open.url}tiny/index.js`, '')).toEqual(RESULT);
    expect(await load('/tiny/index.js', `{ baseUrl: '${open.url}tiny' }`)).toEqual(RESULT);
    expect(await load('/tiny/index.js', `{ weights: '${open.url}tiny' }`)).toEqual(RESULT);
  });

  test.each(['baseUrl', 'weights'])('says what is missing where another origin does not allow it (%s)', async (option) => {
    await page.goto(plain.url);
    const refused = (await page.evaluate(`import('/tiny/index.js').then(({ load }) => load({ ${option}: '${closed.url}tiny' })).then(() => 'loaded', (e) => [e.name, e.code, e.message])`)) as string[];
    expect(refused.slice(0, 2)).toEqual(['VitcError', 'fetch-failed']);
    expect(refused[2]).toContain(`cannot read ${closed.url}tiny/`);
    expect(refused[2]).toContain(`of another origin, whose server must be up and allow this page with the header Access-Control-Allow-Origin: ${plain.url.slice(0, -1)}`);
  });

  test.each([
    ['an image that has not loaded', 'new Image()', 'loaded and not empty'],
    ['an image of another origin', "await (async () => { const img = new Image(); img.src = 'CLOSED'; await img.decode(); return img; })()", 'cannot be read'],
    ['a closed ImageBitmap', 'await (async () => { const b = await createImageBitmap(new ImageData(8, 8)); b.close(); return b; })()', 'loaded and not empty'],
    ['a closed VideoFrame', "(() => { const c = new OffscreenCanvas(8, 8); c.getContext('2d'); const f = new VideoFrame(c, { timestamp: 0 }); f.close(); return f; })()", 'loaded and not empty'],
    ['an empty canvas', "(() => { const c = document.createElement('canvas'); c.width = 0; return c; })()", 'loaded and not empty'],
    ['an element that is no picture', "document.createElement('p')", 'loaded and not empty'],
  ])('refuses %s', async (_, make, reason) => {
    writeFileSync(join(folders[0], 'dot.svg'), '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>');
    await page.goto(plain.url);
    const refused = (await page.evaluate(`(async () => {
      const { load } = await import('/tiny/index.js');
      const model = await load();
      const image = ${make.replace('CLOSED', `${closed.url}tiny/dot.svg`)};
      const refused = await model.run({ image, shift: Int32Array.of(1, 2, 3) }).then(() => ['ran'], (e) => [e.code, e.message]);
      const { twice } = await model.run({ image: new Float32Array(${3 * SIZE * SIZE}), shift: Int32Array.of(1, 2, 3) });
      model.destroy();
      return [...refused, Array.from(twice)];
    })()`)) as unknown[];
    expect(refused).toEqual(['bad-input', expect.stringContaining(reason), [2, 4, 6]]);
  });

  test('rejects when its device is lost in the middle of runs, and loads again', async () => {
    await page.goto(plain.url);
    const outcome = await page.evaluate(`(async () => {
      const { load } = await import('/tiny/index.js');
      const inputs = { image: new Float32Array(${3 * SIZE * SIZE}).fill(0.5), shift: Int32Array.of(1, 2, 3) };
      const first = await load();
      const flying = Array.from({ length: 6 }, () => first.run(inputs).then(() => 'ran', (e) => e.code));
      first.device.destroy();
      const codes = new Set([...await Promise.all(flying), await first.run(inputs).catch((e) => e.code)]);
      ${RUN}
      return { codes: [...codes], result };
    })()`);
    expect(outcome).toEqual({ codes: ['device-lost'], result: RESULT });
  });
});
