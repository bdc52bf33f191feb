/** What the rules choose for contractions stays inside of every target's limits, and changes with the extents as meant. */
import { describe, expect, it } from 'vitest';
import { generateContraction } from '../src/codegen/families/contraction.ts';
import type { WgslType } from '../src/codegen/wgsl.ts';
import { contractionSchedule } from '../src/schedule/contraction.ts';
import type { ContractionSchedule } from '../src/schedule.ts';
import { WEB } from '../src/targets.ts';
import type { Target } from '../src/targets.ts';
import { einsumKernel } from './helpers/contraction-kernels.ts';

const LARGE: Target = { ...WEB, name: 'large', limits: { ...WEB.limits, maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 1024, maxComputeWorkgroupSizeX: 1024 } };
const SMALL: Target = { ...WEB, name: 'small', limits: { ...WEB.limits, maxComputeWorkgroupStorageSize: 4096, maxComputeInvocationsPerWorkgroup: 64, maxComputeWorkgroupSizeX: 64 } };
const SOFTWARE: Target = { ...WEB, name: 'software', software: true };

function choose(M: number, N: number, K: number, target: Target, b = 1): ContractionSchedule {
  return contractionSchedule(einsumKernel({ extents: { b, m: M, n: N, k: K }, left: 'b m k', right: 'b n k', out: 'b m n' }), target)!;
}

function bytesOf(type: WgslType): number {
  if (type.kind === 'array') return type.length * bytesOf(type.of);
  return type.kind === 'value' ? 4 * type.width : 0;
}

describe('tiles of contractions', () => {
  it('fit every target at every extent', () => {
    for (const target of [WEB, LARGE, SMALL, SOFTWARE]) {
      for (const [M, N, K, b] of [[1, 1000, 768, 1], [3, 7, 5, 1], [197, 192, 192, 1], [197, 197, 64, 12], [12608, 3072, 768, 1], [49, 49, 32, 64], [2, 2, 2, 3], [1000, 1, 64, 1], [17, 5, 1, 1], [64, 64, 27, 1]]) {
        const kernel = einsumKernel({ extents: { b, m: M, n: N, k: K }, left: 'b m k', right: 'b n k', out: 'b m n' });
        const schedule = contractionSchedule(kernel, target)!;
        const { module, workgroups } = generateContraction(kernel, kernel.params.map(() => 'arena' as const), schedule, target);
        const what = `${target.name} ${b} x ${M} x ${N} x ${K} ${JSON.stringify(schedule)}`;
        expect(module.workgroupSize[0], what).toBeLessThanOrEqual(target.limits.maxComputeInvocationsPerWorkgroup);
        expect(module.workgroupVars.reduce((sum, v) => sum + bytesOf(v.type), 0), what).toBeLessThanOrEqual(target.limits.maxComputeWorkgroupStorageSize);
        expect(Math.max(...workgroups), what).toBeLessThanOrEqual(target.limits.maxComputeWorkgroupsPerDimension);
      }
    }
  });

  it('stay in registers on a CPU, and small where there is little to tile', () => {
    expect(choose(197, 768, 768, SOFTWARE)).toMatchObject({ tileK: 0, threadM: 8, threadN: 8, splitK: 1 });
    expect(choose(1, 1000, 768, SOFTWARE)).toMatchObject({ tileK: 0, threadM: 1, threadN: 8 });
  });

  it('are large for large products, and shared for small ones', () => {
    expect(choose(12608, 3072, 768, WEB)).toMatchObject({ threadM: 8, threadN: 8, groupM: 16, groupN: 16 });
    expect(choose(197, 192, 192, WEB).splitK).toBeGreaterThan(1);
    expect(choose(197, 197, 64, WEB, 768).splitK).toBe(1);
  });

  it('share the depth of few rows among many threads', () => {
    const schedule = choose(1, 1000, 768, WEB);
    expect(schedule.tileK).toBe(0);
    expect(schedule.groupN * schedule.splitK).toBe(256);
  });
});
