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
  /** Threads along n that come here, whether columns of theirs lie inside or not. */
  readonly threadsN: number;
  /** The batch: how often the threads of both sides come here. */
  readonly repeats: number;
}

/** Runs f where the point lies inside of the matrix; the block runs `executions` times over the dispatch. */
export function whereInside(emitter: Emitter, inside: WgslExpr | undefined, executions: number, f: () => void): void {
  const body = emitter.nested({}, () => {
    emitter.runs(executions);
    f();
  });
  emitter.push(inside ? ifOf(inside, body) : { kind: 'block', body });
}

/** Row by row, so that what the outputs load lives shortly; what depends on the column only is loaded once for all rows. */
export function emitEpilogue(emitter: Emitter, values: Values, problem: ContractionProblem, { rows, columns, sum, threadsN, repeats }: Tile): void {
  rows.forEach((row, i) => {
    whereInside(emitter, row.inside, repeats * row.threads * threadsN, () => {
      // The row's axis under a name that is known in this block only.
      const own: Axis = { name: 'm~', extent: problem.M };
      const at = values.index(row.index);
      const define = (): void => {
        if (own.extent > 1) emitter.defineAxis(own, at);
      };
      define();
      const store = (points: readonly Point[], value: WgslExpr): void => {
        const [{ inside, threads }] = points;
        if (!inside) return storePoints(emitter, values, problem, axis(own), points, value);
        whereInside(emitter, inside, repeats * row.threads * threads, () => {
          // Once more, so that what depends on row and column is not loaded where the column lies outside.
          define();
          storePoints(emitter, values, problem, axis(own), points, value);
        });
        define();
      };
      columns.forEach((group, j) => {
        if (group.whole) store(group.points, sum(i, j));
        else group.points.forEach((point, t) => store([point], element(sum(i, j), t)));
      });
    });
  });
}

/** Computes and stores the outputs at one row and neighbouring columns. */
function storePoints(emitter: Emitter, values: Values, problem: ContractionProblem, row: Index, columns: readonly Point[], sum: WgslExpr): void {
  const maps = columns.map((c) => new Map([['m', row], ['n', c.index]]));
  const width = columns.length as 1 | 2 | 4;
  values.defineLanes(problem.acc, maps.map((map) => problem.accAt.map((i) => substitute(i, map))), sum);
  for (const output of problem.outputs) {
    const value = values.splat(values.value(maps.map((map) => substituteExpr(output.value, map))), width);
    const flat = maps.map((map) => substitute(output.at, map));
    if (width === 1 || consecutive(flat)) {
      emitter.store(output.buffer, values.index(floorDiv(flat[0], width)), value, width);
      continue;
    }
    const named = emitter.bind('result', value);
    flat.forEach((at, t) => emitter.store(output.buffer, values.index(at), element(named, t), 1));
  }
}
