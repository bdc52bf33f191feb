/**
 * Sums that are made by the kernel that reads them: what follows a divided contraction is an addition of its parts, and
 * often a norm next, which reads row by row what the addition has just written. One kernel does both: it adds the parts,
 * goes on with the sums, and stores them too, for those that read them later.
 */
import type { DType, Shape } from '../graph.ts';
import type { Axis, BufferId, Expr, Index, Kernel, Stage } from '../kernel.ts';
import { binary, load, loadsOf, substituteExpr } from '../kernel-expr.ts';
import { isReduce, matchRow, partsOf, type ReduceStage, type RowForm } from '../kernel-forms.ts';
import { axesOf, axis, constant, isConstant, plainAxis, reshapeIndex, sameIndex, substitute } from '../kernel-index.ts';
import type { Draft, Finisher } from './finish.ts';

export interface Call {
  readonly kernel: Kernel;
  readonly args: readonly BufferId[];
}

/** Loads of parts that are written out: for each use of a sum, each of its parts. Registers hold a sum's parts only until they are added. */
const MOST_LOADS = 128;

/** A buffer as a kernel sees it, whose axes may be others than those it was made with; its name as a draft's. */
export interface View {
  readonly id: BufferId;
  readonly shape: Shape;
}

export const nameOfView = ({ id, shape }: View): string => JSON.stringify({ id, shape });
export const viewOf = (name: string): View => JSON.parse(name) as View;

/**
 * The kernel of both, made by a finisher of views; undefined where the second is none of rows that reads the sums of the
 * first, each at its own place and at no other.
 */
export function joinSum(sum: Call, rows: Call, finisher: Finisher, name: Draft['name']): { readonly kernel: Kernel; readonly args: readonly BufferId[] } | undefined {
  const made = valueOf(sum);
  const form = matchRow(rows.kernel);
  if (!made || !form || form.row.length === 0) return undefined;
  const own = viewsOf(rows);
  const [x, view] = [...own].find(([, { id }]) => id === made.view.id) ?? [];
  const place = x === undefined ? undefined : placeOf(rows.kernel, form, x);
  if (!view || !place || made.parts * place.uses > MOST_LOADS) return undefined;
  // Bindings must not overlap, so that a buffer of both kernels has to be one binding.
  const seen = new Map([...own.values()].map((v) => [v.id, nameOfView(v)]));
  if (made.others.some((v) => nameOfView(v) !== (seen.get(v.id) ?? nameOfView(v)))) return undefined;

  const valueAt = (at: readonly Index[]): Expr => made.at(reshapeIndex(at, view.shape, made.view.shape));
  const joined = (body: Expr): Expr => substituteExpr(body, new Map(), (e) => (e.kind !== 'load' ? e : e.buffer === x ? valueAt(e.at) : load(nameOfView(own.get(e.buffer)!), e.at)));
  const axes = form.outputs[0].axes.map((a): Axis => ({ ...a, name: `${a.name}.sum` }));
  const renamed = new Map(form.outputs[0].axes.map((a, i) => [a.name, axis(axes[i])]));
  const at = place.at.map((index) => substitute(index, renamed));
  const whole: Stage = { name: 'sum', axes, body: valueAt(at), dtype: made.dtype };
  const stages = rows.kernel.stages.map((s) => ({ ...s, body: joined(s.body) }));
  const { kernel, args } = finisher.finish({
    name,
    stages: [...stages.filter(isReduce), whole, ...stages.filter((s) => !isReduce(s))],
    stores: [
      { buffer: nameOfView(view), stage: whole.name, at },
      ...rows.kernel.stores.map((s) => ({ buffer: nameOfView(own.get(s.buffer)!), stage: s.stage, at: s.at ?? stages.find((stage) => stage.name === s.stage)!.axes.map(axis) })),
    ],
  });
  return { kernel, args: args.map((a) => viewOf(a).id) };
}

