/** Bounds of magnitudes hold for actual values, whatever the inputs; forms are recognized where they are, and nowhere else. */
import { describe, expect, test } from 'vitest';
import { paramsOf } from '../src/graph.ts';
import type { Graph, NodeId } from '../src/graph.ts';
import { GraphBuilder } from '../src/graph-builder.ts';
import { copyNode } from '../src/graph-rewrite.ts';
import { printNode } from '../src/graph-text.ts';
import type { Tensor } from '../src/ops/types.ts';
import { Magnitudes } from '../src/passes/magnitude.ts';
import { runPasses } from '../src/passes/pipeline.ts';
import { staticNodes } from '../src/passes/static-nodes.ts';
import { splitStatic } from '../src/passes/static.ts';
import type { SplitGraph } from '../src/passes/static.ts';
import { evaluateGraph } from '../src/reference/graph.ts';
import { evaluateSeeded } from './helpers/compare.ts';
import { Sketch } from './helpers/patterns.ts';
import { randomBindings, randomGraph } from './helpers/random-graph.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';

const SEEDS = Array.from({ length: Number(process.env.SEEDS ?? 150) }, (_, i) => i + Number(process.env.FIRST_SEED ?? 0));
/** Of inputs: usual ones, some that saturate what can be saturated, some that a norm's eps outweighs. */
const SCALES = [1, 1e3, 1e-3];

/** The weights graph with room for bounds, and what gives them. */
function magnitudesOf({ main, weights }: SplitGraph): { readonly builder: GraphBuilder; readonly magnitudes: Magnitudes } {
  const builder = new GraphBuilder();
  for (const node of weights.nodes) copyNode(node, node.args, builder);
  const stored = new Map(weights.outputs.map((o) => [o.name, o.node]));
  return { builder, magnitudes: new Magnitudes(main, builder, (name) => stored.get(name)!) };
}

interface Evaluated {
  /** By node of the main graph: the bound for seeded weights. */
  readonly bounds: readonly (number | undefined)[];
  /** The main graph's parameters by name. */
  readonly params: Readonly<Record<string, Tensor>>;
}

function evaluateBounds(split: SplitGraph): Evaluated {
  const { builder, magnitudes } = magnitudesOf(split);
  const bounds = split.main.nodes.map(({ id }) => magnitudes.of(id));
  const outputs = bounds.flatMap((bound, id) => (typeof bound === 'object' ? [{ name: `bound ${id}`, node: bound.node, attributes: [] }] : []));
  const params = evaluateSeeded(builder.finish({ ...split.weights, outputs: [...split.weights.outputs, ...outputs] }));
  for (const { name } of outputs) expect(params[name]).toMatchObject({ shape: [], dtype: 'f32' });
  return { bounds: bounds.map((bound, id) => (typeof bound === 'object' ? params[`bound ${id}`].data[0] : bound)), params };
}

/** By node: the greatest magnitude for seeded inputs of this scale. */
function greatestOf(main: Graph, params: Readonly<Record<string, Tensor>>, scale: number): number[] {
  const inputs = Object.entries(randomBindings(main).inputs).map(([name, x]) => [name, x.dtype === 'f32' ? { ...x, data: x.data.map((v) => v * scale) } : x]);
  const greatest: number[] = [];
  const onNode = ({ id }: { readonly id: NodeId }, { data }: Tensor): void => {
    // Where a form overflows, NaN is no magnitude.
    greatest[id] = 0;
    for (const v of data) if (Math.abs(v) > greatest[id]) greatest[id] = Math.abs(v);
  };
  evaluateGraph(main, { inputs: Object.fromEntries(inputs), params: (name) => params[name] }, { precision: 'f64', onNode });
  return greatest;
}

/** Nodes with a value beyond their bound, as facts. */
function beyondBounds({ main }: SplitGraph, { bounds, params }: Evaluated, scales: readonly number[]): string[] {
  return scales.flatMap((scale) => {
    const greatest = greatestOf(main, params, scale);
    return main.nodes.flatMap((node) => {
      const bound = bounds[node.id];
      return bound === undefined || greatest[node.id] <= bound * (1 + 1e-9) ? [] : [`${printNode(node)} is ${greatest[node.id]}, not ${bound}, for inputs of ${scale}`];
    });
  });
}

/** How many of the f32 nodes have a bound. */
function countBounded({ main }: SplitGraph, { bounds }: Evaluated): { readonly bounded: number; readonly all: number } {
  const reals = main.nodes.filter((n) => n.dtype === 'f32');
  return { bounded: reals.filter((n) => bounds[n.id] !== undefined).length, all: reals.length };
}

