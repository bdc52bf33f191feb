/**
 * Attention in matrix units: softmax(f(Q K^T)) V with f16 operands and f32 accumulation, in two passes over the keys. What
 * a lane holds of a fragment is not defined, so sums cannot be rescaled row by row as a greater score is met (attention-
 * tiles.ts does): the first pass finds each row's greatest score, the second adds up weighted values against it.
 *
 * Each subgroup keeps its rows' queries and sums as fragments. A tile of scores goes through workgroup memory to the lanes,
 * which apply f; weights go back as f16. Their sum is that of the rounded weights, so that rounding shifts no result.
 * Keys and values are staged for the whole workgroup, each tile on its way while the one before is multiplied. A step of
 * the second pass is
 *
 *     multiply: scores of tile t; barrier; weigh: weights of tile t, keys of tile t + 1 and values of tile t to workgroup
 *     memory, the next ones under way; barrier; mix: weights times values; barrier
 *
 * Where a lane can keep its scores of all keys in registers, the second pass has no need of the first of these.
 */
import { attentionFragments } from '../../kernel-attention-fragments.ts';
import type { AttentionFragments } from '../../kernel-attention-fragments.ts';
import { attentionProblem, keysOf } from '../../kernel-attention-problem.ts';
import type { AttentionProblem } from '../../kernel-attention-problem.ts';
import { flattener } from '../../kernel-contraction.ts';
import { FRAGMENT } from '../../kernel-fragments.ts';
import { axis, constant } from '../../kernel-index.ts';
import { storedElements } from '../../kernel-layout.ts';
import type { Axis, Index, Kernel } from '../../kernel.ts';
import type { Space } from '../../plan.ts';
import type { AttentionMatrixSchedule } from '../../schedule.ts';
import type { Target } from '../../targets.ts';
import { Emitter } from '../emitter.ts';
import { Values } from '../values.ts';
import { add, assign, barrier, construct, div, element, ifOf, less, mod, mul, splat, u32 } from '../wgsl-build.ts';
import type { KernelCode, WgslExpr } from '../wgsl.ts';
import { AttentionWeights } from './attention-matrix-weights.ts';
import { steps } from './attention-products.ts';
import { emitEpilogue } from './contraction-epilogue.ts';
import { defineGroups } from './contraction-tile.ts';
import { enableMatrices, FragmentMemory, matrix, multiplyAccumulate, resultGrid, resultLanes } from './fragment-memory.ts';
import { comesInEights, FragmentTile } from './subgroup-matrix-tiles.ts';

export function generateAttentionMatrix(kernel: Kernel, spaces: readonly Space[], schedule: AttentionMatrixSchedule, target: Target): KernelCode {
  const problem = attentionProblem(kernel);
  if (!problem) throw new Error(`bug: ${kernel.name} is no attention`);
  // The problem's addresses are flat and as stored.
  const flat = kernel.params.map((p) => ({ ...p, shape: [storedElements(p)], layout: undefined }));
  const stages = kernel.stages.map((s) => ({ ...s, body: flattener(kernel)(s.body) }));
  const emitter = new Emitter({ ...kernel, params: flat, stages }, spaces, target);
  enableMatrices(emitter);
  return new AttentionMatrix(emitter, problem, schedule).generate();
}

class AttentionMatrix {
  private readonly values: Values;
  private readonly layout: AttentionFragments;
  /** First of the subgroup's rows in the workgroup. */
  private readonly firstRow: WgslExpr;
  /** Whether the subgroup has any row; absent where all have. */
  private readonly busy?: WgslExpr;
  private readonly memory: FragmentMemory;
  /** Values that are brought to workgroup memory at once. */
  private readonly wide: 4 | 8;
  private readonly lanes: AttentionWeights;
  private readonly keyTile: FragmentTile;
  /** One, or two where all scores are kept: the second is where the keys were. */
  private readonly valueTiles: readonly FragmentTile[];
  /** sums[fragment of rows][fragment of values] */
  private readonly sums: readonly (readonly WgslExpr[])[];

