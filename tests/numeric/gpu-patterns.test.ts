/** Whole patterns of models through the rules' own schedules, for every kind of target. */
import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../src/ops/types.ts';
import { WEB, type Target } from '../../src/targets.ts';
import { fromF16, toF16 } from '../../src/half.ts';
import { checkOnDevice } from '../helpers/check-plan.ts';
import { testDevice } from '../helpers/device.ts';
import { pattern, PATTERNS, valuesOf } from '../helpers/patterns.ts';

const gpu = await testDevice();

const TARGETS: Record<string, () => Target> = { web: () => WEB, native: () => gpu!.target };

/**
 * Those whose kernels differ when each operation is one: unfused operations by themselves are in gpu-ops.test.ts, and
 * the contractions of the other patterns are kernels of their own when fused too.
 */
const UNFUSED = ['mlpResidual', 'windowAttention', 'causalAttention', 'cascade', 'pools', 'order', 'lookup', 'copies', 'padded', 'longRows', 'wideConcat', 'wideSum', 'widePieces'];

describe.skipIf(!gpu).each<[string, boolean, string, string[]]>([
  ['fused, web', true, 'web', Object.keys(PATTERNS)],
  ['fused, native', true, 'native', Object.keys(PATTERNS)],
  ['an operation a kernel, web', false, 'web', UNFUSED],
])('kernels compute what the graph means: %s', (_, fuse, target, names) => {
  test.each(names)('%s', async (name) => {
    const plan = await checkOnDevice(gpu!.device, pattern(name), { target: TARGETS[target](), fuse });
    expect(plan.arenaBytes).toBeLessThanOrEqual(plan.livenessBound + 256 * plan.buffers.length);
  });
});

/** Values that f16 holds exactly, so that storing weights as f16 changes nothing. */
const halves = (name: string, shape: readonly number[], dtype: Tensor['dtype']): Tensor => {
  const { data, ...tensor } = valuesOf(name, shape, dtype);
  return { ...tensor, data: dtype === 'f32' ? Float64Array.from(data, (x) => fromF16(toF16(x))) : data };
};

describe.skipIf(!gpu)('weights stored as f16', () => {
  test.each(['mlpResidual', 'attention', 'convRelu', 'depthwise', 'patchEmbed', 'conv1d', 'copies', 'lookup'])('packed in words, without shader-f16: %s', async (name) => {
    const plan = await checkOnDevice(gpu!.device, pattern(name), { target: WEB, storage: 'f16', values: halves });
    const stored = (kind: string) => new Set(plan.buffers.filter((b) => (b.buffer.kind === 'weight') === (kind === 'weight')).map((b) => b.buffer.storage));
    expect(stored('temp').has('f16')).toBe(false);
  });

  test.skipIf(!gpu?.target.shaderF16).each(Object.keys(PATTERNS))('with shader-f16, activations too: %s', async (name) => {
    await checkOnDevice(gpu!.device, pattern(name), { target: gpu!.target, storage: 'f16', values: halves, tolerance: 5e-3 });
  });
});

describe.skipIf(!gpu)('weights and what lies between kernels stored in pairs', () => {
  // One of each family of kernels, and of each way to store; all with VITC_TEST_ALL=1.
  const some = ['mlpResidual', 'causalAttention', 'convolvedQueries', 'pointwiseConv', 'depthwise', 'groupNorm', 'pools', 'lookup', 'copies', 'padded', 'longRows', 'wideConcat'];
  test.each(process.env.VITC_TEST_ALL === '1' ? Object.keys(PATTERNS) : some)('%s', async (name) => {
    const plan = await checkOnDevice(gpu!.device, pattern(name), { target: WEB, pairs: true, attention: true, tolerance: 4e-6 });
    for (const { buffer } of plan.buffers) if (buffer.kind === 'temp') expect(buffer.storage).toBe(buffer.dtype === 'f32' ? 'pair' : 'i32');
  });
});
