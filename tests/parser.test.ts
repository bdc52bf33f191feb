/** What the parser makes of each form, in short; errors are in parser-errors.test.ts. */
import { describe, expect, test } from 'vitest';
import type { Expr, File, Statement } from '../src/ast.ts';
import { parse } from '../src/parser/parse.ts';
import type { Span } from '../src/source.ts';

function file(text: string): File {
  const { value, diagnostics } = parse({ path: 'a.vit', text });
  expect(diagnostics.map((d) => `${d.code} ${d.message}`)).toEqual([]);
  return value;
}

function expression(text: string): Expr {
  const [item] = file(`let a = ${text}`).items;
  if (item.kind !== 'let') throw new Error(`bug: ${item.kind}`);
  return item.value;
}

function statements(text: string): readonly Statement[] {
  const [item] = file(`model M() { ${text} }`).items;
  if (item.kind !== 'model') throw new Error(`bug: ${item.kind}`);
  return item.body;
}

/** The tree without its spans. */
function bare(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(bare);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(Object.entries(node).filter(([key]) => key !== 'span' && key !== 'operatorSpan').map(([key, value]) => [key, bare(value)]));
}

/** An expression with every operator's operands in parentheses. */
function grouped(e: Expr): string {
  switch (e.kind) {
    case 'number': return String(e.value);
    case 'name': return e.text;
    case 'unary': return `(${e.operator} ${grouped(e.operand)})`;
    case 'binary': return `(${grouped(e.left)} ${e.operator} ${grouped(e.right)}${e.step ? ` by ${grouped(e.step)}` : ''})`;
    case 'conditional': return `(if ${grouped(e.condition)} then ${grouped(e.then)} else ${grouped(e.else)})`;
    case 'lambda': return `(fn => ${grouped(e.body)})`;
    case 'call': return `${grouped(e.callee)}(${e.args.map((a) => grouped(a.value)).join(', ')})`;
    case 'labelled': return `{${e.label.map((p) => (p.kind === 'name' ? p.text : `[${grouped(p.value)}]`)).join(' ')}: ${grouped(e.value)}}`;
    case 'subscript': return `${grouped(e.object)}[${e.items.map((i) => (i.kind === 'index' ? grouped(i.value) : i.kind)).join(', ')}]`;
    case 'member': return `${grouped(e.object)}.${e.name.text}`;
    case 'list': return `[${e.items.map(grouped).join(', ')}]`;
    default: return e.kind;
  }
}

describe('operators', () => {
  const cases: Readonly<Record<string, string>> = {
    'a + b * c': '(a + (b * c))',
    'a * b + c': '((a * b) + c)',
    'a - b - c': '((a - b) - c)',
    'a / b % c': '((a / b) % c)',
    'a ** b ** c': '(a ** (b ** c))',
    '-a ** b': '(- (a ** b))',
    '2 ** -b * c': '((2 ** (- b)) * c)',
    '2 ** -b ** c': '(2 ** (- (b ** c)))',
    '- - a': '(- (- a))',
    '-a + b': '((- a) + b)',
    '-a * b': '((- a) * b)',
    'a * -b': '(a * (- b))',
    'not a and b or c': '(((not a) and b) or c)',
    'not a == b': '(not (a == b))',
    'a and not b == c': '(a and (not (b == c)))',
    'not not a': '(not (not a))',
    'a or b and c': '(a or (b and c))',
    'a + 1 < b * 2 and c': '(((a + 1) < (b * 2)) and c)',
    '0..n + 1': '(0 .. (n + 1))',
    '0..n by 2': '(0 .. n by 2)',
    'a..b - 1 by c * 2': '(a .. (b - 1) by (c * 2))',
    'a..b == c': '((a .. b) == c)',
    '(a + b) * c': '((a + b) * c)',
    'if a then b else if c then d else e': '(if a then b else (if c then d else e))',
    'if a then b else c + d': '(if a then b else (c + d))',
    'fn (x) => x + 1': '(fn => (x + 1))',
    'a: B(c)(d) + e': '({a: B(c)(d)} + e)',
    'a[i].b: C()(x)[0]': '{a [i] b: C()(x)[0]}',
    '_[0]: C()(x)': '{_ [0]: C()(x)}',
    'output.input: C()(x)': '{output input: C()(x)}',
    '-a: B()(c)': '(- {a: B()(c)})',
    'f(a: B(), c)': 'f({a: B()}, c)',
    '[a: B(), c]': '[{a: B()}, c]',
    'x[a: b]': 'x[slice]',
    'x[(a: b)]': 'x[{a: b}]',
    'x[f(a: b())]': 'x[f({a: b()})]',
    'x[..., none, :, ::2, a:b:c, -1]': 'x[ellipsis, none, slice, slice, slice, (- 1)]',
    'x.for.in[0](y)': 'x.for.in[0](y)',
    '(a,)': '[a]',
    '(a, b)': '[a, b]',
    '[]': '[]',
    'a(b)(c)[d].e': 'a(b)(c)[d].e',
  };
  for (const [text, expected] of Object.entries(cases)) test(text, () => expect(grouped(expression(text))).toBe(expected));
});

