/** Calls that follow each other as one kernel: what is only passed on between them is not stored, and weights come in one buffer. */
import { sizeOf } from '../graph.ts';
import type { Axis, Buffer, BufferId, Expr, Index, KernelCall, KernelParam, Stage } from '../kernel.ts';
import { axesOfExpr, exprKey, isTest, load, loadsOf, stageAt, stageRefsOf, substituteExpr } from '../kernel-expr.ts';
import { add, axis, constant, flatten, reshapeIndex, strideOf, substitute } from '../kernel-index.ts';
import type { Draft } from './finish.ts';
import type { RawStore } from './rewrite.ts';

/** What surrounds the calls. */
export interface Surroundings {
  readonly bufferOf: (id: BufferId) => Buffer;
  /** Whether none but the calls reads the buffer, and it is no output of the model. */
  readonly isPassed: (id: BufferId) => boolean;
}

/** Weights one after the other, flat: those that are read in vectors, or the others, which would take the vectors from them. */
export interface WeightPack {
  readonly name: string;
  readonly weights: readonly BufferId[];
  readonly elements: number;
  readonly storage: Buffer['storage'];
}

export interface JoinedCalls {
  readonly draft: Draft;
  /** By their names in the draft; other buffers have theirs. */
  readonly packs: readonly WeightPack[];
}

/** Undefined where a value between the calls is not all stored at once, in order. */
export function joinCalls(calls: readonly KernelCall[], around: Surroundings, name: Draft['name']): JoinedCalls | undefined {
  const { packs, placeOf } = packWeights(calls, around);
  /** Values that the calls make: by buffer, as a function of a place in the shape under which it was written; undefined: of a part. */
  const made = new Map<BufferId, { readonly shape: KernelParam['shape']; readonly at: (place: readonly Index[]) => Expr } | undefined>();
  const stages: Stage[] = [];
  const stores: RawStore[] = [];
  let whole = true;
  for (const [c, { kernel, args }] of calls.entries()) {
    const idOf = new Map(kernel.params.map((p, i) => [p.name, args[i]]));
    const paramOf = new Map(kernel.params.map((p) => [p.name, p]));
    const own = (stage: string): string => `${c}.${stage}`;
    const axes = new Map(kernel.stages.flatMap((s) => [...s.axes, ...(s.reduce?.axes ?? [])]).map((a) => [a.name, { name: own(a.name), extent: a.extent }]));
    const renamed = new Map([...axes].map(([old, a]) => [old, axis(a)]));
    const read = (buffer: string, at: readonly Index[]): Expr => {
      const id = idOf.get(buffer)!;
      const { shape } = paramOf.get(buffer)!;
      if (made.has(id)) {
        const value = made.get(id);
        if (value) return value.at(reshapeIndex(at, shape, value.shape));
        whole = false;
      }
      const packed = placeOf.get(id);
      if (packed) return load(packed.pack, [add(flatten(at, shape), constant(packed.place))]);
      return load(id, reshapeIndex(at, shape, around.bufferOf(id).shape));
    };
    for (const s of kernel.stages) {
      stages.push({
        name: own(s.name),
        axes: s.axes.map((a) => axes.get(a.name)!),
        ...(s.reduce ? { reduce: { op: s.reduce.op, axes: s.reduce.axes.map((a) => axes.get(a.name)!) } } : {}),
        body: substituteExpr(s.body, renamed, (e) => (e.kind === 'load' ? read(e.buffer, e.at) : stageAt(own(e.stage), e.at))),
        dtype: s.dtype,
      });
    }
    for (const { buffer, stage, at } of kernel.stores) {
      const id = idOf.get(buffer)!;
      const { shape } = paramOf.get(buffer)!;
      const written = stages.find((s) => s.name === own(stage))!;
      made.set(id, at ? undefined : { shape, at: (place) => valueAt(written, place) });
      if (at && around.isPassed(id)) return undefined;
      const place = at ? at.map((i) => substitute(i, renamed)) : written.axes.map(axis);
      if (!around.isPassed(id)) stores.push({ buffer: id, stage: written.name, at: reshapeIndex(place, shape, around.bufferOf(id).shape) });
    }
  }
  if (!whole) return undefined;
  return { draft: { name, stages: withRepeatsLifted(needed(stages, stores)), stores, joined: true }, packs };
}

/** A stage's value; of one that only passes another on, that one's. */
function valueAt(stage: Stage, at: readonly Index[]): Expr {
  if (!stage.reduce && stage.body.kind === 'stage') return substituteExpr(stage.body, new Map(stage.axes.map((a, i) => [a.name, at[i]])));
  return stageAt(stage.name, at);
}

/** Values of a vector. */
const VECTOR = 4;

interface Place {
  readonly pack: string;
  readonly place: number;
}

/** Weights that only these calls read, one after the other in the order of their use. */
function packWeights(calls: readonly KernelCall[], { bufferOf, isPassed }: Surroundings): { readonly packs: readonly WeightPack[]; readonly placeOf: ReadonlyMap<BufferId, Place> } {
  const packs = new Map<string, { weights: BufferId[]; elements: number; storage: Buffer['storage'] }>();
  const placeOf = new Map<BufferId, Place>();
  // A call alone has no more buffers than before.
  if (calls.length === 1) return { packs: [], placeOf };
  const vectors = vectorsOf(calls);
  for (const id of new Set(calls.flatMap((c) => c.args))) {
    const { kind, dtype, layout, storage, shape } = bufferOf(id);
    if (kind !== 'weight' || dtype !== 'f32' || layout || !isPassed(id)) continue;
    const name = `${storage} ${vectors.has(id) && sizeOf(shape) % VECTOR === 0 ? 'vectors' : 'values'}`;
    const pack = packs.get(name) ?? { weights: [], elements: 0, storage };
    packs.set(name, pack);
    placeOf.set(id, { pack: name, place: pack.elements });
    pack.weights.push(id);
    pack.elements += sizeOf(shape);
  }
  return { packs: [...packs].map(([name, pack]) => ({ name, ...pack })), placeOf };
}

