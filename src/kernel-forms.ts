/**
 * The forms of kernels that lowering makes and schedules rely on.
 *
 * Every lowered kernel but a chain has reduce stages first, if any, then output stages, which do not reduce, share one
 * list of axes and are all stored. By its reduce stages it is of one form:
 * - pointwise: none.
 * - reduce: one, whose axes are the output axes, each once and plain: one reduction an output point, then an epilogue.
 *   A contraction is a reduce by sum whose body is a product (matchContraction).
 * - prologue: a contraction with reduce stages before it over rows of one operand, whose results that operand uses: a
 *   product of normalized rows.
 * - row: one or more, all over the same outer axes; output axes are those and perhaps more, the row (matchRow).
 * - attention: softmax(scores) times values, four reduce stages (kernel-attention.ts); made only on request.
 * - other: anything else. Several joined to a chain (kernel-chain.ts) are computed step by step, and have stages in any
 *   order; otherwise earlier stages are computed again at every use.
 */
import { matchAttention, type ReduceStage } from './kernel-attention.ts';
import type { Axis, Expr, Index, Kernel, Stage } from './kernel.ts';
import { axesOfExpr, number, stageRefsOf, substituteExpr } from './kernel-expr.ts';
import { axesOf, plainAxis, sameIndex } from './kernel-index.ts';

export type { ReduceStage } from './kernel-attention.ts';

export type KernelForm = 'pointwise' | 'reduce' | 'prologue' | 'row' | 'attention' | 'other';

export function isReduce(stage: Stage): stage is ReduceStage {
  return stage.reduce !== undefined;
}

/** The output stages and the reduce stages before them; undefined where the kernel is not laid out so. */
export function partsOf(kernel: Kernel): { readonly reduces: readonly ReduceStage[]; readonly outputs: readonly Stage[] } | undefined {
  const first = kernel.stages.findIndex((s) => !isReduce(s));
  if (first < 0) return undefined;
  const reduces = kernel.stages.slice(0, first);
  const outputs = kernel.stages.slice(first);
  if (!reduces.every(isReduce) || outputs.some(isReduce)) return undefined;
  const stored = new Set(kernel.stores.map((s) => s.stage));
  const laidOut = outputs.every((s) => stored.has(s.name) && sameExtents(s.axes, outputs[0].axes)) && kernel.stores.length === outputs.length;
  return laidOut ? { reduces, outputs } : undefined;
}

function sameExtents(a: readonly Axis[], b: readonly Axis[]): boolean {
  return a.length === b.length && a.every((axis, i) => axis.extent === b[i].extent);
}

export function classify(kernel: Kernel): KernelForm {
  const parts = partsOf(kernel);
  if (!parts) return 'other';
  if (parts.reduces.length === 0) return 'pointwise';
  if (matchReduce(kernel)) return 'reduce';
  if (matchRow(kernel)) return 'row';
  if (matchContraction(kernel)) return 'prologue';
  return matchAttention(kernel) ? 'attention' : 'other';
}

/** One reduction for each output point, and what is done with it. */
export interface ReduceForm {
  readonly acc: ReduceStage;
  /** The accumulating stage's axes in the order of the output's: accAxes[i] runs as output.axes[i] does. */
  readonly accAxes: readonly Axis[];
  readonly outputs: readonly Stage[];
}

export function matchReduce(kernel: Kernel): ReduceForm | undefined {
  const row = matchRow(kernel);
  if (!row || row.stages.length !== 1 || row.row.length > 0) return undefined;
  return { acc: row.stages[0].stage, accAxes: row.stages[0].outer, outputs: row.outputs };
}

/**
 * A sum of products over output axes `batch`, `m`, `n` and reduced axes `k`. The axes are the accumulating stage's, in
 * output order; `batch` axes are in both factors, `m` in the left one only, `n` in the right one only. The output's last
 * axis is never in `m` alone: factors are swapped so that `n` is what lies contiguously. `n` or `m` may be empty
 * (a matrix times a vector, a depthwise convolution), not both. Factors are cheap: loads under index maps, perhaps
 * guarded by a select, perhaps with a little arithmetic.
 */