describe('literals', () => {
  test('numbers', () => {
    const value = (text: string): unknown => bare(expression(text));
    expect(value('12')).toEqual({ kind: 'number', value: 12, isInteger: true });
    expect(value('1.0')).toEqual({ kind: 'number', value: 1, isInteger: false });
    expect(value('1e-6')).toEqual({ kind: 'number', value: 1e-6, isInteger: false });
    expect(value('2.5E+3')).toEqual({ kind: 'number', value: 2500, isInteger: false });
  });
  test('strings', () => expect(bare(expression('"a\\n\\"\\u{1F600}\\\\ // no comment"'))).toEqual({ kind: 'string', value: 'a\n"😀\\ // no comment' }));
  test('words', () => expect(bare(expression('[true, false, none]'))).toEqual({ kind: 'list', items: [{ kind: 'bool', value: true }, { kind: 'bool', value: false }, { kind: 'none' }] }));
});

test('comprehensions', () => {
  expect(bare(expression('[i for i, x in xs if x]'))).toEqual({
    kind: 'comprehension', value: { kind: 'name', text: 'i' }, targets: [{ text: 'i' }, { text: 'x' }],
    iterable: { kind: 'name', text: 'xs' }, condition: { kind: 'name', text: 'x' },
  });
});

test('declarations', () => {
  const { items, doc } = file(`//! The file.
//!  Two lines.
import { A, B as C } from "std/layers"
/// Doc.
let n = 1
fn f(x, y: int = 2) = x
fn g() { return 1, 2 }
/// Of a block.
/// More.
block K(m: block, f: function)(x: [B, ...S, _, ...], ids: i32[N + 1] = none) -> [B], bool[1] { return x }
preset p = M(1, a = 2) @weights("w") @b`);
  expect(doc).toBe('The file.\n Two lines.');
  expect(items.map((item) => item.kind)).toEqual(['import', 'let', 'function', 'function', 'block', 'preset']);
  expect(bare(items[0])).toEqual({ kind: 'import', names: [{ name: { text: 'A' } }, { name: { text: 'B' }, as: { text: 'C' } }], from: { value: 'std/layers' } });
  expect(items[1]).toMatchObject({ doc: 'Doc.' });
  expect(items[2]).toMatchObject({ expressionBody: true, body: [{ kind: 'return', values: [{ kind: 'name' }] }], params: [{}, { type: { value: 'int' }, default: { value: 2 } }] });
  expect(items[3]).toMatchObject({ expressionBody: false, body: [{ kind: 'return', values: [{}, {}] }] });
  expect(bare(items[4])).toMatchObject({
    doc: 'Of a block.\nMore.',
    config: [{ type: { value: 'block' } }, { type: { value: 'function' } }],
    tensors: [
      { type: { dims: [{ kind: 'dim' }, { kind: 'rest', name: { text: 'S' } }, { kind: 'any' }, { kind: 'rest' }] } },
      { type: { dtype: { value: 'i32' }, dims: [{ kind: 'dim', value: { kind: 'binary' } }] }, default: { kind: 'none' } },
    ],
    results: [{ dims: [{}] }, { dtype: { value: 'bool' } }],
  });
  expect(bare(items[5])).toMatchObject({ model: { text: 'M' }, args: [{}, { name: { text: 'a' } }], attributes: [{ name: { text: 'weights' } }, { name: { text: 'b' }, args: [] }] });
});