/** What einsums and convolutions with a weight multiply with it. */
function weightedValues(main: Graph): NodeId[] {
  const known = staticNodes(main);
  return main.nodes.flatMap((n) => ((n.op === 'einsum' || n.op === 'conv') && n.args.some((arg) => known[arg]) ? n.args.filter((arg) => !known[arg]) : []));
}

test('bounds of random graphs hold, and most nodes have one', () => {
  let [bounded, all] = [0, 0];
  for (const seed of SEEDS) {
    const split = splitStatic(runPasses(randomGraph(seed)));
    const evaluated = evaluateBounds(split);
    expect(beyondBounds(split, evaluated, SCALES), `seed ${seed}`).toEqual([]);
    const count = countBounded(split, evaluated);
    bounded += count.bounded;
    all += count.all;
  }
  expect(bounded / all).toBeGreaterThan(0.5);
});

describe('architectures', () => {
  /** These norm whatever they multiply with weights, but for what comes straight from the picture. */
  const NORMED = ['BLIP', 'CLIP', 'DeepViT', 'EVA02', 'MAE', 'MemoryViT', 'Mixer', 'PVTv2', 'SegFormer', 'Swin', 'ViT'];

  test.each(TINY)('$name', (tiny) => {
    const split = splitStatic(runPasses(tinyGraph(tiny)));
    const evaluated = evaluateBounds(split);
    expect(beyondBounds(split, evaluated, [1, 100])).toEqual([]);
    const hasNorm = split.main.nodes.some((n) => n.op === 'rsqrt');
    const bounded = weightedValues(split.main).filter((id) => evaluated.bounds[id] !== undefined);
    expect(bounded.length > 0).toBe(hasNorm);
    if (NORMED.includes(tiny.name)) {
      const unbounded = weightedValues(split.main).filter((id) => evaluated.bounds[id] === undefined);
      expect(unbounded.map((id) => printNode(split.main.nodes[id])).filter((line) => !line.includes('= input '))).toEqual([]);
    }
  });

  test('a transformer: queries, keys and values, projection, both layers of the perceptron, head', () => {
    const { main, weights } = splitStatic(runPasses(tinyGraph(TINY.find((t) => t.name === 'ViT')!)));
    const { builder, magnitudes } = magnitudesOf({ main, weights });
    const products = main.nodes.filter((n) => n.op === 'einsum' && staticNodes(main)[n.args[1]]);
    expect(products.map((n) => n.origin.scope)).toEqual(['blocks.0.attn.qkv', 'blocks.0.attn.proj', 'blocks.0.mlp.fc1', 'blocks.0.mlp.fc2', 'head']);
    const bounds = products.map((n) => magnitudes.of(n.args[0]));
    // The affine part of a norm is in the weight after it; what is left is the root of the width.
    for (const i of [0, 2, 4]) expect(bounds[i]).toBeCloseTo(Math.sqrt(24), 12);
    expect(bounds.map((bound) => typeof bound)).toEqual(['number', 'object', 'number', 'object', 'number']);
    const scopes = builder.finish(weights).nodes.slice(weights.nodes.length).map((n) => n.origin.scope);
    expect([...new Set(scopes)]).toEqual(['blocks.0.attn.qkv', 'blocks.0.mlp.fc1', 'blocks.0.mlp']);
  });
});

/** A graph of `x` as it is written, none of it simplified, with parameters as they are. */
function asWritten(s: Sketch, x: NodeId): SplitGraph {
  const main = s.graph(x);
  const builder = new GraphBuilder();
  const outputs = paramsOf(main).map((p) => ({ name: p.attrs.name, node: copyNode(p, [], builder), attributes: [] }));
  return { main, weights: builder.finish({ name: 'weights', inputs: [], outputs, weightRules: [] }) };
}

/** The bound of what `make` makes, after a check that all bounds hold. */
function boundOf(make: (s: Sketch) => NodeId): number | undefined {
  const s = new Sketch();
  const x = make(s);
  const split = asWritten(s, x);
  const evaluated = evaluateBounds(split);
  expect(beyondBounds(split, evaluated, SCALES)).toEqual([]);
  return evaluated.bounds[x];
}

type Made = readonly [name: string, make: (s: Sketch) => NodeId, bound: number];
type Unbounded = readonly [name: string, make: (s: Sketch) => NodeId];

/** Anything between -1 and 1. */
const unit = (s: Sketch, shape = [3, 4], name = 'x'): NodeId => s.unary('tanh', s.input(name, shape));
const window = { window: [2, 3], stride: [1, 1], padding: [{ low: 0, high: 0 }, { low: 1, high: 1 }], dilation: [1, 1] };

