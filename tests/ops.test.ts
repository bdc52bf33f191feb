/** Each operation against its definition written out naively, over shapes with ones and primes; and its refusals. */
import { describe, expect, test } from 'vitest';
import { sizeOf, stridesOf } from '../src/graph.ts';
import type { DType, Shape, TensorType } from '../src/graph.ts';
import { inferType, OP_NAMES, opDef, OPS } from '../src/ops.ts';
import type { OpAttrs, OpName, Pad, Tensor } from '../src/ops/types.ts';
import { Random } from './helpers/random.ts';

const random = new Random(7);

function tensor(shape: Shape, dtype: DType = 'f32', value: (i: number) => number = () => random.next() * 2 - 1): Tensor {
  const data = dtype === 'f32' ? new Float64Array(sizeOf(shape)) : new Int32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = value(i);
  return { shape, dtype, data };
}

const integers = (shape: Shape, low: number, high: number): Tensor => tensor(shape, 'i32', () => random.integer(low, high));

function run<K extends OpName>(op: K, args: readonly Tensor[], attrs: OpAttrs[K], single = false): Tensor {
  const inferred = inferType(op, args, attrs);
  if (!inferred.ok) throw new Error(inferred.message);
  const { shape, dtype } = inferred.type;
  const size = sizeOf(shape);
  const out = { shape, dtype, data: dtype !== 'f32' ? new Int32Array(size) : single ? new Float32Array(size) : new Float64Array(size) };
  opDef(op).evaluate(args, attrs, out);
  return out;
}

/** Every index of a shape, in row-major order. */
function indices(shape: Shape): number[][] {
  return shape.reduce<number[][]>((all, extent) => all.flatMap((index) => Array.from({ length: extent }, (_, i) => [...index, i])), [[]]);
}

const at = (x: Tensor, index: readonly number[]): number => x.data[stridesOf(x.shape).reduce((sum, s, i) => sum + s * index[i], 0)];

/** A tensor by its value at each index. */
function define(shape: Shape, value: (index: number[]) => number): number[] {
  return indices(shape).map(value);
}

function expectClose(x: Tensor, want: readonly number[]): void {
  expect(x.data.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) {
    if (Object.is(x.data[i], want[i]) || x.data[i] === want[i]) continue;
    expect(Math.abs(x.data[i] - want[i]), `element ${i}: ${x.data[i]} and ${want[i]}`).toBeLessThan(1e-12 * Math.max(1, Math.abs(want[i])));
  }
}

/** What a misfit says. */
function message<K extends OpName>(op: K, args: readonly TensorType[], attrs: OpAttrs[K]): string {
  const inferred = inferType(op, args, attrs);
  return inferred.ok ? 'fits' : inferred.message;
}

const f32 = (...shape: number[]): TensorType => ({ shape, dtype: 'f32' });
const i32 = (...shape: number[]): TensorType => ({ shape, dtype: 'i32' });
const bool = (...shape: number[]): TensorType => ({ shape, dtype: 'bool' });

test('every operation is documented and classed', () => {
  for (const op of OP_NAMES) {
    expect(OPS[op].doc, op).toMatch(/^[A-Z0-9a-z].*\.$/s);
    expect(['source', 'elementwise', 'movement', 'gather', 'reduction', 'contraction', 'order']).toContain(OPS[op].class);
  }
});

const SHAPES: Shape[] = [[], [1], [7], [1, 1, 1], [2, 3], [5, 1, 7], [1, 13, 2], [2, 3, 1, 5]];

