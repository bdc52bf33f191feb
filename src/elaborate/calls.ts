/** Calls: configuring and applying blocks, functions, built-ins. */
import type { ConfigParam, TensorParam } from '../ast.ts';
import type { Span } from '../source.ts';
import { checkType, matchArguments, missing } from './arguments.ts';
import type { Callee, Given } from './arguments.ts';
import { BuiltinCall } from './builtins/types.ts';
import { narrowed } from './context.ts';
import type { Context, Frame } from './context.ts';
import { Environment } from './environment.ts';
import { evaluate, instance } from './expressions.ts';
import type { LabelPath } from './expressions.ts';
import type { ParamScope, Sharing } from './params.ts';
import { matchShapes, subjectOf, textOf } from './patterns.ts';
import { execute } from './statements.ts';
import { describe, isList, isTensor } from './values.ts';
import type { BlockValue, BuiltinValue, FunctionValue, InstanceValue, TensorValue, Value } from './values.ts';

/** A call with evaluated arguments; `label` extends the weight path for what is called; `bound` is where a called name got its value. */
export function call(context: Context, callee: Value, args: readonly Given[], calleeSpan: Span, span: Span, label?: LabelPath, bound?: Span): Value {
  if (typeof callee === 'object' && callee !== null && 'kind' in callee) {
    switch (callee.kind) {
      case 'block': {
        if (!callee.config) {
          const configured = configure(context, callee, args, span);
          return label ? instance(context, configured, label, span) : configured;
        }
        const { scope } = context.frame;
        return apply(context, callee, args, span, label ? scope.at(label.parts) : scope, context.frame.sharing);
      }
      case 'instance':
        if (label) context.fail('E0503', `the block already has the label \`${callee.scope.path}\``, label.span, { labels: [{ span: callee.span, message: 'labelled here' }] });
        return applyInstance(context, callee, args, span);
      case 'function': {
        const result = callFunction(context, callee, args, span, label && context.frame.scope.at(label.parts));
        // A function may make the block that the label is for.
        return label && typeof result === 'object' && result !== null && 'kind' in result && result.kind === 'block' ? instance(context, result, label, span) : result;
      }
      case 'builtin':
        if (label) context.fail('E0506', `a label names a block, and \`${callee.builtin.name}\` is a built-in function`, label.span, { help: 'remove the label' });
        return callBuiltin(context, callee, args, calleeSpan, span);
      case 'target':
        context.fail('E0306', `\`${callee.declaration.name.text}\` is a ${callee.declaration.kind}; it cannot be called here`, calleeSpan, {
          labels: [{ span: callee.declaration.name.span, message: 'declared here' }],
          help: 'presets refer to models; share parts between models as blocks',
        });
    }
  }
  return context.fail('E0306', `${describe(callee)} cannot be called`, calleeSpan, {
    labels: bound && (bound.start !== calleeSpan.start || bound.source !== calleeSpan.source) ? [{ span: bound, message: 'has its value from here' }] : [],
    ...(isTensor(callee) && { help: 'parts of a tensor are read with `x[...]`' }),
  });
}

function callBuiltin(context: Context, { builtin }: BuiltinValue, args: readonly Given[], calleeSpan: Span, span: Span): Value {
  const names = builtin.params.map((p) => p.name);
  const variadic = builtin.variadic === undefined ? undefined : names.indexOf(builtin.variadic);
  const matched = matchArguments(context, { name: builtin.name, noun: 'argument' }, names, args, { ...(variadic !== undefined && { variadic }), ...(builtin.open && { open: true }) });
  return narrowed(span, calleeSpan, () => builtin.run(new BuiltinCall(context, builtin, span, matched)));
}

/** Binds configuration parameters; defaults see the parameters before them. */
export function bindConfig(context: Context, callee: Callee, params: readonly ConfigParam[], given: readonly (Given | undefined)[], env: Environment, span: Span): void {
  for (const [i, param] of params.entries()) {
    const argument = given[i];
    let value: Value;
    if (argument) {
      value = argument.value;
      const isNone = value === null && param.default?.kind === 'none';
      if (param.type && !isNone) checkType(context, param.name.text, value, param.type, argument.span);
    } else if (param.default) value = evaluate(context, param.default, env);
    else missing(context, callee, param.name.text, span, param.span);
    env.define(param.name.text, { value, span: argument?.span ?? param.span });
  }
}

/** A block with its configuration. */
function configure(context: Context, block: BlockValue, args: readonly Given[], span: Span): BlockValue {
  const { name, config, tensors } = block.declaration;
  const callee = { name: name.text, noun: 'configuration parameter', span: name.span };
  const names = config.map((p) => p.name.text);
  const tensor = args.find((a, i) => isTensor(a.value) && (a.name ? tensors.some((t) => t.name.text === a.name!.text) : i >= names.length || !config[i].type));
  if (tensor && !config.some((p) => p.type?.value === 'tensor' || p.type?.value === 'any')) {
    context.fail('E0312', `\`${name.text}\` gets a tensor before its configuration`, tensor.span, {
      primaryLabel: describe(tensor.value),
      labels: [{ span: name.span, message: `takes (${names.join(', ')}), then (${tensors.map((t) => t.name.text).join(', ')})` }],
      help: `write \`${name.text}(${names.length ? '...' : ''})(${textOf(tensor.span)})\``,
    });
  }
  const { slots } = matchArguments(context, callee, names, args);
  const env = new Environment(block.home);
  bindConfig(context, callee, config, slots, env, span);
  return { ...block, config: env };
}