  constructor(private readonly emitter: Emitter, private readonly problem: AttentionProblem, private readonly schedule: AttentionMatrixSchedule) {
    const layout = attentionFragments(problem, schedule);
    this.layout = layout;
    const { B, M } = problem.mix;
    const { groups, size, groupRows, rows, keyTiles, depthFragments, valueFragments } = layout;
    const { keys } = schedule;
    this.values = new Values(emitter, false);
    emitter.runs(groups * size);
    const id = emitter.builtin('workgroup_id');
    if (B > 1) emitter.defineAxis({ name: 'b', extent: B }, element(id, 1));
    this.firstRow = emitter.bind('first_row', mul(emitter.subgroup(schedule.subgroups), u32(rows)));
    if (M % groupRows !== 0) this.busy = emitter.bind('busy', less(add(mul(element(id, 0), u32(groupRows)), this.firstRow), u32(M)));
    this.memory = new FragmentMemory(emitter, 'eights', 8 * layout.vectors, 0);
    this.wide = this.comesInEights() ? 8 : 4;
    const staging = { tileK: keys, tiles: keyTiles, padded: true, size, groups, group: u32(0), wide: this.wide };
    this.keyTile = new FragmentTile(emitter, this.values, keysOf(problem), 'right', { ...staging, tile: FRAGMENT * depthFragments, label: 'key' }, this.memory, layout.keyStart);
    this.valueTiles = (layout.keep && keyTiles > 1 ? [layout.valueStart, layout.keyStart] : [layout.valueStart]).map((start, i) =>
      new FragmentTile(emitter, this.values, problem.mix, 'right', { ...staging, tile: FRAGMENT * valueFragments, label: `value${i}` }, this.memory, start));
    this.lanes = new AttentionWeights(emitter, this.values, { problem, schedule, layout, firstRow: this.firstRow, memory: this.memory });
    this.sums = resultGrid(emitter, schedule.fragments, valueFragments);
  }

  /** Whether all operands do, which may lie in one buffer. */
  private comesInEights(): boolean {
    const { emitter: { kernel }, problem } = this;
    const { products, mix } = problem;
    const others = [problem.score, ...mix.outputs.map((o) => o.value)];
    return comesInEights(kernel, products, 'left', others) && comesInEights(kernel, keysOf(problem), 'right', others) && comesInEights(kernel, mix, 'right', others);
  }

  generate(): KernelCode {
    const { emitter, layout } = this;
    const { keyTiles, keep, groups, size } = layout;
    this.keyTile.prefetch(constant(0), groups);
    const queries = this.loadQueries();
    this.keyTile.stage(constant(0), true);
    if (keyTiles > 1) this.keyTile.prefetch(constant(1), groups);
    emitter.push(barrier);
    if (keep) this.keepScores(queries);
    else this.walkTwice(queries);
    this.finish();
    return emitter.finish([size, 1, 1], [layout.rowTiles, this.problem.mix.B, 1]);
  }

  /** Every lane keeps its scores, so that they are made once. All tiles are written out: registers have no numbers at run time. */
  private keepScores(queries: readonly (readonly WgslExpr[])[]): void {
    const { emitter, layout, lanes, keyTile, valueTiles } = this;
    const { keyTiles, groups } = layout;
    for (let tile = 0; tile < keyTiles; tile++) {
      this.whereBusy(1, () => this.multiply(queries));
      emitter.push(barrier);
      this.whereBusy(1, () => lanes.keep(tile));
      if (tile + 1 === keyTiles) break;
      keyTile.stage(constant(0), true);
      if (tile + 2 < keyTiles) keyTile.prefetch(constant(tile + 2), groups);
      emitter.push(barrier);
    }
    valueTiles[0].prefetch(constant(0), groups);
    lanes.settleTops();
    // Weights and values have two places each: one barrier a tile.
    for (let tile = 0; tile < keyTiles; tile++) {
      const half = (tile % 2) as 0 | 1;
      this.whereBusy(1, () => lanes.weighKept(tile, half));
      valueTiles[half].stage(constant(0), true);
      if (tile + 1 < keyTiles) valueTiles[1 - half].prefetch(constant(tile + 1), groups);
      emitter.push(barrier);
      this.whereBusy(1, () => this.mix(valueTiles[half], half));
    }
    emitter.push(barrier);
  }