describe.each(SHAPES.map((shape) => ({ shape })))('element-wise on [$shape]', ({ shape }) => {
  const unary: [OpName, (x: number) => number][] = [
    ['neg', (x) => -x], ['abs', Math.abs], ['exp', Math.exp], ['sin', Math.sin], ['cos', Math.cos], ['tanh', Math.tanh],
    ['sigmoid', (x) => 1 / (1 + Math.exp(-x))], ['floor', Math.floor],
  ];
  test.each(unary)('%s', (op, f) => {
    const x = tensor(shape, 'f32', () => random.next() * 8 - 4);
    expectClose(run(op, [x], {} as never), [...x.data].map(f));
  });
  test.each<[OpName, (x: number) => number]>([['log', Math.log], ['sqrt', Math.sqrt], ['rsqrt', (x) => 1 / Math.sqrt(x)]])('%s', (op, f) => {
    const x = tensor(shape, 'f32', () => random.next() * 8 + 0.01);
    expectClose(run(op, [x], {} as never), [...x.data].map(f));
  });
  test.each<[OpName, (x: number, y: number) => number]>([
    ['add', (x, y) => x + y], ['sub', (x, y) => x - y], ['mul', (x, y) => x * y], ['div', (x, y) => x / y], ['max', Math.max], ['min', Math.min],
    ['equal', (x, y) => Number(x === y)], ['less', (x, y) => Number(x < y)], ['lessEqual', (x, y) => Number(x <= y)],
  ])('%s', (op, f) => {
    const [x, y] = [tensor(shape), tensor(shape)];
    y.data[0] = x.data[0];
    expectClose(run(op, [x, y], {} as never), [...x.data].map((v, i) => f(v, y.data[i])));
  });
  test('pow', () => {
    const [x, y] = [tensor(shape, 'f32', () => random.next() + 0.1), tensor(shape)];
    expectClose(run('pow', [x, y], {}), [...x.data].map((v, i) => v ** y.data[i]));
  });
  test('where, not, and, or', () => {
    const [a, b] = [integers(shape, 0, 1), integers(shape, 0, 1)].map((x): Tensor => ({ ...x, dtype: 'bool' }));
    const [x, y] = [tensor(shape), tensor(shape)];
    expectClose(run('where', [a, x, y], {}), [...a.data].map((c, i) => (c ? x : y).data[i]));
    expectClose(run('not', [a], {}), [...a.data].map((c) => 1 - c));
    expectClose(run('and', [a, b], {}), [...a.data].map((c, i) => c & b.data[i]));
    expectClose(run('or', [a, b], {}), [...a.data].map((c, i) => c | b.data[i]));
  });
});

describe('integers', () => {
  const pairs = [[7, 3], [-7, 3], [7, -3], [-7, -3], [5, 0], [0, 5], [-(2 ** 31), -1], [2 ** 31 - 1, 1], [2 ** 31 - 1, 2 ** 31 - 1]];
  const x = tensor([pairs.length], 'i32', (i) => pairs[i][0]);
  const y = tensor([pairs.length], 'i32', (i) => pairs[i][1]);
  test.each<[OpName, number[]]>([
    ['div', [2, -3, -3, 2, 0, 0, -(2 ** 31), 2 ** 31 - 1, 1]],
    ['mod', [1, 2, -2, -1, 0, 0, 0, 0, 0]],
    ['add', [10, -4, 4, -10, 5, 5, 2 ** 31 - 1, -(2 ** 31), -2]],
    ['sub', [4, -10, 10, -4, 5, -5, -(2 ** 31) + 1, 2 ** 31 - 2, 0]],
    ['mul', [21, -21, -21, 21, 0, 0, -(2 ** 31), 2 ** 31 - 1, 1]],
  ])('%s', (op, want) => expect([...run(op, [x, y], {} as never).data]).toEqual(want));
  test('neg and abs wrap', () => {
    expect([...run('neg', [tensor([2], 'i32', (i) => [5, -(2 ** 31)][i])], {}).data]).toEqual([-5, -(2 ** 31)]);
    expect([...run('abs', [tensor([2], 'i32', (i) => [-5, -(2 ** 31)][i])], {}).data]).toEqual([5, -(2 ** 31)]);
  });
  test('cast truncates, saturates and tests', () => {
    const values = [1.9, -1.9, 0, -0.5, 3e9, -3e9, Infinity, -Infinity, NaN];
    const from = tensor([values.length], 'f32', (i) => values[i]);
    expect([...run('cast', [from], { dtype: 'i32' }).data]).toEqual([1, -1, 0, 0, 2 ** 31 - 1, -(2 ** 31), 2 ** 31 - 1, -(2 ** 31), 0]);
    expect([...run('cast', [from], { dtype: 'bool' }).data]).toEqual([1, 1, 0, 1, 1, 1, 1, 1, 1]);
    expect([...run('cast', [tensor([2], 'bool', (i) => i)], { dtype: 'f32' }).data]).toEqual([0, 1]);
  });
});

