/** Whatever a source makes the elaborator do, it ends soon, and says which bound was met. */
import { describe, expect, test } from 'vitest';
import { hasErrors } from '../src/diagnostics.ts';
import { elaborateText } from './helpers/elaborate.ts';

/** Of processor time: four times what is allowed, since busy threads of one core count each other's. Without the bounds these take from three seconds to for ever. */
const MOST_MILLISECONDS = 8000;

const model = (body: string, before = ''): string => `${before}model M() {\n  input x: [B, 4, 6]\n  ${body}\n  output y = x\n}\n`;
/** A name for a text of 2 ** n characters. */
const long = (name: string, n: number): string => `${name} = "a"\n  for i in 0..${n} { ${name} = ${name} + ${name} }\n  `;

function codes(text: string): string[] {
  const before = process.cpuUsage();
  const { diagnostics } = elaborateText(text);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(MOST_MILLISECONDS);
  return diagnostics.map((d) => d.code);
}

describe('an elaboration ends soon', () => {
  test.each<[string, string[], string]>([
    ['blocks in a long loop', ['E0702'], model('for i in 0..65535 { x = blocks[i]: Linear(6)(x) }', 'import { Linear } from "std/layers"\n')],
    ['a block that calls itself in a long loop', ['E0704'], model('for i in 0..12000 { x = b[i]: A(150)(x) }', 'block A(n)(x) {\n  if n == 0 { param w: [6]\n    return x + w }\n  return inner: A(n - 1)(x)\n}\n')],
    ['functions made of functions, twice each', ['E0704'], model('f = fn (a) => a\n  for i in 0..190 { g = f\n    f = fn (a) => g(g(a)) }\n  z = f(1)')],
    ['a weight rule that doubles forty times', ['E0704'], `model M() {\n  input x: [B]\n  output y = x\n  weights { "a" = ${Array.from({ length: 40 }).reduce<string>((of) => `(fn (p) => concat([p, p], axis = 0))(${of})`, '"a"')} }\n}\n`],
    ['long lists in weight rules', ['E0704'], `model M() {\n  input x: [B]\n  output y = x\n  l = ["a"] * 900000\n  weights { ${'"a" = concat(l, axis = 0)\n'.repeat(300)} }\n}\n`],
    ['lists of lists, compared', ['E0704'], model('l = []\n  m = []\n  for i in 0..40 { l = [l, l]\n    m = [m, m] }\n  z = l == m')],
    ['long texts, compared', ['E0704'], model(`${long('s', 19)}${long('t', 19)}for i in 0..900000 { z = s == t }`)],
    ['long texts, ordered', ['E0704'], model(`${long('s', 19)}${long('t', 19)}for i in 0..900000 { z = s < t }`)],
    ['long texts as ints', ['E0310', 'E0704'], model(`${long('s', 19)}for i in 0..900000 { z = int(s) }`)],
    ['long texts in lists as text', ['E0704'], model(`${long('s', 19)}l = [s] * 8\n  for i in 0..900000 { z = str([l, l, l, l, l, l, l, l]) }`)],
    ['long lists as shapes', ['E0704'], model('s = [1] * 400000 + [B, 4, 6]\n  for i in 0..40000 { z = reshape(x, s) }')],
    ['operations of many axes', ['E0704'], model('s = [1] * 1000\n  x = reshape(x, s + [B, 4, 6])\n  for i in 0..40000 { x = x + x }')],
    ['long patterns', ['E0704'], model(`for i in 0..40000 { z = rearrange(x, "b n d -> b d n${' '.repeat(1900)}") }`)],
    ['a statement that fails at every turn', ['E0410', 'E0704'], model('for i in 0..900000 { z = x[9] }')],
    ['a name unknown at every turn', ['E0201', 'E0704'], model('for i in 0..900000 { z = nothing(i) }')],
    ['long weight paths', ['E0704'], model('x = b: A(150)(x)', 'block A(n)(x) {\n  s = "a"\n  for i in 0..9 { s = s + s }\n  if n == 0 { return x }\n  return i[s]: A(n - 1)(x)\n}\n')],
    ['an empty list, repeated', [], model('l = [] * 9e15\n  for i in 0..1000 { l = l * 4000000000 }')],
    ['a label of a long text', ['E0506'], model(`${long('s', 19)}x = b[s]: A()(x)`, 'block A()(x) { return x }\n')],
  ])('%s', (_, expected, text) => expect(codes(text)).toEqual(expected));

  test('and what people write is far from the bounds', () => {
    const { diagnostics } = elaborateText(model('for i in 0..1000 { x = x + gelu(blocks[i]: Linear(6)(norms[i]: LayerNorm()(x))) }', 'import { Linear } from "std/layers"\nimport { LayerNorm } from "std/norms"\n'));
    expect(hasErrors(diagnostics)).toBe(false);
  });
});
