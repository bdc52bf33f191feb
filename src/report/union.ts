/**
 * Sizes of unions of regions. A region is a product of parts, so the shape is cut into blocks of dimensions such that no
 * region's part reaches over two of them; in each block, places are counted by which regions touch them, and a place of the
 * shape is in those regions that touch it in every block. What is alike in all regions, such as the batch, is thus counted once.
 */
import { sizeOf, type Shape } from '../graph.ts';
import { partsOf, type Part, type Work } from './cover.ts';
import { splitDimensions, tidy, windowed, type Region } from './region.ts';
import { overlaps, runsOf, type Runs } from './runs.ts';

/** How many places of the shape the regions touch together. */
export function unionSize(regions: readonly Region[], shape: Shape, work: Work = { steps: 0 }): number {
  const tidied = regions.map(tidy).filter((r) => r !== undefined);
  const digits = splitDimensions(tidied, shape);
  const products = digits.regions.map((r) => partsOf(windowed(r, digits.shape), digits.shape, work)).filter((parts) => parts.every((p) => p.runs.length > 0));
  if (products.length === 0) return 0;
  let counts = new Map([[(1n << BigInt(products.length)) - 1n, 1]]);
  for (const dims of blocksOf(products, digits.shape.length)) {
    const places = overlaps(products.map((parts) => combined(parts.filter((p) => p.dims.some((d) => dims.includes(d))), dims, digits.shape, work)));
    const next = new Map<bigint, number>();
    for (const [a, n] of counts) {
      for (const [b, m] of places) {
        const both = a & b;
        if (both !== 0n) next.set(both, (next.get(both) ?? 0) + n * m);
      }
    }
    counts = next;
  }
  return [...counts.values()].reduce((sum, n) => sum + n, 0);
}

/** The smallest sets of dimensions that no part reaches out of. */
function blocksOf(products: readonly Part[][], rank: number): number[][] {
  let blocks = Array.from({ length: rank }, (_, d) => [d]);
  for (const { dims } of products.flat()) {
    if (dims.length < 2) continue;
    const touching = blocks.filter((block) => block.some((d) => dims.includes(d)));
    blocks = [...blocks.filter((block) => !touching.includes(block)), touching.flat().sort((a, b) => a - b)];
  }
  return blocks;
}

/** Places of a block that the parts inside of it touch together. */
function combined(parts: readonly Part[], dims: readonly number[], shape: Shape, work: Work): Runs {
  if (parts.length === 1) return parts[0].runs;
  const extents = dims.map((d) => shape[d]);
  const marks = new Uint8Array(sizeOf(extents));
  const stride = (dim: number): number => sizeOf(extents.slice(dims.indexOf(dim) + 1));
  let offsets = [0];
  for (const part of parts) {
    const own: number[] = [];
    for (let i = 0; i < part.runs.length; i += 2) for (let flat = part.runs[i]; flat < part.runs[i + 1]; flat++) own.push(offsetOf(flat, part.dims.map((d) => ({ extent: shape[d], stride: stride(d) }))));
    offsets = offsets.flatMap((a) => own.map((b) => a + b));
    work.steps += offsets.length;
  }
  for (const offset of offsets) marks[offset] = 1;
  return runsOf(marks, extents, extents.map((extent) => ({ from: 0, window: [0, extent - 1], extent })));
}

function offsetOf(flat: number, dims: readonly { readonly extent: number; readonly stride: number }[]): number {
  let offset = 0;
  for (let k = dims.length - 1, rest = flat; k >= 0; k--) {
    offset += (rest % dims[k].extent) * dims[k].stride;
    rest = Math.floor(rest / dims[k].extent);
  }
  return offset;
}