describe('operations', () => {
  test.each<Made>([
    ['constant', (s) => s.number(-3, [2]), 3],
    ['iota', (s) => s.op('cast', [s.op('iota', [], { n: 7 })], { dtype: 'f32' }), 6],
    ['cast of bool', (s) => s.op('cast', [s.op('less', [s.input('x', [3]), s.input('y', [3])], {})], { dtype: 'f32' }), 1],
    ['cast to bool', (s) => s.op('cast', [s.by('mul', unit(s), 0.5)], { dtype: 'bool' }), 1],
    ['cast to whole numbers', (s) => s.op('cast', [s.by('mul', unit(s), 2.5)], { dtype: 'i32' }), 2.5],
    ['sigmoid', (s) => s.unary('sigmoid', s.input('x', [3])), 1],
    ['exp', (s) => s.unary('exp', s.by('mul', unit(s), 2)), Math.exp(2)],
    ['exp of what is not positive', (s) => s.unary('exp', s.unary('neg', s.op('abs', [s.input('x', [3])], {}))), 1],
    ['exp of what is cut off', (s) => s.unary('exp', s.by('min', s.input('x', [3]), 0)), 1],
    ['sqrt', (s) => s.op('sqrt', [s.op('abs', [s.by('mul', unit(s), 4)], {})], {}), 2],
    ['floor', (s) => s.op('floor', [s.by('mul', unit(s), 4)], {}), 5],
    ['add', (s) => s.by('add', unit(s), -2), 3],
    ['sub', (s) => s.binary('sub', s.by('mul', unit(s), 3), unit(s, [3, 4], 'y')), 4],
    ['mul', (s) => s.by('mul', s.by('mul', unit(s), 3), -2), 6],
    ['mul by 0', (s) => s.by('mul', unit(s), 0), 0],
    ['div', (s) => s.by('div', unit(s), -4), 0.25],
    ['pow', (s) => s.op('pow', [s.by('mul', unit(s), 3), s.number(2, [3, 4])], {}), 9],
    ['pow of 0', (s) => s.op('pow', [unit(s), s.number(0, [3, 4])], {}), 1],
    ['max', (s) => s.by('max', unit(s), -2), 2],
    ['min', (s) => s.by('min', unit(s), 2), 2],
    ['where', (s) => s.op('where', [s.op('less', [s.input('a', [3, 4]), s.input('b', [3, 4])], {}), unit(s), s.number(-5, [3, 4])], {}), 5],
    ['concat', (s) => s.concat([unit(s), s.number(-5, [3, 4]), unit(s, [3, 4], 'y')], 1), 5],
    ['pad', (s) => s.op('pad', [unit(s)], { padding: [{ low: 1, high: 0 }, { low: 0, high: 2 }], value: -5 }), 5],
    ['gather', (s) => s.op('gather', [s.by('mul', unit(s), 3), s.op('iota', [], { n: 9 })], { axis: 1, batch: 0 }), 3],
    ['movement', (s) => s.slice(s.transpose(s.reshape(s.op('broadcast', [s.by('mul', unit(s), 3)], { shape: [2, 3, 4] }), [6, 4]), [1, 0]), 0, 1, 2), 3],
    ['reduceSum', (s) => s.op('reduceSum', [unit(s, [2, 3, 4])], { axes: [0, 2] }), 8],
    ['reduceMax', (s) => s.op('reduceMax', [unit(s)], { axes: [0] }), 1],
    ['reduceMin', (s) => s.op('reduceMin', [unit(s)], { axes: [0, 1] }), 1],
    ['pool sum', (s) => s.op('pool', [unit(s)], { kind: 'sum', ...window }), 6],
    ['pool max', (s) => s.op('pool', [unit(s)], { kind: 'max', ...window }), 1],
    ['einsum', (s) => s.einsum('a k, b k -> a b', s.by('mul', unit(s), 2), s.by('mul', unit(s, [5, 4], 'y'), 3)), 24],
    ['einsum with sums of one side', (s) => s.einsum('a k, b k -> k', unit(s), unit(s, [5, 4], 'y')), 15],
    ['einsum with no sum', (s) => s.einsum('a, b -> b a', unit(s, [3]), unit(s, [5], 'y')), 1],
  ])('%s', (_, make, bound) => {
    expect(boundOf(make)).toBeCloseTo(bound, 12);
  });

  test.each<Unbounded>([
    ['input', (s) => s.input('x', [3])],
    ['a sum with an input', (s) => s.binary('add', unit(s, [3]), s.input('y', [3]))],
    ['exp', (s) => s.unary('exp', s.input('x', [3]))],
    ['exp that overflows', (s) => s.unary('exp', s.by('mul', unit(s), 1e3))],
    ['log', (s) => s.op('log', [s.op('abs', [unit(s)], {})], {})],
    ['rsqrt', (s) => s.unary('rsqrt', s.op('abs', [unit(s)], {}))],
    ['div by what varies', (s) => s.binary('div', unit(s), unit(s, [3, 4], 'y'))],
    ['div by a weight', (s) => s.binary('div', unit(s), s.param([4]))],
    ['div by 0', (s) => s.by('div', unit(s), 0)],
    ['pow that varies', (s) => s.op('pow', [unit(s), s.op('abs', [unit(s, [3, 4], 'y')], {})], {})],
    ['pow that divides', (s) => s.op('pow', [unit(s), s.number(-1, [3, 4])], {})],
    ['infinite constant', (s) => s.by('min', unit(s), Infinity)],
    ['infinite padding', (s) => s.op('pad', [unit(s, [3])], { padding: [{ low: 1, high: 0 }], value: -Infinity })],
    ['conv with a computed weight', (s) => s.op('conv', [unit(s, [1, 3, 5]), unit(s, [2, 3, 1], 'y')], { stride: [1], padding: [{ low: 0, high: 0 }], dilation: [1], groups: 1 })],
    ['einsum of an input', (s) => s.einsum('a k, b k -> a b', s.input('x', [3, 4]), s.param([5, 4]))],
  ])('not %s', (_, make) => {
    expect(boundOf(make)).toBeUndefined();
  });
});

