/** Threads that share a row bring their partial results together in workgroup memory. */
import type { DType } from '../../graph.ts';
import type { ReduceName } from '../../kernel.ts';
import type { Emitter } from '../emitter.ts';
import { combine, typeOf } from '../scalar.ts';
import { add, assign, barrier, binary, element, ifOf, inPairs, less, mul, same, u32 } from '../wgsl-build.ts';
import type { WgslExpr } from '../wgsl.ts';

/** Threads that read all partial results themselves; more are summed in two steps. */
const DIRECT = 32;

/** How a workgroup's threads stand on rows: `threads` to a row, `rows` rows side by side. */
export interface Seats {
  readonly threads: number;
  readonly rows: number;
  /** Threads of the workgroup; those past threads * rows have a place of their own in memory and no row. */
  readonly size: number;
  /** Threads of a row that have something, the first of them; the others' values change nothing. Default: all. */
  readonly filled?: number;
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

/**
 * The greatest of the values of all threads of a workgroup, in every thread, by way of its subgroups: `parts` has room for
 * one value of each. The next meeting there has to be a barrier later. Barriers: every thread of the workgroup must come here.
 */
export function greatestOfSubgroups(emitter: Emitter, parts: WgslExpr, own: WgslExpr, subgroups: number): WgslExpr {
  const all = emitter.bind('of_subgroup', same('subgroupMax', own));
  const keep = emitter.nested({}, () => emitter.push(assign(element(parts, emitter.subgroup(subgroups)), all)));
  emitter.push(ifOf(binary('==', emitter.builtin('subgroup_invocation_id'), u32(0)), keep), barrier);
  return combined(emitter, 'max', parts, u32(0), subgroups, 1);
}

/** The threads' values combined, in every thread of the row. Barriers: every thread of the workgroup must come here. */
export function meetRow(emitter: Emitter, { name, op, dtype }: Meeting, own: WgslExpr, seats: Seats): WgslExpr {
  const { threads, rows, size, row, lane } = seats;
  const filled = Math.min(threads, seats.filled ?? threads);
  const array = (part: string, length: number): WgslExpr => emitter.workgroupVar(`${name}_${part}`, { kind: 'array', of: typeOf(dtype), length });
  const parts = array('parts', size);
  const sums = filled > DIRECT ? array('sums', FEW * rows) : undefined;
  const base = (length: number): WgslExpr => (rows === 1 ? u32(0) : mul(row, u32(length)));
  emitter.push(assign(element(parts, emitter.builtin('local_invocation_index')), own), barrier);
  if (!sums) return combined(emitter, op, parts, base(threads), filled, 1);
  // First every sixteenth thread's share, then those.
  const partial = emitter.nested({}, () => {
    const sum = combined(emitter, op, parts, add(base(threads), lane), Math.ceil(filled / FEW), FEW);
    emitter.push(assign(element(sums, add(base(FEW), lane)), sum));
  });
  emitter.push(ifOf(less(lane, u32(FEW)), partial), barrier);
  return combined(emitter, op, sums, base(FEW), FEW, 1);
}

function combined(emitter: Emitter, op: ReduceName, from: WgslExpr, base: WgslExpr, count: number, step: number): WgslExpr {
  const at = emitter.bind('base', base);
  const parts = Array.from({ length: count }, (_, i) => element(from, add(at, u32(i * step))));
  return emitter.bind('all', inPairs(parts, (a, b) => combine(op, a, b)));
}
