/** The statements of a body. */
import { ExpressionGrammar } from './grammar-expressions.ts';
import type { Rule } from './recovering-parser.ts';
import { atBody, atRuleEnd, atStatementEnd, endsBody } from './recovery.ts';
import * as t from './tokens.ts';

export class StatementGrammar extends ExpressionGrammar {
  body: Rule = this.RULE('body', () => {
    this.enter();
    const open = this.CONSUME(t.LCurly);
    this.repeating(
      () => this.MANY(() => this.OR([{ ALT: () => this.SUBRULE(this.statement) }, { ALT: () => this.CONSUME(t.Semicolon) }])),
      (token) => endsBody(token, open, this.LA(2)),
      atStatementEnd,
    );
    if (this.RECORDING_PHASE || this.LA(1).tokenType === t.RCurly) this.CONSUME(t.RCurly);
    else this.report({ kind: 'unclosed', token: open, previous: this.LA(0), rules: [] });
    this.leave();
  });

  statement: Rule = this.RULE('statement', () => {
    this.recovering(atStatementEnd, () =>
      this.OR([
        { ALT: () => this.SUBRULE(this.assign) },
        { ALT: () => this.SUBRULE(this.paramDecl) },
        { ALT: () => this.SUBRULE(this.inputDecl) },
        { ALT: () => this.SUBRULE(this.outputDecl) },
        { ALT: () => this.SUBRULE(this.forStatement) },
        { ALT: () => this.SUBRULE(this.ifStatement) },
        { ALT: () => this.SUBRULE(this.returnStatement) },
        { ALT: () => this.SUBRULE(this.assertStatement) },
        { ALT: () => this.SUBRULE(this.weightRules) },
      ]), true);
  });

  assign: Rule = this.RULE('assign', () => {
    this.SUBRULE(this.names);
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression);
  });

  paramDecl: Rule = this.RULE('paramDecl', () => {
    this.CONSUME(t.Param);
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Colon);
    this.SUBRULE(this.tensorType);
    this.MANY(() => this.SUBRULE(this.attribute));
  });

  inputDecl: Rule = this.RULE('inputDecl', () => {
    this.CONSUME(t.Input);
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Colon);
    this.SUBRULE(this.tensorType);
    this.MANY(() => this.SUBRULE(this.attribute));
  });

  outputDecl: Rule = this.RULE('outputDecl', () => {
    this.CONSUME(t.Output);
    this.CONSUME(t.Identifier);
    this.OPTION(() => {
      this.CONSUME(t.Colon);
      this.SUBRULE(this.tensorType);
    });
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression);
    this.MANY(() => this.SUBRULE(this.attribute));
  });

  forStatement: Rule = this.RULE('forStatement', () => {
    this.recovering(atBody, () => {
      this.CONSUME(t.For);
      this.SUBRULE(this.names);
      this.CONSUME(t.In);
      this.SUBRULE(this.expression);
    });
    this.SUBRULE(this.body);
  });

  ifStatement: Rule = this.RULE('ifStatement', () => {
    this.CONSUME(t.If);
    this.recovering(atBody, () => this.SUBRULE(this.expression));
    this.SUBRULE(this.body);
    this.MANY(() => this.SUBRULE(this.elseIf));
    this.OPTION(() => {
      this.CONSUME(t.Else);
      this.SUBRULE2(this.body, { LABEL: 'elseBody' });
    });
  });

  elseIf: Rule = this.RULE('elseIf', () => {
    this.CONSUME(t.Else);
    this.CONSUME(t.If);
    this.recovering(atBody, () => this.SUBRULE(this.expression));
    this.SUBRULE(this.body);
  });

  returnStatement: Rule = this.RULE('returnStatement', () => {
    this.CONSUME(t.Return);
    this.SUBRULE(this.expression);
    this.MANY(() => {
      this.CONSUME(t.Comma);
      this.SUBRULE2(this.expression);
    });
  });

  assertStatement: Rule = this.RULE('assertStatement', () => {
    this.CONSUME(t.AssertWord);
    this.SUBRULE(this.expression);
    this.OPTION(() => {
      this.CONSUME(t.Comma);
      this.SUBRULE2(this.expression);
    });
  });

  weightRules: Rule = this.RULE('weightRules', () => {
    this.CONSUME(t.Weights);
    this.CONSUME(t.LCurly);
    this.MANY(() => this.OR([{ ALT: () => this.SUBRULE(this.weightRule) }, { ALT: () => this.CONSUME(t.Semicolon) }]));
    this.CONSUME(t.RCurly);
  });

  weightRule: Rule = this.RULE('weightRule', () => {
    this.recovering(atRuleEnd, () =>
      this.OR([
        {
          ALT: () => {
            this.CONSUME(t.StringLiteral);
            this.CONSUME(t.Equals);
            this.SUBRULE(this.expression);
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.Ignore);
            this.CONSUME2(t.StringLiteral);
          },
        },
      ]));
  });
}
