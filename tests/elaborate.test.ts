/** What programs mean: shapes and values of the language's operations, weight paths, configuration. */
import { describe, expect, test } from 'vitest';
import { checkFile, listTargets } from '../src/elaborate/elaborate.ts';
import { paramsOf } from '../src/graph.ts';
import type { Graph } from '../src/graph.ts';
import type { Tensor } from '../src/ops/types.ts';
import { parse } from '../src/parser/parse.ts';
import { evaluateGraph } from '../src/reference/graph.ts';
import { render } from '../src/render.ts';
import { verifyGraph } from '../src/verify.ts';
import { elaborateText, loadStd } from './helpers/elaborate.ts';
import type { Options } from './helpers/elaborate.ts';

/** The graph of a text without findings. */
function graphOf(text: string, options: Options = {}): Graph {
  const { value, diagnostics } = elaborateText(text, options);
  expect(diagnostics.map((d) => render(d)).join('\n\n')).toBe('');
  expect(verifyGraph(value!)).toEqual([]);
  return value!;
}

/** The values of expressions over x = 0, 1, 2, ... in a given shape, as nested shape and flat values. */
function evaluate(shape: readonly number[], statements: string): Record<string, { shape: number[]; values: number[] }> {
  const size = shape.reduce((a, b) => a * b, 1);
  const graph = graphOf(`model M() {\n  x = reshape(cast(iota(${size}), "f32"), [${shape.join(', ')}])\n${statements}\n}`);
  const outputs: Record<string, Tensor> = evaluateGraph(graph, { inputs: {}, params: (name) => { throw new Error(name); } }, { precision: 'f64' });
  return Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name, { shape: [...t.shape], values: [...t.data] }]));
}

/** One expression's values. */
function valueOf(shape: readonly number[], expression: string): { shape: number[]; values: number[] } {
  return evaluate(shape, `  output out = ${expression}`).out;
}

const params = (text: string, options?: Options): string[] => paramsOf(graphOf(text, options)).map((p) => `${p.attrs.name} [${p.attrs.shape.join(', ')}]`);
const opsOf = (text: string): string[] => graphOf(text).nodes.map((n) => n.op);

describe('element-wise operators', () => {
  test.each([
    ['x + 1', [1, 2, 3, 4]],
    ['10 - x', [10, 9, 8, 7]],
    ['x * x', [0, 1, 4, 9]],
    ['1 / (x + 1)', [1, 1 / 2, 1 / 3, 1 / 4]],
    ['(x - 2) % 3', [1, 2, 0, 1]],
    ['(x + 1) ** 2', [1, 4, 9, 16]],
    ['x ** 0.5', [0, 1, Math.SQRT2, Math.sqrt(3)]],
    ['(x + 1) ** -0.5', [1, 1 / Math.SQRT2, 1 / Math.sqrt(3), 0.5]],
    ['(x + 1) ** -1', [1, 1 / 2, 1 / 3, 1 / 4]],
    ['x ** 3', [0, 1, 8, 27]],
    ['2 ** x', [1, 2, 4, 8]],
    ['-x', [-0, -1, -2, -3]],
    ['x > 1', [0, 0, 1, 1]],
    ['x >= 1', [0, 1, 1, 1]],
    ['x != 1', [1, 0, 1, 1]],
    ['1 < x and not x == 3', [0, 0, 1, 0]],
    ['x < 1 or x > 2', [1, 0, 0, 1]],
    ['iota(4) / 2', [0, 0, 1, 1]],
    ['iota(4) % 3 == 0', [1, 0, 0, 1]],
    ['where(x > 1, x, -1)', [-1, -1, 2, 3]],
    ['where(x > 1, 5, 7)', [7, 7, 5, 5]],
    ['max(x, 1.5)', [1.5, 1.5, 2, 3]],
    ['min(1, x, 0.5)', [0, 0.5, 0.5, 0.5]],
    ['cast(x / 2, "i32")', [0, 0, 1, 1]],
  ])('%s', (expression, values) => expect(valueOf([4], expression).values).toEqual(values));

  test('exponents of their own', () => {
    expect(opsOf('model M() { input x: [3]; output a = x ** 2; output b = x ** 0.5; output c = x ** -0.5 }')).toEqual(['input', 'mul', 'sqrt', 'rsqrt']);
  });

  test('shapes broadcast from the right', () => {
    const { a, b } = evaluate([2, 3], '  output a = x + x[:, 0:1]\n  output b = x[0] * x[:, none]');
    expect(a).toEqual({ shape: [2, 3], values: [0, 1, 2, 6, 7, 8] });
    expect(b).toEqual({ shape: [2, 1, 3], values: [0, 1, 4, 0, 4, 10] });
  });
});

