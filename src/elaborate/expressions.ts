/** Evaluation of expressions. */
import type { Argument, Expr, LabelPart } from '../ast.ts';
import type { Span } from '../source.ts';
import { suggest } from '../suggest.ts';
import type { Given } from './arguments.ts';
import { call } from './calls.ts';
import { LIMITS, live, narrowed } from './context.ts';
import type { Context } from './context.ts';
import { Environment } from './environment.ts';
import { items, takeApart } from './items.ts';
import { lookup } from './lookup.ts';
import { binary, binaryOp, negate, not, range, truth } from './operators.ts';
import type { ParamScope } from './params.ts';
import { subscript } from './subscripts.ts';
import type { Operand } from './tensors.ts';
import { describe, isTensor } from './values.ts';
import type { InstanceValue, ScopeValue, TensorValue, Value } from './values.ts';

/** A label's parts as they extend the weight path. */
export interface LabelPath {
  readonly parts: readonly string[];
  readonly span: Span;
}

/** The value of an expression; failures unwind as diagnostics to the nearest statement. */
export function evaluate(context: Context, e: Expr, env: Environment): Value {
  context.step(e.span);
  context.enter(e.span);
  try {
    return evaluateHere(context, e, env);
  } finally {
    context.leave();
  }
}

export function operand(context: Context, e: Expr, env: Environment): Operand {
  return { value: evaluate(context, e, env), span: e.span };
}

function evaluateHere(context: Context, e: Expr, env: Environment): Value {
  switch (e.kind) {
    case 'number':
    case 'string':
    case 'bool':
      return e.value;
    case 'none':
      return null;
    case 'name':
      return lookup(context, e.text, env, e.span);
    case 'list':
      return e.items.map((item) => evaluate(context, item, env));
    case 'comprehension':
      return comprehension(context, e, env);
    case 'unary':
      return e.operator === '-' ? negate(context, operand(context, e.operand, env), e.span) : not(context, operand(context, e.operand, env), e.span);
    case 'binary':
      return narrowed(e.span, e.operatorSpan, () => binaryExpr(context, e, env));
    case 'conditional':
      return evaluate(context, truth(context, evaluate(context, e.condition, env), e.condition.span, '`if`') ? e.then : e.else, env);
    case 'call':
      return callExpr(context, e, env);
    case 'subscript':
      return subscript(context, operand(context, e.object, env), e.items, env, e.span);
    case 'member':
      return member(context, evaluate(context, e.object, env), e.name.text, e.name.span, e.object.span);
    case 'lambda':
      return { kind: 'function', name: 'fn', declaration: e, params: e.params, body: e.body, environment: env };
    case 'labelled':
      return labelled(context, e.value, env, labelPath(context, e.label, env));
    case 'errorExpr':
      return context.poisoned();
    default:
      return e satisfies never;
  }
}

function callExpr(context: Context, e: Expr & { kind: 'call' }, env: Environment, label?: LabelPath): Value {
  const callee = evaluate(context, e.callee, env);
  const bound = e.callee.kind === 'name' ? env.find(e.callee.text)?.span : undefined;
  return call(context, callee, given(context, e.args, env), e.callee.span, e.span, label, bound);
}

/** Arguments from left to right. */
export function given(context: Context, args: readonly Argument[], env: Environment): Given[] {
  return args.map((a) => ({
    ...(a.name && { name: a.name }),
    value: evaluate(context, a.value, env),
    span: a.value.span,
    ...(a.value.kind === 'string' && { text: a.value.span.start + 1 }),
  }));
}

function comprehension(context: Context, e: Expr & { kind: 'comprehension' }, env: Environment): Value {
  const list: Value[] = [];
  for (const item of items(context, operand(context, e.iterable, env))) {
    context.step(e.span);
    const turn = new Environment(env.file, env);
    const values = takeApart(context, item, e.targets, e.iterable.span);
    e.targets.forEach((t, i) => t.text !== '_' && turn.define(t.text, { value: values[i], span: t.span }));
    if (e.condition && !truth(context, evaluate(context, e.condition, turn), e.condition.span, '`if`')) continue;
    list.push(evaluate(context, e.value, turn));
  }
  return list;
}

function binaryExpr(context: Context, e: Expr & { kind: 'binary' }, env: Environment): Value {
  const a = operand(context, e.left, env);
  switch (e.operator) {
    case 'and':
    case 'or': {
      const stops = e.operator === 'or';
      if (!isTensor(a.value) && truth(context, a.value, a.span, `\`${e.operator}\``) === stops) return stops;
      const b = operand(context, e.right, env);
      if (isTensor(a.value) || isTensor(b.value)) return binaryOp(context, e.operator, e.operator, a, b, e.span);
      return truth(context, b.value, b.span, `\`${e.operator}\``);
    }
    case '..':
      return range(context, a, operand(context, e.right, env), e.step && operand(context, e.step, env), e.span);
    default:
      return binary(context, e.operator, a, operand(context, e.right, env), e.span);
  }
}

