/** A model's body: configuration from presets and settings, then its statements. */
import type { ConfigParam } from '../ast.ts';
import { error, hasErrors, warning } from '../diagnostics.ts';
import type { Diagnostic } from '../diagnostics.ts';
import type { Graph } from '../graph.ts';
import { suggest } from '../suggest.ts';
import { fits, matchArguments } from './arguments.ts';
import type { Given } from './arguments.ts';
import { bindConfig } from './calls.ts';
import type { Context } from './context.ts';
import type { ConfigLiteral, ElaborateRequest } from './elaborate.ts';
import { Environment } from './environment.ts';
import { given } from './expressions.ts';
import { isBroken } from './files.ts';
import { execute } from './statements.ts';
import type { ChosenModel } from './targets.ts';
import { describe } from './values.ts';
import type { Value } from './values.ts';

export function buildModel(context: Context, chosen: ChosenModel, request: Pick<ElaborateRequest, 'settings' | 'batch'>): Graph | undefined {
  const { model, home } = chosen;
  const { settings, batch } = request;
  if (!Number.isSafeInteger(batch) || batch < 1) {
    context.report(error('E0603', `the batch is ${batch}; it is a positive integer`));
    return undefined;
  }
  const env = new Environment(home);
  context.frame = { ...context.frame, name: model.name.text, block: model.name.text };
  const arguments_ = collect(context, chosen);
  for (const [name, value] of Object.entries(settings)) {
    const i = model.config.findIndex((p) => p.name.text === name);
    const problem = i < 0 ? unknownSetting(name, chosen) : misfit(name, value, model.config[i]);
    if (problem) context.report(problem);
    else arguments_[i] = { value: value as Value, span: model.config[i].span };
  }
  if (context.diagnostics.some((d) => d.code === 'E0603')) return undefined;
  if (!model.config.some((p) => p.name.text === 'B')) env.define('B', { value: batch, span: model.name.span, from: 'the batch' });
  bindConfig(context, { name: model.name.text, noun: 'configuration parameter', span: model.name.span }, model.config, arguments_, env, chosen.presets[0]?.preset.span ?? model.name.span);
  execute(context, model.body, env);
  if (context.outputs.length === 0 && !isBroken(model.body) && context.diagnostics.every((d) => d.severity !== 'error')) {
    context.report(error('E0604', `the model \`${model.name.text}\` has no output`, model.name.span, { help: 'say what it computes: `output logits = ...`' }));
  }
  const graph = context.builder.finish({ name: chosen.name, ...(chosen.doc !== undefined && { doc: chosen.doc }), inputs: context.inputs, outputs: context.outputs, weightRules: context.weightRules });
  warnOfUnused(context, graph);
  return graph;
}

/** Inputs and parameters that nothing reads are most often a line forgotten. */
function warnOfUnused(context: Context, graph: Graph): void {
  if (hasErrors(context.diagnostics)) return;
  const used = new Set(graph.outputs.map((o) => o.node));
  for (const node of graph.nodes) for (const id of node.args) used.add(id);
  for (const { id, op, attrs, origin } of graph.nodes) {
    if (used.has(id) || (op !== 'input' && op !== 'param')) continue;
    if (op === 'input') context.report(warning('W0601', `nothing reads the input \`${attrs.name}\``, origin.span, { help: 'remove it, or use it' }));
    else context.report(warning('W0501', `nothing reads the parameter \`${attrs.name}\``, origin.span, { help: 'remove it, or use it' }));
  }
}

/** The arguments of all presets on the way; an outer one overrides. */
function collect(context: Context, { model, presets }: ChosenModel): (Given | undefined)[] {
  const names = model.config.map((p) => p.name.text);
  const result = new Array<Given | undefined>(names.length).fill(undefined);
  for (const { preset, args, home } of [...presets].reverse()) {
    const values = given(context, args, new Environment(home));
    const { slots } = matchArguments(context, { name: preset.model.text, noun: 'configuration parameter', span: model.name.span }, names, values);
    slots.forEach((slot, i) => slot && (result[i] = slot));
  }
  return result;
}

function unknownSetting(name: string, { model }: ChosenModel): Diagnostic {
  const names = model.config.map((p) => p.name.text);
  const close = suggest(name, names);
  return error('E0603', `\`${model.name.text}\` has no configuration parameter \`${name}\` to set`, model.name.span, {
    help: name === 'B' ? '`--batch` sets it' : close ? `did you mean \`${close}\`?` : names.length ? `it has ${names.map((n) => `\`${n}\``).join(', ')}` : 'it has none',
  });
}

/** A setting is as the parameter's declared type, or as its default, where that is written out. */
function misfit(name: string, value: ConfigLiteral, param: ConfigParam): Diagnostic | undefined {
  const literals: Partial<Record<string, 'number' | 'bool' | 'string' | 'list'>> = { number: 'number', bool: 'bool', string: 'string', list: 'list' };
  const type = param.type?.value ?? (param.default && literals[param.default.kind]);
  if (!type || fits(value as Value, type)) return undefined;
  return error('E0603', `the setting \`${name}\` wants ${type === 'int' ? 'an int' : `a ${type}`} and gets ${describe(value as Value)}`, param.span);
}

