/** Where the elements of a buffer lie: row-major, or row-major over blocks (see Layout). */
import { sizeOf } from './graph.ts';
import type { Shape } from './graph.ts';
import type { Index, Layout } from './kernel.ts';
import { flatten, floorDiv, mod } from './kernel-index.ts';

interface Stored {
  readonly shape: Shape;
  readonly layout?: Layout;
}

/** The axes as stored, outermost first: counts of blocks, then the extents inside a block. */
export function storedShape({ shape, layout }: Stored): number[] {
  if (!layout) return [...shape];
  return [...shape.map((extent, i) => Math.ceil(extent / layout.blocks[i])), ...layout.blocks];
}

/** Elements as stored, the padding of incomplete blocks included. */
export function storedElements(stored: Stored): number {
  return sizeOf(storedShape(stored));
}

/** The offset in elements of the logical multi-index `at`. */
export function storedIndex(stored: Stored, at: readonly Index[]): Index {
  const { layout, shape } = stored;
  if (at.length !== shape.length) throw new Error(`bug: ${at.length} indices into ${shape.length} axes`);
  if (!layout) return flatten(at, shape);
  const outer = at.map((index, i) => floorDiv(index, layout.blocks[i]));
  const inner = at.map((index, i) => mod(index, layout.blocks[i]));
  return flatten([...outer, ...inner], storedShape(stored));
}
