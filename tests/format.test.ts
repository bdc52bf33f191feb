/** Canonical formatting: examples, and on all sources: the same tree, every comment, no change the second time. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { format, sameTree } from '../src/parser/format.ts';
import { parse } from '../src/parser/parse.ts';
import type { Source } from '../src/source.ts';
import { textTests } from './helpers/text-tests.ts';

textTests({
  folder: 'format',
  expectations: 'beside',
  run: ([source]) => {
    const { value } = format(source);
    check(source, value);
    return value;
  },
});

describe('every source formats', () => {
  for (const path of sources()) {
    test(path, () => {
      const source = { path, text: readFileSync(path, 'utf8') };
      const { value, diagnostics } = format(source);
      expect(diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
      check(source, value);
    });
  }
});

test('a source with syntax errors stays as it is', () => {
  const text = 'let  a =\nlet b = (1';
  const result = format({ path: 'a.vit', text });
  expect(result.value).toBe(text);
  expect(result.diagnostics.length).toBe(2);
});

test('line ends, tabs, spaces at line ends and a byte order mark go', () => {
  const { value } = format({ path: 'a.vit', text: '\uFEFFlet a = 1 \r\n\r\n\r\n\tlet b = [1,\r\n2]  // c \t\r\n' });
  expect(value).toBe('let a = 1\n\nlet b = [1, 2]  // c\n');
});

test('nothing stays nothing', () => {
  for (const text of ['', '\n\n', ' \t']) expect(format({ path: 'a.vit', text }).value).toBe('');
});

test('long lists take time in proportion', () => {
  const text = `let a = [${Array.from({ length: 100_000 }, (_, i) => i).join(', ')}]`;
  const start = performance.now();
  const { value } = format({ path: 'a.vit', text });
  expect(performance.now() - start).toBeLessThan(20_000);
  expect(Math.max(...value.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
});

function sources(): string[] {
  return readdirSync('zoo', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.vit')).map((name) => `zoo/${name}`).sort();
}

function check(source: Source, value: string): void {
  const before = parse(source).value;
  const formatted = { path: source.path, text: value };
  expect(sameTree(before, parse(formatted).value), 'the tree is the same').toBe(true);
  expect(format(formatted).value, 'formatting again changes nothing').toBe(value);
  expect(comments(value)).toEqual(comments(source.text));
  for (const line of value.split('\n')) expect(line).toBe(line.trimEnd());
}

/** The words of all comments; a formatter may join two of them on a line. */
function comments(text: string): string[] {
  return text.split('\n').flatMap((line) => /^(?:[^"/]|\/(?!\/)|"(?:[^"\\]|\\.)*")*?(\/\/.*)$/.exec(line)?.[1].trim().split(/\s+/) ?? []).sort();
}
