/** Blocks and functions of the standard library that no golden covers, against their formulas. */
import { describe, expect, test } from 'vitest';
import { Sources, buildGraph } from '../../src/compile.ts';
import { Project, ZOO } from '../../src/cli/files.ts';
import { sizeOf, type Shape } from '../../src/graph.ts';
import type { Tensor } from '../../src/ops/types.ts';
import { evaluateGraph } from '../../src/reference/graph.ts';
import { seededInput, seededWeight } from '../../src/weights/seeded.ts';

const zoo = new Project(ZOO);

/** The output `y` of a model's body, for seeded inputs and weights. */
function run(text: string): Tensor {
  const sources = new Sources({ read: (path) => (path === 'entry.vit' ? text : zoo.read(path)) });
  const { value: graph, diagnostics } = buildGraph(sources, { entry: 'entry.vit' });
  if (!graph || diagnostics.length > 0) throw new Error(diagnostics.map((d) => `${d.code} ${d.message}`).join('\n'));
  const inputs = Object.fromEntries(graph.inputs.map(({ name, node }) => {
    const { shape } = graph.nodes[node];
    return [name, { shape, dtype: 'f32' as const, data: seededInput(name, shape) }];
  }));
  return evaluateGraph(graph, { inputs, params: (name, shape) => ({ shape, dtype: 'f32', data: seededWeight(name, shape) }) }, { precision: 'f64' }).y;
}

/** Element by index. */
const at = (x: Tensor, ...index: number[]): number => x.data[index.reduce((sum, i, axis) => sum * x.shape[axis] + i, 0)];
const tensor = (shape: Shape, data: Float32Array): Tensor => ({ shape, dtype: 'f32', data });
const input = (name: string, shape: Shape): Tensor => tensor(shape, seededInput(name, shape));
const weight = (name: string, shape: Shape): Tensor => tensor(shape, seededWeight(name, shape));
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);

/** Every value of a tensor against a function of its index. */
function expectValues(y: Tensor, shape: Shape, value: (...index: number[]) => number): void {
  expect(y.shape).toEqual(shape);
  for (let i = 0; i < sizeOf(shape); i++) {
    const index = shape.map((extent, axis) => Math.floor(i / sizeOf(shape.slice(axis + 1))) % extent);
    expect(y.data[i], index.join()).toBeCloseTo(value(...index), 9);
  }
}

/** x W^T + b at one row and column. */
const dense = (x: (i: number) => number, w: Tensor, b: Tensor | undefined, out: number): number => sum(range(w.shape[1]).map((i) => x(i) * at(w, out, i))) + (b ? b.data[out] : 0);

function softmax(scores: number[]): number[] {
  const powers = scores.map((s) => Math.exp(s - Math.max(...scores)));
  return powers.map((p) => p / sum(powers));
}

describe('attention', () => {
  test('multi-query attention: one key and one value for all heads', () => {
    const y = run('import { MultiQueryAttention } from "std/attention" model M() { input x: [1, 5, 6] output y = a: MultiQueryAttention(2)(x) }');
    const x = input('x', [1, 5, 6]);
    const [wq, bq, wkv, bkv] = [weight('a.q.weight', [6, 6]), weight('a.q.bias', [6]), weight('a.kv.weight', [6, 6]), weight('a.kv.bias', [6])];
    const row = (n: number) => (i: number) => at(x, 0, n, i);
    const mixed = (n: number, c: number): number => {
      const head = Math.floor(c / 3);
      const scores = range(5).map((m) => sum(range(3).map((d) => dense(row(n), wq, bq, head * 3 + d) * dense(row(m), wkv, bkv, d))) / Math.sqrt(3));
      return sum(softmax(scores).map((p, m) => p * dense(row(m), wkv, bkv, 3 + (c % 3))));
    };
    expectValues(y, [1, 5, 6], (_, n, o) => dense((c) => mixed(n, c), weight('a.proj.weight', [6, 6]), weight('a.proj.bias', [6]), o));
  });

  test('linear attention equals the quadratic form with relu kernels', () => {
    const y = run('import { LinearAttention } from "std/efficient" model M() { input x: [1, 5, 4] output y = a: LinearAttention(2)(x) }');
    const x = input('x', [1, 5, 4]);
    const w = weight('a.qkv.weight', [12, 4]);
    const qkv = (n: number, c: number): number => dense((i) => at(x, 0, n, i), w, undefined, c);
    const mixed = (n: number, c: number): number => {
      const head = Math.floor(c / 2) * 2;
      const scores = range(5).map((m) => sum(range(2).map((d) => Math.max(0, qkv(n, head + d)) * Math.max(0, qkv(m, 4 + head + d)))));
      return sum(scores.map((s, m) => s * qkv(m, 8 + c))) / (sum(scores) + 1e-6);
    };
    expectValues(y, [1, 5, 4], (_, n, o) => dense((c) => mixed(n, c), weight('a.proj.weight', [4, 4]), weight('a.proj.bias', [4]), o));
  });

  test('a causal mask for the last 3 of 5 positions', () => {
    const y = run('import { causal_mask } from "std/attention" model M() { output y = cast(causal_mask(3, 5), "f32") }');
    expectValues(y, [3, 5], (i, j) => Number(j <= i + 2));
  });

  test('a query that may look nowhere gets the mean', () => {
    const y = run('import { attend } from "std/attention" model M() { input x: [1, 1, 4, 2] output y = attend(x, x, x, mask = full([4, 4], 0) == 1) }');
    const x = input('x', [1, 1, 4, 2]);
    expectValues(y, [1, 1, 4, 2], (_, __, ___, d) => sum(range(4).map((j) => at(x, 0, 0, j, d))) / 4);
  });
});

