/** Text to tokens, with comments kept aside and what other languages write reported in this one's terms. */
import { Lexer } from 'chevrotain';
import type { IToken, TokenType } from 'chevrotain';
import type { Diagnostic, DiagnosticParts } from '../diagnostics.ts';
import { error } from '../diagnostics.ts';
import type { Code } from '../codes.ts';
import type { Source, Span } from '../source.ts';
import { layOut } from './layout.ts';
import type { Misaligned } from './layout.ts';
import { COMMENT_GROUP, FOREIGN, TOKENS } from './tokens.ts';

const lexer = new Lexer(TOKENS, { positionTracking: 'onlyOffset', ensureOptimizations: true });

export interface Lexed {
  readonly source: Source;
  readonly tokens: IToken[];
  /** `//` comments of every kind, in order. */
  readonly comments: readonly IToken[];
  readonly diagnostics: readonly Diagnostic[];
  readonly misaligned: readonly Misaligned[];
}

export function lex(source: Source): Lexed {
  const { tokens, groups, errors } = lexer.tokenize(source.text);
  // The lexer counts no ends when it counts no lines, which nothing here needs.
  for (const token of tokens) token.endOffset = token.startOffset + token.image.length - 1;
  for (const token of groups[COMMENT_GROUP]) token.endOffset = token.startOffset + token.image.length - 1;
  const misaligned = layOut(source.text, tokens);
  const at = (start: number, length: number): Span => ({ source, start, end: start + length });
  const diagnostics = [
    ...errors.map((e) => unexpected(source, at(e.offset, e.length))),
    ...[...tokens, ...groups[COMMENT_GROUP]].flatMap((token) => {
      const found = FOREIGN_MESSAGES.get(token.tokenType)?.(token.image);
      return found ? [error(found.code, found.message, at(token.startOffset, found.length ?? token.image.length), found.parts)] : [];
    }),
  ];
  const comments = groups[COMMENT_GROUP].filter((c) => c.image.startsWith('//'));
  return { source, tokens, comments, diagnostics, misaligned };
}

export function spanOf(source: Source, token: IToken): Span {
  return { source, start: token.startOffset, end: token.startOffset + token.image.length };
}

interface Found {
  readonly code: Code;
  readonly message: string;
  readonly parts?: DiagnosticParts;
  /** How much of the token to underline. */
  readonly length?: number;
}

const FOREIGN_MESSAGES = new Map<TokenType, (image: string) => Found>([
  [FOREIGN.unterminated, () => ({
    code: 'E0102', message: 'this string is not closed on its line',
    parts: { help: 'end it with `"`; a line break inside a string is written `\\n`' },
  })],
  [FOREIGN.singleQuoted, (image) => ({
    code: 'E0102', message: 'strings stand in double quotes',
    parts: { help: `write "${image.replace(/^'|'$/g, '').replaceAll('"', '\\"')}"` },
  })],
  [FOREIGN.number, (image) => ({
    code: 'E0104', message: `\`${image}\` is not a number`,
    parts: { help: numberHelp(image) },
  })],
  [FOREIGN.doubleAnd, () => operator('&&', 'write `and`')],
  [FOREIGN.doubleOr, () => operator('||', 'write `or`')],
  [FOREIGN.binary, (image) => operator(image, image === '^' ? 'a power is written `**`' : `write \`${image === '&' ? 'and' : 'or'}\``)],
  [FOREIGN.tilde, () => operator('~', 'write `not`')],
  [FOREIGN.bang, () => operator('!', 'write `not`')],
  [FOREIGN.walrus, () => operator(':=', 'a name is given its value by `=`')],
  [FOREIGN.update, (image) => operator(image, `write the sum out: \`x = x ${image.slice(0, -1)} ...\``)],
  [FOREIGN.hash, () => ({ code: 'E0112', message: 'comments do not begin with `#`', parts: { help: 'write `// ...`' }, length: 1 })],
  [FOREIGN.blockComment, () => ({
    code: 'E0112', message: 'there are no `/* */` comments', parts: { help: 'begin each line with `//`' }, length: 2,
  })],
]);

function operator(image: string, help: string): Found {
  return { code: 'E0111', message: `there is no operator \`${image}\``, parts: { help } };
}

