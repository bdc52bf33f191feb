/** Canonical formatting. */
import type { File } from '../ast.ts';
import { hasErrors } from '../diagnostics.ts';
import type { Result } from '../diagnostics.ts';
import type { Source } from '../source.ts';
import { print } from './doc.ts';
import { Comments } from './format-comments.ts';
import { FileFormatter } from './format-file.ts';
import { parseTree } from './parse.ts';

/** Lines are broken beyond this many columns, where they can be. */
export const LINE_WIDTH = 100;

/**
 * The text in canonical form: two spaces of indentation, lines of about 100 columns, every comment kept. A text with
 * syntax errors stays as it is. Formatting twice changes nothing more, and never the syntax tree.
 */
export function format(source: Source): Result<string> {
  const first = parseTree(source);
  const { result } = first;
  if (hasErrors(result.diagnostics) || !first.lexed || !first.tree) return { value: source.text, diagnostics: result.diagnostics };
  let reading: ReturnType<typeof parseTree> = first;
  let value = source.text;
  // A comment that moved to the end of another line can break a list there once more; a second turn settles it.
  for (let turn = 0; turn < MAX_TURNS && reading.lexed && reading.tree; turn++) {
    const before = value;
    value = print(new FileFormatter(new Comments(reading.lexed)).file(reading.tree, before.length), LINE_WIDTH);
    if (value === before) break;
    reading = parseTree({ path: source.path, text: value });
    if (!sameTree(result.value, reading.result.value)) throw new Error(`bug: formatting changes the meaning of ${source.path}`);
  }
  return { value, diagnostics: result.diagnostics };
}

/** More than any text has needed. */
const MAX_TURNS = 5;

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
