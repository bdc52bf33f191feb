/** Sums over the threads of a workgroup that take turns at the depth of a tile. */
import { rowSharers, turnsLayout } from '../../kernel-turns.ts';
import type { Emitter } from '../emitter.ts';
import { add, and, assign, barrier, binary, element, ifOf, inPairs, less, mod, mul, sub, u32 } from '../wgsl-build.ts';
import type { WgslExpr, WgslStatement } from '../wgsl.ts';

export interface Turns {
  /** Threads that share a tile's depth, a power of two above 1, and this thread's number among them. */
  readonly count: number;
  readonly turn: WgslExpr;
  /** Threads that have the same turn; `place` modulo this is the same for threads that share a tile. */
  readonly threads: number;
  readonly place: WgslExpr;
  /** Whether there are threads with further turns, whose sums count for nothing. */
  readonly more?: boolean;
  /** What differs between neighbouring threads. */
  readonly neighbours: 'turn' | 'place';
  /** Where the sums can lie, an array of their type that no thread reads any more; else memory of its own. */
  readonly memory?: { readonly at: WgslExpr; readonly elements: number };
}

export interface SharedSums {
  /** Threads of a tile that go on: turns 0, ..., sharers - 1. Thread `turn` of them has rows turn, turn + sharers, ... */
  readonly sharers: number;
  /** What of a thread's rows is the first of the turns' rows, for each. */
  readonly rows: readonly number[];
  /** Adds up the sums of this thread's rows, where only threads that go on come by. */
  collect(): WgslExpr[][];
}

/** Brings together the sums, [row][group of columns], of all turns. Barriers: every thread of the workgroup must come here. */
export function shareSums(emitter: Emitter, sums: readonly (readonly WgslExpr[])[], { count, turn, threads, place, more = false, neighbours, memory }: Turns): SharedSums {
  const [rows, groups] = [sums.length, sums[0].length];
  const { type } = sums[0][0];
  const { parts, pitch, elements } = turnsLayout(count, threads, rows * groups, type.kind === 'value' ? type.width : 1);
  const array = memory && memory.elements >= elements ? memory.at : emitter.workgroupVar('partial', { kind: 'array', of: type, length: elements });
  const thread = emitter.bind('thread', mod(place, u32(threads)));
  /** Neighbouring threads' sums lie side by side, or an odd number of elements apart. */
  const slot = (turn: WgslExpr, sum: WgslExpr): WgslExpr => {
    const inTurn = neighbours === 'turn' ? add(mul(thread, u32(rows * groups)), sum) : add(mul(sum, u32(threads)), thread);
    return element(array, add(mul(turn, u32(pitch)), inTurn));
  };
  const each = (f: (sum: WgslExpr, at: WgslExpr) => WgslStatement): WgslStatement[] =>
    emitter.nested({}, () => sums.flat().forEach((sum, i) => emitter.push(f(sum, u32(i)))));

  if (parts < count) {
    const last = each((sum, i) => assign(slot(sub(turn, u32(parts)), i), sum));
    const first = each((sum, i) => assign(sum, slot(turn, i), '+'));
    const others = binary('>=', turn, u32(parts));
    emitter.push(ifOf(more ? and(others, less(turn, u32(count))) : others, last), barrier, ifOf(less(turn, u32(parts)), first));
    if (parts > 1) emitter.push(barrier);
  }
  if (parts === 1) return { sharers: 1, rows: sums.map((_, i) => i), collect: () => sums.map((row) => [...row]) };
  const store = each((sum, i) => assign(slot(turn, i), sum));
  if (more || parts < count) emitter.push(ifOf(less(turn, u32(parts)), store));
  else emitter.push(...store);
  emitter.push(barrier);

  const sharers = rowSharers(rows, parts);
  const own = Array.from({ length: rows / sharers }, (_, i) => i * sharers);
  const total = (row: WgslExpr, group: number): WgslExpr => {
    const all = Array.from({ length: parts }, (_, t) => slot(u32(t), add(mul(row, u32(groups)), u32(group))));
    return emitter.bind('sum', inPairs(all, add));
  };
  return {
    sharers,
    rows: own,
    collect: () => own.map((first) => sums[0].map((_, j) => total(sharers === 1 ? u32(first) : add(turn, u32(first)), j))),
  };
}
