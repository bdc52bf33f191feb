/** Every operation on a device, over shapes with extents of 1, primes and none that fits a vector. */
import { describe, expect, test } from 'vitest';
import type { DType, Graph, NodeId, Shape } from '../../src/graph.ts';
import { sizeOf } from '../../src/graph.ts';
import { OPS } from '../../src/ops.ts';
import type { OpName, Tensor } from '../../src/ops/types.ts';
import { WEB } from '../../src/targets.ts';
import { checkOnDevice } from '../helpers/check-plan.ts';
import { testDevice } from '../helpers/device.ts';
import { Sketch, valuesOf } from '../helpers/patterns.ts';

const gpu = await testDevice();

class Ops extends Sketch {
  typed(name: string, shape: Shape, dtype: DType): NodeId {
    return this.op('input', [], { name, shape, dtype });
  }
}

const UNARY: Partial<Record<OpName, readonly number[]>> = {
  neg: [0, -1.5, 3],
  abs: [0, -1.5, 3],
  exp: [-100, -1, 0, 1e-3, 3],
  log: [1e-20, 0.1, 1, 2.5, 7],
  sqrt: [0, 1e-6, 2, 9],
  rsqrt: [1e-2, 2, 9],
  sin: [0, 1e-3, -0.5, 1, 3.14159, -7, 100, 1000.5, -4321],
  cos: [0, 1e-3, -0.5, 1, 1.5707963, -7, 100, 1000.5, -4321],
  tanh: [0, 1e-3, -0.4, 2, 20, -200, 1e6],
  erf: [0, 1e-3, -0.3, 0.9999, 1, 1.0001, -1.7, 2.5, 3.99, -5, 100],
  sigmoid: [0, -0.3, 5, 30, -30, 100, -100, 1e4, -1e4],
  floor: [0, -0.5, 1.5, -2, 1e6],
};

/** The listed values, over and over. */
function listed(lists: Readonly<Record<string, readonly number[]>>) {
  return (name: string, shape: Shape, dtype: DType): Tensor => {
    const list = lists[name];
    if (!list) return valuesOf(name, shape, dtype);
    const values = Array.from({ length: sizeOf(shape) }, (_, i) => list[i % list.length]);
    return { shape, dtype, data: dtype === 'f32' ? Float32Array.from(values) : Int32Array.from(values) };
  };
}

const build = (f: (s: Ops) => readonly NodeId[]): Graph => {
  const s = new Ops();
  return s.graph(...f(s));
};
async function check(graph: Graph, lists: Readonly<Record<string, readonly number[]>> = {}, tolerance = 2e-6): Promise<void> {
  await checkOnDevice(gpu!.device, graph, { target: WEB, fuse: false, tolerance, values: listed(lists) });
}

const tested = new Set<OpName>(['input', 'param', 'constant']);
const covers = (...ops: OpName[]): void => ops.forEach((op) => tested.add(op));

