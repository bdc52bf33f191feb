/**
 * A workgroup's products of queries with keys, a tile at a time, both staged through workgroup memory. Where keys lie
 * with their depth side by side they are staged so and a product is a sum over vectors; else vectors of neighbouring rows
 * and keys are staged at each depth and a step is an outer product. Both read as many vectors.
 */
import type { AttentionLayout } from '../../kernel-attention-layout.ts';
import type { AttentionProblem } from '../../kernel-attention-problem.ts';
import { axis, constant } from '../../kernel-index.ts';
import type { Axis, Index } from '../../kernel.ts';
import type { AttentionTilesSchedule } from '../../schedule.ts';
import type { Emitter } from '../emitter.ts';
import type { Values } from '../values.ts';
import { add, assign, barrier, construct, element, fma, forOf, ifOf, less, mul, ref, same, splat, u32 } from '../wgsl-build.ts';
import { U32, vector } from '../wgsl.ts';
import type { WgslExpr } from '../wgsl.ts';
import { StagedRows } from './attention-rows.ts';
import { StagedOperand } from './contraction-operand.ts';

const VECTOR = vector('f32', 4);

/** A loop over an axis as far as `below`, the body alone where the axis is one step long. */
export function steps(emitter: Emitter, over: Axis, executions: number, below: WgslExpr, f: (at: WgslExpr) => void): void {
  const name = emitter.names.fresh(over.name);
  const at = over.extent > 1 ? ref(name, U32) : u32(0);
  const body = emitter.nested({}, () => {
    emitter.runs(executions);
    if (over.extent > 1) emitter.defineAxis(over, at);
    f(at);
  });
  emitter.push(over.extent > 1 ? forOf(name, u32(0), below, u32(1), body) : { kind: 'block', body });
}

export interface ProductsPlace {
  readonly problem: AttentionProblem;
  readonly schedule: AttentionTilesSchedule;
  readonly layout: AttentionLayout;
  /** Memory for the keys of a step. */
  readonly staged: WgslExpr;
  readonly tx: WgslExpr;
  /** Numbers of the thread's groups of four rows among the workgroup's. */
  readonly rowGroups: readonly WgslExpr[];
}

/** An operand whose steps through the depth come to workgroup memory, perhaps by way of registers. */
interface Staged {
  prefetch(step: Index, executions: number): void;
  stage(step: Index, prefetched: boolean): void;
}

/**
 * Loads a step into registers while the one before is multiplied: `next` numbers it, `exists` tells whether there is one, in
 * so many of the turns of all workgroups together.
 */
export function prefetchNext(emitter: Emitter, over: Axis, next: WgslExpr, exists: WgslExpr, executions: number, size: number, operands: readonly Staged[]): void {
  const axisOfNext: Axis = { name: `next~${over.name}`, extent: over.extent };
  const body = emitter.nested({ fence: true }, () => {
    emitter.runs(executions * size);
    emitter.defineAxis(axisOfNext, next);
    for (const operand of operands) operand.prefetch(axis(axisOfNext), executions);
  });
  emitter.push(ifOf(exists, body));
}

/** One way of staging both operands. */
interface Operands {
  /** Before a tile of keys. */
  readonly begin: (tile: WgslExpr) => void;
  readonly keys: () => Staged;
  readonly queries: Staged;
  /** Adds the products of one step; `chunk`: its number. */
  readonly multiply: (products: readonly (readonly WgslExpr[])[], chunk: WgslExpr) => void;
}

export class Products {
  private readonly operands: Operands;

  /** Stages queries that are kept. */
  constructor(private readonly emitter: Emitter, private readonly values: Values, private readonly place: ProductsPlace) {
    this.operands = place.schedule.dots ? this.inRows() : this.inColumns();
    if (place.schedule.keep) this.operands.queries.stage(constant(0), false);
  }

  /** Products of this thread's rows with its keys of a tile: for each row, vectors of neighbouring keys. */
  ofTile(tile: WgslExpr): WgslExpr[][] {
    const { emitter, operands } = this;
    const { schedule, layout } = this.place;
    const { threadM, threadN, keep } = schedule;
    const products = Array.from({ length: threadM }, () => Array.from({ length: threadN / 4 }, () => emitter.variable('product', VECTOR, construct(VECTOR))));
    operands.begin(tile);
    const { chunks, size } = layout;
    const tiles = layout.groups * layout.keyTiles;
    const over: Axis = { name: 'chunk', extent: chunks };
    const prefetches = (schedule.prefetch ?? false) && chunks > 1;
    const staged = [operands.keys(), ...(keep ? [] : [operands.queries])];
    if (prefetches) for (const operand of staged) operand.prefetch(constant(0), tiles);
    steps(emitter, over, tiles * size * chunks, u32(chunks), (chunk) => {
      emitter.push(barrier);
      for (const operand of staged) operand.stage(axis(over), prefetches);
      if (prefetches) prefetchNext(emitter, over, add(chunk, u32(1)), less(chunk, u32(chunks - 1)), tiles * (chunks - 1), size, staged);
      emitter.push(barrier);
      operands.multiply(products, chunk);
    });
    return products;
  }

