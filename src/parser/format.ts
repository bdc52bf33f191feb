/** Canonical formatting. */
import type { File } from '../ast.ts';
import { hasErrors } from '../diagnostics.ts';
import type { Result } from '../diagnostics.ts';
import type { Source } from '../source.ts';
import { print } from './doc.ts';
import { Comments } from './format-comments.ts';
import { FileFormatter } from './format-file.ts';
import { parse, parseTree } from './parse.ts';

/** Lines are broken beyond this many columns, where they can be. */
export const LINE_WIDTH = 100;

/**
 * The text in canonical form: two spaces of indentation, lines of about 100 columns, every comment kept. A text with
 * syntax errors stays as it is. Formatting twice changes nothing more, and never the syntax tree.
 */
export function format(source: Source): Result<string> {
  const { result, lexed, tree } = parseTree(source);
  if (hasErrors(result.diagnostics) || !lexed || !tree) return { value: source.text, diagnostics: result.diagnostics };
  const doc = new FileFormatter(new Comments(lexed)).file(tree, source.text.length);
  const value = print(doc, LINE_WIDTH);
  if (!sameTree(result.value, parse({ path: source.path, text: value }).value)) {
    throw new Error(`bug: formatting changes the meaning of ${source.path}`);
  }
  return { value, diagnostics: result.diagnostics };
}

/** Whether two trees are equal up to their spans. */
export function sameTree(a: File, b: File): boolean {
  return same(a, b);
}

function same(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  const keys = Object.keys(a).filter((key) => !SPANS.has(key));
  if (keys.length !== Object.keys(b).filter((key) => !SPANS.has(key)).length) return false;
  return keys.every((key) => same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]));
}
const SPANS = new Set(['span', 'operatorSpan']);
