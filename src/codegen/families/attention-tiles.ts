/**
 * Attention in tiles: softmax(f(Q K^T)) V with a tile of the scores in registers at a time (Dao et al. 2022, algorithm 1;
 * Milakov and Gimelshein 2018 for the running maximum and sum). For devices with fast workgroup memory.
 *
 * A workgroup keeps some rows and walks over the keys, a tile of them at a time. Thread (ty, tx) computes the scores of
 * its rows at its keys, the workgroup's threads agree on each row's maximum, the weights go to workgroup memory, and
 * thread (ty, tx) adds up the same rows at its share of the values. Where values are fewer than threads along the keys,
 * several threads share a value and each takes some of the keys.
 */
import { attentionLayout } from '../../kernel-attention-layout.ts';
import type { AttentionLayout } from '../../kernel-attention-layout.ts';
import { attentionProblem } from '../../kernel-attention-problem.ts';
import type { AttentionProblem } from '../../kernel-attention-problem.ts';
import { flattener } from '../../kernel-contraction.ts';
import { substituteExpr } from '../../kernel-expr.ts';
import { add as plus, axis, scale, substitute } from '../../kernel-index.ts';
import { storedElements } from '../../kernel-layout.ts';
import type { Axis, Index, Kernel } from '../../kernel.ts';
import type { Space } from '../../plan.ts';
import type { AttentionTilesSchedule } from '../../schedule.ts';
import type { Target } from '../../targets.ts';
import { Emitter } from '../emitter.ts';
import { combineLanes, startOf } from '../scalar.ts';
import { Values } from '../values.ts';
import { add, assign, barrier, bool, construct, div, element, fma, forOf, ifOf, less, mod, mul, ref, same, select, splat, sub, u32 } from '../wgsl-build.ts';
import { U32, vector } from '../wgsl.ts';
import type { KernelCode, WgslExpr } from '../wgsl.ts';
import { RowParts } from './attention-parts.ts';
import { Products, prefetchNext, steps } from './attention-products.ts';
import { emitEpilogue } from './contraction-epilogue.ts';
import { StagedOperand } from './contraction-operand.ts';
import { shareSums } from './contraction-split.ts';
import { defineGroups } from './contraction-tile.ts';
import type { Group } from './contraction-tile.ts';

const VECTOR = vector('f32', 4);
const LEAST = splat(startOf('max', 'f32'), 4);

export function generateAttentionTiles(kernel: Kernel, spaces: readonly Space[], schedule: AttentionTilesSchedule, target: Target): KernelCode {
  const problem = attentionProblem(kernel);
  if (!problem) throw new Error(`bug: ${kernel.name} is no attention`);
  // The problem's addresses are flat and as stored.
  const flat = kernel.params.map((p) => ({ ...p, shape: [storedElements(p)], layout: undefined }));
  const stages = kernel.stages.map((s) => ({ ...s, body: flattener(kernel)(s.body) }));
  return new AttentionTiles(new Emitter({ ...kernel, params: flat, stages }, spaces, target), problem, schedule).generate();
}

/** The scores of some neighbouring keys, and which of these exist; all do where nothing is said. */
interface Score {
  readonly value: WgslExpr;
  readonly exists?: WgslExpr;
}

class AttentionTiles {
  private readonly values: Values;
  private readonly layout: AttentionLayout;
  /** This thread's place along the keys and the rows. */
  private readonly tx: WgslExpr;
  private readonly ty: WgslExpr;
  /** Its place along the values, and its turn among the threads that share them. */
  private readonly vx: WgslExpr;
  private readonly turn: WgslExpr;
  /** Its rows, in groups of four. */
  private readonly rows: readonly Group[];
  /** The weighted sums: sums[row][group of four values]. */
  private readonly sums: readonly (readonly WgslExpr[])[];
  /** Greatest score so far, and sum of the weights of this thread's keys, for four rows each. */
  private readonly tops: readonly WgslExpr[];
  private readonly totals: readonly WgslExpr[];
  private readonly parts: RowParts;
  private readonly weights: WgslExpr;
  /** Keys, then values, of a step. */
  private readonly staged: WgslExpr;
  private readonly tile: Axis;

