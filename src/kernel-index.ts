/**
 * The algebra of indices: quasi-affine integer expressions kept in normal form and simplified by the ranges of their
 * axes, so that chains of reshapes, transposes, slices and window partitions come out as plain sums of axes.
 *
 * Division is floor division and mod is never negative, for every sign of the argument.
 */
import type { Shape } from './graph.ts';
import type { Atom, Axis, Expr, Index, IndexTerm } from './kernel.ts';
import { keyOf, keyOfAtom } from './kernel-keys.ts';
import { mapIndices, visitIndices } from './kernel-walk.ts';

export { keyOf, keyOfAtom } from './kernel-keys.ts';
export { mapIndices, visitIndices } from './kernel-walk.ts';

export type Range = readonly [min: number, max: number];

const ZERO: Index = { offset: 0, terms: [] };

export function constant(offset: number): Index {
  return offset === 0 ? ZERO : { offset, terms: [] };
}

/** The axis as an index; an axis of extent 1 is 0. */
export function axis({ name, extent }: Axis): Index {
  return extent === 1 ? ZERO : single({ kind: 'axis', name, extent });
}

export function add(...indices: readonly Index[]): Index {
  return sum(indices.flatMap((i) => i.terms), indices.reduce((total, i) => total + i.offset, 0));
}

export function sub(a: Index, b: Index): Index {
  return add(a, scale(b, -1));
}

export function scale(index: Index, by: number): Index {
  if (by === 0) return ZERO;
  if (by === 1) return index;
  return { offset: index.offset * by + 0, terms: index.terms.map((t) => ({ scale: t.scale * by, atom: t.atom })) };
}

/** floor(index / by), by > 0 */
export function floorDiv(index: Index, by: number): Index {
  if (by === 1) return index;
  const [whole, rest] = splitWhole(index, by);
  if (whole.terms.length > 0 || whole.offset !== 0) return add(whole, floorDiv(rest, by));
  const constantly = quotient(rest, by);
  if (constantly !== undefined) return constant(constantly);
  const split = splitFine(rest, by);
  if (split) return floorDiv(split.coarse, by / split.unit);
  if (rest.terms.length === 1 && rest.terms[0].scale === 1) {
    const { atom } = rest.terms[0];
    // floor((floor(x / b) + o) / c) = floor((x + o * b) / (b * c))
    if (atom.kind === 'div') return floorDiv(add(atom.of, constant(rest.offset * atom.by)), atom.by * by);
    // floor((x mod m) / c) = floor(x / c) mod (m / c) where c divides m
    if (atom.kind === 'mod' && rest.offset === 0 && atom.by % by === 0) return mod(floorDiv(atom.of, by), atom.by / by);
  }
  return single({ kind: 'div', of: rest, by });
}

/** index - floor(index / by) * by, by > 0 */
export function mod(index: Index, by: number): Index {
  if (by === 1) return ZERO;
  const rest = splitWhole(index, by)[1];
  const constantly = quotient(rest, by);
  if (constantly !== undefined) return add(rest, constant(-constantly * by));
  const split = splitFine(rest, by);
  if (split) return add(scale(mod(split.coarse, by / split.unit), split.unit), split.fine);
  const whole = withoutWraps(rest, by);
  if (whole) return mod(whole, by);
  // floor((s * (x mod m) + y) / b) + o = floor((s * x + y + o * b) / b) (mod c) where b * c divides s * m
  const [only] = rest.terms;
  if (rest.terms.length === 1 && only.scale === 1 && only.atom.kind === 'div') {
    const numerator = withoutWraps(add(only.atom.of, constant(rest.offset * only.atom.by)), only.atom.by * by);
    if (numerator) return mod(floorDiv(numerator, only.atom.by), by);
  }
  return single({ kind: 'mod', of: rest, by });
}

