/** Declarations and statements: concrete syntax to the syntax tree. */
import type { File, Import, Item, Statement, WeightRule } from '../ast.ts';
import { error } from '../diagnostics.ts';
import type { Diagnostic } from '../diagnostics.ts';
import type { Source, Span } from '../source.ts';
import { ExpressionBuilder } from './build-expressions.ts';
import type * as cst from './cst.ts';
import type { Docs } from './lex.ts';

/** Text ranges that were given up. Each left an empty node; the nodes come in the same order. */
export type Failed = readonly { readonly start: number; readonly end: number }[];

/** `else if` branches of one `if`, which nest in the tree. */
const MAX_BRANCHES = 200;

export class Builder extends ExpressionBuilder {
  private nextFailed = 0;

  constructor(
    source: Source,
    report: (d: Diagnostic) => void,
    private readonly docs: Docs,
    private readonly failed: Failed,
  ) {
    super(source, report);
  }

  file(node: cst.FileCst): File {
    const doc = this.docs.ofFile();
    const items = (node.children.item ?? []).flatMap((item) => this.item(item) ?? []);
    return { kind: 'file', span: { source: this.source, start: 0, end: this.source.text.length }, ...(doc !== undefined && { doc }), items };
  }

  private item(node: cst.ItemCst): Item | undefined {
    const c = node.children;
    if (Object.keys(c).length === 0) {
      this.nextFailed++;
      return undefined;
    }
    const span = this.span(node);
    if (c.importItem) return this.importItem(c.importItem[0], span);
    const documented = this.documented(span);
    if (c.letItem) {
      const { Identifier, expression } = c.letItem[0].children;
      return { kind: 'let', ...documented, name: this.name(Identifier[0]), value: this.expression(expression[0]) };
    }
    if (c.functionItem) {
      const { Identifier, configParams, expression, body } = c.functionItem[0].children;
      const head = { kind: 'function', ...documented, name: this.name(Identifier[0]), params: this.configParams(configParams[0]) } as const;
      if (!expression) return { ...head, body: this.body(body![0]), expressionBody: false };
      const value = this.expression(expression[0]);
      return { ...head, body: [{ kind: 'return', span: value.span, values: [value] }], expressionBody: true };
    }
    if (c.blockItem) {
      const { Identifier, configParams, tensorParams, tensorType, body } = c.blockItem[0].children;
      return {
        kind: 'block', ...documented,
        name: this.nameOr(Identifier, span),
        config: this.configParams(configParams?.[0]),
        tensors: this.tensorParams(tensorParams?.[0]),
        results: (tensorType ?? []).map((type) => this.tensorType(type)),
        body: this.body(body[0]),
      };
    }
    if (c.modelItem) {
      const { Identifier, configParams, body } = c.modelItem[0].children;
      return {
        kind: 'model', ...documented, name: this.nameOr(Identifier, span), config: this.configParams(configParams?.[0]), body: this.body(body[0]),
      };
    }
    const { Identifier, args, attribute } = c.presetItem![0].children;
    return {
      kind: 'preset', ...documented,
      name: this.name(Identifier[0]), model: this.name(Identifier[1]), args: this.args(args[0]), attributes: this.attributes(attribute),
    };
  }

  private importItem(node: cst.ImportItemCst, span: Span): Import {
    const { importName, StringLiteral } = node.children;
    const names = importName.map(({ children: { Identifier: [name, as] } }) => ({ name: this.name(name), ...(as && { as: this.name(as) }) }));
    return { kind: 'import', span, names, from: this.string(StringLiteral[0]) };
  }

  private body(node: cst.BodyCst): Statement[] {
    return (node.children.statement ?? []).map((statement) => this.statement(statement));
  }

