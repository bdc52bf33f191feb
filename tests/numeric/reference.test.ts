/** The evaluator: exact functions, what it asks for and when, and what it refuses. */
import { expect, test } from 'vitest';
import { readGraph } from '../../src/graph-text.ts';
import { erf } from '../../src/ops/erf.ts';
import type { Tensor } from '../../src/ops/types.ts';
import { evaluateGraph } from '../../src/reference/graph.ts';
import { randomBindings, randomGraph } from '../helpers/random-graph.ts';

const vector = (...values: number[]): Tensor => ({ shape: [values.length], dtype: 'f32', data: Float32Array.from(values) });

/** Abramowitz and Stegun, table 7.1, continued in multiple precision. */
const ERF: [number, number][] = [
  [1e-300, 1.1283791670955126e-300], [1e-5, 1.1283791670579000e-5], [0.1, 0.11246291601828489220], [0.5, 0.52049987781304653768], [1, 0.84270079294971486934],
  [1.5, 0.96610514647531072707], [2, 0.99532226501895273416], [2.49, 0.9995707121322661], [2.5, 0.99959304798255504106], [3, 0.99997790950300141456],
  [4, 0.99999998458274209972], [5, 0.99999999999846254021], [6, 1], [Infinity, 1],
];

test.each(ERF)('erf(%d)', (x, want) => {
  expect(Math.abs(erf(x) / want - 1)).toBeLessThan(1e-15);
  expect(erf(-x)).toBe(-erf(x));
});

test('erf is continuous where its two forms meet, and NaN stays NaN', () => {
  const slope = (2 / Math.sqrt(Math.PI)) * Math.exp(-6.25);
  const step = 1e-9;
  expect(Math.abs(erf(2.5) - erf(2.5 - step) - slope * step)).toBeLessThan(4e-16);
  expect(erf(0)).toBe(0);
  expect(erf(NaN)).toBeNaN();
});

test('parameters are asked for once, when needed; progress reaches its total; values are seen', () => {
  const { value } = readGraph(`
    graph small
    %unused = param name=unused shape=[2] dtype=f32 buffer=false
    %w = param name=w shape=[2] dtype=f32 buffer=false
    %x = input name=x shape=[2] dtype=f32
    %y = add(%x, %w)
    %z = mul(%y, %w)
    output %z name=z
    output %y name=y
  `);
  const asked: string[] = [];
  const seen: string[] = [];
  let last: [number, number] = [0, 1];
  const out = evaluateGraph(
    value!,
    { inputs: { x: vector(1, 2) }, params: (name) => (asked.push(name), vector(10, 20)) },
    { precision: 'f64', onNode: (node) => seen.push(node.op), onProgress: (done, total) => (last = [done, total]) },
  );
  expect(asked).toEqual(['w']);
  expect(seen).toEqual(['input', 'param', 'add', 'mul']);
  expect(last[0]).toBe(last[1]);
  expect([...out.z.data]).toEqual([110, 440]);
  expect([...out.y.data]).toEqual([11, 22]);
});

test('what is bound must fit', () => {
  const { value } = readGraph('%x = input name=x shape=[2] dtype=f32\noutput %x name=y');
  const run = (inputs: Record<string, Tensor>): unknown => evaluateGraph(value!, { inputs, params: () => vector(1) }, { precision: 'f64' });
  expect(() => run({})).toThrow("bug: 'x' is not bound");
  expect(() => run({ x: vector(1, 2, 3) })).toThrow("bug: 'x' is bound to f32[3] with 3 values; it is f32[2]");
});

test('f32 stays within f32 rounding of f64', () => {
  let compared = 0;
  for (let seed = 0; seed < 40; seed++) {
    const graph = randomGraph(seed, { steps: 4, discontinuous: false });
    const [double, single] = (['f64', 'f32'] as const).map((precision) => evaluateGraph(graph, randomBindings(graph), { precision }));
    for (const [name, { data }] of Object.entries(double)) {
      expect(single[name].data).toBeInstanceOf(single[name].dtype === 'f32' ? Float32Array : Int32Array);
      const magnitude = Math.max(1e-3, ...[...data].map(Math.abs));
      for (let i = 0; i < data.length; i++) expect(Math.abs(data[i] - single[name].data[i]) / magnitude, `seed ${seed}, ${name}`).toBeLessThan(1e-3);
      compared += data.length;
    }
  }
  expect(compared).toBeGreaterThan(1000);
});