describe('movement', () => {
  test.each<[Shape, Shape]>([[[2, 3], [6]], [[1, 6, 1], [2, 3]], [[], [1, 1]], [[5, 7], [7, 5]]])('reshape %j to %j', (from, to) => {
    const x = tensor(from);
    expectClose(run('reshape', [x], { shape: to }), [...x.data]);
  });
  test.each<[Shape, number[]]>([[[2, 3], [1, 0]], [[2, 3, 5], [2, 0, 1]], [[1, 7, 1, 3], [3, 0, 1, 2]], [[], []], [[4, 1, 11], [0, 2, 1]]])('transpose %j by %j', (shape, permutation) => {
    const x = tensor(shape);
    const out = run('transpose', [x], { permutation });
    expect(out.shape).toEqual(permutation.map((a) => shape[a]));
    expectClose(out, define(out.shape, (index) => at(x, shape.map((_, a) => index[permutation.indexOf(a)]))));
  });
  test.each<[Shape, Shape]>([[[], [2, 3]], [[3], [2, 3]], [[2, 1], [2, 5]], [[1, 7, 1], [2, 3, 7, 5]], [[1], [1]]])('broadcast %j to %j', (from, to) => {
    const x = tensor(from);
    expectClose(run('broadcast', [x], { shape: to }), define(to, (index) => at(x, from.map((d, i) => (d === 1 ? 0 : index[i + to.length - from.length])))));
  });
  test.each<[Shape, number[], number[], number[]]>([
    [[7], [1], [3], [2]], [[7], [6], [7], [-1]], [[5, 1, 11], [4, 0, 2], [2, 1, 3], [-3, 1, 4]], [[2, 3], [0, 0], [2, 3], [1, 1]], [[3], [2], [1], [-5]],
  ])('slice %j from %j, %j by %j', (shape, start, size, step) => {
    const x = tensor(shape);
    expectClose(run('slice', [x], { start, size, step }), define(size, (index) => at(x, index.map((i, a) => start[a] + i * step[a]))));
  });
  test.each<[Shape[], number]>([[[[2, 3], [2, 1], [2, 5]], 1], [[[1], [7]], 0], [[[2, 1, 3], [2, 4, 3]], 1], [[[3]], 0]])('concat %j on %i', (shapes, axis) => {
    const xs = shapes.map((s) => tensor(s));
    const out = run('concat', xs, { axis });
    expectClose(out, define(out.shape, (index) => {
      let i = index[axis];
      const x = xs.find((candidate) => i < candidate.shape[axis] || ((i -= candidate.shape[axis]), false))!;
      return at(x, index.with(axis, i));
    }));
  });
  test.each<[Shape, Pad[], number]>([[[3], [{ low: 1, high: 2 }], 0], [[2, 1, 5], [{ low: 0, high: 1 }, { low: 2, high: 0 }, { low: 0, high: 0 }], -Infinity]])('pad %j by %j', (shape, padding, value) => {
    const x = tensor(shape);
    const out = run('pad', [x], { padding, value });
    expectClose(out, define(out.shape, (index) => {
      const inner = index.map((i, a) => i - padding[a].low);
      return inner.every((i, a) => i >= 0 && i < shape[a]) ? at(x, inner) : value;
    }));
  });
  test.each<[Shape, Shape, number, number]>([
    [[5], [3], 0, 0], [[5, 3], [], 0, 0], [[2, 5, 3], [2, 4], 1, 1], [[2, 7, 5, 3], [2, 2, 2], 2, 1], [[2, 3, 5], [2, 3, 1], 2, 2], [[1, 4], [1, 1], 1, 0],
  ])('gather %j at %j on %i, %i shared', (shape, own, axis, batch) => {
    const x = tensor(shape);
    const index = integers(own, -2, shape[axis] + 1);
    const out = run('gather', [x, index], { axis, batch });
    const free = own.length - batch;
    expect(out.shape).toEqual([...shape.slice(0, axis), ...own.slice(batch), ...shape.slice(axis + 1)]);
    expectClose(out, define(out.shape, (i) => {
      const picked = at(index, [...i.slice(0, batch), ...i.slice(axis, axis + free)]);
      return at(x, [...i.slice(0, axis), Math.min(Math.max(picked, 0), shape[axis] - 1), ...i.slice(axis + free)]);
    }));
  });
});

