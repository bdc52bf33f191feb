/** Exact counts of how often guarded code runs: points of a box that satisfy conditions on its indices. */
import type { Axis } from '../kernel.ts';
import { axesOfExpr } from '../kernel-expr.ts';
import { compileExpr, conjuncts, forEachPoint, slotsOf, type Guard } from '../kernel-points.ts';

export { isStatic, type Guard } from '../kernel-points.ts';

/**
 * The number of points of the axes where every guard is as it says. Guards that share no axis multiply, so only the
 * axes that stand together in guards are enumerated.
 */
export function countPoints(axes: readonly Axis[], guards: readonly Guard[]): number {
  const groups: { names: Set<string>; guards: Guard[] }[] = [];
  for (const guard of guards.flatMap(conjuncts)) {
    const merged = { names: axesOfExpr(guard.condition), guards: [guard] };
    for (let i = groups.length - 1; i >= 0; i--) {
      if (![...groups[i].names].some((n) => merged.names.has(n))) continue;
      for (const n of groups[i].names) merged.names.add(n);
      merged.guards.push(...groups[i].guards);
      groups.splice(i, 1);
    }
    groups.push(merged);
  }
  const known = new Set(axes.map((a) => a.name));
  for (const { names } of groups) for (const n of names) if (!known.has(n)) throw new Error(`bug: a guard on ${n}, which no loop runs over`);
  const grouped = new Set(groups.flatMap((g) => [...g.names]));
  let count = 1;
  for (const a of axes) if (!grouped.has(a.name)) count *= a.extent;
  for (const group of groups) count *= enumerate(axes.filter((a) => group.names.has(a.name)), group.guards);
  return count;
}

function enumerate(axes: readonly Axis[], guards: readonly Guard[]): number {
  const slots = slotsOf(axes);
  const tests = guards.map(({ condition, holds }) => ({ test: compileExpr(condition, slots), holds: holds ? 1 : 0 }));
  let count = 0;
  forEachPoint(axes, (point) => {
    if (tests.every(({ test, holds }) => test(point) === holds)) count++;
  });
  return count;
}
