/** What the shape rules share: results, and facts about arguments that do not fit. */
import { formatType, sameShape, sizeOf } from '../graph.ts';
import type { DType, Shape, TensorType } from '../graph.ts';
import type { InferResult, Pad } from './types.ts';

/** A tensor's indices must fit an i32, here and in shaders. */
export const MAX_ELEMENTS = 2 ** 31 - 1;

export function fail(message: string): InferResult {
  return { ok: false, message };
}

/** The result type, unless an extent or the number of elements is out of range. */
export function result(op: string, shape: Shape, dtype: DType): InferResult {
  for (const [axis, extent] of shape.entries()) {
    if (!Number.isInteger(extent) || extent < 1) return fail(`${op}: the result [${shape.join(', ')}] has extent ${extent} on axis ${axis}; extents are positive integers`);
  }
  if (sizeOf(shape) > MAX_ELEMENTS) return fail(`${op}: the result [${shape.join(', ')}] has ${sizeOf(shape)} elements; a tensor holds at most ${MAX_ELEMENTS}`);
  return { ok: true, type: { shape: [...shape], dtype } };
}

/** A fact when the argument's dtype is none of the allowed, else nothing. */
export function wrongDtype(op: string, type: TensorType, ...allowed: DType[]): string | undefined {
  if (allowed.includes(type.dtype)) return undefined;
  return `${op}: the argument is ${formatType(type)}; it takes ${allowed.join(' or ')}`;
}

/** A fact when two arguments that must have equal shapes do not, naming the first axis that differs. */
export function shapesDiffer(op: string, a: TensorType, b: TensorType): string | undefined {
  if (sameShape(a.shape, b.shape)) return undefined;
  const both = `${op}: ${formatType(a)} and ${formatType(b)}`;
  if (a.shape.length !== b.shape.length) return `${both} differ in rank: ${a.shape.length} and ${b.shape.length}`;
  const axis = a.shape.findIndex((d, i) => d !== b.shape[i]);
  return `${both} differ on axis ${axis}: ${a.shape[axis]} and ${b.shape[axis]}`;
}

export function dtypesDiffer(op: string, a: TensorType, b: TensorType): string | undefined {
  return a.dtype === b.dtype ? undefined : `${op}: ${formatType(a)} and ${formatType(b)} differ in dtype: ${a.dtype} and ${b.dtype}`;
}

/** A fact when `axis` is no axis of the type. */
export function axisOutside(op: string, axis: number, type: TensorType): string | undefined {
  if (Number.isInteger(axis) && axis >= 0 && axis < type.shape.length) return undefined;
  return `${op}: axis ${axis} is outside ${formatType(type)}, which has ${axes(type.shape.length)}`;
}

/** `1 axis`, `3 axes` */
export function axes(count: number): string {
  return count === 1 ? '1 axis' : `${count} axes`;
}

export function badPadding(op: string, padding: readonly Pad[]): string | undefined {
  const axis = padding.findIndex((p) => !isCount(p.low) || !isCount(p.high));
  if (axis < 0) return undefined;
  return `${op}: padding ${padding[axis].low}, ${padding[axis].high} of axis ${axis} is not made of integers from 0`;
}

/** An integer from `least` that indices can hold. */
export function isCount(value: number, least = 0): boolean {
  return Number.isInteger(value) && value >= least && value <= MAX_ELEMENTS;
}
