/** Shapes in declarations: those that bind and check (`x: [B, N, D]`) and those that say an extent (`param w: [O, I]`). */
import type { DimPattern, TensorParam, TensorType } from '../ast.ts';
import type { Label } from '../diagnostics.ts';
import type { DType } from '../graph.ts';
import type { Span } from '../source.ts';
import type { Context } from './context.ts';
import type { Binding, Environment } from './environment.ts';
import { evaluate } from './expressions.ts';
import { topLevelValue } from './lookup.ts';
import { dimLabels, extentText } from './tensors.ts';
import { describe, formatValue, isList, isTensor } from './values.ts';
import type { Dim, TensorValue, Value } from './values.ts';

export function textOf(span: Span): string {
  return span.source.text.slice(span.start, span.end).replace(/\s+/g, ' ');
}

export function dtypeOf(type: TensorType): DType {
  return type.dtype?.value ?? 'f32';
}

/** The value of an expression as an extent: a positive integer. */
export function extent(context: Context, value: Value, span: Span, text = textOf(span)): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  if (typeof value !== 'number') return context.fail('E0405', `\`${text}\` is ${describe(value)}; an extent is a positive int`, span);
  return context.fail('E0405', `\`${text}\` is ${formatValue(value)}; an extent is a positive int`, span, {
    ...(!Number.isInteger(value) && Number.isFinite(value) && { help: 'round it as the model means: `floor(a / b)`, `ceil(a / b)`, `round(x)`, `int(x)`' }),
  });
}

/** A shape whose every extent is known: of parameters and inputs. */
export function knownShape(context: Context, type: TensorType, env: Environment, what: string): { shape: number[]; dims: (Dim | undefined)[] } {
  const shape: number[] = [];
  const dims: (Dim | undefined)[] = [];
  const push = (value: Value, span: Span, text: string): void => {
    shape.push(extent(context, value, span, text));
    dims.push({ text, span });
  };
  for (const dim of type.dims) {
    if (dim.kind === 'dim') push(evaluate(context, dim.value, env), dim.span, textOf(dim.span));
    else if (dim.kind === 'rest' && dim.name) {
      const binding = env.find(dim.name.text);
      const value = binding ? binding.value : topLevelValue(context, env.file, dim.name.text, dim.name.span);
      if (!isList(value)) context.fail('E0413', `\`...${dim.name.text}\` wants a list of extents and gets ${describe(value)}`, dim.span);
      value.forEach((v, i) => push(v, dim.span, `${dim.name!.text}[${i}]`));
    } else {
      context.fail('E0413', `\`${textOf(dim.span)}\` stands for extents that nothing tells; ${what} needs every extent`, dim.span, {
        help: 'write the extent, or `...S` with a list S',
      });
    }
  }
  return { shape, dims };
}

/** A tensor that a pattern is to match, with the name it has in messages and where it was given. */
interface Subject {
  readonly name: string;
  readonly type: TensorType;
  readonly value: TensorValue;
  readonly span: Span;
}

interface PatternAxis {
  readonly pattern: DimPattern;
  /** The axes it stands for. */
  readonly first: number;
  readonly count: number;
}

/**
 * Matches tensors with their declared shapes: first all bare names bind, from left to right, then everything else is
 * compared. Bare names that are free in `env` are bound there. The tensors come back with the pattern's names for their axes.
 */
export function matchShapes(context: Context, subjects: readonly Subject[], env: Environment, code: 'E0401' | 'E0412'): TensorValue[] {
  const axes = subjects.map((s) => align(context, s, code));
  for (const [i, subject] of subjects.entries()) for (const axis of axes[i]) bind(context, subject, axis, env, code);
  for (const [i, subject] of subjects.entries()) for (const axis of axes[i]) compare(context, subject, axis, env, code);
  return subjects.map((s, i) => ({ ...s.value, dims: named(s.value, axes[i]) }));
}

/** Which axes each entry of the pattern stands for; dtype and rank must fit. */
function align(context: Context, subject: Subject, code: 'E0401' | 'E0412'): PatternAxis[] {
  const { type, value, span, name } = subject;
  const dtype = dtypeOf(type);
  if (value.dtype !== dtype) {
    context.fail('E0403', `${name} is ${value.dtype}, ${dtype} is wanted`, span, {
      primaryLabel: describe(value),
      labels: [{ span: type.dtype?.span ?? type.span, message: type.dtype ? `declared as ${dtype}` : 'f32, as no dtype is written' }],
      help: `convert it, \`cast(x, "${dtype}")\`, or declare \`${value.dtype}[...]\``,
    });
  }
  const rest = type.dims.findIndex((d) => d.kind === 'rest');
  const fixed = type.dims.length - (rest >= 0 ? 1 : 0);
  const rank = value.shape.length;
  if (rest >= 0 ? rank < fixed : rank !== fixed) {
    context.fail(code === 'E0412' ? code : 'E0402', `${name} has ${rank} ${rank === 1 ? 'axis' : 'axes'}, ${rest >= 0 ? 'at least ' : ''}${fixed} ${fixed === 1 ? 'is' : 'are'} wanted`, span, {
      primaryLabel: describe(value),
      labels: [{ span: type.span, message: 'declared here' }],
    });
  }
  let first = 0;
  return type.dims.map((pattern) => {
    const count = pattern.kind === 'rest' ? rank - fixed : 1;
    const axis = { pattern, first, count };
    first += count;
    return axis;
  });
}