describe('reductions', () => {
  const folds = { reduceSum: (a: number, b: number) => a + b, reduceMax: (a: number, b: number) => Math.max(a, b), reduceMin: (a: number, b: number) => Math.min(a, b) } as const;
  test.each<[Shape, number[]]>([[[7], [0]], [[2, 3], [0]], [[2, 3], [1]], [[5, 1, 7], [0, 2]], [[1, 13, 2], [0, 1, 2]], [[2, 3, 1, 5], [1, 3]]])('of %j over %j', (shape, axes) => {
    for (const op of ['reduceSum', 'reduceMax', 'reduceMin'] as const) {
      for (const x of [tensor(shape), integers(shape, -9, 9)]) {
        const kept = shape.map((_, a) => a).filter((a) => !axes.includes(a));
        const out = run(op, [x], { axes });
        expectClose(out, define(out.shape, (index) => {
          const inside = indices(shape).filter((i) => kept.every((a, k) => i[a] === index[k]));
          return inside.map((i) => at(x, i)).reduce(folds[op]);
        }));
      }
    }
  });
});

describe('einsum', () => {
  const cases: [string, string, string, Record<string, number>][] = [
    ['i k', 'j k', 'i j', { i: 5, j: 7, k: 3 }], ['b i k', 'k j', 'b i j', { b: 2, i: 9, j: 8, k: 13 }], ['b h i d', 'b h j d', 'b h i j', { b: 2, h: 3, i: 5, j: 4, d: 7 }],
    ['b i j', 'b j d', 'd b i', { b: 3, i: 5, j: 6, d: 2 }], ['i', 'i', '', { i: 11 }], ['i', 'j', 'j i', { i: 3, j: 5 }], ['i k', 'j', 'i j', { i: 4, k: 5, j: 6 }],
    ['i k', 'i k', 'i', { i: 5, k: 7 }], ['i k', 'i k', 'k i', { i: 5, k: 7 }], ['', 'j', 'j', { j: 3 }], ['b n t h d', 'h d e', 'b e t n', { b: 1, n: 5, t: 3, h: 2, d: 4, e: 5 }],
    ['i k', 'j k', 'i j', { i: 1, j: 1, k: 1 }], ['i k', 'j k', 'i j', { i: 4, j: 65, k: 600 }], ['i k l', 'm k', 'i m', { i: 3, k: 4, l: 2, m: 5 }],
  ];
  test.each(cases)('%s, %s -> %s of %j', (l, r, o, extents) => {
    const [left, right, out] = [l, r, o].map((text) => (text === '' ? [] : text.split(' ')));
    const shape = (labels: readonly string[]): number[] => labels.map((k) => extents[k]);
    const [x, y] = [tensor(shape(left)), tensor(shape(right))];
    const all = Object.keys(extents);
    const want = new Array<number>(sizeOf(shape(out))).fill(0);
    const strides = stridesOf(shape(out));
    for (const index of indices(shape(all))) {
      const pick = (labels: readonly string[]): number[] => labels.map((k) => index[all.indexOf(k)]);
      want[pick(out).reduce((sum, i, a) => sum + i * strides[a], 0)] += at(x, pick(left)) * at(y, pick(right));
    }
    expectClose(run('einsum', [x, y], { left, right, out }), want);
  });
});