  constructor(private readonly emitter: Emitter, private readonly problem: AttentionProblem, private readonly schedule: AttentionTilesSchedule) {
    const { groupM, groupN, threadM } = schedule;
    const { B, M } = problem.mix;
    const layout = attentionLayout(problem, schedule);
    this.layout = layout;
    this.values = new Values(emitter, false);
    this.tile = { name: 'keys', extent: layout.keyTiles };
    emitter.runs(layout.groups * layout.size);
    const local = emitter.builtin('local_invocation_index');
    const id = emitter.builtin('workgroup_id');
    this.tx = emitter.bind('tx', mod(local, u32(groupN)));
    this.ty = emitter.bind('ty', div(local, u32(groupN)));
    const shared = layout.valueThreads < groupN;
    this.vx = shared ? emitter.bind('vx', mod(this.tx, u32(layout.valueThreads))) : this.tx;
    this.turn = shared ? emitter.bind('turn', div(this.tx, u32(layout.valueThreads))) : u32(0);
    if (B > 1) emitter.defineAxis({ name: 'b', extent: B }, element(id, 1));
    const rowGroups = threadM / 4;
    this.rows = defineGroups(
      emitter,
      { role: 'm', extent: M, width: 4, threads: layout.rowTiles * groupM },
      Array.from({ length: rowGroups }, (_, r) => add(mul(element(id, 0), u32(groupM * rowGroups)), this.rowGroup(r))),
      (thread, r) => Math.floor(thread / groupM) * groupM * rowGroups + r * groupM + (thread % groupM),
    );
    this.parts = new RowParts(emitter, layout, schedule.groupN, this.tx, this.rows.map((_, r) => this.rowGroup(r)));
    this.weights = emitter.workgroupVar('weights', { kind: 'array', of: VECTOR, length: layout.rows * layout.weightPitch });
    this.staged = emitter.workgroupVar('staged', { kind: 'array', of: VECTOR, length: layout.stagedVectors });
    this.sums = Array.from({ length: threadM }, (_, i) => Array.from({ length: layout.valueGroups }, (_, j) => emitter.variable(`sum${i}_${j}`, VECTOR, construct(VECTOR))));
    this.tops = this.rows.map(() => emitter.variable('top', VECTOR, LEAST));
    this.totals = this.rows.map(() => emitter.variable('total', VECTOR, construct(VECTOR)));
  }

  generate(): KernelCode {
    const { emitter, layout } = this;
    const { groups, size, keyTiles, valueChunks } = layout;
    const { problem, schedule, staged, tx } = this;
    const products = new Products(emitter, this.values, { problem, schedule, layout, staged, tx, rowGroups: this.rows.map((_, r) => this.rowGroup(r)) });
    const values = new StagedOperand(emitter, this.values, problem.mix, 'right', {
      tile: layout.values, group: u32(0), tileK: schedule.tileV, tiles: valueChunks, padded: true, size, groups, label: 'value', memory: staged,
    });
    steps(emitter, this.tile, groups * size * keyTiles, u32(keyTiles), (tile) => {
      const found = products.ofTile(tile);
      if (schedule.prefetch) values.prefetch(scale(axis(this.tile), layout.chunksPerTile), groups * keyTiles);
      this.weigh(this.scores(tile, found));
      this.mix(tile, values);
    });
    this.finish();
    return emitter.finish([size, 1, 1], [layout.rowTiles, problem.mix.B, 1]);
  }

  /** Number among the workgroup's groups of four rows of this thread's group `r`. */
  private rowGroup(r: number): WgslExpr {
    return add(this.ty, u32(r * this.schedule.groupM));
  }

