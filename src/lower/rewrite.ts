/** Changing the loops of a raw kernel: new axes for old ones, everywhere at once. */
import type { Axis, Expr, Index, Stage } from '../kernel.ts';
import { substituteExpr } from '../kernel-expr.ts';
import { substitute } from '../kernel-index.ts';

/** A kernel under construction: buffers by name with the shape they are viewed under; every store says where. */
export interface Raw {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly stages: readonly Stage[];
  readonly stores: readonly RawStore[];
}

export interface RawStore {
  readonly buffer: string;
  readonly stage: string;
  readonly at: readonly Index[];
}

export interface Change {
  /** New axes for a stage's list, of output or of reduction; the stage's name tells whose. */
  readonly axes?: (list: readonly Axis[]) => Axis[];
  /** Old axes in terms of the new ones. */
  readonly map: ReadonlyMap<string, Index>;
  /** How references to a stage, and accesses of a buffer, change with its axes. Given indices already in terms of new axes. */
  readonly refs?: (stage: string, at: readonly Index[]) => readonly Index[];
  readonly accesses?: (buffer: string, at: readonly Index[]) => readonly Index[];
  readonly shapes?: ReadonlyMap<string, readonly number[]>;
}

export function change(raw: Raw, { axes = (l) => [...l], map, refs = (_, at) => at, accesses = (_, at) => at, shapes = raw.shapes }: Change): Raw {
  const body = (e: Expr): Expr =>
    substituteExpr(e, map, (leaf) => (leaf.kind === 'load' ? { ...leaf, at: accesses(leaf.buffer, leaf.at) } : { ...leaf, at: refs(leaf.stage, leaf.at) }));
  return {
    shapes,
    stages: raw.stages.map((s) => ({
      ...s,
      axes: axes(s.axes),
      ...(s.reduce ? { reduce: { op: s.reduce.op, axes: axes(s.reduce.axes) } } : {}),
      body: body(s.body),
    })),
    stores: raw.stores.map((s) => ({ ...s, at: accesses(s.buffer, s.at.map((i) => substitute(i, map))) })),
  };
}

/** Every list of axes in the kernel: each stage's own, then what it reduces over. */
export function axisLists(raw: Raw): (readonly Axis[])[] {
  return raw.stages.flatMap((s) => (s.reduce ? [s.axes, s.reduce.axes] : [s.axes]));
}
