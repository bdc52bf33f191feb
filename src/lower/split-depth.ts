/**
 * Contractions whose depth is divided between workgroups: few rows and columns and a long depth leave most of a large
 * device idle, however a workgroup's threads share the work. One kernel computes the sums of each part of the depth, as
 * one more batch of products, and stores them in f32; another one adds the parts and does what followed the products.
 * ("Split-K", and its choice by a model of time: Osama et al. 2023, "Stream-K: Work-centric Parallel Decomposition for
 * Dense Matrix-Matrix Multiplication on the GPU", section 3.)
 */
import type { Axis, Kernel, Stage } from '../kernel.ts';
import { axesOfExpr, load, stageAt, substituteExpr } from '../kernel-expr.ts';
import { matchContraction, type ContractionForm } from '../kernel-forms.ts';
import { add, axis, scale } from '../kernel-index.ts';
import { Finisher, type Draft, type DraftBuffer, type Finished } from './finish.ts';

/** Into how many parts, of the numbers offered, a contraction's depth is to be divided; undefined: it stays whole. */
export type DividesDepth = (kernel: Kernel, offered: readonly number[]) => number | undefined;

export interface SplitDepth {
  /** Stores the sums of parts. `args` name parameters of the whole kernel, and PARTS. */
  readonly products: Finished;
  /** Adds the parts and stores what the whole kernel stores. */
  readonly sum: Finished;
  /** What lies between the two. */
  readonly parts: DraftBuffer;
}

/** The name of what lies between the two kernels, in their `args`. */
export const PARTS = 'parts';

/** Parts at most: all of them are added by one thread a result. */
const MOST_PARTS = 32;

/** Both kernels, where the choice is to divide the depth. Those of norms in a prologue are over the whole depth: these stay. */
export function splitDepth(kernel: Kernel, divides: DividesDepth, names: { readonly products: Draft['name']; readonly sum: Draft['name'] }): SplitDepth | undefined {
  const form = matchContraction(kernel);
  // Views of buffers in blocks are none of whole axes.
  if (!form || form.prologue.length > 0 || kernel.params.some((p) => p.layout)) return undefined;
  const axes = divisible(form);
  const offered = [...new Set(axes.flatMap((a) => partsOf(a, form)))].sort((a, b) => a - b);
  const count = offered.length > 0 ? divides(kernel, offered) : undefined;
  if (count === undefined) return undefined;
  // Of the longest axis, so that what is left of it is a loop as before.
  const [whole] = axes.filter((a) => partsOf(a, form).includes(count)).sort((a, b) => b.extent - a.extent);
  const part: Axis = { name: 'part', extent: count };
  const params = new Map(kernel.params.map((p) => [p.name, p]));
  const parts: DraftBuffer = { shape: [count, ...form.accAxes.map((a) => a.extent)], dtype: 'f32', storage: 'f32' };
  const finisher = new Finisher((name) => (name === PARTS ? parts : params.get(name)!));
  return {
    products: finisher.finish({ name: names.products, ...products(form, whole, part) }),
    sum: finisher.finish({ name: names.sum, ...addition(kernel, form, part) }),
    parts,
  };
}

/** Reduced axes that both operands run along: divided, they are a batch of smaller products. */
function divisible({ left, right, k }: ContractionForm): Axis[] {
  const [inLeft, inRight] = [axesOfExpr(left), axesOfExpr(right)];
  return k.filter((a) => inLeft.has(a.name) && inRight.has(a.name));
}

/** Numbers of equal parts of an axis: of whole vectors of four where the axis is of such, and something to reduce in each. */
function partsOf({ extent }: Axis, { k }: ContractionForm): number[] {
  const least = extent % 4 === 0 ? 4 : k.length === 1 ? 2 : 1;
  const fits = (part: number): boolean => part >= least && (extent % 4 !== 0 || part % 4 === 0);
  return Array.from({ length: MOST_PARTS - 1 }, (_, i) => i + 2).filter((n) => extent % n === 0 && fits(extent / n));
}

function products({ acc, accAxes }: ContractionForm, whole: Axis, part: Axis): Omit<Draft, 'name'> {
  const rest: Axis = { name: `${whole.name}.rest`, extent: whole.extent / part.extent };
  const sums: Stage = {
    name: 'sums',
    axes: [part, ...accAxes],
    reduce: { op: 'sum', axes: acc.reduce.axes.map((a) => (a.name === whole.name ? rest : a)) },
    body: substituteExpr(acc.body, new Map([[whole.name, add(scale(axis(part), rest.extent), axis(rest))]])),
    dtype: 'f32',
  };
  const axes = sums.axes.map((a): Axis => ({ name: `${a.name}.out`, extent: a.extent }));
  const out: Stage = { name: 'out', axes, body: stageAt(sums.name, axes.map(axis)), dtype: 'f32' };
  return { stages: [sums, out], stores: [{ buffer: PARTS, stage: out.name, at: axes.map(axis) }] };
}

function addition(kernel: Kernel, { acc, accAxes, outputs }: ContractionForm, part: Axis): Omit<Draft, 'name'> {
  const sum: Stage = { ...acc, reduce: { op: 'sum', axes: [part] }, body: load(PARTS, [part, ...accAxes].map(axis)) };
  return {
    stages: [sum, ...outputs],
    stores: kernel.stores.map(({ buffer, stage, at }) => ({ buffer, stage, at: at ?? outputs.find((o) => o.name === stage)!.axes.map(axis) })),
  };
}
