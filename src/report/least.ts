/**
 * Least bytes: each distinct element that a kernel reads or writes, once. No schedule can move fewer bytes through memory
 * unless the kernel is fused with its neighbours.
 *
 * A load covers the image of its index maps over the points where its guards hold. Components that share no axis are
 * independent, so that only the axes that stand together are enumerated and a window over a large picture stays cheap.
 */
import type { Axis, Expr, Index, Kernel, KernelParam, Stage } from '../kernel.ts';
import { BYTES_OF } from '../kernel.ts';
import { sizeOf, type Shape } from '../graph.ts';
import { axesOf } from '../kernel-index.ts';
import { axesOfExpr } from '../kernel-expr.ts';
import { compileExpr, compileIndex, conjuncts, forEachPoint, isStatic, slotsOf, type Guard } from '../kernel-points.ts';

/** Distinct elements of each parameter that the kernel touches, in order of the parameters. */
export function touchedElements(kernel: Kernel): number[] {
  return kernel.params.map((param) => {
    const regions = param.access === 'write' ? storesOf(kernel, param) : loadRegions(kernel, param);
    return unionSize(regions, param.shape);
  });
}

export interface LeastBytes {
  readonly loadBytes: number;
  readonly storeBytes: number;
}

export function leastBytes(kernel: Kernel): LeastBytes {
  const touched = touchedElements(kernel);
  const sum = (access: KernelParam['access']): number => kernel.params.reduce((bytes, p, i) => (p.access === access ? bytes + touched[i] * BYTES_OF[p.storage] : bytes), 0);
  return { loadBytes: sum('read'), storeBytes: sum('write') };
}

/** Index maps, one for each axis of a shape, over the points of `axes` where `guards` are as they say. */
interface Region {
  readonly at: readonly Index[];
  readonly axes: readonly Axis[];
  readonly guards: readonly Guard[];
}

function axesOfStage(stage: Stage): Axis[] {
  return [...stage.axes, ...(stage.reduce?.axes ?? [])];
}

function storesOf(kernel: Kernel, param: KernelParam): Region[] {
  return kernel.stores
    .filter((s) => s.buffer === param.name)
    .map((store) => {
      const stage = kernel.stages.find((s) => s.name === store.stage)!;
      const at = store.at ?? stage.axes.map((a): Index => ({ offset: 0, terms: a.extent === 1 ? [] : [{ scale: 1, atom: { kind: 'axis', name: a.name, extent: a.extent } }] }));
      return { at, axes: stage.axes, guards: [] };
    });
}

function loadRegions(kernel: Kernel, param: KernelParam): Region[] {
  return kernel.stages.flatMap((stage) => {
    const regions: Region[] = [];
    const axes = axesOfStage(stage);
    collect(stage.body, [], (at, guards) => regions.push({ at, axes, guards }));
    return regions;
  });

  function collect(e: Expr, guards: readonly Guard[], found: (at: readonly Index[], guards: readonly Guard[]) => void): void {
    const indices = (list: readonly Index[]): void => list.forEach((i) => dataIn(i, (inner) => collect(inner, guards, found)));
    switch (e.kind) {
      case 'const':
        return;
      case 'index':
        return indices([e.of]);
      case 'load':
        if (e.buffer === param.name) found(e.at, guards);
        return indices(e.at);
      case 'stage':
        return indices(e.at);
      case 'unary':
      case 'cast':
        return collect(e.a, guards, found);
      case 'binary':
        collect(e.a, guards, found);
        return collect(e.b, guards, found);
      case 'select': {
        collect(e.condition, guards, found);
        // A condition on data is not known here: both branches count.
        const known = isStatic(e.condition);
        collect(e.then, known ? [...guards, { condition: e.condition, holds: true }] : guards, found);
        return collect(e.else, known ? [...guards, { condition: e.condition, holds: false }] : guards, found);
      }
      default:
        return e satisfies never;
    }
  }
}

function dataIn(index: Index, visit: (e: Expr) => void): void {
  for (const { atom } of index.terms) {
    if (atom.kind === 'value') visit(atom.of);
    else if (atom.kind !== 'axis') dataIn(atom.of, visit);
  }
}

