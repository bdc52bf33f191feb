/** What the parser found, in words. */
import { EOF, tokenMatcher } from 'chevrotain';
import type { IToken } from 'chevrotain';
import type { Name } from '../ast.ts';
import type { Code } from '../codes.ts';
import { error } from '../diagnostics.ts';
import type { Diagnostic, DiagnosticParts, Label } from '../diagnostics.ts';
import type { Source, Span } from '../source.ts';
import { suggest } from '../suggest.ts';
import { infoOf } from './layout.ts';
import { spanOf } from './lex.ts';
import type { Lexed } from './lex.ts';
import { MAX_NESTING } from './recovering-parser.ts';
import type { Problem } from './recovering-parser.ts';
import * as t from './tokens.ts';
import {
  ENTRIES, EXPECTATIONS, FOREIGN_ITEMS, FOREIGN_STATEMENTS, HINTS, NAMES, RULES, STATEMENT_FORMS,
} from './words.ts';

export function describe(lexed: Lexed, problem: Problem): Diagnostic {
  return new Describer(lexed, problem).describe();
}

export function keywordAsName(name: Name): Diagnostic {
  return error('E0117', `\`${name.text}\` is a word of the language and no name`, name.span, { help: `use another, such as \`${name.text}_\`` });
}

const BRACKETS: Readonly<Record<string, string>> = { RParen: ')', RSquare: ']', RCurly: '}' };
const CLOSERS = Object.values(BRACKETS);
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

class Describer {
  private readonly token: IToken;
  private readonly rule: string;
  private readonly source: Source;

  constructor(
    private readonly lexed: Lexed,
    private readonly problem: Problem,
  ) {
    this.source = lexed.source;
    this.token = problem.token;
    this.rule = problem.rules[problem.rules.length - 1] ?? '';
  }

  describe(): Diagnostic {
    switch (this.problem.kind) {
      case 'tooDeep':
        return this.error('E0108', `brackets, bodies and expressions nest more than ${MAX_NESTING} deep`, {
          help: 'name the inner parts by assignments',
        });
      case 'unclosed':
        return this.unclosed(this.token);
      case 'stray':
        return this.stray();
      case 'mismatch':
        return this.mismatch();
    }
  }

  // Where and what.

  private get atEnd(): boolean {
    return tokenMatcher(this.token, EOF);
  }

  /** The token's own place; at the end of the file, the place after the last token. */
  private get place(): Span {
    if (!this.atEnd) return spanOf(this.source, this.token);
    const last = this.problem.previous;
    const end = last && !tokenMatcher(last, EOF) && last.startOffset >= 0 ? spanOf(this.source, last).end : 0;
    return { source: this.source, start: end, end };
  }

  private get found(): string {
    if (this.atEnd) return 'the end of the file';
    return show(this.token);
  }

  private error(code: Code, message: string, parts: DiagnosticParts = {}, place: Span = this.place): Diagnostic {
    return error(code, message, place, parts);
  }

  /** The end of the token before, where something is missing there rather than wrong here. */
  private after(token: IToken): Span {
    const { end } = spanOf(this.source, token);
    return { source: this.source, start: end - 1, end };
  }

  // Kinds.

  private unclosed(open: IToken): Diagnostic {
    const close = CLOSING[open.image];
    // A brace inside whose closing one stands at another indentation is likelier the one that lacks its own.
    const inner = open.image === '{' ? this.lexed.misaligned.findLast((m) => m.open.startOffset > open.startOffset) : undefined;
    const labels: Label[] = inner
      ? [
          { span: spanOf(this.source, inner.open), message: 'perhaps this one lacks it' },
          { span: spanOf(this.source, inner.close), message: 'since this one, indented otherwise, closes it' },
        ]
      : [];
    return this.error('E0106', `this \`${open.image}\` is never closed`, {
      labels,
      help: `write the \`${close}\` where it ends`,
    }, spanOf(this.source, open));
  }

