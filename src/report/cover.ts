/**
 * What a region touches along dimensions that must be taken together. Axes that only move one dimension by a fixed step
 * are not enumerated: a single row of them is an interval, and others repeat what the rest touches.
 */
import type { Axis, Index } from '../kernel.ts';
import { sizeOf } from '../graph.ts';
import { axesOf, rangeOf, type Range } from '../kernel-index.ts';
import { axesOfExpr } from '../kernel-expr.ts';
import { compileExpr, compileIndex, forEachPoint, slotsOf, type Evaluate } from '../kernel-points.ts';
import { hasData, type Windowed } from './region.ts';
import { runsOf, type Runs } from './runs.ts';

/** Places that are touched among `dims`, row-major. No dims: whether there are points at all. */
export interface Part {
  readonly dims: readonly number[];
  readonly runs: Runs;
}

/** What was gone through one by one: points of axes and places of a shape. */
export interface Work {
  steps: number;
}

/** Dimensions that share axes, by themselves or through guards, and those axes. */
interface Group {
  readonly dims: number[];
  readonly axes: Set<string>;
  readonly tests: Test[];
}

interface Test {
  readonly axes: Set<string>;
  /** For axes in these slots, whether the point is one of the region. */
  readonly compile: (slots: ReadonlyMap<string, number>) => (point: Int32Array) => boolean;
}

/** Steps along one dimension: the places that are touched are touched again after each step. */
interface Repeat {
  readonly step: number;
  readonly times: number;
}

/** The region taken apart: it touches every combination of what its parts touch. */
export function partsOf(region: Windowed, shape: readonly number[], work: Work): Part[] {
  const tests = testsOf(region);
  const free = freeAxes(region, tests);
  const extents = new Map(region.axes.map((a) => [a.name, a.extent]));
  return groupsOf(region, tests, free).map((group): Part => {
    const dims = group.dims.sort((a, b) => a - b);
    const bound = region.axes.filter((a) => group.axes.has(a.name));
    if (dims.some((d) => hasData(region.at[d]))) return { dims, runs: somewhere(region, dims, extents, shape) };
    const split = dims.map((d) => withoutFree(region.at[d], free));
    if (bound.length === 0 && dims.length === 1) {
      const interval = intervalOf(split[0], region.windows[dims[0]]);
      if (interval) return { dims, runs: interval };
    }
    return { dims, runs: enumerated(split, bound, group.tests, dims.map((d) => ({ window: region.windows[d], extent: shape[d] })), work) };
  });
}

/** What is read by data may lie anywhere along its extent, but is no more than there are reads. */
function somewhere(region: Windowed, dims: readonly number[], extents: ReadonlyMap<string, number>, shape: readonly number[]): Runs {
  const names = new Set(dims.flatMap((d) => [...axesOf(region.at[d])]));
  const points = [...names].reduce((n, name) => n * extents.get(name)!, 1);
  return [0, Math.min(points, sizeOf(dims.map((d) => shape[d])))];
}

function testsOf({ guards, bounds }: Windowed): Test[] {
  return [
    ...guards.map(({ condition, holds }): Test => ({
      axes: axesOfExpr(condition),
      compile: (slots) => {
        const test = compileExpr(condition, slots);
        return (p) => (test(p) !== 0) === holds;
      },
    })),
    ...bounds.map(({ of, min, max }): Test => ({
      axes: axesOf(of),
      compile: (slots) => {
        const value = compileIndex(of, slots);
        return (p) => {
          const x = value(p);
          return min <= x && x <= max;
        };
      },
    })),
  ];
}

/** Axes that stand in one dimension only, as a plain term, and in no test. */
function freeAxes({ at, axes }: Windowed, tests: readonly Test[]): ReadonlySet<string> {
  const uses = new Map<string, number>();
  const use = (names: Iterable<string>, by: number): void => {
    for (const name of names) uses.set(name, (uses.get(name) ?? 0) + by);
  };
  for (const index of at) {
    for (const { atom } of index.terms) {
      if (atom.kind === 'axis') use([atom.name], 1);
      else use(axesOf({ offset: 0, terms: [{ scale: 1, atom }] }), 2);
    }
  }
  for (const t of tests) use(t.axes, 2);
  return new Set(axes.map((a) => a.name).filter((name) => uses.get(name) === 1));
}

