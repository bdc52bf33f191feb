/**
 * Subgroup-matrix kernels: what is eligible, and that the generated code is valid. Dawn's null backend offers the
 * features to the validator; the numbers want a device with matrix units (bench/gemm.ts checks them there).
 */
import { describe, expect, it } from 'vitest';
import { generateSubgroupMatrix } from '../src/codegen/families/subgroup-matrix.ts';
import { printModule } from '../src/codegen/wgsl-print.ts';
import { fragmentProblem } from '../src/kernel-fragments.ts';
import { binary, load } from '../src/kernel-expr.ts';
import type { Kernel, Layout } from '../src/kernel.ts';
import { subgroupMatrixSchedule } from '../src/schedule/subgroup-matrix.ts';
import type { SubgroupMatrixSchedule } from '../src/schedule.ts';
import { WEB } from '../src/targets.ts';
import { einsumKernel } from './helpers/contraction-kernels.ts';
import type { EinsumKernel } from './helpers/contraction-kernels.ts';
import { MATRIX_UNITS as TARGET, validate } from './helpers/null-device.ts';

const BLOCKS: Layout = { blocks: [16, 16] };

function half(shape: EinsumKernel, layouts: Readonly<Record<string, Layout>> = {}): Kernel {
  const kernel = einsumKernel(shape);
  return { ...kernel, params: kernel.params.map((p) => ({ ...p, storage: 'f16', layout: layouts[p.name] })) };
}

const LINEAR: EinsumKernel = {
  extents: { m: 64, n: 96, k: 48 }, left: 'm k', right: 'n k', out: 'm n', extra: { bias: 'n', skip: 'm n' },
  epilogue: (acc, at) => binary('add', binary('add', acc, load('bias', at('n'))), load('skip', at('m n'))),
};

