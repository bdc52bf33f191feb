/** Candidates of every kernel of the tiny zoo: the rules' choice first, all generate, all keep to the target's limits. */
import { describe, expect, it } from 'vitest';
import { compileGraph } from '../src/compile.ts';
import { generateKernel } from '../src/codegen/generate.ts';
import type { WgslType } from '../src/codegen/wgsl.ts';
import type { PlannedKernel } from '../src/plan.ts';
import { candidates, distance, scheduleKey } from '../src/schedule/candidates.ts';
import { kernelDigest } from '../src/schedule/kernel-key.ts';
import { WEB, type Target } from '../src/targets.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';

const GPU: Target = {
  ...WEB, name: 'gpu', shaderF16: true, subgroups: { minSize: 32, maxSize: 32 },
  limits: { ...WEB.limits, maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 1024, maxComputeWorkgroupSizeX: 1024 },
  subgroupMatrix: [{ M: 16, N: 16, K: 16, componentType: 'f16', resultComponentType: 'f32' }],
};
const SMALL: Target = { ...WEB, name: 'small', limits: { ...WEB.limits, maxComputeWorkgroupStorageSize: 4096, maxComputeInvocationsPerWorkgroup: 64, maxComputeWorkgroupSizeX: 64 } };
const SOFTWARE: Target = { ...WEB, name: 'software', software: true };

function bytesOf(type: WgslType): number {
  if (type.kind === 'matrix') throw new Error('a matrix in workgroup memory');
  return type.kind === 'array' ? type.length * bytesOf(type.of) : (type.scalar === 'f16' ? 2 : 4) * (type.width === 3 ? 4 : type.width);
}

/** Models that have every form of kernel between them, and candidates of one kernel: all would take minutes, and neighbours differ little. */
const MODELS = ['EfficientViT', 'MobileViT', 'Swin', 'ViT'];
const SHARE = process.env.VITC_TEST_ALL === '1' ? 12 : 5;

describe('candidates', () => {
  it.each([['web', 'f32', WEB], ['gpu', 'f16', GPU], ['small', 'f32', SMALL], ['software', 'f32', SOFTWARE]] as const)('generate inside of the limits of %s in %s', (_, dtype, target) => {
    const seen = new Map<string, PlannedKernel>();
    for (const tiny of TINY.filter((t) => MODELS.includes(t.name))) for (const chains of tiny.name === 'ViT' ? [true, false] : [false]) {
      for (const kernel of compileGraph(tinyGraph(tiny), { target, dtype, chains }).value!.plan.kernels) seen.set(kernelDigest(kernel.kernel), kernel);
    }
    const families = new Set<string>();
    let tried = 0;
    for (const planned of seen.values()) {
      const list = candidates(planned.kernel, target);
      expect(list[0]).toEqual(planned.schedule);
      expect(new Set(list.map(scheduleKey)).size).toBe(list.length);
      const step = Math.ceil(list.length / SHARE);
      // The rules' choice, and some of the others.
      for (const schedule of list.filter((_, i) => i === 0 || i % step === tried % step)) {
        const { module, workgroups } = generateKernel({ ...planned, schedule }, target);
        const what = `${planned.id} ${JSON.stringify(schedule)}`;
        const { limits } = target;
        expect(module.workgroupSize.reduce((a, b) => a * b), what).toBeLessThanOrEqual(limits.maxComputeInvocationsPerWorkgroup);
        expect(module.workgroupVars.reduce((sum, v) => sum + 16 * Math.ceil(bytesOf(v.type) / 16), 0), what).toBeLessThanOrEqual(limits.maxComputeWorkgroupStorageSize);
        expect(Math.max(...workgroups), what).toBeLessThanOrEqual(limits.maxComputeWorkgroupsPerDimension);
        families.add(schedule.family);
      }
      tried += list.length;
    }
    const expected = ['contraction', 'generic', 'row', 'window', ...(target === GPU ? ['subgroupMatrix', 'attentionMatrix'] : []), ...(target.software ? [] : ['attention', 'attentionTiles', 'chain'])];
    expect([...families].sort()).toEqual(expected.sort());
  });

  it('tell how far apart schedules are', () => {
    const [a, b, c] = [{ family: 'generic', vector: 1, workgroup: 64 }, { family: 'generic', vector: 4, workgroup: 64 }, { family: 'window', stripH: 1, stripW: 1, workgroup: 64 }] as const;
    expect([distance(a, a), distance(a, b), distance(a, c)]).toEqual([0, 1, Infinity]);
    expect(scheduleKey({ workgroup: 64, vector: 1, family: 'generic' })).toBe(scheduleKey(a));
  });
});