function groupsOf({ at }: Windowed, tests: readonly Test[], free: ReadonlySet<string>): Group[] {
  const groups: Group[] = [];
  const join = (names: ReadonlySet<string>, dims: number[], own: Test[]): void => {
    const merged: Group = { dims, axes: new Set([...names].filter((n) => !free.has(n))), tests: own };
    for (let i = groups.length - 1; i >= 0; i--) {
      if (![...groups[i].axes].some((name) => merged.axes.has(name))) continue;
      const [group] = groups.splice(i, 1);
      merged.dims.push(...group.dims);
      merged.tests.push(...group.tests);
      for (const name of group.axes) merged.axes.add(name);
    }
    groups.push(merged);
  };
  at.forEach((index, dim) => join(axesOf(index), [dim], []));
  for (const test of tests) join(test.axes, [], [test]);
  return groups;
}

/** An index without its free axes, which all step upward from there. */
interface Split {
  readonly base: Index;
  readonly repeats: readonly Repeat[];
}

function withoutFree(index: Index, free: ReadonlySet<string>): Split {
  let { offset } = index;
  const terms = [];
  const repeats: Repeat[] = [];
  for (const term of index.terms) {
    const { scale, atom } = term;
    if (atom.kind !== 'axis' || !free.has(atom.name)) {
      terms.push(term);
      continue;
    }
    if (scale < 0) offset += scale * (atom.extent - 1);
    repeats.push({ step: Math.abs(scale), times: atom.extent });
  }
  return { base: { offset, terms }, repeats: repeats.sort((a, b) => a.step - b.step) };
}

function reachOf(repeats: readonly Repeat[]): number {
  return repeats.reduce((sum, r) => sum + r.step * (r.times - 1), 0);
}

/** A sum of free axes whose steps leave no gaps. */
function intervalOf({ base, repeats }: Split, [low, high]: Range): Runs | undefined {
  let reach = 0;
  for (const { step, times } of repeats) {
    if (step > reach + 1) return undefined;
    reach += step * (times - 1);
  }
  const [start, end] = [Math.max(low, base.offset), Math.min(high, base.offset + reach) + 1];
  return start < end ? [start, end] : [];
}

interface Dimension {
  readonly window: Range;
  readonly extent: number;
}

/** The points of the bound axes one by one, then the repeats of what they touch. */
function enumerated(split: readonly Split[], axes: readonly Axis[], tests: readonly Test[], dims: readonly Dimension[], work: Work): Runs {
  // Along each dimension, where something may start that ends in the window.
  const boxes = split.map(({ base, repeats }, k): Range => {
    const [min, max] = rangeOf(base);
    const [low, high] = dims[k].window;
    const reach = reachOf(repeats);
    return [Math.max(min, low - reach), Math.min(max + reach, high)];
  });
  if (boxes.some(([low, high]) => low > high)) return [];
  const sizes = boxes.map(([low, high]) => high - low + 1);
  const touched = new Uint8Array(sizeOf(sizes));
  work.steps += touched.length;
  const slots = slotsOf(axes);
  const checks = tests.map((t) => t.compile(slots));
  const indices = split.map(({ base }): Evaluate => compileIndex(base, slots));
  let count = 0;
  forEachPoint(axes, (point) => {
    work.steps++;
    for (const holds of checks) if (!holds(point)) return false;
    let flat = 0;
    for (let k = 0; k < indices.length; k++) {
      const i = indices[k](point) - boxes[k][0];
      if (i < 0 || i >= sizes[k]) return false;
      flat = flat * sizes[k] + i;
    }
    if (touched[flat]) return false;
    touched[flat] = 1;
    return ++count === touched.length;
  });
  split.forEach(({ repeats }, k) => {
    const inner = sizeOf(sizes.slice(k + 1));
    for (const r of repeats) repeat(touched, sizes[k], inner, r, work);
  });
  return runsOf(touched, sizes, dims.map(({ window, extent }, k) => ({ from: boxes[k][0], window, extent })));
}

/** Touches what lies up to `times - 1` steps after what is touched, along a dimension of `size` places that are `inner` apart. */
function repeat(touched: Uint8Array, size: number, inner: number, { step, times }: Repeat, work: Work): void {
  if (times === 1) return;
  work.steps += touched.length;
  const lines = touched.length / size;
  for (let line = 0; line < lines; line++) {
    const start = Math.floor(line / inner) * size * inner + (line % inner);
    for (let first = 0; first < Math.min(step, size); first++) {
      let since = times;
      for (let place = first; place < size; place += step) {
        const at = start + place * inner;
        since = touched[at] ? 0 : since + 1;
        if (since < times) touched[at] = 1;
      }
    }
  }
}
