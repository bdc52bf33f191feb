/**
 * Random programs through the whole compiler and onto the device, compared with what they mean (check.ts). Fixed seeds are
 * the same every run, a few are new each time; FUZZ_COUNT and FUZZ_SEED ask for others. Long runs: programs.ts.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OP_NAMES } from '../../src/ops.ts';
import { testDevice } from '../helpers/device.ts';
import { checkProgram, libraryOf, type Variant } from './check.ts';
import { programOf, variantsOf } from './generate.ts';
import { readKept } from './kept.ts';

const gpu = await testDevice();
const ROOT = join(import.meta.dirname, '..', '..');
const KEPT = join(ROOT, 'tests', 'files', 'fuzz');
const library = libraryOf((path) => {
  const file = join(ROOT, 'zoo', path);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
});

const COUNT = Number(process.env.FUZZ_COUNT ?? 60);
const FRESH = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 30));

/** All its variants as far as their plans, and one of them on the device, where every pipeline takes its time. */
async function check(seed: number): Promise<void> {
  const program = programOf(seed);
  for (const [i, variant] of variantsOf(seed, gpu).entries()) {
    const { failure } = await checkProgram(program, variant, library, gpu, i === seed % 2);
    expect(failure, `seed ${seed}, ${JSON.stringify(variant)}\n${failure?.level}: ${failure?.message}\n${program.text}`).toBeUndefined();
  }
}

test(`${COUNT} programs`, { timeout: 600_000 }, async () => {
  for (let seed = 0; seed < COUNT; seed++) await check(seed);
});

test(`fresh programs, FUZZ_SEED=${FRESH}`, { timeout: 600_000 }, async () => {
  for (let i = 0; i < 6; i++) await check(FRESH + i);
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
  for (const each of others) {
    const { failure } = await checkProgram({ text }, each, library, gpu);
    expect(failure, `${JSON.stringify(each)}\n${failure?.level}: ${failure?.message}`).toBeUndefined();
  }
});
