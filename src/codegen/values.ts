/**
 * Scalar expressions as WGSL values, for one point or for several neighbouring points (lanes) at once: the lanes'
 * expressions have one structure, loads of consecutive elements become vector loads, and what is equal in all lanes is
 * computed once.
 */
import type { Axis, BinaryName, Expr, Index, KernelParam, Stage } from '../kernel.ts';
import { dtypeOf, substituteExpr } from '../kernel-expr.ts';
import { add as addIndex, axesOf, axis as axisIndex, constant, floorDiv, keyOf, rangeOf, scale } from '../kernel-index.ts';
import { consecutive } from '../kernel-lanes.ts';
import { storedElements, storedIndex } from '../kernel-layout.ts';
import { isStatic } from './count.ts';
import type { Emitter } from './emitter.ts';
import { atMost, signed } from './emitter.ts';
import { Interner } from './intern.ts';
import { combine, combineLanes, emitBinary, emitCast, emitConstant, emitUnary, startOf, typeOf } from './scalar.ts';
import { add, assign, binary, call, construct, convert, element, i32, ifOf, less, not, select, splat, u32 } from './wgsl-build.ts';
import { valueType, vector } from './wgsl.ts';
import type { Width, WgslExpr } from './wgsl.ts';

/** Steps of a loop that are written out. */
const UNROLLED = 8;
/** Steps of a loop of loads alone, such as parts of a sum, that are written out some at a time. */
const SHORT = 32;

/** Where a stage's values lie in an array of the workgroup. */
export interface Place {
  readonly memory: WgslExpr;
  /** The first word, and how many there are. */
  readonly base: number;
  readonly words: number;
  /** Of a point, from the first on. */
  readonly at: (at: readonly Index[]) => Index;
}

type LoadExpr = Extract<Expr, { kind: 'load' }>;
type StageExpr = Extract<Expr, { kind: 'stage' }>;
type SelectExpr = Extract<Expr, { kind: 'select' }>;

export class Values {
  private readonly interner = new Interner();
  private readonly stages: ReadonlyMap<string, Stage>;
  /** Above 0 inside of branches that run although their condition may not hold: loads stay inside of the buffer. */
  private eager = 0;
  private fresh = 0;
  /** Stages whose values lie in workgroup memory, with where. */
  private readonly places = new Map<string, Place>();

  /** `branches`: false computes both sides of every select, so that loads stay in vectors and inner loops without branches. */
  constructor(readonly emitter: Emitter, private readonly branches = true) {
    this.stages = new Map(emitter.kernel.stages.map((s) => [s.name, s]));
  }

  /** A stage's value at a point is known: a row's maximum, a tile's sum. */
  define(stage: string, at: readonly Index[], value: WgslExpr): void {
    this.emitter.scope.values.set(this.stageKey([{ kind: 'stage', stage, at }]), value);
  }

  /** A stage's values are in the workgroup's memory; whoever reads them is past the barrier. */
  place(stage: string, place: Place): void {
    this.places.set(stage, place);
  }

  isPlaced(stage: string): boolean {
    return this.places.has(stage);
  }

  /**
   * The same for neighbouring points: a vector with a component for each, known together and one by one. What folds at some
   * points only, as a mask's condition does, leaves expressions of several forms, which are computed apart.
   */
  defineLanes(stage: string, points: readonly (readonly Index[])[], value: WgslExpr): void {
    points.forEach((at, t) => this.define(stage, at, element(value, t)));
    if (points.length > 1) this.emitter.scope.values.set(this.stageKey(points.map((at) => ({ kind: 'stage', stage, at }))), value);
  }

  /** The value of one expression. */
  scalar(e: Expr): WgslExpr {
    return this.value([e]);
  }

  /** The values of the lanes: a scalar where all are equal, else a vector (of 2 or 4). */
  value(lanes: readonly Expr[]): WgslExpr {
    const first = lanes[0];
    if (lanes.length > 1 && lanes.every((e) => this.interner.id(e) === this.interner.id(first))) return this.value([first]);
    const range = lanes.length === 1 ? this.rangeTest(first) : undefined;
    if (range) return range;
    const key = this.key(lanes);
    const { emitter } = this;
    // Leaves remember by themselves, where they stand.
    if (first.kind === 'const' || first.kind === 'index' || first.kind === 'load' || first.kind === 'stage') return this.make(lanes);
    return emitter.remembered(key, emitter.scope, () => {
      const value = this.make(lanes);
      // A name for what is used again or long to read; what is simple stays in place.
      return this.uses(first) ? emitter.bind('t', value) : value;
    });
  }

