/**
 * Expressions, types and parameters.
 * Operators stand in one flat rule and are grouped by their precedence when the tree is built (precedence.ts).
 */
import { infoOf } from './layout.ts';
import { RecoveringParser } from './recovering-parser.ts';
import type { Rule } from './recovering-parser.ts';
import { atListEnd } from './recovery.ts';
import * as t from './tokens.ts';

export class ExpressionGrammar extends RecoveringParser {
  // Few rules and closures lie between an expression and the ones inside its brackets: each costs stack.
  expression: Rule = this.RULE('expression', () => {
    this.enter();
    this.OR([
      { ALT: () => this.SUBRULE(this.conditional) },
      { ALT: () => this.SUBRULE(this.lambda) },
      {
        ALT: () => {
          this.SUBRULE(this.operand);
          this.MANY(() => {
            this.CONSUME(t.BinaryOperator);
            this.SUBRULE2(this.operand);
          });
        },
      },
    ]);
    this.leave();
  });

  conditional: Rule = this.RULE('conditional', () => {
    this.CONSUME(t.If);
    this.SUBRULE(this.expression);
    this.CONSUME(t.Then);
    this.SUBRULE2(this.expression);
    this.CONSUME(t.Else);
    this.SUBRULE3(this.expression);
  });

  lambda: Rule = this.RULE('lambda', () => {
    this.CONSUME(t.Fn);
    this.SUBRULE(this.configParams);
    this.CONSUME(t.FatArrow);
    this.SUBRULE(this.expression);
  });

  operand: Rule = this.RULE('operand', () => {
    this.MANY(() => this.CONSUME(t.PrefixOperator));
    this.OPTION({ GATE: () => infoOf(this.LA(1))?.isLabel === true, DEF: () => this.SUBRULE(this.label) });
    this.OR([
      { ALT: () => this.CONSUME(t.Numeral) },
      { ALT: () => this.CONSUME(t.StringLiteral) },
      { ALT: () => this.CONSUME(t.True) },
      { ALT: () => this.CONSUME(t.False) },
      { ALT: () => this.CONSUME(t.None) },
      { ALT: () => this.CONSUME(t.Identifier) },
      { ALT: () => this.SUBRULE(this.list) },
      { ALT: () => this.SUBRULE(this.parens) },
    ]);
    this.MANY2(() =>
      this.OR2([
        { ALT: () => this.SUBRULE(this.args) },
        { ALT: () => this.SUBRULE(this.subscript) },
        { ALT: () => this.SUBRULE(this.member) },
      ]),
    );
  });

  label: Rule = this.RULE('label', () => {
    this.CONSUME(t.LabelWord);
    this.MANY(() => this.SUBRULE(this.labelPart));
    this.CONSUME(t.Colon);
  });

