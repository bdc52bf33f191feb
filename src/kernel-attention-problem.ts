/**
 * Attention as code generation in tiles sees it: two products over linear axes, addresses flattened, with the softmax
 * between them. Rows are `m`; the keys are the columns `n` of the first product and the depth `k0` of the second.
 */
import type { Expr, Index, Kernel } from './kernel.ts';
import { matchAttention } from './kernel-attention.ts';
import { extentOf, flatOutputs, flattener, linear, type ContractionProblem } from './kernel-contraction.ts';
import { substituteExpr } from './kernel-expr.ts';
import { axis, substitute } from './kernel-index.ts';

export interface AttentionProblem {
  /** Queries times keys, with nothing stored: the sums are read by `score`. */
  readonly products: ContractionProblem;
  /** Over b, m, n: what goes into the softmax; the product stands in it as stage `products.acc`. */
  readonly score: Expr;
  /** Weights times values; its left factor is what the softmax makes of the scores. */
  readonly mix: ContractionProblem;
}

/** Undefined where the kernel is no attention. */
export function attentionProblem(kernel: Kernel): AttentionProblem | undefined {
  const form = matchAttention(kernel);
  if (!form) return undefined;
  const flat = flattener(kernel);
  const [B, M, keys, depth, N] = [form.batch, form.rows, form.columns, form.depth, form.values].map(extentOf);
  const outer: [string, Index][] = [...linear('b', form.batch), ...linear('m', form.rows)];
  const inProducts = new Map([...outer, ...linear('n', form.columns), ...linear('k0', form.depth)]);
  const inMix = new Map([...outer, ...linear('k0', form.columns), ...linear('n', form.values)]);
  const score = substituteExpr(flat(form.score), inProducts);
  return {
    score,
    products: {
      B, M, N: keys, depth: [depth],
      left: substituteExpr(flat(form.query), inProducts),
      right: substituteExpr(flat(form.key), inProducts),
      acc: form.product.stage,
      accAt: form.product.at.map((i) => substitute(i, inProducts)),
      outputs: [],
    },
    mix: {
      B, M, N, depth: [keys],
      left: score,
      right: substituteExpr(flat(form.value), inMix),
      acc: form.acc.name,
      accAt: form.acc.axes.map((a) => substitute(axis(a), inMix)),
      outputs: flatOutputs(kernel, form).map((o) => ({ buffer: o.buffer, at: substitute(o.at, inMix), value: substituteExpr(o.value, inMix) })),
    },
  };
}

/** Keys as something that is walked along, as values are: the right operand of a product whose depth they are, in all their own depth. */
export function keysOf({ products, mix }: AttentionProblem): ContractionProblem {
  const [depth] = products.depth;
  const map = new Map([['n', axis({ name: 'k0', extent: products.N })], ['k0', axis({ name: 'n', extent: depth })]]);
  return { ...mix, N: depth, depth: [products.N], right: substituteExpr(products.right, map) };
}
