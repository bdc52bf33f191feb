/** Text to syntax tree. */
import type { File } from '../ast.ts';
import { error, warning } from '../diagnostics.ts';
import type { Diagnostic, Result } from '../diagnostics.ts';
import { positionOf } from '../source.ts';
import type { Source, Span } from '../source.ts';
import { Builder } from './build.ts';
import type { Failed } from './build.ts';
import type * as cst from './cst.ts';
import { VitParser } from './grammar.ts';
import { layOut } from './layout.ts';
import { Docs, lex, spanOf } from './lex.ts';
import type { Lexed } from './lex.ts';
import { describe } from './messages.ts';
import type { Problem } from './recovering-parser.ts';

/** Longer texts are refused, in UTF-16 units. */
export const MAX_LENGTH = 4 * 1024 * 1024;
/** Of one file, this many findings are told; one more says how many there are. */
export const MAX_DIAGNOSTICS = 50;

let parser = new VitParser();

/**
 * Reads a file. Never throws: what cannot be read is told by diagnostics (E01xx) and left out of the tree, a statement
 * as an `errorStatement`.
 */
export function parse(source: Source): Result<File> {
  return parseTree(source).result;
}

/** The syntax tree together with the tokens and the concrete tree it was built from, which keep what it drops. */
export function parseTree(source: Source): { result: Result<File>; lexed?: Lexed; tree?: cst.FileCst } {
  const whole: Span = { source, start: 0, end: source.text.length };
  if (source.text.length > MAX_LENGTH) {
    const message = `the file holds ${source.text.length} characters, more than the ${MAX_LENGTH} that are read`;
    return { result: { value: { kind: 'file', span: whole, items: [] }, diagnostics: [error('E0109', message, { ...whole, end: 0 })] } };
  }
  const lexed = lex(source);
  const diagnostics = [...lexed.diagnostics];
  const report = (d: Diagnostic): void => void diagnostics.push(d);

  const reading = readBest(lexed);
  if (!reading) {
    const place = { ...whole, end: 0 };
    return { result: { value: { kind: 'file', span: whole, items: [] }, diagnostics: [error('E0108', 'the stack is too small to read this file', place)] } };
  }
  const { tree, problems, failed } = reading;
  // What follows an unknown character on its line is not worth telling.
  const spoilt = new Set(lexed.diagnostics.filter((d) => d.code === 'E0101').map((d) => lineOf(d.primary!)));
  for (const problem of problems) {
    const diagnostic = describe(lexed, problem);
    if (!spoilt.has(lineOf(diagnostic.primary!))) report(diagnostic);
  }
  const docs = new Docs(lexed);
  const value = new Builder(source, report, docs, failed).file(tree);
  // A declaration that could not be read takes no documentation; that is no finding of its own.
  if (problems.length === 0) {
    for (const comment of docs.unused()) {
      report(warning('W0101', 'this documentation belongs to nothing', spanOf(source, comment), {
        help: comment.image.startsWith('//!')
          ? '`//!` documents the file and stands at its top'
          : '`///` stands on the lines before a declaration; write `//` for a comment',
      }));
    }
  }
  return { result: { value, diagnostics: keep(diagnostics) }, lexed, tree };
}

function lineOf(span: Span): number {
  return positionOf(span.source, span.start).line;
}

interface Reading {
  readonly tree: cst.FileCst;
  readonly problems: readonly Problem[];
  readonly failed: Failed;
}

/** A text with errors is read once more with unclosed brackets ended by the looks of lines, for fewer errors that only follow. */
function readBest(lexed: Lexed): Reading | undefined {
  const first = read(lexed);
  if (!first || first.problems.length === 0) return first;
  layOut(lexed.source.text, lexed.tokens, true);
  const second = read(lexed);
  return second?.problems.length ? second : first;
}

/** Undefined where the caller left less stack than the deepest nesting needs. */
function read(lexed: Lexed): Reading | undefined {
  try {
    const tree = parser.parse(lexed.tokens) as cst.FileCst;
    return { tree, problems: parser.problems, failed: parser.failed };
  } catch (e) {
    if (!(e instanceof RangeError)) throw e;
    // Its own stacks were left as they stood.
    parser = new VitParser();
    return undefined;
  }
}

/** In the order of the text, one a place, and not more than people read. */
function keep(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const sorted = [...diagnostics].sort((a, b) => a.primary!.start - b.primary!.start);
  const kept = sorted.filter((d, i) => i === 0 || d.primary!.start !== sorted[i - 1].primary!.start);
  if (kept.length <= MAX_DIAGNOSTICS) return kept;
  const next = kept[MAX_DIAGNOSTICS].primary!;
  const line = lineOf(next);
  const rest = kept.length - MAX_DIAGNOSTICS;
  return [
    ...kept.slice(0, MAX_DIAGNOSTICS),
    error('E0118', `${rest} more ${rest === 1 ? 'finding' : 'findings'} from line ${line} on`, next, { help: 'mend those above first' }),
  ];
}
