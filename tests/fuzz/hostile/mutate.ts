/** What fuzzing does to bytes, texts and JSON values that were sound. */
import type { Random } from '../../helpers/random.ts';

const BYTES = [0, 1, 0x0a, 0x20, 0x22, 0x2e, 0x3c, 0x5c, 0x7b, 0x7d, 0x7f, 0x80, 0xc0, 0xed, 0xfe, 0xff];

/** A few bytes altered, put in, doubled or cut. */
export function mutateBytes(random: Random, bytes: Uint8Array): Uint8Array {
  let mutant = Uint8Array.from(bytes);
  for (let edits = random.integer(1, 8); edits > 0 && mutant.length > 0; edits--) {
    const at = random.integer(0, mutant.length - 1);
    const kind = random.integer(0, 6);
    if (kind <= 1) mutant[at] ^= 1 << random.integer(0, 7);
    else if (kind === 2) mutant[at] = random.chance(0.5) ? random.pick(BYTES) : random.integer(0, 255);
    else if (kind === 3) mutant = Uint8Array.from([...mutant.subarray(0, at), ...Array.from({ length: random.integer(1, 9) }, () => random.pick(BYTES)), ...mutant.subarray(at)]);
    else if (kind === 4) mutant = Uint8Array.from([...mutant.subarray(0, at), ...mutant.subarray(at + random.integer(1, 32))]);
    else if (kind === 5) mutant.copyWithin(at, random.integer(0, mutant.length - 1), Math.min(mutant.length, at + random.integer(1, 64)));
    else mutant = mutant.slice(0, at);
  }
  return mutant;
}

/** Words, numbers, strings, blanks and signs. */
const TOKEN = /"(?:[^"\\\n]|\\.)*"|[A-Za-z_]\w*|\d+(?:\.\d+)?(?:e[+-]?\d+)?|\s+|[^]/g;

/** Names and texts that mean something to what reads them later. */
export const NASTY = [
  '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'con', '..', '../..', '/etc/passwd', 'C:\\x', 'file:///x', '', ' ', '\u0000', '\n', '\r\n', '\u2028', '\u2029', '\u202e',
  '\u001b[31m', '\u009b2J', '\ud800', '\ufeff', '</script><script>', '*/', '${x}', '`', "'", '"', '\\', '%s', '{', '}', '{a}{b...}', '*', 'é', '🙂', 'ﬁ', 'x'.repeat(300),
];

export const NUMBERS = [
  -1, 0, -0, 1, 2, 3, 4, 7, 8, 0.5, -0.5, 1e-300, 1e300, 1e308, 255, 256, 65535, 65536, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1, 2 ** 53, -(2 ** 53), NaN, Infinity, -Infinity,
];

/** Tokens dropped, doubled, swapped, replaced by others of the text, of `words`, or by hostile numbers and strings. */
export function mutateText(random: Random, text: string, words: readonly string[]): string {
  const tokens = text.match(TOKEN) ?? [''];
  for (let edits = random.integer(1, 5); edits > 0; edits--) {
    const at = random.integer(0, tokens.length - 1);
    const kind = random.integer(0, 8);
    if (kind === 0) tokens.splice(at, random.integer(1, 4));
    else if (kind === 1) tokens.splice(at, 0, tokens[random.integer(0, tokens.length - 1)] ?? '');
    else if (kind === 2) tokens.splice(at, 0, random.pick(words), ' ');
    else if (kind === 3) tokens[at] = random.pick(tokens);
    else if (kind === 4) tokens[at] = random.pick(words);
    else if (kind === 5) tokens[at] = random.chance(0.3) ? random.pick(NASTY) : JSON.stringify(random.pick(NASTY));
    else if (kind === 6) {
      const numbers = tokens.flatMap((t, i) => (/^\d/.test(t) ? [i] : []));
      if (numbers.length > 0) tokens[random.pick(numbers)] = String(random.pick(NUMBERS));
    } else if (kind === 7) {
      const other = random.integer(0, tokens.length - 1);
      [tokens[at], tokens[other]] = [tokens[other], tokens[at]];
    } else {
      const from = random.integer(0, tokens.length - 1);
      tokens.splice(at, 0, ...tokens.slice(from, from + random.integer(1, 12)));
    }
    if (tokens.length === 0) tokens.push(' ');
  }
  return tokens.join('');
}

/** `text` as bytes that were altered, read as UTF-8 again. */
export function mutateAsBytes(random: Random, text: string): string {
  return new TextDecoder().decode(mutateBytes(random, new TextEncoder().encode(text)));
}

function anyValue(random: Random, depth = 0): unknown {
  const kind = random.integer(0, depth > 3 ? 4 : 7);
  if (kind === 0) return null;
  if (kind === 1) return random.chance(0.5);
  if (kind <= 3) return random.pick(NUMBERS);
  if (kind === 4) return random.pick(NASTY);
  if (kind === 5) return Array.from({ length: random.integer(0, 4) }, () => anyValue(random, depth + 1));
  if (kind === 6) return Object.fromEntries(Array.from({ length: random.integer(0, 3) }, () => [random.pick(NASTY), anyValue(random, depth + 1)]));
  // Deeper than any reader's recursion should go unguarded.
  let deep: unknown = 1;
  for (let i = random.pick([10, 100, 500]); i > 0; i--) deep = random.chance(0.5) ? [deep] : { a: deep };
  return deep;
}

/** A copy of a JSON value with a few of its parts replaced, removed, renamed or doubled. */
export function mutateJson(random: Random, value: unknown): unknown {
  let root: unknown = structuredClone(value);
  for (let edits = random.integer(1, 3); edits > 0; edits--) {
    const places: [object, string][] = [];
    const visit = (node: unknown, depth: number): void => {
      if (typeof node !== 'object' || node === null || depth > 40) return;
      for (const [key, child] of Object.entries(node)) {
        places.push([node, key]);
        visit(child, depth + 1);
      }
    };
    visit(root, 0);
    if (places.length === 0 || random.chance(0.02)) {
      root = anyValue(random);
      continue;
    }
    const [owner, key] = random.pick(places);
    const set = (name: string, to: unknown) => Object.defineProperty(owner, name, { value: to, enumerable: true, writable: true, configurable: true });
    const old = (owner as Record<string, unknown>)[key];
    const kind = random.integer(0, 6);
    if (kind === 0) {
      if (Array.isArray(owner)) owner.splice(Number(key), 1);
      else delete (owner as Record<string, unknown>)[key];
    } else if (kind === 1 && !Array.isArray(owner)) {
      delete (owner as Record<string, unknown>)[key];
      set(random.pick(NASTY), old);
    } else if (kind === 2 && Array.isArray(owner)) owner.splice(Number(key), 0, old);
    else if (kind === 3) {
      const [other, name] = random.pick(places);
      set(key, structuredClone((other as Record<string, unknown>)[name]));
    } else if (kind === 4 && typeof old === 'number') set(key, random.chance(0.5) ? random.pick(NUMBERS) : old + random.pick([-1, 1, 0.5, 4]));
    else set(key, anyValue(random));
  }
  return root;
}

/** Its text; numbers that JSON has no word for stand as other languages write them. */
export function jsonText(random: Random, value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return random.chance(0.05) ? text.replace('null', random.pick(['NaN', 'Infinity', '-Infinity', '1e999', '01', '+1', "'a'"])) : text;
}