describe('weights', () => {
  /** The seeded values of a sketch's only parameter. */
  const valuesOf = (shape: readonly number[], name = 'w0'): number[] => [...randomBindings(new Sketch().graph(), 1).params(name, shape).data].map(Math.abs);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

  test('a parameter is bounded by its greatest element', () => {
    expect(boundOf((s) => s.like(s.param([5]), [3, 5]))).toBe(Math.max(...valuesOf([5])));
    expect(boundOf((s) => s.param([]))).toBe(valuesOf([])[0]);
  });

  test('an einsum is bounded by the greatest row of its weight, whichever side that is on', () => {
    const w = valuesOf([5, 4]);
    const rows = [0, 1, 2, 3, 4].map((i) => sum(w.slice(4 * i, 4 * i + 4)));
    const columns = [0, 1, 2, 3].map((j) => sum(w.filter((_, at) => at % 4 === j)));
    const twice = (s: Sketch, shape: number[]): NodeId => s.by('mul', unit(s, shape), 2);
    expect(boundOf((s) => s.einsum('n k, o k -> n o', twice(s, [3, 4]), s.param([5, 4])))).toBeCloseTo(2 * Math.max(...rows), 12);
    expect(boundOf((s) => s.einsum('o k, n k -> n o', s.param([5, 4]), twice(s, [3, 4])))).toBeCloseTo(2 * Math.max(...rows), 12);
    expect(boundOf((s) => s.einsum('n k, k o -> n o', twice(s, [3, 4]), s.transpose(s.param([5, 4]), [1, 0])))).toBeCloseTo(2 * Math.max(...rows), 12);
    expect(boundOf((s) => s.einsum('n k, k o -> n o', twice(s, [3, 5]), s.param([5, 4])))).toBeCloseTo(2 * Math.max(...columns), 12);
    // Every element of the row is there once for each summed n.
    expect(boundOf((s) => s.einsum('n k, o k -> o', twice(s, [3, 4]), s.param([5, 4])))).toBeCloseTo(6 * Math.max(...rows), 12);
    expect(boundOf((s) => s.einsum('n k, o k -> n k', twice(s, [3, 4]), s.param([5, 4])))).toBeCloseTo(2 * Math.max(...columns), 12);
    expect(boundOf((s) => s.einsum('n k, o k -> n k o', twice(s, [3, 4]), s.param([5, 4])))).toBeCloseTo(2 * Math.max(...w), 12);
  });

  test('a slice of a weight has rows of its own', () => {
    const w = valuesOf([5, 4]);
    expect(boundOf((s) => s.einsum('n k, o k -> n o', unit(s), s.slice(s.param([5, 4]), 0, 1, 1)))).toBeCloseTo(sum(w.slice(4, 8)), 12);
  });

  test('a convolution is bounded by the greatest of its filters', () => {
    const w = valuesOf([6, 2, 3]);
    const filters = [0, 1, 2, 3, 4, 5].map((o) => sum(w.slice(6 * o, 6 * o + 6)));
    const attrs = { stride: [1], padding: [{ low: 1, high: 1 }], dilation: [1], groups: 2 };
    expect(boundOf((s) => s.op('conv', [s.by('mul', unit(s, [1, 4, 5]), 2), s.param([6, 2, 3])], attrs))).toBeCloseTo(2 * Math.max(...filters), 12);
  });

  test('only what is asked for is appended, and equal work once', () => {
    const s = new Sketch();
    const [w, b] = [s.param([5, 4]), s.param([5])];
    const product = s.einsum('n k, o k -> n o', unit(s), w);
    const first = s.binary('add', product, b);
    const second = s.binary('sub', s.einsum('n k, o k -> n o', unit(s, [3, 4], 'y'), w), b);
    const unbounded = s.binary('add', first, s.input('z', [3, 5]));
    const { builder, magnitudes } = magnitudesOf(asWritten(s, s.concat([second, unbounded], 0)));
    const appended = (id: NodeId): string[] => {
      const before = builder.size;
      magnitudes.of(id);
      return builder.finish({ name: '', inputs: [], outputs: [], weightRules: [] }).nodes.slice(before).map((n) => n.op);
    };
    expect(appended(unbounded)).toEqual([]);
    expect(appended(product)).toEqual(['abs', 'reduceSum', 'reduceMax']);
    expect(appended(first)).toEqual(['abs', 'reduceMax', 'add']);
    expect(appended(second)).toEqual([]);
    expect(appended(first)).toEqual([]);
  });

  test('long chains do not exhaust the stack', () => {
    const s = new Sketch();
    let x = s.like(s.param([2]), [3, 2]);
    for (let i = 0; i < 20_000; i++) x = i % 2 === 0 ? s.unary('neg', x) : s.binary('max', x, x);
    const { builder, magnitudes } = magnitudesOf(asWritten(s, x));
    expect(magnitudes.of(x)).toEqual({ node: builder.size - 1 });
    expect(builder.size).toBe(3);
  });
});

