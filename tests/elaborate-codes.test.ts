/** Every code is shown by an error test, and what `vitc explain` prints is true. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SEMANTIC_CODES } from '../src/codes/semantics.ts';
import { elaborateText } from './helpers/elaborate.ts';

const CODES = Object.entries(SEMANTIC_CODES);

test('every code has an error test', () => {
  const folder = join(import.meta.dirname, 'files', 'errors');
  const shown = new Set(readdirSync(folder).flatMap((f) => [...readFileSync(join(folder, f), 'utf8').matchAll(/^\/\/ (?:error|warning)\[(\w+)\]/gm)].map((m) => m[1])));
  expect(CODES.map(([code]) => code).filter((code) => !shown.has(code))).toEqual([]);
});

describe('explanations', () => {
  test.each(CODES)('%s', (code, { explanation }) => {
    const examples = [...explanation.matchAll(/^```vit\n([\s\S]*?)\n```$/gm)].map((m) => m[1]);
    for (const [i, text] of examples.entries()) {
      const codes = [...new Set(elaborateText(text).diagnostics.map((d) => d.code))];
      expect(codes, text).toEqual(i === 0 ? [code] : []);
    }
  });
});