function hasData(index: Index): boolean {
  let found = false;
  dataIn(index, () => (found = true));
  return found;
}

/** Dimensions of a shape that must be enumerated together, and which of their points are touched (row-major among `dims`). */
interface Part {
  readonly dims: readonly number[];
  readonly touched: Uint8Array;
  readonly count: number;
}

function unionSize(regions: readonly Region[], shape: Shape): number {
  const distinct = new Map(regions.map((r) => [JSON.stringify([r.at, r.guards]), r]));
  const size = sizeOf(shape);
  const all = [...distinct.values()].map((r) => partsOf(r, shape));
  const counts = all.map((parts) => parts.reduce((n, p) => n * p.count, 1));
  if (counts.some((n) => n === size)) return size;
  if (all.length <= 1) return counts[0] ?? 0;
  return paintedSize(all, shape);
}

/** Several accesses of which none covers the shape: every touched element is marked. */
function paintedSize(all: readonly Part[][], shape: Shape): number {
  const marks = new Uint8Array(sizeOf(shape));
  const strides = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
  for (const parts of all) {
    // Offsets of one part combined with those of the parts before.
    let offsets: number[] = [0];
    for (const part of parts) {
      const own: number[] = [];
      part.touched.forEach((hit, flat) => {
        if (!hit) return;
        let offset = 0;
        for (let k = part.dims.length - 1, rest = flat; k >= 0; k--) {
          const extent = shape[part.dims[k]];
          offset += (rest % extent) * strides[part.dims[k]];
          rest = Math.floor(rest / extent);
        }
        own.push(offset);
      });
      offsets = offsets.flatMap((a) => own.map((b) => a + b));
    }
    for (const offset of offsets) marks[offset] = 1;
  }
  return marks.reduce((n, m) => n + m, 0);
}

/** The region taken apart into dimensions that share axes, by themselves or through guards. */
function partsOf({ at, axes, guards }: Region, shape: Shape): Part[] {
  const groups: { dims: number[]; axes: Set<string>; guards: Guard[] }[] = [];
  const join = (names: Set<string>, dims: number[], own: Guard[]): void => {
    const merged = { dims, axes: new Set(names), guards: own };
    for (let i = groups.length - 1; i >= 0; i--) {
      if (![...groups[i].axes].some((name) => merged.axes.has(name))) continue;
      const [group] = groups.splice(i, 1);
      merged.dims.push(...group.dims);
      merged.guards.push(...group.guards);
      for (const name of group.axes) merged.axes.add(name);
    }
    groups.push(merged);
  };
  at.forEach((index, dim) => join(axesOf(index), [dim], []));
  for (const guard of guards.flatMap(conjuncts)) join(axesOfExpr(guard.condition), [], [guard]);
  const parts = groups.map((group) => {
    const dims = group.dims.sort((a, b) => a - b);
    return enumerate(dims.map((d) => at[d]), dims, axes.filter((a) => group.axes.has(a.name)), group.guards, shape);
  });
  return parts;
}

function enumerate(at: readonly Index[], dims: readonly number[], axes: readonly Axis[], guards: readonly Guard[], shape: Shape): Part {
  const extents = dims.map((d) => shape[d]);
  const touched = new Uint8Array(sizeOf(extents));
  if (at.some(hasData)) {
    // What is read by data may lie anywhere along its extent, but is no more than there are reads.
    const points = axes.reduce((n, a) => n * a.extent, 1);
    const count = Math.min(points, touched.length);
    return { dims, touched: touched.fill(1, 0, count), count };
  }
  const slots = slotsOf(axes);
  const tests = guards.map(({ condition, holds }) => ({ test: compileExpr(condition, slots), holds: holds ? 1 : 0 }));
  const indices = at.map((index) => compileIndex(index, slots));
  let count = 0;
  forEachPoint(axes, (point) => {
    if (!tests.every(({ test, holds }) => test(point) === holds)) return false;
    let flat = 0;
    for (let k = 0; k < indices.length; k++) {
      const i = indices[k](point);
      if (i < 0 || i >= extents[k]) return false;
      flat = flat * extents[k] + i;
    }
    if (touched[flat]) return false;
    touched[flat] = 1;
    return ++count === touched.length;
  });
  return { dims, touched, count };
}