  /** As value, but a vector for more than one lane. */
  vector(lanes: readonly Expr[]): WgslExpr {
    return splat(this.value(lanes), lanes.length as Width);
  }

  splat(value: WgslExpr, width: Width): WgslExpr {
    return splat(value, width);
  }

  index(index: Index): WgslExpr {
    return this.emitter.index(index, (atom) => {
      const chosen = this.scalar(atom.of);
      return convert('u32', call('clamp', valueType(chosen), chosen, i32(0), i32(atom.extent - 1)));
    });
  }

  private stageKey(lanes: readonly Expr[]): string {
    return `stage ${lanes.map((e) => this.interner.id(e)).join(' ')}`;
  }

  private defined(lanes: readonly StageExpr[]): WgslExpr | undefined {
    const key = this.stageKey(lanes);
    let scope: Emitter['scope'] | undefined = this.emitter.scope;
    while (scope && !scope.values.has(key)) scope = scope.parent;
    return scope?.values.get(key);
  }

  private key(lanes: readonly Expr[]): string {
    return `${this.eager > 0 ? 'eager ' : ''}${lanes.map((e) => this.interner.id(e)).join(' ')}`;
  }

  /** Arithmetic of more than one operation gets a name; so equal parts are computed once and lines stay short. */
  private uses(e: Expr): boolean {
    const leaf = (x: Expr): boolean => x.kind === 'const' || x.kind === 'load' || x.kind === 'stage' || x.kind === 'index';
    if (e.kind === 'binary') return !(leaf(e.a) && leaf(e.b));
    return e.kind === 'select' || (e.kind === 'unary' && e.op !== 'neg' && e.op !== 'not');
  }

  private make(lanes: readonly Expr[]): WgslExpr {
    const first = lanes[0];
    if (lanes.some((e) => !sameForm(e, first))) return this.join(lanes.map((e) => this.value([e])));
    const parts = (f: (e: never) => Expr): WgslExpr => this.value(lanes.map(f as (e: Expr) => Expr));
    switch (first.kind) {
      case 'const': return this.join(lanes.map((e) => emitConstant((e as typeof first).value, first.dtype)));
      case 'index': return this.join(lanes.map((e) => signed(this.index((e as typeof first).of))));
      case 'load': return this.load(lanes as readonly LoadExpr[]);
      case 'stage': return this.stage(lanes as readonly StageExpr[]);
      case 'unary': return emitUnary(first.op, parts((e: typeof first) => e.a));
      case 'binary': return this.binary(first.op, parts((e: typeof first) => e.a), parts((e: typeof first) => e.b));
      case 'select': return this.select(lanes as readonly SelectExpr[]);
      case 'cast': return emitCast(first.dtype, parts((e: typeof first) => e.a));
      default: return first satisfies never;
    }
  }

  /** 0 <= index < n, or index < n where the index is never negative: one unsigned comparison. */
  private rangeTest(e: Expr): WgslExpr | undefined {
    if (e.kind !== 'binary') return undefined;
    if (e.op === 'less' && e.a.kind === 'index' && e.b.kind === 'const' && e.b.value > 0 && rangeOf(e.a.of)[0] >= 0) return less(this.index(e.a.of), u32(e.b.value));
    if (e.op !== 'and' || e.a.kind !== 'binary' || e.b.kind !== 'binary') return undefined;
    const { a: low, b: high } = e;
    const isRange = low.op === 'lessEqual' && low.a.kind === 'const' && low.a.value === 0 && high.op === 'less' && high.b.kind === 'const' && high.b.value > 0;
    if (!isRange || low.b.kind !== 'index' || high.a.kind !== 'index' || keyOf(low.b.of) !== keyOf(high.a.of)) return undefined;
    return less(this.index(high.a.of), u32((high.b as { value: number }).value));
  }

  private binary(op: BinaryName, a: WgslExpr, b: WgslExpr): WgslExpr {
    // A power is its base multiplied by itself: the base gets a name.
    return emitBinary(op, op === 'pow' ? this.emitter.bind('t', a) : a, b);
  }

  private join(values: readonly WgslExpr[]): WgslExpr {
    if (values.length === 1) return values[0];
    return construct(vector(valueType(values[0]).scalar, values.length as Width), ...values);
  }

  // ---- Memory.

