/** The grammar of `.vit`, rule by rule; the railroad diagrams are drawn from it. */
import type { CstNode, IToken } from 'chevrotain';
import { StatementGrammar } from './grammar-statements.ts';
import type { Rule } from './recovering-parser.ts';
import { atBody, atItem, atListEnd } from './recovery.ts';
import * as t from './tokens.ts';

export class VitParser extends StatementGrammar {
  constructor(validate = false) {
    super(validate);
    this.performSelfAnalysis();
  }

  parse(tokens: IToken[]): CstNode {
    this.begin(tokens);
    return this.file();
  }

  file: Rule = this.RULE('file', () => {
    this.repeating(
      () =>
        this.MANY(() => {
          this.SUBRULE(this.item);
          this.MANY2(() => this.CONSUME(t.Semicolon));
        }),
      () => false,
      atItem,
    );
  });

  item: Rule = this.RULE('item', () => {
    this.recovering(atItem, () =>
      this.OR([
        { ALT: () => this.SUBRULE(this.importItem) },
        { ALT: () => this.SUBRULE(this.letItem) },
        { ALT: () => this.SUBRULE(this.functionItem) },
        { ALT: () => this.SUBRULE(this.blockItem) },
        { ALT: () => this.SUBRULE(this.modelItem) },
        { ALT: () => this.SUBRULE(this.presetItem) },
      ]), true);
  });

  importItem: Rule = this.RULE('importItem', () => {
    this.CONSUME(t.Import);
    this.CONSUME(t.LCurly);
    this.SUBRULE(this.importName);
    this.MANY(() => {
      this.CONSUME(t.Comma);
      this.SUBRULE2(this.importName);
    });
    this.OPTION(() => this.CONSUME2(t.Comma));
    this.CONSUME(t.RCurly);
    this.CONSUME(t.From);
    this.CONSUME(t.StringLiteral);
  });

  importName: Rule = this.RULE('importName', () => {
    this.CONSUME(t.Identifier);
    this.OPTION(() => {
      this.CONSUME(t.As);
      this.CONSUME2(t.Identifier);
    });
  });

  letItem: Rule = this.RULE('letItem', () => {
    this.CONSUME(t.Let);
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression);
  });

  functionItem: Rule = this.RULE('functionItem', () => {
    this.CONSUME(t.Fn);
    this.CONSUME(t.Identifier);
    this.SUBRULE(this.configParams);
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Equals);
          this.SUBRULE(this.expression);
        },
      },
      { ALT: () => this.SUBRULE(this.body) },
    ]);
  });

  blockItem: Rule = this.RULE('blockItem', () => {
    this.recovering(atBody, () => {
      this.CONSUME(t.BlockWord);
      this.CONSUME(t.Identifier);
      this.SUBRULE(this.configParams);
      this.SUBRULE(this.tensorParams);
      this.OPTION(() => {
        this.CONSUME(t.Arrow);
        this.SUBRULE(this.tensorType);
        this.MANY(() => {
          this.CONSUME(t.Comma);
          this.SUBRULE2(this.tensorType);
        });
      });
    });
    this.SUBRULE(this.body);
  });

  modelItem: Rule = this.RULE('modelItem', () => {
    this.recovering(atBody, () => {
      this.CONSUME(t.ModelWord);
      this.CONSUME(t.Identifier);
      this.SUBRULE(this.configParams);
    });
    this.SUBRULE(this.body);
  });

  presetItem: Rule = this.RULE('presetItem', () => {
    this.CONSUME(t.PresetWord);
    this.CONSUME(t.Identifier);
    this.CONSUME(t.Equals);
    this.CONSUME2(t.Identifier);
    this.SUBRULE(this.args);
    this.MANY(() => this.SUBRULE(this.attribute));
  });

  tensorParams: Rule = this.RULE('tensorParams', () => {
    this.CONSUME(t.LParen);
    this.OPTION(() => {
      this.SUBRULE(this.tensorParam);
      this.MANY(() => {
        this.CONSUME(t.Comma);
        this.SUBRULE2(this.tensorParam);
      });
      this.OPTION2(() => this.CONSUME2(t.Comma));
    });
    this.CONSUME(t.RParen);
  });

  tensorParam: Rule = this.RULE('tensorParam', () => {
    this.recovering(atListEnd, () => {
      this.CONSUME(t.AnyName);
      this.OPTION(() => {
        this.CONSUME(t.Colon);
        this.SUBRULE(this.tensorType);
      });
      this.OPTION2(() => {
        this.CONSUME(t.Equals);
        this.SUBRULE(this.expression);
      });
    });
  });
}