describe('movement', () => {
  test.each([
    ['x[1]', [3], [3, 4, 5]],
    ['x[-1, ::-1]', [3], [5, 4, 3]],
    ['x[:, 1]', [2], [1, 4]],
    ['x[..., 0:3:2]', [2, 2], [0, 2, 3, 5]],
    ['x[none, 0, none]', [1, 1, 3], [0, 1, 2]],
    ['transpose(x, [1, 0])', [3, 2], [0, 3, 1, 4, 2, 5]],
    ['reshape(x, [-1, 2])', [3, 2], [0, 1, 2, 3, 4, 5]],
    ['concat(x, x[:, 0:1], axis = 1)', [2, 4], [0, 1, 2, 0, 3, 4, 5, 3]],
    ['concat([x[0], x[1]], axis = -1)', [6], [0, 1, 2, 3, 4, 5]],
    ['stack(x[0], x[1], axis = 1)', [3, 2], [0, 3, 1, 4, 2, 5]],
    ['split(x, 3, axis = 1)[2]', [2, 1], [2, 5]],
    ['split(x, [1, 2], axis = 1)[1]', [2, 2], [1, 2, 4, 5]],
    ['pad(x, [[1, 0]], value = 9)', [2, 4], [9, 0, 1, 2, 9, 3, 4, 5]],
    ['flip(x, 1)', [2, 3], [2, 1, 0, 5, 4, 3]],
    ['gather(x, iota(2) * 2, axis = 1)', [2, 2], [0, 2, 3, 5]],
    ['expand(x[0:1], 2)', [2, 3], [0, 1, 2, 0, 1, 2]],
    ['expand(x[0], [2, 3])', [2, 3], [0, 1, 2, 0, 1, 2]],
    ['full([2], 7)', [2], [7, 7]],
    ['roll(x, 1, 1)', [2, 3], [2, 0, 1, 5, 3, 4]],
    ['roll(x, [-1, 1], [1, 0])', [2, 3], [4, 5, 3, 1, 2, 0]],
    ['rearrange(x, "a b -> b a")', [3, 2], [0, 3, 1, 4, 2, 5]],
    ['rearrange(x, "a b -> a 1 b ()")', [2, 1, 3, 1], [0, 1, 2, 3, 4, 5]],
    ['argsort(x, true)', [2, 3], [2, 1, 0, 2, 1, 0]],
    ['argmax(x)', [2], [2, 2]],
  ])('%s', (expression, shape, values) => {
    expect(valueOf([2, 3], expression)).toEqual({ shape, values });
  });

  test('rearrange takes axes apart', () => {
    const { values, shape } = valueOf([2, 3, 8], 'rearrange(x, "b n (t h d) -> t b h n d", t = 2, h = 2)');
    expect(shape).toEqual([2, 2, 2, 3, 2]);
    const at = (t: number, b: number, h: number, n: number, d: number): number => b * 24 + n * 8 + t * 4 + h * 2 + d;
    const expected: number[] = [];
    for (let t = 0; t < 2; t++) for (let b = 0; b < 2; b++) for (let h = 0; h < 2; h++) for (let n = 0; n < 3; n++) for (let d = 0; d < 2; d++) expected.push(at(t, b, h, n, d));
    expect(values).toEqual(expected);
  });

  test('nothing is emitted where nothing moves', () => {
    expect(opsOf('model M() { input x: [2, 3]; output y = rearrange(transpose(reshape(x, [2, 3]), [0, 1]), "a b -> a b") + expand(x, 2)[:, 0:3] }')).toEqual(['input', 'add']);
  });
});

