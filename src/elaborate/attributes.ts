/** What `@name(...)` says of inputs, outputs and parameters. */
import type { Attribute, InputDecl, OutputDecl } from '../ast.ts';
import type { ImageSpec, OutputAttribute, TensorType } from '../graph.ts';
import type { Span } from '../source.ts';
import { suggest } from '../suggest.ts';
import { matchArguments, missing } from './arguments.ts';
import type { Given } from './arguments.ts';
import { oneOfFailed } from './builtins/types.ts';
import { LIMITS } from './context.ts';
import type { Context } from './context.ts';
import type { Environment } from './environment.ts';
import { given } from './expressions.ts';
import { describe, isList } from './values.ts';
import type { TensorValue, Value } from './values.ts';

/** The attributes that a place knows; outputs also keep any others for the package. */
export const ATTRIBUTES = {
  input: ['image', 'range'],
  output: ['labels', 'name'],
  param: ['buffer', 'name'],
  preset: ['weights'],
} as const;

/** The diagnostic's help for an attribute that the place does not know. */
export function attributeHelp(name: string, place: keyof typeof ATTRIBUTES): string {
  const close = suggest(name, ATTRIBUTES[place]);
  const article = place === 'input' || place === 'output' ? 'an' : 'a';
  return close ? `did you mean \`@${close}\`?` : `${article} ${place} can have ${ATTRIBUTES[place].map((a) => `\`@${a}\``).join(' and ')}`;
}

/** One attribute's arguments by name. */
class AttributeArgs {
  readonly #slots: Map<string, Given>;
  readonly #context: Context;
  readonly #attribute: Attribute;

  constructor(context: Context, attribute: Attribute, names: readonly string[], env: Environment) {
    const args = given(context, attribute.args, env);
    const { slots } = matchArguments(context, { name: `@${attribute.name.text}`, noun: 'argument' }, names, args);
    this.#slots = new Map(names.flatMap((n, i) => (slots[i] ? [[n, slots[i]]] : [])));
    this.#context = context;
    this.#attribute = attribute;
  }

  get(name: string): Given | undefined {
    return this.#slots.get(name);
  }

  required(name: string): Given {
    return this.get(name) ?? missing(this.#context, { name: `@${this.#attribute.name.text}`, noun: 'argument' }, name, this.#attribute.span);
  }

  wants(name: string, what: string, at: Given): never {
    return this.#context.fail('E0608', `\`${name}\` of \`@${this.#attribute.name.text}\` wants ${what} and gets ${describe(at.value)}`, at.span);
  }

  oneOf<const T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const at = this.get(name);
    if (!at) return fallback;
    return choices.find((c) => c === at.value) ?? oneOfFailed(this.#context, name, at.value, choices, at.span);
  }

  bool(name: string, fallback: boolean): boolean {
    const at = this.get(name);
    if (!at) return fallback;
    return typeof at.value === 'boolean' ? at.value : this.wants(name, 'a bool', at);
  }

  string(name: string): string {
    const at = this.required(name);
    return typeof at.value === 'string' ? at.value : this.wants(name, 'a string', at);
  }
}

/** Calls what handles each attribute; none may stand twice. */
function eachAttribute(context: Context, attributes: readonly Attribute[], place: keyof typeof ATTRIBUTES, handle: (attribute: Attribute) => boolean): void {
  const seen = new Map<string, Span>();
  for (const attribute of attributes) {
    const { text, span } = attribute.name;
    const before = seen.get(text);
    if (before) context.fail('E0305', `\`@${text}\` is given twice`, span, { labels: [{ span: before, message: 'first here' }] });
    seen.set(text, span);
    if (!handle(attribute)) context.fail('E0607', `there is no attribute \`@${text}\` for ${place === 'input' ? 'an input' : `a ${place}`}`, span, { help: attributeHelp(text, place) });
  }
}

export function paramAttributes(context: Context, attributes: readonly Attribute[], env: Environment): { buffer: boolean; rename?: string } {
  let buffer = false;
  let rename: string | undefined;
  eachAttribute(context, attributes, 'param', (attribute) => {
    if (attribute.name.text === 'buffer') {
      new AttributeArgs(context, attribute, [], env);
      buffer = true;
      return true;
    }
    if (attribute.name.text !== 'name') return false;
    const args = new AttributeArgs(context, attribute, ['path'], env);
    rename = args.string('path');
    if (rename.length > LIMITS.path || !/^\w+(\.\w+)*$/.test(rename)) context.fail('E0506', `${describe(rename)} is no weight path`, args.required('path').span, { help: 'use parts of letters, digits and `_`, joined by dots' });
    return true;
  });
  return { buffer, ...(rename !== undefined && { rename }) };
}

