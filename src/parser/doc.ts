/**
 * Documents that break lines where they must: the algebra of Wadler, "A prettier printer" (2003), with fills,
 * and with suffixes that wait for the end of their line, as comments do.
 */
import { widthOf } from '../cells.ts';

export type Doc =
  | string
  | { readonly kind: 'concat'; readonly parts: readonly Doc[]; readonly breaks: boolean }
  | { readonly kind: 'indent'; readonly doc: Doc; readonly breaks: boolean }
  /** `flat` is what it is on one line; a `hard` one has no such form. */
  | { readonly kind: 'line'; readonly flat: string; readonly hard: boolean; readonly breaks: boolean }
  /** On one line if it fits, else all lines directly in it break. */
  | { readonly kind: 'group'; readonly doc: Doc; readonly breaks: boolean }
  /** Contents with separators between them: as many a line as fit. */
  | { readonly kind: 'fill'; readonly parts: readonly Doc[]; readonly breaks: boolean }
  | { readonly kind: 'choice'; readonly broken: string; readonly flat: string; readonly breaks: boolean }
  | { readonly kind: 'suffix'; readonly text: string; readonly breaks: boolean };

function breaks(doc: Doc): boolean {
  return typeof doc !== 'string' && doc.breaks;
}

export function concat(...parts: Doc[]): Doc {
  return sequence(parts);
}

/** As `concat`, of a list, which may be long. */
export function sequence(parts: readonly Doc[]): Doc {
  return { kind: 'concat', parts, breaks: parts.some(breaks) };
}

export function indent(...parts: Doc[]): Doc {
  return { kind: 'indent', doc: concat(...parts), breaks: parts.some(breaks) };
}

export function group(...parts: Doc[]): Doc {
  return { kind: 'group', doc: concat(...parts), breaks: parts.some(breaks) };
}

/** A group that breaks whether it fits or not. */
export function brokenGroup(...parts: Doc[]): Doc {
  return { kind: 'group', doc: concat(...parts), breaks: true };
}

export function fill(parts: readonly Doc[]): Doc {
  return { kind: 'fill', parts, breaks: parts.some(breaks) };
}

/** A space, or a line break. */
export const line: Doc = { kind: 'line', flat: ' ', hard: false, breaks: false };
/** Nothing, or a line break. */
export const softline: Doc = { kind: 'line', flat: '', hard: false, breaks: false };
export const hardline: Doc = { kind: 'line', flat: '', hard: true, breaks: true };

export function ifBroken(broken: string, flat = ''): Doc {
  return { kind: 'choice', broken, flat, breaks: false };
}

/** Text for the end of the line it falls on. */
export function lineSuffix(text: string): Doc {
  return { kind: 'suffix', text, breaks: false };
}

interface Task {
  readonly doc: Doc;
  readonly indent: number;
  readonly flat: boolean;
  /** The first part of a concat or fill that is still to come. */
  readonly from?: number;
}

/** Lays the document out on lines of `width` columns where it can. Lines end without spaces. */
export function print(doc: Doc, width: number): string {
  const out: string[] = [];
  let row = '';
  let column = 0;
  let suffix = '';
  const tasks: Task[] = [{ doc, indent: 0, flat: false }];

  const newline = (depth: number): void => {
    out.push((row + suffix).trimEnd());
    suffix = '';
    row = ' '.repeat(depth);
    column = depth;
  };

  for (let task = tasks.pop(); task; task = tasks.pop()) {
    const { doc: d, indent: depth, flat, from = 0 } = task;
    if (typeof d === 'string') {
      row += d;
      column += columns(d);
      continue;
    }
    switch (d.kind) {
      case 'concat':
        if (from + 1 < d.parts.length) tasks.push({ ...task, from: from + 1 });
        if (from < d.parts.length) tasks.push({ doc: d.parts[from], indent: depth, flat });
        break;
      case 'indent':
        tasks.push({ doc: d.doc, indent: depth + 2, flat });
        break;
      case 'line':
        if (flat && !d.hard) {
          row += d.flat;
          column += d.flat.length;
        } else {
          newline(depth);
        }
        break;
      case 'group':
        tasks.push({ doc: d.doc, indent: depth, flat: !d.breaks && (flat || fits({ doc: d.doc, indent: depth, flat: true }, tasks, width - column)) });
        break;
      case 'fill': {
        const [content, separator, next] = d.parts.slice(from, from + 3);
        if (content === undefined) break;
        const one = { doc: content, indent: depth, flat: true };
        const first = { ...one, flat: flat || (!breaks(content) && fits(one, [], width - column)) };
        if (separator !== undefined) {
          const both = concat(content, separator, next);
          const stays = flat || (!breaks(both) && fits({ doc: both, indent: depth, flat: true }, [], width - column));
          tasks.push({ ...task, from: from + 2 });
          tasks.push({ doc: separator, indent: depth, flat: stays });
        }
        tasks.push(first);
        break;
      }
      case 'choice': {
        const text = flat ? d.flat : d.broken;
        row += text;
        column += text.length;
        break;
      }
      case 'suffix':
        suffix += d.text;
        break;
    }
  }
  out.push((row + suffix).trimEnd());
  return out.join('\n');
}

/** Whether `task` and what follows it fit up to the first line break that may happen. */
function fits(task: Task, following: readonly Task[], room: number): boolean {
  const tasks = [task];
  let next = following.length;
  while (room >= 0) {
    const current = tasks.pop() ?? following[--next];
    if (!current) return true;
    const { doc: d, indent: depth, flat, from = 0 } = current;
    if (typeof d === 'string') {
      room -= columns(d);
      continue;
    }
    switch (d.kind) {
      case 'concat':
      case 'fill':
        if (from + 1 < d.parts.length) tasks.push({ ...current, from: from + 1 });
        if (from < d.parts.length) tasks.push({ doc: d.parts[from], indent: depth, flat });
        break;
      case 'indent':
        tasks.push({ doc: d.doc, indent: depth, flat });
        break;
      case 'group':
        tasks.push({ doc: d.doc, indent: depth, flat: flat && !d.breaks });
        break;
      case 'line':
        if (d.hard || !flat) return true;
        room -= d.flat.length;
        break;
      case 'choice':
        room -= (flat ? d.flat : d.broken).length;
        break;
      case 'suffix':
        break;
    }
  }
  return false;
}

function columns(text: string): number {
  let width = 0;
  for (const character of text) width += widthOf(character);
  return width;
}
