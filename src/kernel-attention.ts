/**
 * The attention form: softmax(f(Q K^T)) V as one kernel, so that the scores never lie in memory
 * (Dao et al. 2022, "FlashAttention"; Milakov and Gimelshein 2018 for the running maximum and sum).
 *
 *   scores[b, i, j] = sum[e] query * key
 *   max[b, i]       = max[j] f(scores(b, i, j))
 *   sum[b, i]       = sum[j] exp(f(scores(b, i, j)) - max(b, i))
 *   acc[b, i, d]    = sum[j] exp(f(scores(b, i, j)) - max(b, i)) / sum(b, i) * value
 *   out[b, i, d]    = epilogue(acc(b, i, d))
 *
 * f is what lies between product and softmax: scale, bias, mask. Each of b, i, j, e, d may be several axes or none.
 * Reduce stages before the scores belong to the query: a window over neighbouring rows, such as a depthwise convolution.
 */
import type { Axis, Expr, Index, Kernel, ReduceName, Stage } from './kernel.ts';
import { axesOfExpr, exprKey, stageRefsOf, substituteExpr, type StageExpr } from './kernel-expr.ts';
import { axis, plainAxis } from './kernel-index.ts';

export type ReduceStage = Stage & { readonly reduce: { readonly op: ReduceName; readonly axes: readonly Axis[] } };

/** Axes are the accumulating stage's, in its order, where nothing else is said. */
export interface AttentionForm {
  /** In queries or keys, and in values. */
  readonly batch: readonly Axis[];
  /** Of queries only: each row has its own softmax. */
  readonly rows: readonly Axis[];
  /** What acc reduces over: the keys. */
  readonly columns: readonly Axis[];
  /** Of values only. */
  readonly values: readonly Axis[];
  /** What the scores reduce over. */
  readonly depth: readonly Axis[];
  /** The factors of a score, over batch, rows, columns and depth: `query` does not depend on the columns, `key` not on the rows. */
  readonly query: Expr;
  readonly key: Expr;
  /** The score that goes into the softmax, over batch, rows and columns; the sum of products stands in it as `product`. */
  readonly score: Expr;
  readonly product: StageExpr;
  /** Over batch, columns and values. */
  readonly value: Expr;
  readonly scores: ReduceStage;
  readonly acc: ReduceStage;
  /** accAxes[i] runs as output.axes[i] does. */
  readonly accAxes: readonly Axis[];
  readonly outputs: readonly Stage[];
}

export function matchAttention(kernel: Kernel): AttentionForm | undefined {
  const first = kernel.stages.findIndex((s) => !s.reduce) - 4;
  if (first < 0) return undefined;
  const inner = kernel.stages.slice(0, first);
  const [scores, max, sum, acc, ...outputs] = kernel.stages.slice(first);
  if (!isReduce(scores, 'sum') || !isReduce(max, 'max') || !isReduce(sum, 'sum') || !isReduce(acc, 'sum')) return undefined;
  if (outputs.some((s) => s.reduce) || acc.dtype !== 'f32') return undefined;
  const accAxes = axesReadBy(outputs, acc);
  const found = accAxes && weightsOf(acc, max, sum);
  if (!found) return undefined;
  const { score, value } = found;

  const [product, ...others] = stageRefsOf(score);
  if (!product || others.length > 0 || product.stage !== scores.name) return undefined;
  const here = renaming(scores, product.at);
  if (!here || scores.body.kind !== 'binary' || scores.body.op !== 'mul') return undefined;
  const [a, b] = [substituteExpr(scores.body.a, here), substituteExpr(scores.body.b, here)];
  const uses = (e: Expr, axes: readonly Axis[]): boolean => axes.some((x) => axesOfExpr(e).has(x.name));
  const columns = acc.reduce.axes;
  const inScore = axesOfExpr(score);
  const inValue = axesOfExpr(value);
  const rows = acc.axes.filter((x) => !inValue.has(x.name));
  const [query, key] = uses(a, columns) ? [b, a] : [a, b];
  if (uses(query, columns) || uses(key, rows) || [key, value].some((e) => stageRefsOf(e).length > 0)) return undefined;
  if (!isOwn(query, inner)) return undefined;
  if (rows.length === 0 || rows.some((x) => !inScore.has(x.name))) return undefined;
  return {
    batch: acc.axes.filter((x) => inValue.has(x.name) && inScore.has(x.name)),
    rows,
    columns,
    values: acc.axes.filter((x) => inValue.has(x.name) && !inScore.has(x.name)),
    depth: scores.reduce.axes,
    query,
    key,
    score,
    product,
    value,
    scores,
    acc,
    accAxes,
    outputs,
  };
}