export interface ContractionForm {
  readonly batch: readonly Axis[];
  readonly m: readonly Axis[];
  readonly n: readonly Axis[];
  readonly k: readonly Axis[];
  readonly left: Expr;
  readonly right: Expr;
  /** Reduce stages that one of the factors uses, in order. */
  readonly prologue: readonly PrologueStage[];
  readonly acc: ReduceStage;
  /** accAxes[i] runs as output.axes[i] does. */
  readonly accAxes: readonly Axis[];
  readonly outputs: readonly Stage[];
}

/** A reduction over rows of one factor, and the only point at which it is used: over the accumulating stage's axes in that factor. */
export interface PrologueStage {
  readonly stage: ReduceStage;
  readonly at: readonly Index[];
}

export function matchContraction(kernel: Kernel): ContractionForm | undefined {
  const parts = partsOf(kernel);
  const acc = parts?.reduces.at(-1);
  if (!parts || !acc || acc.reduce.op !== 'sum' || acc.dtype !== 'f32') return undefined;
  const { body } = acc;
  if (body.kind !== 'binary' || body.op !== 'mul') return undefined;
  // The form is that of the kernel with the prologue's results as if they were constants.
  const bare: Stage = { ...acc, body: substituteExpr(body, new Map(), (e) => (e.kind === 'stage' ? number(0) : e)) };
  const form = matchReduce({ ...kernel, stages: [bare, ...parts.outputs] });
  const prologue = prologueOf(parts.reduces.slice(0, -1), acc, parts.outputs);
  if (!form || !prologue) return undefined;
  const inA = axesOfExpr(body.a);
  const inB = axesOfExpr(body.b);
  const roles = form.accAxes.map((a) => (inA.has(a.name) ? (inB.has(a.name) ? 'both' : 'a') : inB.has(a.name) ? 'b' : 'none'));
  if (roles.includes('none')) return undefined;
  const pick = (role: string): Axis[] => form.accAxes.filter((_, i) => roles[i] === role);
  const onlyA = pick('a');
  const onlyB = pick('b');
  if (onlyA.length === 0 && onlyB.length === 0) return undefined;
  const lastOwn = roles.findLast((r) => r !== 'both');
  const swap = lastOwn === 'a';
  return {
    batch: pick('both'),
    m: swap ? onlyB : onlyA,
    n: swap ? onlyA : onlyB,
    k: form.acc.reduce.axes,
    left: swap ? body.b : body.a,
    right: swap ? body.a : body.b,
    prologue,
    ...form,
    acc,
  };
}

/** The stages before the products, where only one factor uses them, each at one point of its rows. */
function prologueOf(reduces: readonly ReduceStage[], acc: ReduceStage, outputs: readonly Stage[]): readonly PrologueStage[] | undefined {
  if (reduces.length === 0) return [];
  const { body } = acc;
  if (body.kind !== 'binary' || outputs.some((o) => stageRefsOf(o.body).some((r) => r.stage !== acc.name))) return undefined;
  const used = [body.a, body.b].map(stageRefsOf);
  if (used.every((refs) => refs.length > 0)) return undefined;
  const [own, other] = used[0].length > 0 ? [body.a, body.b] : [body.b, body.a];
  const [inOwn, inOther] = [axesOfExpr(own), axesOfExpr(other)];
  const rows = new Set(acc.axes.filter((a) => inOwn.has(a.name) || !inOther.has(a.name)).map((a) => a.name));
  const places = new Map<string, readonly Index[]>();
  /** Whether the stages that the expression uses are used at one point, given its own axes' places. */
  const place = (e: Expr, map: ReadonlyMap<string, Index>): boolean =>
    stageRefsOf(substituteExpr(e, map)).every(({ stage, at }) => {
      const before = places.get(stage) ?? at;
      places.set(stage, before);
      return at.every((i, n) => sameIndex(i, before[n]) && [...axesOf(i)].every((a) => rows.has(a)));
    });
  if (!place(own, new Map())) return undefined;
  const found: PrologueStage[] = [];
  for (const stage of reduces.toReversed()) {
    const at = places.get(stage.name);
    if (!at || !place(stage.body, new Map(stage.axes.map((a, i) => [a.name, at[i]])))) return undefined;
    found.unshift({ stage, at });
  }
  return found;
}

