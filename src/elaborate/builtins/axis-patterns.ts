/** The texts of `einsum` and `rearrange`: axis names, groups in parentheses, an ellipsis. */
import type { Span } from '../../source.ts';
import type { Given } from '../arguments.ts';
import type { BuiltinCall } from './types.ts';

/** An axis name, a literal 1, or `...`. */
export interface AxisName {
  readonly text: string;
  readonly span: Span;
}

/** One axis of a side: names that are one axis together (none: an axis of 1), or the ellipsis. */
export interface AxisGroup {
  readonly names: readonly AxisName[];
  readonly grouped: boolean;
  readonly span: Span;
}

export const ELLIPSIS = '...';

/** No pattern that people write is near it. */
const MAX_LENGTH = 2_000;

/** The part of a string argument from one offset to another; the whole of it where its source has escapes. */
export function partOf(argument: Given, from: number, to: number): Span {
  const text = argument.value as string;
  const start = argument.text;
  if (start === undefined || argument.span.source.text.slice(start, start + text.length) !== text) return argument.span;
  return { source: argument.span.source, start: start + from, end: start + Math.max(to, from + 1) };
}

/** Both sides of `left -> right`, the left split at commas. */
export function sides(call: BuiltinCall, argument: Given): { left: AxisGroup[][]; right: AxisGroup[] } {
  const text = call.string('pattern');
  if (text.length > MAX_LENGTH) call.fail('E0408', `the pattern has ${text.length} characters; ${MAX_LENGTH} are possible`, argument.span);
  call.context.step(call.span, text.length);
  const arrow = text.indexOf('->');
  if (arrow < 0 || text.indexOf('->', arrow + 2) >= 0) {
    call.fail('E0408', `the pattern has ${arrow < 0 ? 'no `->`' : 'two `->`'}`, argument.span, { help: 'write the axes before and after: "b n d -> b d n"' });
  }
  const left: AxisGroup[][] = [];
  let start = 0;
  for (const part of text.slice(0, arrow).split(',')) {
    left.push(groups(call, argument, text, start, start + part.length));
    start += part.length + 1;
  }
  return { left, right: groups(call, argument, text, arrow + 2, text.length) };
}

const TOKEN = /\.\.\.|[A-Za-z_]\w*|\d+|[()]|\S/y;

function groups(call: BuiltinCall, argument: Given, text: string, from: number, to: number): AxisGroup[] {
  const result: AxisGroup[] = [];
  let open: { names: AxisName[]; at: number } | undefined;
  const fail = (message: string, at: number, end = at + 1, help?: string): never => call.fail('E0408', message, partOf(argument, at, end), { ...(help && { help }) });
  for (let at = from; at < to; ) {
    if (/\s/.test(text[at])) {
      at++;
      continue;
    }
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)![0];
    const end = at + token.length;
    const span = partOf(argument, at, end);
    if (token === '(') {
      if (open) fail('parentheses in a pattern do not nest', at);
      open = { names: [], at };
    } else if (token === ')') {
      if (!open) return fail('`)` closes nothing', at);
      result.push({ names: open.names, grouped: true, span: partOf(argument, open.at, end) });
      open = undefined;
    } else if (token === ELLIPSIS || /^[A-Za-z_]\w*$/.test(token) || token === '1') {
      const name = { text: token, span };
      if (!open) result.push({ names: [name], grouped: false, span });
      else if (token === ELLIPSIS) fail('`...` cannot be part of a group', at, end);
      else open.names.push(name);
    } else if (/^\d+$/.test(token)) fail(`an axis cannot be written as ${token}`, at, end, 'name the axis and give its size: `h = 3`; only 1 can stand for itself');
    else fail(`\`${token}\` has no meaning in a pattern`, at, end);
    at = end;
  }
  if (open) fail('`(` is never closed', open.at);
  return result;
}

/** Fails where a name stands twice on a side. */
export function nothingTwice(call: BuiltinCall, names: readonly AxisName[], where: string): void {
  const seen = new Map<string, AxisName>();
  for (const name of names) {
    if (name.text === '1') continue;
    const before = seen.get(name.text);
    if (before) call.fail('E0408', `the axis \`${name.text}\` stands twice ${where}`, name.span, { labels: before.span.start === name.span.start ? [] : [{ span: before.span, message: 'first here' }] });
    seen.set(name.text, name);
  }
}
