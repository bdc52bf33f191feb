/** Threads that share a row bring their partial results together in workgroup memory. */
import type { DType } from '../../graph.ts';
import type { ReduceName } from '../../kernel.ts';
import type { Emitter } from '../emitter.ts';
import { combine, typeOf } from '../scalar.ts';
import { add, assign, barrier, element, ifOf, less, mul, u32 } from '../wgsl-build.ts';
import type { ValueType, WgslExpr } from '../wgsl.ts';

/** Threads that read all partial results themselves; more are summed in two steps. */
const DIRECT = 32;

/** How a workgroup's threads stand on rows: `threads` to a row, `rows` rows side by side. */
export interface Seats {
  readonly threads: number;
  readonly rows: number;
  /** Threads of the workgroup; those past threads * rows have a place of their own in memory and no row. */
  readonly size: number;
  /** This thread's row within the workgroup, and its place in the row. */
  readonly row: WgslExpr;
  readonly lane: WgslExpr;
}

export interface Meeting {
  readonly name: string;
  readonly op: ReduceName;
  readonly dtype: DType;
}

/** Threads that keep what the others' partial results come to, where there are more than DIRECT. */
const FEW = 16;

/** Workgroup memory where threads on rows meet; they may meet there again once all have passed a barrier. */
export interface MeetingPlace {
  readonly parts: WgslExpr;
  readonly sums?: WgslExpr;
}

export function meetingPlace(emitter: Emitter, name: string, of: ValueType, { threads, rows, size }: Pick<Seats, 'threads' | 'rows' | 'size'>): MeetingPlace {
  const array = (part: string, length: number): WgslExpr => emitter.workgroupVar(`${name}_${part}`, { kind: 'array', of, length });
  return { parts: array('parts', size), ...(threads > DIRECT && { sums: array('sums', FEW * rows) }) };
}

/** The threads' values combined, in every thread of the row. Barriers: every thread of the workgroup must come here. */
export function meetRow(emitter: Emitter, { name, op, dtype }: Meeting, own: WgslExpr, seats: Seats): WgslExpr {
  return meetAt(emitter, meetingPlace(emitter, name, typeOf(dtype), seats), op, own, seats);
}

/** The same at a place that is there already; values may be vectors. */
export function meetAt(emitter: Emitter, { parts, sums }: MeetingPlace, op: ReduceName, own: WgslExpr, { threads, rows, row, lane }: Seats): WgslExpr {
  const base = (length: number): WgslExpr => (rows === 1 ? u32(0) : mul(row, u32(length)));
  emitter.push(assign(element(parts, emitter.builtin('local_invocation_index')), own), barrier);
  if (!sums) return combined(emitter, op, parts, base(threads), threads, 1);
  // First every sixteenth thread's share, then those.
  const partial = emitter.nested({}, () => {
    const sum = combined(emitter, op, parts, add(base(threads), lane), threads / FEW, FEW);
    emitter.push(assign(element(sums, add(base(FEW), lane)), sum));
  });
  emitter.push(ifOf(less(lane, u32(FEW)), partial), barrier);
  return combined(emitter, op, sums, base(FEW), FEW, 1);
}

function combined(emitter: Emitter, op: ReduceName, from: WgslExpr, base: WgslExpr, count: number, step: number): WgslExpr {
  const at = emitter.bind('base', base);
  let sums = Array.from({ length: count }, (_, i) => element(from, add(at, u32(i * step))));
  // In pairs: a chain would wait for every addition.
  while (sums.length > 1) sums = sums.flatMap((x, i) => (i % 2 === 1 ? [] : [i + 1 < sums.length ? combine(op, x, sums[i + 1]) : x]));
  return emitter.bind('all', sums[0]);
}
