/** Any text gets a tree and diagnostics, in bounded time; formatting whatever parses keeps its tree. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Diagnostic } from '../../src/diagnostics.ts';
import { format } from '../../src/parser/format.ts';
import { MAX_DIAGNOSTICS, MAX_LENGTH, parse } from '../../src/parser/parse.ts';
import { render } from '../../src/render.ts';

/** A xorshift generator: the same cases every run; FUZZ_SEED tries others, FUZZ_ROUNDS more of them. */
function generator(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const random = generator(Number(process.env.FUZZ_SEED ?? 20240607));
const rounds = Number(process.env.FUZZ_ROUNDS ?? 90);
const sources = readdirSync('zoo', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.vit'))
  .map((name) => readFileSync(`zoo/${name}`, 'utf8'));

const PIECES = [
  'import', 'let', 'fn', 'block', 'model', 'preset', 'param', 'input', 'output', 'for', 'in', 'if', 'then', 'else', 'return', 'assert', 'weights',
  'and', 'or', 'not', 'true', 'false', 'none', 'by', 'from', 'as', 'ignore', 'x', 'B', '_', '1', '0.5', '1e9', '"s"', '"', "'", '\\', '(', ')', '[', ']',
  '{', '}', ',', ':', ';', '.', '..', '...', '@', '=', '==', '!=', '<', '<=', '+', '-', '*', '**', '/', '%', '->', '=>', '&&', '!', '+=', '#', '//', '///', '//!',
  '/*', '\n', '\n\n', '\t', '\r\n', ' ', '§', '\u0000', '\ud800', '🙂', '\u202e', 'é',
];

/** Parses, renders and formats; fails where anything throws, takes long, or a diagnostic lacks its place. */
function check(text: string): readonly Diagnostic[] {
  const source = { path: 'fuzz.vit', text };
  const start = performance.now();
  const { value, diagnostics } = parse(source);
  const time = performance.now() - start;
  expect(time, `parsing ${text.length} characters took ${time} ms`).toBeLessThan(2000 + text.length / 10);
  expect(diagnostics.length).toBeLessThanOrEqual(MAX_DIAGNOSTICS + 1);
  for (const d of diagnostics) {
    expect(d.primary!.start).toBeGreaterThanOrEqual(0);
    expect(d.primary!.end).toBeLessThanOrEqual(text.length);
    expect(d.primary!.end).toBeGreaterThanOrEqual(d.primary!.start);
    const shown = render(d);
    expect(shown).toContain(d.code);
    // A rendering shows no character that a terminal would act on.
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ud800-\udfff](?<![\ud800-\udbff][\udc00-\udfff])(?![\udc00-\udfff])/);
  }
  checkSpans(value, text.length);
  if (!diagnostics.some((d) => d.severity === 'error')) {
    const once = format(source).value;
    expect(format({ path: 'fuzz.vit', text: once }).value).toBe(once);
  }
  return diagnostics;
}

/** Every span lies in the text. */
function checkSpans(node: unknown, length: number): void {
  if (typeof node !== 'object' || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === 'span' || key === 'operatorSpan') {
      const { start, end } = value as { start: number; end: number };
      if (!(start >= 0 && start <= end && end <= length)) throw new Error(`span ${start}..${end} of ${(node as { kind?: string }).kind} in ${length} characters`);
    } else if (key !== 'source') {
      checkSpans(value, length);
    }
  }
}

test('random pieces of the language', () => {
  for (let i = 0; i < rounds; i++) {
    check(Array.from({ length: 1 + random(60) }, () => PIECES[random(PIECES.length)]).join(random(2) ? ' ' : ''));
  }
});

test('random characters', () => {
  for (let i = 0; i < rounds; i++) check(String.fromCharCode(...Array.from({ length: random(80) }, () => (random(3) ? random(128) : random(65536)))));
});

test('real sources cut off anywhere', () => {
  for (let i = 0; i < rounds / 4; i++) {
    const text = sources[random(sources.length)];
    check(text.slice(0, random(text.length)));
    check(text.slice(random(text.length)));
  }
});