describe('windows', () => {
  type Window = { x: number[]; window: number[]; stride: number[]; padding: Pad[]; dilation: number[]; groups?: number; outputs?: number };
  const pad = (low: number, high = low): Pad => ({ low, high });
  const cases: Window[] = [
    { x: [1, 1, 1], window: [1], stride: [1], padding: [pad(0)], dilation: [1] },
    { x: [2, 4, 13], window: [3], stride: [2], padding: [pad(1, 2)], dilation: [2], groups: 2, outputs: 6 },
    { x: [1, 3, 7, 5], window: [3, 2], stride: [2, 1], padding: [pad(1), pad(0, 1)], dilation: [1, 2], outputs: 5 },
    { x: [2, 6, 5, 7], window: [3, 3], stride: [1, 2], padding: [pad(1), pad(1)], dilation: [1, 1], groups: 6, outputs: 6 },
    { x: [1, 4, 5, 5], window: [3, 3], stride: [1, 1], padding: [pad(2), pad(1)], dilation: [2, 1], groups: 4, outputs: 8 },
    { x: [1, 2, 3, 4, 5], window: [2, 3, 1], stride: [1, 2, 3], padding: [pad(0, 1), pad(1), pad(0)], dilation: [1, 1, 1], outputs: 3 },
    { x: [1, 3, 17, 19], window: [1, 1], stride: [1, 1], padding: [pad(0), pad(0)], dilation: [1, 1], outputs: 7 },
    { x: [1, 1, 2], window: [2], stride: [1], padding: [pad(3, 3)], dilation: [1], outputs: 2 },
  ];
  /** Input indices under an output's window: undefined where they are padding. */
  const under = (c: Window, output: readonly number[], input: Shape): (number[] | undefined)[] =>
    indices(c.window).map((k) => {
      const i = output.map((o, a) => o * c.stride[a] + k[a] * c.dilation[a] - c.padding[a].low);
      return i.every((v, a) => v >= 0 && v < input[a]) ? i : undefined;
    });
  test.each(cases)('conv %j', (c) => {
    const { groups = 1, outputs = 1 } = c;
    const x = tensor(c.x);
    const depth = c.x[1] / groups;
    const w = tensor([outputs, depth, ...c.window]);
    const out = run('conv', [x, w], { stride: c.stride, padding: c.padding, dilation: c.dilation, groups });
    expectClose(out, define(out.shape, ([b, o, ...place]) => {
      const group = Math.floor(o / (outputs / groups));
      const taps = indices(c.window);
      let sum = 0;
      for (let d = 0; d < depth; d++) under(c, place, c.x.slice(2)).forEach((i, tap) => (sum += i ? at(x, [b, group * depth + d, ...i]) * at(w, [o, d, ...taps[tap]]) : 0));
      return sum;
    }));
  });
  test.each(cases)('pool %j', (c) => {
    for (const kind of ['sum', 'max'] as const) {
      const x = tensor(c.x);
      const attrs = { kind, window: c.window, stride: c.stride, padding: c.padding, dilation: c.dilation };
      if (kind === 'max' && c.padding.some((p, i) => Math.max(p.low, p.high) > (c.window[i] - 1) * c.dilation[i])) continue;
      const out = run('pool', [x], attrs);
      expectClose(out, define(out.shape, ([b, ch, ...place]) => {
        const values = under(c, place, c.x.slice(2)).flatMap((i) => (i ? [at(x, [b, ch, ...i])] : []));
        return kind === 'max' ? Math.max(...values) : values.reduce((a, v) => a + v, 0);
      }));
    }
  });
});

test('argsort is stable both ways', () => {
  const x = tensor([2, 5], 'f32', (i) => [3, 1, 3, 2, 1, 0, 0, 0, 0, 0][i]);
  expect([...run('argsort', [x], { descending: false }).data]).toEqual([1, 4, 3, 0, 2, 0, 1, 2, 3, 4]);
  expect([...run('argsort', [x], { descending: true }).data]).toEqual([0, 2, 3, 1, 4, 0, 1, 2, 3, 4]);
});

