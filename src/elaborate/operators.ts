/** Unary and binary operators on values. */
import type { BinaryOperator } from '../ast.ts';
import type { DType } from '../graph.ts';
import type { OpName } from '../ops/types.ts';
import type { Span } from '../source.ts';
import { LIMITS } from './context.ts';
import type { Context } from './context.ts';
import { asTensors, broadcastAll, constant } from './tensors.ts';
import type { Operand } from './tensors.ts';
import { describe, isList, isTensor, kindOf, tagOf } from './values.ts';
import type { ListValue, TensorValue, Value } from './values.ts';

type Arithmetic = '+' | '-' | '*' | '/' | '%' | '**';
type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';

/** Operations on two f32, i32 or bool tensors of any shapes that broadcast. */
type BinaryOp = 'add' | 'sub' | 'mul' | 'div' | 'mod' | 'pow' | 'max' | 'min' | 'equal' | 'less' | 'lessEqual' | 'and' | 'or';

const NUMBERS: readonly DType[] = ['f32', 'i32'];
const TAKES: Readonly<Record<BinaryOp, readonly DType[]>> = {
  add: NUMBERS,
  sub: NUMBERS,
  mul: NUMBERS,
  div: NUMBERS,
  mod: NUMBERS,
  pow: ['f32'],
  max: NUMBERS,
  min: NUMBERS,
  equal: ['f32', 'i32', 'bool'],
  less: NUMBERS,
  lessEqual: NUMBERS,
  and: ['bool'],
  or: ['bool'],
};

export function binaryOp(context: Context, op: BinaryOp, what: string, a: Operand, b: Operand, span: Span): TensorValue {
  const tensors = asTensors(context, [a, b], what);
  const { dtype } = tensors[0];
  if (!TAKES[op].includes(dtype)) {
    const wrong = [a, b].find((o) => isTensor(o.value))!;
    context.fail('E0403', `\`${what}\` takes ${TAKES[op].join(' or ')} tensors and gets ${describe(wrong.value)}`, wrong.span, {
      help: dtype === 'bool' ? '`cast(x, "f32")` makes 0 and 1' : op === 'and' || op === 'or' ? 'compare first: `x > 0`' : '`cast(x, "f32")` converts',
    });
  }
  const [x, y] = broadcastAll(context, tensors, [a, b], what, span);
  const dims = x.dims ?? y.dims;
  return context.emit(op, [x, y], {}, span, 'E0403', dims);
}

export function unaryOp(context: Context, op: OpName & ('neg' | 'abs' | 'not' | 'sqrt' | 'rsqrt' | 'floor' | 'exp' | 'log' | 'sin' | 'cos' | 'tanh' | 'erf' | 'sigmoid'), x: TensorValue, span: Span): TensorValue {
  return context.emit(op, [x], {}, span, 'E0403', x.dims);
}

/** A number that came out of arithmetic, if it is one. */
export function checked(context: Context, value: number, what: string, span: Span): number {
  if (Number.isNaN(value)) context.fail('E0310', `${what} is no number`, span);
  return value;
}

export function negate(context: Context, operand: Operand, span: Span): Value {
  const { value } = operand;
  if (typeof value === 'number') return value === 0 ? 0 : -value;
  if (isTensor(value)) return unaryOp(context, 'neg', value, span);
  return context.fail('E0307', `\`-\` takes a number or a tensor and gets ${describe(value)}`, operand.span);
}

export function not(context: Context, operand: Operand, span: Span): Value {
  const { value } = operand;
  if (typeof value === 'boolean') return !value;
  if (isTensor(value)) return unaryOp(context, 'not', value, span);
  return context.fail('E0307', `\`not\` takes a bool or a bool tensor and gets ${describe(value)}`, operand.span);
}

/** Every operator but the lazy `and`, `or`, and `..`. */
export function binary(context: Context, operator: Exclude<BinaryOperator, 'and' | 'or' | '..'>, a: Operand, b: Operand, span: Span): Value {
  switch (operator) {
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return compare(context, operator, a, b, span);
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '**':
      return arithmetic(context, operator, a, b, span);
    default:
      return operator satisfies never;
  }
}