/** A form of x, which is an input of the shape. */
type FormOf = readonly [name: string, shape: readonly number[], make: (s: Sketch, x: NodeId) => NodeId];
type BoundedForm = readonly [...FormOf, bound: number];

const square = (s: Sketch, x: NodeId): NodeId => s.binary('mul', x, x);
const sqrt = (s: Sketch, x: NodeId): NodeId => s.op('sqrt', [x], {});
/** Reduced over axes, with 1 in their places. */
const kept = (s: Sketch, op: 'reduceSum' | 'reduceMax', x: NodeId, axes: readonly number[]): NodeId =>
  s.reshape(s.op(op, [x], { axes }), s.shape(x).map((d, i) => (axes.includes(i) ? 1 : d)));
const squares = (s: Sketch, x: NodeId, axes: readonly number[]): NodeId => kept(s, 'reduceSum', square(s, x), axes);
const inverseRoot = (s: Sketch, sum: NodeId, eps = 1e-5): NodeId => s.unary('rsqrt', s.by('add', sum, eps));

describe('norms', () => {
  test.each<BoundedForm>([
    ['root mean square', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, s.by('div', squares(s, x, [1]), 8))), Math.sqrt(8)],
    ['mean as a product', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, s.by('mul', squares(s, x, [1]), 1 / 8))), Math.sqrt(8)],
    ['sum', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, squares(s, x, [1]))), 1],
    ['square as a power', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, kept(s, 'reduceSum', s.op('pow', [x, s.number(2, [3, 8])], {}), [1]))), 1],
    ['the length first', [3, 8], (s, x) => s.binary('mul', s.like(inverseRoot(s, squares(s, x, [1])), [3, 8]), x), 1],
    ['an axis between others', [2, 4, 4], (s, x) => s.binary('mul', x, inverseRoot(s, squares(s, x, [1]))), 1],
    ['several axes', [2, 3, 4], (s, x) => s.binary('mul', x, inverseRoot(s, squares(s, x, [0, 2]))), 1],
    ['the first axis, which broadcasting adds by itself', [4, 4], (s, x) => s.binary('mul', x, inverseRoot(s, s.op('reduceSum', [square(s, x)], { axes: [0] }))), 1],
    ['eps behind the repetition', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, s.like(squares(s, x, [1]), [3, 8]))), 1],
    ['quotient', [3, 8], (s, x) => s.binary('div', x, sqrt(s, s.by('add', squares(s, x, [1]), 1e-5))), 1],
    ['quotient by a length of at least eps', [3, 8], (s, x) => s.binary('div', x, s.by('max', sqrt(s, squares(s, x, [1])), 1e-12)), 1],
    ['quotient by the root of at least eps', [3, 8], (s, x) => s.binary('div', x, sqrt(s, s.by('max', squares(s, x, [1]), 1e-12))), 1],
    ['a factor behind the root', [3, 8], (s, x) => s.binary('div', x, s.by('mul', sqrt(s, s.by('add', squares(s, x, [1]), 1e-5)), 2)), 0.5],
    ['a factor before the root', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, s.by('mul', squares(s, x, [1]), 16))), 0.25],
  ])('%s', (_, shape, make, bound) => {
    expect(boundOf((s) => make(s, s.input('x', shape)))).toBeCloseTo(bound, 12);
  });

  test.each<FormOf>([
    ["another value's squares", [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, squares(s, s.input('y', [3, 8]), [1])))],
    ['the product with another value', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, kept(s, 'reduceSum', s.binary('mul', x, s.input('y', [3, 8])), [1])))],
    ['a sum of no squares', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, kept(s, 'reduceSum', x, [1])))],
    ['cubes', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, kept(s, 'reduceSum', s.op('pow', [x, s.number(3, [3, 8])], {}), [1])))],
    ['statistics of rows at columns, by a transpose', [4, 4], (s, x) => s.binary('mul', x, inverseRoot(s, s.transpose(squares(s, x, [1]), [1, 0])))],
    ['statistics of pairs in exchanged order', [4, 4, 3], (s, x) => s.binary('mul', x, inverseRoot(s, s.reshape(s.transpose(s.op('reduceSum', [square(s, x)], { axes: [2] }), [1, 0]), [4, 4, 1])))],
    ['statistics of rows at columns, by a reshape', [4, 4], (s, x) => s.binary('mul', x, inverseRoot(s, s.reshape(squares(s, x, [1]), [1, 4])))],
    ['statistics of columns at rows', [4, 4], (s, x) => s.binary('mul', x, inverseRoot(s, s.reshape(squares(s, x, [0]), [4, 1])))],
    ['statistics of rows at columns, by broadcasting', [4, 4], (s, x) => s.binary('mul', x, inverseRoot(s, s.op('reduceSum', [square(s, x)], { axes: [1] })))],
    ['statistics at places of another axis', [2, 4, 4], (s, x) => s.binary('mul', x, inverseRoot(s, s.reshape(squares(s, x, [2]), [2, 1, 4])))],
    ['statistics regrouped behind the repetition', [4, 2], (s, x) => s.binary('mul', x, s.reshape(s.like(inverseRoot(s, s.reshape(squares(s, x, [1]), [1, 4])), [2, 4]), [4, 2]))],
    ['statistics in reverse order', [4, 3], (s, x) => s.binary('mul', x, inverseRoot(s, s.op('slice', [squares(s, x, [1])], { start: [3, 0], size: [4, 1], step: [-1, 1] })))],
    ['no eps', [3, 8], (s, x) => s.binary('mul', x, s.unary('rsqrt', squares(s, x, [1])))],
    ['an eps less than what squares are flushed to zero below', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, squares(s, x, [1]), 1e-39))],
    ['an eps of a factor so large that eps is nothing', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, s.by('mul', squares(s, x, [1]), 1e36), 1e-5))],
    ['a factor that is flushed to zero', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, s.by('mul', squares(s, x, [1]), 1e-40)))],
    ['a divisor that is infinite in f32', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, s.by('div', squares(s, x, [1]), 1e39)))],
    ['a negative eps', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, s.by('add', squares(s, x, [1]), 1), -0.5))],
    ['a factor of another sign', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, s.by('mul', squares(s, x, [1]), -1), 1))],
    ['a factor that is a weight', [3, 8], (s, x) => s.binary('mul', x, inverseRoot(s, s.binary('mul', squares(s, x, [1]), s.param([1]))))],
    ['a constant over the sum', [3, 8], (s, x) => s.binary('div', x, sqrt(s, s.by('add', s.binary('div', s.number(1, [3, 1]), squares(s, x, [1])), 1)))],
    ['no root', [3, 8], (s, x) => s.binary('div', x, s.by('add', squares(s, x, [1]), 1e-5))],
    ['two roots', [3, 8], (s, x) => s.binary('div', x, sqrt(s, sqrt(s, s.by('add', squares(s, x, [1]), 1e-5))))],
    ['the product with the length', [3, 8], (s, x) => s.binary('mul', x, sqrt(s, s.by('add', squares(s, x, [1]), 1e-5)))],
    ['the quotient by the inverse length', [3, 8], (s, x) => s.binary('div', x, inverseRoot(s, squares(s, x, [1])))],
    ['the length over the value', [3, 8], (s, x) => s.binary('div', s.like(sqrt(s, s.by('add', squares(s, x, [1]), 1e-5)), [3, 8]), x)],
  ])('not %s', (_, shape, make) => {
    expect(boundOf((s) => make(s, s.input('x', shape)))).toBeUndefined();
  });
});

