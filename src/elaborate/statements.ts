/** Execution of statements, and going on after one that failed. */
import type { Assign, For, If, Name, ParamDecl, Statement } from '../ast.ts';
import { DiagnosticError } from '../diagnostics.ts';
import type { Label } from '../diagnostics.ts';
import type { DType } from '../graph.ts';
import { sameShape } from '../graph.ts';
import type { Span } from '../source.ts';
import { LIMITS, Poisoned } from './context.ts';
import type { Context } from './context.ts';
import { Environment } from './environment.ts';
import { evaluate, operand } from './expressions.ts';
import { declareInput, declareOutput } from './interface.ts';
import { items, takeApart } from './items.ts';
import { truth } from './operators.ts';
import { isShared } from './params.ts';
import type { DeclaredParam } from './params.ts';
import { paramAttributes } from './attributes.ts';
import { dtypeOf, knownShape } from './patterns.ts';
import { POISON, formatValue } from './values.ts';
import type { Value } from './values.ts';
import { weightRules } from './weight-rules.ts';

export interface Returned {
  readonly value: Value;
  readonly span: Span;
}

/** Runs statements up to a `return`, whose value comes back; nothing where there was none. */
export function execute(context: Context, body: readonly Statement[], env: Environment): Returned | undefined {
  for (const statement of body) {
    context.step(statement.span);
    const returned = context.frame.recovers ? recovering(context, statement, env) : run(context, statement, env);
    if (returned) return returned;
  }
  return undefined;
}

/**
 * A failing statement is reported and its names are poisoned, so that what depends on them is silent and what does not
 * is still checked. After a failed `return` or `assert` nothing of the block is of use.
 */
function recovering(context: Context, statement: Statement, env: Environment): Returned | undefined {
  try {
    return run(context, statement, env);
  } catch (e) {
    if (e instanceof DiagnosticError) {
      context.report(e.diagnostic);
      if (e.diagnostic.code.startsWith('E07') || context.diagnostics.length >= LIMITS.errors) throw e;
      context.failed(statement.span, 'reported');
    } else if (e instanceof Poisoned) context.failed(statement.span, 'silent');
    else throw e;
    if (statement.kind === 'return' || statement.kind === 'assert') context.poisoned();
    for (const name of assignedNames([statement])) env.assign(name.text, { value: POISON, span: name.span });
    return undefined;
  }
}

function run(context: Context, statement: Statement, env: Environment): Returned | undefined {
  switch (statement.kind) {
    case 'assign':
      return assign(context, statement, env);
    case 'param':
      return declareParam(context, statement, env);
    case 'input':
      return declareInput(context, statement, env);
    case 'output':
      return declareOutput(context, statement, env);
    case 'for':
      return loop(context, statement, env);
    case 'if':
      return choose(context, statement, env);
    case 'return': {
      const values = statement.values.map((v) => evaluate(context, v, env));
      return { value: values.length === 1 ? values[0] : values, span: statement.values.length ? { ...statement.values[0].span, end: statement.values.at(-1)!.span.end } : statement.span };
    }
    case 'assert': {
      if (truth(context, evaluate(context, statement.condition, env), statement.condition.span, '`assert`')) return undefined;
      const message = statement.message && evaluate(context, statement.message, env);
      return context.fail('E0311', message === undefined ? 'the assertion does not hold' : formatValue(message), statement.condition.span, { notes: factsOf(context, statement.condition.span, env) });
    }
    case 'weights':
      weightRules(context, statement, env);
      return undefined;
    case 'errorStatement':
      return context.poisoned();
    default:
      return statement satisfies never;
  }
}

/** The values of the names that an expression mentions. */
function factsOf(context: Context, span: Span, env: Environment): string[] {
  const text = span.source.text.slice(span.start, span.end);
  const facts: string[] = [];
  for (const name of new Set(text.match(/(?<![\w.])[A-Za-z_]\w*/g) ?? [])) {
    const binding = env.find(name);
    if (binding) facts.push(`${name} = ${formatValue(binding.value)}`);
  }
  return facts.length ? [facts.join(', ')] : [];
}

function assign(context: Context, statement: Assign, env: Environment): undefined {
  const { targets, value } = statement;
  const values = takeApart(context, evaluate(context, value, env), targets, value.span);
  targets.forEach((t, i) => t.text !== '_' && env.assign(t.text, { value: values[i], span: t.span }));
}

