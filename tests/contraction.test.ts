/** Contractions on a device against the evaluator: every orientation of operands, edges, epilogues, exact counts. */
import { describe, expect, it } from 'vitest';
import { contractionProblem } from '../src/kernel-contraction.ts';
import { binary, cast, inRange, load, number, select, stageAt, unary } from '../src/kernel-expr.ts';
import { add, axis, constant, floorDiv, mod, scale, value } from '../src/kernel-index.ts';
import type { Axis, Expr, Kernel } from '../src/kernel.ts';
import type { ContractionSchedule } from '../src/schedule.ts';
import { causal, einsumKernel, ended } from './helpers/contraction-kernels.ts';
import type { EinsumKernel } from './helpers/contraction-kernels.ts';
import { testDevice } from './helpers/device.ts';
import { checkKernel } from './helpers/run-kernel.ts';

const gpu = await testDevice();

const direct = (threadM: number, threadN: number, groupM: number, groupN: number, vector: 1 | 2 | 4 = 4, splitK = 1): ContractionSchedule => ({
  family: 'contraction', threadM, threadN, groupM, groupN, tileK: 0, splitK, vector,
});
const staged = (threadM: number, threadN: number, groupM: number, groupN: number, tileK: number, splitK = 1, prefetch = false): ContractionSchedule => ({
  family: 'contraction', threadM, threadN, groupM, groupN, tileK, splitK, vector: 4, prefetch,
});

/** Small tiles: the software device takes long to compile large ones. */
const SCHEDULES = {
  'direct 4x4': direct(4, 4, 2, 4),
  'direct 2x8': direct(2, 8, 2, 2),
  'direct 1x1 scalars': direct(1, 1, 8, 8, 1),
  'direct 2x2 pairs': direct(2, 2, 4, 8, 2),
  'direct 1x4 shared by 8': direct(1, 4, 1, 8, 4, 8),
  'direct 4x1 shared by 4': direct(4, 1, 2, 4, 1, 4),
  // More sums than memory is given: half of them are added to the others first.
  'direct 4x4 shared by 32': direct(4, 4, 2, 4, 4, 32),
  'direct 8x4 shared by 2': direct(8, 4, 8, 8, 4, 2),
  'staged 4x4': staged(4, 4, 4, 4, 8),
  'staged 4x4 prefetched, uneven': staged(4, 4, 3, 4, 8, 1, true),
  'staged 4x4 shared by 4': staged(4, 4, 2, 4, 16, 4),
  'staged 4x4 shared by 2, prefetched': staged(4, 4, 4, 2, 4, 2, true),
} satisfies Record<string, ContractionSchedule>;

const check = (kernel: Kernel, schedule: ContractionSchedule, instrument = true): Promise<void> => checkKernel(gpu!.device, gpu!.target, kernel, schedule, { instrument });

const ORIENTATIONS: Record<string, EinsumKernel> = {
  'linear with the weight as [n, k]': { extents: { m: 13, n: 24, k: 20 }, left: 'm k', right: 'n k', out: 'm n' },
  'rows by rows': { extents: { m: 16, n: 16, k: 16 }, left: 'm k', right: 'k n', out: 'm n' },
  'left transposed': { extents: { m: 20, n: 12, k: 7 }, left: 'k m', right: 'k n', out: 'm n' },
  'both transposed, result transposed': { extents: { m: 20, n: 12, k: 36 }, left: 'k m', right: 'n k', out: 'n m' },
  'primes': { extents: { m: 13, n: 17, k: 19 }, left: 'm k', right: 'k n', out: 'm n' },
  'one row': { extents: { m: 1, n: 40, k: 68 }, left: 'm k', right: 'n k', out: 'm n' },
  'one column': { extents: { m: 9, n: 1, k: 64 }, left: 'm k', right: 'n k', out: 'm n' },
  'depth 1': { extents: { m: 5, n: 8, k: 1 }, left: 'm k', right: 'n k', out: 'm n' },
  'heads: Q K^T': { extents: { b: 2, h: 3, i: 17, j: 17, d: 8 }, left: 'b i h d', right: 'b j h d', out: 'b h i j' },
  'heads: A V, result joined': { extents: { b: 2, h: 3, i: 17, j: 17, d: 8 }, left: 'b h i j', right: 'b j h d', out: 'b i h d' },
  'pointwise convolution': { extents: { b: 2, o: 12, c: 10, y: 6, x: 6 }, left: 'o c', right: 'b c y x', out: 'b o y x' },
  'two reduced axes apart': { extents: { m: 10, n: 12, p: 3, q: 5 }, left: 'p m q', right: 'q p n', out: 'm n' },
  'rank 1 left': { extents: { n: 33, k: 31 }, left: 'k', right: 'k n', out: 'n' },
};

