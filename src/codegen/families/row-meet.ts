/** Threads that share a row bring their partial results together in workgroup memory. */
import type { DType } from '../../graph.ts';
import type { ReduceName } from '../../kernel.ts';
import type { Emitter } from '../emitter.ts';
import { combine, typeOf } from '../scalar.ts';
import { add, assign, barrier, element, ifOf, less, mul, u32 } from '../wgsl-build.ts';
import type { WgslExpr, WgslType } from '../wgsl.ts';

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

/** The threads' values combined, in every thread of the row. Barriers: every thread of the workgroup must come here. */
export function meetRow(emitter: Emitter, { name, op, dtype }: Meeting, own: WgslExpr, { threads, rows, size, row, lane }: Seats): WgslExpr {
  const scalar = typeOf(dtype);
  const array = (length: number): WgslType => ({ kind: 'array', of: scalar, length });
  const base = (length: number): WgslExpr => (rows === 1 ? u32(0) : mul(row, u32(length)));
  const parts = emitter.workgroupVar(`${name}_parts`, array(size));
  emitter.push(assign(element(parts, emitter.builtin('local_invocation_index')), own), barrier);
  if (threads <= DIRECT) return combined(emitter, op, parts, base(threads), threads, 1);
  // First every sixteenth thread's share, then those.
  const few = 16;
  const sums = emitter.workgroupVar(`${name}_sums`, array(few * rows));
  const partial = emitter.nested({}, () => {
    const sum = combined(emitter, op, parts, add(base(threads), lane), threads / few, few);
    emitter.push(assign(element(sums, add(base(few), lane)), sum));
  });
  emitter.push(ifOf(less(lane, u32(few)), partial), barrier);
  return combined(emitter, op, sums, base(few), few, 1);
}

function combined(emitter: Emitter, op: ReduceName, from: WgslExpr, base: WgslExpr, count: number, step: number): WgslExpr {
  const at = emitter.bind('base', base);
  let sums = Array.from({ length: count }, (_, i) => element(from, add(at, u32(i * step))));
  // In pairs: a chain would wait for every addition.
  while (sums.length > 1) sums = sums.flatMap((x, i) => (i % 2 === 1 ? [] : [i + 1 < sums.length ? combine(op, x, sums[i + 1]) : x]));
  return emitter.bind('all', sums[0]);
}
