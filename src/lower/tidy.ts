/**
 * Brings a kernel's loops into canonical form, so that kernels of equal work are equal in text and indices are plain:
 * axes that are only used in parts are split, axes of 1 dropped, axes put in the order of the stored buffer, and
 * neighbours that every access treats as one are merged.
 */
import type { Axis, Expr, Index, Stage } from '../kernel.ts';
import { stageRefsOf, visitExpr } from '../kernel-expr.ts';
import { add, axesOf, axis, constant, flatten, floorDiv, mod, plainAxis, rangeOf, sameIndex, scale, strideOf, unrotated } from '../kernel-index.ts';
import { axisLists, change, type Raw } from './rewrite.ts';

export function tidy(raw: Raw): Raw {
  return viewStores(mergeAxes(order(dropOnes(splitAxes(unroll(narrow(raw)))))));
}

/** The same for a kernel of several that are tidy already: what one makes and another reads has to be in the same parts. */
export function tidyJoined(raw: Raw): Raw {
  return viewStores(dropOnes(splitAxes(narrow(raw))));
}

/** Calls f with every index of the kernel, also those inside of others. */
function eachIndex(raw: Raw, f: (index: Index) => void): void {
  const deep = (index: Index): void => {
    f(index);
    for (const { atom } of index.terms) {
      if (atom.kind === 'div' || atom.kind === 'mod') deep(atom.of);
    }
  };
  const expr = (e: Expr): void =>
    visitExpr(e, (part) => {
      if (part.kind === 'index') deep(part.of);
      else if (part.kind === 'load' || part.kind === 'stage') part.at.forEach(deep);
    });
  for (const stage of raw.stages) expr(stage.body);
  for (const store of raw.stores) store.at.forEach(deep);
}

/** Computes of a stage only the points that are read, where all references read the same part of an axis and nothing is stored. */
function narrow(raw: Raw): Raw {
  const stored = new Set(raw.stores.map((s) => s.stage));
  for (const stage of raw.stages.toReversed().filter((s) => !stored.has(s.name))) {
    for (const [i, a] of stage.axes.entries()) {
      const reads = raw.stages.flatMap((s) => stageRefsOf(s.body)).flatMap(({ stage: of, at }) => (of === stage.name ? [rangeOf(at[i])] : []));
      if (reads.length === 0) continue;
      const [low, high] = [Math.min(...reads.map((r) => r[0])), Math.max(...reads.map((r) => r[1]))];
      if (low < 0 || high >= a.extent || high - low + 1 === a.extent) continue;
      const part = { name: `${a.name}n`, extent: high - low + 1 };
      raw = change(raw, {
        axes: (list) => list.map((x) => (x.name === a.name ? part : x)),
        map: new Map([[a.name, add(axis(part), constant(low))]]),
        refs: (of, at) => (of === stage.name ? at.with(i, add(at[i], constant(-low))) : at),
      });
    }
  }
  return raw;
}

/** An output axis along which stages are read in rotation runs in their order instead, and the store is rotated. */
function unroll(raw: Raw): Raw {
  for (const { name: output, axes } of raw.stages.filter((s) => !s.reduce)) {
    for (const a of axes) {
      // A quotient shows the shift; a remainder shows it reduced. The one is right that leaves no shift.
      for (const shift of shiftsOf(raw, output, a.name)) {
        const turned = { name: `${a.name}t`, extent: a.extent };
        const next = change(raw, {
          axes: (list) => list.map((x) => (x.name === a.name ? turned : x)),
          map: new Map([[a.name, mod(add(axis(turned), constant(a.extent - shift)), a.extent)]]),
        });
        if (shiftsOf(next, output, turned.name).size > 0) continue;
        raw = next;
        break;
      }
    }
  }
  return raw;
}

/** The shifts s for which references of an output stage to others use some quotient or remainder of axis + s. */
function shiftsOf(raw: Raw, output: string, name: string): Set<number> {
  const shifts = new Set<number>();
  const visit = (index: Index): void => {
    for (const { atom } of index.terms) {
      if (atom.kind === 'axis' || atom.kind === 'value') continue;
      if (atom.of.offset !== 0 && axesOf(atom.of).has(name)) shifts.add(shiftOf(atom.of));
      visit(atom.of);
    }
  };
  for (const { at } of stageRefsOf(raw.stages.find((s) => s.name === output)!.body)) at.forEach(visit);
  return shifts;
}

