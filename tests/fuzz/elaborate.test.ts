/** Whatever the text says, elaboration ends soon, with a graph or with diagnostics, and never with an exception. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasErrors } from '../../src/diagnostics.ts';
import { render } from '../../src/render.ts';
import { verifyGraph } from '../../src/verify.ts';
import { elaborateText } from '../helpers/elaborate.ts';
import { exampleSource } from '../helpers/example-source.ts';
import { Random } from '../helpers/random.ts';

/** Elaborates; the outcome must be consistent, and all of it must render. */
function holds(text: string): string[] {
  const { value, diagnostics } = elaborateText(text);
  for (const d of diagnostics) {
    expect(render(d)).not.toBe('');
    for (const { span } of [...(d.primary ? [{ span: d.primary }] : []), ...d.labels]) {
      expect(span.start).toBeGreaterThanOrEqual(0);
      expect(span.end).toBeGreaterThanOrEqual(span.start);
      expect(span.end).toBeLessThanOrEqual(span.source.text.length);
    }
  }
  if (!hasErrors(diagnostics)) expect(verifyGraph(value!)).toEqual([]);
  return diagnostics.map((d) => d.code);
}

const EXAMPLE = exampleSource('import { Attention, MultiHeadAttention } from "std/attention"', `block Linear(out: int, bias = true)(x: [...S, I]) -> [...S, out] {
  param weight: [out, I]
  y = linear(x, weight)
  if bias { param offset: [out] @name("bias"); y = y + offset }
  return y
}
`);

/** Words, numbers, strings and signs. */
const TOKEN = /"[^"\n]*"|[A-Za-z_]\w*|\d+(?:\.\d+)?|[^\s\w]|\s+/g;
const WORDS = ['x', 'B', 'D', 'none', 'true', '-1', '0', '1.5', '1e9', '"b n -> n"', 'softmax', 'Mlp', 'Mlp()', 'for', '(', ')', '[', ']', '{', '}', '...', '*', '**', '/', '==', ':', '=', ',', '@', 'i32', '..', 'x[0]', 'if', 'scaled', 'heads', '-', 'iota(3)'];

describe('mutations', () => {
  test('the example is sound', () => expect(holds(EXAMPLE.replace('import { Attention, MultiHeadAttention } from "std/attention"', ''))).toEqual([]));

  test('tokens dropped, doubled, swapped and replaced', () => {
    const random = new Random(7);
    const tokens = EXAMPLE.match(TOKEN)!;
    const solid = tokens.flatMap((t, i) => (/\S/.test(t) ? [i] : []));
    for (let round = 0; round < 250; round++) {
      const mutant = [...tokens];
      for (let n = random.integer(1, 2); n > 0; n--) {
        const at = random.pick(solid);
        const kind = random.integer(0, 3);
        if (kind === 0) mutant[at] = '';
        else if (kind === 1) mutant[at] = `${mutant[at]} ${mutant[at]}`;
        else if (kind === 2) {
          const other = random.pick(solid);
          [mutant[at], mutant[other]] = [mutant[other], mutant[at]];
        } else mutant[at] = ` ${random.pick(WORDS)} `;
      }
      const text = mutant.join('');
      try {
        holds(text);
      } catch (e) {
        throw new Error(`round ${round}: ${(e as Error).stack}\n${text}`);
      }
    }
  });

  test('the standard library and the models with one line dropped', () => {
    const random = new Random(11);
    const zoo = join(import.meta.dirname, '..', '..', 'zoo');
    for (const file of readdirSync(zoo).filter((f) => f.endsWith('.vit'))) {
      const lines = readFileSync(join(zoo, file), 'utf8').split('\n');
      for (let round = 0; round < 3; round++) holds(lines.toSpliced(random.integer(0, lines.length - 1), 1).join('\n'));
    }
  });
});

/** A model around a body over x: [2, 3]. */
const model = (body: string, head = ''): string => `${head}\nmodel M() {\n input x: [2, 3]\n ${body}\n output out = x\n}`;

