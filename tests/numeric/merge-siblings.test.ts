import { expect, test } from 'vitest';
import { removeDeadNodes } from '../../src/passes/dce.ts';
import { mergeSiblings, unmergedSiblings } from '../../src/passes/merge-siblings.ts';
import { evaluateGraph } from '../../src/reference/graph.ts';
import { verifyGraph } from '../../src/verify.ts';
import { Sketch, valuesOf } from '../helpers/patterns.ts';
import type { Graph } from '../../src/graph.ts';

const count = (graph: Graph): number => graph.nodes.filter((n) => n.op === 'einsum').length;

function sameMeaning(graph: Graph): Graph {
  const merged = removeDeadNodes(mergeSiblings(graph));
  expect(verifyGraph(merged)).toEqual([]);
  expect(unmergedSiblings(merged)).toEqual([]);
  const inputs = Object.fromEntries(graph.nodes.flatMap((n) => (n.op === 'input' ? [[n.attrs.name, valuesOf(n.attrs.name, n.shape)]] : [])));
  const evaluate = (g: Graph) => evaluateGraph(g, { inputs, params: (name, shape) => valuesOf(name, shape) }, { precision: 'f64' });
  const [want, got] = [evaluate(graph), evaluate(merged)];
  for (const [name, { data }] of Object.entries(want)) data.forEach((v, i) => expect(got[name].data[i]).toBeCloseTo(v, 12));
  return merged;
}

test('queries, keys and values are one product; one of them has no bias', () => {
  const s = new Sketch();
  const x = s.input('x', [2, 5, 12]);
  const q = s.linear(x, 6);
  const k = s.einsum('b n d, o d -> b n o', x, s.param([6, 12]));
  const v = s.linear(x, 8);
  const scores = s.softmax(s.einsum('b i d, b j d -> b i j', q, k));
  const graph = s.graph(s.einsum('b i j, b j d -> b i d', scores, v));
  expect(count(graph) - count(sameMeaning(graph))).toBe(2);
});

test('an activation keeps its own product', () => {
  const s = new Sketch();
  const x = s.input('x', [2, 5, 12]);
  const graph = s.graph(s.linear(s.binary('mul', s.silu(s.linear(x, 8)), s.linear(x, 8)), 4));
  expect(count(sameMeaning(graph))).toBe(3);
});

test('products of different values stay apart', () => {
  const s = new Sketch();
  const [x, y] = [s.input('x', [2, 5, 12]), s.input('y', [2, 7, 12])];
  const graph = s.graph(s.einsum('b i d, b j d -> b i j', s.linear(x, 6), s.linear(y, 6)));
  expect(count(sameMeaning(graph))).toBe(3);
});