/** Whether an expression and the stages before it refer to nothing but these, and to all of them. */
function isOwn(e: Expr, stages: readonly Stage[]): boolean {
  const used = new Set([e, ...stages.map((s) => s.body)].flatMap((x) => stageRefsOf(x).map((r) => r.stage)));
  return used.size === stages.length && stages.every((s) => used.has(s.name));
}

function isReduce(stage: Stage, op: ReduceName): stage is ReduceStage {
  return stage.reduce?.op === op;
}

/** The stage's axes in the order of the outputs', where these read it once each point and read nothing else. */
function axesReadBy(outputs: readonly Stage[], stage: Stage): readonly Axis[] | undefined {
  let order: string | undefined;
  for (const output of outputs) {
    for (const { stage: of, at } of stageRefsOf(output.body)) {
      if (of !== stage.name) return undefined;
      const places = at.map((i, k) => output.axes.findIndex((a) => a.name === plainAxis(i)?.name && a.extent === stage.axes[k].extent));
      if (places.includes(-1) || new Set(places).size !== output.axes.length) return undefined;
      if (order !== undefined && order !== places.join()) return undefined;
      order = places.join();
    }
  }
  if (order === undefined) return undefined;
  const places = order === '' ? [] : order.split(',').map(Number);
  return places.map((_, i) => stage.axes[places.indexOf(i)]);
}

/** The score and the value of acc = sum exp(score - max) / sum * value, with the same score in all three stages. */
function weightsOf(acc: ReduceStage, max: ReduceStage, sum: ReduceStage): { score: Expr; value: Expr } | undefined {
  if (acc.body.kind !== 'binary' || acc.body.op !== 'mul') return undefined;
  for (const [weight, value] of [[acc.body.a, acc.body.b], [acc.body.b, acc.body.a]]) {
    if (weight.kind !== 'binary' || weight.op !== 'div') continue;
    const shifted = shiftedScore(weight.a, max);
    const total = weight.b;
    if (!shifted || total.kind !== 'stage' || total.stage !== sum.name) continue;
    const { score, maximum } = shifted;
    // The reductions run over the same columns, in the same order.
    const ofMax = over(max, maximum.at, acc.reduce.axes);
    const ofSum = over(sum, total.at, acc.reduce.axes);
    if (!ofMax || !ofSum) return undefined;
    const inSum = shiftedScore(substituteExpr(sum.body, ofSum), max);
    const same = inSum && exprKey(inSum.score) === exprKey(score) && exprKey(inSum.maximum) === exprKey(maximum);
    return same && exprKey(substituteExpr(max.body, ofMax)) === exprKey(score) ? { score, value } : undefined;
  }
  return undefined;
}

/** exp(score - max(...)) taken apart. */
function shiftedScore(e: Expr, max: Stage): { score: Expr; maximum: StageExpr } | undefined {
  if (e.kind !== 'unary' || e.op !== 'exp' || e.a.kind !== 'binary' || e.a.op !== 'sub') return undefined;
  const { a: score, b: maximum } = e.a;
  return maximum.kind === 'stage' && maximum.stage === max.name ? { score, maximum } : undefined;
}

/** A stage's axes as its reader writes them, where that is plain and runs over the whole stage, no further. */
function renaming(stage: Stage, at: readonly Index[]): Map<string, Index> | undefined {
  return at.every((i, k) => plainAxis(i)?.extent === stage.axes[k].extent) ? new Map(stage.axes.map((a, i) => [a.name, at[i]])) : undefined;
}

/** As renaming, with the reduced axes as `columns`. */
function over(stage: ReduceStage, at: readonly Index[], columns: readonly Axis[]): Map<string, Index> | undefined {
  const own = stage.reduce.axes;
  const map = renaming(stage, at);
  if (!map || own.length !== columns.length || own.some((a, i) => a.extent !== columns[i].extent)) return undefined;
  own.forEach((a, i) => map.set(a.name, axis(columns[i])));
  return map;
}