function numberHelp(image: string): string {
  if (image.endsWith('.')) return `write \`${image}0\` or \`${image.slice(0, -1)}\``;
  if (image.startsWith('.')) return `write \`0${image}\``;
  if (/^\d+(_\d+)+$/.test(image)) return `write \`${image.replaceAll('_', '')}\``;
  if (/^0x[0-9a-f]+$/i.test(image)) return `numbers are decimal: write \`${parseInt(image, 16)}\``;
  if (/^\d+(\.\d+)?f$/.test(image)) return `numbers have no suffix: write \`${image.slice(0, -1)}\``;
  return 'a number looks like `12`, `0.5` or `1e-6`; a name begins with a letter or `_`';
}

/** Characters that look like ones of the language, or that other languages use. */
const MEANT: Readonly<Record<string, string>> = {
  '“': 'a string stands in plain double quotes `"`', '”': 'a string stands in plain double quotes `"`',
  '‘': 'a string stands in plain double quotes `"`', '’': 'a string stands in plain double quotes `"`',
  '`': 'a string stands in double quotes `"`',
  '×': 'multiplication is written `*`', '·': 'multiplication is written `*`', '÷': 'division is written `/`',
  '−': 'minus is written `-`', '–': 'minus is written `-`', '—': 'minus is written `-`',
  '≤': 'write `<=`', '≥': 'write `>=`', '≠': 'write `!=`', '→': 'write `->`', '⇒': 'write `=>`', '…': 'write `...`',
  '?': 'a choice is written `if c then a else b`', '\\': 'a statement goes on over line ends by itself', '$': 'names are made of letters, digits and `_`',
  '\u00a0': 'this is a no-break space: write a plain one', '\u3000': 'this is a wide space: write a plain one',
  '\u200b': 'delete this invisible character',
};

function unexpected(source: Source, span: Span): Diagnostic {
  const character = String.fromCodePoint(source.text.codePointAt(span.start)!);
  const shown = /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character)
    ? `\`${character}\``
    : `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
  const help = MEANT[character] ?? (/^\p{L}$/u.test(character) ? 'names are made of the letters a to z, digits and `_`' : undefined);
  const count = span.end - span.start > character.length ? 'these characters mean' : `the character ${shown} means`;
  return error('E0101', `${count} nothing here`, span, { help });
}

/** The documentation comments of a file: who has which, and which belong to nothing. */
export class Docs {
  private readonly used = new Set<IToken>();
  constructor(private readonly lexed: Lexed) {}

  /** The `//!` lines before the first token. */
  ofFile(): string | undefined {
    const first = this.lexed.tokens[0]?.startOffset ?? Infinity;
    const lines = this.lexed.comments.filter((c) => c.startOffset < first && c.image.startsWith('//!'));
    return this.take(lines);
  }

  /** The `///` lines between the token at `offset` and the one before it. */
  before(offset: number): string | undefined {
    const { tokens, comments } = this.lexed;
    const index = lastBefore(tokens, offset);
    const from = index < 0 ? -1 : tokens[index].startOffset;
    const last = lastBefore(comments, offset);
    let first = last + 1;
    while (first > 0 && comments[first - 1].startOffset > from && isDoc(comments[first - 1])) first--;
    return this.take(comments.slice(first, last + 1).filter((line) => this.standsAlone(line)));
  }

  /** The documentation lines that no declaration took, one for each run of lines. */
  unused(): IToken[] {
    const left = this.lexed.comments.filter((c) => (isDoc(c) || c.image.startsWith('//!')) && !this.used.has(c));
    return left.filter((c, i) => i === 0 || /\S/.test(this.lexed.source.text.slice(left[i - 1].endOffset! + 1, c.startOffset)));
  }

  private take(lines: IToken[]): string | undefined {
    for (const line of lines) this.used.add(line);
    return lines.length ? lines.map((line) => line.image.slice(3).replace(/^ /, '').trimEnd()).join('\n') : undefined;
  }

  private standsAlone(comment: IToken): boolean {
    const { text } = this.lexed.source;
    return !/\S/.test(text.slice(text.lastIndexOf('\n', comment.startOffset) + 1, comment.startOffset));
  }
}

function isDoc(comment: IToken): boolean {
  return comment.image.startsWith('///') && !comment.image.startsWith('////');
}

/** The last of `tokens` that begins before `offset`; -1 where none does. */
function lastBefore(tokens: readonly IToken[], offset: number): number {
  let low = -1;
  let high = tokens.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (tokens[middle].startOffset < offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

