/** Comments between tokens, and where the formatter puts them. */
import type { IToken } from 'chevrotain';
import { concat, hardline, lineSuffix, sequence } from './doc.ts';
import type { Doc } from './doc.ts';
import type { Lexed } from './lex.ts';

/**
 * Hands out each comment once. A comment on the line of the token before it trails that token; others lead the token
 * after them. What no context took goes to the end of the line its token is printed on.
 */
export class Comments {
  private readonly trailing = new Map<number, IToken>();
  private readonly leading = new Map<number, IToken[]>();
  private readonly text: string;

  constructor(private readonly lexed: Lexed) {
    this.text = lexed.source.text;
    const { tokens, comments } = lexed;
    let next = 0;
    for (const comment of comments) {
      while (next < tokens.length && tokens[next].startOffset < comment.startOffset) next++;
      const previous = tokens[next - 1];
      if (previous && !this.text.slice(previous.endOffset! + 1, comment.startOffset).includes('\n')) {
        this.trailing.set(previous.startOffset, comment);
      } else {
        const at = tokens[next]?.startOffset ?? this.text.length;
        const before = this.leading.get(at);
        if (before) before.push(comment);
        else this.leading.set(at, [comment]);
      }
    }
  }

  /** Whether a comment stands between two offsets. */
  within(start: number, end: number): boolean {
    const { comments } = this.lexed;
    let low = 0;
    let high = comments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comments[middle].startOffset < start) low = middle + 1;
      else high = middle;
    }
    return low < comments.length && comments[low].startOffset < end;
  }

  /** Whether a comment on a line of its own stands before the token at `offset`. */
  leads(offset: number): boolean {
    return this.leading.has(offset);
  }

  /** Whether a blank line stands before the token at `offset`, or before the comments that lead it. */
  blankBefore(offset: number): boolean {
    const first = this.leading.get(offset)?.[0].startOffset ?? offset;
    return this.blankAbove(first);
  }

  /** The comments above the token at `offset`, each on a line, for a context that begins a line there. */
  above(offset: number): Doc {
    const comments = this.leading.get(offset) ?? [];
    this.leading.delete(offset);
    return sequence(
      comments.map((comment, i) => {
        const next = comments[i + 1]?.startOffset ?? offset;
        return concat(comment.image.trimEnd(), hardline, this.blankAbove(next) ? hardline : '');
      }),
    );
  }

  /** As `above`, for comments before a closing bracket or the end: no line break after the last. */
  before(offset: number): Doc[] {
    const comments = this.leading.get(offset) ?? [];
    this.leading.delete(offset);
    return comments.map((comment, i) => concat(i > 0 && this.blankAbove(comment.startOffset) ? hardline : '', comment.image.trimEnd()));
  }

  /** Whether the token at `offset` is the first on its line, and not of the file. */
  startsLine(offset: number): boolean {
    return this.lineBreaksBefore(offset) > 0;
  }

  /** Whether no line break stands between two offsets. */
  onOneLine(start: number, end: number): boolean {
    return !this.text.slice(start, end).includes('\n');
  }

  /** The token's text, with comments that no context took. */
  token(token: IToken): Doc {
    return this.around(token, token.image);
  }

  /** The comments of a token that is itself left out or replaced. */
  around(token: IToken, text: string): Doc {
    const before = this.leading.get(token.startOffset) ?? [];
    this.leading.delete(token.startOffset);
    const after = this.takeTrailing(token);
    if (before.length === 0) return after === '' ? text : concat(text, after);
    return concat(sequence(before.map((comment) => lineSuffix(`  ${comment.image.trimEnd()}`))), text, after);
  }

  private takeTrailing(token: IToken): Doc {
    const comment = this.trailing.get(token.startOffset);
    if (!comment) return '';
    this.trailing.delete(token.startOffset);
    return lineSuffix(`  ${comment.image.trimEnd()}`);
  }

  private blankAbove(offset: number): boolean {
    return this.lineBreaksBefore(offset) > 1;
  }

  /** Line breaks in the white space that ends at `offset`. */
  private lineBreaksBefore(offset: number): number {
    let count = 0;
    for (let i = offset - 1; i >= 0 && ' \t\r\n'.includes(this.text[i]); i--) if (this.text[i] === '\n') count++;
    return count;
  }
}
