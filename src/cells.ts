/** Source text as terminal cells: what each character shows as, and how wide. */

/** Text made of what a terminal shows one cell a column, except for wide characters, which take two. */
export interface Cells {
  readonly text: string;
  readonly width: number;
  /** The column of a UTF-16 offset into the text that was laid out. */
  readonly columnOf: (offset: number) => number;
}

const TAB = 4;

/**
 * Lays out one line. Tabs reach to the next multiple of four; control, format and bidirectional characters and lone
 * surrogates, which would change what the terminal shows around them, appear as `\u{...}`.
 */
export function layOutCells(line: string): Cells {
  const columns = new Array<number>(line.length + 1);
  let text = '';
  let width = 0;
  let offset = 0;
  for (const character of line) {
    for (let i = 0; i < character.length; i++) columns[offset + i] = width;
    offset += character.length;
    const shown = character === '\t' ? ' '.repeat(TAB - (width % TAB)) : visible(character);
    text += shown;
    width += shown === character ? widthOf(character) : shown.length;
  }
  columns[line.length] = width;
  return { text, width, columnOf: (at) => columns[Math.max(0, Math.min(at, line.length))] };
}

/** Cuts laid-out text to the columns [from, to). A wide character across an edge becomes spaces. */
export function cutCells(text: string, from: number, to: number): string {
  let out = '';
  let column = 0;
  for (const character of text) {
    const width = widthOf(character);
    if (column >= to) break;
    if (column >= from && column + width <= to) out += character;
    else if (column + width > from) out += ' '.repeat(Math.min(column + width, to) - Math.max(column, from));
    column += width;
  }
  return out;
}

/** A message with anything that could disturb a terminal made visible; line breaks stay. */
export function plain(message: string): string {
  return message.split('\n').map((line) => Array.from(line, (c) => (c === '\t' ? ' ' : visible(c))).join('')).join('\n');
}

function visible(character: string): string {
  if (!/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/u.test(character)) return character;
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

/** Cells that one character takes: 0 for combining marks, 2 for East Asian wide characters and pictographs. */
export function widthOf(character: string): number {
  const code = character.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (/[\p{Mn}\p{Me}]/u.test(character)) return 0;
  return WIDE.some(([low, high]) => code >= low && code <= high) || /\p{Emoji_Presentation}/u.test(character) ? 2 : 1;
}

/** East Asian Width W and F (Unicode Standard Annex 11), by blocks. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f], [0x2e80, 0x303e], [0x3041, 0x33ff], [0x3400, 0x4dbf], [0x4e00, 0x9fff], [0xa000, 0xa4cf],
  [0xac00, 0xd7a3], [0xf900, 0xfaff], [0xfe30, 0xfe6f], [0xff00, 0xff60], [0xffe0, 0xffe6], [0x1f300, 0x1f64f],
  [0x1f900, 0x1f9ff], [0x20000, 0x3fffd],
];
