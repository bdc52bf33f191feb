/** What the tokens' order alone tells: brackets, lines, and where labels begin. One pass, linear in the tokens. */
import { tokenMatcher } from 'chevrotain';
import type { IToken, TokenType } from 'chevrotain';
import * as t from './tokens.ts';

export interface TokenInfo {
  /** Place in the token list. */
  readonly index: number;
  /** Brackets open at this token; a closing bracket has its opening one's depth. */
  readonly depth: number;
  readonly startsLine: boolean;
  /** Columns of white space before the first token of this token's line. */
  readonly indent: number;
  /** `blocks[i].attn: X(...)` begins here. */
  isLabel: boolean;
}

export function infoOf(token: IToken): TokenInfo {
  return token.payload as TokenInfo;
}

/** A brace and the one that closes it, whose line is not indented as the opening one's is. */
export interface Misaligned {
  readonly open: IToken;
  readonly close: IToken;
}

interface Frame {
  readonly opener?: IToken;
  /** Inside `x[...]` a colon is a slice's, never a label's. */
  readonly subscript: boolean;
  /** Where the run of `name`, `.name` and `[...]` up to here began. */
  candidate?: IToken;
}

const CLOSES = new Map<TokenType, TokenType>([
  [t.RParen, t.LParen],
  [t.RSquare, t.LSquare],
  [t.RCurly, t.LCurly],
]);
const OPENS = new Set(CLOSES.values());

/**
 * Fills every token's payload. Brackets that do not match are forgiven here; the parser reports them. For a text that is
 * known to have errors, `trustLines` ends open parentheses and square brackets where a line looks like the next statement.
 */
export function layOut(text: string, tokens: readonly IToken[], trustLines = false): Misaligned[] {
  const misaligned: Misaligned[] = [];
  const stack: Frame[] = [{ subscript: false }];
  /** Open `(` and `[` since each open `{`, so that a stray closing bracket is seen without a search. */
  const counts: Map<TokenType, number>[] = [new Map()];
  let newline = text.indexOf('\n');
  let lineStart = 0;
  let indent = 0;
  let previous: IToken | undefined;
  let beforePrevious: IToken | undefined;

  const pop = (): Frame => {
    const frame = stack.pop()!;
    const type = frame.opener!.tokenType;
    if (type === t.LCurly) counts.pop();
    else counts[counts.length - 1].set(type, counts[counts.length - 1].get(type)! - 1);
    return frame;
  };

  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index];
    let startsLine = index === 0;
    while (newline >= 0 && newline < token.startOffset) {
      lineStart = newline + 1;
      newline = text.indexOf('\n', lineStart);
      startsLine = true;
    }
    if (startsLine) indent = token.startOffset - lineStart;

    const type = token.tokenType;
    const opener = stack[stack.length - 1].opener;
    if (trustLines && startsLine && opener && indent <= infoOf(opener).indent && opensStatement(token, tokens[index + 1])) {
      while (stack.length > 1 && stack[stack.length - 1].opener!.tokenType !== t.LCurly) pop();
    }
    const opening = CLOSES.get(type);
    if (opening === t.LCurly ? counts.length > 1 : opening && (counts[counts.length - 1].get(opening) ?? 0) > 0) {
      let { opener: open } = pop();
      while (open!.tokenType !== opening) open = pop().opener;
      if (opening === t.LCurly && startsLine && indent !== infoOf(open!).indent) misaligned.push({ open: open!, close: token });
    }
    const frame = stack[stack.length - 1];
    const info: TokenInfo = { index, depth: stack.length - 1, startsLine, indent, isLabel: false };
    token.payload = info;

    if (type === t.Colon) {
      if (frame.candidate && !frame.subscript) infoOf(frame.candidate).isLabel = true;
      frame.candidate = undefined;
    } else if (tokenMatcher(token, t.AnyName)) {
      const continues = frame.candidate && previous?.tokenType === t.Dot;
      if (!continues) frame.candidate = tokenMatcher(token, t.LabelWord) ? token : undefined;
    } else if (OPENS.has(type)) {
      const subscript = type === t.LSquare && previous !== undefined && endsOperand(previous, beforePrevious);
      if (!subscript) frame.candidate = undefined;
      stack.push({ opener: token, subscript });
      if (type === t.LCurly) counts.push(new Map());
      else counts[counts.length - 1].set(type, (counts[counts.length - 1].get(type) ?? 0) + 1);
    } else if (type !== t.Dot && type !== t.RSquare) {
      frame.candidate = undefined;
    }
    beforePrevious = previous;
    previous = token;
  }
  return misaligned;
}

const STATEMENT_STARTS = new Set<TokenType>([t.Param, t.Input, t.Output, t.For, t.If, t.Return, t.AssertWord, t.Weights]);

/** Whether a line that begins so looks like a statement, whatever came before it. */
export function opensStatement(token: IToken, next: IToken | undefined): boolean {
  if (STATEMENT_STARTS.has(token.tokenType)) return true;
  return tokenMatcher(token, t.Identifier) && (next?.tokenType === t.Equals || next?.tokenType === t.Comma);
}

/** Whether a `[` after this token takes a subscript rather than begins a list. */
function endsOperand(token: IToken, before: IToken | undefined): boolean {
  const type = token.tokenType;
  if (type === t.RParen || type === t.RSquare || type === t.True || type === t.False || type === t.None) return true;
  if (tokenMatcher(token, t.Numeral) || tokenMatcher(token, t.StringLiteral)) return true;
  return tokenMatcher(token, t.AnyName) && (tokenMatcher(token, t.LabelWord) || before?.tokenType === t.Dot);
}