  private statement(node: cst.StatementCst): Statement {
    const c = node.children;
    if (Object.keys(c).length === 0) {
      const { start, end } = this.failed[this.nextFailed++];
      return { kind: 'errorStatement', span: { source: this.source, start, end } };
    }
    const span = this.span(node);
    if (c.assign) {
      const { names, expression } = c.assign[0].children;
      return { kind: 'assign', span, targets: this.names(names[0]), value: this.expression(expression[0]) };
    }
    if (c.paramDecl) return { kind: 'param', ...this.declaration(c.paramDecl[0], span) };
    if (c.inputDecl) return { kind: 'input', ...this.declaration(c.inputDecl[0], span) };
    if (c.outputDecl) {
      const { Identifier, tensorType, expression, attribute } = c.outputDecl[0].children;
      return {
        kind: 'output', ...this.documented(span), name: this.name(Identifier[0]),
        ...(tensorType && { type: this.tensorType(tensorType[0]) }),
        value: this.expression(expression[0]),
        attributes: this.attributes(attribute),
      };
    }
    if (c.forStatement) {
      const { names, expression, body } = c.forStatement[0].children;
      return { kind: 'for', span, targets: this.names(names?.[0]), iterable: this.expressionOr(expression, span), body: this.body(body[0]) };
    }
    if (c.ifStatement) return this.ifStatement(c.ifStatement[0], span);
    if (c.returnStatement) return { kind: 'return', span, values: c.returnStatement[0].children.expression.map((e) => this.expression(e)) };
    if (c.assertStatement) {
      const [condition, message] = c.assertStatement[0].children.expression.map((e) => this.expression(e));
      return { kind: 'assert', span, condition, ...(message && { message }) };
    }
    return { kind: 'weights', span, rules: (c.weightRules![0].children.weightRule ?? []).flatMap((rule) => this.weightRule(rule) ?? []) };
  }

  private declaration(node: cst.ParamDeclCst | cst.InputDeclCst, span: Span) {
    const { Identifier, tensorType, attribute } = node.children;
    return {
      ...this.documented(span), name: this.name(Identifier[0]), type: this.tensorType(tensorType[0]), attributes: this.attributes(attribute),
    };
  }

  private documented(span: Span): { span: Span; doc?: string } {
    const doc = this.docs.before(span.start);
    return { span, ...(doc !== undefined && { doc }) };
  }

  /** `else if` chains nest in the tree: each is the only statement of the `else` before it. */
  private ifStatement(node: cst.IfStatementCst, span: Span): Statement {
    const { expression, body, elseIf: all = [], elseBody } = node.children;
    const elseIf = all.slice(0, MAX_BRANCHES);
    if (all.length > MAX_BRANCHES) {
      const message = `an \`if\` has at most ${MAX_BRANCHES} \`else if\` branches`;
      this.report(error('E0108', message, this.tokenSpan(all[MAX_BRANCHES].children.Else[0])));
    }
    const branches = [
      { condition: this.expressionOr(expression, span), then: this.body(body[0]), start: span.start },
      ...elseIf.map((branch) => ({
        condition: this.expressionOr(branch.children.expression, this.span(branch)),
        then: this.body(branch.children.body[0]),
        start: branch.children.If[0].startOffset,
      })),
    ];
    let otherwise = elseBody && this.body(elseBody[0]);
    for (const { condition, then, start } of branches.reverse()) {
      const statement: Statement = { kind: 'if', span: { ...span, start }, condition, then, ...(otherwise && { else: otherwise }) };
      otherwise = [statement];
    }
    return otherwise![0];
  }

  /** Nothing for a rule that could not be read. */
  private weightRule(node: cst.WeightRuleCst): WeightRule | undefined {
    const { StringLiteral, expression, Ignore } = node.children;
    if (!StringLiteral || !(expression ?? Ignore)) return undefined;
    const span = this.span(node);
    const { value: text, span: at } = this.string(StringLiteral[0]);
    const pattern = { text, span: at };
    return expression ? { kind: 'map', span, pattern, value: this.expression(expression[0]) } : { kind: 'ignore', span, pattern };
  }
}