test('in f32 every product and partial sum rounds', () => {
  const round = Math.fround;
  const values = (n: number): Float32Array => Float32Array.from({ length: n }, () => random.next() * 2 - 1);
  const [m, n, k] = [5, 6, 37];
  const [a, b] = [values(m * k), values(n * k)];
  const out = run('einsum', [{ shape: [m, k], dtype: 'f32', data: a }, { shape: [n, k], dtype: 'f32', data: b }], { left: ['m', 'k'], right: ['n', 'k'], out: ['m', 'n'] }, true);
  const want = define([m, n], ([i, j]) => {
    let sum = 0;
    for (let t = 0; t < k; t++) sum = round(sum + round(a[i * k + t] * b[j * k + t]));
    return sum;
  });
  expect([...out.data]).toEqual(want);
  const sums = run('reduceSum', [{ shape: [m, k], dtype: 'f32', data: a }], { axes: [1] }, true);
  expect([...sums.data]).toEqual(define([m], ([i]) => a.slice(i * k, (i + 1) * k).reduce((s, v) => round(s + v))));
});

test('costs count multiply-adds as two, movement as nothing', () => {
  const cost = <K extends OpName>(op: K, args: TensorType[], attrs: OpAttrs[K]): number => {
    const inferred = inferType(op, args, attrs);
    if (!inferred.ok) throw new Error(inferred.message);
    return opDef(op).flops(args, attrs, inferred.type);
  };
  expect(cost('einsum', [f32(2, 3), f32(5, 3)], { left: ['i', 'k'], right: ['j', 'k'], out: ['i', 'j'] })).toBe(60);
  expect(cost('einsum', [f32(2), f32(5)], { left: ['i'], right: ['j'], out: ['i', 'j'] })).toBe(10);
  expect(cost('conv', [f32(1, 4, 5, 5), f32(8, 2, 3, 3)], { stride: [1, 1], padding: [{ low: 1, high: 1 }, { low: 1, high: 1 }], dilation: [1, 1], groups: 2 })).toBe(2 * 8 * 25 * 18);
  expect(cost('add', [f32(2, 3), f32(2, 3)], {})).toBe(6);
  expect(cost('add', [i32(2, 3), i32(2, 3)], {})).toBe(0);
  expect(cost('reduceSum', [f32(2, 3)], { axes: [1] })).toBe(6);
  expect(cost('reshape', [f32(2, 3)], { shape: [6] })).toBe(0);
});