test('statements', () => {
  const body = statements(`
    /// Doc.
    param w: [3] @buffer @name("a.b")
    input x: i32[B] @range(below = 3)
    a, b, _ = x;
    for i, j in 0..3 by 2 { a = i }
    if a { b = 1 } else if c { b = 2 } else { b = 3 }
    assert a == 1, "text"
    output y: [B] = a @labels("x")
    weights { "a.{i}" = concat(["b.{i}", "c"], axis = 0) ignore "d" }
    return a, b`);
  expect(body.map((s) => s.kind)).toEqual(['param', 'input', 'assign', 'for', 'if', 'assert', 'output', 'weights', 'return']);
  expect(body[0]).toMatchObject({ doc: 'Doc.', name: { text: 'w' }, attributes: [{ name: { text: 'buffer' } }, { name: { text: 'name' }, args: [{}] }] });
  expect(body[2]).toMatchObject({ targets: [{ text: 'a' }, { text: 'b' }, { text: '_' }] });
  expect(body[3]).toMatchObject({ iterable: { kind: 'binary', operator: '..', step: { value: 2 } }, body: [{ kind: 'assign' }] });
  expect(body[4]).toMatchObject({ then: [{}], else: [{ kind: 'if', then: [{}], else: [{ kind: 'assign' }] }] });
  expect(body[7]).toMatchObject({ rules: [{ kind: 'map', pattern: { text: 'a.{i}' } }, { kind: 'ignore', pattern: { text: 'd' } }] });
});

test('a statement that cannot be read leaves an error node, and the rest is read', () => {
  const { value, diagnostics } = parse({ path: 'a.vit', text: 'fn f(x) {\n  a = 1\n  b = = 2\n  if a {\n    c d\n  }\n  return x\n}\nlet = 3\nlet e = 4' });
  expect(diagnostics.map((d) => d.code)).toEqual(['E0116', 'E0105', 'E0105']);
  expect(value.items.map((item) => item.kind)).toEqual(['function', 'let']);
  const [f] = value.items;
  expect(f).toMatchObject({ body: [{ kind: 'assign' }, { kind: 'errorStatement' }, { kind: 'if', then: [{ kind: 'errorStatement' }] }, { kind: 'return' }] });
});

test('every span covers its text', () => {
  const text = 'block A(n: int = 1 + 2)(x: [B, N]) -> [B] {\n  y = (a: C(n, k = -x ** 2))(z)[0, 1:] + w.v\n  return y\n}\n';
  const seen: string[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const { span } = node as { span?: Span };
    if (span && 'kind' in node) seen.push(`${String(node.kind)} ${text.slice(span.start, span.end)}`);
    for (const [key, value] of Object.entries(node)) if (key !== 'span' && key !== 'operatorSpan') visit(value);
  };
  visit(file(text));
  expect(seen.slice(1)).toEqual([
    `block ${text.trimEnd()}`, 'binary 1 + 2', 'number 1', 'number 2', 'dim B', 'name B', 'dim N', 'name N', 'dim B', 'name B',
    'assign y = (a: C(n, k = -x ** 2))(z)[0, 1:] + w.v', 'binary (a: C(n, k = -x ** 2))(z)[0, 1:] + w.v',
    'subscript (a: C(n, k = -x ** 2))(z)[0, 1:]', 'call (a: C(n, k = -x ** 2))(z)', 'labelled (a: C(n, k = -x ** 2))', 'name a',
    'call C(n, k = -x ** 2)', 'name C', 'name n', 'unary -x ** 2', 'binary x ** 2', 'name x', 'number 2', 'name z',
    'index 0', 'number 0', 'slice 1:', 'number 1', 'member w.v', 'name w', 'return return y', 'name y',
  ]);
});

test('comments of every kind stay out of the tree', () => {
  expect(bare(file('// a\nlet a = 1 // b\n//// c\nlet b = 2').items)).toEqual([
    { kind: 'let', name: { text: 'a' }, value: { kind: 'number', value: 1, isInteger: true } },
    { kind: 'let', name: { text: 'b' }, value: { kind: 'number', value: 2, isInteger: true } },
  ]);
});
