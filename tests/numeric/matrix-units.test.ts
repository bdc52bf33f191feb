/**
 * Kernels for matrix units, executed in JavaScript beside the evaluator: values, bytes moved, and no race of two
 * invocations in workgroup memory. No device at hand has such units; what a device does beyond WGSL's meaning is not seen.
 */
import { describe, expect, test } from 'vitest';
import { compileGraph } from '../../src/compile.ts';
import { generateKernel } from '../../src/codegen/generate.ts';
import { binary as binaryOf, ifOf, letOf, ref, u32 } from '../../src/codegen/wgsl-build.ts';
import { F32, U32, type WgslStatement } from '../../src/codegen/wgsl.ts';
import { binary, indexValue, load, number, select, stageAt } from '../../src/kernel-expr.ts';
import { axis } from '../../src/kernel-index.ts';
import { sizeOf } from '../../src/graph.ts';
import type { Axis, Expr, Kernel, Layout } from '../../src/kernel.ts';
import { lower } from '../../src/lower/lower.ts';
import { chooseSchedule } from '../../src/schedule/rules.ts';
import { kernelDigest } from '../../src/schedule/kernel-key.ts';
import type { SubgroupMatrixSchedule } from '../../src/schedule.ts';
import { causal, einsumKernel, ended, type EinsumKernel } from '../helpers/contraction-kernels.ts';
import { interpretKernel } from '../helpers/interpret-kernel.ts';
import { checkKernelInterpreted } from '../helpers/interpret-plan.ts';
import { MATRIX_UNITS } from '../helpers/null-device.ts';
import { Sketch } from '../helpers/patterns.ts';
import { TINY, tinyGraph } from '../helpers/tiny-zoo.ts';

const BLOCKS: Layout = { blocks: [16, 16] };

function half(shape: EinsumKernel, layouts: Readonly<Record<string, Layout>> = {}): Kernel {
  const kernel = einsumKernel(shape);
  return { ...kernel, params: kernel.params.map((p) => ({ ...p, storage: 'f16', layout: layouts[p.name] })) };
}

const linear = (m: number, n: number, k: number): EinsumKernel => ({
  extents: { m, n, k }, left: 'm k', right: 'n k', out: 'm n', extra: { bias: 'n', skip: 'm n' },
  epilogue: (acc, at) => binary('add', binary('add', acc, load('bias', at('n'))), load('skip', at('m n'))),
});

const tiles = (fragmentsM: number, fragmentsN: number, subgroupsM: number, subgroupsN: number, tileK: number, prefetch: boolean): SubgroupMatrixSchedule =>
  ({ family: 'subgroupMatrix', M: 16, N: 16, K: 16, fragmentsM, fragmentsN, subgroupsM, subgroupsN, subgroupSize: 32, tileK, prefetch });

/** f16 results: half a unit in the last of eleven digits. */
const TOLERANCE = 5e-4;

describe('contractions', () => {
  const MEMORY = [tiles(2, 2, 1, 1, 0, false), tiles(1, 1, 2, 2, 0, false)];
  const STAGED = [tiles(2, 1, 2, 2, 32, true), tiles(1, 2, 1, 2, 16, true), tiles(1, 1, 2, 1, 32, false)];
  const heads = (i: number, j: number): EinsumKernel => ({ extents: { b: 2, h: 2, i, j, d: 32 }, left: 'b i h d', right: 'b j h d', out: 'b h i j' });

  test.each<[string, Kernel, readonly SubgroupMatrixSchedule[]]>([
    ['whole fragments', half(linear(32, 48, 48)), [...MEMORY, ...STAGED]],
    ['depth first', half({ ...linear(32, 48, 48), left: 'k m', right: 'k n' }), [...MEMORY, ...STAGED]],
    ['vectors of eight', half(linear(40, 48, 64)), [...STAGED, tiles(1, 3, 2, 1, 32, true), tiles(2, 4, 1, 1, 64, true)]],
    ['vectors of eight, hanging over', half({ ...linear(40, 72, 96), left: 'k m' }), [...STAGED, tiles(2, 4, 1, 1, 48, true)]],
    ['edges', half(linear(37, 42, 40)), STAGED],
    ['odd everywhere', half(linear(19, 21, 7)), STAGED],
    ['blocked, hanging over', half(linear(37, 42, 32), { left: BLOCKS, right: BLOCKS, out: BLOCKS }), [...MEMORY, ...STAGED]],
    ['a mask decided at some columns of a vector', half(causal(4, 4, 16)), STAGED],
    ['the same, at many columns', half(ended(16, 32, 32)), [...MEMORY, ...STAGED]],
    ['heads', half(heads(32, 32)), [...MEMORY, ...STAGED]],
    ['heads, edges', half(heads(18, 23)), STAGED],
  ])('%s', (_, kernel, schedules) => {
    for (const schedule of schedules) {
      const made = checkKernelInterpreted(kernel, schedule, { target: MATRIX_UNITS, tolerance: TOLERANCE });
      expect(made.kernels[0].schedule).toEqual(schedule);
    }
  });
});