  /** What goes into the softmax; the least number where there is no key. */
  private scores(tile: WgslExpr, products: readonly (readonly WgslExpr[])[]): Score[][] {
    const { emitter, values, problem, schedule, layout } = this;
    const { acc, accAt, N } = problem.products;
    const { groupN, threadN } = schedule;
    const each = threadN / 4;
    const keys = defineGroups(
      emitter,
      { role: 'n', extent: N, width: 4, threads: layout.keyTiles * groupN },
      Array.from({ length: each }, (_, j) => add(add(mul(tile, u32(groupN * each)), this.tx), u32(j * groupN))),
      (thread, j) => Math.floor(thread / groupN) * groupN * each + j * groupN + (thread % groupN),
    );
    const existing = keys.map(({ points }) => (points.every((p) => !p.inside) ? undefined : emitter.bind('exists', construct(vector('bool', 4), ...points.map((p) => p.inside ?? bool(true))))));
    return this.rows.flatMap((g) => g.points).map((row, i) => keys.map(({ points }, j): Score => {
      const maps = points.map((key) => new Map([['m', row.index], ['n', key.index]]));
      values.defineLanes(acc, maps.map((map) => accAt.map((index) => substitute(index, map))), products[i][j]);
      const value = values.vector(maps.map((map) => substituteExpr(problem.score, map)));
      const { [j]: exists } = existing;
      return { value: emitter.bind('score', exists ? select(exists, value, LEAST) : value), exists };
    }));
  }

  /** Brings maximum and sums up to date and puts the tile's weights into workgroup memory. */
  private weigh(scores: readonly (readonly Score[])[]): void {
    const { emitter, layout } = this;
    const running = layout.keyTiles > 1;
    const greatest = scores.map((row) => combineLanes('max', emitter.bind('most', row.map((s) => s.value).reduce((a, b) => same('max', a, b)))));
    const found = this.parts.combine('max', this.rows.map((_, r) => construct(VECTOR, ...greatest.slice(4 * r, 4 * r + 4))));
    this.rows.forEach((_, r) => {
      const top = running ? emitter.bind('next', same('max', this.tops[r], found[r])) : found[r];
      const sum = construct(VECTOR, ...[0, 1, 2, 3].map((i) => this.putWeights(r, i, scores[4 * r + i], element(top, i))));
      if (!running) {
        emitter.push(assign(this.totals[r], sum));
        return;
      }
      const shrink = emitter.bind('shrink', same('exp', sub(this.tops[r], top)));
      emitter.push(assign(this.totals[r], fma(this.totals[r], shrink, sum)), assign(this.tops[r], top));
      for (let i = 0; i < 4; i++) for (const s of this.sums[4 * r + i]) emitter.push(assign(s, element(shrink, i), '*'));
    });
  }

  /** Stores the weights of row `i` of group `r` at this thread's keys, and gives their sum. */
  private putWeights(r: number, i: number, scores: readonly Score[], top: WgslExpr): WgslExpr {
    const { emitter } = this;
    const weights = scores.map(({ value, exists }, j) => {
      const weight = same('exp', sub(value, splat(top, 4)));
      // Where all keys are masked by the least number, one that does not exist would weigh as much as they do.
      const named = emitter.bind('weight', exists ? select(exists, weight, construct(VECTOR)) : weight);
      emitter.push(assign(this.weightAt(r, i, add(this.tx, u32(j * this.schedule.groupN))), named));
      return named;
    });
    return combineLanes('sum', emitter.bind('weight', weights.reduce(add)));
  }

  /** The weights of row `i` of this thread's group `r` at four neighbouring keys of the tile. */
  private weightAt(r: number, i: number, column: WgslExpr): WgslExpr {
    const row = add(mul(this.rowGroup(r), u32(4)), u32(i));
    return element(this.weights, add(mul(row, u32(this.layout.weightPitch)), column));
  }