  private walkTwice(queries: readonly (readonly WgslExpr[])[]): void {
    const { emitter, layout, lanes, valueTiles: [values] } = this;
    const { keyTiles, groups, size } = layout;
    const first: Axis = { name: 'first', extent: keyTiles };
    steps(emitter, first, groups * size * keyTiles, u32(keyTiles), (tile) => {
      this.whereBusy(keyTiles, () => this.multiply(queries));
      emitter.push(barrier);
      this.whereBusy(keyTiles, () => lanes.findTops(tile));
      this.nextKeys(tile, 0);
      emitter.push(barrier);
    });
    lanes.settleTops();
    values.prefetch(constant(0), groups);
    const second: Axis = { name: 'second', extent: keyTiles };
    steps(emitter, second, groups * size * keyTiles, u32(keyTiles), (tile) => {
      this.whereBusy(keyTiles, () => this.multiply(queries));
      emitter.push(barrier);
      this.whereBusy(keyTiles, () => lanes.weigh(tile));
      this.nextKeys(tile, keyTiles);
      values.stage(constant(0), true);
      this.after(tile, 1, keyTiles, (next) => values.prefetch(next(), groups * (keyTiles - 1)));
      emitter.push(barrier);
      this.whereBusy(keyTiles, () => this.mix(values, 0));
      // Scores of the next tile come where these weights are, results where anything is.
      emitter.push(barrier);
    });
  }

  /** Runs f where the subgroup has rows, `times` over the dispatch. */
  private whereBusy(times: number, f: () => void): void {
    const { emitter, layout, problem, schedule, busy } = this;
    const body = emitter.nested({}, () => {
      emitter.runs(problem.mix.B * Math.ceil(problem.mix.M / layout.rows) * schedule.subgroupSize * times);
      f();
    });
    emitter.push(busy ? ifOf(busy, body) : { kind: 'block', body });
  }

  /** Runs f with the tile that comes `steps` later, where the first `below` have one. */
  private after(tile: WgslExpr, later: number, below: number, f: (next: () => Index) => void): void {
    const { emitter, layout } = this;
    const { keyTiles, groups, size } = layout;
    const count = Math.min(keyTiles, below - later);
    if (count <= 0) return;
    const body = emitter.nested({}, () => {
      emitter.runs(groups * size * count);
      f(() => {
        const own: Axis = { name: `later${later}`, extent: keyTiles };
        const at = add(tile, u32(later));
        // After the last tile the first one comes again.
        emitter.defineAxis(own, emitter.bind('next', below > keyTiles ? mod(at, u32(keyTiles)) : at));
        return axis(own);
      });
    });
    emitter.push(count < keyTiles ? ifOf(less(tile, u32(count)), body) : { kind: 'block', body });
  }

  /** The keys of the next turn go to workgroup memory, those of the turn after it are loaded. `before`: turns before this loop, of two for each tile. */
  private nextKeys(tile: WgslExpr, before: number): void {
    const { groups, keyTiles } = this.layout;
    const left = 2 * keyTiles - before;
    this.after(tile, 1, left, () => this.keyTile.stage(constant(0), true));
    this.after(tile, 2, left, (next) => this.keyTile.prefetch(next(), groups * Math.min(keyTiles, left - 2)));
  }

  /** The subgroup's queries as fragments, [fragment of rows][fragment of the depth]; they come where the scores come later. */
  private loadQueries(): WgslExpr[][] {
    const { emitter, problem, schedule, layout, firstRow } = this;
    const { groupRows, queryDepth, depthFragments, groups, size } = layout;
    const tiles = Math.ceil((FRAGMENT * depthFragments) / queryDepth);
    const staged = new FragmentTile(emitter, this.values, problem.products, 'left', {
      tile: groupRows, tileK: queryDepth, tiles, groups, size, padded: true, group: element(emitter.builtin('workgroup_id'), 0), label: 'query', wide: this.wide,
    }, this.memory, 0);
    const queries: WgslExpr[][] = Array.from({ length: schedule.fragments }, () => []);
    for (let tile = 0; tile < tiles; tile++) {
      if (tile > 0) emitter.push(barrier);
      staged.prefetch(constant(tile), groups);
      staged.stage(constant(tile), true);
      emitter.push(barrier);
      for (let depth = 0; depth < queryDepth && queries[0].length < depthFragments; depth += FRAGMENT) {
        queries.forEach((row, f) => row.push(emitter.bind('query', staged.fragment(add(firstRow, u32(FRAGMENT * f)), depth))));
      }
    }
    return queries;
  }

