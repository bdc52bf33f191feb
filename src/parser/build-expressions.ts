/** Expressions, types and parameters: concrete syntax to the syntax tree. */
import { tokenMatcher } from 'chevrotain';
import type { IToken } from 'chevrotain';
import type {
  Argument, Attribute, ConfigParam, ConfigType, DimPattern, DTypeName, Expr, LabelPart, Name, SubscriptItem, TensorParam, TensorType,
} from '../ast.ts';
import { error } from '../diagnostics.ts';
import type { Diagnostic } from '../diagnostics.ts';
import type { Source, Span } from '../source.ts';
import { suggest } from '../suggest.ts';
import type * as cst from './cst.ts';
import { spanOf } from './lex.ts';
import { keywordAsName } from './messages.ts';
import { group } from './precedence.ts';
import type { Piece } from './precedence.ts';
import { stringValue } from './strings.ts';
import { FOREIGN, Identifier } from './tokens.ts';

/** The tree's own depth, which operators, calls and brackets add to. */
export const MAX_DEPTH = 1000;

const CONFIG_TYPES: readonly ConfigType[] = ['int', 'number', 'bool', 'string', 'list', 'block', 'function', 'tensor', 'any'];
const DTYPES: readonly DTypeName[] = ['f32', 'i32', 'bool'];

interface Located {
  readonly location?: { readonly startOffset: number; readonly endOffset?: number };
}

export class ExpressionBuilder {
  private depth = 0;
  constructor(
    protected readonly source: Source,
    protected readonly report: (d: Diagnostic) => void,
  ) {}

  // Places.

  protected span(node: Located): Span {
    const { startOffset, endOffset } = node.location!;
    return { source: this.source, start: startOffset, end: endOffset! + 1 };
  }

  protected tokenSpan(token: IToken): Span {
    return spanOf(this.source, token);
  }

  protected name(token: IToken): Name {
    return { text: token.image, span: this.tokenSpan(token) };
  }

  /** A parameter's name, which the grammar takes as any word so that a keyword spoils no list. */
  protected declared(token: IToken): Name {
    const name = this.name(token);
    if (!tokenMatcher(token, Identifier)) this.report(keywordAsName(name));
    return name;
  }

  /** A name that may be missing from a node whose reading failed. */
  protected nameOr(tokens: readonly IToken[] | undefined, at: Span): Name {
    return tokens?.[0] ? this.name(tokens[0]) : { text: '', span: at };
  }

  protected string(token: IToken): { value: string; span: Span } {
    return { value: stringValue(this.source, token, this.report), span: this.tokenSpan(token) };
  }

  // Expressions.

  expression(node: cst.ExpressionCst): Expr {
    const { conditional, lambda } = node.children;
    if (!conditional && !lambda) return this.operation(node);
    const span = this.span(node);
    return this.deeper(1, span, () => {
      if (conditional) {
        const [condition, then, otherwise] = conditional[0].children.expression.map((e) => this.expression(e));
        return { kind: 'conditional', span, condition, then, else: otherwise };
      }
      const { configParams, expression } = lambda![0].children;
      return { kind: 'lambda', span, params: this.configParams(configParams[0]), body: this.expression(expression[0]) };
    });
  }

  /** The expression of a statement's head; an error node where its reading failed. */
  protected expressionOr(nodes: readonly cst.ExpressionCst[] | undefined, at: Span): Expr {
    return nodes?.[0] ? this.expression(nodes[0]) : { kind: 'errorExpr', span: at };
  }

  private operation(node: cst.ExpressionCst): Expr {
    const { operand: operands = [], BinaryOperator: operators = [] } = node.children;
    if (operators.length === 0 && !operands[0].children.PrefixOperator) return this.operand(operands[0]);
    const prefixes = operands.reduce((sum, o) => sum + (o.children.PrefixOperator?.length ?? 0), 0);
    return this.deeper(operators.length + prefixes, this.span(node), () => {
      const pieces: Piece[] = [];
      operands.forEach((operand, i) => {
        if (i > 0) pieces.push({ token: operators[i - 1], prefix: false });
        for (const token of operand.children.PrefixOperator ?? []) pieces.push({ token, prefix: true });
        pieces.push({ operand: this.operand(operand) });
      });
      return group(this.source, pieces, this.report);
    });
  }

  /** Without its prefix operators, which precedence places. */
  private operand(node: cst.OperandCst): Expr {
    const { label, args = [], subscript = [], member = [] } = node.children;
    if (!label && args.length + subscript.length + member.length === 0) return this.atom(node);
    const suffixes = [...args, ...subscript, ...member].sort((a, b) => a.location!.startOffset - b.location!.startOffset);
    return this.deeper(suffixes.length + 1, this.span(node), () => {
      let value = this.atom(node);
      for (const suffix of suffixes) value = this.suffix(value, suffix);
      if (!label) return value;
      return { kind: 'labelled', span: { ...this.span(label[0]), end: value.span.end }, label: this.label(label[0]), value };
    });
  }

