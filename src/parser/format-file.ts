/** Declarations and statements as documents. */
import type { CstNode, IToken } from 'chevrotain';
import type * as cst from './cst.ts';
import { brokenGroup, concat, group, hardline, indent, line, sequence } from './doc.ts';
import type { Doc } from './doc.ts';
import { ExpressionFormatter, isAtom } from './format-expressions.ts';

/** Statements that stand between braces on one line where their writer put them so. */
const SIMPLE_STATEMENTS = ['assign', 'returnStatement', 'assertStatement', 'paramDecl'] as const;

export class FileFormatter extends ExpressionFormatter {
  /** The whole file; `length` is that of its text. */
  file(node: cst.FileCst, length: number): Doc {
    const items = ordered<cst.ItemCst>(node.children.item, node.children.Semicolon);
    const parts: Doc[] = [];
    let previous: cst.ItemCst | undefined;
    for (const item of items) {
      if (!('name' in item)) {
        parts.push(this.comments.around(item, ''));
        continue;
      }
      const start = item.location!.startOffset;
      if (previous) parts.push(hardline, this.comments.blankBefore(start) || standApart(previous, item) ? hardline : '');
      parts.push(this.comments.above(start), this.item(item));
      previous = item;
    }
    const blank = parts.length > 0 && this.comments.blankBefore(length);
    const tail = this.comments.before(length).flatMap((comment, i) => (i || parts.length ? [hardline, i === 0 && blank ? hardline : '', comment] : [comment]));
    return sequence([...parts, ...tail, parts.length || tail.length ? hardline : '']);
  }

  private item(node: cst.ItemCst): Doc {
    const c = node.children;
    if (c.importItem) return this.importItem(c.importItem[0]);
    if (c.letItem) {
      const { Let, Identifier, Equals, expression } = c.letItem[0].children;
      return concat(this.token(Let[0]), ' ', this.token(Identifier[0]), ' ', this.token(Equals[0]), this.value(expression[0]));
    }
    if (c.functionItem) {
      const { Fn, Identifier, configParams, Equals, expression, body } = c.functionItem[0].children;
      const head = concat(this.token(Fn[0]), ' ', this.token(Identifier[0]), this.configParams(configParams[0]), ' ');
      if (body) return this.withBodies([[head, body[0]]]);
      return concat(head, this.token(Equals![0]), group(indent(line, this.expression(expression![0]))));
    }
    if (c.blockItem) {
      const { Block, Identifier, configParams, tensorParams, Arrow, tensorType = [], Comma = [], body } = c.blockItem[0].children;
      const results = tensorType.map((type, i) => concat(i ? concat(this.token(Comma[i - 1]), ' ') : concat(' ', this.token(Arrow![0]), ' '), this.tensorType(type)));
      const head = concat(
        this.token(Block[0]), ' ', this.token(Identifier[0]), this.configParams(configParams[0]), this.tensorParams(tensorParams[0]), ...results, ' ',
      );
      return this.withBodies([[head, body[0]]]);
    }
    if (c.modelItem) {
      const { Model, Identifier, configParams, body } = c.modelItem[0].children;
      return this.withBodies([[concat(this.token(Model[0]), ' ', this.token(Identifier[0]), this.configParams(configParams[0]), ' '), body[0]]]);
    }
    const { Preset, Identifier, Equals, args, attribute } = c.presetItem![0].children;
    return concat(
      this.token(Preset[0]), ' ', this.token(Identifier[0]), ' ', this.token(Equals[0]), ' ', this.token(Identifier[1]),
      this.args(args[0]), this.attributes(attribute, true),
    );
  }