function arithmetic(context: Context, operator: Arithmetic, a: Operand, b: Operand, span: Span): Value {
  const x = a.value;
  const y = b.value;
  if (typeof x === 'number' && typeof y === 'number') return onNumbers(context, operator, x, y, b.span, span);
  if (isTensor(x) || isTensor(y)) return onTensors(context, operator, a, b, span);
  if (operator === '+' && typeof x === 'string' && typeof y === 'string') {
    if (x.length + y.length > LIMITS.text) context.fail('E0704', `the text grows over ${LIMITS.text.toLocaleString('en')} characters`, span);
    context.step(span, x.length + y.length);
    return x + y;
  }
  if (operator === '+' && isList(x) && isList(y)) return joined(context, [x, y], span);
  if (operator === '*' && isList(x) && typeof y === 'number') return repeated(context, x, y, b.span, span);
  if (operator === '*' && typeof x === 'number' && isList(y)) return repeated(context, y, x, a.span, span);
  if (operator === '*' && context.inWeights > 0) {
    const scaled = scaleWeights(x, y) ?? scaleWeights(y, x);
    if (scaled) return scaled;
  }
  return context.fail('E0307', `\`${operator}\` has no meaning for ${describe(x)} and ${describe(y)}`, span, {
    labels: [
      { span: a.span, message: describe(x) },
      { span: b.span, message: describe(y) },
    ],
    ...(operator === '+' && (typeof x === 'string' || typeof y === 'string') && { help: 'turn the other into text: `str(x)`' }),
  });
}

function scaleWeights(source: Value, by: Value): Value | undefined {
  if (typeof by !== 'number') return undefined;
  if (typeof source === 'string') return { kind: 'weights', source: { kind: 'scale', of: { kind: 'tensor', name: source }, by } };
  if (typeof source === 'object' && source !== null && !isList(source) && source.kind === 'weights') return { kind: 'weights', source: { kind: 'scale', of: source.source, by } };
  return undefined;
}

export function joined(context: Context, lists: readonly ListValue[], span: Span): ListValue {
  const length = lists.reduce((sum, list) => sum + list.length, 0);
  if (length > LIMITS.turns) context.fail('E0701', `the list grows to ${length.toLocaleString('en')} items; ${LIMITS.turns.toLocaleString('en')} are possible`, span);
  context.step(span, length);
  return lists.flat(1) as ListValue;
}

function repeated(context: Context, list: ListValue, times: number, at: Span, span: Span): ListValue {
  if (!Number.isInteger(times) || times < 0) context.fail('E0310', `a list is repeated ${times} times; that takes an int from 0`, at);
  if (list.length * times > LIMITS.turns) context.fail('E0701', `the list grows to ${(list.length * times).toLocaleString('en')} items; ${LIMITS.turns.toLocaleString('en')} are possible`, span);
  context.step(span, list.length * times);
  // In steps of the result: an empty list may be repeated any number of times.
  return Array.from({ length: list.length * times }, (_, i) => list[i % list.length]);
}

function onNumbers(context: Context, operator: Arithmetic, x: number, y: number, right: Span, span: Span): number {
  switch (operator) {
    case '+':
      return checked(context, x + y, 'the sum', span);
    case '-':
      return checked(context, x - y, 'the difference', span);
    case '*':
      return checked(context, x * y, 'the product', span);
    case '/':
    case '%':
      if (y === 0) context.fail('E0310', operator === '/' ? 'division by zero' : 'remainder of a division by zero', right, { primaryLabel: 'this is 0' });
      return checked(context, operator === '/' ? x / y : x - y * Math.floor(x / y), operator === '/' ? 'the quotient' : 'the remainder', span);
    case '**':
      return checked(context, x ** y, `${x} ** ${y}`, span);
    default:
      return operator satisfies never;
  }
}

function onTensors(context: Context, operator: Arithmetic, a: Operand, b: Operand, span: Span): TensorValue {
  switch (operator) {
    case '+':
      return binaryOp(context, 'add', operator, a, b, span);
    case '-':
      return binaryOp(context, 'sub', operator, a, b, span);
    case '*':
      return binaryOp(context, 'mul', operator, a, b, span);
    case '/':
      return binaryOp(context, 'div', operator, a, b, span);
    case '%':
      return modulo(context, a, b, span);
    case '**':
      return power(context, a, b, span);
    default:
      return operator satisfies never;
  }
}

/** Floor modulo; the graph has it for i32, for f32 it is x - floor(x / y) y. */
function modulo(context: Context, a: Operand, b: Operand, span: Span): TensorValue {
  const [x, y] = broadcastAll(context, asTensors(context, [a, b], '%'), [a, b], '%', span);
  if (x.dtype !== 'f32') return context.emit('mod', [x, y], {}, span, 'E0403', x.dims);
  const floor = unaryOp(context, 'floor', context.emit('div', [x, y], {}, span), span);
  return context.emit('sub', [x, context.emit('mul', [floor, y], {}, span)], {}, span, 'E0403', x.dims);
}

