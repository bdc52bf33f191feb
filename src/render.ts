/** Diagnostics as text for people: the message, the lines that matter with carets under them, notes and help. */
import { cutCells, layOutCells, plain } from './cells.ts';
import type { Diagnostic } from './diagnostics.ts';
import { formatLocation, lineText, positionOf } from './source.ts';
import type { Source, Span } from './source.ts';

/** Styles for a terminal; the caller brings them, so that this file needs no library and no terminal. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly blue: (text: string) => string;
  readonly cyan: (text: string) => string;
}

export interface RenderOptions {
  readonly color?: Paint;
  /** Columns to stay within, where words allow it; 100 unless told. */
  readonly width?: number;
}

const same = (text: string): string => text;
const NO_PAINT: Paint = { bold: same, red: same, yellow: same, blue: same, cyan: same };

/** A place on one line, in UTF-16 columns from 0. */
interface Mark {
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly message: string;
  readonly primary: boolean;
}

/** Renders one diagnostic, several lines without a final line break. */
export function render(d: Diagnostic, options: RenderOptions = {}): string {
  const paint = options.color ?? NO_PAINT;
  const width = Math.max(40, options.width ?? 100);
  const strong = d.severity === 'error' ? paint.red : paint.yellow;
  const head = `${paint.bold(strong(`${d.severity}[${d.code}]`))}${paint.bold(`: ${plain(d.message)}`)}`;

  const files = marksByFile(d);
  const numbers = files.flatMap(([, marks]) => marks.map((m) => m.line));
  const gutter = numbers.length ? String(Math.max(...numbers)).length : 1;
  const bar = paint.blue('|');
  const blank = `${' '.repeat(gutter + 1)}${bar}`;

  const lines = [head];
  for (const [source, marks, location] of files) {
    lines.push(`${' '.repeat(gutter)}${paint.blue(source === d.primary?.source ? '-->' : ':::')} ${plain(location)}`, blank);
    let last: number | undefined;
    for (const line of [...new Set(marks.map((m) => m.line))].sort((a, b) => a - b)) {
      if (last !== undefined && line === last + 2) lines.push(numbered(last + 1, codeLine(source, last + 1, [], width - gutter - 3, paint, strong)));
      else if (last !== undefined && line > last + 2) lines.push(paint.blue('...'));
      lines.push(numbered(line, codeLine(source, line, marks.filter((m) => m.line === line), width - gutter - 3, paint, strong)));
      last = line;
    }
  }
  const remarks = [...d.notes.map((note) => ['note', note] as const), ...(d.help ? [['help', d.help] as const] : [])];
  if (remarks.length && files.length) lines.push(blank);
  for (const [kind, text] of remarks) {
    const indent = ' '.repeat(gutter + 3 + kind.length + 2);
    const [first, ...rest] = wrap(plain(text), width - indent.length);
    lines.push(`${' '.repeat(gutter + 1)}${paint.blue('=')} ${paint.bold(kind)}: ${first}`, ...rest.map((line) => indent + line));
  }
  return lines.map((line) => line.trimEnd()).join('\n');

  function numbered(line: number, [code, ...below]: readonly string[]): string {
    const number = paint.blue(String(line).padStart(gutter));
    return [`${number} ${bar} ${code}`, ...below.map((row) => `${blank} ${row}`)].join('\n').replace(/[ ]+$/gm, '');
  }
}

/** The places to show, a file at a time; the primary one's file first. */
function marksByFile(d: Diagnostic): (readonly [Source, Mark[], string])[] {
  const places = [
    ...(d.primary ? [{ span: d.primary, message: d.primaryLabel ?? '', primary: true }] : []),
    ...d.labels.map((label) => ({ ...label, primary: false })),
  ];
  const files = new Map<Source, { marks: Mark[]; first: Span }>();
  for (const { span, message, primary } of places) {
    const { source } = span;
    const file = files.get(source) ?? { marks: [], first: span };
    files.set(source, file);
    const from = positionOf(source, span.start);
    const text = lineText(source, from.line);
    // A span of several lines shows on its first one, to that line's end.
    const start = Math.min(from.column - 1, text.length);
    const end = Math.max(start + 1, Math.min(start + span.end - span.start, text.trimEnd().length));
    file.marks.push({ line: from.line, start, end, message: plain(message), primary });
  }
  return [...files].map(([source, { marks, first }]) => [source, marks, formatLocation(first)] as const);
}