/** A call's buffers by the kernel's names. */
function viewsOf({ kernel, args }: Call): ReadonlyMap<string, View> {
  return new Map(kernel.params.map(({ name, shape }, i) => [name, { id: args[i], shape }]));
}

interface Sums {
  /** Where they are stored, and what is loaded for them. */
  readonly view: View;
  readonly others: readonly View[];
  readonly dtype: DType;
  readonly parts: number;
  /** The sum at a place of what is stored. */
  readonly at: (place: readonly Index[]) => Expr;
}

/** What a kernel stores that adds parts. */
function valueOf(call: Call): Sums | undefined {
  const { kernel } = call;
  const found = partsOf(kernel);
  if (!found || found.reduces.length !== 1 || found.outputs.length !== 1 || kernel.stores[0].at) return undefined;
  const { reduces: [acc], outputs: [out] } = found;
  const { reduce: { op, axes: [part, ...others] } } = acc;
  if (op !== 'sum' || acc.dtype !== 'f32' || others.length > 0) return undefined;
  const views = viewsOf(call);
  const placed = (axes: readonly Axis[], at: readonly Index[]) => axes.map((a, d): [string, Index] => [a.name, at[d]]);
  // The only stage that is used is the sum.
  const named = (e: Expr, map: ReadonlyMap<string, Index>): Expr =>
    substituteExpr(e, map, (leaf) => (leaf.kind === 'stage' ? sumAt(leaf.at) : load(nameOfView(views.get(leaf.buffer)!), leaf.at)));
  const sumAt = (at: readonly Index[]): Expr => {
    const terms = Array.from({ length: part.extent }, (_, i) => named(acc.body, new Map([...placed(acc.axes, at), [part.name, constant(i)]])));
    return terms.reduce((a, b) => binary('add', a, b));
  };
  const { buffer } = kernel.stores[0];
  return {
    view: views.get(buffer)!,
    others: [...views].flatMap(([name, view]) => (name === buffer ? [] : [view])),
    dtype: out.dtype,
    parts: part.extent,
    at: (place) => named(out.body, new Map(placed(out.axes, place))),
  };
}

/**
 * Where a point of the output stands in a buffer, and how often it is loaded there; undefined where it is loaded at other
 * places too, or not all of it is.
 */
function placeOf(kernel: Kernel, form: RowForm, buffer: string): { readonly at: readonly Index[]; readonly uses: number } | undefined {
  const shown = form.outputs[0].axes;
  const { shape } = kernel.params.find((p) => p.name === buffer)!;
  const found = kernel.stages.map((stage) => {
    const map = isReduce(stage) ? toOutput(stage, form) : new Map(stage.axes.map((a, i) => [a.name, axis(shown[i])]));
    const loads = loadsOf(stage.body).filter((l) => l.buffer === buffer);
    return loads.length === 0 ? [] : map ? loads.map((l) => l.at.map((index) => substitute(index, map))) : [undefined];
  }).flat();
  const [at] = found;
  if (!at || found.some((other) => !other?.every((index, d) => sameIndex(index, at[d])))) return undefined;
  const own = at.map((index, d) => (shape[d] === 1 ? isConstant(index) : plainAxis(index)?.extent === shape[d]));
  const names = new Set(at.flatMap((index) => [...axesOf(index)]));
  const whole = names.size === shape.filter((n) => n > 1).length && shown.every((a) => a.extent === 1 || names.has(a.name));
  return own.every(Boolean) && whole ? { at, uses: found.length } : undefined;
}

/** A reduction's axes as the output's: of its rows, and of the row that it reduces. */
function toOutput(stage: ReduceStage, form: RowForm): ReadonlyMap<string, Index> | undefined {
  const { outer } = form.stages.find((s) => s.stage === stage)!;
  const { axes } = stage.reduce;
  if (axes.length !== form.row.length || axes.some((a, i) => a.extent !== form.row[i].extent)) return undefined;
  return new Map([...outer.map((a, i): [string, Index] => [a.name, axis(form.outer[i])]), ...axes.map((a, i): [string, Index] => [a.name, axis(form.row[i])])]);
}