/** The index modulo `by` with a remainder left out that makes no difference: s * (x mod m) = s * x where `by` divides s * m. */
function withoutWraps(index: Index, by: number): Index | undefined {
  const wrap = index.terms.find((t) => t.atom.kind === 'mod' && (t.scale * t.atom.by) % by === 0);
  if (wrap?.atom.kind !== 'mod') return undefined;
  return add({ offset: index.offset, terms: index.terms.filter((t) => t !== wrap) }, scale(wrap.atom.of, wrap.scale));
}

/** An i32 value read from data, clamped to [0, extent). One that is known to be an index inside the range is that index. */
export function value(of: Expr, extent: number): Index {
  if (extent === 1) return ZERO;
  if (of.kind === 'const') return constant(Math.min(Math.max(of.value, 0), extent - 1));
  if (of.kind === 'index') {
    const [min, max] = rangeOf(of.of);
    if (min >= 0 && max < extent) return of.of;
  }
  return single({ kind: 'value', of, extent });
}

/** The least and greatest value over all points of the axes; exact for sums of axes, else a bound. */
export function rangeOf(index: Index): Range {
  let min = index.offset;
  let max = index.offset;
  for (const { scale: by, atom } of index.terms) {
    const [low, high] = rangeOfAtom(atom);
    min += by > 0 ? by * low : by * high;
    max += by > 0 ? by * high : by * low;
  }
  return [min, max];
}

export function isConstant(index: Index): boolean {
  return index.terms.length === 0;
}

export function sameIndex(a: Index, b: Index): boolean {
  return a === b || keyOf(a) === keyOf(b);
}

/** The one axis that this index is, with nothing else; undefined for any other index. */
export function plainAxis(index: Index): Axis | undefined {
  if (index.offset !== 0 || index.terms.length !== 1) return undefined;
  const { scale: by, atom } = index.terms[0];
  return by === 1 && atom.kind === 'axis' ? { name: atom.name, extent: atom.extent } : undefined;
}

/** Names of the axes that the index depends on, also inside of data-dependent parts. */
export function axesOf(index: Index, into: Set<string> = new Set()): Set<string> {
  for (const { atom } of index.terms) {
    if (atom.kind === 'axis') into.add(atom.name);
    else if (atom.kind === 'value') visitIndices(atom.of, (i) => axesOf(i, into));
    else axesOf(atom.of, into);
  }
  return into;
}

/** The factor of a plain axis term: how far the index moves a step of that axis. Undefined where the axis also stands inside a div, mod or value. */
export function strideOf(index: Index, name: string): number | undefined {
  let stride = 0;
  for (const { scale: by, atom } of index.terms) {
    if (atom.kind === 'axis') {
      if (atom.name === name) stride = by;
    } else if (axesOf(single(atom)).has(name)) return undefined;
  }
  return stride;
}

/** The index with axes replaced by indices; axes absent from the map stay. `data` maps what data-dependent parts read; unless told, its axes are replaced too. */
export function substitute(index: Index, map: ReadonlyMap<string, Index>, data: (e: Expr) => Expr = (e) => mapIndices(e, (i) => substitute(i, map))): Index {
  if (index.terms.length === 0) return index;
  const parts: Index[] = [constant(index.offset)];
  for (const { scale: by, atom } of index.terms) parts.push(scale(substituteAtom(atom, map, data), by));
  return add(...parts);
}

function substituteAtom(atom: Atom, map: ReadonlyMap<string, Index>, data: (e: Expr) => Expr): Index {
  switch (atom.kind) {
    case 'axis':
      return map.get(atom.name) ?? single(atom);
    case 'div':
      return floorDiv(substitute(atom.of, map, data), atom.by);
    case 'mod':
      return mod(substitute(atom.of, map, data), atom.by);
    case 'value':
      return value(data(atom.of), atom.extent);
  }
}

/** Row-major offset of a multi-index in a shape. */
export function flatten(at: readonly Index[], shape: Shape): Index {
  let stride = 1;
  const parts: Index[] = [];
  for (let i = shape.length - 1; i >= 0; stride *= shape[i--]) parts.push(scale(at[i], stride));
  return add(...parts);
}