export function inputAttributes(context: Context, { attributes, type: written }: InputDecl, type: TensorType, env: Environment): { image?: ImageSpec; below?: number } {
  let image: ImageSpec | undefined;
  let below: number | undefined;
  eachAttribute(context, attributes, 'input', (attribute) => {
    if (attribute.name.text === 'image') {
      if (type.dtype !== 'f32' || type.shape.length !== 4 || ![1, 3].includes(type.shape[1])) {
        context.fail('E0608', `\`@image\` fits inputs of shape [B, 3, H, W] or [B, 1, H, W], and this is ${type.dtype}[${type.shape.join(', ')}]`, attribute.span, { labels: [{ span: written.span, message: 'declared here' }] });
      }
      image = imageSpec(context, attribute, type.shape[1], env);
      return true;
    }
    if (attribute.name.text !== 'range') return false;
    const args = new AttributeArgs(context, attribute, ['below'], env);
    const at = args.required('below');
    if (type.dtype !== 'i32') context.fail('E0608', `\`@range\` fits i32 inputs, and this is ${type.dtype}`, attribute.span, { labels: [{ span: written.span, message: 'declared here' }] });
    below = typeof at.value === 'number' && Number.isSafeInteger(at.value) && at.value > 0 ? at.value : args.wants('below', 'an int from 1', at);
    return true;
  });
  return { ...(image && { image }), ...(below !== undefined && { below }) };
}

function imageSpec(context: Context, attribute: Attribute, channels: number, env: Environment): ImageSpec {
  const args = new AttributeArgs(context, attribute, ['mean', 'std', 'crop', 'resample', 'antialias', 'resize', 'native'], env);
  const perChannel = (name: 'mean' | 'std'): number[] => {
    const at = args.required(name);
    const values = isList(at.value) ? at.value : [at.value];
    const ok = (v: Value): v is number => typeof v === 'number' && Number.isFinite(v) && (name === 'mean' || v > 0);
    if (!values.every(ok) || (values.length !== 1 && values.length !== channels)) {
      return args.wants(name, `a ${name === 'std' ? 'positive ' : ''}number, or a list of ${channels} (one a channel)`, at);
    }
    return values as number[];
  };
  const crop = args.get('crop');
  if (crop && (typeof crop.value !== 'number' || crop.value <= 0 || crop.value > 1)) args.wants('crop', 'a number above 0, at most 1', crop);
  const native = args.get('native');
  if (native && native.value !== null && !(typeof native.value === 'number' && Number.isSafeInteger(native.value) && native.value > 0)) args.wants('native', 'an int from 1, or none', native);
  return {
    mean: perChannel('mean'),
    std: perChannel('std'),
    crop: crop ? (crop.value as number) : 1,
    resample: args.oneOf('resample', ['nearest', 'bilinear', 'bicubic'], 'bilinear'),
    antialias: args.bool('antialias', true),
    resize: args.oneOf('resize', ['shortest', 'squash'], 'shortest'),
    ...(typeof native?.value === 'number' && { native: native.value }),
  };
}

export function outputAttributes(context: Context, { attributes }: OutputDecl, tensor: TensorValue, env: Environment): { labels?: string | string[]; rename?: string; attributes: OutputAttribute[] } {
  let labels: string | string[] | undefined;
  let rename: string | undefined;
  const others: OutputAttribute[] = [];
  eachAttribute(context, attributes, 'output', (attribute) => {
    if (attribute.name.text === 'labels') labels = labelNames(context, attribute, tensor, env);
    else if (attribute.name.text === 'name') rename = outputName(context, attribute, env);
    else others.push({ name: attribute.name.text, args: plainArguments(context, attribute, env) });
    return true;
  });
  return { ...(labels !== undefined && { labels }), ...(rename !== undefined && { rename }), attributes: others };
}

/** A name that is computed: outputs of a loop need one each. */
function outputName(context: Context, attribute: Attribute, env: Environment): string {
  const args = new AttributeArgs(context, attribute, ['name'], env);
  const name = args.string('name');
  if (!/^[A-Za-z_]\w*$/.test(name)) args.wants('name', 'letters, digits and `_`', args.required('name'));
  return name;
}

function labelNames(context: Context, attribute: Attribute, tensor: TensorValue, env: Environment): string | string[] {
  const args = new AttributeArgs(context, attribute, ['names'], env);
  const at = args.required('names');
  if (typeof at.value === 'string') return at.value;
  if (!isList(at.value) || !at.value.every((v) => typeof v === 'string')) return args.wants('names', 'the name of a label set, or a list of strings', at);
  const classes = tensor.shape.at(-1);
  if (classes !== at.value.length) {
    context.fail('E0608', `there are ${at.value.length} labels for ${classes ?? 0} classes`, at.span, { notes: [`the output is ${describe(tensor)}; its last axis are the classes`] });
  }
  return [...at.value] as string[];
}

/** The constant arguments of an attribute that the package interprets. */
function plainArguments(context: Context, attribute: Attribute, env: Environment): OutputAttribute['args'] {
  const args: Record<string, OutputAttribute['args'][string]> = {};
  for (const { name, value, span } of given(context, attribute.args, env)) {
    const what = `an argument of \`@${attribute.name.text}\``;
    if (!name) return context.fail('E0608', `${what} has no name`, span, { help: 'write `name = value`' });
    if (Object.hasOwn(args, name.text)) context.fail('E0305', `\`${name.text}\` is given twice`, name.span);
    const plain = typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number';
    if (!plain && !(isList(value) && value.every((v) => typeof v === 'number' || typeof v === 'string'))) {
      context.fail('E0608', `${what} is a number, a bool, a string or a list of them, and this is ${describe(value)}`, span);
    }
    Object.defineProperty(args, name.text, { value, enumerable: true });
  }
  return args;
}