describe('softmaxes', () => {
  const shifted = (s: Sketch, x: NodeId, axes: readonly number[]): NodeId => s.unary('exp', s.binary('sub', x, kept(s, 'reduceMax', x, axes)));
  const softmax = (s: Sketch, x: NodeId, axes: readonly number[]): NodeId => {
    const e = shifted(s, x, axes);
    return s.binary('div', e, kept(s, 'reduceSum', e, axes));
  };
  const abs = (s: Sketch, x: NodeId): NodeId => s.op('abs', [x], {});

  test.each<BoundedForm>([
    ['exponential of what is not above the greatest', [4, 4], (s, x) => shifted(s, x, [1]), 1],
    ['softmax', [4, 4], (s, x) => softmax(s, x, [1]), 1],
    ['softmax of the first axis', [4, 4], (s, x) => softmax(s, x, [0]), 1],
    ['softmax of several axes', [2, 3, 4], (s, x) => softmax(s, x, [0, 2]), 1],
    ['softmax that takes nothing off', [4, 4], (s, x) => { const e = s.unary('exp', x); return s.binary('div', e, kept(s, 'reduceSum', e, [1])); }, 1],
    ['share of magnitudes', [4, 4], (s, x) => { const e = abs(s, x); return s.binary('div', e, s.by('add', kept(s, 'reduceSum', e, [1]), 1)); }, 1],
    ['share of squares', [4, 4], (s, x) => { const e = square(s, x); return s.binary('div', e, kept(s, 'reduceSum', e, [1])); }, 1],
    ['share of what is above 0', [4, 4], (s, x) => { const e = s.relu(x); return s.binary('div', e, kept(s, 'reduceSum', e, [1])); }, 1],
  ])('%s', (_, shape, make, bound) => {
    expect(boundOf((s) => make(s, s.input('x', shape)))).toBe(bound);
  });

  test.each<FormOf>([
    ['exponentials of the greatest less the value', [4, 4], (s, x) => s.unary('exp', s.binary('sub', s.like(kept(s, 'reduceMax', x, [1]), [4, 4]), x))],
    ['exponentials of the lesser of two', [4, 4], (s, x) => s.unary('exp', s.binary('min', x, s.input('y', [4, 4])))],
    ["exponentials below another value's greatest", [4, 4], (s, x) => s.unary('exp', s.binary('sub', x, kept(s, 'reduceMax', s.input('y', [4, 4]), [1])))],
    ['exponentials below the greatest of other places', [4, 4], (s, x) => s.unary('exp', s.binary('sub', x, s.reshape(kept(s, 'reduceMax', x, [1]), [1, 4])))],
    ['exponentials below half the greatest', [4, 4], (s, x) => s.unary('exp', s.binary('sub', x, s.by('mul', kept(s, 'reduceMax', x, [1]), 0.5)))],
    ['exponentials less their sum', [4, 4], (s, x) => s.unary('exp', s.binary('sub', x, kept(s, 'reduceSum', x, [1])))],
    ['shares of values of both signs', [4, 4], (s, x) => s.binary('div', x, kept(s, 'reduceSum', x, [1]))],
    ['shares of the greater of two', [4, 4], (s, x) => { const e = s.binary('max', x, s.input('y', [4, 4])); return s.binary('div', e, kept(s, 'reduceSum', e, [1])); }],
    ['shares of cubes', [4, 4], (s, x) => { const e = s.op('pow', [x, s.number(3, [4, 4])], {}); return s.binary('div', e, kept(s, 'reduceSum', e, [1])); }],
    ["shares of another value's sum", [4, 4], (s, x) => s.binary('div', shifted(s, x, [1]), kept(s, 'reduceSum', shifted(s, s.input('y', [4, 4]), [1]), [1]))],
    ['shares of the sum at other places', [4, 4], (s, x) => { const e = shifted(s, x, [1]); return s.binary('div', e, s.reshape(kept(s, 'reduceSum', e, [1]), [1, 4])); }],
    ['shares of half the sum', [4, 4], (s, x) => { const e = shifted(s, x, [1]); return s.binary('div', e, s.by('mul', kept(s, 'reduceSum', e, [1]), 0.5)); }],
    ["shares of the sum's root", [4, 4], (s, x) => { const e = abs(s, x); return s.binary('div', e, sqrt(s, kept(s, 'reduceSum', e, [1]))); }],
  ])('not %s', (_, shape, make) => {
    expect(boundOf((s) => make(s, s.input('x', shape)))).toBeUndefined();
  });

  test.each<Made>([
    ['over the last axis', (s) => s.einsum('i j, j d -> i d', softmax(s, s.input('x', [3, 4]), [1]), s.by('mul', unit(s, [4, 5], 'v'), 2)), 2],
    ['as the second operand', (s) => s.einsum('j d, i j -> i d', s.by('mul', unit(s, [4, 5], 'v'), 2), softmax(s, s.input('x', [3, 4]), [1])), 2],
    ['over the first axis', (s) => s.einsum('j i, j d -> i d', softmax(s, s.input('x', [4, 3]), [0]), s.by('mul', unit(s, [4, 5], 'v'), 2)), 2],
    ['over both axes', (s) => s.einsum('i j, i j d -> d', softmax(s, s.input('x', [3, 4]), [0, 1]), s.by('mul', unit(s, [3, 4, 5], 'v'), 2)), 2],
    ['behind a transpose', (s) => s.einsum('j h i, h j d -> h i d', s.transpose(softmax(s, s.input('x', [2, 3, 4]), [2]), [2, 0, 1]), s.by('mul', unit(s, [2, 4, 5], 'v'), 2)), 2],
    ['behind two transposes', (s) => s.einsum('i h j, h j d -> h i d', s.transpose(s.transpose(softmax(s, s.input('x', [2, 3, 4]), [2]), [2, 0, 1]), [2, 1, 0]), s.by('mul', unit(s, [2, 4, 5], 'v'), 2)), 2],
    ['of what does not vary', (s) => s.einsum('i j, d -> i d', softmax(s, s.input('x', [3, 4]), [1]), s.by('mul', unit(s, [5], 'v'), 2)), 2],
  ])('einsum is a mean %s', (_, make, bound) => {
    expect(boundOf(make)).toBe(bound);
  });

  test('einsum is a mean of weights', () => {
    const greatest = boundOf((s) => s.param([4, 5]));
    expect(boundOf((s) => s.einsum('i j, j d -> i d', softmax(s, s.input('x', [3, 4]), [1]), s.param([4, 5])))).toBe(greatest);
  });

  test.each<Made>([
    ['over another axis', (s) => s.einsum('j i, j d -> i d', softmax(s, s.input('x', [4, 4]), [1]), s.by('mul', unit(s, [4, 5], 'v'), 2)), 8],
    ['over one more axis', (s) => s.einsum('i j, i j d -> d', softmax(s, s.input('x', [3, 4]), [1]), s.by('mul', unit(s, [3, 4, 5], 'v'), 2)), 24],
    ["over one more axis of the other operand's", (s) => s.einsum('i j, j d -> i', softmax(s, s.input('x', [3, 4]), [1]), s.by('mul', unit(s, [4, 5], 'v'), 2)), 40],
    ['over some of the axes', (s) => s.einsum('i j, j d -> i d', softmax(s, s.input('x', [3, 4]), [0, 1]), s.by('mul', unit(s, [4, 5], 'v'), 2)), 8],
    ['behind a transpose that exchanges the axes', (s) => s.einsum('i j, j d -> i d', s.transpose(softmax(s, s.input('x', [4, 4]), [1]), [1, 0]), s.by('mul', unit(s, [4, 5], 'v'), 2)), 8],
    ['of what is not normalized', (s) => s.einsum('i j, j d -> i d', shifted(s, s.input('x', [3, 4]), [1]), s.by('mul', unit(s, [4, 5], 'v'), 2)), 8],
  ])('einsum is no mean %s', (_, make, bound) => {
    expect(boundOf(make)).toBe(bound);
  });
});