describe('reductions and contractions', () => {
  test.each([
    ['sum(x)', [], [15]],
    ['sum(x, axis = 0)', [3], [3, 5, 7]],
    ['sum(x, axis = [0, 1], keep = true)', [1, 1], [15]],
    ['mean(x, axis = -1)', [2], [1, 4]],
    ['amax(x, axis = 1, keep = true)', [2, 1], [2, 5]],
    ['amin(x)', [], [0]],
    ['variance(x, axis = 1)', [2], [2 / 3, 2 / 3]],
    ['einsum("a b -> b a", x)', [3, 2], [0, 3, 1, 4, 2, 5]],
    ['einsum("a b -> b", x)', [3], [3, 5, 7]],
    ['einsum("a b, c b -> a c", x, x)', [2, 2], [5, 14, 14, 50]],
    ['einsum("... b, b -> ...", x, x[0])', [2], [5, 14]],
    ['einsum("a b, c b, c -> a", x, x, x[:, 0])', [2], [3 * 14, 3 * 50]],
    ['matmul(x, transpose(x, [1, 0]))', [2, 2], [5, 14, 14, 50]],
    ['matmul(x, x[0])', [2], [5, 14]],
    ['matmul(x[:, none], x[:, :, none])', [2, 1, 1], [5, 50]],
    ['matmul(x[none, 0:1], x[:, :, none])', [2, 1, 1], [5, 14]],
    ['linear(x, x, x[:, 0])', [2, 2], [5, 17, 14, 53]],
  ])('%s', (expression, shape, values) => expect(valueOf([2, 3], expression)).toEqual({ shape, values: values.map((v) => expect.closeTo(v, 12)) }));
});

describe('the prelude', () => {
  const close = (expression: string, shape: number[], values: number[]): void => {
    const got = valueOf(shape, expression);
    expect(got.values).toEqual(values.map((v) => expect.closeTo(v, 6)));
  };
  // Worked out from the formulas.
  test('activations', () => {
    close('gelu(x - 1)', [3], [-0.15865525, 0, 0.84134475]);
    close('gelu_tanh(x - 1)', [3], [-0.15880801, 0, 0.84119199]);
    close('quick_gelu(x - 1)', [3], [-0.15420423, 0, 0.84579577]);
    close('silu(x - 1)', [3], [-0.26894142, 0, 0.73105858]);
    close('hard_swish(x * 2 - 4)', [5], [0, -1 / 3, 0, 5 / 3, 4]);
    close('softplus(x * 1000 - 1000)', [3], [0, Math.log(2), 1000]);
    close('leaky_relu(x - 1)', [3], [-0.01, 0, 1]);
    close('elu(x - 1)', [3], [Math.exp(-1) - 1, 0, 1]);
    close('mish(x)', [2], [0, 0.86509839]);
  });

  test('softmax does not overflow', () => {
    close('softmax(x * 1000)', [2], [0, 1]);
    close('softmax(x, axis = 0)', [2, 1], [1 / (1 + Math.E), Math.E / (1 + Math.E)]);
    close('log_softmax(x * 1000)', [2], [-1000, 0]);
    close('normalize(x + 3)', [2], [0.6, 0.8]);
  });

  test('resizing', () => {
    close('resize(x + 1, [8])', [4], [1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4]);
    close('resize(x, [2])', [4], [0.5, 2.5]);
    close('resize(x, [5], align_corners = true)', [3], [0, 0.5, 1, 1.5, 2]);
    close('resize(x, [5], "nearest")', [3], [0, 0, 1, 1, 2]);
    close('resize(x, [6], "bicubic")', [3], [-0.10546875, 0.19140625, 0.66796875, 1.33203125, 1.80859375, 2.10546875]);
    expect(valueOf([1, 2, 2], 'resize(x, [4, 3])').shape).toEqual([1, 4, 3]);
  });

  test('average pooling', () => {
    close('avg_pool(x, 2)', [1, 1, 2, 4], [2.5, 4.5]);
    close('avg_pool(x + 1, 3, stride = 1, padding = 1)', [1, 1, 3], [1, 2, 5 / 3]);
    close('avg_pool(x + 1, 3, stride = 1, padding = 1, count_include_pad = false)', [1, 1, 3], [1.5, 2, 2.5]);
  });

  test('sinusoids', () => {
    close('sinusoid(2, 4)', [1], [0, 0, 1, 1, Math.sin(1), Math.sin(0.01), Math.cos(1), Math.cos(0.01)]);
  });

  test("its operations belong to the caller's line", () => {
    const text = 'model M() {\n  input x: [3]\n  output y = softmax(x)\n}';
    const { nodes } = graphOf(text);
    expect(new Set(nodes.slice(1).map((n) => n.origin.span!.source.path))).toEqual(new Set(['test.vit']));
  });

  test('own names hide it', () => expect(opsOf('fn relu(x) = x + x\nmodel M() { input x: [3]; output y = relu(x) }')).toEqual(['input', 'add']));
});

