/** Order. */
import { fail, result, wrongDtype } from './check.ts';
import type { OpDef } from './types.ts';

export const ORDER: { argsort: OpDef<'argsort'> } = {
  argsort: {
    class: 'order',
    arity: 1,
    doc: 'The i32 indices that sort the values along the last axis; equal values keep their order, ascending or descending.',
    infer: ([x]) => {
      const wrong = wrongDtype('argsort', x, 'f32', 'i32');
      if (wrong) return fail(wrong);
      if (x.shape.length === 0) return fail('argsort: the argument is a scalar; it sorts along the last axis');
      return result('argsort', x.shape, 'i32');
    },
    flops: () => 0,
    evaluate: ([x], { descending }, out) => {
      const n = x.shape[x.shape.length - 1];
      const order = Array.from({ length: n }, (_, i) => i);
      for (let base = 0; base < x.data.length; base += n) {
        const at = (i: number): number => x.data[base + i];
        // Array sort is stable; ties also compare by index, so that the start order does not matter.
        order.sort((i, j) => (at(i) === at(j) ? i - j : (at(i) < at(j)) === descending ? 1 : -1));
        out.data.set(order, base);
      }
    },
  },
};
