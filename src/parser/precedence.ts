/** Groups a flat run of operands and operators by precedence. */
import type { IToken } from 'chevrotain';
import type { BinaryOperator, Expr, UnaryOperator } from '../ast.ts';
import { error } from '../diagnostics.ts';
import type { Diagnostic } from '../diagnostics.ts';
import { join } from '../source.ts';
import type { Source, Span } from '../source.ts';
import { spanOf } from './lex.ts';
import * as t from './tokens.ts';

/** Loosest first. `not` stands between `and` and the comparisons, unary `-` between `%` and `**`. */
const LEVELS: readonly { readonly operators: readonly string[]; readonly chain: 'left' | 'right' | 'none' }[] = [
  { operators: ['or'], chain: 'left' },
  { operators: ['and'], chain: 'left' },
  { operators: ['not'], chain: 'right' },
  { operators: ['==', '!=', '<', '<=', '>', '>='], chain: 'none' },
  { operators: ['..'], chain: 'none' },
  { operators: ['+', '-'], chain: 'left' },
  { operators: ['*', '/', '%'], chain: 'left' },
  { operators: ['unary -'], chain: 'right' },
  { operators: ['**'], chain: 'right' },
];
const levelOf = new Map(LEVELS.flatMap(({ operators }, level) => operators.map((o) => [o, level] as const)));
const NOT = levelOf.get('not')!;
const RANGE = levelOf.get('..')!;
const MINUS = levelOf.get('unary -')!;

/** How tightly a binary operator binds; `by` stands with the range it belongs to. */
export function levelOfOperator(operator: string): number {
  return levelOf.get(operator) ?? RANGE;
}

/** An operand, or an operator before (`prefix`) or between operands. */
export type Piece = { readonly operand: Expr } | { readonly token: IToken; readonly prefix: boolean };

/** What a token stands for, where it is another language's spelling. */
function operatorOf(token: IToken): string {
  return OTHER_SPELLINGS[token.image] ?? token.image;
}
const OTHER_SPELLINGS: Readonly<Record<string, string>> = { '&&': 'and', '&': 'and', '||': 'or', '|': 'or', '!': 'not', '~': 'not', '^': '**' };

/** The tree of a run of pieces, which the grammar lets only alternate as they should. */
export function group(source: Source, pieces: readonly Piece[], report: (d: Diagnostic) => void): Expr {
  let next = 0;
  return read(0);

  /** Reads operators of level `least` and tighter. */
  function read(least: number): Expr {
    let left = readOperand(least);
    /** The last operator of a level whose operators do not chain, that `left` ends in. */
    let unchained: { level: number; span: Span } | undefined;
    for (let token = operatorAhead(); token; token = operatorAhead()) {
      const operator = operatorOf(token);
      const operatorSpan = spanOf(source, token);
      const level = levelOfOperator(operator);
      if (level < least) break;
      next++;
      if (operator === 'by') {
        report(error('E0115', '`by` gives a range its step, and there is no range before it', operatorSpan, { help: 'write `a..b by step`' }));
        read(level + 1);
        continue;
      }
      const right = read(LEVELS[level].chain === 'right' ? level : level + 1);
      let step: Expr | undefined;
      if (operator === '..' && operatorAhead()?.tokenType === t.By) {
        next++;
        step = read(level + 1);
      }
      if (unchained?.level === level) report(chained(level, operatorSpan, unchained.span));
      if (LEVELS[level].chain === 'none') unchained = { level, span: operatorSpan };
      left = {
        kind: 'binary', span: join(left.span, (step ?? right).span), operator: operator as BinaryOperator, operatorSpan, left, right,
        ...(step && { step }),
      };
    }
    return left;
  }

  function readOperand(least: number): Expr {
    const piece = pieces[next++];
    if ('operand' in piece) return piece.operand;
    const operator = operatorOf(piece.token) as UnaryOperator;
    const span = spanOf(source, piece.token);
    if (operator === 'not' && least > NOT) {
      report(error('E0115', '`not` binds looser than the operator before it', span, { help: 'put `(not ...)` in parentheses' }));
    }
    const operand = read(operator === 'not' ? NOT : MINUS);
    return { kind: 'unary', span: join(span, operand.span), operator, operand };
  }

  function operatorAhead(): IToken | undefined {
    const piece = pieces[next];
    return piece && 'token' in piece ? piece.token : undefined;
  }
}

function chained(level: number, span: Span, first: Span): Diagnostic {
  const labels = [{ span: first, message: 'the first one' }];
  return level === RANGE
    ? error('E0114', 'a range has one `..`', span, { labels, help: 'a step is written `a..b by step`' })
    : error('E0114', 'comparisons do not chain', span, { labels, help: 'write `a < b and b < c`' });
}