const LINEAR = 'block Linear(out)(x: [...S, I]) -> [...S, out] {\n  param weight: [out, I]\n  return linear(x, weight)\n}\n';

describe('weight paths', () => {
  test('labels nest, `_` adds nothing, indices and texts are parts', () => {
    const text = `${LINEAR}block Mlp(h)(x: [B, D]) { return fc2: Linear(D)(relu(fc1: Linear(h)(x))) }
model M() {
  input x: [B, 4]
  for i in 0..2 { x = blocks[i].mlp: Mlp(8)(x) }
  x = _: Linear(3)(x)
  x = _[0]: Linear(2)(x)
  x = _["stage" + str(1)].deep: Linear(2)(x)
  x = Linear(2)(x) * (gamma: Linear(1)(x))[:, 0:1]
  output y = x
}`;
    expect(elaborateText(text).diagnostics.map((d) => d.code)).toEqual(['E0501']);
    expect(params(text.replace('Linear(2)(x) *', 'x *'))).toEqual([
      'blocks.0.mlp.fc1.weight [8, 4]', 'blocks.0.mlp.fc2.weight [4, 8]', 'blocks.1.mlp.fc1.weight [8, 4]', 'blocks.1.mlp.fc2.weight [4, 8]',
      'weight [3, 4]', '0.weight [2, 3]', 'stage1.deep.weight [2, 2]', 'gamma.weight [1, 2]',
    ]);
  });

  test('@name and @buffer', () => {
    const graph = graphOf('block A()(x: [D]) {\n param w: [D] @name("inner.weight")\n param m: [D] @buffer\n return x * w + m }\nmodel M() { input x: [4]; output y = a: A()(x) }');
    expect(paramsOf(graph).map((p) => [p.attrs.name, p.attrs.buffer])).toEqual([['a.inner.weight', false], ['a.m', true]]);
  });

  test('an instance shares its weights, and its parameters can be read', () => {
    const text = `${LINEAR}block Two(d)(x) { a = inner: Linear(d)(x); return a }
model M() {
  input x: [B, 4]
  f = f: Two(4)
  y = f(f(x))
  output tied = linear(y, f.inner.weight)
}`;
    expect(params(text)).toEqual(['f.inner.weight [4, 4]']);
    const graph = graphOf(text);
    expect(graph.nodes.filter((n) => n.op === 'einsum').map((n) => n.args[1])).toEqual([1, 1, 1]);
  });

  test('blocks, instances, lambdas and functions are values', () => {
    const text = `${LINEAR}block Residual(f: block)(x) { return x + fn: f(x) }
block Twice(f: function)(x) { return f(f(x)) }
fn stack_of(n, make) = [make(i) for i in 0..n]
model M() {
  input x: [B, 4]
  x = a: Residual(Linear(4))(x)
  for f, i in zip(stack_of(2, fn (i) => Linear(4 + i)), 0..2) { x = b[i]: f(x) }
  x = Twice(fn (y) => y * 2)(x)
  output y = x
}`;
    expect(params(text.replace('fn: f(x)', 'f: f(x)'))).toEqual(['a.f.weight [4, 4]', 'b.0.weight [4, 4]', 'b.1.weight [5, 4]']);
  });

  test('a recursive block ends where its condition says', () => {
    const text = `${LINEAR}block U(depth)(x) {\n  if depth == 0 { return x }\n  return x + down: U(depth - 1)(fc: Linear(4)(x))\n}\nmodel M() { input x: [B, 4]; output y = u: U(3)(x) }`;
    expect(params(text)).toEqual(['u.fc.weight [4, 4]', 'u.down.fc.weight [4, 4]', 'u.down.down.fc.weight [4, 4]']);
  });
});