const paired = (kernel: Kernel, names: readonly string[]): Kernel => ({ ...kernel, params: kernel.params.map((p) => (names.includes(p.name) ? { ...p, storage: 'pair' as const } : p)) });

describe('contractions of pairs', () => {
  const pairs = (...of: [number, number, number, number, number, boolean]): SubgroupMatrixSchedule => ({ ...tiles(...of), split: true });
  const SCHEDULES = [pairs(2, 1, 2, 2, 32, true), pairs(1, 2, 1, 2, 16, false), pairs(1, 1, 2, 1, 48, true), pairs(2, 4, 1, 1, 64, true)];
  /** Parts of 22 digits and a product left out, over the greatest result. */
  const CLOSE = 5e-7;

  test.each<[string, EinsumKernel]>([
    ['whole fragments', linear(32, 48, 64)],
    ['one tile', linear(32, 48, 16)],
    ['depth first, hanging over', { ...linear(40, 72, 96), left: 'k m' }],
    ['the other way', { ...linear(40, 72, 96), right: 'k n' }],
    ['edges', linear(37, 42, 40)],
    ['vectors of four', linear(19, 21, 36)],
    ['heads', { extents: { b: 2, h: 2, i: 18, j: 23, d: 32 }, left: 'b i h d', right: 'b j h d', out: 'b h i j' }],
  ])('%s', (_, shape) => {
    SCHEDULES.forEach((schedule, i) => {
      // Results are stored in pairs too, in every other.
      const kernel = paired(einsumKernel(shape), i % 2 === 0 ? ['left', 'right'] : ['left', 'right', 'out']);
      const made = checkKernelInterpreted(kernel, schedule, { target: MATRIX_UNITS, tolerance: CLOSE });
      // Nothing is scaled: no workgroup agrees on anything.
      expect(generateKernel(made.kernels[0], MATRIX_UNITS).module.workgroupVars.map((v) => v.name)).toEqual(['tiles']);
    });
  });

  test('one operand alone is split on the way, the other joined and split again', () => {
    for (const schedule of [pairs(2, 1, 2, 2, 32, true), pairs(2, 4, 1, 1, 64, true)]) {
      checkKernelInterpreted(paired(einsumKernel(linear(37, 42, 96)), ['right']), schedule, { target: MATRIX_UNITS, tolerance: CLOSE });
    }
  });

  test('odd depths are for other schedules', () => {
    const family = (depth: number): string => chooseSchedule(paired(einsumKernel(linear(197, 3072, depth)), ['left', 'right']), MATRIX_UNITS).family;
    expect([family(767), family(768)]).toEqual(['contraction', 'subgroupMatrix']);
  });
});

