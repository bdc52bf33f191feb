/**
 * A few cases of every reader: a fixed seed, then fresh ones whose seed is told. `node tests/fuzz/hostile/run.mjs` runs
 * as many as wanted in processes of their own, and one by its surface and index.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { caseRandom, removeScratch, shares, SURFACES } from './hostile/surfaces.ts';

const COUNT = Number(process.env.FUZZ_COUNT ?? 2000);
const FRESH = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000_007);

afterAll(removeScratch);

async function runs(surface: number, seed: number, count: number): Promise<number> {
  let accepted = 0;
  for (let index = 0; index < count; index++) {
    try {
      accepted += Number(await SURFACES[surface].run(caseRandom(seed, surface, index)));
    } catch (failure) {
      throw new Error(`node tests/fuzz/hostile/run.mjs --seed ${seed} --surface ${surface} --index ${index}\n${(failure as Error).stack}`);
    }
  }
  return accepted;
}

describe(`hostile input (fresh cases: FUZZ_SEED=${FRESH})`, () => {
  test.each(SURFACES.map(({ name }, surface) => [name, surface] as const))('%s', async (_, surface) => {
    await SURFACES[surface].prepare?.();
    await runs(surface, 1, shares(COUNT)[surface]);
    await runs(surface, FRESH, Math.ceil(shares(COUNT)[surface] / 10));
  });

  test('cases are neither all refused nor all sound', async () => {
    const share = async (name: string): Promise<number> => {
      const surface = SURFACES.findIndex((s) => s.name === name);
      return (await runs(surface, 2, 60)) / 60;
    };
    expect(await share('parser and formatter: sentences of the grammar')).toBeGreaterThan(0.5);
    expect(await share('elaborator: sound models')).toBeGreaterThan(0.9);
    const refused = await share('safetensors headers');
    expect(refused).toBeGreaterThan(0.05);
    expect(refused).toBeLessThan(0.6);
  });
});
