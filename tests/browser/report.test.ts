/** The report's page in a real browser: it asks for nothing, says nothing on the console, and shows what it should. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printModule } from '../../src/codegen/wgsl-print.ts';
import { pageScripts } from '../../src/cli/page-files.ts';
import { makeReport } from '../../src/cli/reports.ts';
import { profileNamed } from '../../src/profiles.ts';
import { compareReports } from '../../src/report/compare.ts';
import { reportHtml } from '../../src/report/html.ts';
import { WEB } from '../../src/targets.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { TINY, tinyGraph } from '../helpers/tiny-zoo.ts';

const launched = await launchBrowser();
if (typeof launched === 'string') console.warn(`skipped: ${launched}`);
const browser = launched as Browser;

const HOSTILE = '</script><img src=x onerror="document.title=1"><!--';

describe.skipIf(typeof launched === 'string')('the page of a report', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vitc-page-'));
  const file = join(folder, 'report.html');
  const requests: string[] = [];
  const errors: string[] = [];
  let page: Page;

  beforeAll(async () => {
    const graph = tinyGraph(TINY.find((t) => t.name === 'EfficientViT')!);
    const { report, sources, compilation } = makeReport({ graph, target: WEB, dtype: 'f32', profile: profileNamed('apple-m2')! });
    const named = { ...report, model: HOSTILE, doc: HOSTILE };
    const comparison = compareReports([{ label: HOSTILE, report: named }, { label: 'other', report }]);
    const hostile = [{ ...sources[0], text: `${HOSTILE}\n${sources[0].text}` }, ...sources.slice(1)];
    writeFileSync(file, reportHtml({ report: named, sources: hostile, wgsl: compilation.kernels.map((k) => printModule(k.module)), comparison }, pageScripts()));
    page = await browser.newPage({ viewport: { width: 390, height: 800 } });
    page.on('request', (r) => r.url() !== pathToFileURL(file).href && requests.push(r.url()));
    page.on('console', (m) => m.type() === 'error' && errors.push(m.text()));
    page.on('pageerror', (e) => errors.push(e.message));
    await page.goto(pathToFileURL(file).href);
    await page.waitForSelector('#memory svg');
  });

  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('asks for nothing and has no errors', () => {
    expect(requests).toEqual([]);
    expect(errors).toEqual([]);
    expect(statSync(file).size).toBeLessThan(3e6);
  });

  test.each([
    ['roofline', 'circle'],
    ['savings', 'rect'],
    ['blocks', 'rect'],
    ['memory', 'rect'],
    ['comparison', 'rect'],
  ])('has marks in %s', async (section, mark) => {
    expect(await page.locator(`#${section} .plot svg ${mark}`).count()).toBeGreaterThan(1);
  });

  test('shows text of files as text', async () => {
    expect(await page.locator('h1').textContent()).toBe(HOSTILE);
    expect(await page.title()).toBe(HOSTILE);
    expect(await page.locator('img').count()).toBe(0);
  });

  test('fits a narrow screen', async () => {
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  });

  test('sorts its tables', async () => {
    const heading = page.locator('#kernels th', { hasText: 'calls' });
    await heading.locator('button').click();
    expect(await heading.getAttribute('aria-sort')).toBe('descending');
    const calls = (await page.locator('#kernels tbody tr td:nth-child(3)').allTextContents()).map(Number);
    expect(calls).toEqual([...calls].sort((a, b) => b - a));
  });

  test('leads from a kernel to its code and its line', async () => {
    await page.locator('#kernels tbody .link').first().click();
    expect(await page.locator('#kernel .code').textContent()).toContain('@compute');
    const link = page.locator('#kernel .places .link').first();
    const line = (await link.textContent())!;
    await link.click();
    expect(await page.locator('.source tr.chosen .line').textContent()).toBe(line.split(':').at(-1));
  });
});