describe('shapes', () => {
  test('rests, wildcards, expressions and optional tensors', () => {
    const text = `block A()(x: [B, ...S, 2 * D], y: [_, D], mask: [B, D] = none) -> [B, ...S, 2 * D] {
  assert len(S) == 2 and D == 3
  return if mask == none then x else x + mask[:, none, none, 0:1]
}
model M() {
  input x: [B, 4, 5, 6]
  input y: [9, 3]
  output a = A()(x, y)
  output b = A()(x, y, full([B, 3], 1)) + sum(y)
}`;
    expect(graphOf(text, { batch: 2 }).outputs.map((o) => o.name)).toEqual(['a', 'b']);
  });

  test('B is the batch', () => expect(graphOf('model M() { input x: [B, 3]; output y = x }', { batch: 5 }).nodes[0].shape).toEqual([5, 3]));
});

describe('configuration', () => {
  test('statements and values', () => {
    const text = `let SIZES = [2, 3]
fn total(xs) { t = 0; for x in xs { t = t + x }; return t }
model M() {
  input x: [B]
  n = total(SIZES + [1] * 2)
  assert n == 7 and len(SIZES * 2) == 4, "lists"
  assert 7 / 2 == 3.5 and floor(7 / 2) == 3 and -7 % 3 == 2 and 6 / 2 == 3 and kind(6 / 2) == "int", "numbers"
  assert [i * j for i, j in enumerate(SIZES) if j > 2] == [3] and reversed(0..6 by 2) == [4, 2, 0], "lists by rule"
  assert sum([1, 2]) == 3 and max([1, 5]) == 5 and min(2, 1) == 1 and any([false, true]) and not all([false, true]), "folds"
  assert int(2.9) == 2 and round(2.5) == 2 and ceil(2.1) == 3 and str([1, "a"]) == "[1, \\"a\\"]", "rounding"
  assert SIZES[-1] == 3 and SIZES[0:1] == [2] and "abc"[1] == "b" and "ab" + "c" == "abc", "parts"
  assert x.shape == [1] and x.rank == 1 and x.dtype == "f32" and kind(x) == "tensor" and kind(none) == "none", "facts"
  assert (if true then 1 else 1 / 0) == 1 and (true or 1 / 0 == 1) and not (false and 1 / 0 == 1), "lazy"
  if n > 3 { y = x } else { y = x * 2 }
  for a, b in [[1, 2], [3, 4]] { y = y + a * b }
  p, _, q = [x, 0, y]
  output out = p + q
}`;
    expect(graphOf(text).outputs.length).toBe(1);
  });

  test('settings override presets, which override presets, which override defaults', () => {
    const text = `model M(a = 1, b = 1, c = 1, d = 1) { input x: [a, b, c, d]; output y = x }
preset p = M(b = 2, c = 2, d = 2)
/// The outer one.
preset q = p(c = 3, d = 3)`;
    const graph = graphOf(text, { target: 'q', settings: { d: 4 } });
    expect([graph.nodes[0].shape, graph.name, graph.doc]).toEqual([[1, 2, 3, 4], 'q', 'The outer one.']);
  });

  test('attributes and weight rules', () => {
    const graph = graphOf(`model M(n = 2) {
  /// A picture.
  input image: [B, 3, 8, 8] @image(mean = [0.1, 0.2, 0.3], std = 0.5, crop = 0.9, resample = "bicubic", resize = "squash", antialias = false)
  input ids: i32[B, n] @range(below = 10)
  output a = image @labels(["c" + str(i) for i in 0..8]) @boxes(format = "cxcywh", sizes = [1, 2])
  for i in 0..n { output t = ids @name("t" + str(i)) }
  weights {
    "a.{i}" = concat(["b.{i}.q" * 0.5, transpose("b.{i}.k", [1, 0])], axis = 0)
    "c.{rest...}" = reshape(slice("d.{rest...}", axis = 0, start = 1, end = n + 1), [n])
    ignore "{any...}.position_ids"
  }
}`);
    expect(graph.inputs).toEqual([
      { name: 'image', node: 0, doc: 'A picture.', image: { mean: [0.1, 0.2, 0.3], std: [0.5], crop: 0.9, resample: 'bicubic', antialias: false, resize: 'squash' } },
      { name: 'ids', node: 1, below: 10 },
    ]);
    expect(graph.outputs).toEqual([
      { name: 'a', node: 0, labels: ['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7'], attributes: [{ name: 'boxes', args: { format: 'cxcywh', sizes: [1, 2] } }] },
      { name: 't0', node: 1, attributes: [] },
      { name: 't1', node: 1, attributes: [] },
    ]);
    expect(graph.weightRules).toEqual([
      { kind: 'map', pattern: 'a.{i}', source: { kind: 'concat', axis: 0, of: [{ kind: 'scale', by: 0.5, of: { kind: 'tensor', name: 'b.{i}.q' } }, { kind: 'transpose', permutation: [1, 0], of: { kind: 'tensor', name: 'b.{i}.k' } }] } },
      { kind: 'map', pattern: 'c.{rest...}', source: { kind: 'reshape', shape: [2], of: { kind: 'slice', axis: 0, start: 1, end: 3, of: { kind: 'tensor', name: 'd.{rest...}' } } } },
      { kind: 'ignore', pattern: '{any...}.position_ids' },
    ]);
  });
});

