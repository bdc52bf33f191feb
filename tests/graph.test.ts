/** Graphs: the builder, the text form, the verifier. */
import { describe, expect, test } from 'vitest';
import type { Graph, Node, NodeId } from '../src/graph.ts';
import { GraphBuilder } from '../src/graph-builder.ts';
import { countUses, rebuild, usersOf } from '../src/graph-rewrite.ts';
import { printGraph, readGraph } from '../src/graph-text.ts';
import { verifyGraph } from '../src/verify.ts';
import { Random } from './helpers/random.ts';
import { randomGraph } from './helpers/random-graph.ts';

const ORIGIN = { scope: 'a.b', block: 'Block' };

describe('the builder', () => {
  test('refuses with a fact, and goes on', () => {
    const builder = new GraphBuilder();
    const x = builder.push('input', [], { name: 'x', shape: [2, 3], dtype: 'f32' }, ORIGIN);
    const y = builder.push('iota', [], { n: 3 }, ORIGIN);
    expect(builder.add('add', [x, y], {}, ORIGIN)).toEqual({ ok: false, message: 'add: f32[2, 3] and i32[3] differ in dtype: f32 and i32' });
    expect(builder.add('neg', [x], {}, ORIGIN)).toEqual({ ok: true, id: 2 });
    expect(builder.type(2)).toMatchObject({ shape: [2, 3], dtype: 'f32' });
    expect(() => builder.push('exp', [y], {}, ORIGIN)).toThrow('bug: exp: the argument is i32[3]; it takes f32');
    expect(() => builder.node(7)).toThrow('bug: node 7 of 3 is read');
  });

  test('a finished graph does not change with the builder', () => {
    const builder = new GraphBuilder();
    builder.push('iota', [], { n: 3 }, ORIGIN);
    const graph = builder.finish({ name: 'g', inputs: [], outputs: [], weightRules: [] });
    builder.push('iota', [], { n: 4 }, ORIGIN);
    expect(graph.nodes).toHaveLength(1);
  });
});

test('rebuild renames arguments, inputs and outputs', () => {
  const graph = randomGraph(3);
  const copy = rebuild(graph, (node, args, builder) => {
    builder.push('constant', [], { value: 0, dtype: 'f32' }, ORIGIN);
    return builder.push(node.op, args, node.attrs, node.origin);
  });
  expect(verifyGraph(copy)).toEqual([]);
  expect(copy.nodes).toHaveLength(2 * graph.nodes.length);
  expect(copy.outputs.map((o) => copy.nodes[o.node].op)).toEqual(graph.outputs.map((o) => graph.nodes[o.node].op));
});

test('uses count readers and outputs', () => {
  const graph = read('%x = input name=x shape=[2] dtype=f32\n%y = mul(%x, %x)\n%z = add(%y, %x)\noutput %z name=z\noutput %y name=y');
  expect([...countUses(graph)]).toEqual([3, 2, 1]);
  expect(usersOf(graph)).toEqual([[1, 2], [2], []]);
});

function read(text: string): Graph {
  const { value, errors } = readGraph(text);
  if (!value) throw new Error(errors.map((e) => `${e.line}: ${e.message}`).join('\n'));
  return value;
}

/** A graph that uses every kind of statement and value. */
const EVERYTHING: Graph = {
  ...randomGraph(11),
  name: 'a "quoted"\nname',
  doc: 'Lines\nand # marks',
};