  private atom({ children: c }: cst.OperandCst): Expr {
    const group = c.list?.[0] ?? c.parens?.[0];
    if (group) return this.deeper(1, this.span(group), () => (group.name === 'list' ? this.list(group) : this.parens(group)));
    if (c.Numeral) return this.number(c.Numeral[0]);
    if (c.StringLiteral) return { kind: 'string', ...this.string(c.StringLiteral[0]) };
    const token = (c.Identifier ?? c.True ?? c.False ?? c.None)![0];
    const span = this.tokenSpan(token);
    if (c.Identifier) return { kind: 'name', span, text: token.image };
    return c.None ? { kind: 'none', span } : { kind: 'bool', span, value: c.True !== undefined };
  }

  private number(token: IToken): Expr {
    const span = this.tokenSpan(token);
    if (token.tokenType === FOREIGN.number) return { kind: 'errorExpr', span };
    const value = Number(token.image);
    const isInteger = /^\d+$/.test(token.image);
    if (!Number.isFinite(value) || (isInteger && !Number.isSafeInteger(value))) {
      const limit = isInteger ? 'integers go up to 2**53 - 1' : 'numbers go up to about 1.8e308';
      this.report(error('E0104', `\`${token.image.slice(0, 40)}\` is too large`, span, { notes: [limit] }));
      return { kind: 'errorExpr', span };
    }
    return { kind: 'number', span, value, isInteger };
  }

  private list(node: cst.ListCst): Expr {
    const { expression = [], comprehension } = node.children;
    const span = this.span(node);
    if (!comprehension) return { kind: 'list', span, items: expression.map((e) => this.expression(e)) };
    const { names, expression: [iterable, condition] } = comprehension[0].children;
    return {
      kind: 'comprehension', span,
      value: this.expression(expression[0]),
      targets: this.names(names[0]),
      iterable: this.expression(iterable),
      ...(condition && { condition: this.expression(condition) }),
    };
  }

  /** `(e)` is `e`, with the parentheses in its span; `(a, b)` and `(a,)` are lists. */
  private parens(node: cst.ParensCst): Expr {
    const { expression, Comma } = node.children;
    const span = this.span(node);
    if (Comma) return { kind: 'list', span, items: expression.map((e) => this.expression(e)) };
    return { ...this.expression(expression[0]), span };
  }

  private suffix(object: Expr, node: cst.ArgsCst | cst.SubscriptCst | cst.MemberCst): Expr {
    const span = { ...this.span(node), start: object.span.start };
    if (node.name === 'args') return { kind: 'call', span, callee: object, args: this.args(node) };
    if (node.name === 'member') return { kind: 'member', span, object, name: this.name(node.children.AnyName[0]) };
    return { kind: 'subscript', span, object, items: node.children.subscriptItem.map((item) => this.subscriptItem(item)) };
  }

  private subscriptItem(node: cst.SubscriptItemCst): SubscriptItem {
    const { Ellipsis, expression, sliceRest } = node.children;
    const span = this.span(node);
    if (Ellipsis) return { kind: 'ellipsis', span };
    const first = expression && this.expression(expression[0]);
    if (!sliceRest) return { kind: 'index', value: first!, span };
    const { stop, step } = sliceRest[0].children;
    return {
      kind: 'slice', span,
      ...(first && { start: first }),
      ...(stop && { stop: this.expression(stop[0]) }),
      ...(step && { step: this.expression(step[0]) }),
    };
  }

  private label(node: cst.LabelCst): LabelPart[] {
    const word = (token: IToken): LabelPart => ({ kind: 'name', ...this.name(token) });
    const parts = (node.children.labelPart ?? []).map((part): LabelPart => {
      const { AnyName, expression } = part.children;
      return AnyName ? word(AnyName[0]) : { kind: 'index', value: this.expression(expression![0]), span: this.span(part) };
    });
    return [word(node.children.LabelWord[0]), ...parts];
  }

  protected args(node: cst.ArgsCst): Argument[] {
    const args = (node.children.argument ?? []).map((argument): Argument => {
      const { Identifier, expression } = argument.children;
      return {
        ...(Identifier && { name: this.name(Identifier[0]) }),
        value: this.expression(expression![0]),
        span: this.span(argument),
      };
    });
    const firstNamed = args.findIndex((a) => a.name);
    const late = firstNamed < 0 ? undefined : args.slice(firstNamed).find((a) => !a.name);
    if (late) {
      this.report(error('E0120', 'an argument without a name follows one with a name', late.span, {
        labels: [{ span: args[firstNamed].span, message: 'the first one with a name' }],
        help: 'put the arguments without a name first, or name this one',
      }));
    }
    return args;
  }