function known(context: Context, env: Environment, name: string, span: Span): Binding | undefined {
  const own = env.find(name);
  if (own) return own;
  const top = env.file.names.get(name);
  return top?.declaration?.kind === 'let' ? { value: topLevelValue(context, env.file, name, span), span: top.span } : undefined;
}

function bind(context: Context, subject: Subject, { pattern, first, count }: PatternAxis, env: Environment, code: 'E0401' | 'E0412'): void {
  const { value, name } = subject;
  if (pattern.kind === 'rest' && pattern.name) {
    const extents = value.shape.slice(first, first + count);
    const before = known(context, env, pattern.name.text, pattern.name.span);
    if (!before) env.define(pattern.name.text, { value: extents, span: pattern.name.span, from: `axes ${first} on of ${name}` });
    else if (!isList(before.value) || before.value.length !== count || before.value.some((v, i) => v !== extents[i])) {
      mismatch(context, subject, first, `\`${pattern.name.text}\``, formatValue(before.value), pattern, code, before, formatValue(extents));
    }
  } else if (pattern.kind === 'dim' && pattern.value.kind === 'name') {
    const { text, span } = pattern.value;
    const before = known(context, env, text, span);
    if (!before) env.define(text, { value: value.shape[first], span, from: `axis ${first} of ${name}`, ...(value.dims?.[first] && { dim: value.dims[first] }) });
  }
}

function compare(context: Context, subject: Subject, { pattern, first }: PatternAxis, env: Environment, code: 'E0401' | 'E0412'): void {
  if (pattern.kind !== 'dim') return;
  const wanted = evaluate(context, pattern.value, env);
  const actual = subject.value.shape[first];
  if (wanted === actual) return;
  const text = textOf(pattern.span);
  const binding = pattern.value.kind === 'name' ? known(context, env, text, pattern.span) : undefined;
  const names = pattern.value.kind === 'name' ? [] : namesIn(text).flatMap((n): NamedBinding[] => {
    const found = env.find(n);
    return found ? [{ ...found, text: `\`${n}\`` }] : [];
  });
  mismatch(context, subject, first, `\`${text}\``, typeof wanted === 'number' ? String(wanted) : describe(wanted), pattern, code, binding, String(actual), names);
}

interface NamedBinding extends Binding {
  readonly text: string;
}

/** The identifiers of an expression's text, to show where each got its value. */
function namesIn(text: string): string[] {
  return [...new Set(text.match(/[A-Za-z_]\w*/g) ?? [])];
}

function mismatch(context: Context, subject: Subject, axis: number, text: string, wanted: string, pattern: DimPattern, code: 'E0401' | 'E0412', binding: Binding | undefined, actual: string, more: readonly NamedBinding[] = []): never {
  const { name, value, span } = subject;
  const labels: Label[] = [{ span: pattern.span, message: code === 'E0412' ? `${wanted} is declared here` : `${wanted} is wanted here` }];
  for (const b of [...(binding ? [{ ...binding, text }] : []), ...more]) {
    if (b.span.start === pattern.span.start && b.span.source === pattern.span.source) continue;
    labels.push({ span: b.span, message: `${b.text} is ${formatValue(b.value)}${b.from ? `, from ${b.from}` : ''}` });
    if (b.dim && b.dim.text !== String(b.value)) labels.push({ span: b.dim.span, message: `\`${b.dim.text}\` = ${formatValue(b.value)} here` });
  }
  labels.push(...dimLabels([value, axis]));
  const literal = text === `\`${wanted}\``;
  const own = pattern.kind === 'rest' ? actual : extentText(value, axis);
  context.fail(code, `${name} has ${own} on axis ${axis}, where ${literal ? wanted : `${text} = ${wanted}`} is ${code === 'E0412' ? 'declared' : 'wanted'}`, span, { primaryLabel: describe(value), labels });
}

/** The axes with the names that the pattern gives them. */
function named(value: TensorValue, axes: readonly PatternAxis[]): (Dim | undefined)[] {
  return axes.flatMap(({ pattern, first, count }) =>
    Array.from({ length: count }, (_, i): Dim | undefined => {
      if (pattern.kind === 'dim') return { text: textOf(pattern.span), span: pattern.span };
      if (pattern.kind === 'rest' && pattern.name) return { text: `${pattern.name.text}[${i}]`, span: pattern.span };
      return value.dims?.[first + i];
    }),
  );
}

/** Checks one declared tensor parameter's value; nothing is checked where no shape is written. */
export function subjectOf(context: Context, param: TensorParam, value: Value, span: Span): Subject | undefined {
  if (!param.type || value === null) {
    if (param.type && !param.default) context.fail('E0301', `\`${param.name.text}\` wants a tensor and gets none`, span, { labels: [{ span: param.span, message: 'declared here, with no default' }] });
    return undefined;
  }
  if (!isTensor(value)) {
    context.fail('E0301', `\`${param.name.text}\` wants a tensor and gets ${describe(value)}`, span, { labels: [{ span: param.type.span, message: 'declared here' }] });
  }
  return { name: `\`${param.name.text}\``, type: param.type, value, span };
}
