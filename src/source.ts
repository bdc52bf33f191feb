/** A source text, spans in it, and the lines they fall on. */

/** One `.vit` text. `path` is the name shown in diagnostics: relative, with forward slashes, or `std/...`. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** A half-open range of UTF-16 offsets in a source. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

/** A 1-based line and column. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

const lineStarts = new WeakMap<Source, number[]>();

function startsOf(source: Source): number[] {
  let starts = lineStarts.get(source);
  if (!starts) {
    starts = [0];
    for (let i = source.text.indexOf('\n'); i >= 0; i = source.text.indexOf('\n', i + 1)) starts.push(i + 1);
    lineStarts.set(source, starts);
  }
  return starts;
}

/** The position of an offset; offsets past the end fall on the last line. */
export function positionOf(source: Source, offset: number): Position {
  const starts = startsOf(source);
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - starts[low] + 1 };
}

/** The text of a 1-based line, without its line ending; empty past the end. */
export function lineText(source: Source, line: number): string {
  const starts = startsOf(source);
  if (line < 1 || line > starts.length) return '';
  const end = line < starts.length ? starts[line] - 1 : source.text.length;
  return source.text.slice(starts[line - 1], end).replace(/\r$/, '');
}

/** The smallest span that covers both; they must be of one source. */
export function join(a: Span, b: Span): Span {
  return { source: a.source, start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}

/** `path:line:column` of a span's start. */
export function formatLocation(span: Span): string {
  const at = positionOf(span.source, span.start);
  return `${span.source.path}:${at.line}:${at.column}`;
}
