/** Element-wise functions, of tensors and of numbers alike. */
import { erf } from '../../ops/erf.ts';
import { binaryOp, unaryOp } from '../operators.ts';
import { asTensors, broadcastAll } from '../tensors.ts';
import type { Operand } from '../tensors.ts';
import { describe, isList, isTensor } from '../values.ts';
import type { TensorValue, Value } from '../values.ts';
import type { Builtin, BuiltinCall } from './types.ts';

type UnaryName = 'abs' | 'exp' | 'log' | 'sqrt' | 'rsqrt' | 'sin' | 'cos' | 'tanh' | 'erf' | 'sigmoid' | 'floor';

/** A function of one number, and the operation that does it to a tensor. */
function unary(name: UnaryName, doc: string, onNumber: (x: number) => number): Builtin {
  return {
    name,
    group: 'element-wise',
    params: [{ name: 'x' }],
    doc,
    run: (call) => {
      const { value, span } = call.given('x');
      if (typeof value === 'number') {
        const result = onNumber(value);
        if (Number.isNaN(result) || !Number.isFinite(result)) call.fail('E0310', `\`${name}\` of ${value} is ${Number.isNaN(result) ? 'no number' : 'infinite'}`, span);
        return result;
      }
      if (!isTensor(value)) return call.wants('x', 'a tensor or a number');
      // Integers are their own floor.
      if (name === 'floor' && value.dtype === 'i32') return value;
      if (value.dtype !== 'f32' && !(name === 'abs' && value.dtype === 'i32')) {
        call.fail('E0403', `\`${name}\` takes an f32 tensor and gets ${describe(value)}`, span, { help: '`cast(x, "f32")` converts' });
      }
      return unaryOp(call.context, name, value, call.span);
    },
  };
}

/** The greater or lesser of values: of numbers at compile time, of a list of numbers, or by element. */
function extremum(name: 'max' | 'min', doc: string, reduction: string): Builtin {
  return {
    name,
    group: 'element-wise',
    params: [{ name: 'values' }],
    variadic: 'values',
    doc,
    run: (call) => {
      let operands: readonly Operand[] = call.variadic;
      if (operands.length === 1) {
        const { value, span } = operands[0];
        if (isTensor(value)) call.fail('E0303', `\`${name}\` compares two values and gets one tensor`, span, { help: `the ${name === 'max' ? 'greatest' : 'least'} value along an axis is \`${reduction}(x, axis = ...)\`` });
        if (isList(value)) operands = value.map((v) => ({ value: v, span }));
      }
      if (operands.length === 0) call.fail('E0303', `\`${name}\` needs at least one value`);
      const numbers = operands.map((o) => o.value);
      if (numbers.every((v) => typeof v === 'number')) {
        call.context.step(call.span, numbers.length);
        return numbers.reduce((a, b) => (name === 'max' ? Math.max(a, b) : Math.min(a, b)));
      }
      const other = operands.find((o) => typeof o.value !== 'number' && !isTensor(o.value));
      if (other) call.fail('E0301', `\`${name}\` wants numbers and tensors and gets ${describe(other.value)}`, other.span);
      return operands.slice(1).reduce((a: Operand, b) => {
        if (typeof a.value === 'number' && typeof b.value === 'number') return { value: name === 'max' ? Math.max(a.value, b.value) : Math.min(a.value, b.value), span: b.span };
        return { value: binaryOp(call.context, name, name, a, b, call.span), span: call.span };
      }, operands[0]).value;
    },
  };
}

function where(call: BuiltinCall): Value {
  const operands = ['a', 'b'].map((n) => call.operand(n));
  const condition = call.operand('condition');
  if (typeof condition.value === 'boolean') return operands[condition.value ? 0 : 1].value;
  if (!isTensor(condition.value) || condition.value.dtype !== 'bool') return call.wants('condition', 'a bool tensor');
  const { context } = call;
  let branches: TensorValue[];
  if (operands.some((o) => isTensor(o.value))) branches = asTensors(context, operands, 'where');
  else {
    const wrong = operands.findIndex((o) => typeof o.value !== 'number');
    if (wrong >= 0) return call.wants(wrong === 0 ? 'a' : 'b', 'a tensor or a number');
    branches = operands.map((o) => context.emit('constant', [], { value: o.value as number, dtype: 'f32' }, o.span));
  }
  const [c, a, b] = broadcastAll(context, [condition.value, ...branches], [condition, ...operands], 'where', call.span);
  return context.emit('where', [c, a, b], {}, call.span, 'E0403', a.dims);
}

export const ELEMENTWISE_BUILTINS: readonly Builtin[] = [
  unary('abs', 'The absolute value.', Math.abs),
  unary('exp', 'The exponential, base e.', Math.exp),
  unary('log', 'The natural logarithm.', Math.log),
  unary('sqrt', 'The square root.', Math.sqrt),
  unary('rsqrt', 'One over the square root.', (x) => 1 / Math.sqrt(x)),
  unary('sin', 'The sine of radians.', Math.sin),
  unary('cos', 'The cosine of radians.', Math.cos),
  unary('tanh', 'The hyperbolic tangent.', Math.tanh),
  unary('erf', 'The error function.', erf),
  unary('sigmoid', 'The logistic function, 1 / (1 + exp(-x)).', (x) => 1 / (1 + Math.exp(-x))),
  unary('floor', 'The greatest integer not above x: an int of a number, f32 of a tensor.', Math.floor),
  extremum('max', 'The greater value: of numbers, of a list of numbers, or by element where one is a tensor. Along an axis: `amax`.', 'amax'),
  extremum('min', 'The lesser value: of numbers, of a list of numbers, or by element where one is a tensor. Along an axis: `amin`.', 'amin'),
  {
    name: 'where',
    group: 'element-wise',
    params: [{ name: 'condition' }, { name: 'a' }, { name: 'b' }],
    doc: '`a` where the condition holds, else `b`; all three broadcast, and numbers mix in.',
    run: where,
  },
  {
    name: 'cast',
    group: 'element-wise',
    params: [{ name: 'x' }, { name: 'dtype' }],
    doc: 'The tensor as "f32", "i32" or "bool": f32 to i32 truncates toward zero, to bool is `x != 0`, bool to numbers is 0 or 1.',
    run: (call) => {
      const x = call.tensor('x');
      const dtype = call.oneOf('dtype', ['f32', 'i32', 'bool']);
      return x.dtype === dtype ? x : call.context.emit('cast', [x], { dtype }, call.span, 'E0403', x.dims);
    },
  },
];

