/**
 * Random programs through the whole compiler and onto the device, compared with what they mean (check.ts). Fixed seeds are
 * the same every run and lie in this file and those beside it (suite.ts); a few are new each time. FUZZ_COUNT and FUZZ_SEED
 * ask for others. Long runs: programs.ts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OP_NAMES } from '../../src/ops.ts';
import type { Variant } from './check.ts';
import { programOf, variantsOf } from './generate.ts';
import { readKept } from './kept.ts';
import { checkSeed, expectSound, testFixed } from './suite.ts';

const KEPT = join(import.meta.dirname, '..', 'files', 'fuzz');
const FRESH = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 30));

testFixed(0);

test(`fresh programs, FUZZ_SEED=${FRESH}`, { timeout: 600_000 }, async () => {
  for (let i = 0; i < 6; i++) await checkSeed(FRESH + i);
});

test('programs use every operation', () => {
  const made = new Set(Array.from({ length: 400 }, (_, seed) => programOf(seed).graph?.nodes ?? []).flatMap((nodes) => nodes.map((n) => n.op)));
  expect(OP_NAMES.filter((op) => !made.has(op))).toEqual([]);
});

test('one seed, one program', () => {
  for (const seed of [0, 1, 2]) {
    expect(programOf(seed).text).toBe(programOf(seed).text);
    expect(variantsOf(seed, undefined)).toEqual(variantsOf(seed, undefined));
  }
});

test.each(readdirSync(KEPT))('kept: %s', async (name) => {
  const text = readFileSync(join(KEPT, name), 'utf8');
  const { variant } = readKept(text);
  // Other schedules and orders of work may show what the first did.
  const others: Variant[] = [variant, { ...variant, target: variant.target === 'web' ? 'native' : 'web' }, { ...variant, fuse: !variant.fuse }];
  for (const each of others) await expectSound({ text }, each, true, name);
});
