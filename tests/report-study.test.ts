/** docs/study.md: its models compile, its tables and plots are what they cost. BLESS=1 writes tables and plots. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { launchBrowser } from './helpers/browser.ts';
import { alike, barsOf, costsOf, costTable, graphOf, kindTable, type Bar, type Costs } from './helpers/study.ts';

const PAGE = 'docs/study.md';
const BLESS = process.env.BLESS === '1';
const HOW = 'BLESS=1 npx vitest run tests/report-study.test.ts writes it';
/** By how much printed figures may be behind: far less than predictions miss by. */
const SHARE = 0.05;

const known = new Map<string, Costs>();
function costs(file: string, preset: string): Costs {
  const key = `${file}#${preset}`;
  if (!known.has(key)) known.set(key, costsOf(file, preset));
  return known.get(key)!;
}

const named = (file: string, presets: readonly string[]) => presets.map((preset) => ({ name: `\`${preset}\``, costs: costs(file, preset) }));
const sides = (file: string, presets: readonly string[], side: 'before' | 'after') => presets.map((preset) => ({ name: preset, side: costs(file, preset)[side] }));

const DEIT = ['deit_60', 'deit_50', 'deit_40', 'deit_20'];
const SWIN = ['swin_60', 'swin_50', 'swin_40', 'swin_20'];
const LAYOUT = ['usual', 'sandwich'];
const WIDTHS = ['equal', 'narrow_values', 'narrow_keys', 'both_narrow'];

const PARTS: readonly { readonly name: string; readonly table: () => string; readonly bars: () => Bar[] }[] = [
  {
    name: 'profile',
    table: () => kindTable([{ name: 'DeiT-T', costs: costs('mixing', 'deit_50') }, { name: 'Swin-T', costs: costs('mixing', 'swin_50') }]),
    bars: () => [['DeiT-T', 'deit_50'] as const, ['Swin-T', 'swin_50'] as const].flatMap(([name, preset]) => barsOf([{ name: `${name}, as written`, side: costs('mixing', preset).before }, { name: `${name}, compiled`, side: costs('mixing', preset).after }])),
  },
  { name: 'deit-mixing', table: () => costTable(named('mixing', DEIT), 'preset'), bars: () => barsOf(sides('mixing', DEIT, 'before')) },
  { name: 'swin-mixing', table: () => costTable(named('mixing', SWIN), 'preset'), bars: () => barsOf(sides('mixing', SWIN, 'before')) },
  { name: 'layout', table: () => costTable(named('layout', LAYOUT), 'preset'), bars: () => LAYOUT.flatMap((preset) => barsOf([{ name: `${preset}, as written`, side: costs('layout', preset).before }, { name: `${preset}, compiled`, side: costs('layout', preset).after }])) },
  { name: 'widths', table: () => costTable(named('widths', WIDTHS), 'preset'), bars: () => barsOf(sides('widths', WIDTHS, 'after')) },
];

const browser = BLESS ? await launchBrowser() : undefined;
afterAll(async () => {
  if (browser && typeof browser !== 'string') await browser.close();
});

/** Swin as written has 800 kernels to compile and to walk; VITC_TEST_ALL=1 does so. */
const LONG = new Set(['profile', 'swin-mixing']);

test.each([['mixing', [...DEIT, ...SWIN]], ['layout', LAYOUT], ['widths', WIDTHS]] as const)('%s compiles', (file, presets) => {
  for (const preset of presets) expect(graphOf(file, preset).outputs.map((o) => o.name)).toEqual(['logits']);
});

describe.each(PARTS.filter((p) => BLESS || process.env.VITC_TEST_ALL === '1' || !LONG.has(p.name)))('$name', ({ name, table, bars }) => {
  test('the table is what the models cost', () => {
    const page = readFileSync(PAGE, 'utf8');
    const [start, end] = [`<!-- figures: ${name} -->\n`, '\n<!-- end -->'];
    const from = page.indexOf(start) + start.length;
    const to = page.indexOf(end, from);
    expect(page.indexOf(start), `${PAGE} has a place for ${name}`).toBeGreaterThanOrEqual(0);
    const want = table();
    const printed = page.slice(from, to);
    if (BLESS && printed !== want) writeFileSync(PAGE, page.slice(0, from) + want + page.slice(to));
    else expect(alike(printed, want, SHARE), `${HOW}\n${want}`).toBe(true);
  }, 600_000);

  test('the plot is of these figures', async () => {
    const file = `docs/study/${name}.svg`;
    const data = JSON.stringify(bars());
    if (BLESS) writeFileSync(file, await draw(bars(), data));
    const svg = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const carried = /<metadata>(.*?)<\/metadata>/.exec(svg)?.[1] ?? '';
    expect(alike(carried, data, SHARE), HOW).toBe(true);
  }, 600_000);
});