/** One schedule meets every shape, the others those that differ for them most: the software device compiles slowly. */
function shapesFor(schedule: string): string[] {
  if (schedule === 'direct 4x4') return Object.keys(ORIENTATIONS);
  const few = ['linear with the weight as [n, k]', 'primes', 'heads: A V, result joined'];
  return schedule.startsWith('staged') ? few : [...few, 'left transposed', 'one row', 'pointwise convolution'];
}
const [first, shared, last] = [SCHEDULES['direct 4x4'], SCHEDULES['direct 1x4 shared by 8'], SCHEDULES['staged 4x4 prefetched, uneven']];

describe.skipIf(!gpu)('contractions', () => {
  for (const [schedule, plan] of Object.entries(SCHEDULES)) {
    it(`orientations: ${schedule}`, async () => {
      for (const name of shapesFor(schedule)) {
        await check(einsumKernel(ORIENTATIONS[name]), plan).catch((failure: Error) => { throw new Error(`${name}: ${failure.message}`); });
      }
    });
  }

  it('large tiles, as shipped', async () => {
    const shape = { extents: { m: 133, n: 140, k: 36 }, left: 'm k', right: 'n k', out: 'm n' };
    await check(einsumKernel(shape), direct(8, 8, 4, 4), false);
    await check(einsumKernel({ ...shape, right: 'k n' }), staged(8, 8, 8, 8, 16, 1, true), false);
  });

  const EPILOGUES: Record<string, EinsumKernel> = {
    'bias and GELU': {
      extents: { m: 13, n: 20, k: 12 }, left: 'm k', right: 'n k', out: 'm n', extra: { bias: 'n' },
      epilogue: (acc, at) => {
        const x = binary('add', acc, load('bias', at('n')));
        return binary('mul', binary('mul', x, number(0.5)), binary('add', number(1), unary('erf', binary('mul', x, number(Math.SQRT1_2)))));
      },
    },
    'scale per row, residual': {
      extents: { m: 13, n: 18, k: 12 }, left: 'm k', right: 'n k', out: 'm n', extra: { gamma: 'm', skip: 'm n' },
      epilogue: (acc, at) => binary('add', binary('mul', acc, load('gamma', at('m'))), load('skip', at('m n'))),
    },
    'causal mask': {
      extents: { b: 2, m: 9, n: 12, k: 8 }, left: 'b m k', right: 'b n k', out: 'b m n',
      epilogue: (acc, at) => select(binary('less', { kind: 'index', of: at('m')[0] }, { kind: 'index', of: at('n')[0] }), number(-3), acc),
    },
  };
  for (const [name, shape] of Object.entries(EPILOGUES)) {
    it(`epilogue: ${name}`, async () => {
      for (const schedule of [first, shared, last]) await check(einsumKernel(shape), schedule);
    });
  }

  const HALF_DECIDED = { 'causal, four columns': causal(4, 4, 8), 'causal, two columns': causal(2, 2, 8), 'the last two columns': ended(5, 12, 8) };
  for (const [schedule, plan] of Object.entries(SCHEDULES)) {
    it(`a mask decided at some columns of a vector: ${schedule}`, async () => {
      for (const [name, shape] of Object.entries(HALF_DECIDED)) {
        await check(einsumKernel(shape), plan).catch((failure: Error) => { throw new Error(`${name}: ${failure.message}`); });
      }
    });
  }

  it('convolution with padding, stride and a bias', async () => {
    for (const schedule of [first, last]) {
      await check(convolution({ B: 2, C: 5, H: 9, W: 11, O: 6, size: 3, stride: 1, pad: 1 }), schedule);
      await check(convolution({ B: 1, C: 3, H: 16, W: 16, O: 8, size: 3, stride: 2, pad: 1 }), schedule);
      await check(convolution({ B: 1, C: 3, H: 16, W: 16, O: 12, size: 8, stride: 8, pad: 0 }), schedule);
    }
  });

  it('convolution of groups, their channels tiled', async () => {
    const kernel = convolution({ B: 2, C: 8, H: 5, W: 6, O: 12, size: 3, stride: 1, pad: 1, groups: 2 });
    const problem = contractionProblem(kernel)!;
    expect([problem.B, problem.M, problem.N]).toEqual([2, 6, 60]);
    for (const schedule of [first, last]) await check(kernel, schedule);
  });

  it('operands through a concat, a gather, a split of heads and arithmetic', async () => {
    for (const schedule of [first, shared, last]) await check(oddOperands(), schedule);
  });

  it('two outputs of one sum', async () => {
    const base = einsumKernel({ extents: { m: 10, n: 12, k: 8 }, left: 'm k', right: 'k n', out: 'm n' });
    const [acc, result] = base.stages;
    const kernel: Kernel = {
      ...base,
      params: [...base.params, { name: 'gate', shape: [12, 10], dtype: 'f32', storage: 'f32', access: 'write' }],
      stages: [acc, result, { ...result, name: 'gated', body: unary('sigmoid', result.body) }],
      stores: [...base.stores, { buffer: 'gate', stage: 'gated', at: result.axes.map(axis).toReversed() }],
    };
    for (const schedule of [first, shared, last]) await check(kernel, schedule);
  });
});

