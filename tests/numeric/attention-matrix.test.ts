/** Attention in matrix units, executed in JavaScript: tiles that do not divide the problem, layouts of operands, masks. */
import { describe, expect, test } from 'vitest';
import type { AttentionMatrixSchedule } from '../../src/schedule.ts';
import { attention, bias, causal, data, graphOf, masked, type AttentionShape } from '../helpers/attention-graphs.ts';
import { checkInterpreted } from '../helpers/interpret-plan.ts';
import { MATRIX_UNITS } from '../helpers/null-device.ts';

const tiles = (fragments: number, subgroups: number, keys: number, keep: boolean): AttentionMatrixSchedule => ({ family: 'attentionMatrix', fragments, subgroups, subgroupSize: 32, keys, keep });

const SCHEDULES = [tiles(1, 2, 32, false), tiles(2, 2, 16, false), tiles(1, 3, 32, true), tiles(2, 1, 64, false), tiles(1, 1, 64, false), tiles(2, 3, 16, true)];
const [small, tall, kept, wide, parts, both] = SCHEDULES;

/** Weights and results are f16: half a unit in the last of eleven digits each. */
const TOLERANCE = 1e-3;

/** `inside`: operands and results are stored as f16, which is brought to workgroup memory as it lies, in eights where it can be. */
describe.each([false, true])('operands of f16: %s', (inside) => {
  describe.each<[string, AttentionShape, readonly AttentionMatrixSchedule[]]>([
    ['whole tiles', { rows: 64, keys: 64, depth: 16, values: 16 }, SCHEDULES],
    ['edges in fours', { rows: 19, keys: 77, depth: 12, values: 20 }, SCHEDULES],
    ['edges in eights, bias', { rows: 37, keys: 69, depth: 24, values: 40, mask: bias }, SCHEDULES],
    ['channels first, bias', { rows: 20, keys: 36, depth: 4, values: 8, channels: true, mask: bias }, SCHEDULES],
    ['channels first in eights', { rows: 24, keys: 72, depth: 9, values: 7, channels: true }, SCHEDULES],
    ['more values than keys at once', { rows: 40, keys: 48, depth: 40, values: 72 }, [small, tall]],
    ['causal', { rows: 37, keys: 37, depth: 8, values: 8, mask: causal }, [small, kept]],
    ['causal over four keys', { rows: 4, keys: 4, depth: 8, values: 8, mask: causal }, [small, kept]],
    ['rows without keys', { rows: 7, keys: 37, depth: 8, values: 8, mask: masked }, [tall, both]],
    ['masked by data', { rows: 6, keys: 30, depth: 8, values: 12, mask: data }, [parts, wide]],
  ])('%s', (_, shape, schedules) => {
    test.each(schedules)('%j', (schedule) => {
      const made = checkInterpreted(attention(shape), { target: MATRIX_UNITS, attention: true, inside, tolerance: TOLERANCE, schedule: (k) => (k.stages.length >= 5 ? schedule : undefined) });
      expect(made.kernels.map((k) => k.schedule.family)).toContain('attentionMatrix');
    });
  });
});

test('heads of one projection, as the rules choose', () => {
  const made = checkInterpreted(graphOf((s) => s.attention(s.input('x', [2, 21, 16]), 2, s.param([2, 21, 21]))), { target: MATRIX_UNITS, attention: true, tolerance: 2 * TOLERANCE });
  expect(made.kernels.map((k) => k.schedule.family)).toContain('attentionMatrix');
});

test('keys that heads share, as the rules choose', () => {
  const graph = graphOf((s) => {
    const [q, k, v] = [s.input('q', [2, 3, 15, 8]), s.input('k', [2, 27, 8]), s.input('v', [2, 27, 24])];
    return s.einsum('b h i j, b j d -> b i h d', s.softmax(s.einsum('b h i e, b j e -> b h i j', q, k)), v);
  });
  const made = checkInterpreted(graph, { target: MATRIX_UNITS, attention: true, inside: true, tolerance: TOLERANCE });
  expect(made.kernels.map((k) => k.schedule.family)).toEqual(['attentionMatrix']);
});
