/** Expressions, types and parameters as documents. */
import type { IToken } from 'chevrotain';
import type * as cst from './cst.ts';
import { brokenGroup, concat, fill, group, hardline, ifBroken, indent, line, sequence, softline } from './doc.ts';
import type { Doc } from './doc.ts';
import type { Comments } from './format-comments.ts';
import { levelOfOperator } from './precedence.ts';

type Located = { readonly location?: { readonly startOffset: number; readonly endOffset?: number } };

/** Between brackets: the entries, and how they stand when they do not fit on one line. */
interface Entries {
  readonly open: IToken;
  readonly close: IToken;
  readonly docs: readonly { readonly node: Located; readonly doc: () => Doc }[];
  readonly commas: readonly IToken[];
  readonly style: Style;
}

/**
 * Over several lines a `tall` list has one entry a line and a comma after the last, a `dense` one as many a line as fit.
 * A `tight` one stays on its line but for comments. The comma of a `single` one makes it a list.
 */
type Style = 'tall' | 'dense' | 'tight' | 'single';

export class ExpressionFormatter {
  constructor(protected readonly comments: Comments) {}

  protected token(token: IToken): Doc {
    return this.comments.token(token);
  }

  expression(node: cst.ExpressionCst): Doc {
    const { conditional, lambda, operand = [], BinaryOperator = [] } = node.children;
    if (conditional) {
      const { If, Then, Else, expression: [condition, then, otherwise] } = conditional[0].children;
      return group(
        this.token(If[0]), ' ', this.expression(condition),
        indent(
          line, this.token(Then[0]), ' ', this.expression(then),
          line, this.token(Else[0]), ' ', this.expression(otherwise),
        ),
      );
    }
    if (lambda) {
      const { Fn, configParams, FatArrow, expression } = lambda[0].children;
      return concat(this.token(Fn[0]), ' ', this.configParams(configParams[0]), ' ', this.token(FatArrow[0]), ' ', this.expression(expression[0]));
    }
    return this.operation(operand, BinaryOperator);
  }

  /** Breaks before the loosest operators first. */
  private operation(operands: readonly cst.OperandCst[], operators: readonly IToken[]): Doc {
    if (operators.length === 0) return this.operand(operands[0]);
    const levels = operators.map((o) => levelOfOperator(o.image));
    const loosest = Math.min(...levels);
    const parts: Doc[] = [];
    let from = 0;
    for (let i = 0; i <= operators.length; i++) {
      if (i < operators.length && levels[i] !== loosest) continue;
      const run = this.operation(operands.slice(from, i + 1), operators.slice(from, i));
      const before = from > 0 ? operators[from - 1] : undefined;
      if (!before) parts.push(run);
      else if (before.image === '..') parts.push(this.token(before), run);
      else if (before.image === 'by') parts.push(' ', this.token(before), ' ', run);
      else parts.push(line, this.comments.above(before.startOffset), this.token(before), ' ', run);
      from = i + 1;
    }
    const commented = operators.some((o, i) => this.comments.within(operands[i].location!.endOffset!, o.startOffset));
    const [first, ...rest] = parts;
    return (commented ? brokenGroup : group)(first, indent(...rest));
  }

  private operand(node: cst.OperandCst): Doc {
    const { PrefixOperator = [], label, list, parens, args = [], subscript = [], member = [], ...words } = node.children;
    const atom = list ? this.list(list[0]) : parens ? this.parens(parens[0]) : this.token(Object.values(words)[0]![0]);
    const suffixes = [...args, ...subscript, ...member].sort((a, b) => a.location!.startOffset - b.location!.startOffset);
    return concat(
      ...PrefixOperator.map((token) => concat(this.token(token), token.image === 'not' ? ' ' : '')),
      ...(label ? [this.label(label[0]), ' '] : []),
      atom,
      ...suffixes.map((suffix) => this.suffix(suffix)),
    );
  }

  private suffix(node: cst.ArgsCst | cst.SubscriptCst | cst.MemberCst): Doc {
    if (node.name === 'args') return this.args(node);
    if (node.name === 'member') return concat(this.token(node.children.Dot[0]), this.token(node.children.AnyName[0]));
    const { LSquare, RSquare, subscriptItem, Comma = [] } = node.children;
    return this.entries({
      open: LSquare[0], close: RSquare[0], commas: Comma, style: 'tight',
      docs: subscriptItem.map((item) => ({ node: item, doc: () => this.subscriptItem(item) })),
    });
  }

