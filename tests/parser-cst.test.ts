/** The concrete syntax tree's types follow the grammar. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { VitParser } from '../src/parser/grammar.ts';
import { cstTypes } from './helpers/cst-types.ts';

test('src/parser/cst.ts is generated from the grammar', () => {
  const path = 'src/parser/cst.ts';
  if (process.env.BLESS) writeFileSync(path, cstTypes());
  expect(readFileSync(path, 'utf8'), 'to regenerate: BLESS=1 npx vitest run tests/parser-cst.test.ts').toBe(cstTypes());
});

test('the grammar is unambiguous', () => {
  expect(() => new VitParser(true)).not.toThrow();
});