describe('the text form', () => {
  test('reads back every kind of statement', () => {
    const [first] = EVERYTHING.inputs;
    const graph: Graph = {
      ...EVERYTHING,
      inputs: EVERYTHING.inputs.map((input) =>
        input === first ? { ...input, doc: 'é ∑ # "', below: 7, image: { mean: [0.5, 1e-7], std: [-0, 1], crop: 0.875, resample: 'bicubic', antialias: true, resize: 'squash' } } : input,
      ),
      outputs: EVERYTHING.outputs.map((output) => ({ ...output, labels: ['tench, Tinca', 'true', 'inf', ''], attributes: [{ name: 'boxes', args: { 'a b': 1, format: 'xywh', ok: true, list: [1, 'x'] } }] })),
      weightRules: [
        { kind: 'ignore', pattern: '{rest...}.position_ids' },
        { kind: 'map', pattern: 'a.{i}', source: { kind: 'concat', axis: 0, of: [{ kind: 'transpose', of: { kind: 'tensor', name: 'b.{i}' } }, { kind: 'slice', axis: 0, start: 1, end: 2, of: { kind: 'scale', by: -0.5, of: { kind: 'reshape', shape: [2, 3], of: { kind: 'tensor', name: 'c' } } } }] } },
      ],
    };
    const text = printGraph(graph);
    expect(read(text)).toEqual(graph);
    expect(printGraph(read(text))).toBe(text);
  });

  test('infinities, negative zero and long floats survive', () => {
    const values = [Infinity, -Infinity, -0, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1e21];
    const builder = new GraphBuilder();
    for (const value of values) builder.push('constant', [], { value, dtype: 'f32' }, ORIGIN);
    const graph = builder.finish({ name: 'g', inputs: [], outputs: [], weightRules: [] });
    expect(read(printGraph(graph)).nodes.map((n) => (n.op === 'constant' ? n.attrs.value : undefined))).toEqual(values);
  });

  test('spans are comments', () => {
    const builder = new GraphBuilder();
    const span = { source: { path: 'vit.vit', text: 'model X {\n  a = b\n}' }, start: 12, end: 13 };
    builder.push('iota', [], { n: 3 }, { ...ORIGIN, span });
    const text = printGraph(builder.finish({ name: 'g', inputs: [], outputs: [], weightRules: [] }));
    expect(text).toBe('graph g\n%0 = iota n=3 : i32[3] @ "a.b" Block  # vit.vit:2:3\n');
    expect(read(text).nodes[0].origin).toEqual(ORIGIN);
  });

  const errorsOf = (text: string): string[] => readGraph(text).errors.map((e) => `${e.line}: ${e.message}`);

  test('every line with an error is told of', () => {
    expect(errorsOf(`graph
      nonsense here
      %0 = frobnicate(%1)
      %0 = iota n=3 : i32[4]
      %1 = iota n=3
      %1 = iota n=4
      %2 = neg(%7)
      %3 = iota n=3 trailing
      %4 = iota m=3
      %5 = iota n="3
      %6 = cast(%1) dtype=f64
      %7 = add(%1 %1)
      %8 = iota
      %9 = toString(%1)
      %10 = reshape(%1) shape=[1, [3]]
      output %1 name=y labels=[1]
      rule kind=map pattern=a source={kind: concat, of: [{kind: tensor}], axis: 0}
      %11 = slice(%1) start=[0] size=[4] step=[1]
    `)).toMatchInlineSnapshot(`
      [
        "1: expected a name, found the end of the line",
        "2: 'nonsense' begins no statement",
        "3: 'frobnicate' is no operation",
        "4: %0 is said to be i32[4]; it is i32[3]",
        "6: %1 is defined twice",
        "7: %7 is not defined above",
        "8: expected the end of the line, found 'trailing'",
        "9: iota: expected an entry n",
        "10: expected a value, found '"3'",
        "11: cast: expected one of f32, i32, bool as dtype",
        "12: expected ',', found '%1)'",
        "13: iota: expected an entry n",
        "14: 'toString' is no operation",
        "15: reshape: expected an integer as item 1 as shape",
        "16: output: expected a string or a string as item 0 as labels",
        "17: rule: expected an entry name as item 0 as of as source",
        "18: slice: axis 0 of i32[3] is read from 0 to 3; it has 0 to 2",
      ]
    `);
  });

  test.each([
    ['deep values', `rule kind=map pattern=a source=${'{of: '.repeat(100_000)}`],
    ['deep sources, kinds last', `rule kind=map pattern=a source=${'{of: '.repeat(50)}{name: a, kind: tensor}${', kind: tra}'.repeat(50)}`],
    ['deep lists', `%0 = reshape(%1) shape=${'['.repeat(100_000)}`],
    ['a long string', `graph "${'a'.repeat(3_000_000)}`],
    ['a long good string', `graph "${'\\n'.repeat(1_000_000)}"`],
    ['a long number', `%0 = iota n=${'9'.repeat(100_000)}`],
    ['prototype names', '%0 = iota n=3 __proto__={n: 3} constructor=1\n%1 = __proto__\noutput %0 name=x __proto__=1'],
    ['huge shapes', '%0 = input name=x shape=[1000000000, 1000000000] dtype=f32'],
    ['huge padding', '%0 = iota n=3\n%1 = pad(%0) padding=[{low: 9007199254740991, high: 9007199254740991}] value=0'],
    ['nothing', ''],
    ['control characters', '\0\x01\x02%\u2028=\r'],
    ['a lone quote', 'graph "'],
    ['a bad escape', 'graph "\\x"'],
  ])('hostile text: %s', (_name, text) => {
    const start = performance.now();
    const { value, errors } = readGraph(text);
    expect(value === undefined).toBe(errors.length > 0);
    expect(({} as Record<string, unknown>).n).toBeUndefined();
    expect(performance.now() - start).toBeLessThan(2000);
  });

  test('mangled text never throws', () => {
    const random = new Random(5);
    const alphabet = ' \n"%#=()[]{},:@-.\\0a1é';
    for (let seed = 0; seed < 150; seed++) {
      const characters = [...printGraph(randomGraph(seed % 12))];
      for (let i = random.integer(1, 6); i > 0; i--) characters.splice(random.integer(0, characters.length), random.integer(0, 3), random.pick([...alphabet]));
      const { value, errors } = readGraph(characters.join(''));
      if (value) expect(verifyGraph(value).filter((e) => !e.includes('stands twice') && !e.includes('which is') && !e.includes('which is named'))).toEqual([]);
      else expect(errors.length).toBeGreaterThan(0);
    }
  });
});

