/** Matching a call's arguments to the names that the callee declares. */
import type { ConfigType } from '../ast.ts';
import type { Span } from '../source.ts';
import { suggest } from '../suggest.ts';
import type { Context } from './context.ts';
import { describe, kindOf } from './values.ts';
import type { Value } from './values.ts';

/** An evaluated argument. */
export interface Given {
  readonly name?: { readonly text: string; readonly span: Span };
  readonly value: Value;
  readonly span: Span;
  /** Where a string literal's text starts, so that a message can point into it. */
  readonly text?: number;
}

export interface Callee {
  /** For messages: `Attention`, `conv`. */
  readonly name: string;
  /** What it takes here: `argument`, or `tensor` for a block's second list. */
  readonly noun: string;
  /** Where it is declared; built-ins are declared nowhere. */
  readonly span?: Span;
}

/** Arguments in the order of `names`; names that are in none go to `rest` where that is wanted. */
export interface Matched {
  readonly slots: (Given | undefined)[];
  readonly variadic: Given[];
  readonly rest: Given[];
}

export interface MatchOptions {
  /** This slot takes every argument by position. */
  readonly variadic?: number;
  /** Arguments with names that are not declared are allowed, and kept. */
  readonly open?: boolean;
}

/** Puts each argument into the slot of its name, or of its position; fails for those that have none. */
export function matchArguments(context: Context, callee: Callee, names: readonly string[], given: readonly Given[], options: MatchOptions = {}): Matched {
  const slots: (Given | undefined)[] = new Array<Given | undefined>(names.length).fill(undefined);
  const variadic: Given[] = [];
  const rest = new Map<string, Given>();
  const slotOf = new Map(names.map((n, i) => [n, i]));
  const declared = callee.span ? [{ span: callee.span, message: `\`${callee.name}\` is declared here` }] : [];
  const takes = names.length ? `it takes ${names.map((n) => `\`${n}\``).join(', ')}` : `it takes no ${callee.noun}s`;
  let position = 0;
  for (const argument of given) {
    if (!argument.name) {
      if (position === options.variadic) {
        variadic.push(argument);
        continue;
      }
      if (position >= names.length) {
        const count = given.filter((g) => !g.name).length;
        context.fail('E0304', `\`${callee.name}\` takes ${names.length === 0 ? `no ${callee.noun}s` : `at most ${plural(names.length, callee.noun)}`}, ${count} ${count === 1 ? 'is' : 'are'} given`, argument.span, { labels: declared, help: takes });
      }
      slots[position++] = argument;
      continue;
    }
    const { text, span } = argument.name;
    const slot = slotOf.get(text);
    if (slot === undefined) {
      if (options.open) {
        const twin = rest.get(text);
        if (twin) context.fail('E0305', `\`${text}\` is given twice`, span, { labels: [{ span: twin.span, message: 'first here' }] });
        rest.set(text, argument);
        continue;
      }
      const close = suggest(text, names);
      context.fail('E0302', `\`${callee.name}\` has no ${callee.noun} \`${text}\``, span, { labels: declared, help: close ? `did you mean \`${close}\`?` : takes });
    }
    const before = slots[slot];
    if (before) context.fail('E0305', `\`${text}\` is given twice`, span, { labels: [{ span: before.span, message: 'first here' }] });
    slots[slot] = argument;
  }
  return { slots, variadic, rest: [...rest.values()] };
}

/** Fails for an argument without a default that was not given. */
export function missing(context: Context, callee: Callee, name: string, call: Span, declaration?: Span): never {
  context.fail('E0303', `\`${callee.name}\` needs the ${callee.noun} \`${name}\``, call, {
    labels: declaration ? [{ span: declaration, message: `\`${name}\` has no default` }] : [],
    help: `give it: \`${name} = ...\``,
  });
}

/** Whether a value is what a declaration's `: type` allows. */
export function fits(value: Value, type: ConfigType): boolean {
  const kind = kindOf(value);
  switch (type) {
    case 'any':
      return true;
    case 'number':
      return kind === 'int' || kind === 'number';
    case 'int':
    case 'bool':
    case 'string':
    case 'list':
    case 'block':
    case 'tensor':
      return kind === type;
    case 'function':
      return kind === 'function' || kind === 'block';
    default:
      return type satisfies never;
  }
}

export function checkType(context: Context, name: string, value: Value, type: { readonly value: ConfigType; readonly span: Span }, span: Span): void {
  if (fits(value, type.value)) return;
  const wants = type.value === 'int' ? 'an int' : `a ${type.value}`;
  context.fail('E0301', `\`${name}\` wants ${wants} and gets ${describe(value)}`, span, { labels: [{ span: type.span, message: `declared as ${type.value}` }] });
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
