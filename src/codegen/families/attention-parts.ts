/** What the threads of a row found, combined over them through workgroup memory. */
import type { AttentionLayout } from '../../kernel-attention-layout.ts';
import type { ReduceName } from '../../kernel.ts';
import type { Emitter } from '../emitter.ts';
import { combine } from '../scalar.ts';
import { add, assign, barrier, element, ifOf, inPairs, less, mul, u32 } from '../wgsl-build.ts';
import { vector } from '../wgsl.ts';
import type { WgslExpr } from '../wgsl.ts';

const VECTOR = vector('f32', 4);

export class RowParts {
  private readonly all: WgslExpr;
  /** What is left after a first step, where there are two. */
  private readonly some?: WgslExpr;

  /** `rowGroups`: numbers of the thread's groups of four rows; `tx`: its place among the `threads` that share them. */
  constructor(private readonly emitter: Emitter, private readonly layout: AttentionLayout, private readonly threads: number, private readonly tx: WgslExpr, private readonly rowGroups: readonly WgslExpr[]) {
    const { rows, few } = layout;
    const array = (length: number) => ({ kind: 'array', of: VECTOR, length: (rows / 4) * length }) as const;
    this.all = emitter.workgroupVar('parts', array(threads));
    if (few > 0) this.some = emitter.workgroupVar('fewer_parts', array(few));
  }

  /** A value of four rows for each group, over all threads. Every thread of the workgroup comes here, a barrier after the last time. */
  combine(op: ReduceName, own: readonly WgslExpr[]): WgslExpr[] {
    const { emitter, threads, tx, rowGroups, some } = this;
    const { few } = this.layout;
    const line = (r: number, length: number): WgslExpr => mul(rowGroups[r], u32(length));
    own.forEach((value, r) => emitter.push(assign(element(this.all, add(line(r, threads), tx)), value)));
    emitter.push(barrier);
    if (!some) return own.map((_, r) => this.strided(op, this.all, line(r, threads), threads, 1));
    const firstStep = emitter.nested({}, () => own.forEach((_, r) => {
      const value = this.strided(op, this.all, add(line(r, threads), tx), threads / few, few);
      emitter.push(assign(element(some, add(line(r, few), tx)), value));
    }));
    emitter.push(ifOf(less(tx, u32(few)), firstStep), barrier);
    return own.map((_, r) => this.strided(op, some, line(r, few), few, 1));
  }

  private strided(op: ReduceName, from: WgslExpr, base: WgslExpr, count: number, step: number): WgslExpr {
    const at = this.emitter.bind('base', base);
    const parts = Array.from({ length: count }, (_, i) => element(from, add(at, u32(i * step))));
    return this.emitter.bind('whole', inPairs(parts, (a, b) => combine(op, a, b)));
  }
}