interface Conv { readonly B: number; readonly C: number; readonly H: number; readonly W: number; readonly O: number; readonly size: number; readonly stride: number; readonly pad: number; readonly groups?: number }

/** conv([B, C, H, W], [O, C / groups, size, size]) + bias[O], as lowering makes it. */
function convolution({ B, C, H, W, O, size, stride, pad, groups = 1 }: Conv): Kernel {
  const out = (extent: number): number => Math.floor((extent + 2 * pad - size) / stride) + 1;
  const axes: Axis[] = [['b', B], ['o', O], ['y', out(H)], ['x', out(W)]].map(([name, extent]) => ({ name: name as string, extent: extent as number }));
  const loops = axes.filter((a) => a.extent > 1);
  const reduced: Axis[] = [['c', C / groups], ['p', size], ['q', size]].map(([name, extent]) => ({ name: name as string, extent: extent as number }));
  const [b, o, y, x] = axes.map(axis);
  const [c, p, q] = reduced.map(axis);
  const row = add(scale(y, stride), p, constant(-pad));
  const column = add(scale(x, stride), q, constant(-pad));
  const inside = binary('and', inRange(row, 0, H), inRange(column, 0, W));
  const channel = add(scale(floorDiv(o, O / groups), C / groups), c);
  const input = select(inside, load('x', [b, channel, row, column]), number(0));
  const param = (name: string, shape: number[], access: 'read' | 'write' = 'read') => ({ name, shape, dtype: 'f32' as const, storage: 'f32' as const, access });
  return {
    name: 'conv',
    params: [param('x', [B, C, H, W]), param('w', [O, C / groups, size, size]), param('bias', [O]), param('out', [B, O, out(H), out(W)], 'write')],
    stages: [
      { name: 'acc', axes: loops, reduce: { op: 'sum', axes: reduced }, body: binary('mul', input, load('w', [o, c, p, q])), dtype: 'f32' },
      { name: 'result', axes: loops, body: binary('add', stageAt('acc', loops.map(axis)), load('bias', [o])), dtype: 'f32' },
    ],
    stores: [{ buffer: 'out', stage: 'result', at: [b, o, y, x] }],
  };
}

/** left[h, m, d] = concat of two tables along k, each split into heads; right rows chosen by an index tensor, and normed. */
function oddOperands(): Kernel {
  const [h, m, n, k]: Axis[] = [['h', 2], ['m', 9], ['n', 12], ['k', 16]].map(([name, extent]) => ({ name: name as string, extent: extent as number }));
  const [H, M, N, K] = [h, m, n, k].map(axis);
  const channel = add(scale(H, 16), K);
  const first = load('a', [M, floorDiv(channel, 8), mod(channel, 8)]);
  const second = load('b', [M, add(K, constant(-8))]);
  const left = select(binary('less', { kind: 'index', of: K }, number(8, 'i32')), first, second);
  const row = value(load('rows', [N]), 5);
  const right = binary('mul', binary('sub', load('table', [row, H, K]), load('mean', [N])), cast('f32', { kind: 'index', of: add(N, constant(1)) }));
  const axes = [m, h, n];
  const param = (name: string, shape: number[], dtype: 'f32' | 'i32' = 'f32', access: 'read' | 'write' = 'read') => ({ name, shape, dtype, storage: dtype, access });
  const body: Expr = binary('mul', left, right);
  return {
    name: 'odd',
    params: [param('a', [9, 4, 8]), param('b', [9, 8]), param('rows', [12], 'i32'), param('table', [5, 2, 16]), param('mean', [12]), param('out', [9, 2, 12], 'f32', 'write')],
    stages: [
      { name: 'acc', axes, reduce: { op: 'sum', axes: [k] }, body, dtype: 'f32' },
      { name: 'result', axes, body: stageAt('acc', [M, H, N]), dtype: 'f32' },
    ],
    stores: [{ buffer: 'out', stage: 'result' }],
  };
}