  /** The scores of a tile, before f, go to workgroup memory. */
  private multiply(queries: readonly (readonly WgslExpr[])[]): void {
    const { emitter, schedule, layout, keyTile } = this;
    for (let key = 0; key < schedule.keys; key += FRAGMENT) {
      // Set to zero in so many words: Dawn does so for a variable in a loop only the first time, where it is a matrix.
      const products = queries.map(() => emitter.variable('product', matrix('result'), construct(matrix('result'))));
      for (let d = 0; d < layout.depthFragments; d++) {
        const right = emitter.bind('key', keyTile.fragment(u32(FRAGMENT * d), key, true));
        products.forEach((product, f) => emitter.push(assign(product, multiplyAccumulate(queries[f][d], right, product))));
      }
      products.forEach((product, f) => this.memory.putResults(this.lanes.scoresAt(f, key), product, layout.pitch));
    }
  }

  /** Adds the tile's weighted values. */
  private mix(values: FragmentTile, half: 0 | 1): void {
    const { emitter, schedule } = this;
    for (let key = 0; key < schedule.keys; key += FRAGMENT) {
      const left = this.sums.map((_, f) => emitter.bind('weight', this.lanes.fragment(f, key, half)));
      this.sums[0].forEach((_, v) => {
        const right = emitter.bind('value', values.fragment(u32(FRAGMENT * v), key));
        this.sums.forEach((row, f) => emitter.push(assign(row[v], multiplyAccumulate(left[f], right, row[v]))));
      });
    }
  }

  /** Sums come to the lanes, which divide and store them. Neighbours stand along the values, so that they store whole lines. */
  private finish(): void {
    const { emitter, problem, schedule, layout, values, lanes, memory, firstRow } = this;
    const { mix } = problem;
    const { rows, rowTiles, finished, valueFragments, resultPitch: pitch } = layout;
    const { subgroups, subgroupSize } = schedule;
    const lane = emitter.builtin('subgroup_invocation_id');
    lanes.putTotals();
    for (let from = 0; from < valueFragments; from += finished) {
      const fragments = Math.min(finished, valueFragments - from);
      const fours = (FRAGMENT / 4) * fragments;
      const { lanesM, lanesN } = resultLanes(fours, subgroupSize);
      if (from > 0) emitter.push(barrier);
      this.sums.forEach((row, f) => row.slice(from, from + fragments).forEach((sum, v) => memory.putResults(add(mul(add(firstRow, u32(FRAGMENT * f)), u32(pitch)), u32((v * FRAGMENT) / 4)), sum, pitch)));
      emitter.push(barrier);
      const body = emitter.nested({}, () => {
        const threads = rowTiles * subgroups * lanesM;
        emitter.runs(mix.B * threads * lanesN);
        const laneN = emitter.bind('lane_n', mod(lane, u32(lanesN)));
        const inRows = Array.from({ length: rows / lanesM }, (_, turn) => emitter.bind('in_rows', add(firstRow, add(div(lane, u32(lanesN)), u32(turn * lanesM)))));
        const points = defineGroups(
          emitter, { role: 'm', extent: mix.M, width: 1, threads },
          inRows.map((row) => add(mul(element(emitter.builtin('workgroup_id'), 0), u32(layout.groupRows)), row)),
          (thread, turn) => Math.floor(thread / lanesM) * rows + turn * lanesM + (thread % lanesM),
        );
        const columns = defineGroups(
          emitter, { role: 'n', extent: mix.N, width: 4, threads: lanesN },
          Array.from({ length: fours / lanesN }, (_, j) => add(laneN, u32((from * FRAGMENT) / 4 + j * lanesN))),
          (thread, j) => (from * FRAGMENT) / 4 + j * lanesN + thread,
        );
        const results = inRows.map((row) => {
          const total = splat(emitter.bind('total', lanes.total(row)), 4);
          return columns.map((_, j) => emitter.bind('mixed', div(memory.results(add(mul(row, u32(pitch)), add(laneN, u32(j * lanesN)))), total)));
        });
        emitEpilogue(emitter, values, mix, { rows: points.flatMap((g) => g.points), columns, sum: (i, j) => results[i][j], threadsN: lanesN, repeats: mix.B });
      });
      emitter.push({ kind: 'block', body });
    }
  }
}