describe('fragments', () => {
  it('are found where rows of 16 lie contiguously, in whichever order', () => {
    const found = fragmentProblem(half(LINEAR))!;
    expect(found.blocks).toEqual({ m: 4, n: 6, k: 3 });
    expect([found.left.stride, found.left.columnMajor, found.right.stride, found.right.columnMajor]).toEqual([48, false, 48, true]);
    const transposed = fragmentProblem(half({ ...LINEAR, left: 'k m', right: 'k n' }))!;
    expect([transposed.left.stride, transposed.left.columnMajor, transposed.right.stride, transposed.right.columnMajor]).toEqual([64, true, 96, false]);
    const blocked = fragmentProblem(half({ ...LINEAR, extents: { m: 61, n: 96, k: 48 } }, { left: BLOCKS, right: BLOCKS }))!;
    expect([blocked.left.stride, blocked.left.columnMajor, blocked.right.stride, blocked.right.columnMajor]).toEqual([16, false, 16, true]);
  });

  it('are not found where the last one would leave the buffer, the depth has a rest, or storage is f32', () => {
    expect(fragmentProblem(half({ ...LINEAR, extents: { m: 61, n: 96, k: 48 } }))).toBeUndefined();
    expect(fragmentProblem(half({ ...LINEAR, extents: { m: 64, n: 96, k: 40 } }))).toBeUndefined();
    expect(fragmentProblem(einsumKernel(LINEAR))).toBeUndefined();
  });

  const SCHEDULE: SubgroupMatrixSchedule = { family: 'subgroupMatrix', M: 16, N: 16, K: 16, fragmentsM: 2, fragmentsN: 2, subgroupsM: 2, subgroupsN: 2, subgroupSize: 32, tileK: 0, prefetch: false };
  const STAGED: SubgroupMatrixSchedule = { ...SCHEDULE, tileK: 32, prefetch: true };

  it('make valid code, blocked and with heads', async () => {
    const heads: EinsumKernel = { extents: { b: 2, h: 3, i: 64, j: 48, d: 32 }, left: 'b i h d', right: 'b j h d', out: 'b h i j' };
    const kernels = [half(LINEAR), half({ ...LINEAR, extents: { m: 61, n: 90, k: 48 } }, { left: BLOCKS, right: BLOCKS, out: BLOCKS }), half(heads)];
    for (const kernel of kernels) {
      const code = generateSubgroupMatrix(kernel, kernel.params.map(() => 'arena' as const), SCHEDULE, TARGET);
      expect(await validate(printModule(code.module)), kernel.name).toEqual([]);
      expect(await validate(printModule(code.module, { instrument: true })), kernel.name).toEqual([]);
    }
  });

  it('make valid code of f32 operands in two parts', async () => {
    const shapes: EinsumKernel[] = [LINEAR, { ...LINEAR, left: 'k m', right: 'k n' }, { ...LINEAR, extents: { m: 61, n: 90, k: 40 } }, { ...LINEAR, extents: { m: 61, n: 90, k: 7 } }];
    for (const kernel of shapes.map(einsumKernel)) {
      for (const tileK of [16, 32, 64]) {
        const code = generateSubgroupMatrix(kernel, kernel.params.map(() => 'arena' as const), { ...STAGED, tileK, split: true }, TARGET);
        expect(await validate(printModule(code.module)), kernel.name).toEqual([]);
      }
    }
  });

  it('make valid code through workgroup memory, however operands lie and whatever is left over', async () => {
    const heads: EinsumKernel = { extents: { b: 2, h: 3, i: 50, j: 47, d: 32 }, left: 'b i h d', right: 'b j h d', out: 'b h i j' };
    const kernels = [
      half(LINEAR), half({ ...LINEAR, left: 'k m', right: 'k n' }), half({ ...LINEAR, extents: { m: 61, n: 90, k: 40 } }), half({ ...LINEAR, extents: { m: 61, n: 90, k: 7 } }),
      half({ ...LINEAR, extents: { m: 61, n: 90, k: 48 } }, { left: BLOCKS, right: BLOCKS, out: BLOCKS }), half(heads),
    ];
    for (const kernel of kernels) {
      for (const schedule of [STAGED, { ...STAGED, tileK: 16, prefetch: false }]) {
        const code = generateSubgroupMatrix(kernel, kernel.params.map(() => 'arena' as const), schedule, TARGET);
        expect(await validate(printModule(code.module)), kernel.name).toEqual([]);
      }
    }
  });

  it('copy f16 as it lies to workgroup memory, once a workgroup', () => {
    const kernel = half(LINEAR);
    const { issued, module } = generateSubgroupMatrix(kernel, kernel.params.map(() => 'arena' as const), { ...STAGED, tileK: 16 }, TARGET);
    const text = printModule(module);
    expect(text).not.toMatch(/vec4<f16>\(vec4<f32>\(left/);
    // Two workgroups of 64 x 64 results, all of the depth of both operands; the last columns once more.
    expect(issued.loadBytes).toBe(2 * (2 * 64 * 48 * 2) + 2 * 128 * 8 + 2 * 64 * 128);
  });

  it('count what they issue', () => {
    const kernel = half(LINEAR);
    const { issued, workgroups } = generateSubgroupMatrix(kernel, kernel.params.map(() => 'arena' as const), SCHEDULE, TARGET);
    expect(workgroups).toEqual([2, 1, 1]);
    // 4 subgroups of each of 2 workgroups, 3 steps, 4 fragments of 512 bytes; a vector of the bias a lane; the skip, whose last columns come once more.
    expect(issued).toEqual({ loadBytes: 2 * 4 * 3 * 4 * 512 + 2 * 128 * 8 + 2 * 64 * 128, storeBytes: 2 * 64 * 96 });
  });

  it('are chosen where the target has them', () => {
    expect(subgroupMatrixSchedule(half(LINEAR), TARGET)?.family).toBe('subgroupMatrix');
    expect(subgroupMatrixSchedule(half(LINEAR), WEB)).toBeUndefined();
    // f32 ones are split in two parts, where that is faster than register tiles: not where threads have few results each.
    const large: EinsumKernel = { ...LINEAR, extents: { m: 4096, n: 768, k: 768 } };
    expect(subgroupMatrixSchedule(einsumKernel(large), TARGET)).toMatchObject({ split: true, tileK: 32 });
    expect(subgroupMatrixSchedule(half(large), TARGET)).not.toHaveProperty('split');
    expect(subgroupMatrixSchedule(einsumKernel({ ...LINEAR, extents: { m: 20, n: 20, k: 20 } }), TARGET)).toBeUndefined();
    expect(subgroupMatrixSchedule(einsumKernel(large), { ...TARGET, shaderF16: false })).toBeUndefined();
    const tile = (kernel: Kernel): number | undefined => subgroupMatrixSchedule(kernel, TARGET)?.tileK;
    expect(tile(half({ ...LINEAR, extents: { m: 64, n: 96, k: 64 } }))).toBe(64);
    expect(tile(half(LINEAR))).toBe(48);
    expect(tile(half(LINEAR, { left: BLOCKS, right: BLOCKS }))).toBe(0);
  });
});