function loop(context: Context, statement: For, env: Environment): Returned | undefined {
  const { targets, iterable, body } = statement;
  for (const item of items(context, operand(context, iterable, env))) {
    context.step(statement.span);
    const turn = new Environment(env.file, env);
    const values = takeApart(context, item, targets, iterable.span);
    targets.forEach((t, i) => t.text !== '_' && turn.define(t.text, { value: values[i], span: t.span }));
    const returned = execute(context, body, turn);
    if (returned) return returned;
  }
  return undefined;
}

function choose(context: Context, statement: If, env: Environment): Returned | undefined {
  const holds = truth(context, evaluate(context, statement.condition, env), statement.condition.span, '`if`');
  const [taken, other] = holds ? [statement.then, statement.else ?? []] : [statement.else ?? [], statement.then];
  for (const { text, span } of assignedNames(other)) env.lacks(text, { span, message: 'assigned here, on a branch that is not taken' });
  return execute(context, taken, env);
}

/** The names that statements would bind outside of themselves. */
export function assignedNames(body: readonly Statement[]): Name[] {
  return body.flatMap((s): readonly Name[] => {
    switch (s.kind) {
      case 'assign':
        return s.targets.filter((t) => t.text !== '_');
      case 'param':
      case 'input':
      case 'output':
        return [s.name];
      case 'for':
        return assignedNames(s.body).filter((n) => !s.targets.some((t) => t.text === n.text));
      case 'if':
        return [...assignedNames(s.then), ...assignedNames(s.else ?? [])];
      case 'return':
      case 'assert':
      case 'weights':
      case 'errorStatement':
        return [];
      default:
        return s satisfies never;
    }
  });
}

/** Where a parameter was declared first, beside the second time at `span` in the call at `call`. */
function firstDeclared(before: DeclaredParam, span: Span, call: Span | undefined): Label {
  const same = (a: Span, b: Span | undefined): boolean => a.start === b?.start && a.source === b.source;
  if (!same(before.span, span)) return { span: before.span, message: 'first here' };
  if (before.call && !same(before.call, call)) return { span: before.call, message: 'first declared by this call' };
  return { span: before.span, message: 'here, in an earlier turn or call' };
}

function declareParam(context: Context, statement: ParamDecl, env: Environment): undefined {
  const { name, type } = statement;
  const { frame } = context;
  const { buffer, rename } = paramAttributes(context, statement.attributes, env);
  const path = (rename ?? name.text).split('.');
  const scope = frame.scope.at(path.slice(0, -1));
  const last = path.at(-1)!;
  const full = scope.nameOf(last);
  const dtype: DType = dtypeOf(type);
  let shape: number[];
  let dims;
  try {
    ({ shape, dims } = knownShape(context, type, env, 'a parameter'));
  } catch (e) {
    // Its place is taken, so that reading it is silent.
    if (!scope.params.has(last)) scope.params.set(last, { tensor: POISON as never, span: name.span });
    throw e;
  }
  const before = scope.params.get(last);
  if (before) {
    if ((before.tensor as Value) === POISON) context.poisoned();
    if (!isShared(before.sharing, frame.sharing)) {
      context.fail('E0501', `the parameter \`${full}\` is declared twice`, name.span, {
        labels: [firstDeclared(before, name.span, frame.call)],
        help: 'give each call its own label (`a: Block(...)(x)`, in a loop `a[i]: Block(...)(x)`), or share one instance: `b = b: Block(...)`, then `b(x)` and `b(y)`',
      });
    }
    if (!sameShape(before.tensor.shape, shape) || before.tensor.dtype !== dtype) {
      context.fail('E0502', `the shared parameter \`${full}\` is ${formatValue(before.tensor)} from an earlier call and ${dtype}[${shape.join(', ')}] in this one`, name.span, {
        labels: [{ span: before.span, message: formatValue(before.tensor) }],
        help: 'an instance called twice must get the same shapes where its parameters depend on them',
      });
    }
    env.assign(name.text, { value: { ...before.tensor, dims }, span: name.span });
    return;
  }
  if (scope.children.has(last)) {
    context.fail('E0501', `\`${full}\` is both a parameter and the place of a labelled block`, name.span, { help: 'rename one' });
  }
  const tensor = context.emit('param', [], { name: full, shape, dtype, buffer }, statement.span, 'E0405', dims);
  scope.params.set(last, { tensor, span: name.span, ...(frame.call && { call: frame.call }), ...(frame.sharing && { sharing: frame.sharing }) });
  env.assign(name.text, { value: tensor, span: name.span });
}