function applyInstance(context: Context, value: InstanceValue, args: readonly Given[], span: Span): Value {
  const sharing: Sharing = { instance: value, call: value.calls++, ...(context.frame.sharing && { parent: context.frame.sharing }) };
  return apply(context, value.block, args, span, value.scope, sharing);
}

/** A configured block on tensors. */
function apply(context: Context, block: BlockValue, args: readonly Given[], span: Span, scope: ParamScope, sharing: Sharing | undefined): Value {
  const { declaration } = block;
  const { name, tensors, results } = declaration;
  const callee = { name: name.text, noun: 'tensor', span: name.span };
  const { slots } = matchArguments(context, callee, tensors.map((t) => t.name.text), args);
  const env = block.config!.copy();
  const given = tensors.map((param, i): Given => {
    const slot = slots[i];
    if (slot) return slot;
    if (!param.default) missing(context, callee, param.name.text, span, param.span);
    return { value: evaluate(context, param.default, env), span: param.span };
  });
  for (const [i, param] of tensors.entries()) if (given[i].value === null) absentExtents(env, param);
  const subjects = tensors.map((param, i) => subjectOf(context, param, given[i].value, given[i].span));
  const checked = matchShapes(context, subjects.filter((s) => s !== undefined), env, 'E0401');
  let next = 0;
  for (const [i, param] of tensors.entries()) {
    env.define(param.name.text, { value: subjects[i] ? checked[next++] : given[i].value, span: given[i].span });
  }
  const heading = env.copy();
  const frame = { declaration, name: name.text, call: span, scope, block: name.text, recovers: true, ...(sharing && { sharing }), ...(context.frame.originSpan && { originSpan: context.frame.originSpan }) };
  return context.within(frame, () => {
    const returned = execute(context, declaration.body, env);
    if (!returned) return context.fail('E0314', `\`${name.text}\` ends without a \`return\``, name.span);
    return checkResults(context, block, results, returned.value, heading, returned.span);
  });
}

/** The extents of an optional tensor that was not given bind no names. */
function absentExtents(env: Environment, param: TensorParam): void {
  for (const dim of param.type?.dims ?? []) {
    if (dim.kind === 'dim' && dim.value.kind === 'name') env.lacks(dim.value.text, { span: dim.span, message: `an extent of \`${param.name.text}\`, which is none here` });
  }
}

/** The results as the heading declares them; names that are free there stand for any extent. */
function checkResults(context: Context, block: BlockValue, results: BlockValue['declaration']['results'], value: Value, env: Environment, span: Span): Value {
  if (results.length === 0) return value;
  const values = results.length === 1 ? [value] : value;
  if (!isList(values) || values.length !== results.length) {
    context.fail('E0412', `\`${block.declaration.name.text}\` declares ${results.length} results and returns ${isList(value) ? value.length : 1}`, span, {
      labels: [{ span: { ...results[0].span, end: results.at(-1)!.span.end }, message: 'declared here' }],
    });
  }
  const subjects = results.map((type, i) => {
    const result = values[i];
    if (!isTensor(result)) context.fail('E0412', `result ${i} is ${describe(result)}, a tensor is declared`, span, { labels: [{ span: type.span, message: 'declared here' }] });
    return { name: results.length === 1 ? 'the result' : `result ${i}`, type, value: result, span };
  });
  const checked: TensorValue[] = matchShapes(context, subjects, env, 'E0412');
  return results.length === 1 ? checked[0] : checked;
}

/** A declared function or a lambda. */
function callFunction(context: Context, fn: FunctionValue, args: readonly Given[], span: Span, scope: ParamScope | undefined): Value {
  const callee = { name: fn.name, noun: 'argument', ...(fn.declaration.kind === 'function' && { span: fn.declaration.name.span }) };
  const { slots } = matchArguments(context, callee, fn.params.map((p) => p.name.text), args);
  const lambda = fn.declaration.kind === 'lambda';
  const env = lambda ? new Environment(fn.environment.file, fn.environment) : fn.environment.copy();
  const { frame } = context;
  // A prelude function is to its caller like a built-in one: its operations belong to the caller's line.
  const library = fn.environment.file.isPrelude && !lambda;
  const originSpan = frame.originSpan ?? (library ? span : undefined);
  const inner: Omit<Frame, 'parent' | 'depth'> = {
    declaration: fn.declaration,
    name: fn.name,
    call: span,
    scope: scope ?? frame.scope,
    block: frame.block,
    recovers: false,
    ...(frame.sharing && { sharing: frame.sharing }),
    ...(originSpan && { originSpan }),
  };
  return context.within(inner, () => {
    bindConfig(context, callee, fn.params, slots, env, span);
    if (isExpression(fn.body)) return evaluate(context, fn.body, env);
    const returned = execute(context, fn.body, env);
    if (!returned) return context.fail('E0314', `\`${fn.name}\` ends without a \`return\``, fn.declaration.span);
    return returned.value;
  });
}

function isExpression(body: FunctionValue['body']): body is Exclude<FunctionValue['body'], readonly unknown[]> {
  return !Array.isArray(body);
}