/** Buffers that are only read along what is reduced, neighbour by neighbour. */
function vectorsOf(calls: readonly KernelCall[]): Set<BufferId> {
  const along = new Set<BufferId>();
  const otherwise = new Set<BufferId>();
  for (const { kernel, args } of calls) {
    const idOf = new Map(kernel.params.map((p, i) => [p.name, { id: args[i], shape: p.shape }]));
    for (const { body, reduce } of kernel.stages) {
      const last = reduce?.axes.at(-1);
      for (const { buffer, at } of loadsOf(body)) {
        const { id, shape } = idOf.get(buffer)!;
        (last && last.extent % VECTOR === 0 && strideOf(flatten(at, shape), last.name) === 1 ? along : otherwise).add(id);
      }
    }
  }
  return new Set([...along].filter((id) => !otherwise.has(id)));
}

/** Stages that a store needs, in order. */
function needed(stages: readonly Stage[], stores: readonly RawStore[]): Stage[] {
  const wanted = new Set(stores.map((s) => s.stage));
  for (const s of stages.toReversed()) if (wanted.has(s.name)) for (const r of stageRefsOf(s.body)) wanted.add(r.stage);
  return stages.filter((s) => wanted.has(s.name));
}

const DEAR: ReadonlySet<string> = new Set(['exp', 'log', 'sqrt', 'rsqrt', 'sin', 'cos', 'tanh', 'erf', 'sigmoid', 'div', 'pow']);
/** A dear part of a reduction that is the same so many times becomes a stage. */
const REPEATS = 4;

/**
 * Parts of reductions as stages of their own, where they would be computed again and again: dear ones that depend on few of
 * the axes (softmax's weights are the same for every column of the values), and what several reductions have in common
 * (its scores with their bias, its exponentials).
 */
function withRepeatsLifted(stages: readonly Stage[]): Stage[] {
  const counts = new Map<string, number>();
  for (const stage of stages) if (stage.reduce && stage.dtype === 'f32') for (const key of partsOf(stage)) counts.set(key, (counts.get(key) ?? 0) + 1);
  const out: Stage[] = [];
  const lifted = new Map<string, string>();
  for (const stage of stages) {
    if (!stage.reduce || stage.dtype !== 'f32') {
      out.push(stage);
      continue;
    }
    const axes = [...stage.reduce.axes, ...stage.axes];
    /** `uses`: of the lifted expression that this one is part of. */
    const lift = (e: Expr, uses: number): Expr => {
      const { used, repeats } = extentOf(e, axes);
      const key = keyOf(e, used);
      const own = counts.get(key) ?? 0;
      const isShared = own > uses && loadsOf(e).length + stageRefsOf(e).length > 1;
      if (used.length === 0 || !(isShared || (repeats >= REPEATS && isDear(e)))) return descend(e, (part) => lift(part, uses));
      let name = lifted.get(key);
      if (name === undefined) {
        lifted.set(key, (name = `once.${lifted.size}`));
        const named = used.map((a): Axis => ({ name: `${a.name}.${name}`, extent: a.extent }));
        const body = substituteExpr(descend(e, (part) => lift(part, own)), new Map(used.map((a, i) => [a.name, axis(named[i])])));
        out.push({ name, axes: named, body, dtype: 'f32' });
      }
      return stageAt(name, used.map(axis));
    };
    out.push({ ...stage, body: lift(stage.body, 1) });
  }
  return out;
}

/** The expression with its operands changed. What a branch guards is not computed without it. */
function descend(e: Expr, f: (e: Expr) => Expr): Expr {
  if (e.kind === 'unary' && e.op !== 'not') return { ...e, a: f(e.a) };
  if (e.kind === 'binary' && !isTest(e.op)) return { ...e, a: f(e.a), b: f(e.b) };
  return e;
}

/** Of the axes those that the expression depends on, in their order, and how many points the others have. */
function extentOf(e: Expr, axes: readonly Axis[]): { readonly used: readonly Axis[]; readonly repeats: number } {
  const names = axesOfExpr(e);
  return { used: axes.filter((a) => names.has(a.name)), repeats: sizeOf(axes.filter((a) => !names.has(a.name)).map((a) => a.extent)) };
}

/** Equal for expressions that are equal but for the names of their axes. */
function keyOf(e: Expr, used: readonly Axis[]): string {
  return exprKey(substituteExpr(e, new Map(used.map((a, i) => [a.name, axis({ name: `${i}`, extent: a.extent })]))));
}

/** Keys of the arithmetic in a reduction's body, each once. */
function partsOf(stage: Stage): Set<string> {
  const axes = [...stage.reduce!.axes, ...stage.axes];
  const keys = new Set<string>();
  const visit = (e: Expr): Expr => {
    if (e.kind === 'unary' || e.kind === 'binary') keys.add(keyOf(e, extentOf(e, axes).used));
    return descend(e, visit);
  };
  visit(stage.body);
  return keys;
}

function isDear(e: Expr): boolean {
  switch (e.kind) {
    case 'unary': return DEAR.has(e.op) || isDear(e.a);
    case 'binary': return DEAR.has(e.op) || isDear(e.a) || isDear(e.b);
    default: return false;
  }
}
