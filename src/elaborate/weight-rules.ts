/** `weights { ... }`: where parameters come from in checkpoints that name or lay them out differently. */
import type { WeightRules } from '../ast.ts';
import type { WeightSource } from '../graph.ts';
import type { Span } from '../source.ts';
import { BuiltinCall } from './builtins/types.ts';
import type { Builtin } from './builtins/types.ts';
import type { Context } from './context.ts';
import { Environment } from './environment.ts';
import { evaluate } from './expressions.ts';
import { extent } from './patterns.ts';
import { describe, isList } from './values.ts';
import type { Value } from './values.ts';

const HOLE = /\{([^{}]*)\}/g;

export function weightRules(context: Context, statement: WeightRules, env: Environment): void {
  const inside = new Environment(env.file, env);
  for (const builtin of SOURCES) inside.define(builtin.name, { value: { kind: 'builtin', builtin }, span: statement.span });
  context.inWeights++;
  try {
    for (const rule of statement.rules) {
      const pattern = rule.pattern.text;
      const holes = holesOf(context, pattern, rule.pattern.span);
      if (rule.kind === 'ignore') {
        context.weightRules.push({ kind: 'ignore', pattern });
        continue;
      }
      const source = asSource(context, evaluate(context, rule.value, inside), rule.value.span);
      checkHoles(context, source, holes, rule.value.span, rule.pattern.span);
      context.weightRules.push({ kind: 'map', pattern, source });
    }
  } finally {
    context.inWeights--;
  }
}

/** The names of a pattern's holes, `rest...` with its dots. */
function holesOf(context: Context, pattern: string, span: Span): string[] {
  const holes = [...pattern.matchAll(HOLE)].map((m) => m[1]);
  const bad = holes.find((h) => !/^[A-Za-z_]\w*(\.\.\.)?$/.test(h));
  if (bad !== undefined || /[{}]/.test(pattern.replace(HOLE, ''))) {
    context.fail('E0505', `the pattern "${pattern}" has a hole that cannot be read`, span, { help: 'holes are `{i}`, one part of a path, and `{rest...}`, any number of parts' });
  }
  const twice = holes.find((h, i) => holes.indexOf(h) !== i);
  if (twice !== undefined) context.fail('E0505', `the pattern "${pattern}" has the hole {${twice}} twice`, span);
  return holes;
}

/** Every use of a source is a step, also where one value is used many times: a rule is written out as a tree. */
function checkHoles(context: Context, source: WeightSource, holes: readonly string[], span: Span, pattern: Span): void {
  context.step(span, source.kind === 'tensor' ? 1 + source.name.length : 1);
  if (source.kind === 'tensor') {
    for (const hole of holesOf(context, source.name, span)) {
      if (holes.includes(hole)) continue;
      context.fail('E0505', `"${source.name}" uses the hole {${hole}}, which the pattern does not have`, span, { labels: [{ span: pattern, message: holes.length ? `has ${holes.map((h) => `{${h}}`).join(', ')}` : 'has no holes' }] });
    }
  } else if (source.kind === 'concat') source.of.forEach((s) => checkHoles(context, s, holes, span, pattern));
  else checkHoles(context, source.of, holes, span, pattern);
}

function asSource(context: Context, value: Value, span: Span): WeightSource {
  if (typeof value === 'string') return { kind: 'tensor', name: value };
  if (typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'weights') return value.source;
  return context.fail('E0507', `a weight rule wants the name of a checkpoint's tensor, and this is ${describe(value)}`, span, { help: 'write a string, or `transpose(...)`, `reshape(...)`, `concat([...], axis = 0)`, `slice(...)` of strings' });
}

const of = (call: BuiltinCall, name = 'source'): WeightSource => asSource(call.context, call.value(name), call.given(name).span);
const weights = (source: WeightSource): Value => ({ kind: 'weights', source });

/** What the right side of a rule may call, in place of the tensor functions of these names. */
export const SOURCES: readonly Builtin[] = [
  {
    name: 'transpose',
    group: 'movement',
    params: [{ name: 'source' }, { name: 'permutation', default: null, defaultText: 'reversed' }],
    doc: 'The checkpoint tensor with its axes in another order; reversed where none is given.',
    run: (call) => weights({ kind: 'transpose', of: of(call), ...(call.has('permutation') && { permutation: call.ints('permutation', 0) }) }),
  },
  {
    name: 'reshape',
    group: 'movement',
    params: [{ name: 'source' }, { name: 'shape' }],
    doc: 'The checkpoint tensor with another shape of as many elements.',
    run: (call) => weights({ kind: 'reshape', of: of(call), shape: call.list('shape').map((v) => extent(call.context, v, call.given('shape').span)) }),
  },
  {
    name: 'concat',
    group: 'movement',
    params: [{ name: 'sources' }, { name: 'axis' }],
    doc: 'Checkpoint tensors joined on an axis.',
    run: (call) => {
      const { value, span } = call.given('sources');
      if (!isList(value) || value.length === 0) return call.wants('sources', 'a list of checkpoint tensors');
      call.context.step(call.span, value.length);
      return weights({ kind: 'concat', of: value.map((v) => asSource(call.context, v, span)), axis: call.int('axis', 0) });
    },
  },
  {
    name: 'slice',
    group: 'movement',
    params: [{ name: 'source' }, { name: 'axis' }, { name: 'start' }, { name: 'end' }],
    doc: 'A part of a checkpoint tensor along one axis.',
    run: (call) => {
      const [start, end] = [call.int('start', 0), call.int('end', 1)];
      if (end <= start) call.fail('E0410', `the slice from ${start} to ${end} is empty`, call.given('end').span);
      return weights({ kind: 'slice', of: of(call), axis: call.int('axis', 0), start, end });
    },
  },
];