test('nodes know their line, path and block', () => {
  const text = `${LINEAR}model M() {\n  input x: [B, 4]\n  output y = head: Linear(2)(x)\n}`;
  const { nodes } = graphOf(text);
  expect(nodes.map((n) => [n.op, n.origin.scope, n.origin.block])).toEqual([['input', '', 'M'], ['param', 'head', 'Linear'], ['einsum', 'head', 'Linear']]);
});

test('work grows with the number of blocks, not with its square', () => {
  const text = `${LINEAR}block Layer()(x: [B, D]) { return x + fc2: Linear(D)(gelu(fc1: Linear(4 * D)(x))) }
model M(depth = 10) { input x: [B, 8]; for i in 0..depth { x = blocks[i]: Layer()(x) }; output y = x }`;
  const time = (depth: number): number => {
    const start = performance.now();
    graphOf(text, { settings: { depth } });
    return performance.now() - start;
  };
  // The better of two, since other work may get in the way.
  const [small, large] = [300, 2400].map((depth) => Math.min(time(depth), time(depth)));
  expect(large / small).toBeLessThan(24);
});

test('a file of blocks is checked without a model', () => {
  const { value: file } = parse({ path: 'parts.vit', text: 'block A()(x: [B, D]) { return rleu(x) }\nfn f(a) = a + b\n' });
  expect(checkFile({ file, load: loadStd }).map((d) => [d.code, d.help])).toEqual([
    ['E0201', 'did you mean `relu`?'],
    ['E0201', 'assign it before, or import it'],
  ]);
});

test('targets are listed with what they set', () => {
  const { value: file } = parse({ path: 'm.vit', text: '/// A model.\nmodel M(dim: int, depth = 2 * 3) { input x: [B]; output y = x }\npreset p = M(8) @weights("p.safetensors")\npreset q = p(4, depth = 1)\n' });
  expect(listTargets(file).map(({ span, ...info }) => (expect(span.source.path).toBe('m.vit'), info))).toEqual([
    { kind: 'model', name: 'M', doc: 'A model.', config: [{ name: 'dim', type: 'int' }, { name: 'depth', value: '2 * 3' }] },
    { kind: 'preset', name: 'p', of: 'M', config: [{ name: 'dim', value: '8' }], weights: 'p.safetensors' },
    { kind: 'preset', name: 'q', of: 'p', config: [{ name: 'dim', value: '4' }, { name: 'depth', value: '1' }] },
  ]);
});
