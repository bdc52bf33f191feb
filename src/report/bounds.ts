/** Bounds of sums of axes: what comparisons of indices say, in one form whatever way they are written. */
import type { Expr, Index, IndexTerm } from '../kernel.ts';
import { keyOf, rangeOf, sub, type Range } from '../kernel-index.ts';
import type { Guard } from '../kernel-points.ts';

/** min <= of <= max, where `of` has no offset, its scales have no common factor and the first is positive. */
export interface Bound {
  readonly of: Index;
  readonly min: number;
  readonly max: number;
}

/** The bound min <= index <= max; bounds of one sum have one key. One that nothing satisfies stays one. */
export function boundOn(index: Index, min: number, max: number): Bound {
  const factor = factorOf(index.terms);
  if (factor === 0) return { of: { offset: 0, terms: [] }, min: min - index.offset, max: max - index.offset };
  const [a, b] = [(min - index.offset) / factor, (max - index.offset) / factor];
  const [least, most] = factor > 0 ? [a, b] : [b, a];
  return { of: divided(index, factor), min: Math.ceil(least), max: Math.floor(most) };
}

/** What an index is a multiple of, but for its offset, with the sign of its first term. */
export function factorOf(terms: readonly IndexTerm[]): number {
  const common = terms.reduce((d, t) => gcd(d, t.scale), 0);
  return terms.length > 0 && terms[0].scale < 0 ? -common : common;
}

/** The terms of an index over a number that divides every scale. */
function divided({ terms }: Index, by: number): Index {
  return { offset: 0, terms: terms.map(({ scale, atom }) => ({ scale: scale / by, atom })) };
}

export function gcd(a: number, b: number): number {
  [a, b] = [Math.abs(a), Math.abs(b)];
  while (b) [a, b] = [b, a % b];
  return a;
}

/** What a guard says, where that is a bound of one sum. */
export function boundOfGuard({ condition: e, holds }: Guard): Bound | undefined {
  if (e.kind !== 'binary') return undefined;
  const [a, b] = [indexOf(e.a), indexOf(e.b)];
  if (!a || !b) return undefined;
  const difference = sub(a, b);
  switch (e.op) {
    case 'less': return holds ? boundOn(difference, -Infinity, -1) : boundOn(difference, 0, Infinity);
    case 'lessEqual': return holds ? boundOn(difference, -Infinity, 0) : boundOn(difference, 1, Infinity);
    case 'equal': return holds ? boundOn(difference, 0, 0) : undefined;
    default: return undefined;
  }
}

function indexOf(e: Expr): Index | undefined {
  if (e.kind === 'index') return e.of;
  return e.kind === 'const' && e.dtype === 'i32' ? { offset: e.value, terms: [] } : undefined;
}

/**
 * The same bounds, each sum once and none that says nothing: quotients are taken apart, and what the axes' extents imply is
 * left out. Undefined where no point satisfies them.
 */
export function joined(bounds: readonly Bound[]): Bound[] | undefined {
  const byKey = new Map<string, Bound>();
  for (const bound of bounds.map(withoutQuotient)) {
    const key = keyOf(bound.of);
    const before = byKey.get(key) ?? bound;
    byKey.set(key, { of: bound.of, min: Math.max(before.min, bound.min), max: Math.min(before.max, bound.max) });
  }
  const kept: Bound[] = [];
  for (const bound of byKey.values()) {
    const [low, high] = rangeOf(bound.of);
    if (bound.min > Math.min(bound.max, high) || bound.max < low) return undefined;
    if (bound.min > low || bound.max < high) kept.push(bound);
  }
  return kept;
}

/** min <= floor(x / b) <= max where b * min <= x < b * (max + 1). */
function withoutQuotient(bound: Bound): Bound {
  const { of, min, max } = bound;
  if (of.terms.length !== 1) return bound;
  const { atom } = of.terms[0];
  return atom.kind === 'div' ? withoutQuotient(boundOn(atom.of, min * atom.by, max * atom.by + atom.by - 1)) : bound;
}

/** The range of an index where the bounds hold. */
export function rangeWithin(index: Index, bounds: readonly Bound[]): Range {
  const [low, high] = rangeOf(index);
  const factor = factorOf(index.terms);
  const key = keyOf(divided(index, factor));
  const bound = bounds.find((b) => keyOf(b.of) === key);
  if (!bound || factor === 0) return [low, high];
  const [a, b] = [factor * bound.min + index.offset, factor * bound.max + index.offset];
  return [Math.max(low, Math.min(a, b)), Math.min(high, Math.max(a, b))];
}