  private stray(): Diagnostic {
    const { token } = this;
    if (CLOSERS.includes(token.image)) {
      return this.error('E0107', `there is no open bracket for this \`${token.image}\``, {
        help: 'delete it, or open its bracket before',
      });
    }
    const inBody = infoOf(token).depth > 0;
    if (t.ITEM_KEYWORDS.some((word) => word === token.image)) return this.misplacedItem();
    if (!inBody && t.STATEMENT_KEYWORDS.some((word) => word === token.image)) {
      const home = ['input', 'output', 'weights'].includes(token.image) ? 'a model' : 'a model, block or function';
      return this.error('E0113', `\`${token.image}\` stands in the body of ${home}`, {
        help: 'put it between the braces of one',
      });
    }
    const { previous } = this.problem;
    if (token.image === ':' && previous && tokenMatcher(previous, t.AnyName)) {
      return this.error('E0115', 'a call has one label', {
        help: 'put the inner call in parentheses: `outer: (inner: Block()(x))`',
      });
    }
    if (token.tokenType === t.Else) {
      return this.error('E0105', 'this `else` has no `if` before it', {
        help: '`else` follows the closing brace of an `if`',
      });
    }
    if (inBody) return this.error('E0105', `a statement does not begin with ${this.found}`, { help: STATEMENT_FORMS });
    return this.strayAtTop();
  }

  private strayAtTop(): Diagnostic {
    const { token } = this;
    if (tokenMatcher(token, t.Identifier)) {
      const word = suggest(token.image, t.ITEM_KEYWORDS) ?? FOREIGN_ITEMS.get(token.image);
      if (word) {
        return this.error('E0110', `no declaration begins with \`${token.image}\``, {
          help: `did you mean \`${word}\`?`,
        });
      }
      return this.error('E0113', `\`${token.image}\` stands outside of every declaration`, {
        help: `at the top of a file a name is given its value by \`let ${token.image} = ...\``,
      });
    }
    return this.error('E0105', `a declaration does not begin with ${this.found}`, {
      help: `a file holds ${listOf(t.ITEM_KEYWORDS)} declarations`,
    });
  }

  private misplacedItem(): Diagnostic {
    const word = this.token.image;
    if (word === 'let') {
      return this.error('E0113', '`let` stands at the top of a file only', {
        help: 'in a body a name is given its value without it: `x = ...`',
      });
    }
    if (word === 'fn') {
      return this.error('E0113', '`fn` declares a function at the top of a file only', {
        help: 'in a body write `name = fn (x) => ...`',
      });
    }
    return this.error('E0113', `\`${word}\` stands at the top of a file only`, {
      help: 'move it out of this body; if the body should end before it, close its brace',
    });
  }

  private mismatch(): Diagnostic {
    const { expected } = this.problem;
    if (this.rule === 'assign' || this.rule === 'names') {
      const d = this.brokenStatement();
      if (d) return d;
    }
    if (expected && expected in BRACKETS) return this.expectedClosing(BRACKETS[expected]);
    if (!expected && ['expression', 'operand'].includes(this.rule)) return this.noExpression();
    if (expected === 'Identifier' && tokenMatcher(this.token, t.AnyName)) {
      return keywordAsName({ text: this.token.image, span: this.place });
    }
    const { previous } = this.problem;
    if (previous && !this.atEnd && !tokenMatcher(previous, EOF) && infoOf(this.token).startsLine) {
      return this.error('E0105', `expected ${this.expectation()} after ${show(previous)}`, this.hint(), this.after(previous));
    }
    return this.error('E0105', `expected ${this.expectation()}, found ${this.found}`, this.hint());
  }

  /** A line that begins with a name and is no assignment. */
  private brokenStatement(): Diagnostic | undefined {
    const first = this.problem.start;
    if (!first || !tokenMatcher(first, t.Identifier)) return undefined;
    const word = first.image;
    const place = spanOf(this.source, first);
    if (this.token.image === ':' || infoOf(first).isLabel) {
      return this.error('E0119', `\`${word}\` labels a call whose result goes nowhere`, {
        help: `give the result a name: \`x = ${word}: ...\`; a weight is declared by \`param ${word}: [...]\``,
      }, place);
    }
    if (['(', '.', '['].includes(this.token.image)) {
      const parts = this.token.image === '[' ? '; parts of a value are not assigned to' : '';
      return this.error('E0119', 'the value of this expression goes nowhere', {
        help: `give it a name by \`x = ...\`, or \`return\` it${parts}`,
      }, place);
    }
    if (tokenMatcher(this.token, t.BinaryOperator) && !infoOf(this.token).startsLine) {
      const help = this.token.image === '==' ? '`==` compares; a name is given its value by `=`' : 'give the expression a name by `x = ...`, or `return` it';
      return this.error('E0119', 'this expression stands where a statement is expected', { help }, place);
    }
    const keyword = suggest(word, t.STATEMENT_KEYWORDS) ?? FOREIGN_STATEMENTS.get(word);
    const alone = this.atEnd || infoOf(this.token).startsLine || this.token.image === '}';
    if (keyword && !alone) {
      return this.error('E0110', `no statement begins with \`${word}\``, {
        help: `did you mean \`${keyword}\`?`,
      }, place);
    }
    if (alone && this.problem.previous === first) {
      return this.error('E0119', `\`${word}\` stands alone`, {
        help: `give it a value by \`${word} = ...\`, or \`return\` it`,
      }, place);
    }
    return undefined;
  }