describe('windows', () => {
  test('windows and back', () => {
    const y = run('import { to_windows, from_windows } from "std/windows" model M() { input x: [2, 4, 6, 3] output y = from_windows(to_windows(x, 2), 2, 4, 6) }');
    expectValues(y, [2, 4, 6, 3], (...index) => at(input('x', [2, 4, 6, 3]), ...index));
  });

  test('a shifted window lets tokens meet that were neighbours before the shift', () => {
    const y = run('import { shift_mask } from "std/windows" model M() { output y = cast(shift_mask(6, 4, 2, 1), "f32") }');
    // Where a place of a window lies in the picture; the shift wraps the first row and column around.
    const place = (window: number, i: number): [number, number] => [(Math.floor(window / 2) * 2 + Math.floor(i / 2) + 1) % 6, ((window % 2) * 2 + (i % 2) + 1) % 4];
    expectValues(y, [6, 4, 4], (window, i, j) => {
      const [a, b] = [place(window, i), place(window, j)];
      return Number(Math.abs(a[0] - b[0]) < 2 && Math.abs(a[1] - b[1]) < 2);
    });
  });
});

describe('positions', () => {
  test('sine-cosine embedding of a grid, columns first', () => {
    const y = run('import { sincos_2d } from "std/positions" model M() { output y = sincos_2d(3, 5, 8) }');
    expectValues(y, [15, 8], (n, c) => {
      const angle = (c < 4 ? n % 5 : Math.floor(n / 5)) / 10000 ** ((c % 2) / 2);
      return c % 4 < 2 ? Math.sin(angle) : Math.cos(angle);
    });
  });

  test('rotated queries and keys meet by their distance only', () => {
    const y = run(`import { rope_angles_2d, rotate } from "std/positions"
      model M() {
        input q: [1, 1, 1, 8]
        input k: [1, 1, 1, 8]
        angles = rope_angles_2d(3, 4, 8)
        many = fn (x) => rotate(expand(x, 12, axis = 2), angles)
        output y = einsum("b h i d, b h j d -> i j", many(q), many(k))
      }`);
    expect(y.shape).toEqual([12, 12]);
    // One step right and one down, from anywhere.
    for (const from of [0, 1, 2, 4, 5, 6]) expect(at(y, from, from + 5)).toBeCloseTo(at(y, 0, 5), 12);
    expect(Math.abs(at(y, 0, 5) - at(y, 0, 1))).toBeGreaterThan(1e-3);
  });

  test('relative positions index a table of (2h - 1)(2w - 1)', () => {
    const y = run('import { relative_index } from "std/positions" model M() { output y = cast(relative_index(2, 3), "f32") }');
    expectValues(y, [6, 6], (i, j) => (Math.floor(i / 3) - Math.floor(j / 3) + 1) * 5 + ((i % 3) - (j % 3) + 2));
  });
});

describe('norms', () => {
  test.each(['GroupNorm(2)', 'LayerNorm2d()'])('%s', (norm) => {
    const y = run(`import { GroupNorm, LayerNorm2d } from "std/norms" model M() { input x: [1, 4, 3, 2] output y = n: ${norm}(x) }`);
    const x = input('x', [1, 4, 3, 2]);
    expectValues(y, [1, 4, 3, 2], (b, c, h, w) => {
      const group = norm.startsWith('Group') ? range(2).flatMap((k) => range(6).map((p) => at(x, b, Math.floor(c / 2) * 2 + k, Math.floor(p / 2), p % 2))) : range(4).map((k) => at(x, b, k, h, w));
      const mean = sum(group) / group.length;
      const variance = sum(group.map((v) => (v - mean) ** 2)) / group.length;
      return ((at(x, b, c, h, w) - mean) / Math.sqrt(variance + 1e-5)) * weight('n.weight', [4]).data[c] + weight('n.bias', [4]).data[c];
    });
  });
});