/** One source line, cut to `width` around its marks, and the rows of carets and messages below it. */
function codeLine(source: Source, number: number, marks: readonly Mark[], width: number, paint: Paint, strong: (text: string) => string): string[] {
  const whole = lineText(source, number);
  // A line of megabytes is cut before it is laid out.
  const focus = marks.find((m) => m.primary) ?? marks[0] ?? { start: 0, end: 0 };
  const skipped = whole.length > 8 * width ? Math.max(0, focus.start - 2 * width) : 0;
  const cells = layOutCells(whole.slice(skipped, whole.length > 8 * width ? focus.start + 4 * width : undefined));
  const columns = (m: { start: number; end: number }) => {
    const start = cells.columnOf(m.start - skipped);
    return { start, end: Math.max(start + 1, m.end - skipped >= 0 ? cells.columnOf(m.end - skipped) : 0) };
  };

  let from = 0;
  let to = cells.width;
  if (cells.width > width || skipped > 0) {
    const at = columns(focus);
    from = Math.max(0, Math.min(at.start - Math.floor(width / 3), cells.width - width + 1));
    to = Math.min(cells.width, from + width);
  }
  const cutLeft = from > 0 || skipped > 0;
  const cutRight = to < cells.width;
  const text = `${cutLeft ? '…' : ''}${cutCells(cells.text, from + (cutLeft ? 1 : 0), to - (cutRight ? 1 : 0))}${cutRight ? '…' : ''}`;

  const placed = marks
    .map((mark) => {
      const { start, end } = columns(mark);
      const first = Math.min(Math.max(start - from, 0), to - from - (cutRight ? 1 : 0));
      return { ...mark, start: first, end: Math.max(first + 1, Math.min(end, to) - from) };
    })
    .sort((a, b) => a.start - b.start || Number(a.primary) - Number(b.primary));
  return [text.trimEnd(), ...markRows(placed, paint, strong)];
}

/** Carets for the primary place, dashes for others; the last message beside them, the others hung below from bars. */
function markRows(marks: readonly Mark[], paint: Paint, strong: (text: string) => string): string[] {
  if (marks.length === 0) return [];
  const tint = (mark: Mark) => (text: string) => paint.bold(mark.primary ? strong(text) : paint.blue(text));
  const under: string[] = [];
  for (const mark of [...marks].sort((a, b) => Number(a.primary) - Number(b.primary))) {
    for (let i = mark.start; i < mark.end; i++) under[i] = tint(mark)(mark.primary ? '^' : '-');
  }
  const rightmost = marks.reduce((a, b) => (b.end >= a.end && b.start >= a.start ? b : a));
  const beside = rightmost.message && marks.every((m) => m === rightmost || m.start < rightmost.start || !m.message) ? rightmost : undefined;
  const rows = [`${fill(under)}${beside ? ` ${tint(beside)(beside.message)}` : ''}`];

  let hanging = marks.filter((m) => m !== beside && m.message);
  if (hanging.length) rows.push(bars(hanging));
  while (hanging.length) {
    const last = hanging[hanging.length - 1];
    hanging = hanging.slice(0, -1);
    const left = hanging.filter((m) => m.start < last.start);
    const row = bars(left);
    const drawn = left.length ? Math.max(...left.map((m) => m.start)) + 1 : 0;
    rows.push(`${row}${' '.repeat(last.start - drawn)}${tint(last)(last.message)}`);
  }
  return rows;

  function bars(of: readonly Mark[]): string {
    const cells: string[] = [];
    for (const mark of of) cells[mark.start] = tint(mark)('|');
    return fill(cells);
  }
}

function fill(cells: readonly string[]): string {
  return Array.from(cells, (cell) => cell ?? ' ').join('');
}

/** Breaks at spaces to lines of at most `width`; given line breaks stay. */
function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line ? `${line} ${word}` : word;
      }
    }
    return [...lines, line];
  });
}