describe('the verifier', () => {
  const good = read('graph g\n%x = input name=x shape=[2] dtype=f32\n%w = param name=w shape=[2] dtype=f32 buffer=false\n%y = add(%x, %w)\noutput %y name=y');
  const broken = (change: (node: Node) => Node, at: NodeId): Graph => ({ ...good, nodes: good.nodes.map((n) => (n.id === at ? change(n) : n)) });

  test('finds nothing in good graphs', () => {
    expect(verifyGraph(good)).toEqual([]);
    for (let seed = 0; seed < 20; seed++) expect(verifyGraph(randomGraph(seed))).toEqual([]);
  });

  test.each<[string, Graph]>([
    ['a later argument', broken((n) => ({ ...n, args: [0, 2] }) as Node, 2)],
    ['a wrong id', broken((n) => ({ ...n, id: 5 }), 1)],
    ['a wrong shape', broken((n) => ({ ...n, shape: [3] }), 2)],
    ['a wrong dtype', broken((n) => ({ ...n, dtype: 'i32' }) as Node, 2)],
    ['a missing argument', broken((n) => ({ ...n, args: [0] }) as Node, 2)],
    ['an unknown operation', broken((n) => ({ ...n, op: 'toString' }) as unknown as Node, 2)],
    ['an undeclared input', { ...good, inputs: [] }],
    ['a misnamed input', { ...good, inputs: [{ name: 'z', node: 0 }] }],
    ['an input that is none', { ...good, inputs: [{ name: 'x', node: 0 }, { name: 'w', node: 1 }] }],
    ['an absent output', { ...good, outputs: [{ name: 'y', node: 9, attributes: [] }] }],
    ['outputs of one name', { ...good, outputs: [...good.outputs, ...good.outputs] }],
    ['params of one name', broken((n) => ({ ...n, op: 'param', args: [], attrs: { name: 'w', shape: [2], dtype: 'f32', buffer: false } }) as Node, 2)],
  ])('%s', (_name, graph) => {
    expect(verifyGraph(graph)).toMatchSnapshot();
  });
});