  private subscriptItem(node: cst.SubscriptItemCst): Doc {
    const { Ellipsis, expression, sliceRest } = node.children;
    if (Ellipsis) return this.token(Ellipsis[0]);
    if (!sliceRest) return this.expression(expression![0]);
    const { Colon, stop, step } = sliceRest[0].children;
    // Bounds that are sums and the like stand apart from the colons.
    const parts = [expression, stop, step];
    const wide = parts.some((p) => p && (p[0].children.BinaryOperator || p[0].children.conditional || p[0].children.lambda));
    const before = (present: unknown): string => (wide && present ? ' ' : '');
    return concat(
      expression ? this.expression(expression[0]) : '',
      before(expression), this.token(Colon[0]),
      stop ? concat(before(true), this.expression(stop[0])) : '',
      // A second colon with nothing after it says nothing.
      Colon[1] && !step ? this.comments.around(Colon[1], '') : '',
      Colon[1] && step ? concat(before(stop), this.token(Colon[1]), before(true), this.expression(step[0])) : '',
    );
  }

  private label(node: cst.LabelCst): Doc {
    const parts = (node.children.labelPart ?? []).map((part) => {
      const { Dot, AnyName, LSquare, expression, RSquare } = part.children;
      return AnyName
        ? concat(this.token(Dot![0]), this.token(AnyName[0]))
        : concat(this.token(LSquare![0]), this.expression(expression![0]), this.token(RSquare![0]));
    });
    return concat(this.token(node.children.LabelWord[0]), ...parts, this.token(node.children.Colon[0]));
  }

  private list(node: cst.ListCst): Doc {
    const { LSquare, RSquare, expression = [], comprehension, Comma = [] } = node.children;
    if (comprehension) {
      const { For, names, In, expression: [iterable, condition], If } = comprehension[0].children;
      const wide = this.comments.within(LSquare[0].startOffset, RSquare[0].startOffset);
      return (wide ? brokenGroup : group)(
        this.token(LSquare[0]),
        indent(
          softline, this.expression(expression[0]),
          line, this.token(For[0]), ' ', this.names(names[0]), ' ', this.token(In[0]), ' ', this.expression(iterable),
          ...(condition ? [line, this.token(If![0]), ' ', this.expression(condition)] : []),
        ),
        softline, this.token(RSquare[0]),
      );
    }
    return this.entries({
      open: LSquare[0], close: RSquare[0], commas: Comma, style: expression.every((e) => isAtom(e)) ? 'dense' : 'tall',
      docs: expression.map((e) => ({ node: e, doc: () => this.expression(e) })),
    });
  }

  private parens(node: cst.ParensCst): Doc {
    const { LParen, RParen, expression, Comma = [] } = node.children;
    if (Comma.length === 0) {
      const wide = this.comments.within(LParen[0].startOffset, RParen[0].startOffset);
      const inner = concat(this.comments.above(expression[0].location!.startOffset), this.expression(expression[0]));
      return (wide ? brokenGroup : group)(this.token(LParen[0]), indent(softline, inner), softline, this.token(RParen[0]));
    }
    return this.entries({
      open: LParen[0], close: RParen[0], commas: Comma,
      style: expression.length === 1 ? 'single' : expression.every((e) => isAtom(e)) ? 'dense' : 'tall',
      docs: expression.map((e) => ({ node: e, doc: () => this.expression(e) })),
    });
  }

  protected args(node: cst.ArgsCst): Doc {
    const { LParen, RParen, argument = [], Comma = [] } = node.children;
    return this.entries({
      open: LParen[0], close: RParen[0], commas: Comma,
      style: argument.every(({ children: c }) => isSimple(c.expression?.[0])) ? 'dense' : 'tall',
      docs: argument.map((a) => ({ node: a, doc: () => this.argument(a) })),
    });
  }

  private argument(node: cst.ArgumentCst): Doc {
    const { Identifier, Equals, expression } = node.children;
    const value = this.expression(expression![0]);
    return Identifier ? concat(this.token(Identifier[0]), ' ', this.token(Equals![0]), ' ', value) : value;
  }

  protected names(node: cst.NamesCst): Doc {
    const { Identifier, Comma = [] } = node.children;
    return concat(...Identifier.flatMap((name, i) => (i ? [this.token(Comma[i - 1]), ' ', this.token(name)] : [this.token(name)])));
  }

  // Types and parameters.

  protected configParams(node: cst.ConfigParamsCst): Doc {
    const { LParen, RParen, configParam = [], Comma = [] } = node.children;
    return this.entries({
      open: LParen[0], close: RParen[0], commas: Comma, style: 'dense',
      docs: configParam.map((p) => ({
        node: p,
        doc: () => {
          const { AnyName, Colon, configType, Equals, expression } = p.children;
          const type = configType && Object.values(configType[0].children)[0]![0];
          return concat(
            this.token(AnyName[0]),
            type ? concat(this.token(Colon![0]), ' ', this.token(type)) : '',
            expression ? concat(' ', this.token(Equals![0]), ' ', this.expression(expression[0])) : '',
          );
        },
      })),
    });
  }

