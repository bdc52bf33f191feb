import { describe, expect, test } from 'vitest';
import { openDevice } from '../src/cli/devices.ts';
import { WEB_LIMITS } from '../src/targets.ts';
import { testDevice } from './helpers/device.ts';

const gpu = await testDevice();

test('the CPU is always a device', async () => {
  expect(await openDevice('cpu')).toMatchObject({ kind: 'cpu' });
});

describe.skipIf(!gpu)('a WebGPU device', () => {
  test('is described by a native target with at least the default limits', () => {
    const { target, kind } = gpu!;
    expect(target.name).toBe('native');
    expect(target.software).toBe(kind === 'software');
    for (const [name, value] of Object.entries(WEB_LIMITS)) {
      const offered = target.limits[name as keyof typeof WEB_LIMITS];
      if (name.startsWith('min')) expect(offered).toBeLessThanOrEqual(value);
      else expect(offered, name).toBeGreaterThanOrEqual(value);
    }
    expect(JSON.parse(JSON.stringify(target))).toEqual(target);
  });
});