describe('contractions of f32 in two parts', () => {
  const split = (...of: [number, number, number, number, number]): SubgroupMatrixSchedule => ({ ...tiles(...of, true), split: true });
  const SCHEDULES = [split(2, 1, 2, 2, 32), split(1, 2, 1, 2, 16), split(1, 1, 2, 1, 48), split(2, 4, 1, 1, 64)];
  /** A product left out and parts of 22 digits: a few units in the last of 24, over the greatest result. */
  const CLOSE = 3e-7;

  test.each<[string, EinsumKernel]>([
    ['whole fragments', linear(32, 48, 64)],
    ['depth first, hanging over', { ...linear(40, 72, 96), left: 'k m' }],
    ['edges', linear(37, 42, 40)],
    ['odd everywhere', linear(19, 21, 7)],
    ['heads', { extents: { b: 2, h: 2, i: 18, j: 23, d: 32 }, left: 'b i h d', right: 'b j h d', out: 'b h i j' }],
  ])('%s', (_, shape) => {
    for (const schedule of SCHEDULES) checkKernelInterpreted(einsumKernel(shape), schedule, { target: MATRIX_UNITS, tolerance: CLOSE });
  });

  /** The left operand times `factors[0]` for the first 32 of the depth, then times `factors[1]`; the right one times `right`. */
  function scaled(shape: EinsumKernel, factors: readonly [number, number], right: number): Kernel {
    const kernel = einsumKernel(shape);
    const [acc, ...others] = kernel.stages;
    if (acc.body.kind !== 'binary') throw new Error('no product');
    const factor = select(binary('less', indexValue(axis({ name: 'k', extent: shape.extents.k })), number(32, 'i32')), number(factors[0]), number(factors[1]));
    return { ...kernel, stages: [{ ...acc, body: binary('mul', binary('mul', acc.body.a, factor), binary('mul', acc.body.b, number(right))) }, ...others] };
  }

  const plain: EinsumKernel = { extents: { m: 20, n: 24, k: 80 }, left: 'm k', right: 'n k', out: 'm n' };

  test.each<[string, readonly [number, number], number, again: boolean]>([
    ['a later tile that is far greater', [1, 1e7], 1, true],
    ['a later tile that is far less', [1e7, 1], 1, false],
    ['nothing but zeros at first', [0, 3e9], 1, true],
    ['great and small operands', [1e25, 1e25], 1e-20, false],
    ['small ones', [1e-30, 1e-30], 1e10, false],
    ['the smallest', [1e-37, 1e-37], 1, false],
  ])('%s', (_, factors, right, again) => {
    // A tile of more than 32 has values of both kinds.
    for (const schedule of SCHEDULES) checkKernelInterpreted(scaled(plain, factors, right), schedule, { target: MATRIX_UNITS, tolerance: CLOSE, times: again && schedule.tileK <= 32 ? 2 : 1 });
  });

  test('numbers far below the greatest keep their digits', () => {
    // Rows of their own: results of the small ones are told apart from those of the great ones.
    const kernel = einsumKernel(plain);
    const [acc, ...others] = kernel.stages;
    if (acc.body.kind !== 'binary') throw new Error('no product');
    const small = 2 ** -12;
    const factor = (by: number): Expr => select(binary('less', indexValue(axis({ name: 'm', extent: 20 })), number(4, 'i32')), number(by), number(1));
    const body = binary('mul', binary('mul', acc.body.a, factor(small)), acc.body.b);
    const grown = binary('mul', stageAt('acc', acc.axes.map(axis)), factor(1 / small));
    const stages = [{ ...acc, body }, { ...others[0], body: grown }];
    for (const schedule of SCHEDULES) checkKernelInterpreted({ ...kernel, stages }, schedule, { target: MATRIX_UNITS, tolerance: CLOSE });
  });

  test('norms of the rows are computed first', () => {
    const sketch = new Sketch();
    const x = sketch.input('x', [20, 48]);
    const graph = sketch.graph(sketch.einsum('m k, n k -> m n', sketch.layerNorm(x), sketch.param([40, 48])));
    const program = lower(graph, { fuse: true, attention: () => false, prologue: () => true, target: MATRIX_UNITS, storage: 'f32' });
    expect(program.calls).toHaveLength(1);
    for (const schedule of SCHEDULES) checkKernelInterpreted(program.calls[0].kernel, schedule, { target: MATRIX_UNITS, tolerance: 2 * CLOSE });
  });
});