  protected tensorParams(node: cst.TensorParamsCst): Doc {
    const { LParen, RParen, tensorParam = [], Comma = [] } = node.children;
    return this.entries({
      open: LParen[0], close: RParen[0], commas: Comma, style: 'dense',
      docs: tensorParam.map((p) => ({
        node: p,
        doc: () => {
          const { AnyName, Colon, tensorType, Equals, expression } = p.children;
          return concat(
            this.token(AnyName[0]),
            tensorType ? concat(this.token(Colon![0]), ' ', this.tensorType(tensorType[0])) : '',
            expression ? concat(' ', this.token(Equals![0]), ' ', this.expression(expression[0])) : '',
          );
        },
      })),
    });
  }

  protected tensorType(node: cst.TensorTypeCst): Doc {
    const { Identifier, LSquare, RSquare, dim = [], Comma = [] } = node.children;
    const dims = this.entries({
      open: LSquare[0], close: RSquare[0], commas: Comma, style: 'tight',
      docs: dim.map((d) => ({
        node: d,
        doc: () => {
          const { Ellipsis, Identifier: name, expression } = d.children;
          return Ellipsis ? concat(this.token(Ellipsis[0]), name ? this.token(name[0]) : '') : this.expression(expression![0]);
        },
      })),
    });
    return Identifier ? concat(this.token(Identifier[0]), dims) : dims;
  }

  /** What follows a declaration; `apart`: on lines of their own where they do not fit behind it. */
  protected attributes(nodes: readonly cst.AttributeCst[] = [], apart: boolean): Doc {
    return group(...nodes.map(({ children: { At, AnyName, args } }) => {
      const doc = concat(this.token(At[0]), this.token(AnyName[0]), args ? this.args(args[0]) : '');
      return apart ? indent(line, doc) : concat(' ', doc);
    }));
  }

  /**
   * A bracketed list. It breaks where it does not fit, where a comment stands in it, and where its writer broke the line
   * right after the opening bracket.
   */
  private entries({ open, close, docs, commas, style }: Entries): Doc {
    if (docs.length === 0) {
      if (!this.comments.within(open.startOffset, close.startOffset)) return concat(this.token(open), this.token(close));
      const begin = this.token(open);
      return brokenGroup(begin, indent(sequence(this.comments.before(close.startOffset).flatMap((c) => [hardline, c]))), hardline, this.token(close));
    }
    // A comment right after the bracket may have come there from before it, and changes nothing but the line break.
    const first = docs[0].node.location!.startOffset;
    // Those within the entries of a tight list break the entries, not the list: the comment of an outer line may end up there.
    const ends = docs.map(({ node }) => node.location!.endOffset! + 1);
    const gaps = style === 'tight' ? ends.map((end, i) => [end, docs[i + 1]?.node.location!.startOffset ?? close.startOffset] as const) : [[first, close.startOffset] as const];
    const commented = this.comments.leads(first) || gaps.some(([from, to]) => this.comments.within(from, to));
    const begin = this.token(open);
    const cells: Doc[] = docs.map(({ node, doc }, i) => {
      const above = this.comments.above(node.location!.startOffset);
      const body = doc();
      if (i < docs.length - 1 || style === 'single') return concat(above, body, this.token(commas[i]));
      const dropped = commas[i] ? this.comments.around(commas[i], '') : '';
      return concat(above, body, style === 'tall' || commented ? ifBroken(',') : '', dropped);
    });
    const wide = commented || (style !== 'tight' && this.comments.startsLine(first));
    if (style === 'tight' && !wide) return concat(begin, sequence(cells.flatMap((cell, i) => (i ? [' ', cell] : [cell]))), this.token(close));
    const spaced = cells.flatMap((cell, i) => (i ? [line, cell] : [cell]));
    const inner = style === 'dense' && !commented ? fill(spaced) : sequence(spaced);
    const tail = sequence(this.comments.before(close.startOffset).flatMap((c) => [hardline, c]));
    return (wide ? brokenGroup : group)(begin, indent(softline, inner, tail), softline, this.token(close));
  }
}

/** A literal or a name, with a sign at most. */
export function isAtom(node: cst.ExpressionCst): boolean {
  const { operand, BinaryOperator } = node.children;
  if (!operand || BinaryOperator) return false;
  const c = operand[0].children;
  return !c.label && !c.list && !c.parens && !c.args && !c.subscript && !c.member;
}

/** No calls: atoms and lists of such. */
function isSimple(node: cst.ExpressionCst | undefined): boolean {
  if (!node) return true;
  const { operand = [], conditional, lambda } = node.children;
  if (conditional || lambda) return false;
  return operand.every(({ children: c }) =>
    !c.label && !c.args && !c.parens && (c.list ?? []).every((l) => !l.children.comprehension && (l.children.expression ?? []).every((e) => isSimple(e))));
}