  /** Depth of queries staged at once, steps of it, and how often all of them are staged. */
  private get queries(): { readonly tileK: number; readonly tiles: number; readonly groups: number } {
    const { schedule, layout } = this.place;
    const { groups, keyTiles, chunks } = layout;
    return schedule.keep ? { tileK: chunks * schedule.tileK, tiles: 1, groups } : { tileK: schedule.tileK, tiles: chunks, groups: groups * keyTiles };
  }

  private inRows(): Operands {
    const { emitter, values } = this;
    const { problem, schedule, layout, tx, rowGroups } = this.place;
    const { products } = problem;
    const { threadN, groupN, tileK, keep } = schedule;
    const { tileK: queryDepth, tiles, groups } = this.queries;
    const shape = { depth: products.depth[0], size: layout.size };
    const memory = emitter.workgroupVar('queries', { kind: 'array', of: VECTOR, length: layout.queryVectors });
    const queries = new StagedRows(emitter, values, { ...shape, operand: products.left, name: 'm', extent: products.M, tile: layout.rows, tileK: queryDepth, stagings: groups * tiles, memory });
    const keys = new StagedRows(emitter, values, { ...shape, operand: products.right, name: 'n', extent: products.N, tile: layout.keys, tileK, stagings: layout.groups * layout.keyTiles * layout.chunks, memory: this.place.staged });
    queries.begin(element(emitter.builtin('workgroup_id'), 0));
    return {
      begin: (tile) => keys.begin(tile),
      keys: () => keys,
      queries,
      multiply: (sums, chunk) => {
        const quad = emitter.names.fresh('quad');
        const body = emitter.nested({}, () => {
          const inStep = ref(quad, U32);
          const whole = keep ? add(mul(chunk, u32(tileK / 4)), inStep) : inStep;
          const q = rowGroups.flatMap((t) => [0, 1, 2, 3].map((c) => emitter.bind('q', queries.at(t, c, whole))));
          for (let j = 0; j < threadN / 4; j++) {
            for (let c = 0; c < 4; c++) {
              const k = emitter.bind('k', keys.at(add(tx, u32(j * groupN)), c, inStep));
              sums.forEach((row, i) => {
                const sum = element(row[j], c);
                emitter.push(assign(sum, [0, 1, 2, 3].reduce((s, t) => same('fma', element(q[i], t), element(k, t), s), sum)));
              });
            }
          }
        });
        emitter.push(forOf(quad, u32(0), u32(tileK / 4), u32(1), body));
      },
    };
  }

  private inColumns(): Operands {
    const { emitter, values } = this;
    const { problem, schedule, layout, staged, tx, rowGroups } = this.place;
    const { threadN, groupN, tileK, keep } = schedule;
    const { size } = layout;
    const queries = new StagedOperand(emitter, values, problem.products, 'left', { ...this.queries, tile: layout.rows, group: element(emitter.builtin('workgroup_id'), 0), padded: true, size, label: 'query' });
    let keys: StagedOperand | undefined;
    return {
      begin: (group) => {
        keys = new StagedOperand(emitter, values, problem.products, 'right', { tile: layout.keys, group, tileK, tiles: layout.chunks, padded: true, size, groups: layout.groups * layout.keyTiles, label: 'key', memory: staged });
      },
      keys: () => keys!,
      queries,
      multiply: (sums, chunk) => {
        const depth = emitter.names.fresh('depth');
        const body = emitter.nested({}, () => {
          const inStep = ref(depth, U32);
          const whole = keep ? add(mul(chunk, u32(tileK)), inStep) : inStep;
          const q = rowGroups.map((t) => emitter.bind('q', queries.at(whole, t)));
          const k = Array.from({ length: threadN / 4 }, (_, j) => emitter.bind('k', keys!.at(inStep, add(tx, u32(j * groupN)))));
          sums.forEach((row, i) => row.forEach((sum, j) => emitter.push(assign(sum, fma(splat(element(q[Math.floor(i / 4)], i % 4), 4), k[j], sum)))));
        });
        emitter.push(forOf(depth, u32(0), u32(tileK), u32(1), body));
      },
    };
  }
}