/** Small exponents have operations of their own, exact and faster than `pow`. */
function power(context: Context, a: Operand, b: Operand, span: Span): TensorValue {
  const x = a.value;
  const mul = (p: TensorValue, q: TensorValue): TensorValue => context.emit('mul', [p, q], {}, span, 'E0403', p.dims);
  if (isTensor(x)) {
    switch (b.value) {
      case 1:
        return x;
      case 2:
        return mul(x, x);
      case 3:
        return mul(mul(x, x), x);
      case 0.5:
        return unaryOp(context, 'sqrt', x, span);
      case -0.5:
        return unaryOp(context, 'rsqrt', x, span);
      case -1:
        return binaryOp(context, 'div', '**', { value: constant(context, 1, x.dtype, b.span), span: b.span }, a, span);
    }
  }
  return binaryOp(context, 'pow', '**', a, b, span);
}

function compare(context: Context, operator: Comparison, a: Operand, b: Operand, span: Span): Value {
  const x = a.value;
  const y = b.value;
  const equality = operator === '==' || operator === '!=';
  if (equality && !comparedByElement(x, y)) return sameValue(context, x, y, span) === (operator === '==');
  if (isTensor(x) || isTensor(y)) {
    switch (operator) {
      case '==':
        return binaryOp(context, 'equal', operator, a, b, span);
      case '!=':
        return unaryOp(context, 'not', binaryOp(context, 'equal', operator, a, b, span), span);
      case '<':
        return binaryOp(context, 'less', operator, a, b, span);
      case '<=':
        return binaryOp(context, 'lessEqual', operator, a, b, span);
      case '>':
        return binaryOp(context, 'less', operator, b, a, span);
      case '>=':
        return binaryOp(context, 'lessEqual', operator, b, a, span);
      default:
        return operator satisfies never;
    }
  }
  const ordered = (typeof x === 'number' && typeof y === 'number') || (typeof x === 'string' && typeof y === 'string');
  if (!ordered) {
    context.fail('E0307', `\`${operator}\` has no meaning for ${describe(x)} and ${describe(y)}`, span, {
      labels: [
        { span: a.span, message: describe(x) },
        { span: b.span, message: describe(y) },
      ],
    });
  }
  if (typeof x === 'string' && typeof y === 'string') context.step(span, Math.min(x.length, y.length));
  return operator === '<' ? x < y : operator === '<=' ? x <= y : operator === '>' ? x > y : x >= y;
}

/** A tensor beside a tensor, number or bool is compared by element; beside anything else it is simply another value. */
function comparedByElement(x: Value, y: Value): boolean {
  const scalar = (v: Value): boolean => isTensor(v) || typeof v === 'number' || typeof v === 'boolean';
  return (isTensor(x) && scalar(y)) || (isTensor(y) && scalar(x));
}

function sameValue(context: Context, x: Value, y: Value, span: Span): boolean {
  context.step(span, typeof x === 'string' && typeof y === 'string' && x.length === y.length ? x.length : 1);
  if (x === y) return true;
  if (isList(x) && isList(y)) return x.length === y.length && x.every((v, i) => sameValue(context, v, y[i], span));
  if (isTensor(x) && isTensor(y)) return x.id === y.id;
  if (tagOf(x) === 'block' && tagOf(y) === 'block') {
    const [p, q] = [x, y] as { declaration: unknown; config?: unknown }[];
    return p.declaration === q.declaration && p.config === q.config;
  }
  return false;
}

/** A compile-time condition. */
export function truth(context: Context, value: Value, span: Span, what: string): boolean {
  if (typeof value === 'boolean') return value;
  return context.fail('E0301', `${what} wants a bool and gets ${describe(value)}`, span, {
    help: isTensor(value)
      ? 'tensors have no values at compile time; choose by element with `where(c, a, b)`'
      : kindOf(value) === 'none'
        ? 'compare: `x != none`'
        : 'compare: `x > 0`, `len(xs) > 0`',
  });
}

/** `a..b by step`; the end is not part of it. */
export function range(context: Context, a: Operand, b: Operand, step: Operand | undefined, span: Span): ListValue {
  const int = (o: Operand): number => {
    if (typeof o.value !== 'number' || !Number.isSafeInteger(o.value)) return context.fail('E0301', `a range runs over ints and gets ${describe(o.value)}`, o.span);
    return o.value;
  };
  const [from, to, by] = [int(a), int(b), step ? int(step) : 1];
  if (by === 0) context.fail('E0310', 'a range with step 0 has no end', step!.span);
  const count = Math.max(0, Math.ceil((to - from) / by));
  if (count >= LIMITS.turns) {
    context.fail('E0701', `the range has ${count.toLocaleString('en')} items; fewer than ${LIMITS.turns.toLocaleString('en')} are possible`, span, {
      help: 'compute on tensors (`iota(n)`) where the values are data',
    });
  }
  context.step(span, count);
  return Array.from({ length: count }, (_, i) => from + i * by);
}