test('refusals state facts', () => {
  const window = { stride: [1], padding: [{ low: 0, high: 0 }], dilation: [1] };
  expect([
    message('add', [f32(2, 3), f32(2, 4)], {}),
    message('add', [f32(2), f32(2, 4)], {}),
    message('add', [f32(2), i32(2)], {}),
    message('add', [bool(2), bool(2)], {}),
    message('add', [f32(2)], {}),
    message('exp', [i32(2)], {}),
    message('where', [f32(2), f32(2), f32(2)], {}),
    message('reshape', [f32(2, 3)], { shape: [4] }),
    message('reshape', [f32(2, 3)], { shape: [-2, -3] }),
    message('transpose', [f32(2, 3)], { permutation: [0, 0] }),
    message('transpose', [f32(2, 3)], { permutation: [0] }),
    message('broadcast', [f32(2, 3)], { shape: [2, 4] }),
    message('broadcast', [f32(2, 3)], { shape: [3] }),
    message('slice', [f32(5)], { start: [3], size: [3], step: [1] }),
    message('slice', [f32(5)], { start: [0], size: [0], step: [1] }),
    message('concat', [f32(2, 3), f32(3, 3)], { axis: 1 }),
    message('concat', [], { axis: 0 }),
    message('pad', [i32(2)], { padding: [{ low: 0, high: 1 }], value: 0.5 }),
    message('gather', [f32(2, 3), f32(2)], { axis: 0, batch: 0 }),
    message('gather', [f32(2, 3), i32(3)], { axis: 1, batch: 1 }),
    message('reduceSum', [f32(2, 3)], { axes: [2] }),
    message('reduceSum', [f32(2, 3)], { axes: [1, 0] }),
    message('einsum', [f32(2, 64), f32(32, 5)], { left: ['i', 'd'], right: ['d', 'j'], out: ['i', 'j'] }),
    message('einsum', [f32(2, 2), f32(2)], { left: ['i', 'i'], right: ['i'], out: [] }),
    message('einsum', [f32(2), f32(2)], { left: ['i'], right: ['i'], out: ['j'] }),
    message('conv', [f32(1, 3, 8), f32(4, 2, 3)], { ...window, groups: 1 }),
    message('conv', [f32(1, 4, 8), f32(3, 2, 3)], { ...window, groups: 2 }),
    message('conv', [f32(1, 3, 2), f32(4, 3, 3)], { ...window, groups: 1 }),
    message('pool', [f32(1, 3)], { ...window, window: [4], kind: 'max' }),
    message('constant', [], { value: NaN, dtype: 'f32' }),
    message('constant', [], { value: 1.5, dtype: 'i32' }),
    message('input', [], { name: 'x', shape: [65536, 65536], dtype: 'f32' }),
    message('input', [], { name: 'x', shape: [2, 0], dtype: 'f32' }),
    message('argsort', [f32()], { descending: false }),
  ]).toMatchInlineSnapshot(`
    [
      "add: f32[2, 3] and f32[2, 4] differ on axis 1: 3 and 4",
      "add: f32[2] and f32[2, 4] differ in rank: 1 and 2",
      "add: f32[2] and i32[2] differ in dtype: f32 and i32",
      "add: the argument is bool[2]; it takes f32 or i32",
      "add: 1 argument is given; it takes 2",
      "exp: the argument is i32[2]; it takes f32",
      "where: the condition is f32[2]; it must be bool",
      "reshape: f32[2, 3] has 6 elements, [4] has 4",
      "reshape: the result [-2, -3] has extent -2 on axis 0; extents are positive integers",
      "transpose: the permutation [0, 0] names axis 0 twice",
      "transpose: the permutation [0] has 1 axis, f32[2, 3] has 2",
      "broadcast: axis 1 of f32[2, 3] is 3, neither 1 nor the 4 that [2, 4] has there",
      "broadcast: f32[2, 3] has 2 axes, more than [3] has",
      "slice: axis 0 of f32[5] is read from 3 to 5; it has 0 to 4",
      "slice: 0 elements are taken from axis 0 of f32[5]; at least 1 is needed",
      "concat: argument 0 is f32[2, 3], argument 1 is f32[3, 3]; they are joined on axis 1 and differ on axis 0: 2 and 3",
      "concat: 0 arguments are given; it takes one or more",
      "pad: the value 0.5 is no i32, as i32[2] needs",
      "gather: the indices are f32[2]; they must be i32",
      "gather: shared axis 0 is 2 in f32[2, 3] and 3 in the indices i32[3]",
      "reduceSum: axis 2 is outside f32[2, 3], which has 2 axes",
      "reduceSum: the axes [1, 0] do not ascend",
      "einsum: label d is 64 on the left and 32 on the right",
      "einsum: label i stands twice on the left",
      "einsum: label j of the result is on neither side",
      "conv: the input is f32[1, 3, 8], the weight f32[4, 2, 3]; groups (1) times channels a group (2) is 2, the input has 3 channels",
      "conv: the input is f32[1, 4, 8], the weight f32[3, 2, 3]; 3 output channels do not divide into 2 groups",
      "conv: the window reaches over 3 places on spatial axis 0; f32[1, 3, 2] has 2 there, 2 with padding",
      "pool: the window reaches over 4 places on spatial axis 0; f32[1, 3] has 3 there, 3 with padding",
      "constant: the value is NaN",
      "constant: 1.5 is no i32",
      "input 'x': the result [65536, 65536] has 4294967296 elements; a tensor holds at most 2147483647",
      "input 'x': the result [2, 0] has extent 0 on axis 1; extents are positive integers",
      "argsort: the argument is a scalar; it sorts along the last axis",
    ]
  `);
});
