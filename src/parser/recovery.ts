/** Where reading goes on after a statement or declaration that could not be read. */
import { EOF, tokenMatcher } from 'chevrotain';
import type { IToken, TokenType } from 'chevrotain';
import { infoOf, opensStatement } from './layout.ts';
import * as t from './tokens.ts';

/** Whether to go on at `token`, having begun at `start`; `next` follows `token`. */
export type Resume = (token: IToken, start: IToken, next: IToken) => boolean;

const ITEM_STARTS = new Set<TokenType>([t.Import, t.Let, t.Fn, t.BlockWord, t.ModelWord, t.PresetWord]);

/** A line that opens like a declaration: its keyword, then a name or an import's brace. */
function opensItem(token: IToken, next: IToken): boolean {
  if (!ITEM_STARTS.has(token.tokenType) || !infoOf(token).startsLine) return false;
  return tokenMatcher(next, t.Identifier) || (token.tokenType === t.Import && next.tokenType === t.LCurly);
}

/** The next declaration: at the outermost level, or indented no more than the one given up. */
export const atItem: Resume = (token, start, next) => {
  if (token === start || !opensItem(token, next)) return false;
  const info = infoOf(token);
  return info.depth === 0 || info.indent <= infoOf(start).indent;
};

/** The next statement, or the end of the body around the one given up. */
export const atStatementEnd: Resume = (token, start, next) => {
  const info = infoOf(token);
  const from = infoOf(start);
  if (token.tokenType === t.RCurly && info.depth < from.depth) return true;
  if (token.tokenType === t.Semicolon && info.depth <= from.depth) return true;
  if (token === start || !info.startsLine) return false;
  if (info.depth <= from.depth) return tokenMatcher(token, t.AnyName);
  // Inside a bracket that was never closed: believe the indentation.
  return info.indent <= from.indent && (opensStatement(token, next) || opensItem(token, next));
};

/** The next weight rule, or the end of the rules. */
export const atRuleEnd: Resume = (token, start, next) => {
  const info = infoOf(token);
  if (token !== start && info.startsLine && info.depth <= infoOf(start).depth) {
    if (tokenMatcher(token, t.StringLiteral) || token.tokenType === t.Ignore) return true;
  }
  return atStatementEnd(token, start, next);
};

/** The body of a block, model, `for` or `if` whose head could not be read. */
export const atBody: Resume = (token, start, next) => {
  const info = infoOf(token);
  const from = infoOf(start);
  if (token.tokenType === t.LCurly && info.depth <= from.depth) return true;
  return atStatementEnd(token, start, next) || (info.startsLine && opensItem(token, next));
};

/** The comma or bracket after one entry of a parameter list. */
export const atListEnd: Resume = (token, start, next) => {
  const info = infoOf(token);
  const from = infoOf(start);
  if (token.tokenType === t.Comma && info.depth <= from.depth) return true;
  if (token.tokenType === t.RParen && info.depth < from.depth) return true;
  if (token.tokenType === t.LCurly) return true;
  return info.startsLine && opensItem(token, next);
};

/** Whether a body ends before `token`, closed or not. */
export function endsBody(token: IToken, open: IToken, next: IToken): boolean {
  if (token.tokenType === t.RCurly || tokenMatcher(token, EOF)) return true;
  return opensItem(token, next) && infoOf(token).indent <= infoOf(open).indent;
}