describe('looseness', () => {
  const loosenessOf = (make: (s: Sketch) => NodeId): number => {
    const s = new Sketch();
    const split = asWritten(s, make(s));
    return magnitudesOf(split).magnitudes.looseness(split.main.outputs[0].node);
  };
  const normed = (s: Sketch): NodeId => s.layerNorm(s.input('x', [2, 3, 64]));

  test.each<Made>([
    ['what is bounded by its own form', (s) => unit(s), 1],
    ['a norm: one value may be as large as all together', normed, 8],
    ['a product with weights: terms of either sign', (s) => s.linear(normed(s), 16), 64],
    ['an activation of it', (s) => s.gelu(s.linear(normed(s), 16)), 64],
    ['a second product', (s) => s.linear(s.relu(s.linear(normed(s), 16)), 5), 256],
    ['a square', (s) => square(s, normed(s)), 64],
    ['a mean by a softmax', (s) => s.einsum('a b, n b c -> n a c', s.softmax(s.input('y', [5, 3])), normed(s)), 8],
    ['a sum', (s) => s.op('reduceSum', [unit(s, [2, 16])], { axes: [1] }), 4],
    ['nothing that is bounded', (s) => s.input('x', [3]), Infinity],
  ])('%s', (_, make, looseness) => {
    expect(loosenessOf(make)).toBeCloseTo(looseness, 9);
  });
});
