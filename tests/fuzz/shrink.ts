/**
 * Makes a failing program small: delta debugging over its syntax tree. Parts are edited out of the text, and an edit stays
 * where the program is still valid and still fails on the same level.
 */
import type { Expr, File, Statement } from '../../src/ast.ts';
import { parse } from '../../src/parser/parse.ts';
import type { Span } from '../../src/source.ts';

/** The text between two offsets replaced. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface ShrinkOptions {
  /** Whether this program is of the same kind of failure. */
  readonly fails: (text: string) => Promise<boolean>;
  /** Trials at most. */
  readonly trials?: number;
  readonly onSmaller?: (text: string) => void;
}

export async function shrink(text: string, { fails, trials = 1500, onSmaller }: ShrinkOptions): Promise<string> {
  let left = trials;
  for (let changed = true; changed && left > 0; ) {
    changed = false;
    // The largest parts first: what goes at once need not go piece by piece.
    for (let i = 0, edits = editsOf(text); i < edits.length && left > 0; i++) {
      const smaller = applied(text, edits[i]);
      if (smaller.length >= text.length && !simpler(edits[i], text)) continue;
      left--;
      if (!(await fails(smaller))) continue;
      text = smaller;
      changed = true;
      onSmaller?.(text);
      // Later edits of the old tree may not fit any more: those of the new one, from about the same place.
      edits = editsOf(text);
      i = Math.max(-1, Math.min(i, edits.length) - 2);
    }
  }
  return text;
}

function applied(text: string, { start, end, text: other }: Edit): string {
  const result = text.slice(0, start) + other + text.slice(end);
  return `${result.split('\n').filter((l) => l.trim() !== '').join('\n')}\n`;
}

/** An int that became smaller is simpler, even if no shorter. */
function simpler({ start, end, text: other }: Edit, text: string): boolean {
  const [before, after] = [text.slice(start, end), other].map(Number);
  return Number.isFinite(before) && Number.isFinite(after) && after < before && after >= 0;
}

function editsOf(text: string): Edit[] {
  const { value } = parse({ path: 'fuzz.vit', text });
  const edits = [...editsOfFile(value)].map(({ span, by }) => ({ start: span.start, end: span.end, text: by }));
  return edits.sort((a, b) => b.end - b.start - b.text.length - (a.end - a.start - a.text.length));
}

interface Replacement {
  readonly span: Span;
  readonly by: string;
}

function* editsOfFile(file: File): Iterable<Replacement> {
  for (const item of file.items) {
    yield { span: item.span, by: '' };
    if (item.kind === 'block' || item.kind === 'model' || item.kind === 'function') {
      yield* statements(item.body);
      if (item.kind === 'block') for (const result of item.results) yield* without(result.span, /->\s*$|,\s*$/);
    }
    if (item.kind === 'let') yield* expressions(item.value);
  }
}

/** A part with the sign before it. */
function* without(span: Span, sign: RegExp): Iterable<Replacement> {
  const before = sign.exec(span.source.text.slice(0, span.start));
  if (before) yield { span: { ...span, start: before.index }, by: '' };
}

const textOf = ({ source, start, end }: Span): string => source.text.slice(start, end);

function* statements(body: readonly Statement[]): Iterable<Replacement> {
  // Runs of statements, halves first.
  for (let size = body.length; size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at + size <= body.length; at += size) yield { span: { ...body[at].span, end: body[at + size - 1].span.end }, by: '' };
  }
  for (const s of body) {
    switch (s.kind) {
      case 'assign':
        yield* expressions(s.value);
        break;
      case 'output':
        if (s.type) yield* without(s.type.span, /:\s*$/);
        yield* expressions(s.value);
        break;
      case 'param':
      case 'input':
        for (const attribute of s.attributes) yield { span: attribute.span, by: '' };
        for (const dim of s.type.dims) if (dim.kind === 'dim') yield* expressions(dim.value);
        break;
      case 'for':
        yield { span: s.span, by: s.body.map((b) => textOf(b.span)).join('\n') };
        yield* statements(s.body);
        break;
      case 'if':
        for (const branch of [s.then, s.else ?? []]) {
          yield { span: s.span, by: branch.map((b) => textOf(b.span)).join('\n') };
          yield* statements(branch);
        }
        break;
      case 'return':
        for (const value of s.values) yield* expressions(value);
        break;
    }
  }
}

/** The expression as one of its parts, and its parts made smaller. */
function* expressions(e: Expr): Iterable<Replacement> {
  const parts = partsOf(e);
  for (const part of parts) yield { span: e.span, by: textOf(part.span) };
  if (e.kind === 'number' && e.isInteger && e.value > 1) for (const smaller of new Set([1, Math.floor(e.value / 2), e.value - 1])) yield { span: e.span, by: String(smaller) };
  if (e.kind === 'number' && !e.isInteger) yield { span: e.span, by: '2' };
  if (e.kind === 'call') for (const arg of e.args) yield* without(arg.span, /,\s*$/);
  if (e.kind === 'list') for (const item of e.items) yield* without(item.span, /,\s*$/);
  for (const part of parts) yield* expressions(part);
}

function partsOf(e: Expr): readonly Expr[] {
  switch (e.kind) {
    case 'list':
      return e.items;
    case 'comprehension':
      return [e.value, e.iterable];
    case 'unary':
      return [e.operand];
    case 'binary':
      return [e.left, e.right];
    case 'conditional':
      return [e.then, e.else, e.condition];
    case 'call':
      return [...e.args.map((a) => a.value), e.callee];
    case 'subscript':
      return [e.object, ...e.items.flatMap((i) => (i.kind === 'index' ? [i.value] : i.kind === 'slice' ? [i.start, i.stop, i.step].filter((x) => x !== undefined) : []))];
    case 'member':
      return [e.object];
    case 'lambda':
      return [e.body];
    case 'labelled':
      return [e.value];
    default:
      return [];
  }
}