  /** Adds the tile's weighted values, some keys at a time. */
  private mix(tile: WgslExpr, values: StagedOperand): void {
    const { emitter, schedule, layout } = this;
    const { tileV } = schedule;
    const { chunksPerTile, keyTiles, valueChunks, valueGroups, valueThreads } = layout;
    const over: Axis = { name: 'chunk', extent: Math.min(chunksPerTile, valueChunks) };
    // The last tile may end early.
    const last = valueChunks - (keyTiles - 1) * chunksPerTile;
    const below = last < over.extent ? emitter.bind('chunks', select(less(tile, u32(keyTiles - 1)), u32(chunksPerTile), u32(last))) : u32(over.extent);
    steps(emitter, over, layout.groups * layout.size * valueChunks, below, (chunk) => {
      emitter.push(barrier);
      values.stage(this.chunkOf(over), schedule.prefetch ?? false);
      if (schedule.prefetch && over.extent > 1) {
        const next: Axis = { name: 'next~value', extent: valueChunks };
        const following = add(chunk, u32(1));
        prefetchNext(emitter, next, add(mul(tile, u32(chunksPerTile)), following), less(following, below), layout.groups * (valueChunks - keyTiles), layout.size, [values]);
      }
      emitter.push(barrier);
      const quad = emitter.names.fresh('quad');
      const body = emitter.nested({}, () => {
        const at = ref(quad, U32);
        const column = emitter.bind('column', add(mul(chunk, u32(tileV / 4)), at));
        const v = [0, 1, 2, 3].map((t) => Array.from({ length: valueGroups }, (_, q) => emitter.bind('v', values.at(add(mul(at, u32(4)), u32(t)), add(this.vx, u32(q * valueThreads))))));
        this.sums.forEach((row, i) => {
          const weight = emitter.bind('w', this.weightAt(Math.floor(i / 4), i % 4, column));
          for (let t = 0; t < 4; t++) row.forEach((sum, q) => emitter.push(assign(sum, fma(splat(element(weight, t), 4), v[t][q], sum))));
        });
      });
      emitter.push(forOf(quad, this.turn, u32(tileV / 4), u32(layout.turns), body));
    });
  }

  /** Number of the tile's chunk of keys among all chunks. */
  private chunkOf(chunk: Axis): Index {
    return plus(scale(axis(this.tile), this.layout.chunksPerTile), axis(chunk));
  }

  /** Sums of the threads that share rows and values, then the epilogue. */
  private finish(): void {
    const { emitter, values, problem, schedule, layout } = this;
    const { groupM, threadM } = schedule;
    const { mix } = problem;
    const { valueThreads, valueGroups, turns } = layout;
    const totals = this.parts.combine('sum', this.totals);
    const shared = turns === 1 ? undefined : shareSums(emitter, this.sums, {
      count: turns, turn: this.turn, threads: groupM * valueThreads, place: add(mul(this.ty, u32(valueThreads)), this.vx), neighbours: 'place',
      more: turns * valueThreads < schedule.groupN, memory: { at: this.staged, elements: layout.stagedVectors },
    });
    const sharers = shared?.sharers ?? 1;
    const body = emitter.nested({}, () => {
      emitter.runs(layout.groups * groupM * valueThreads * sharers);
      const columns = defineGroups(
        emitter,
        { role: 'n', extent: mix.N, width: 4, threads: valueThreads },
        Array.from({ length: valueGroups }, (_, q) => add(this.vx, u32(q * valueThreads))),
        (thread, q) => q * valueThreads + thread,
      );
      /** Which of its group's four rows a thread's row is, by the first of those that share it out. */
      const lane = (row: number): WgslExpr => (sharers === 1 ? u32(row % 4) : add(this.turn, u32(row % 4)));
      const first = mul(element(emitter.builtin('workgroup_id'), 0), u32(layout.rows));
      const rows = !shared ? this.rows : defineGroups(
        emitter,
        { role: 'own_m', extent: mix.M, width: 1, threads: layout.rowTiles * groupM * sharers },
        shared.rows.map((row) => add(add(first, mul(this.rowGroup(Math.floor(row / 4)), u32(4))), lane(row))),
        (thread, j) => {
          const [tile, share] = [Math.floor(thread / sharers), thread % sharers];
          return Math.floor(tile / groupM) * groupM * threadM + (Math.floor(shared.rows[j] / 4) * groupM + (tile % groupM)) * 4 + (shared.rows[j] % 4) + share;
        },
      );
      const own = shared?.rows ?? this.sums.map((_, i) => i);
      const sums = (shared?.collect() ?? this.sums).map((row, k) => {
        const total = splat(element(totals[Math.floor(own[k] / 4)], lane(own[k])), 4);
        return row.map((sum) => emitter.bind('mean', div(sum, total)));
      });
      emitEpilogue(emitter, values, mix, { rows: rows.flatMap((g) => g.points), columns, sum: (i, j) => sums[i][j], threadsN: valueThreads, repeats: mix.B });
    });
    const going = sharers * valueThreads;
    emitter.push(going < schedule.groupN ? ifOf(less(this.tx, u32(going)), body) : { kind: 'block', body });
  }
}
