/** Static memory planning: offsets for buffers with known live ranges, so that ranges that overlap in time do not in space. */

export interface Interval {
  readonly bytes: number;
  /** First and last step, both included. */
  readonly live: readonly [first: number, last: number];
}

export interface Arena {
  /** One for each interval, multiples of the alignment. */
  readonly offsets: readonly number[];
  readonly bytes: number;
  /** The most bytes live at one step. */
  readonly bound: number;
}

/** Orders to place intervals in; which is best depends on the model, so all are tried. */
const ORDERS: readonly ((a: Interval, b: Interval) => number)[] = [
  (a, b) => b.bytes - a.bytes,
  (a, b) => b.bytes * lengthOf(b) - a.bytes * lengthOf(a),
  (a, b) => lengthOf(b) - lengthOf(a) || b.bytes - a.bytes,
  (a, b) => a.live[0] - b.live[0] || b.bytes - a.bytes,
  (a, b) => b.live[1] - a.live[1] || b.bytes - a.bytes,
];

/** Rounds of moving the interval that ends highest to the front, in each order, where the bound is not reached. */
const ROUNDS = 24;

function lengthOf({ live }: Interval): number {
  return live[1] - live[0] + 1;
}

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

export function planArena(intervals: readonly Interval[], alignment: number): Arena {
  const bound = livenessBound(intervals);
  let best: { offsets: number[]; bytes: number } | undefined;
  for (const order of ORDERS) {
    const sequence = intervals.map((_, i) => i).sort((a, b) => order(intervals[a], intervals[b]) || a - b);
    for (let round = 0; round < ROUNDS; round++) {
      const offsets = place(intervals, sequence, alignment);
      const ends = intervals.map((x, i) => offsets[i] + x.bytes);
      const bytes = roundUp(Math.max(0, ...ends), 4);
      if (!best || bytes < best.bytes) best = { offsets, bytes };
      if (bytes <= bound) return { ...best, bound };
      // What sticks out is placed first next time.
      const highest = ends.indexOf(Math.max(...ends));
      if (sequence[0] === highest) break;
      sequence.splice(sequence.indexOf(highest), 1);
      sequence.unshift(highest);
    }
  }
  // Where that leaves more than a little, step by step and with second thoughts.
  for (const limit of LIMITS.map((share) => share * bound)) {
    if (best!.bytes <= limit) break;
    const offsets = search(intervals, limit, alignment);
    if (offsets) best = { offsets, bytes: roundUp(Math.max(...intervals.map((x, i) => offsets[i] + x.bytes)), 4) };
  }
  return { ...best!, bound };
}

/** Shares of the bound that a search tries to keep to, and the places that it tries for each. */
const LIMITS = [1, 1.02, 1.05];
const TRIES = 100_000;

/**
 * Offsets that end at the limit at most, or undefined where none were found: intervals in the order in which they begin,
 * each at an end of a gap, the smallest gap first; where none is left, the one before goes elsewhere.
 */
function search(intervals: readonly Interval[], limit: number, alignment: number): number[] | undefined {
  const order = intervals.map((_, i) => i).sort((a, b) => intervals[a].live[0] - intervals[b].live[0] || intervals[b].bytes - intervals[a].bytes || a - b);
  const offsets = new Array<number>(intervals.length).fill(0);
  let tries = TRIES;

  /** Ends of the gaps between what is live, by the size of the gap. */
  const choices = (bytes: number, live: readonly number[]): number[] => {
    const gaps: { readonly from: number; readonly to: number }[] = [];
    let from = 0;
    for (const j of [...live].sort((a, b) => offsets[a] - offsets[b])) {
      gaps.push({ from, to: offsets[j] });
      from = Math.max(from, roundUp(offsets[j] + intervals[j].bytes, alignment));
    }
    gaps.push({ from, to: limit });
    const fitting = gaps.filter((g) => g.to - g.from >= bytes).sort((a, b) => a.to - a.from - (b.to - b.from));
    return [...new Set(fitting.flatMap((g) => [g.from, Math.floor((g.to - bytes) / alignment) * alignment]))];
  };
  interface Frame {
    /** What is live beside the interval that this frame places, its choices, and how many of them were tried. */
    readonly live: readonly number[];
    readonly offsets: readonly number[];
    tried: number;
  }
  const frame = (at: number, before: readonly number[]): Frame => {
    const { bytes, live: [first] } = intervals[order[at]];
    const live = before.filter((j) => intervals[j].live[1] >= first);
    return { live, offsets: choices(bytes, live), tried: 0 };
  };
  // A stack of its own: unfused graphs have more tensors than calls can nest.
  const frames = [frame(0, [])];
  while (frames.length > 0) {
    const top = frames.at(-1)!;
    const own = order[frames.length - 1];
    if (top.tried === top.offsets.length) {
      frames.pop();
      continue;
    }
    if (tries-- <= 0) return undefined;
    offsets[own] = top.offsets[top.tried++];
    if (frames.length === order.length) return offsets;
    frames.push(frame(frames.length, [...top.live, own]));
  }
  return undefined;
}

export function livenessBound(intervals: readonly Interval[]): number {
  const changes = new Map<number, number>();
  for (const { bytes, live } of intervals) {
    changes.set(live[0], (changes.get(live[0]) ?? 0) + bytes);
    changes.set(live[1] + 1, (changes.get(live[1] + 1) ?? 0) - bytes);
  }
  let live = 0;
  let most = 0;
  for (const [, change] of [...changes].sort(([a], [b]) => a - b)) most = Math.max(most, (live += change));
  return most;
}

/** Each in turn into the smallest gap that holds it between those placed already whose lives overlap its own. */
function place(intervals: readonly Interval[], sequence: readonly number[], alignment: number): number[] {
  const offsets = new Array<number>(intervals.length).fill(0);
  const placed: number[] = [];
  for (const i of sequence) {
    const { bytes, live } = intervals[i];
    let end = 0;
    let at: number | undefined;
    let smallest = Infinity;
    for (const j of placed) {
      const other = intervals[j];
      if (other.live[0] > live[1] || other.live[1] < live[0]) continue;
      const gap = offsets[j] - end;
      if (gap >= bytes && gap < smallest) {
        smallest = gap;
        at = end;
      }
      end = Math.max(end, roundUp(offsets[j] + other.bytes, alignment));
    }
    offsets[i] = at ?? end;
    placed.splice(insertionPoint(placed, offsets, offsets[i]), 0, i);
  }
  return offsets;
}

/** Where to insert so that `placed` stays sorted by offset. */
function insertionPoint(placed: readonly number[], offsets: readonly number[], offset: number): number {
  let low = 0;
  let high = placed.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[placed[middle]] <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
