/** What is done with a contraction's sums: the output's arithmetic on them, and the stores. */
import { axis, floorDiv, substitute } from '../../kernel-index.ts';
import { substituteExpr } from '../../kernel-expr.ts';
import type { Axis, Index } from '../../kernel.ts';
import type { Emitter } from '../emitter.ts';
import { consecutive } from '../../kernel-lanes.ts';
import type { Values } from '../values.ts';
import { element, ifOf } from '../wgsl-build.ts';
import type { WgslExpr } from '../wgsl.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';
import type { Group, Point } from './contraction-tile.ts';

export interface Tile {
  readonly rows: readonly Point[];
  readonly columns: readonly Group[];
  /** The sums of row i at the columns of group j: a vector of the group's width. */
  readonly sum: (i: number, j: number) => WgslExpr;
  /** Threads along n that come here, whether columns of theirs lie inside or not: all do of those that the scope counts. */
  readonly threadsN: number;
  /** The batch: how often the threads of both sides come here. */
  readonly repeats: number;
}

/** Runs f where the point lies inside of the matrix, which is `executions` times over the dispatch where not everywhere. */
function whereInside(emitter: Emitter, inside: WgslExpr | undefined, executions: number, f: () => void): void {
  if (!inside) return f();
  const body = emitter.nested({}, () => {
    emitter.runs(executions);
    f();
  });
  emitter.push(ifOf(inside, body));
}

/** Vectors of outputs that a thread computes before it stores any. */
const TOGETHER = 8;

/**
 * Some rows at a time: all that their outputs load is under way together, then all is stored. A store in between would hold
 * up the loads behind it, since both may be of one buffer. Outside of the matrix the last row or column is computed once more
 * and not stored; what depends on the column only is loaded once for all rows.
 */
export function emitEpilogue(emitter: Emitter, values: Values, problem: ContractionProblem, tile: Tile): void {
  const { rows, columns } = tile;
  const executions = emitter.executions();
  const perRow = problem.outputs.length * columns.reduce((n, group) => n + (group.whole ? 1 : group.points.length), 0);
  const together = Math.max(1, Math.floor(TOGETHER / perRow));
  for (let from = 0; from < rows.length; from += together) {
    const body = emitter.nested({}, () => {
      emitter.runs(executions);
      const stores = rows.slice(from, from + together).map((_, i) => computeRow(emitter, values, problem, tile, from + i));
      for (const store of stores) store();
    });
    emitter.push({ kind: 'block', body });
  }
}

/** Computes what is to be stored of row i, and gives how to store it. */
function computeRow(emitter: Emitter, values: Values, problem: ContractionProblem, { rows, columns, sum, threadsN, repeats }: Tile, i: number): () => void {
  const row = rows[i];
  const own: Axis = { name: `finished_m${i}`, extent: problem.M };
  if (own.extent > 1) emitter.defineAxis(own, values.index(row.index));
  const stores = columns.flatMap(({ whole, points }, j) => {
    const sums = sum(i, j);
    return whole ? [computePoints(emitter, values, problem, axis(own), points, sums)] : points.map((point, t) => computePoints(emitter, values, problem, axis(own), [point], element(sums, t)));
  });
  return () => whereInside(emitter, row.inside, repeats * row.threads * threadsN, () => {
    for (const { point, store } of stores) {
      whereInside(emitter, point.inside, repeats * row.threads * point.threads, store);
    }
  });
}

/** Computes the outputs at one row and neighbouring columns, which lie inside together or not at all. */
function computePoints(emitter: Emitter, values: Values, problem: ContractionProblem, row: Index, columns: readonly Point[], sum: WgslExpr): { readonly point: Point; readonly store: () => void } {
  const maps = columns.map((c) => new Map([['m', row], ['n', c.index]]));
  const width = columns.length as 1 | 2 | 4;
  values.defineLanes(problem.acc, maps.map((map) => problem.accAt.map((i) => substitute(i, map))), sum);
  const results = problem.outputs.map((output) => {
    const value = emitter.bind('result', values.splat(values.value(maps.map((map) => substituteExpr(output.value, map))), width));
    return { buffer: output.buffer, value, flat: maps.map((map) => substitute(output.at, map)) };
  });
  const store = (): void => {
    for (const { buffer, value, flat } of results) {
      if (width === 1 || consecutive(flat)) emitter.store(buffer, values.index(floorDiv(flat[0], width)), value, width);
      else flat.forEach((at, t) => emitter.store(buffer, values.index(at), element(value, t), 1));
    }
  };
  return { point: columns[0], store };
}
