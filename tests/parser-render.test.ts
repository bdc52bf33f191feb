/** Diagnostics as text: places, labels, other files, odd characters, colours; and did-you-mean. */
import { describe, expect, test } from 'vitest';
import { cutCells, layOutCells } from '../src/cells.ts';
import { error, warning } from '../src/diagnostics.ts';
import { render } from '../src/render.ts';
import type { Paint } from '../src/render.ts';
import type { Source, Span } from '../src/source.ts';
import { editDistance, suggest } from '../src/suggest.ts';

const source: Source = {
  path: 'zoo/vit.vit',
  text: Array.from({ length: 12 }, (_, i) => `  line${i + 1} = value(${i + 1}, other)`).join('\n') + '\n',
};

/** The `nth` place of a word. */
function at(word: string, of: Source = source, nth = 0): Span {
  let start = of.text.indexOf(word);
  for (let i = 0; i < nth; i++) start = of.text.indexOf(word, start + 1);
  return { source: of, start, end: start + word.length };
}

const lines = (...text: string[]): string => text.join('\n');

describe('rendering', () => {
  test('a message alone', () => {
    expect(render(error('E0105', 'no place at all', undefined, { notes: ['one'], help: 'two' }))).toBe(lines(
      'error[E0105]: no place at all',
      '  = note: one',
      '  = help: two',
    ));
  });

  test('labels on other lines, near and far', () => {
    const d = error('E0105', 'three places', at('value', source, 1), {
      primaryLabel: 'here',
      labels: [{ span: at('line1'), message: 'above' }, { span: at('line4'), message: 'two below' }, { span: at('line12'), message: 'far' }],
    });
    expect(render(d)).toBe(lines(
      'error[E0105]: three places',
      '  --> zoo/vit.vit:2:11',
      '   |',
      ' 1 |   line1 = value(1, other)',
      '   |   ----- above',
      ' 2 |   line2 = value(2, other)',
      '   |           ^^^^^ here',
      ' 3 |   line3 = value(3, other)',
      ' 4 |   line4 = value(4, other)',
      '   |   ----- two below',
      '...',
      '12 |   line12 = value(12, other)',
      '   |   ------ far',
    ));
  });

  test('several labels on a line hang below it, the last beside', () => {
    const d = warning('W0101', 'one line', at('value'), {
      primaryLabel: 'this', labels: [{ span: at('line1'), message: 'first' }, { span: at('other'), message: 'last' }, { span: at('1,'), message: '' }],
      help: 'mend it',
    });
    expect(render(d)).toBe(lines(
      'warning[W0101]: one line',
      ' --> zoo/vit.vit:1:11',
      '  |',
      '1 |   line1 = value(1, other)',
      '  |   -----   ^^^^^ -- ----- last',
      '  |   |       |',
      '  |   |       this',
      '  |   first',
      '  |',
      '  = help: mend it',
    ));
  });

  test('two labels on one place', () => {
    const d = error('E0105', 'same place', at('value'), { primaryLabel: 'one', labels: [{ span: at('value'), message: 'two' }] });
    expect(render(d)).toBe(lines(
      'error[E0105]: same place',
      ' --> zoo/vit.vit:1:11',
      '  |',
      '1 |   line1 = value(1, other)',
      '  |           ^^^^^',
      '  |           |',
      '  |           one',
      '  |           two',
    ));
  });

  test('a label in another file', () => {
    const other: Source = { path: 'std/layers.vit', text: 'block Linear(out: int)(x) {\n' };
    const d = error('E0105', 'two files', at('other'), { labels: [{ span: at('out', other), message: 'declared here' }] });
    expect(render(d)).toBe(lines(
      'error[E0105]: two files',
      ' --> zoo/vit.vit:1:20',
      '  |',
      '1 |   line1 = value(1, other)',
      '  |                    ^^^^^',
      ' ::: std/layers.vit:1:14',
      '  |',
      '1 | block Linear(out: int)(x) {',
      '  |              --- declared here',
    ));
  });

  test('a place of several lines shows on its first, one of none as a caret', () => {
    const wide: Source = { path: 'a.vit', text: 'x = f(\n  1,\n)\n' };
    expect(render(error('E0105', 'wide', { source: wide, start: 4, end: 13 }))).toContain('1 | x = f(\n  |     ^^');
    expect(render(error('E0105', 'end', { source: wide, start: 14, end: 14 }))).toContain(' --> a.vit:4:1\n  |\n4 |\n  | ^');
    expect(render(error('E0105', 'nothing', { source: { path: 'b.vit', text: '' }, start: 0, end: 0 }))).toContain(' --> b.vit:1:1\n  |\n1 |\n  | ^');
  });

  test('tabs, wide characters, combining marks and control characters keep the caret in place', () => {
    const caretBelow = (text: string, word: string): void => {
      const rows = render(error('E0105', 'm', at(word, { path: 'a.vit', text }))).split('\n');
      const shown = rows[3];
      const caret = rows[4].indexOf('^');
      // Terminal columns: what stands left of the word, two for wide characters.
      const before = shown.slice(0, shown.indexOf(word));
      const columns = layOutCells(before).width;
      expect(columns).toBe(caret);
    };
    caretBelow('\tx = \t§', '§');
    caretBelow('a = "日本語" §', '§');
    caretBelow('a = "🙂🙂" §', '§');
    caretBelow('a = "e\u0301" §', '§');
    caretBelow('a = "\u0007\u202e\u0000" §', '§');
    caretBelow('a = "\ud800" §', '§');
  });

  test('a long line is cut around its place, and stays within the width', () => {
    const text = `x = [${Array.from({ length: 5000 }, (_, i) => i).join(', ')}]`;
    for (const word of ['x', '2500', '4999']) {
      const rows = render(error('E0105', 'long', at(word, { path: 'a.vit', text })), { width: 80 }).split('\n');
      expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(80);
      expect(rows[3].slice(rows[4].indexOf('^'), rows[4].lastIndexOf('^') + 1)).toBe(word);
    }
  });

  test('a place far off on a line of megabytes takes no time', () => {
    const text = `${'a'.repeat(2_000_000)}§${'b'.repeat(2_000_000)}`;
    const start = performance.now();
    expect(render(error('E0105', 'long', at('§', { path: 'a.vit', text })))).toContain('a§b');
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test('messages show what would disturb a terminal', () => {
    expect(render(error('E0105', 'there is no \u001b[31mred\u202e', undefined))).toBe('error[E0105]: there is no \\u{1b}[31mred\\u{202e}');
  });

  test('long notes are wrapped, line breaks in them stay', () => {
    expect(render(error('E0105', 'm', undefined, { notes: [`${'word '.repeat(20).trim()}\nand more`] }), { width: 50 })).toBe(lines(
      'error[E0105]: m',
      `  = note: ${'word '.repeat(8).trim()}`,
      `          ${'word '.repeat(8).trim()}`,
      `          ${'word '.repeat(4).trim()}`,
      '          and more',
    ));
  });

  test('colours wrap the parts they mean and change no text', () => {
    const mark = (name: string) => (text: string): string => `<${name}>${text}</${name}>`;
    const paint: Paint = { bold: mark('bold'), red: mark('red'), yellow: mark('yellow'), blue: mark('blue'), cyan: mark('cyan') };
    const d = error('E0105', 'm', at('value'), { labels: [{ span: at('line1'), message: 'l' }], help: 'h' });
    const painted = render(d, { color: paint });
    expect(painted).toContain('<bold><red>error[E0105]</red></bold>');
    expect(painted).toContain('<bold><red>^</red></bold>');
    expect(painted).toContain('<bold><blue>-</blue></bold>');
    expect(painted.replace(/<\/?\w+>/g, '')).toBe(render(d));
    expect(render(warning('W0101', 'm'), { color: paint })).toContain('<yellow>warning[W0101]</yellow>');
  });
});

test('cells are cut at columns, wide characters never in half', () => {
  expect(cutCells('日本語', 0, 4)).toBe('日本');
  expect(cutCells('日本語', 1, 5)).toBe(' 本 ');
  expect(cutCells('abc', 1, 2)).toBe('b');
});

describe('suggestions', () => {
  const cases: readonly (readonly [string, readonly string[], string | undefined])[] = [
    ['hed', ['head', 'dim'], 'head'],
    ['Heads', ['heads'], 'heads'],
    ['num_heads', ['numHeads'], 'numHeads'],
    ['retrun', ['return', 'assert'], 'return'],
    ['widht', ['width', 'weight'], 'width'],
    ['dim', ['width', 'depth'], undefined],
    ['x', ['y'], undefined],
    ['x', ['X'], 'X'],
    ['completely', ['different'], undefined],
    ['same', ['same'], undefined],
    ['', ['a'], undefined],
    ['a'.repeat(1000), ['a'], undefined],
  ];
  for (const [name, candidates, expected] of cases) {
    test(`${name.slice(0, 12)} among ${candidates.join(' ')}`, () => expect(suggest(name, candidates)).toBe(expected));
  }
  test('distance', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('ab', 'ba')).toBe(1);
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('abc', 'xyz', 2)).toBe(Infinity);
  });
});
