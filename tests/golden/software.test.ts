/** Compiled packages against goldens on the test device: one transformer, one packed sequence. `vitc verify` does the same for all. */
import { describe, expect, test } from 'vitest';
import { packageExecutor, type Values } from '../../src/cli/executor.ts';
import { TOLERANCES, difference, goldenWeight, within } from '../../src/weights/golden.ts';
import { testDevice } from '../helpers/device.ts';
import { batchOf, goldenNames, goldenTensors, loadGolden, presetGraph, presetOf } from '../helpers/zoo.ts';

const gpu = await testDevice();
const names = ['vit_tiny_patch16_224', 'navit_tiny', 'xcit_nano_12_p16_224'].filter((n) => goldenNames().includes(n));

describe.skipIf(!gpu)('packages equal the goldens', () => {
  test.each(names)('%s', { timeout: 600_000 }, async (name) => {
    const golden = loadGolden(name);
    const saved = goldenTensors(name);
    const graph = presetGraph(presetOf(name), batchOf(golden));
    const executor = await packageExecutor({ graph, read: (key, shape) => goldenWeight(golden, key, shape, saved), dtype: 'f32', opened: gpu! });
    const outputs = await executor.run(Object.fromEntries([...golden.inputs].map(([key, input]) => [key, input.data as Values])));
    executor.close();
    for (const key of golden.outputs.keys()) {
      const d = difference(outputs[key].data, saved(key));
      expect(within(d, TOLERANCES.f32), `${key}: ${JSON.stringify(d)}`).toBe(true);
    }
  });
});