  protected names(node: cst.NamesCst | undefined): Name[] {
    return node?.children.Identifier.map((token) => this.name(token)) ?? [];
  }

  // Types and parameters.

  protected configParams(node: cst.ConfigParamsCst | undefined): ConfigParam[] {
    return (node?.children.configParam ?? []).flatMap((param) => {
      const { AnyName, configType, expression } = param.children;
      if (!AnyName) return [];
      const type = configType?.[0] && this.configType(configType[0]);
      return [{
        name: this.declared(AnyName[0]),
        ...(type && { type }),
        ...(expression && { default: this.expression(expression[0]) }),
        span: this.span(param),
      }];
    });
  }

  private configType(node: cst.ConfigTypeCst): ConfigParam['type'] {
    const token = (node.children.Identifier ?? node.children.Block)![0];
    const span = this.tokenSpan(token);
    const value = CONFIG_TYPES.find((type) => type === token.image);
    if (value) return { value, span };
    const near = nearest(token.image, CONFIG_TYPES, TYPE_WORDS);
    this.report(error('E0121', `there is no type \`${token.image}\``, span, {
      notes: [`the types are ${CONFIG_TYPES.join(', ')}`],
      help: near ? `did you mean \`${near}\`?` : undefined,
    }));
    return undefined;
  }

  protected tensorParams(node: cst.TensorParamsCst | undefined): TensorParam[] {
    return (node?.children.tensorParam ?? []).flatMap((param) => {
      const { AnyName, tensorType, expression } = param.children;
      if (!AnyName) return [];
      return [{
        name: this.declared(AnyName[0]),
        ...(tensorType && { type: this.tensorType(tensorType[0]) }),
        ...(expression && { default: this.expression(expression[0]) }),
        span: this.span(param),
      }];
    });
  }

  protected tensorType(node: cst.TensorTypeCst): TensorType {
    const { Identifier, dim = [] } = node.children;
    const dtype = Identifier && this.dtype(Identifier[0]);
    return { ...(dtype && { dtype }), dims: dim.map((d) => this.dim(d)), span: this.span(node) };
  }

  private dtype(token: IToken): TensorType['dtype'] {
    const span = this.tokenSpan(token);
    const value = DTYPES.find((type) => type === token.image);
    if (value) return { value, span };
    const near = nearest(token.image, DTYPES, DTYPE_WORDS);
    this.report(error('E0121', `there is no dtype \`${token.image}\``, span, {
      notes: ['a tensor holds f32, i32 or bool; half precision is chosen when compiling, by `--dtype f16`'],
      help: near ? `did you mean \`${near}\`?` : undefined,
    }));
    return undefined;
  }

  private dim(node: cst.DimCst): DimPattern {
    const { Ellipsis, Identifier, expression } = node.children;
    const span = this.span(node);
    if (Ellipsis) return { kind: 'rest', ...(Identifier && { name: this.name(Identifier[0]) }), span };
    const value = this.expression(expression![0]);
    return value.kind === 'name' && value.text === '_' ? { kind: 'any', span } : { kind: 'dim', value, span };
  }

  protected attributes(nodes: readonly cst.AttributeCst[] | undefined): Attribute[] {
    return (nodes ?? []).map((node) => ({
      name: this.name(node.children.AnyName[0]),
      args: node.children.args ? this.args(node.children.args[0]) : [],
      span: this.span(node),
    }));
  }

  /** Builds what adds `levels` to the tree's depth; an error node where the tree would grow too deep for its readers. */
  private deeper(levels: number, span: Span, build: () => Expr): Expr {
    if (this.depth + levels > MAX_DEPTH) {
      this.report(error('E0108', `this expression nests more than ${MAX_DEPTH} operators, calls and brackets`, span, {
        help: 'name its parts by assignments',
      }));
      return { kind: 'errorExpr', span };
    }
    this.depth += levels;
    const value = build();
    this.depth -= levels;
    return value;
  }
}

function nearest(word: string, own: readonly string[], others: ReadonlyMap<string, string>): string | undefined {
  const near = others.get(word) ?? suggest(word, [...own, ...others.keys()]);
  return near && (others.get(near) ?? near);
}

/** What other languages call these types. */
const TYPE_WORDS: ReadonlyMap<string, string> = new Map(Object.entries({
  integer: 'int', i32: 'int', float: 'number', f32: 'number', double: 'number', boolean: 'bool', str: 'string', array: 'list', tuple: 'list', fn: 'function', layer: 'block', module: 'block',
}));
const DTYPE_WORDS: ReadonlyMap<string, string> = new Map(Object.entries({
  f16: 'f32', float: 'f32', float32: 'f32', half: 'f32', int: 'i32', int32: 'i32', int64: 'i32', i64: 'i32', u32: 'i32', boolean: 'bool',
}));
