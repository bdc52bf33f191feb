/** What lanes do between attention's products in matrix units: greatest scores of the rows, weights, and their sums. */
import type { AttentionFragments } from '../../kernel-attention-fragments.ts';
import type { AttentionProblem } from '../../kernel-attention-problem.ts';
import { substituteExpr } from '../../kernel-expr.ts';
import { FRAGMENT } from '../../kernel-fragments.ts';
import { axis, substitute } from '../../kernel-index.ts';
import type { Axis, ReduceName } from '../../kernel.ts';
import type { AttentionMatrixSchedule } from '../../schedule.ts';
import { atMost } from '../emitter.ts';
import type { Emitter } from '../emitter.ts';
import { combine, combineLanes, startOf } from '../scalar.ts';
import type { Values } from '../values.ts';
import { add, assign, barrier, bitcast, bool, construct, div, element, forOf, mod, mul, ref, same, select, splat, sub, u32 } from '../wgsl-build.ts';
import { F32, U32, vector } from '../wgsl.ts';
import type { WgslExpr } from '../wgsl.ts';
import { defineGroups } from './contraction-tile.ts';
import type { Point } from './contraction-tile.ts';
import type { FragmentMemory } from './fragment-memory.ts';

const QUAD = vector('f32', 4);
const HALVES = vector('f16', 4);
const WORDS = vector('u32', 4);
const LEAST = splat(startOf('max', 'f32'), 4);

export interface WeightsPlace {
  readonly problem: AttentionProblem;
  readonly schedule: AttentionMatrixSchedule;
  readonly layout: AttentionFragments;
  /** First of the subgroup's rows in the workgroup. */
  readonly firstRow: WgslExpr;
  /** Scores from the start, a row after the other; each lane's weights begin where its scores of the tile do. */
  readonly memory: FragmentMemory;
}

/** The scores of four neighbouring keys, and which of these exist; all do where nothing is said. */
interface Score {
  readonly value: WgslExpr;
  readonly exists?: WgslExpr;
}

/** Four neighbouring keys, and the vector of their scores. */
interface Four {
  readonly points: readonly Point[];
  readonly at: WgslExpr;
}

/** Each lane has a row of its subgroup, or some of the vectors of one. */
export class AttentionWeights {
  /** The lane's row in the workgroup, and its place among the lanes of the row. */
  private readonly row: WgslExpr;
  private readonly part: WgslExpr;
  /** Greatest score of the lane's keys, and later of the row; sum of the weights of the lane's keys. */
  private readonly top: WgslExpr;
  private readonly sum: WgslExpr;
  private readonly parts: WgslExpr;
  /** The row's greatest score, four times. */
  private whole?: WgslExpr;
  /** The lane's scores, where all are kept: kept[tile][four]. */
  private readonly kept: readonly (readonly WgslExpr[])[];
  /** Where the lane's scores of a tile start. */
  private readonly start: WgslExpr;

  constructor(private readonly emitter: Emitter, private readonly values: Values, private readonly place: WeightsPlace) {
    const { problem, schedule, layout, firstRow } = place;
    const { lanes, groupRows } = layout;
    const lane = emitter.builtin('subgroup_invocation_id');
    this.row = emitter.bind('row', add(firstRow, div(lane, u32(lanes))));
    this.part = lanes > 1 ? emitter.bind('part', mod(lane, u32(lanes))) : u32(0);
    this.start = emitter.bind('start', add(mul(this.row, u32(layout.pitch)), mul(this.part, u32(layout.partPitch))));
    const { M } = problem.mix;
    const at = add(mul(element(emitter.builtin('workgroup_id'), 0), u32(groupRows)), this.row);
    if (M > 1) emitter.defineAxis(this.rowAxis, emitter.bind('m', M % groupRows === 0 ? at : atMost(at, M - 1)));
    this.top = emitter.variable('top', QUAD, LEAST);
    this.sum = emitter.variable('total', QUAD, construct(QUAD));
    this.parts = emitter.workgroupVar('parts', { kind: 'array', of: F32, length: groupRows * lanes });
    this.kept = Array.from({ length: layout.keep ? layout.keyTiles : 0 }, () => Array.from({ length: schedule.keys / 4 / lanes }, () => emitter.variable('kept', QUAD)));
  }