/** The multi-index of a row-major offset in a shape; the first is not reduced modulo its extent. */
export function unflatten(index: Index, shape: Shape): Index[] {
  const at = new Array<Index>(shape.length);
  let rest = index;
  for (let i = shape.length - 1; i > 0; i--) {
    at[i] = mod(rest, shape[i]);
    rest = floorDiv(rest, shape[i]);
  }
  if (shape.length > 0) at[0] = rest;
  return at;
}

/**
 * Where the point `at` of `shape` lies in `to`, another shape of the same size. Axes are matched in the smallest groups
 * of equal size, so that an index that runs over an edge (guarded by a select) stays in its own axis.
 */
export function reshapeIndex(at: readonly Index[], shape: Shape, to: Shape): Index[] {
  const out: Index[] = [];
  for (let i = 0, j = 0; i < shape.length || j < to.length; ) {
    const [i0, j0] = [i, j];
    let left = 1;
    let right = 1;
    if (i < shape.length) left = shape[i++];
    else right = to[j++];
    while (left !== right) {
      if (left < right) left *= shape[i++];
      else right *= to[j++];
    }
    while (j === j0 && left === 1 && j < to.length && to[j] === 1) j++;
    out.push(...unflatten(flatten(at.slice(i0, i), shape.slice(i0, i)), to.slice(j0, j)));
  }
  return out;
}

/**
 * Whether different points of the axes give different multi-indices, where that can be proved: every axis is found
 * again from the row-major offset by mixed-radix digits.
 */
export function isInjective(at: readonly Index[], shape: Shape, axes: readonly Axis[]): boolean {
  const strides: { stride: number; extent: number }[] = [];
  const offset = unrotatedTerms(flatten(at.map((index, i) => unrotated(index, shape[i])), shape));
  for (const { name, extent } of axes) {
    if (extent === 1) continue;
    const stride = strideOf(offset, name);
    if (stride === undefined || stride === 0) return false;
    strides.push({ stride: Math.abs(stride), extent });
  }
  strides.sort((a, b) => a.stride - b.stride);
  let reach = 0;
  for (const { stride, extent } of strides) {
    if (stride <= reach) return false;
    reach += stride * (extent - 1);
  }
  return true;
}

/** For (index + s) % extent, where the index runs through [0, extent) itself, that index: a rotation moves every point to one place. */
export function unrotated(index: Index, extent: number): Index {
  const [only] = index.terms;
  if (index.offset !== 0 || index.terms.length !== 1 || only.scale !== 1 || only.atom.kind !== 'mod' || only.atom.by !== extent) return index;
  const inner = { ...only.atom.of, offset: 0 };
  const [min, max] = rangeOf(inner);
  return min === 0 && max === extent - 1 ? inner : index;
}

/** The same for each term: rotations of digits whose axes stand in no other term. */
function unrotatedTerms(index: Index): Index {
  const axesOfTerms = index.terms.map((term) => axesOf({ offset: 0, terms: [term] }));
  const alone = (i: number): boolean => axesOfTerms.every((others, k) => k === i || [...axesOfTerms[i]].every((name) => !others.has(name)));
  return index.terms.reduce<Index>((sum, { scale: by, atom }, i) => {
    const term = single(atom);
    return add(sum, scale(atom.kind === 'mod' && alone(i) ? unrotated(term, atom.by) : term, by));
  }, constant(index.offset));
}

function single(atom: Atom): Index {
  return { offset: 0, terms: [{ scale: 1, atom }] };
}

function rangeOfAtom(atom: Atom): Range {
  switch (atom.kind) {
    case 'axis':
    case 'value':
      return [0, atom.extent - 1];
    case 'div': {
      const [min, max] = rangeOf(atom.of);
      return [Math.floor(min / atom.by), Math.floor(max / atom.by)];
    }
    case 'mod':
      return [0, atom.by - 1];
  }
}

