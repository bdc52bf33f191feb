/** Functions of configuration: lists, numbers, text. */
import { describe, formatValue, isList, isTensor, kindOf } from '../values.ts';
import type { Value } from '../values.ts';
import type { Builtin, BuiltinCall, BuiltinParam } from './types.ts';

function config(name: string, params: readonly BuiltinParam[], doc: string, run: (call: BuiltinCall) => Value, variadic?: string): Builtin {
  return { name, group: 'configuration', params, doc, run, ...(variadic !== undefined && { variadic }) };
}

function len(call: BuiltinCall): Value {
  const { value, span } = call.given('x');
  if (typeof value === 'string' || isList(value)) return value.length;
  if (!isTensor(value)) return call.wants('x', 'a list, a string or a tensor');
  return value.shape.length > 0 ? value.shape[0] : call.fail('E0402', 'a tensor without axes has no length', span);
}

function int(call: BuiltinCall): Value {
  const { value, span } = call.given('x');
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number' && Number.isFinite(value)) return Math.trunc(value);
  if (typeof value === 'string') call.context.step(call.span, value.length);
  if (typeof value === 'string' && /^\s*-?\d+\s*$/.test(value)) return Number(value);
  return call.fail('E0310', `${describe(value)} cannot become an int`, span);
}

function str(call: BuiltinCall): Value {
  const text = formatValue(call.value('x'));
  call.context.step(call.span, text.length);
  return text;
}

/** To the nearest integer, halves to the even one, as Python has it. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

function quantifier(name: 'any' | 'all', doc: string): Builtin {
  return config(name, [{ name: 'list' }], doc, (call) => {
    const list = call.list('list');
    const other = list.find((v) => typeof v !== 'boolean');
    if (other !== undefined) return call.fail('E0301', `\`${name}\` wants bools and gets ${describe(other)}`, call.given('list').span);
    return name === 'any' ? list.includes(true) : !list.includes(false);
  });
}

function zip(call: BuiltinCall): Value {
  const lists = call.variadic.map(({ value, span }) => {
    if (!isList(value)) return call.fail('E0301', `\`zip\` wants lists and gets ${describe(value)}`, span);
    call.context.step(call.span, value.length);
    return value;
  });
  if (lists.length === 0) return [];
  const other = lists.findIndex((l) => l.length !== lists[0].length);
  if (other >= 0) {
    return call.fail('E0309', `\`zip\` pairs lists of one length and gets ${lists[0].length} and ${lists[other].length} items`, call.variadic[other].span, {
      labels: [{ span: call.variadic[0].span, message: `${lists[0].length} items` }],
    });
  }
  return lists[0].map((_, i) => lists.map((l) => l[i]));
}

export const CONFIG_BUILTINS: readonly Builtin[] = [
  config('len', [{ name: 'x' }], 'The number of items of a list, of characters of a string, of places on a tensor\'s first axis.', len),
  config('enumerate', [{ name: 'list' }], 'A list of [index, item].', (call) => call.list('list').map((v, i) => [i, v])),
  config('zip', [{ name: 'lists' }], 'Lists of one length side by side: a list of [a, b, ...].', zip, 'lists'),
  config('reversed', [{ name: 'list' }], 'The list from its end.', (call) => [...call.list('list')].reverse()),
  config('int', [{ name: 'x' }], 'A number without its fraction, a bool as 0 or 1, or the int that a string says.', int),
  config('round', [{ name: 'x' }], 'The nearest integer; halves go to the even one.', (call) => roundHalfEven(call.number('x'))),
  config('ceil', [{ name: 'x' }], 'The least integer not below x.', (call) => Math.ceil(call.number('x'))),
  config('str', [{ name: 'x' }], 'A value as text.', str),
  quantifier('any', 'Whether one of the list\'s bools is true.'),
  quantifier('all', 'Whether all of the list\'s bools are true.'),
  config('kind', [{ name: 'x' }], 'What a value is: "int", "number", "bool", "string", "list", "block", "function", "tensor" or "none".', (call) => kindOf(call.value('x'))),
];