/** floor((i + o) / b) + c is floor((i + o + b * c) / b): the whole of the offsets at i. */
function shiftOf({ offset, terms: [{ atom }] }: Index): number {
  return atom.kind === 'div' ? shiftOf({ ...atom.of, offset: atom.of.offset + offset * atom.by }) : offset;
}

/**
 * An axis n of which only n / b and n % b are wanted, for a divisor b of its extent, becomes two; likewise a stage's axis
 * that is read at digits put together, such as 7 * i + j.
 */
function splitAxes(raw: Raw): Raw {
  for (let fresh = 0; ; fresh++) {
    const found = findSplit(raw);
    if (!found) return raw;
    const { name, extent, by } = found;
    const [high, low]: Axis[] = [
      { name: `${name}h${fresh}`, extent: extent / by },
      { name: `${name}l${fresh}`, extent: by },
    ];
    const positions = new Map(raw.stages.map((s) => [s.name, s.axes.findIndex((a) => a.name === name)]));
    raw = change(raw, {
      axes: (list) => list.flatMap((a) => (a.name === name ? [high, low] : [a])),
      map: new Map([[name, add(scale(axis(high), by), axis(low))]]),
      refs: (stage, at) => {
        const position = positions.get(stage)!;
        return position < 0 ? at : at.flatMap((index, i) => (i === position ? [floorDiv(index, by), mod(index, by)] : [index]));
      },
    });
  }
}

function findSplit(raw: Raw): { name: string; extent: number; by: number } | undefined {
  let found: { name: string; extent: number; by: number } | undefined;
  eachIndex(raw, (index) => {
    for (const { atom } of index.terms) {
      if (found || (atom.kind !== 'div' && atom.kind !== 'mod')) continue;
      const plain = plainAxis(atom.of);
      if (plain && plain.extent % atom.by === 0) found = { ...plain, by: atom.by };
    }
  });
  if (found) return found;
  const axesIn = new Map(raw.stages.map((s) => [s.name, s.axes]));
  for (const user of raw.stages) {
    for (const { stage, at } of stageRefsOf(user.body)) {
      for (const [i, a] of axesIn.get(stage)!.entries()) {
        const by = lowestDigit(at[i], a.extent);
        if (by !== undefined) return { ...a, by };
      }
    }
  }
  return undefined;
}

/** The base of the lowest digit of an index that is made of several axes as digits and runs through [0, extent). */
function lowestDigit(index: Index, extent: number): number | undefined {
  if (index.offset !== 0 || index.terms.length < 2) return undefined;
  const digits = index.terms.map(({ scale: stride, atom }) => ({ stride, extent: atom.kind === 'axis' ? atom.extent : 0 })).sort((a, b) => a.stride - b.stride);
  let next = 1;
  for (const { stride, extent: n } of digits) {
    if (stride !== next || n === 0) return undefined;
    next *= n;
  }
  return next === extent ? digits[0].extent : undefined;
}

/** Axes of 1 run over nothing: their index is 0 already. The same for a buffer's. */
function dropOnes(raw: Raw): Raw {
  const kept = new Map(raw.stages.map((s) => [s.name, s.axes.map((a) => a.extent !== 1)]));
  const shapes = new Map([...raw.shapes].map(([b, shape]) => [b, shape.filter((extent) => extent !== 1)]));
  return change(raw, {
    axes: (list) => list.filter((a) => a.extent !== 1),
    map: new Map(),
    refs: (stage, at) => at.filter((_, i) => kept.get(stage)![i]),
    accesses: (buffer, at) => at.filter((_, i) => raw.shapes.get(buffer)![i] !== 1),
    shapes,
  });
}

