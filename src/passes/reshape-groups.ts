/** How the axes of a tensor meet those of its reshape. */
import type { Shape } from '../graph.ts';

/** Axes of both shapes that hold the same elements in the same order; axes of 1 are in no group. */
export interface AxisGroup {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** The smallest groups, in order: [B, N, h * d] and [B * N, h, d] give ([0, 1], [0]) and ([2], [1, 2]). */
export function reshapeGroups(from: Shape, to: Shape): AxisGroup[] {
  const groups: AxisGroup[] = [];
  const long = (shape: Shape): number[] => shape.map((_, axis) => axis).filter((axis) => shape[axis] !== 1);
  const [left, right] = [long(from), long(to)];
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    const group = { from: [left[i]], to: [right[j]] };
    let [a, b] = [from[left[i++]], to[right[j++]]];
    while (a !== b) {
      if (a < b) {
        group.from.push(left[i]);
        a *= from[left[i++]];
      } else {
        group.to.push(right[j]);
        b *= to[right[j++]];
      }
    }
    groups.push(group);
  }
  return groups;
}
