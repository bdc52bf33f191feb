/** From a drafted kernel to the kernel of the program: tidied, with canonical names, made once for equal drafts. */
import type { DType, Shape } from '../graph.ts';
import type { Axis, Index, Kernel, KernelParam, Stage, Storage, Store } from '../kernel.ts';
import { exprKey, loadsOf, substituteExpr } from '../kernel-expr.ts';
import { axis, keyOf, plainAxis, substitute } from '../kernel-index.ts';
import type { Raw, RawStore } from './rewrite.ts';
import { tidy, tidyJoined } from './tidy.ts';

/** A kernel whose buffers still have the names of what they hold. */
export interface Draft {
  readonly name: (form: { readonly stages: readonly Stage[] }) => string;
  readonly stages: readonly Stage[];
  readonly stores: readonly RawStore[];
  /** Made of finished kernels. */
  readonly joined?: true;
}

export interface DraftBuffer {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly storage: Storage;
}

export interface Finished {
  readonly kernel: Kernel;
  /** The draft's names of the buffers, in the order of the kernel's params. */
  readonly args: readonly string[];
}

/** Finishes drafts; equal ones share their kernel. */
export class Finisher {
  readonly #done = new Map<string, { kernel: Kernel; order: readonly number[] }>();

  constructor(private readonly buffer: (name: string) => DraftBuffer) {}

  finish(draft: Draft): Finished {
    const names = buffersOf(draft);
    const formal = new Map(names.map((name, i) => [name, `b${i}`]));
    const raw = rename(draft, formal, new Map(names.map((name, i) => [`b${i}`, this.buffer(name).shape])));
    const types = names.map((name): DraftBuffer => {
      const { shape, dtype, storage } = this.buffer(name);
      return { shape, dtype, storage };
    });
    const key = textOf(raw, types);
    let done = this.#done.get(key);
    if (!done) this.#done.set(key, (done = makeKernel(draft.name, (draft.joined ? tidyJoined : tidy)(raw), types)));
    return { kernel: done.kernel, args: done.order.map((i) => names[i]) };
  }
}

/** Buffers in order of appearance: loads by stage, then stores. */
function buffersOf({ stages, stores }: Pick<Raw, 'stages' | 'stores'>): string[] {
  return [...new Set([...stages.flatMap((s) => loadsOf(s.body).map((l) => l.buffer)), ...stores.map((s) => s.buffer)])];
}

function rename(draft: Draft, names: ReadonlyMap<string, string>, shapes: Raw['shapes']): Raw {
  return {
    shapes,
    stages: draft.stages.map((s) => ({ ...s, body: substituteExpr(s.body, new Map(), (e) => (e.kind === 'load' ? { ...e, buffer: names.get(e.buffer)! } : e)) })),
    stores: draft.stores.map((s) => ({ ...s, buffer: names.get(s.buffer)! })),
  };
}

function textOf(raw: Raw, types: readonly DraftBuffer[]): string {
  const axes = (list: readonly Axis[]): string => list.map((a) => `${a.name}:${a.extent}`).join();
  return JSON.stringify([
    types,
    raw.stages.map((s) => [s.name, axes(s.axes), s.reduce && [s.reduce.op, axes(s.reduce.axes)], s.dtype, exprKey(s.body)]),
    raw.stores.map((s) => [s.buffer, s.stage, s.at.map(keyOf)]),
  ]);
}

/** Canonical names: p and o for buffers, s and out for stages, a, r and i for their axes. */
function makeKernel(name: Draft['name'], raw: Raw, types: readonly DraftBuffer[]): { kernel: Kernel; order: readonly number[] } {
  const stored = new Set(raw.stores.map((s) => s.buffer));
  const buffers = buffersOf(raw).sort((a, b) => Number(stored.has(a)) - Number(stored.has(b)));
  const reads = buffers.filter((b) => !stored.has(b));
  const bufferName = new Map(buffers.map((b) => [b, stored.has(b) ? `o${raw.stores.findIndex((s) => s.buffer === b)}` : `p${reads.indexOf(b)}`]));
  const outputs = raw.stages.filter((s) => !s.reduce);
  const stageName = new Map(raw.stages.map((s, i) => [s.name, s.reduce ? `s${i}` : outputs.length === 1 ? 'out' : `out${outputs.indexOf(s)}`]));

  const axes = new Map<string, Axis>();
  const counts: Record<string, number> = {};
  const put = (prefix: string, list: readonly Axis[]): void => list.forEach((a) => axes.set(a.name, { name: `${prefix}${(counts[prefix] = (counts[prefix] ?? -1) + 1)}`, extent: a.extent }));
  raw.stages.forEach((s) => {
    if (s.reduce) put('a', s.axes);
    else put(outputs.indexOf(s) === 0 ? 'i' : `i${outputs.indexOf(s)}_`, s.axes);
    if (s.reduce) put('r', s.reduce.axes);
  });
  const map = new Map([...axes].map(([old, a]) => [old, axis(a)]));
  const renamed = (list: readonly Axis[]): Axis[] => list.map((a) => axes.get(a.name)!);

  const stages = raw.stages.map((s): Stage => ({
    name: stageName.get(s.name)!,
    axes: renamed(s.axes),
    ...(s.reduce ? { reduce: { op: s.reduce.op, axes: renamed(s.reduce.axes) } } : {}),
    body: substituteExpr(s.body, map, (e) => (e.kind === 'load' ? { ...e, buffer: bufferName.get(e.buffer)! } : { ...e, stage: stageName.get(e.stage)! })),
    dtype: s.dtype,
  }));
  const stores = raw.stores.map((s): Store => {
    const at = s.at.map((i) => substitute(i, map));
    const store = { buffer: bufferName.get(s.buffer)!, stage: stageName.get(s.stage)! };
    return isIdentity(at, stages.find((x) => x.name === store.stage)!, raw.shapes.get(s.buffer)!) ? store : { ...store, at };
  });
  const params = buffers.map((b): KernelParam => {
    const { dtype, storage } = types[Number(b.slice(1))];
    return { name: bufferName.get(b)!, shape: raw.shapes.get(b)!, dtype, storage, access: stored.has(b) ? 'write' : 'read' };
  });
  return { kernel: { name: name({ stages }), params, stages, stores }, order: buffers.map((b) => Number(b.slice(1))) };
}

function isIdentity(at: readonly Index[], stage: Stage, shape: Shape): boolean {
  return at.length === stage.axes.length && at.every((index, i) => shape[i] === stage.axes[i].extent && plainAxis(index)?.name === stage.axes[i].name);
}