test('real sources with pieces dropped, doubled, swapped and put in', () => {
  for (let i = 0; i < rounds / 3; i++) {
    const words = sources[random(sources.length)].split(/(?<=\W)|(?=\W)/);
    for (let edits = 1 + random(5); edits > 0; edits--) {
      const at = random(words.length);
      const kind = random(4);
      if (kind === 0) words.splice(at, 1 + random(3));
      else if (kind === 1) words.splice(at, 0, words[random(words.length)]);
      else if (kind === 2) words.splice(at, 0, PIECES[random(PIECES.length)]);
      else [words[at], words[words.length - 1 - at]] = [words[words.length - 1 - at], words[at]];
    }
    check(words.join(''));
  }
});

test('real sources with their line breaks and spaces moved keep their tree when formatted', () => {
  for (let i = 0; i < rounds / 6; i++) {
    const text = sources[random(sources.length)];
    check(text.split('\n').map((line) => (/\/\/|"/.test(line) ? line : line.replace(/ (?=[^ ])/g, () => [' ', '\n', '  ', ' // c\n', '\n// c\n'][random(5)]))).join('\n'));
  }
});

const HOSTILE: Readonly<Record<string, string>> = {
  'deep parentheses': `let a = ${'('.repeat(10_000)}1${')'.repeat(10_000)}`,
  'deep lists, never closed': `let a = ${'['.repeat(50_000)}`,
  'deep calls': `let a = ${'f('.repeat(10_000)}`,
  'deep subscripts': `let a = ${'f['.repeat(10_000)}`,
  'deep blocks': `model M() {${' if a {'.repeat(10_000)}`,
  'deep braces': '{'.repeat(50_000),
  'brackets that cross': '([{'.repeat(20_000) + ')]}'.repeat(20_000),
  'many minus signs': `let a = ${'-'.repeat(50_000)}1`,
  'many nots': `let a = ${'not '.repeat(50_000)}a`,
  'many powers': `let a = ${'2 ** '.repeat(50_000)}2`,
  'many sums': `let a = ${'2 + '.repeat(50_000)}2`,
  'many members': `let a = b${'.c'.repeat(30_000)}`,
  'many calls': `let a = b${'()'.repeat(30_000)}`,
  'many lambdas': `let a = ${'fn (x) => '.repeat(20_000)}x`,
  'many choices': `let a = ${'if b then c else '.repeat(20_000)}d`,
  'many else ifs': `fn f(a) { if a {}${' else if a {}'.repeat(20_000)} }`,
  'many labels': `let a = ${'b: '.repeat(50_000)}c`,
  'a long label': `let a = ${'b[0].'.repeat(50_000)}c`,
  'labels that are none': `let a = [${'b[c.'.repeat(20_000)}`,
  'an open string': `let a = "${'b'.repeat(1_000_000)}`,
  'backslashes': `let a = "${'\\'.repeat(500_000)}`,
  'many quotes': '"\n'.repeat(30_000),
  'many errors': 'fn f(x) {\n' + 'a b c\n'.repeat(30_000),
  'many unknown characters': '§ '.repeat(50_000),
  'many comments': '/// a\n'.repeat(30_000),
  'open block comments': '/*'.repeat(50_000),
  'many dots': '.'.repeat(100_000),
  'many digits': `let a = ${'9'.repeat(500_000)}`,
  'a long name': `${'modle'.repeat(100_000)} A() {}`,
  'one long line': `let a = [${'1, '.repeat(30_000)}§]`,
};

for (const [name, text] of Object.entries(HOSTILE)) {
  test(`hostile: ${name}`, () => {
    const diagnostics = check(text);
    if (name !== 'many comments') expect(diagnostics.some((d) => d.severity === 'error')).toBe(true);
  });
}

test('a text too long is one diagnostic', () => {
  const { value, diagnostics } = parse({ path: 'long.vit', text: ' '.repeat(MAX_LENGTH + 1) });
  expect(diagnostics.map((d) => d.code)).toEqual(['E0109']);
  expect(value.items).toEqual([]);
});

test('little stack left is a diagnostic', () => {
  const text = `let a = ${'f(1 + '.repeat(90)}1${')'.repeat(90)}`;
  /** Calls `run` at the end of the stack, then again wherever that overflows on the way back. */
  const deep = (run: () => void): void => {
    try {
      deep(run);
    } catch (e) {
      if (!(e instanceof RangeError)) throw e;
      run();
    }
  };
  let codes: string[] = [];
  deep(() => {
    codes = parse({ path: 'a.vit', text }).diagnostics.map((d) => d.code);
  });
  expect(codes.every((code) => code === 'E0108')).toBe(true);
  expect(parse({ path: 'a.vit', text }).diagnostics).toEqual([]);
});