  private load(lanes: readonly LoadExpr[]): WgslExpr {
    const { emitter } = this;
    const param = emitter.params.get(lanes[0].buffer);
    if (!param) throw new Error(`bug: the kernel has no parameter ${lanes[0].buffer}`);
    const flat = lanes.map((e) => storedIndex(param, e.at));
    if (flat.every((f) => keyOf(f) === keyOf(flat[0]))) return this.loadAt(param.name, flat[0], 1);
    // A vector that may begin inside and end outside cannot be moved inside as a whole.
    const crosses = storedElements(param) % flat.length !== 0 && this.leaves(param, flat[0], flat.length);
    if (consecutive(flat) && !crosses) return this.loadAt(param.name, flat[0], flat.length as 2 | 4);
    return this.join(flat.map((f) => this.loadAt(param.name, f, 1)));
  }

  /** Whether elements flat, flat + 1, ... may lie outside of the buffer: computed where a guard does not hold. */
  private leaves(param: KernelParam, flat: Index, width: number): boolean {
    const [min, max] = rangeOf(flat);
    return this.eager > 0 && (min < 0 || max > storedElements(param) - width);
  }

  /** Elements flat, flat + 1, ..., named where the axes that they depend on are known. */
  private loadAt(buffer: string, flat: Index, width: 1 | 2 | 4): WgslExpr {
    const { emitter } = this;
    const param = emitter.params.get(buffer)!;
    const last = storedElements(param) - width;
    const clamp = this.leaves(param, flat, width);
    const scope = emitter.hoisted(axesOf(flat), true);
    return emitter.remembered(`load${clamp ? ' clamped' : ''} ${buffer} ${width} ${keyOf(flat)}`, scope, () => {
      const at = this.index(floorDiv(flat, width));
      const value = emitter.bind(buffer, emitter.load(buffer, clamp ? atMost(at, last / width) : at, width));
      return param.dtype === 'bool' ? binary('!=', value, splat(i32(0), width)) : value;
    });
  }

  // ---- Stages.

  private stage(lanes: readonly StageExpr[]): WgslExpr {
    const { emitter } = this;
    const stage = this.stages.get(lanes[0].stage);
    if (!stage) throw new Error(`bug: the kernel has no stage ${lanes[0].stage}`);
    const axes = new Set(lanes.flatMap((e) => e.at.flatMap((i) => [...axesOf(i)])));
    const scope = emitter.hoisted(axes, true);
    const defined = this.defined(lanes);
    if (defined) return defined;
    const placed = this.places.get(stage.name);
    if (placed) return this.join(lanes.map((e) => this.kept(stage, placed, placed.at(e.at))));
    return emitter.remembered(this.key(lanes), scope, () => {
      const maps = lanes.map((e) => new Map(stage.axes.map((a, i) => [a.name, e.at[i]])));
      const value = stage.reduce ? this.reduction(stage, maps) : this.value(maps.map((m) => substituteExpr(stage.body, m)));
      return emitter.bind(stage.name, value);
    });
  }

  private kept(stage: Stage, { memory, base, words }: Place, at: Index): WgslExpr {
    const { emitter } = this;
    const [least, most] = rangeOf(at);
    // Not moved into what lies beside it, which others may be writing.
    const clamp = this.eager > 0 && (least < 0 || most >= words);
    return emitter.remembered(`kept${clamp ? ' clamped' : ''} ${stage.name} ${keyOf(at)}`, emitter.hoisted(axesOf(at), true), () => {
      const place = clamp ? add(atMost(this.index(at), words - 1), u32(base)) : this.index(addIndex(at, constant(base)));
      return emitter.bind(stage.name, element(memory, place));
    });
  }

  /** Loops over the reduced axes; the innermost one in vectors where a single lane is wanted. */
  private reduction(stage: Stage, maps: readonly ReadonlyMap<string, Index>[]): WgslExpr {
    const { emitter } = this;
    const { op, axes } = stage.reduce!;
    const loops = axes.map((a): Axis => ({ name: `${a.name}~${this.fresh++}`, extent: a.extent }));
    const bound = new Map(axes.map((a, i) => [a.name, axisIndex(loops[i])]));
    let points = [bound];
    const inner = loops.length - 1;
    if (maps.length === 1 && inner >= 0 && loops[inner].extent % 4 === 0) {
      loops[inner] = { name: loops[inner].name, extent: loops[inner].extent / 4 };
      const first = scale(axisIndex(loops[inner]), 4);
      points = [0, 1, 2, 3].map((lane) => new Map([...bound, [axes[inner].name, addIndex(first, constant(lane))]]));
    }
    // Without branches, loads of a short innermost loop are under way together.
    const short = !this.branches && inner >= 0 && loops[inner].extent <= UNROLLED;
    const unrolled = short ? loops[inner].extent : inner === 0 && stage.body.kind === 'load' ? together(loops[0].extent) : 1;
    const turns: Axis | undefined = unrolled > 1 ? { name: `${loops[inner].name}.turn`, extent: loops[inner].extent / unrolled } : undefined;
    const bodiesAt = (step: number): Expr[] => {
      const at = new Map(turns ? [[loops[inner].name, addIndex(scale(axisIndex(turns), unrolled), constant(step))]] : []);
      return maps.flatMap((map) => points.map((point) => substituteExpr(substituteExpr(stage.body, new Map([...map, ...point])), at)));
    };
    const width = (maps.length * points.length) as Width;
    const type = typeOf(stage.dtype);
    const sum = emitter.variable(stage.name, vector(type.scalar, width), splat(startOf(op, stage.dtype), width));
    const nest = (depth: number): void => {
      if (depth <= inner) return emitter.loop(depth === inner && turns ? turns : loops[depth], () => nest(depth + 1));
      const values = Array.from({ length: unrolled }, (_, step) => this.vector(bodiesAt(step)));
      for (const value of values) emitter.push(op === 'sum' ? assign(sum, value, '+') : assign(sum, combine(op, sum, value)));
    };
    nest(0);
    return points.length > 1 ? combineLanes(op, sum) : sum;
  }