/** floor(index / by) where it is the same at every point. */
function quotient(index: Index, by: number): number | undefined {
  const [min, max] = rangeOf(index);
  const low = Math.floor(min / by);
  return low === Math.floor(max / by) ? low : undefined;
}

/** index = by * whole + rest, with scales of the rest smaller than `by` and its offset in [0, by). */
function splitWhole(index: Index, by: number): [whole: Index, rest: Index] {
  const wholeOffset = Math.floor(index.offset / by);
  if (wholeOffset === 0 && index.terms.every((t) => Math.abs(t.scale) < by)) return [ZERO, index];
  const whole: IndexTerm[] = [];
  const rest: IndexTerm[] = [];
  for (const { scale: s, atom } of index.terms) {
    const times = Math.trunc(s / by);
    if (times !== 0) whole.push({ scale: times, atom });
    if (s - times * by !== 0) rest.push({ scale: s - times * by, atom });
  }
  return [
    { offset: wholeOffset, terms: whole },
    { offset: index.offset - wholeOffset * by, terms: rest },
  ];
}

/**
 * index = unit * coarse + fine with 0 <= fine < unit, unit a divisor of `by` above 1: then
 * floor(index / by) = floor(coarse / (by / unit)) and index mod by = unit * (coarse mod (by / unit)) + fine.
 */
function splitFine(index: Index, by: number): { unit: number; coarse: Index; fine: Index } | undefined {
  const units = new Set(index.terms.map((t) => gcd(t.scale, by)));
  for (const unit of [...units].sort((a, b) => b - a)) {
    if (unit === 1) continue;
    const small = index.terms.filter((t) => t.scale % unit !== 0);
    const [min, max] = rangeOf({ offset: index.offset, terms: small });
    const units = Math.floor(min / unit);
    if (max >= (units + 1) * unit) continue;
    return {
      unit,
      coarse: { offset: units, terms: index.terms.filter((t) => t.scale % unit === 0).map((t) => ({ scale: t.scale / unit, atom: t.atom })) },
      fine: { offset: index.offset - units * unit, terms: small },
    };
  }
  return undefined;
}

function gcd(a: number, b: number): number {
  a = Math.abs(a);
  while (a) [a, b] = [b % a, a];
  return b;
}

/** The sum of terms in normal form: equal atoms joined, quotients and remainders put back together. */
function sum(terms: readonly IndexTerm[], offset: number): Index {
  const byKey = new Map<string, IndexTerm>();
  let joined = false;
  for (const term of terms) {
    const key = keyOfAtom(term.atom);
    const before = byKey.get(key);
    if (before) joined = true;
    byKey.set(key, before ? { scale: before.scale + term.scale, atom: term.atom } : term);
  }
  if (joined) for (const [key, term] of byKey) if (term.scale === 0) byKey.delete(key);
  const whole = recombine(byKey);
  if (whole) return add(whole, { offset, terms: [...byKey.values()] });
  const sorted = [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, term]) => term);
  return { offset, terms: sorted };
}

/** Takes s * b * floor(x / b) and s * (x mod b) out and returns s * x; likewise for a quotient that is itself reduced by a mod. */
function recombine(terms: Map<string, IndexTerm>): Index | undefined {
  for (const [key, { scale: s, atom }] of terms) {
    if (atom.kind !== 'mod') continue;
    const above = floorDiv(atom.of, atom.by);
    if (above.offset === 0 && above.terms.length === 1 && above.terms[0].scale === 1) {
      const aboveKey = keyOfAtom(above.terms[0].atom);
      if (terms.get(aboveKey)?.scale === s * atom.by) {
        terms.delete(key);
        terms.delete(aboveKey);
        return scale(atom.of, s);
      }
    }
    const aboveKey = keyOf(above);
    for (const [otherKey, { scale: t, atom: other }] of terms) {
      if (other.kind !== 'mod' || t !== s * atom.by || keyOf(other.of) !== aboveKey) continue;
      terms.delete(key);
      terms.delete(otherKey);
      return scale(mod(atom.of, atom.by * other.by), s);
    }
  }
  return undefined;
}