test('the tables are compared as they should be', () => {
  expect(alike('| a | 1.00 | 50% |', '| a | 1.02 | 51% |', SHARE)).toBe(true);
  expect(alike('| a | 1.00 | 50% |', '| a | 1.20 | 50% |', SHARE)).toBe(false);
  expect(alike('| a | 1.00 |', '| b | 1.00 |', SHARE)).toBe(false);
});

/** A plot by Observable Plot, in a browser, as text; its figures are in it. */
async function draw(bars: readonly Bar[], data: string): Promise<string> {
  if (!browser || typeof browser === 'string') throw new Error(`plots are drawn in a browser: ${browser}`);
  const page = await browser.newPage();
  const require = createRequire(import.meta.url);
  for (const [library, file] of [['d3', 'd3.min.js'], ['@observablehq/plot', 'plot.umd.min.js']]) await page.addScriptTag({ content: readFileSync(join(dirname(require.resolve(library)), '..', 'dist', file), 'utf8') });
  const svg = await page.evaluate((rows) => {
    const kinds = ['contraction', 'softmax', 'normalization', 'reduction', 'order', 'elementwise', 'movement'];
    const colors = ['#3b6ea5', '#b8478f', '#2f9e44', '#7a8b99', '#555555', '#e08a00', '#c0392b'];
    const plot = (globalThis as unknown as { Plot: { plot: (o: object) => Element; barX: (d: object, o: object) => object; stackX: (o: object) => object; text: (d: object, o: object) => object } }).Plot;
    const names = [...new Set(rows.map((r) => r.row))];
    const shown = kinds.filter((k) => rows.some((r) => r.kind === k));
    const total = names.map((row) => ({ row, milliseconds: rows.filter((r) => r.row === row).reduce((sum, r) => sum + r.milliseconds, 0) }));
    const main = plot.plot({
      width: 760, height: 70 + 34 * names.length, marginLeft: 150, marginRight: 60,
      style: { background: 'white', color: '#222', fontFamily: 'sans-serif', fontSize: '12px' },
      x: { label: 'predicted time of 16 pictures, ms; hatched: bound by memory', grid: true },
      y: { label: null, domain: names, tickSize: 0 },
      color: { domain: shown, range: shown.map((k) => colors[kinds.indexOf(k)]) },
      marks: [
        plot.barX(rows, plot.stackX({ y: 'row', x: 'milliseconds', fill: 'kind', inset: 1 })),
        plot.barX(rows, plot.stackX({ y: 'row', x: 'milliseconds', fill: (r: { memory: boolean }) => (r.memory ? 'url(#hatch)' : 'transparent'), inset: 1 })),
        plot.text(total, { y: 'row', x: 'milliseconds', text: (d: { milliseconds: number }) => d.milliseconds.toFixed(2), textAnchor: 'start', dx: 5 }),
      ],
    });
    const svg = main.tagName === 'svg' ? main : main.querySelector('svg')!;
    const space = 'http://www.w3.org/2000/svg';
    const defs = document.createElementNS(space, 'defs');
    defs.innerHTML = '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line x1="0" y1="0" x2="0" y2="6" stroke="white" stroke-opacity="0.55" stroke-width="2"/></pattern>';
    svg.prepend(defs);
    shown.forEach((kind, i) => {
      const legend = document.createElementNS(space, 'g');
      legend.innerHTML = `<rect x="${150 + 100 * i}" y="4" width="10" height="10" fill="${colors[kinds.indexOf(kind)]}"/><text x="${164 + 100 * i}" y="13" fill="#222" text-anchor="start">${kind}</text>`;
      svg.append(legend);
    });
    svg.setAttribute('xmlns', space);
    // Room for the label below the axis.
    const height = Number(svg.getAttribute('height')) + 8;
    svg.setAttribute('height', String(height));
    svg.setAttribute('viewBox', `0 0 760 ${height}`);
    return svg.outerHTML;
  }, bars);
  await page.close();
  return `${svg.replace(/(<svg[^>]*>)/, `$1<metadata>${data}</metadata>`)}\n`;
}