/** Output axes in the order in which the first store's buffer lies; earlier stages' axes in the order of their use. */
function order(raw: Raw): Raw {
  const orders = new Map<string, readonly number[]>();
  const [store] = raw.stores;
  const output = raw.stages.find((s) => s.name === store.stage)!;
  const shape = raw.shapes.get(store.buffer)!;
  const offset = flatten(store.at.map((index, i) => unrotated(index, shape[i])), shape);
  const strides = output.axes.map((a) => strideOf(offset, a.name) ?? 0);
  const outer = output.axes.map((_, i) => i).sort((a, b) => Math.abs(strides[b]) - Math.abs(strides[a]) || a - b);
  const outputs = raw.stages.filter((s) => !s.reduce);
  // An output that lies in other parts than the first keeps its order.
  for (const s of outputs) if (s.axes.length === outer.length) orders.set(s.name, outer);
  const inOrder = (s: Stage): Axis[] => (orders.get(s.name) ?? s.axes.map((_, i) => i)).map((i) => s.axes[i]);
  for (const stage of raw.stages.toReversed()) {
    const places = new Map(inOrder(stage).map((a, i) => [a.name, i]));
    for (const { stage: of, at } of stageRefsOf(stage.body)) {
      if (orders.has(of)) continue;
      const found = at.map((i) => places.get(plainAxis(i)?.name ?? '') ?? -1);
      if (new Set(found).size === at.length && !found.includes(-1)) orders.set(of, at.map((_, i) => i).sort((a, b) => found[a] - found[b]));
    }
  }
  const reordered: Raw = { ...raw, stages: raw.stages.map((s) => ({ ...s, axes: inOrder(s) })) };
  return change(reordered, { map: new Map(), refs: (stage, at) => (orders.get(stage) ?? at.map((_, i) => i)).map((i) => at[i]) });
}

/** Merges neighbouring axes as long as some pair can be. */
function mergeAxes(raw: Raw): Raw {
  for (let changed = true, fresh = 0; changed; ) {
    changed = false;
    for (const list of axisLists(raw)) {
      for (let i = 0; i + 1 < list.length && !changed; i++) {
        const merged = tryMerge(raw, list[i], list[i + 1], fresh);
        if (!merged) continue;
        raw = merged;
        fresh += raw.stages.length;
        changed = true;
      }
      if (changed) break;
    }
  }
  return raw;
}

interface Pair {
  readonly a: Axis;
  readonly b: Axis;
  readonly merged: Axis;
}

function tryMerge(raw: Raw, a: Axis, b: Axis, fresh: number): Raw | undefined {
  const pairs = pairsWith(raw, a, b, fresh);
  if (!pairs) return undefined;
  const byFirst = new Map(pairs.map((p) => [p.a.name, p]));
  const seconds = new Set(pairs.map((p) => p.b.name));
  const isMerged = new Set(pairs.map((p) => p.merged.name));
  const map = new Map(pairs.flatMap(({ a, b, merged }) => [[a.name, floorDiv(axis(merged), b.extent)] as const, [b.name, mod(axis(merged), b.extent)] as const]));
  const positions = new Map(raw.stages.map((s) => [s.name, s.axes.findIndex((x) => byFirst.has(x.name))]));
  const extents = new Map(raw.stages.map((s) => [s.name, s.axes.map((x) => x.extent)]));
  const refs = (stage: string, at: readonly Index[]): readonly Index[] => {
    const i = positions.get(stage)!;
    return i < 0 ? at : [...at.slice(0, i), add(scale(at[i], extents.get(stage)![i + 1]), at[i + 1]), ...at.slice(i + 2)];
  };
  // Buffer axes that now depend on parts of a merged axis are merged too.
  const ranges = new Map<string, [first: number, last: number]>();
  const accesses = (buffer: string, at: readonly Index[]): readonly Index[] => {
    const parts = at.flatMap((index, i) => (usesParts(index, isMerged) ? [i] : []));
    if (parts.length > 0) {
      const [first, last] = ranges.get(buffer) ?? [parts[0], parts[0]];
      ranges.set(buffer, [Math.min(first, parts[0]), Math.max(last, parts.at(-1)!)]);
    }
    return at;
  };
  const axes = (list: readonly Axis[]): Axis[] => list.flatMap((x) => (seconds.has(x.name) ? [] : [byFirst.get(x.name)?.merged ?? x]));
  const split = change(raw, { axes, map, refs, accesses });
  const joined = change(split, {
    map: new Map(),
    accesses: (buffer, at) => {
      const range = ranges.get(buffer);
      return range ? join(at, range, (part) => flatten(part, raw.shapes.get(buffer)!.slice(range[0], range[1] + 1))) : at;
    },
    shapes: new Map([...raw.shapes].map(([buffer, shape]) => {
      const range = ranges.get(buffer);
      return [buffer, range ? join(shape, range, (part) => part.reduce((x, y) => x * y, 1)) : shape];
    })),
  });
  let whole = true;
  eachIndex(joined, (index) => {
    if (usesParts(index, isMerged)) whole = false;
  });
  return whole ? joined : undefined;
}