  labelPart: Rule = this.RULE('labelPart', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Dot);
          this.CONSUME(t.AnyName);
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.LSquare);
          this.SUBRULE(this.expression);
          this.CONSUME(t.RSquare);
        },
      },
    ]);
  });

  member: Rule = this.RULE('member', () => {
    this.CONSUME(t.Dot);
    this.CONSUME(t.AnyName);
  });

  args: Rule = this.RULE('args', () => {
    this.CONSUME(t.LParen);
    this.OPTION(() => {
      this.SUBRULE(this.argument);
      this.MANY(() => {
        this.CONSUME(t.Comma);
        this.SUBRULE2(this.argument);
      });
      this.OPTION2(() => this.CONSUME2(t.Comma));
    });
    this.CONSUME(t.RParen);
  });

  argument: Rule = this.RULE('argument', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Identifier);
          this.CONSUME(t.Equals);
          this.SUBRULE(this.expression);
        },
      },
      { ALT: () => this.SUBRULE2(this.expression) },
    ]);
  });

  subscript: Rule = this.RULE('subscript', () => {
    this.CONSUME(t.LSquare);
    this.SUBRULE(this.subscriptItem);
    this.MANY(() => {
      this.CONSUME(t.Comma);
      this.SUBRULE2(this.subscriptItem);
    });
    this.OPTION(() => this.CONSUME2(t.Comma));
    this.CONSUME(t.RSquare);
  });

  subscriptItem: Rule = this.RULE('subscriptItem', () => {
    this.OR([
      { ALT: () => this.CONSUME(t.Ellipsis) },
      {
        ALT: () => {
          this.SUBRULE(this.expression);
          this.OPTION(() => this.SUBRULE(this.sliceRest));
        },
      },
      { ALT: () => this.SUBRULE2(this.sliceRest) },
    ]);
  });

  sliceRest: Rule = this.RULE('sliceRest', () => {
    this.CONSUME(t.Colon);
    this.OPTION(() => this.SUBRULE(this.expression, { LABEL: 'stop' }));
    this.OPTION2(() => {
      this.CONSUME2(t.Colon);
      this.OPTION3(() => this.SUBRULE2(this.expression, { LABEL: 'step' }));
    });
  });

  list: Rule = this.RULE('list', () => {
    this.CONSUME(t.LSquare);
    this.OPTION(() => {
      this.SUBRULE(this.expression);
      this.OR([
        { ALT: () => this.SUBRULE(this.comprehension) },
        {
          ALT: () => {
            this.MANY(() => {
              this.CONSUME(t.Comma);
              this.SUBRULE2(this.expression);
            });
            this.OPTION2(() => this.CONSUME2(t.Comma));
          },
        },
      ]);
    });
    this.CONSUME(t.RSquare);
  });

  comprehension: Rule = this.RULE('comprehension', () => {
    this.CONSUME(t.For);
    this.SUBRULE(this.names);
    this.CONSUME(t.In);
    this.SUBRULE(this.expression);
    this.OPTION(() => {
      this.CONSUME(t.If);
      this.SUBRULE2(this.expression);
    });
  });

  names: Rule = this.RULE('names', () => {
    this.CONSUME(t.Identifier);
    this.MANY(() => {
      this.CONSUME(t.Comma);
      this.CONSUME2(t.Identifier);
    });
  });

  parens: Rule = this.RULE('parens', () => {
    this.CONSUME(t.LParen);
    this.SUBRULE(this.expression);
    this.MANY(() => {
      this.CONSUME(t.Comma);
      this.SUBRULE2(this.expression);
    });
    this.OPTION(() => this.CONSUME2(t.Comma));
    this.CONSUME(t.RParen);
  });

  // Types and parameters.

  configParams: Rule = this.RULE('configParams', () => {
    this.CONSUME(t.LParen);
    this.OPTION(() => {
      this.SUBRULE(this.configParam);
      this.MANY(() => {
        this.CONSUME(t.Comma);
        this.SUBRULE2(this.configParam);
      });
      this.OPTION2(() => this.CONSUME2(t.Comma));
    });
    this.CONSUME(t.RParen);
  });

  configParam: Rule = this.RULE('configParam', () => {
    this.recovering(atListEnd, () => {
      this.CONSUME(t.AnyName);
      this.OPTION(() => {
        this.CONSUME(t.Colon);
        this.SUBRULE(this.configType);
      });
      this.OPTION2(() => {
        this.CONSUME(t.Equals);
        this.SUBRULE(this.expression);
      });
    });
  });

  configType: Rule = this.RULE('configType', () => {
    this.OR([{ ALT: () => this.CONSUME(t.Identifier) }, { ALT: () => this.CONSUME(t.BlockWord) }]);
  });

  tensorType: Rule = this.RULE('tensorType', () => {
    this.OPTION(() => this.CONSUME(t.Identifier));
    this.CONSUME(t.LSquare);
    this.OPTION2(() => {
      this.SUBRULE(this.dim);
      this.MANY(() => {
        this.CONSUME(t.Comma);
        this.SUBRULE2(this.dim);
      });
      this.OPTION3(() => this.CONSUME2(t.Comma));
    });
    this.CONSUME(t.RSquare);
  });

  dim: Rule = this.RULE('dim', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Ellipsis);
          this.OPTION(() => this.CONSUME(t.Identifier));
        },
      },
      { ALT: () => this.SUBRULE(this.expression) },
    ]);
  });

  attribute: Rule = this.RULE('attribute', () => {
    this.CONSUME(t.At);
    this.CONSUME(t.AnyName);
    this.OPTION(() => this.SUBRULE(this.args));
  });
}
