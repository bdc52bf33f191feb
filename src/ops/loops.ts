/** Loops that the reference semantics share: strided walks over flat arrays. */
import { sizeOf, stridesOf } from '../graph.ts';
import type { Shape } from '../graph.ts';
import type { TensorData } from './types.ts';

/** The flat offset of every index of `shape` in row-major order, for these strides. */
export function offsetsOf(shape: Shape, strides: readonly number[]): Int32Array {
  let offsets = new Int32Array(1);
  for (const [axis, extent] of shape.entries()) {
    const next = new Int32Array(offsets.length * extent);
    for (let i = 0, at = 0; i < offsets.length; i++) {
      for (let j = 0; j < extent; j++) next[at++] = offsets[i] + j * strides[axis];
    }
    offsets = next;
  }
  return offsets;
}

/** An axis list cut in two, so that a table of offsets for each half stays small. */
function halve(shape: Shape): number {
  const total = sizeOf(shape);
  let cut = shape.length;
  for (let inner = 1; cut > 0 && inner * inner < total; ) inner *= shape[--cut];
  return cut;
}

/** to[toBase + i * toStrides] = from[base + i * strides] for every index i of `shape`. Row-major `to` unless told. */
export function copyStrided(shape: Shape, from: TensorData, base: number, strides: readonly number[], to: TensorData, toBase = 0, toStrides: readonly number[] = stridesOf(shape)): void {
  const cut = halve(shape);
  const outer = offsetsOf(shape.slice(0, cut), strides.slice(0, cut));
  const inner = offsetsOf(shape.slice(cut), strides.slice(cut));
  const outerTo = offsetsOf(shape.slice(0, cut), toStrides.slice(0, cut));
  const innerTo = offsetsOf(shape.slice(cut), toStrides.slice(cut));
  for (let i = 0; i < outer.length; i++) {
    const source = base + outer[i];
    const target = toBase + outerTo[i];
    for (let j = 0; j < inner.length; j++) to[target + innerTo[j]] = from[source + inner[j]];
  }
}
