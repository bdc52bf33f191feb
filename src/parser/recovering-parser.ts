/**
 * A chevrotain parser that goes on after an error, by the file's lines and indentation: a statement that cannot be
 * read is reported, skipped and left as an empty node.
 */
import { CstParser, EOF, tokenMatcher } from 'chevrotain';
import type { CstNode, IRecognitionException, IToken, ParserMethod } from 'chevrotain';
import type { Resume } from './recovery.ts';
import * as t from './tokens.ts';

/** Expressions and bodies may nest this deep, which half of a browser's usual stack has room for. */
export const MAX_NESTING = 100;
/** After this many findings the rest of a text is not read. */
export const MAX_PROBLEMS = 1000;

/** One place where the text departs from the grammar. `expected` is a token's name, absent where several would do. */
export interface Problem {
  readonly kind: 'mismatch' | 'stray' | 'unclosed' | 'tooDeep';
  readonly token: IToken;
  readonly previous?: IToken;
  readonly expected?: string;
  /** The rules being read, outermost first. */
  readonly rules: readonly string[];
  /** The first token of the statement or declaration being read. */
  readonly start?: IToken;
}

class NestingError extends Error {
  constructor(readonly token: IToken) {
    super('nested too deeply');
  }
}

export type Rule = ParserMethod<[], CstNode>;

export class RecoveringParser extends CstParser {
  problems: Problem[] = [];
  /** Ranges of the statements and declarations that were given up, in order; each left an empty node. */
  failed: { start: number; end: number }[] = [];
  private nesting = 0;

  /** `validate`: check the grammar for ambiguities, which takes as long as all else; a test does. */
  constructor(validate: boolean) {
    super(t.TOKENS, {
      maxLookahead: 2,
      skipValidations: !validate,
      nodeLocationTracking: 'onlyOffset',
      errorMessageProvider: {
        // The message only carries the expected token's name; messages for people are made in messages.ts.
        buildMismatchTokenMessage: ({ expected }) => expected.name,
        buildNoViableAltMessage: () => '',
        buildEarlyExitMessage: () => '',
        buildNotAllInputParsedMessage: () => '',
      },
    });
  }

  /** Forgets the text read before and takes the next. */
  protected begin(tokens: IToken[]): void {
    this.problems = [];
    this.failed = [];
    this.nesting = 0;
    this.input = tokens;
  }

  protected report(problem: Problem): void {
    this.problems.push(problem);
  }

  /** Runs `parse`; where it fails, reports and skips to where `resume` says that reading can go on. */
  protected recovering(resume: Resume, parse: () => void, leavesEmptyNode = false): void {
    if (this.RECORDING_PHASE) return parse();
    const start = this.LA(1);
    const nesting = this.nesting;
    try {
      parse();
    } catch (e) {
      const problem = problemOf(e, start);
      if (!problem) throw e;
      this.report(problem);
      this.nesting = nesting;
      // A failure before the first token was read must still move on.
      if (this.LA(1) === start && leavesEmptyNode) this.skipToken();
      this.skipTo(resume, start);
      if (leavesEmptyNode) this.giveUp(start);
    }
  }

  /** `parse` reads all it can; tokens that nothing begins with are reported and skipped until `done`. */
  protected repeating(parse: () => void, done: (token: IToken) => boolean, resume: Resume): void {
    parse();
    if (this.RECORDING_PHASE) return;
    while (!tokenMatcher(this.LA(1), EOF) && !done(this.LA(1))) {
      const start = this.LA(1);
      this.report({ kind: 'stray', token: start, previous: this.LA(0), rules: [], start });
      this.skipToken();
      this.skipTo(resume, start);
      parse();
    }
  }

  private skipTo(resume: Resume, start: IToken): void {
    const hopeless = this.problems.length >= MAX_PROBLEMS;
    while (!tokenMatcher(this.LA(1), EOF) && (hopeless || !resume(this.LA(1), start, this.LA(2)))) this.skipToken();
  }

  /** Unlike chevrotain's own, also passes the last token. */
  private skipToken(): void {
    if (!tokenMatcher(this.LA(1), EOF)) (this as unknown as { consumeToken(): void }).consumeToken();
  }

  private giveUp(start: IToken): void {
    while (this.failed.length && this.failed[this.failed.length - 1].start >= start.startOffset) this.failed.pop();
    const last = this.LA(0);
    this.failed.push({ start: start.startOffset, end: Math.max(start.endOffset!, last.endOffset ?? 0) + 1 });
  }

  /** Begins a part that may hold others of its kind; `leave` ends it. */
  protected enter(): void {
    if (this.RECORDING_PHASE) return;
    if (this.nesting >= MAX_NESTING) throw new NestingError(this.LA(1));
    this.nesting++;
  }

  protected leave(): void {
    this.nesting--;
  }
}

function problemOf(e: unknown, start: IToken): Problem | undefined {
  if (e instanceof NestingError) return { kind: 'tooDeep', token: e.token, rules: [], start };
  const { name, token, context, message } = e as IRecognitionException & { previousToken?: IToken };
  if (!token || !context) return undefined;
  return {
    kind: 'mismatch',
    token,
    previous: (e as { previousToken?: IToken }).previousToken,
    expected: name === 'MismatchedTokenException' ? message : undefined,
    rules: context.ruleStack,
    start,
  };
}