describe('hostile texts', () => {
  test.each([
    ['a long chain of sums', `model M() { input x: [3]; output y = x${' + 1'.repeat(20_000)} }`],
    ['deep parentheses', model(`y = ${'('.repeat(3_000)}1${')'.repeat(3_000)}`)],
    ['deep lists', model(`y = ${'['.repeat(400)}1${']'.repeat(400)}`)],
    ['deep calls', model(`y = ${'abs('.repeat(900)}x${')'.repeat(900)}`)],
    ['lists that double', model(`l = [1]\n for i in 0..64 { l = l + l }`)],
    ['texts that double', model(`s = "abc"\n for i in 0..64 { s = s + s }`)],
    ['lists within lists', model(`l = []\n for i in 0..99999 { l = [l] }\n m = l == [l]\n s = str(l)`)],
    ['loops in loops', model('for a in 0..999 { for b in 0..999 { for c in 0..999 { } } }')],
    ['comprehensions in comprehensions', model('y = [[[1 for a in 0..999] for b in 0..999] for c in 0..999]')],
    ['a loop over a long axis', model('for p in iota(999999999) { x = x }')],
    ['a huge tensor', model('y = full([99999, 99999, 99999], 1)')],
    ['a huge number of parts', model('y = split(iota(999999), 999999, axis = 0)')],
    ['functions that call each other for ever', model('y = f(1)', 'fn f(a) = g(a)\nfn g(a) = h(a)\nfn h(a) = f(a + 1)')],
    ['functions that call twice', model('y = f(64)', 'fn f(n) = if n == 0 then 1 else f(n - 1) + f(n - 1)')],
    ['a default that calls itself', model('y = f()', 'fn f(a = f()) = a')],
    ['a block that is its own part', model('y = A(A)(x)', 'block A(b)(x) { return b(b)(x) }')],
    ['lambdas that call themselves', model('y = (fn (f) => f(f))(fn (f) => f(f))')],
    ['instances in a circle', model('y = A(1)(x)', 'block A(n)(x) { a = a: A(n)\n return a(x) }')],
    ['numbers at the ends', model('y = [9007199254740993, 1e308 * 10, -1e308 * 10, 0.1 + 0.2, 1e308 * 10 - 1e308 * 10]')],
    ['infinite extents', model('y = full([1e308 * 10], 1)\n z = x[0:1e308]\n p = expand(x, 1e300)')],
    ['names of objects', model('constructor = 1\n toString = 2\n y = __proto__ + hasOwnProperty\n z = x.constructor')],
    ['an attribute of an object', 'model M() { input x: [3]; output y = x @boxes(__proto__ = 1, constructor = 2) }'],
    ['setting what is no word', 'model M(__proto__ = 1) { input x: [3]; output y = x }\npreset p = M(__proto__ = 3)'],
    ['patterns', model('a = rearrange(x, "")\n b = rearrange(x, "->")\n c = einsum(",->", x, x)\n d = rearrange(x, "... ... -> ...")\n e = einsum("a b, -> a", x, x)\n f = rearrange(x, "a b -> (a b)", a = 0)')],
    ['strange windows', model('a = conv(x, x, stride = 0)\n b = max_pool(x, [])\n c = sum_pool(x, [1, 1, 1, 1])\n d = conv(full([1, 1, 9], 1), full([1, 1, 9], 1), stride = 9007199254740991, dilation = 9007199254740991)')],
    ['weights', model('weights { "{}" = "a" "{a}{b}" = "{b}{a}" * 1e999 "x" = reshape("y", [0]) ignore "{...}" }')],
    ['many unknown names', model(Array.from({ length: 30_000 }, (_, i) => `a${i} = b${i}`).join('\n'))],
    ['many arguments', model(`y = f(${Array.from({ length: 10_000 }, (_, i) => `a${i} = 1`).join(', ')})`, `fn f(${Array.from({ length: 10_000 }, (_, i) => `a${i}`).join(', ')}) = a1`)],
    ['a long pattern', model(`p = "a "\n for i in 0..16 { p = p + p }\n y = rearrange(x, p + "->" + p)`)],
    ['many declarations', `${Array.from({ length: 10_000 }, (_, i) => `fn f${i}(x) = f${(i * 7) % 10_000}(x)`).join('\n')}\n${model('y = f1(x)')}`],
    ['an import of itself', 'import { M } from "./test"\nmodel M() { input x: [3]; output y = x }'],
    ['nothing', ''],
    ['only a name', 'model'],
  ])('%s', (_, text) => {
    const start = performance.now();
    holds(text);
    expect(performance.now() - start).toBeLessThan(20_000);
  });
});
