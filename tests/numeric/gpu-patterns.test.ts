/** Whole patterns of models through the rules' own schedules, for every kind of target. */
import { describe, expect, test } from 'vitest';
import { WEB, type Target } from '../../src/targets.ts';
import { checkOnDevice } from '../helpers/check-plan.ts';
import { testDevice } from '../helpers/device.ts';
import { pattern, PATTERNS } from '../helpers/patterns.ts';

const gpu = await testDevice();

const TARGETS: Record<string, () => Target> = { web: () => WEB, native: () => gpu!.target };

describe.skipIf(!gpu).each([
  ['fused, web', true, 'web'],
  ['fused, native', true, 'native'],
  ['an operation a kernel, web', false, 'web'],
])('kernels compute what the graph means: %s', (_, fuse, target) => {
  test.each(Object.keys(PATTERNS))('%s', async (name) => {
    const plan = await checkOnDevice(gpu!.device, pattern(name), { target: TARGETS[target](), fuse });
    expect(plan.arenaBytes).toBeLessThanOrEqual(plan.livenessBound + 256 * plan.buffers.length);
  });
});