  // ---- Branches.

  /** Branches that load run only where their condition holds, when indices decide it; else both sides are computed. */
  private select(lanes: readonly SelectExpr[]): WgslExpr {
    const conditions = lanes.map((e) => e.condition);
    const first = conditions[0];
    const thens = lanes.map((e) => e.then);
    const others = lanes.map((e) => e.else);
    const loads = (es: readonly Expr[]): boolean => es.some((e) => touchesMemory(e));
    const guarded = this.branches && conditions.every(isStatic);
    if (!loads(thens) && !loads(others)) return select(this.value(conditions), this.value(thens), this.value(others));
    if (!guarded) {
      const condition = this.value(conditions);
      this.eager++;
      const result = select(condition, this.value(thens), this.value(others));
      this.eager--;
      return result;
    }
    if (!conditions.every((c) => this.interner.id(c) === this.interner.id(first))) return this.join(lanes.map((e) => this.value([e])));
    const { emitter } = this;
    const type = vector(typeOf(dtypeOf(lanes[0].then, emitter.kernel)).scalar, lanes.length as Width);
    const condition = this.scalar(first);
    const initial = !loads(others) ? others : !loads(thens) ? thens : undefined;
    const result = emitter.variable('v', type, initial && this.vector(initial));
    const branch = (es: readonly Expr[], holds: boolean): ReturnType<Emitter['nested']> =>
      emitter.nested({ guard: { condition: first, holds } }, () => emitter.push(assign(result, this.vector(es))));
    if (initial === others) emitter.push(ifOf(condition, branch(thens, true)));
    else if (initial === thens) emitter.push(ifOf(not(condition), branch(others, false)));
    else emitter.push(ifOf(condition, branch(thens, true), branch(others, false)));
    return result;
  }
}

/** How many of a short loop's steps are written out: as many as go into it evenly. */
function together(extent: number): number {
  return extent <= SHORT ? greatestDivisor(extent, UNROLLED) : 1;
}

/** The greatest divisor up to `most`. */
export function greatestDivisor(extent: number, most: number): number {
  let divisor = Math.min(extent, most);
  while (extent % divisor !== 0) divisor--;
  return divisor;
}

function sameForm(a: Expr, b: Expr): boolean {
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case 'load': return a.buffer === (b as typeof a).buffer;
    case 'stage': return a.stage === (b as typeof a).stage;
    case 'unary':
    case 'binary': return a.op === (b as typeof a).op;
    case 'cast':
    case 'const': return a.dtype === (b as typeof a).dtype;
    default: return true;
  }
}

const memory = new WeakMap<Expr, boolean>();

/** Whether computing the expression may load. */
function touchesMemory(e: Expr): boolean {
  let touches = memory.get(e);
  if (touches === undefined) memory.set(e, (touches = touchesMemoryOnce(e)));
  return touches;
}

function touchesMemoryOnce(e: Expr): boolean {
  switch (e.kind) {
    case 'const': return false;
    case 'index': return e.of.terms.some((t) => t.atom.kind !== 'axis' && !isStatic({ kind: 'index', of: { offset: 0, terms: [t] } }));
    case 'load':
    case 'stage': return true;
    case 'unary':
    case 'cast': return touchesMemory(e.a);
    case 'binary': return touchesMemory(e.a) || touchesMemory(e.b);
    case 'select': return touchesMemory(e.condition) || touchesMemory(e.then) || touchesMemory(e.else);
    default: return e satisfies never;
  }
}

