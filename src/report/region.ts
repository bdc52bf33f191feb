/**
 * Regions of a shape: the image of index maps over the points of a box where guards hold, put in a form whose parts stand
 * apart as far as the algebra of indices can tell. A region keeps its image all the way; only its points change names.
 */
import type { Axis, Index } from '../kernel.ts';
import type { Shape } from '../graph.ts';
import { add, axis, keyOf, scale, substitute, type Range } from '../kernel-index.ts';
import { substituteExpr, visitIndices } from '../kernel-expr.ts';
import { conjuncts, type Guard } from '../kernel-points.ts';
import { boundOfGuard, boundOn, gcd, joined, rangeWithin, type Bound } from './bounds.ts';

/** Index maps, one for each axis of a shape, over the points of `axes` where `guards` are as they say. */
export interface Region {
  readonly at: readonly Index[];
  readonly axes: readonly Axis[];
  readonly guards: readonly Guard[];
}

/** A region whose guards that are bounds of sums stand apart. */
export interface TidyRegion extends Region {
  readonly bounds: readonly Bound[];
}

/** A region with what it may touch along each dimension, ends included. */
export interface Windowed extends TidyRegion {
  readonly windows: readonly Range[];
}

/**
 * The region with bounds of single axes made part of the axes' extents, and with axes that only stand in quotients and
 * remainders split into their digits. Undefined where it is empty.
 */
export function tidy({ at, axes, guards }: Region): TidyRegion | undefined {
  let region = withBounds({ at, axes, guards, bounds: [] });
  while (region) {
    const next: TidyRegion | undefined = narrowed(region) ?? splitAxis(region);
    if (!next) return region;
    region = withBounds(next);
  }
  return undefined;
}

function withBounds({ at, axes, guards, bounds }: TidyRegion): TidyRegion | undefined {
  const [found, rest]: [Bound[], Guard[]] = [[...bounds], []];
  for (const guard of guards.flatMap(conjuncts)) {
    const { condition, holds } = guard;
    if (condition.kind === 'const') {
      if ((condition.value !== 0) !== holds) return undefined;
      continue;
    }
    const bound = boundOfGuard(guard);
    if (bound) found.push(bound);
    else rest.push(guard);
  }
  const kept = joined(found);
  return kept && { at, axes, guards: rest, bounds: kept };
}

/** The region with an axis written as an index of other axes. */
function substituted({ at, axes, guards, bounds }: TidyRegion, name: string, by: readonly Axis[], index: Index): TidyRegion {
  const map = new Map([[name, index]]);
  return {
    at: at.map((i) => substitute(i, map)),
    axes: axes.flatMap((a) => (a.name === name ? by : [a])),
    guards: guards.map(({ condition, holds }) => ({ condition: substituteExpr(condition, map), holds })),
    bounds: bounds.map(({ of, min, max }) => boundOn(substitute(of, map), min, max)),
  };
}

/** A bound of one axis says where it starts and how far it runs. */
function narrowed(region: TidyRegion): TidyRegion | undefined {
  for (const { of, min, max } of region.bounds) {
    if (of.terms.length !== 1 || of.terms[0].atom.kind !== 'axis') continue;
    const { name, extent } = of.terms[0].atom;
    const low = Math.max(0, min);
    const shorter = { name, extent: Math.min(extent - 1, max) - low + 1 };
    return substituted(region, name, [shorter], add(axis(shorter), { offset: low, terms: [] }));
  }
  return undefined;
}

/** An axis a = cut * high + low where that leaves fewer quotients and remainders. */
function splitAxis(region: TidyRegion): TidyRegion | undefined {
  const before = quotients(region);
  for (const { name, extent, cut } of before.cuts) {
    const high = { name: `${name}.${cut}`, extent: extent / cut };
    const low = { name: `${name}.${cut}r`, extent: cut };
    const next = substituted(region, name, [high, low], add(scale(axis(high), cut), axis(low)));
    if (quotients(next).count < before.count) return next;
  }
  return undefined;
}

interface Cut extends Axis {
  readonly cut: number;
}