  private importItem(node: cst.ImportItemCst): Doc {
    const { Import, LCurly, importName, Comma = [], RCurly, From, StringLiteral } = node.children;
    const names = importName.map((name, i) => {
      const { Identifier, As } = name.children;
      const above = this.comments.above(name.location!.startOffset);
      const text = concat(this.token(Identifier[0]), As ? concat(' ', this.token(As[0]), ' ', this.token(Identifier[1])) : '');
      const last = i === importName.length - 1;
      const comma = Comma[i] ? (last ? this.comments.around(Comma[i], '') : this.token(Comma[i])) : '';
      return concat(above, text, comma);
    });
    const commented = this.comments.within(LCurly[0].startOffset, RCurly[0].startOffset);
    const tail = this.comments.before(RCurly[0].startOffset).flatMap((comment) => [hardline, comment]);
    return concat(
      this.token(Import[0]), ' ',
      (commented ? brokenGroup : group)(
        this.token(LCurly[0]), indent(line, sequence(names.flatMap((name, i) => (i ? [line, name] : [name]))), sequence(tail)), line, this.token(RCurly[0]),
      ),
      ' ', this.token(From[0]), ' ', this.token(StringLiteral[0]),
    );
  }

  // Statements.

  /** Heads with their bodies, which break together; on one line only where they stood so. */
  private withBodies(pairs: readonly (readonly [Doc, cst.BodyCst])[]): Doc {
    const flat = pairs.every(([, body]) => this.standsOnOneLine(body));
    const parts = pairs.map(([head, body]) => concat(head, this.body(body)));
    return (flat ? group : concat)(...parts);
  }

  private standsOnOneLine({ children: { LCurly, RCurly, statement = [] } }: cst.BodyCst): boolean {
    if (statement.length === 0) return !this.comments.within(LCurly[0].startOffset, RCurly[0].startOffset);
    return statement.length === 1
      && SIMPLE_STATEMENTS.some((kind) => statement[0].children[kind])
      && this.comments.onOneLine(LCurly[0].startOffset, RCurly[0].startOffset);
  }

  private body(node: cst.BodyCst): Doc {
    const { LCurly, RCurly, statement, Semicolon } = node.children;
    return this.braced(LCurly[0], RCurly[0], ordered<cst.StatementCst>(statement, Semicolon), (s) => this.statement(s), this.standsOnOneLine(node) ? line : hardline);
  }

  /** Entries on lines of their own, with the blank lines and comments between them. */
  private braced<T extends CstNode>(open: IToken, close: IToken, entries: readonly (T | IToken)[], print: (entry: T) => Doc, edge: Doc): Doc {
    const parts: Doc[] = [];
    const begin = this.token(open);
    let first = true;
    for (const entry of entries) {
      if (!('name' in entry)) {
        parts.push(this.comments.around(entry, ''));
        continue;
      }
      const start = entry.location!.startOffset;
      if (!first) parts.push(hardline, this.comments.blankBefore(start) ? hardline : '');
      parts.push(this.comments.above(start), print(entry));
      first = false;
    }
    const blank = !first && this.comments.blankBefore(close.startOffset);
    const tail = this.comments.before(close.startOffset);
    if (first && tail.length === 0) return concat(begin, sequence(parts), this.token(close));
    const ending = tail.flatMap((comment, i) => (first && i === 0 ? [comment] : [hardline, i === 0 && blank ? hardline : '', comment]));
    return concat(begin, indent(edge, sequence(parts), sequence(ending)), edge, this.token(close));
  }