  private get rowAxis(): Axis {
    return { name: 'mrow', extent: this.place.problem.mix.M };
  }

  /** Where a fragment of scores goes: the subgroup's rows from 16 * fragment on, keys from `key` of the tile on; in vectors. */
  scoresAt(fragment: number, key: number): WgslExpr {
    return this.fragmentAt(fragment, key, 4);
  }

  /** Brings the greatest score of the lane up to date with a tile. */
  findTops(tile: WgslExpr): void {
    this.eachEight(tile, (own) => own.forEach((four) => this.meetTop(this.scoreOf(four))));
  }

  /** The same, and keeps the scores. */
  keep(tile: number): void {
    this.eachEightOf(tile, (own, first) => own.forEach((four, i) => this.emitter.push(assign(this.kept[tile][first + i], this.meetTop(this.scoreOf(four))))));
  }

  /** What of a score counts, with the lane's greatest score brought up to date. */
  private meetTop({ value, exists }: Score): WgslExpr {
    const { emitter } = this;
    const shown = exists ? emitter.bind('score', select(exists, value, LEAST)) : value;
    emitter.push(assign(this.top, same('max', this.top, shown)));
    return shown;
  }

  /** The greatest score of each row, over all lanes that share it. Every lane comes here. */
  settleTops(): void {
    const { emitter } = this;
    const own = emitter.bind('most', combineLanes('max', this.top));
    this.whole = splat(this.share('max', own), 4);
  }

  /** Weights of a tile go to workgroup memory: half as long as the scores, so that none comes where one that is still to be read lies. */
  weigh(tile: WgslExpr): void {
    this.eachEight(tile, (own, at) => this.putWeights(own.map((four) => this.scoreOf(four)), at));
  }

  /** The same from scores that were kept; `half`: of the room of the scores. */
  weighKept(tile: number, half: 0 | 1): void {
    this.eachEightOf(tile, (own, first, at) => this.putWeights(own.map((four, i) => ({ value: this.kept[tile][first + i], exists: this.existing(four) })), add(at, u32(half * this.halfPart))));
  }

  private putWeights(own: readonly Score[], at: WgslExpr): void {
    const { emitter } = this;
    const halves = own.map(({ value, exists }) => {
      const weight = same('exp', sub(value, this.whole!));
      // Where all keys are masked by the least number, one that does not exist would weigh as much as they do.
      return emitter.bind('rounded', construct(HALVES, exists ? select(exists, weight, construct(QUAD)) : weight));
    });
    this.place.memory.putEight(at, construct(WORDS, ...halves.map((h) => bitcast(vector('u32', 2), h))));
    emitter.push(assign(this.sum, halves.map((h) => construct(QUAD, h)).reduce(add), '+'));
  }

  /** The weights of a fragment of the subgroup's rows at a key of the tile. */
  fragment(fragment: number, key: number, half: 0 | 1): WgslExpr {
    const { memory, layout } = this.place;
    return memory.fragment('left', add(this.fragmentAt(fragment, key, 8), u32(half * this.halfPart)), false, layout.pitch);
  }

  /** Vectors of a lane's weights of a tile. */
  private get halfPart(): number {
    return this.place.schedule.keys / this.place.layout.lanes / 8;
  }

  /** `each`: keys of a vector. */
  private fragmentAt(fragment: number, key: number, each: 4 | 8): WgslExpr {
    const { firstRow, layout, schedule } = this.place;
    const partKeys = schedule.keys / layout.lanes;
    const inTile = Math.floor(key / partKeys) * layout.partPitch + (key % partKeys) / each;
    return add(mul(add(firstRow, u32(FRAGMENT * fragment)), u32(layout.pitch)), u32(inTile));
  }

  /** The lane's sums go to workgroup memory; there is a barrier before `total` reads them. */
  putTotals(): void {
    const { emitter } = this;
    emitter.push(assign(this.partAt(this.row, this.part), combineLanes('sum', this.sum)));
  }