/** Quotients and remainders of a region, and where axes in them could be cut. */
function quotients({ at, guards, bounds }: TidyRegion): { readonly count: number; readonly cuts: readonly Cut[] } {
  const cuts = new Map<string, Cut>();
  let count = 0;
  const visit = (index: Index): void => {
    for (const { atom } of index.terms) {
      if (atom.kind !== 'div' && atom.kind !== 'mod') continue;
      count++;
      visit(atom.of);
      for (const { scale: by, atom: inner } of atom.of.terms) {
        if (inner.kind !== 'axis') continue;
        const cut = atom.by / gcd(atom.by, by);
        if (cut > 1 && cut < inner.extent && inner.extent % cut === 0) cuts.set(`${inner.name} ${cut}`, { name: inner.name, extent: inner.extent, cut });
      }
    }
  };
  at.forEach(visit);
  for (const { condition } of guards) visitIndices(condition, visit);
  for (const { of } of bounds) visit(of);
  return { count, cuts: [...cuts.values()] };
}

/**
 * Regions of one shape, each dimension taken apart into digits where every region's index is made of digits: what is
 * independent in a flattened tensor then stands alone.
 */
export function splitDimensions(regions: readonly TidyRegion[], shape: Shape): { readonly regions: readonly TidyRegion[]; readonly shape: Shape } {
  const digits = shape.map((extent, dim) => digitsOf(extent, regions.map((r) => ({ index: r.at[dim], bounds: r.bounds }))));
  return {
    shape: digits.flatMap((list) => list.map((d) => d.extent)),
    regions: regions.map((region, i) => ({ ...region, at: digits.flatMap((list) => list.map((d) => d.at[i])) })),
  };
}

interface Digit {
  readonly extent: number;
  /** Of each region. */
  readonly at: readonly Index[];
}

interface Bounded {
  readonly index: Index;
  readonly bounds: readonly Bound[];
}

/** Most significant first. */
function digitsOf(extent: number, of: readonly Bounded[]): Digit[] {
  const units = of.some(({ index }) => hasData(index)) ? [] : [...new Set(of.flatMap(({ index }) => index.terms.map((t) => gcd(t.scale, extent))))].sort((a, b) => a - b);
  for (const unit of units) {
    if (unit === 1 || unit === extent) continue;
    const parts = of.map((bounded) => lastDigit(bounded, unit));
    if (!parts.every((p) => p !== undefined)) continue;
    const high = parts.map((p, i) => ({ index: p.high, bounds: of[i].bounds }));
    return [...digitsOf(extent / unit, high), { extent: unit, at: parts.map((p) => p.low) }];
  }
  return [{ extent, at: of.map(({ index }) => index) }];
}

/** index = unit * high + low with 0 <= low < unit wherever the bounds hold. */
function lastDigit({ index, bounds }: Bounded, unit: number): { readonly high: Index; readonly low: Index } | undefined {
  const low = index.terms.filter((t) => t.scale % unit !== 0);
  const [min, max] = rangeWithin({ offset: index.offset, terms: low }, bounds);
  const carried = Math.floor(min / unit);
  if (Math.floor(max / unit) !== carried) return undefined;
  return {
    high: { offset: carried, terms: index.terms.filter((t) => t.scale % unit === 0).map(({ scale: by, atom }) => ({ scale: by / unit, atom })) },
    low: { offset: index.offset - carried * unit, terms: low },
  };
}

/** The region with bounds of what is an index itself made windows of its dimension: what they exclude is as good as outside of the shape. */
export function windowed(region: TidyRegion, shape: Shape): Windowed {
  const windows = shape.map((extent, dim): Range => {
    const [min, max] = rangeWithin(region.at[dim], region.bounds);
    return [Math.max(0, min), Math.min(extent - 1, max)];
  });
  const known = new Set(region.at.map((index) => keyOf(boundOn(index, 0, 0).of)));
  return { ...region, windows, bounds: region.bounds.filter((b) => !known.has(keyOf(b.of))) };
}

export function hasData(index: Index): boolean {
  return index.terms.some(({ atom }) => atom.kind === 'value' || (atom.kind !== 'axis' && hasData(atom.of)));
}
