/** What the tests of random programs share: the device, the library, and the check of a seed's program. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testDevice } from '../helpers/device.ts';
import { checkProgram, libraryOf, type Fuzzed, type Variant } from './check.ts';
import { programOf, variantsOf } from './generate.ts';

/** Programs with fixed seeds, in all files together; FUZZ_COUNT asks for another number. */
const COUNT = Number(process.env.FUZZ_COUNT ?? 120);
/** Files that they are divided among, so that workers share them. */
const FILES = 4;
/** Of so many programs one is compiled in its other variant too. */
const BOTH = 4;

const gpu = await testDevice();
const ROOT = join(import.meta.dirname, '..', '..');
const library = libraryOf((path) => {
  const file = join(ROOT, 'zoo', path);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
});

export async function expectSound(program: Fuzzed, variant: Variant, runs: boolean, which: string): Promise<void> {
  const { failure } = await checkProgram(program, variant, library, gpu, runs);
  expect(failure, `${which}, ${JSON.stringify(variant)}\n${failure?.level}: ${failure?.message}\n${program.text}`).toBeUndefined();
}

/** One of its variants on the device, where every pipeline takes its time; now and then the other, as far as its plan. */
export async function checkSeed(seed: number): Promise<void> {
  const program = programOf(seed);
  for (const [i, variant] of variantsOf(seed, gpu).entries()) {
    const runs = i === seed % 2;
    if (runs || Math.floor(seed / 2) % BOTH === 0) await expectSound(program, variant, runs, `seed ${seed}`);
  }
}

/** The fixed programs of one file of several. */
export function testFixed(file: number): void {
  const seeds = Array.from({ length: COUNT }, (_, seed) => seed).filter((seed) => Math.floor((seed * FILES) / COUNT) === file);
  test(`${seeds.length} of ${COUNT} programs`, { timeout: 600_000 }, async () => {
    for (const seed of seeds) await checkSeed(seed);
  });
}
