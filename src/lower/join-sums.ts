/**
 * Sums that are made by the kernel that reads them: what follows a divided contraction is an addition of its parts, and
 * often a norm next, which reads row by row what the addition has just written. One kernel does both: it adds the parts,
 * goes on with the sums, and stores them too, for those that read them later.
 */
import type { DType, Shape } from '../graph.ts';
import type { Axis, BufferId, Expr, Index, Kernel, Stage } from '../kernel.ts';
import { binary, load, loadsOf, stageAt, substituteExpr } from '../kernel-expr.ts';
import { isReduce, matchRow, partsOf, type ReduceStage, type RowForm } from '../kernel-forms.ts';
import { axesOf, axis, constant, isConstant, plainAxis, reshapeIndex, sameIndex, substitute } from '../kernel-index.ts';
import type { Draft, Finished, Finisher } from './finish.ts';

export interface Call {
  readonly kernel: Kernel;
  readonly args: readonly BufferId[];
}

/** Loads of parts that are written out: for each use of a sum, each of its parts. Registers hold a sum's parts only until they are added. */
const MOST_LOADS = 128;

/**
 * The kernel of both, made by a finisher that knows buffers by their ids, which are its `args`; undefined where the second
 * is none of rows that reads the sums of the first, each at its own place and at no other.
 */
export function joinSum(sum: Call, rows: Call, finisher: Finisher, shapeOf: (id: BufferId) => Shape, name: Draft['name']): Finished | undefined {
  const made = valueOf(sum, shapeOf);
  const form = matchRow(rows.kernel);
  if (!made || !form || form.row.length === 0) return undefined;
  const own = new Views(rows, shapeOf);
  const place = placeOf(rows.kernel, form, own.nameOf(made.id));
  if (!place || made.parts * place.uses > MOST_LOADS) return undefined;

  const joined = (body: Expr): Expr => substituteExpr(body, new Map(), (e) => {
    if (e.kind !== 'load') return e;
    const { buffer, at } = own.of(e.buffer, e.at);
    return buffer === made.id ? made.at(at) : load(buffer, at);
  });
  const axes = form.outputs[0].axes.map((a): Axis => ({ ...a, name: `${a.name}.sum` }));
  const renamed = new Map(form.outputs[0].axes.map((a, i) => [a.name, axis(axes[i])]));
  const { at } = own.of(own.nameOf(made.id)!, place.at.map((index) => substitute(index, renamed)));
  const whole: Stage = { name: 'sum', axes, body: made.at(at), dtype: made.dtype };
  const stages = rows.kernel.stages.map((s) => ({ ...s, body: joined(s.body) }));
  return finisher.finish({
    name,
    stages: [...stages.filter(isReduce), whole, ...stages.filter((s) => !isReduce(s))],
    stores: [
      { buffer: made.id, stage: whole.name, at },
      ...rows.kernel.stores.map((s) => ({ ...own.of(s.buffer, s.at ?? stages.find((stage) => stage.name === s.stage)!.axes.map(axis)), stage: s.stage })),
    ],
  });
}

/** A kernel's buffers by their ids and as they are shaped; to the kernel they have names, and may have lost axes. */
class Views {
  constructor(private readonly call: Call, private readonly shapeOf: (id: BufferId) => Shape) {}

  of(name: string, at: readonly Index[]): { readonly buffer: BufferId; readonly at: readonly Index[] } {
    const { kernel: { params }, args } = this.call;
    const position = params.findIndex((p) => p.name === name);
    return { buffer: args[position], at: reshapeIndex(at, params[position].shape, this.shapeOf(args[position])) };
  }

  nameOf(id: BufferId): string | undefined {
    return this.call.kernel.params[this.call.args.indexOf(id)]?.name;
  }
}

interface Sums {
  readonly id: BufferId;
  readonly dtype: DType;
  readonly parts: number;
  readonly at: (place: readonly Index[]) => Expr;
}

/** What a kernel that adds parts stores, as an expression of a place in the buffer that it stores to. */
function valueOf(call: Call, shapeOf: (id: BufferId) => Shape): Sums | undefined {
  const { kernel } = call;
  const found = partsOf(kernel);
  if (!found || found.reduces.length !== 1 || found.outputs.length !== 1 || kernel.stores[0].at) return undefined;
  const { reduces: [acc], outputs: [out] } = found;
  const { reduce: { op, axes: [part, ...others] } } = acc;
  if (op !== 'sum' || acc.dtype !== 'f32' || others.length > 0) return undefined;
  const views = new Views(call, shapeOf);
  const named = (e: Expr, map: ReadonlyMap<string, Index>, sumAt: (at: readonly Index[]) => Expr): Expr => substituteExpr(e, map, (leaf) => {
    if (leaf.kind === 'stage') return sumAt(leaf.at);
    const { buffer, at } = views.of(leaf.buffer, leaf.at);
    return load(buffer, at);
  });
  const sumAt = (at: readonly Index[]): Expr => {
    const terms = Array.from({ length: part.extent }, (_, i) => named(acc.body, new Map([...acc.axes.map((a, d): [string, Index] => [a.name, at[d]]), [part.name, constant(i)]]), stageNone));
    return terms.reduce((a, b) => binary('add', a, b));
  };
  const { name, shape } = kernel.params.find((p) => p.name === kernel.stores[0].buffer)!;
  const { buffer: id } = views.of(name, shape.map(() => constant(0)));
  const at = (place: readonly Index[]): Expr => {
    const own = reshapeIndex(place, shapeOf(id), shape);
    return named(out.body, new Map(out.axes.map((a, d) => [a.name, own[d]])), sumAt);
  };
  return { id, dtype: out.dtype, parts: part.extent, at };
}

/** A sum of parts uses no stage. */
const stageNone = (at: readonly Index[]): Expr => stageAt('none', at);

/**
 * Where a point of the output stands in a buffer, and how often it is loaded there; undefined where it is loaded at other
 * places too, or not all of it is.
 */
function placeOf(kernel: Kernel, form: RowForm, buffer: string | undefined): { readonly at: readonly Index[]; readonly uses: number } | undefined {
  const shown = form.outputs[0].axes;
  const shape = kernel.params.find((p) => p.name === buffer)?.shape ?? [];
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