/** Multiply-adds of a kernel that JavaScript does in less than a second. */
const MOST_PRODUCTS = 1 << 18;

const points = (axes: readonly Axis[]): number => sizeOf(axes.map((a) => a.extent));

/** Whether it is done in reasonable time, and fills what it stores to: a piece of a concat alone has no meaning here. */
function isAlone({ stages, stores, params }: Kernel): boolean {
  const products = stages.reduce((n, { axes, reduce }) => n + points(axes) * points(reduce?.axes ?? []), 0);
  return products <= MOST_PRODUCTS && stores.every((s) => points(stages.find((t) => t.name === s.stage)!.axes) === sizeOf(params.find((p) => p.name === s.buffer)!.shape));
}

/** Kernels of one architecture that another has had checked are not checked again. */
const checked = new Set<string>();

/** Whose kernels take the interpreter long, and are of the forms of others; all with VITC_TEST_ALL=1. */
const SLOW = ['BLIP', 'DepthAnything', 'DETR', 'MobileViTv2', 'PoolFormer', 'PVTv2', 'SegFormer'];

describe('kernels of the zoo made tiny', () => {
  test.each(TINY.filter((t) => process.env.VITC_TEST_ALL === '1' || !SLOW.includes(t.name)))('$name', (tiny) => {
    const kernels = (['f32', 'f16'] as const).flatMap((inputs) => compileGraph(tinyGraph(tiny, 2), { target: MATRIX_UNITS, dtype: 'f16', inputs, chains: false }).value!.plan.kernels);
    for (const { kernel, schedule } of kernels) {
      const digest = kernelDigest(kernel);
      if (!['subgroupMatrix', 'attentionMatrix'].includes(schedule.family) || checked.has(digest) || !isAlone(kernel)) continue;
      checked.add(digest);
      checkKernelInterpreted(kernel, schedule, { target: MATRIX_UNITS, tolerance: 2 * TOLERANCE });
    }
  });
});

describe('what the interpreter sees', () => {
  const code = generateKernel({ kernel: half(linear(37, 42, 40)), spaces: Array(5).fill('arena'), schedule: tiles(2, 1, 2, 2, 16, true) }, MATRIX_UNITS);
  const run = (change: (statements: readonly WgslStatement[]) => WgslStatement[]): void => {
    const memory = new Map(code.module.bindings.map((b) => [b.name, new Float32Array(b.elements)]));
    interpretKernel({ ...code, module: { ...code.module, body: change(code.module.body) } }, memory);
  };
  const everywhere = (statements: readonly WgslStatement[], f: (s: WgslStatement) => WgslStatement[]): WgslStatement[] =>
    statements.flatMap((s) => f(s.kind === 'for' || s.kind === 'block' ? { ...s, body: everywhere(s.body, f) } : s));

  test('every barrier that is left out', () => {
    let barriers = 0;
    everywhere(code.module.body, (s) => (s.kind === 'barrier' && barriers++, [s]));
    expect(barriers).toBeGreaterThan(2);
    expect(() => run((body) => [...body])).not.toThrow();
    for (let left = 0; left < barriers; left++) {
      let n = 0;
      expect(() => run((body) => everywhere(body, (s) => (s.kind === 'barrier' && n++ === left ? [] : [s]))), `barrier ${left}`).toThrow(/without a barrier/);
    }
  });

  test('a product that only some of a subgroup come to', () => {
    const lane = code.module.builtins.find((b) => b.builtin === 'local_invocation_index')!;
    const few = binaryOf('<', ref(lane.name, U32), u32(40));
    expect(() => run((body) => everywhere(body, (s) => (s.kind === 'assign' && s.value.kind === 'call' && s.value.name.startsWith('subgroupMatrix') ? [ifOf(few, [s])] : [s])))).toThrow(/did not do all that its subgroup did/);
  });

  test('places past the end', () => {
    const [{ name }] = code.module.bindings;
    expect(() => run((body) => [letOf('past', { kind: 'load', type: F32, binding: name, at: u32(37 * 40), width: 1, raw: false }), ...body])).toThrow(/is past its 1480/);
  });
});