  private expectedClosing(close: string): Diagnostic {
    const open = this.opener(close);
    const labels: Label[] = open ? [{ span: spanOf(this.source, open), message: 'opened here' }] : [];
    const { previous } = this.problem;
    if (this.atEnd && open) return this.unclosed(open);
    if (previous && (previous === open || previous.image === ',')) {
      const what = ENTRIES[this.rule] ?? 'an expression';
      return this.error('E0116', `expected ${what}, found ${this.found}`, { labels });
    }
    if (open && previous && infoOf(this.token)?.startsLine) {
      return this.error('E0106', `expected \`${close}\` or \`,\` before the line ends`, {
        labels,
        help: `close the \`${open.image}\`, or go on with a comma`,
      }, this.after(previous));
    }
    const more = this.rule === 'weightRules' ? 'another rule' : '`,`';
    return this.error('E0105', `expected ${more} or \`${close}\`, found ${this.found}`, { labels, ...this.hint() });
  }

  /** The bracket that `close` would close: the innermost one open since the statement began, if it is of that kind. */
  private opener(close: string): IToken | undefined {
    const { tokens } = this.lexed;
    const { previous, start } = this.problem;
    if (!previous || tokenMatcher(previous, EOF)) return undefined;
    const from = start ? infoOf(start).index : 0;
    let closed = 0;
    for (let i = infoOf(previous).index; i >= from; i--) {
      if (tokens[i].image in CLOSING && closed-- === 0) return CLOSING[tokens[i].image] === close ? tokens[i] : undefined;
      if (CLOSERS.includes(tokens[i].image)) closed++;
    }
    return undefined;
  }

  private noExpression(): Diagnostic {
    const { previous } = this.problem;
    const { token } = this;
    if (token.tokenType === t.If || token.tokenType === t.Fn) {
      return this.error('E0115', `\`${token.image}\` stands in parentheses inside a larger expression`, {
        help: token.tokenType === t.If ? 'write `(if c then a else b)`' : 'write `(fn (x) => e)`',
      });
    }
    if (tokenMatcher(token, t.AnyName) && !this.atEnd && !infoOf(token).startsLine) {
      return this.error('E0116', `expected an expression, found the keyword \`${token.image}\``, this.hint());
    }
    if (previous && !tokenMatcher(previous, EOF) && (this.atEnd || infoOf(token).startsLine)) {
      return this.error('E0116', `an expression is missing after ${show(previous)}`, this.hint(), this.after(previous));
    }
    return this.error('E0116', `expected an expression, found ${this.found}`, this.hint());
  }

  private expectation(): string {
    const { expected } = this.problem;
    const context = EXPECTATIONS[`${this.rule}.${expected ?? ''}`];
    if (context) return context;
    if (!expected) return RULES[this.rule] ?? 'something else';
    const type = t.TOKENS.find((token) => token.name === expected);
    return type?.LABEL ?? NAMES[expected] ?? expected;
  }

  private hint(): DiagnosticParts {
    const key = `${this.rule}.${this.problem.expected ?? ''}`;
    const help = HINTS[key] ?? HINTS[this.rule];
    return help ? { help } : {};
  }
}

/** A token as it is quoted in a message. */
function show(token: IToken): string {
  if (tokenMatcher(token, t.StringLiteral)) return 'a string';
  if (tokenMatcher(token, t.Numeral)) return `the number \`${clip(token.image)}\``;
  return `\`${clip(token.image)}\``;
}

function clip(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}

function listOf(words: readonly string[]): string {
  return `${words.slice(0, -1).map((w) => `\`${w}\``).join(', ')} and \`${words[words.length - 1]}\``;
}
