/** Operations without arguments: inputs, parameters, constants, iota. */
import { fail, isCount, result } from './check.ts';
import type { OpDef } from './types.ts';

function bound(kind: string, name: string): never {
  throw new Error(`bug: ${kind} '${name}' is bound by the evaluator, not computed`);
}

export const SOURCES: { [K in 'input' | 'param' | 'constant' | 'iota']: OpDef<K> } = {
  input: {
    class: 'source',
    arity: 0,
    doc: 'A model input, bound at run time.',
    infer: (_, { name, shape, dtype }) => result(`input '${name}'`, shape, dtype),
    flops: () => 0,
    evaluate: (_, { name }) => bound('input', name),
  },
  param: {
    class: 'source',
    arity: 0,
    doc: 'A weight, named by its state-dict path. A buffer (batch-norm statistics) is read the same way but is no trained parameter.',
    infer: (_, { name, shape, dtype }) => result(`param '${name}'`, shape, dtype),
    flops: () => 0,
    evaluate: (_, { name }) => bound('param', name),
  },
  constant: {
    class: 'source',
    arity: 0,
    doc: 'One value of rank 0. Booleans are 0 and 1; infinities are allowed, NaN is not.',
    infer: (_, { value, dtype }) => {
      if (Number.isNaN(value)) return fail('constant: the value is NaN');
      if (dtype === 'i32' && value !== (value | 0)) return fail(`constant: ${value} is no i32`);
      if (dtype === 'bool' && value !== 0 && value !== 1) return fail(`constant: ${value} is no bool; booleans are 0 and 1`);
      return result('constant', [], dtype);
    },
    flops: () => 0,
    evaluate: (_, { value }, out) => void (out.data[0] = value),
  },
  iota: {
    class: 'source',
    arity: 0,
    doc: 'The i32 vector 0, 1, ... n - 1.',
    infer: (_, { n }) => (isCount(n, 1) ? result('iota', [n], 'i32') : fail(`iota: the length is ${n}; it is a positive integer`)),
    flops: () => 0,
    evaluate: (_, { n }, out) => {
      for (let i = 0; i < n; i++) out.data[i] = i;
    },
  },
};