describe.skipIf(!gpu)('operations on a device', () => {
  covers(...(Object.keys(UNARY) as OpName[]));
  test.each([[[11]], [[3, 4]], [[1, 5, 2]]])('unary operations of %j', (shape) =>
    check(build((s) => Object.keys(UNARY).map((op) => s.op(op as 'exp', [s.input(op, shape)], {}))), UNARY as Record<string, readonly number[]>));

  covers('add', 'sub', 'mul', 'div', 'mod', 'max', 'min', 'pow', 'equal', 'less', 'lessEqual', 'and', 'or', 'not', 'where', 'cast');
  test('arithmetic of two numbers', () => {
    const graph = build((s) => {
      const [x, y] = [s.input('x', [3, 7]), s.input('y', [3, 7])];
      return (['add', 'sub', 'mul', 'div', 'max', 'min', 'equal', 'less', 'lessEqual'] as const).map((op) => s.op(op, [x, y], {}));
    });
    return check(graph, { x: [0, 1, -2.5, 3, 4, 0.1], y: [1, -1, 2, 3, 0.25] });
  });

  test('powers of every sign', () => {
    const constants = [2, 3, -1, 0.5, -0.5, 0, 5, -2, 1.7];
    const graph = build((s) => {
      const positive = s.input('positive', [5]);
      const any = s.input('any', [4, 6]);
      return [
        s.op('pow', [any, s.input('power', [4, 6])], {}),
        ...constants.map((c) => s.op('pow', [positive, s.number(c, [5])], {})),
        ...[2, 3, -1, 4].map((c) => s.op('pow', [any, s.number(c, [4, 6])], {})),
      ];
    });
    return check(graph, { positive: [0.5, 1, 1.5, 3], any: [-2, 0.5, 3, -1.5, 1], power: [2, 3, 0, -1, 1, 4, -2] }, 5e-6);
  });

  test('integers: wrap, floor, divide by zero', () => {
    const graph = build((s) => {
      const [x, y] = [s.typed('x', [4, 9], 'i32'), s.typed('y', [4, 9], 'i32')];
      const ops = (['add', 'sub', 'mul', 'div', 'mod', 'max', 'min', 'equal', 'less', 'lessEqual'] as const).map((op) => s.op(op, [x, y], {}));
      return [...ops, s.op('neg', [x], {}), s.op('abs', [x], {})];
    });
    return check(graph, { x: [7, -7, 0, 2147483647, -2147483648, 5, -1], y: [2, -3, 0, 5, -5] });
  });

  test('booleans and casts', () => {
    const graph = build((s) => {
      const [a, b] = [s.typed('a', [2, 4], 'bool'), s.typed('b', [2, 4], 'bool')];
      const [x, i] = [s.input('x', [2, 4]), s.typed('i', [2, 4], 'i32')];
      return [
        s.op('and', [a, b], {}), s.op('or', [a, b], {}), s.op('not', [a], {}), s.op('equal', [a, b], {}), s.op('where', [a, x, s.number(-Infinity, [2, 4])], {}), s.op('where', [b, i, i], {}),
        s.op('cast', [x], { dtype: 'i32' }), s.op('cast', [x], { dtype: 'bool' }), s.op('cast', [i], { dtype: 'f32' }), s.op('cast', [i], { dtype: 'bool' }), s.op('cast', [a], { dtype: 'f32' }), s.op('cast', [a], { dtype: 'i32' }),
      ];
    });
    return check(graph, { a: [0, 1, 1], b: [1, 0], x: [0, -1.7, 2.7, 1e20, -1e20], i: [0, -3, 16777216] });
  });

  covers('reshape', 'transpose', 'broadcast', 'slice', 'concat', 'pad', 'gather', 'iota', 'argsort');
  test.each([[[2, 3, 5]], [[1, 7, 4]], [[4, 1, 8]]])('movement of %j', (shape) =>
    check(build((s) => {
      const x = s.input('x', shape);
      const [a, b, c] = shape;
      return [
        s.op('transpose', [x], { permutation: [2, 0, 1] }),
        s.op('broadcast', [s.reshape(x, [a, b, 1, c])], { shape: [3, a, b, 2, c] }),
        s.op('slice', [x], { start: [a - 1, 0, c - 1], size: [a, b, Math.ceil(c / 2)], step: [-1, 1, -2] }),
        s.concat([x, s.param([a, 3, c]), x], 1),
        s.op('pad', [x], { padding: [{ low: 1, high: 0 }, { low: 0, high: 2 }, { low: 3, high: 1 }], value: -2 }),
        s.reshape(s.transpose(x, [1, 2, 0]), [b, a * c]),
        s.op('iota', [], { n: 5 }),
      ];
    })));

  test('gather clamps, sorts are stable', () =>
    check(build((s) => {
      const x = s.input('x', [3, 5, 4]);
      const i = s.typed('i', [3, 2], 'i32');
      const keys = s.input('keys', [3, 13]);
      return [
        s.op('gather', [x, i], { axis: 1, batch: 1 }), s.op('gather', [x, i], { axis: 2, batch: 0 }), s.op('gather', [x, i], { axis: 0, batch: 0 }),
        s.op('argsort', [keys], { descending: false }), s.op('argsort', [keys], { descending: true }),
      ];
    }), { i: [0, 4, -3, 100, 2], keys: [1, 0, 1, 2, -1, 0, 3] }));

  covers('reduceSum', 'reduceMax', 'reduceMin');
  test.each([[[2, 3, 5], [1]], [[4, 1, 7], [0, 2]], [[3, 64], [1]], [[33, 4], [0]], [[97], [0]]])('reductions of %j over %j', (shape, axes) =>
    check(build((s) => (['reduceSum', 'reduceMax', 'reduceMin'] as const).flatMap((op) => [s.op(op, [s.input(`x${op}`, shape)], { axes }), s.op(op, [s.typed(`i${op}`, shape, 'i32')], { axes })]))));

  covers('einsum', 'conv', 'pool');
  test('contractions', () =>
    check(build((s) => [
      s.einsum('b i k, b k j -> b i j', s.input('x', [2, 5, 7]), s.input('y', [2, 7, 3])),
      s.einsum('i k, j k -> j i', s.input('a', [1, 12]), s.input('b', [5, 12])),
      s.einsum('i, j -> i j', s.input('u', [4]), s.input('v', [6])),
      s.einsum('h i, h i -> h', s.input('p', [3, 8]), s.input('q', [3, 8])),
      s.einsum('a b c, c b d -> d a', s.input('m', [2, 3, 4]), s.input('n', [4, 3, 5])),
    ])));

  test('convolutions in 1, 2 and 3 dimensions', () =>
    check(build((s) => [
      s.conv(s.input('x', [1, 2, 11]), 3, 3, { stride: 2, padding: 1 }),
      s.conv(s.input('y', [2, 6, 5, 7]), 4, 3, { padding: 2, groups: 2, dilation: 2 }),
      s.conv(s.input('z', [1, 2, 3, 4, 5]), 2, 2),
      s.conv(s.input('w', [1, 5, 4, 4]), 8, 1),
    ])));

  test('pooling', () => {
    const attrs = { window: [3, 2], stride: [2, 1], padding: [{ low: 1, high: 1 }, { low: 0, high: 1 }], dilation: [1, 2] };
    return check(build((s) => (['max', 'sum'] as const).map((kind) => s.op('pool', [s.input(kind, [2, 3, 7, 5])], { kind, ...attrs }))));
  });

  test('no operation is left out', () => expect(Object.keys(OPS).filter((op) => !tested.has(op as OpName))).toEqual([]));
});
