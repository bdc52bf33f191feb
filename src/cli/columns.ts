/** Tables that stay within the terminal: the least important columns go first, then a long one is cut. */
import { widthOf as cellWidth } from '../cells.ts';
import { terminalWidth } from './terminal.ts';

export interface Column {
  readonly title: string;
  readonly right?: boolean;
  /** Columns with the greatest number are left out first; 0 and absent: never. */
  readonly drop?: number;
  /** May be cut, in the middle. */
  readonly flexible?: boolean;
}

const GAP = 2;

/** Columns that a flexible one keeps while others can be left out. */
const LEAST = 28;

// eslint-disable-next-line no-control-regex
const STYLES = /\x1b\[[0-9;]*m/g;

function widthOf(text: string): number {
  return [...text.replace(STYLES, '')].reduce((sum, c) => sum + cellWidth(c), 0);
}

/** `text` in at most `width` columns, its middle left out; styled text is left alone. */
export function cutMiddle(text: string, width: number): string {
  const letters = [...text];
  if (letters.length <= width || text.includes('\x1b')) return text;
  if (width <= 1) return '…'.slice(0, width);
  const head = Math.ceil((width - 1) / 2);
  return `${letters.slice(0, head).join('')}…${letters.slice(letters.length - (width - 1 - head)).join('')}`;
}

export function fitTable(columns: readonly Column[], rows: readonly (readonly string[])[], width = terminalWidth()): string {
  let shown = columns.map((_, i) => i);
  const widths = columns.map((c, i) => Math.max(widthOf(c.title), ...rows.map((row) => widthOf(row[i]))));
  const total = (): number => shown.reduce((sum, i) => sum + widths[i], GAP * (shown.length - 1));
  const flexible = columns.findIndex((c) => c.flexible);
  const least = Math.min(LEAST, flexible < 0 ? 0 : widths[flexible]);
  const needed = (): number => total() - (flexible >= 0 && shown.includes(flexible) ? widths[flexible] - least : 0);
  for (;;) {
    const worst = shown.filter((i) => columns[i].drop).sort((a, b) => columns[b].drop! - columns[a].drop!)[0];
    if (worst === undefined || needed() <= width) break;
    shown = shown.filter((i) => i !== worst);
  }
  if (flexible >= 0 && total() > width) widths[flexible] = Math.max(8, widths[flexible] - (total() - width));
  const cell = (text: string, i: number): string => {
    const cut = columns[i].flexible ? cutMiddle(text, widths[i]) : text;
    const pad = ' '.repeat(Math.max(0, widths[i] - widthOf(cut)));
    return columns[i].right ? pad + cut : cut + pad;
  };
  return [columns.map((c) => c.title), ...rows].map((row) => shown.map((i) => cell(row[i], i)).join(' '.repeat(GAP)).trimEnd()).join('\n');
}

/** Lines of at most `width` columns, broken at spaces. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