  private statement(node: cst.StatementCst): Doc {
    const c = node.children;
    if (c.assign) {
      const { names, Equals, expression } = c.assign[0].children;
      return concat(this.names(names[0]), ' ', this.token(Equals[0]), this.value(expression[0]));
    }
    const declaration = c.paramDecl ?? c.inputDecl;
    if (declaration) {
      const d = declaration[0].children;
      return concat(
        this.token('Param' in d ? d.Param[0] : d.Input[0]), ' ', this.token(d.Identifier[0]), this.token(d.Colon[0]), ' ',
        this.tensorType(d.tensorType[0]), this.attributes(d.attribute, false),
      );
    }
    if (c.outputDecl) {
      const { Output, Identifier, Colon, tensorType, Equals, expression, attribute } = c.outputDecl[0].children;
      return concat(
        this.token(Output[0]), ' ', this.token(Identifier[0]), tensorType ? concat(this.token(Colon![0]), ' ', this.tensorType(tensorType[0])) : '',
        ' ', this.token(Equals[0]), this.value(expression[0]), this.attributes(attribute, true),
      );
    }
    if (c.forStatement) {
      const { For, names, In, expression, body } = c.forStatement[0].children;
      const head = concat(this.token(For[0]), ' ', this.names(names[0]), ' ', this.token(In[0]), ' ', this.expression(expression[0]), ' ');
      return this.withBodies([[head, body[0]]]);
    }
    if (c.ifStatement) return this.ifStatement(c.ifStatement[0]);
    if (c.returnStatement) {
      const { Return, expression, Comma = [] } = c.returnStatement[0].children;
      const values = expression.map((e, i) => concat(this.expression(e), Comma[i] ? this.token(Comma[i]) : ''));
      if (values.length === 1) return concat(this.token(Return[0]), ' ', values[0]);
      return group(this.token(Return[0]), ' ', indent(...values.flatMap((value, i) => (i ? [line, value] : [value]))));
    }
    if (c.assertStatement) {
      const { Assert, expression: [condition, message], Comma } = c.assertStatement[0].children;
      const rest = message ? concat(this.token(Comma![0]), indent(line, this.expression(message))) : '';
      return group(this.token(Assert[0]), ' ', this.expression(condition), rest);
    }
    const { Weights, LCurly, RCurly, weightRule, Semicolon } = c.weightRules![0].children;
    const rules = ordered<cst.WeightRuleCst>(weightRule, Semicolon);
    const edge = weightRule?.length === 1 && this.comments.onOneLine(LCurly[0].startOffset, RCurly[0].startOffset) ? line : hardline;
    return group(this.token(Weights[0]), ' ', this.braced(LCurly[0], RCurly[0], rules, (rule) => this.weightRule(rule), edge));
  }

  private ifStatement(node: cst.IfStatementCst): Doc {
    const { If, expression, body, elseIf = [], Else, elseBody } = node.children;
    return this.withBodies([
      [concat(this.token(If[0]), ' ', this.expression(expression[0]), ' '), body[0]],
      ...elseIf.map(({ children: c }): readonly [Doc, cst.BodyCst] =>
        [concat(' ', this.token(c.Else[0]), ' ', this.token(c.If[0]), ' ', this.expression(c.expression[0]), ' '), c.body[0]]),
      ...(elseBody ? [[concat(' ', this.token(Else![0]), ' '), elseBody[0]] as const] : []),
    ]);
  }

  private weightRule(node: cst.WeightRuleCst): Doc {
    const { StringLiteral, Equals, expression, Ignore } = node.children;
    if (Ignore) return concat(this.token(Ignore[0]), ' ', this.token(StringLiteral![0]));
    return concat(this.token(StringLiteral![0]), ' ', this.token(Equals![0]), this.value(expression![0]));
  }

  /** What follows a `=`: on the next line only where it cannot break itself. */
  private value(node: cst.ExpressionCst): Doc {
    const doc = this.expression(node);
    return isAtom(node) ? group(indent(line, doc)) : concat(' ', doc);
  }
}

/** Nodes and the semicolons between them, in the order of the text. */
function ordered<T extends CstNode>(nodes: readonly T[] = [], semicolons: readonly IToken[] = []): (T | IToken)[] {
  const start = (entry: T | IToken): number => ('name' in entry ? (entry as T).location!.startOffset : (entry as IToken).startOffset);
  return [...nodes, ...semicolons].sort((a, b) => start(a) - start(b));
}

/** Blocks, models and functions with bodies stand between blank lines, and so do the imports as a whole. */
function standApart(a: cst.ItemCst, b: cst.ItemCst): boolean {
  const tall = ({ children: c }: cst.ItemCst): boolean => Boolean(c.blockItem ?? c.modelItem ?? c.functionItem?.[0].children.body);
  return tall(a) || tall(b) || Boolean(a.children.importItem) !== Boolean(b.children.importItem);
}