function join<T>(list: readonly T[], [first, last]: readonly [number, number], f: (part: readonly T[]) => T): T[] {
  return [...list.slice(0, first), f(list.slice(first, last + 1)), ...list.slice(last + 1)];
}

/** Whether a quotient or remainder of a merged axis is left. */
function usesParts(index: Index, merged: ReadonlySet<string>): boolean {
  return index.terms.some(({ atom }) => {
    if (atom.kind === 'axis' || atom.kind === 'value') return false;
    return atom.of.terms.some(({ atom: inner }) => inner.kind === 'axis' && merged.has(inner.name)) || usesParts(atom.of, merged);
  });
}

/**
 * The pairs that have to be merged with (a, b): where a stage is read at both, its own axes; where a stage's axes are
 * merged, those of its readers. Undefined where some stage is read at one without the other.
 */
function pairsWith(raw: Raw, a: Axis, b: Axis, fresh: number): Pair[] | undefined {
  const pairs = new Map<string, Pair>();
  const partOf = new Map<string, string>();
  const put = (x: Axis, y: Axis): boolean => {
    const before = pairs.get(x.name);
    if (before) return before.b.name === y.name;
    if (partOf.has(x.name) || partOf.has(y.name)) return false;
    partOf.set(x.name, x.name).set(y.name, x.name);
    pairs.set(x.name, { a: x, b: y, merged: { name: `m${fresh + pairs.size}_${x.name}`, extent: x.extent * y.extent } });
    return true;
  };
  if (!put(a, b)) return undefined;
  const listed = new Map(axisLists(raw).flatMap((list) => list.slice(1).map((second, i) => [`${list[i].name} ${second.name}`, [list[i], second] as const])));
  for (let size = 0; size !== pairs.size; ) {
    size = pairs.size;
    for (const user of raw.stages) {
      for (const { stage, at } of stageRefsOf(user.body)) {
        const axes = raw.stages.find((s) => s.name === stage)!.axes;
        for (let i = 0; i + 1 < axes.length; i++) {
          const here = listed.get(`${plainAxis(at[i])?.name} ${plainAxis(at[i + 1])?.name}`);
          if (pairs.get(axes[i].name)?.b.name === axes[i + 1].name) {
            if (!here || !put(here[0], here[1])) return undefined;
          } else if (here && pairs.get(here[0].name)?.b.name === here[1].name && !put(axes[i], axes[i + 1])) return undefined;
        }
      }
    }
  }
  return [...pairs.values()];
}

/** A store that runs through its whole buffer in order is the identity under a view of the buffer with the stage's own extents. */
function viewStores(raw: Raw): Raw {
  const shapes = new Map(raw.shapes);
  const stores = raw.stores.map((store) => {
    const axes = raw.stages.find((s) => s.name === store.stage)!.axes;
    const extents = axes.map((a) => a.extent);
    const shape = raw.shapes.get(store.buffer)!;
    const total = (s: readonly number[]): number => s.reduce((x, y) => x * y, 1);
    if (total(extents) !== total(shape) || !sameIndex(flatten(store.at, shape), flatten(axes.map(axis), extents))) return store;
    shapes.set(store.buffer, extents);
    return { ...store, at: axes.map(axis) };
  });
  return { ...raw, shapes, stores };
}