/** Several reductions over rows, each row's results used all along it. */
export interface RowForm {
  /** Output axes that number the rows. */
  readonly outer: readonly Axis[];
  /** Output axes along the row; empty where only results of the reductions are stored. */
  readonly row: readonly Axis[];
  /** Each reduce stage with its own axes in the order of `outer`. */
  readonly stages: readonly { readonly stage: ReduceStage; readonly outer: readonly Axis[] }[];
  readonly outputs: readonly Stage[];
}

export function matchRow(kernel: Kernel): RowForm | undefined {
  const parts = partsOf(kernel);
  if (!parts || parts.reduces.length === 0) return undefined;
  const { reduces, outputs } = parts;
  const outer = outerOf(reduces, outputs);
  if (!outer) return undefined;

  // Position of each stage's axes among the outer ones, found from its uses, the last stage's first.
  const positions = new Map<string, readonly number[]>();
  const placeIn = (axes: readonly Axis[], places: readonly number[]) => new Map(axes.map((a, i) => [a.name, places[i]]));
  for (const output of outputs) {
    const places = placeIn(output.axes, output.axes.map((_, i) => outer.indexOf(i)));
    if (!place(output.body, places)) return undefined;
  }
  for (const stage of reduces.toReversed()) {
    const places = positions.get(stage.name);
    if (!places || !place(stage.body, placeIn(stage.axes, places))) return undefined;
  }

  function place(body: Expr, places: ReadonlyMap<string, number>): boolean {
    return stageRefsOf(body).every(({ stage, at }) => {
      // Stages of a prologue, looked at elsewhere, are none of these.
      const axes = reduces.find((s) => s.name === stage)?.axes;
      // An axis that runs further than the stage's own, as a concat's does, has points without a value of the stage.
      const found = at.map((index: Index, i) => {
        const own = plainAxis(index);
        return own && (!axes || own.extent === axes[i].extent) ? (places.get(own.name) ?? -1) : -1;
      });
      if (found.includes(-1) || new Set(found).size !== outer!.length || found.length !== outer!.length) return false;
      const before = positions.get(stage);
      positions.set(stage, found);
      return !before || before.every((p, i) => p === found[i]);
    });
  }

  const isOuter = new Set(outer);
  return {
    outer: outer.map((i) => outputs[0].axes[i]),
    row: outputs[0].axes.filter((_, i) => !isOuter.has(i)),
    stages: reduces.map((stage) => {
      const places = positions.get(stage.name)!;
      return { stage, outer: outer.map((_, p) => stage.axes[places.indexOf(p)]) };
    }),
    outputs,
  };
}

/** Which output axes stand in references to the reduce stages: all references must use the same ones. */
function outerOf(reduces: readonly ReduceStage[], outputs: readonly Stage[]): number[] | undefined {
  const used = new Set<number>();
  for (const output of outputs) {
    for (const { at } of stageRefsOf(output.body)) {
      for (const index of at) {
        const position = output.axes.findIndex((a) => a.name === plainAxis(index)?.name);
        if (position < 0) return undefined;
        used.add(position);
      }
    }
  }
  const rank = reduces[0].axes.length;
  if (used.size !== rank || reduces.some((s) => s.axes.length !== rank)) return undefined;
  return [...used].sort((a, b) => a - b);
}