  /** The sum of a row's weights. */
  total(row: WgslExpr): WgslExpr {
    return this.joined('sum', row);
  }

  private partAt(row: WgslExpr, part: WgslExpr): WgslExpr {
    return element(this.parts, add(mul(row, u32(this.place.layout.lanes)), part));
  }

  private share(op: ReduceName, own: WgslExpr): WgslExpr {
    const { emitter, place } = this;
    if (place.layout.lanes === 1) return own;
    emitter.push(assign(this.partAt(this.row, this.part), own), barrier);
    return emitter.bind('whole', this.joined(op, this.row));
  }

  private joined(op: ReduceName, row: WgslExpr): WgslExpr {
    return Array.from({ length: this.place.layout.lanes }, (_, part) => this.partAt(row, u32(part))).reduce((a, b) => combine(op, a, b));
  }

  /** The lane's keys of a tile, eight at a time: two vectors of scores, and where their weights go. */
  private eachEight(tile: WgslExpr, f: (own: readonly Four[], at: WgslExpr) => void): void {
    const { emitter, place } = this;
    const { schedule, layout, problem } = place;
    const turns = schedule.keys / 8 / layout.lanes;
    const executions = emitter.executions() * turns;
    const { start } = this;
    const name = emitter.names.fresh('eight');
    const body = emitter.nested({}, () => {
      emitter.runs(executions);
      const eight = ref(name, U32);
      const key = emitter.bind('key', add(mul(tile, u32(schedule.keys / 4)), add(mul(this.part, u32(schedule.keys / 4 / layout.lanes)), mul(eight, u32(2)))));
      const keys = defineGroups(
        emitter, { role: 'n', extent: problem.products.N, width: 4, threads: (layout.keyTiles * schedule.keys) / 8 },
        [key, add(key, u32(1))], (thread, four) => 2 * thread + four,
      );
      f(keys.map(({ points }, four) => ({ points, at: add(start, add(mul(eight, u32(2)), u32(four))) })), add(start, eight));
    });
    emitter.push(forOf(name, u32(0), u32(turns), u32(1), body));
  }

  /** The same of one tile, all written out; `first`: number of the first four. */
  private eachEightOf(tile: number, f: (own: readonly Four[], first: number, at: WgslExpr) => void): void {
    const { emitter, place } = this;
    const { schedule, layout, problem } = place;
    const each = schedule.keys / 4 / layout.lanes;
    const executions = emitter.executions();
    const { start } = this;
    for (let first = 0; first < each; first += 2) {
      const at = (tile * schedule.keys) / 4 + first;
      // A scope for each: the keys' axes have the same names in all.
      const body = emitter.nested({}, () => {
        emitter.runs(executions);
        const keys = defineGroups(
          emitter, { role: 'n', extent: problem.products.N, width: 4, threads: layout.lanes },
          [0, 1].map((four) => add(mul(this.part, u32(each)), u32(at + four))), (lane, four) => lane * each + at + four,
        );
        f(keys.map(({ points }, four) => ({ points, at: add(start, u32(first + four)) })), first, add(start, u32(first / 2)));
      });
      emitter.push({ kind: 'block', body });
    }
  }

  /** What goes into the softmax, of products in workgroup memory. */
  private scoreOf(four: Four): Score {
    const { emitter, values, place } = this;
    const { problem, memory } = place;
    const { acc, accAt } = problem.products;
    const product = emitter.bind('product', memory.results(four.at));
    const row = axis(this.rowAxis);
    const maps = four.points.map((n) => new Map([['m', row], ['n', n.index]]));
    values.defineLanes(acc, maps.map((map) => accAt.map((index) => substitute(index, map))), product);
    return { value: emitter.bind('score', values.vector(maps.map((map) => substituteExpr(problem.score, map)))), exists: this.existing(four) };
  }

  private existing({ points }: Four): WgslExpr | undefined {
    if (points.every((p) => !p.inside)) return undefined;
    return this.emitter.bind('exists', construct(vector('bool', 4), ...points.map((p) => p.inside ?? bool(true))));
  }
}