/** The path parts of `blocks[i].attn`; `_` in front adds nothing. */
function labelPath(context: Context, label: readonly LabelPart[], env: Environment): LabelPath {
  const parts: string[] = [];
  for (const [i, part] of label.entries()) {
    if (part.kind === 'name') {
      if (i > 0 || part.text !== '_') parts.push(part.text);
      continue;
    }
    const value = evaluate(context, part.value, env);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) parts.push(String(value));
    else if (typeof value === 'string' && value.length <= LIMITS.path && /^\w+(\.\w+)*$/.test(value)) parts.push(...value.split('.'));
    else context.fail('E0506', `${describe(value)} cannot be part of a weight path`, part.span, { help: 'use an int from 0, or a string of letters, digits, `_` and dots' });
  }
  const span = { ...label[0].span, end: label.at(-1)!.span.end };
  const length = parts.reduce((sum, part) => sum + 1 + part.length, context.frame.scope.path.length);
  if (length > LIMITS.path) context.fail('E0704', `the weight path grows over ${LIMITS.path.toLocaleString('en')} characters`, span, { help: 'use shorter labels' });
  context.step(span, parts.length);
  return { parts, span };
}

/** A label belongs to the outermost call; where that is subscripted, to the call inside. */
function labelled(context: Context, e: Expr, env: Environment, label: LabelPath): Value {
  switch (e.kind) {
    case 'call':
      return callExpr(context, e, env, label);
    case 'subscript':
      return subscript(context, { value: labelled(context, e.object, env, label), span: e.object.span }, e.items, env, e.span);
    case 'member':
      return member(context, labelled(context, e.object, env, label), e.name.text, e.name.span, e.object.span);
    case 'conditional':
      return labelled(context, truth(context, evaluate(context, e.condition, env), e.condition.span, '`if`') ? e.then : e.else, env, label);
    default:
      return instance(context, evaluate(context, e, env), label, e.span);
  }
}

/** Gives a configured block a place for its parameters. */
export function instance(context: Context, value: Value, label: LabelPath, span: Span): InstanceValue {
  if (typeof value === 'object' && value !== null && 'kind' in value) {
    if (value.kind === 'block' && value.config) {
      return { kind: 'instance', block: value, scope: context.frame.scope.at(label.parts), span: label.span, calls: 0 };
    }
    if (value.kind === 'block') {
      context.fail('E0312', `\`${value.declaration.name.text}\` has not been given its configuration`, span, { help: `write \`${value.declaration.name.text}(...)\`` });
    }
    if (value.kind === 'instance') context.fail('E0503', `the block already has the label \`${value.scope.path}\``, label.span, { labels: [{ span: value.span, message: 'labelled here' }] });
  }
  return context.fail('E0506', `a label names a block, and this is ${describe(value)}`, label.span, { labels: [{ span, message: describe(value) }], help: 'remove the label' });
}

function member(context: Context, value: Value, name: string, at: Span, object: Span): Value {
  if (isTensor(value)) return tensorFact(context, value, name, at);
  if (typeof value === 'object' && value !== null && 'kind' in value) {
    if (value.kind === 'instance' || value.kind === 'scope') return inScope(context, value, name, at);
    if (value.kind === 'block') {
      context.fail('E0504', `the block \`${value.declaration.name.text}\` has no parameters before it has a place`, at, { help: 'label it and call it: `enc = enc: Encoder(dim)`, then `enc.weight` after `enc(x)`' });
    }
  }
  return context.fail('E0210', `${describe(value)} has no member \`${name}\``, at, { labels: [{ span: object, message: describe(value) }] });
}

const FACTS = ['shape', 'rank', 'dtype'];

function tensorFact(context: Context, tensor: TensorValue, name: string, at: Span): Value {
  switch (name) {
    case 'shape':
      return [...tensor.shape];
    case 'rank':
      return tensor.shape.length;
    case 'dtype':
      return tensor.dtype;
    default: {
      const close = suggest(name, FACTS);
      return context.fail('E0210', `a tensor has no \`${name}\``, at, { help: close ? `did you mean \`${close}\`?` : 'it has `shape`, `rank` and `dtype`' });
    }
  }
}

/** `enc.weight`, or a step down towards it. */
function inScope(context: Context, value: InstanceValue | ScopeValue, name: string, at: Span): Value {
  const { scope } = value;
  const param = scope.params.get(name);
  if (param) return live(context, param.tensor);
  const child = scope.children.get(name);
  if (child) return { kind: 'scope', scope: child };
  const uncalled = value.kind === 'instance' && value.calls === 0;
  const names = [...scope.params.keys(), ...scope.children.keys()];
  const close = suggest(name, names);
  return context.fail('E0504', `there is no parameter \`${scope.nameOf(name)}\`${uncalled ? ' yet' : ''}`, at, {
    ...(value.kind === 'instance' && { labels: [{ span: value.span, message: uncalled ? 'labelled here, and not yet called' : 'labelled here' }] }),
    help: uncalled ? 'a block declares its parameters when it is called: read them after' : close ? `did you mean \`${close}\`?` : names.length ? `there are ${names.map((n) => `\`${n}\``).join(', ')}` : 'the block declares none',
  });
}

export function childScope(scope: ParamScope, index: number): ScopeValue | undefined {
  const child = scope.children.get(String(index));
  return child && { kind: 'scope', scope: child };
}
