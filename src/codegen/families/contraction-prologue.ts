/**
 * Reductions over the rows of a workgroup's tile that its products need, such as a norm's mean and deviation: the
 * workgroup computes them first, each row by several threads, and keeps them in workgroup memory.
 */
import type { Axis, Index } from '../../kernel.ts';
import { add as plus, axis, constant, scale, substitute, unflatten } from '../../kernel-index.ts';
import { substituteExpr } from '../../kernel-expr.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';
import type { PrologueStage } from '../../kernel-forms.ts';
import { prologueSeats } from '../../kernel-prologue.ts';
import { sizeOf } from '../../graph.ts';
import type { Emitter } from '../emitter.ts';
import { atMost } from '../emitter.ts';
import { combine, combineLanes, startOf, typeOf } from '../scalar.ts';
import type { Values } from '../values.ts';
import { add, and, assign, barrier, binary, construct, div, element, forOf, ifOf, less, mod, mul, ref, splat, u32 } from '../wgsl-build.ts';
import { U32, vector } from '../wgsl.ts';
import type { WgslExpr } from '../wgsl.ts';
import { meetRow, type Seats } from './row-meet.ts';

export interface PrologueTile {
  /** Rows (or columns) of a workgroup's tile, and which tile it is. */
  readonly tile: number;
  readonly group: WgslExpr;
  /** Threads of a workgroup, workgroups. */
  readonly size: number;
  readonly groups: number;
}

/**
 * Tells the values what the reductions are at neighbouring rows, in the current scope and those inside of it: at
 * `points`, indices in the matrix, which are rows `places` of the tile.
 */
export type DefineRows = (points: readonly Index[], places: readonly WgslExpr[]) => void;

const NOTHING: DefineRows = () => {};

/** Emits them, where every thread of the workgroup comes by. */
export function emitPrologue(emitter: Emitter, values: Values, problem: ContractionProblem, side: 'left' | 'right', at: PrologueTile): DefineRows {
  const { prologue } = problem;
  if (prologue?.side !== side) return NOTHING;
  const { stages } = prologue;
  const { tile, group, size, groups } = at;
  const { threads, rows, passes } = prologueSeats(prologue, tile, size);
  const over: Axis = side === 'left' ? { name: 'm', extent: problem.M } : { name: 'n', extent: problem.N };
  const results = stages.map(({ stage }) => emitter.workgroupVar(`${stage.name}_rows`, { kind: 'array', of: typeOf(stage.dtype), length: tile }));

  const pass = emitter.names.fresh('pass');
  const body = emitter.nested({ fence: true }, () => {
    emitter.runs(groups * size * passes);
    const local = emitter.builtin('local_invocation_index');
    const seat = rows * threads < size ? atMost(div(local, u32(threads)), rows - 1) : div(local, u32(threads));
    const seats: Seats = { threads, rows, size, row: emitter.bind('seat', seat), lane: emitter.bind('lane', mod(local, u32(threads))) };
    const place = emitter.bind('place', passes === 1 ? seats.row : add(mul(ref(pass, U32), u32(rows)), seats.row));
    const row = add(mul(group, u32(tile)), place);
    if (over.extent > 1) emitter.defineAxis(over, emitter.bind('row', atMost(row, over.extent - 1)));
    if (threads > 1) emitter.defineAxis({ name: LANE, extent: threads }, seats.lane);
    const all: WgslExpr[] = [];
    all.push(...stages.map((stage) => reduceRow(emitter, values, stage, seats, groups * passes)));
    const keep = emitter.nested({}, () => all.forEach((value, i) => emitter.push(assign(element(results[i], place), value))));
    const first = binary('==', seats.lane, u32(0));
    emitter.push(ifOf(passes * rows > tile ? and(first, less(place, u32(tile))) : first, keep), barrier);
  });
  emitter.push(passes === 1 ? { kind: 'block', body } : forOf(pass, u32(0), u32(passes), u32(1), body));

  return (points, places) => stages.forEach(({ stage, at }, i) => {
    const own = places.map((place) => emitter.bind(`${stage.name}_row`, element(results[i], place)));
    const indices = points.map((point) => at.map((index) => substitute(index, new Map([[over.name, point]]))));
    values.defineLanes(stage.name, indices, own.length === 1 ? own[0] : construct(vector(typeOf(stage.dtype).scalar, own.length as 2 | 4), ...own));
  });
}

const LANE = 'prologue~lane';

/** One reduction over this thread's row, in every thread of the row. `repeats`: how often a workgroup's threads come here. */
function reduceRow(emitter: Emitter, values: Values, { stage, at }: PrologueStage, seats: Seats, repeats: number): WgslExpr {
  const { op, axes } = stage.reduce;
  const { threads, size } = seats;
  const extents = axes.map((a) => a.extent);
  const length = sizeOf(extents);
  const width = length % 4 === 0 ? 4 : length % 2 === 0 ? 2 : 1;
  const groups = length / width;
  const own = stage.axes.map((a, i): [string, Index] => [a.name, at[i]]);
  const part = emitter.variable(stage.name, vector(typeOf(stage.dtype).scalar, width), splat(startOf(op, stage.dtype), width));
  const lane = threads > 1 ? axis({ name: LANE, extent: threads }) : constant(0);
  for (let first = 0; first < groups; first += threads) {
    const points = Array.from({ length: width }, (_, t) => plus(scale(plus(lane, constant(first)), width), constant(t)));
    const combineOwn = (): void => {
      const bodies = points.map((point) => {
        const digits = unflatten(point, extents);
        return substituteExpr(stage.body, new Map([...own, ...axes.map((a, i): [string, Index] => [a.name, digits[i]])]));
      });
      const value = values.vector(bodies);
      emitter.push(op === 'sum' ? assign(part, value, '+') : assign(part, combine(op, part, value)));
    };
    if (first + threads <= groups) {
      combineOwn();
      continue;
    }
    const inside = emitter.nested({ fence: true }, () => {
      let count = 0;
      for (let local = 0; local < size; local++) if ((local % threads) + first < groups) count++;
      emitter.runs(repeats * count);
      combineOwn();
    });
    emitter.push(ifOf(less(seats.lane, u32(groups - first)), inside));
  }
  const lanes = combineLanes(op, part);
  const whole = emitter.bind(stage.name, threads === 1 ? lanes : meetRow(emitter, { name: stage.name, op, dtype: stage.dtype }, lanes, { ...seats, filled: groups }));
  values.define(stage.name, at, whole);
  return whole;
}
