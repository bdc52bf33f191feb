/**
 * A contraction as code generation sees it: C[b, m, n] = sum over k of left[b, m, k] * right[b, n, k], with one linear
 * axis for each role, addresses flattened, and n the axis along which results lie contiguously.
 */
import type { Axis, Expr, Index, Kernel, KernelParam, Stage } from './kernel.ts';
import { add, axis, plainAxis, scale, strideOf, substitute, unflatten, visitIndices } from './kernel-index.ts';
import { axesOfExpr, stageRefsOf, substituteExpr } from './kernel-expr.ts';
import { matchContraction, type PrologueStage } from './kernel-forms.ts';
import { storedIndex } from './kernel-layout.ts';

export interface ContractionOutput {
  readonly buffer: string;
  /** Where the result goes, in elements as stored; over axes b, m, n. */
  readonly at: Index;
  /** Over axes b, m, n, with the sum as stage `acc`. */
  readonly value: Expr;
}

/** Reductions over rows of the left operand or columns of the right one. */
export interface Prologue {
  readonly side: 'left' | 'right';
  /** In order; bodies load by one index, flat and as stored. `at`: over b and m or n, the point at which the operand and later stages refer to it. */
  readonly stages: readonly PrologueStage[];
}

export interface ContractionProblem {
  readonly B: number;
  readonly M: number;
  readonly N: number;
  /** Extents of the reduced axes k0, k1, ..., those that address memory as one axis joined. */
  readonly depth: readonly number[];
  /** Over b, m and k0, k1, ...; every load has one index, flat and as stored. */
  readonly left: Expr;
  /** Over b, n and k0, k1, ... */
  readonly right: Expr;
  /** Reductions over rows of one operand that it uses: computed before the products. */
  readonly prologue?: Prologue;
  /** The stage by which outputs refer to the sum, and its point at b, m, n. */
  readonly acc: string;
  readonly accAt: readonly Index[];
  readonly outputs: readonly ContractionOutput[];
}

const NOTHING: ReadonlyMap<string, Index> = new Map();

/** Undefined where the kernel is no contraction. */
export function contractionProblem(kernel: Kernel): ContractionProblem | undefined {
  const form = matchContraction(kernel);
  if (!form) return undefined;
  const flat = flattener(kernel);
  const outputs = flatOutputs(kernel, form);
  const shared = splitShared(form.batch, flat(form.left), flat(form.right));
  const whole = (i: Index): Index => substitute(i, shared.digits);
  const stepOf = (a: Axis): number => Math.abs(strideOf(whole(outputs[0].at), a.name) ?? 0) || Infinity;
  const nearest = (axes: readonly Axis[]): number => Math.min(Infinity, ...axes.filter((a) => a.extent > 1).map(stepOf));
  const byStep = (axes: readonly Axis[]): Axis[] => [...axes].sort((a, b) => (stepOf(a) === stepOf(b) ? 0 : stepOf(b) - stepOf(a)));
  const sides = [{ axes: [...form.m, ...shared.m], operand: shared.left }, { axes: [...form.n, ...shared.n], operand: shared.right }];
  if (nearest(sides[0].axes) < nearest(sides[1].axes)) sides.reverse();
  const [m, n] = sides.map((s) => byStep(s.axes));
  const batch = byStep(shared.batch);
  const reduced = form.k.map((a, i): Axis => ({ name: `depth${i}`, extent: a.extent }));
  const roles = new Map([...linear('b', batch), ...linear('m', m), ...linear('n', n), ...form.k.map((a, i): [string, Index] => [a.name, axis(reduced[i])])]);
  const [left, right] = sides.map((s) => substituteExpr(s.operand, roles));
  return {
    B: extentOf(batch),
    M: extentOf(m),
    N: extentOf(n),
    ...joinDepth(left, right, reduced),
    ...(form.prologue.length > 0 && {
      prologue: {
        side: stageRefsOf(left).length > 0 ? 'left' as const : 'right' as const,
        stages: form.prologue.map(({ stage, at }) => ({ stage: { ...stage, body: flat(stage.body) }, at: at.map((i) => substitute(whole(substitute(i, NOTHING, flat)), roles)) })),
      },
    }),
    acc: form.acc.name,
    accAt: form.acc.axes.map((a) => substitute(whole(axis(a)), roles)),
    outputs: outputs.map((o) => ({ buffer: o.buffer, at: substitute(whole(o.at), roles), value: substituteExpr(substituteExpr(o.value, shared.digits), roles) })),
  };
}

/** Gives every load of an expression one index, flat and as stored. */
export function flattener(kernel: Kernel): (e: Expr) => Expr {
  const params = new Map(kernel.params.map((p) => [p.name, p]));
  return (e) => substituteExpr(e, NOTHING, (leaf) => (leaf.kind === 'load' ? { ...leaf, at: [storedIndex(param(params, leaf.buffer), leaf.at)] } : leaf));
}

/** The outputs over the accumulating stage's axes, addresses flat and as stored. */
export function flatOutputs(kernel: Kernel, form: { readonly accAxes: readonly Axis[]; readonly outputs: readonly Stage[] }): ContractionOutput[] {
  const params = new Map(kernel.params.map((p) => [p.name, p]));
  const flat = flattener(kernel);
  return form.outputs.map((stage) => {
    const store = kernel.stores.find((s) => s.stage === stage.name)!;
    const renamed = new Map(stage.axes.map((a, i) => [a.name, axis(form.accAxes[i])]));
    const at = (store.at ?? stage.axes.map(axis)).map((i) => substitute(i, renamed));
    return { buffer: store.buffer, at: storedIndex(param(params, store.buffer), at), value: substituteExpr(flat(stage.body), renamed) };
  });
}

interface SharedAxes {
  readonly batch: readonly Axis[];
  readonly m: readonly Axis[];
  readonly n: readonly Axis[];
  readonly left: Expr;
  readonly right: Expr;
  /** The axes that were split, by the new ones. */
  readonly digits: ReadonlyMap<string, Index>;
}

/**
 * Batch axes of which one operand sees only runs (a group of a convolution's channels, the keys that several heads
 * share) are two: the run's number is a batch axis, the place in the run a row or column of the other operand.
 */
function splitShared(axes: readonly Axis[], left: Expr, right: Expr): SharedAxes {
  const batch: Axis[] = [];
  const own: Record<'m' | 'n', Axis[]> = { m: [], n: [] };
  const digits = new Map<string, Index>();
  let operands = { left, right };
  for (const whole of axes) {
    const found = runOf(operands.right, whole, 'm') ?? runOf(operands.left, whole, 'n');
    if (!found) {
      batch.push(whole);
      continue;
    }
    const number: Axis = { name: `${whole.name}.run`, extent: whole.extent / found.run };
    const place: Axis = { name: `${whole.name}.place`, extent: found.run };
    const index = add(scale(axis(number), found.run), axis(place));
    batch.push(number);
    own[found.side].push(place);
    digits.set(whole.name, index);
    const map = new Map([[whole.name, index]]);
    operands = { left: substituteExpr(operands.left, map), right: substituteExpr(operands.right, map) };
  }
  return { batch, ...own, ...operands, digits };
}

/** The longest run of an axis along which the operand stays the same. */
function runOf<S extends string>(e: Expr, whole: Axis, side: S): { readonly run: number; readonly side: S } | undefined {
  const runs = new Set<number>();
  const visit = (index: Index): void => {
    for (const { atom } of index.terms) {
      if (atom.kind === 'value') visitIndices(atom.of, visit);
      else if (atom.kind !== 'axis') {
        if (atom.kind === 'div' && plainAxis(atom.of)?.name === whole.name && whole.extent % atom.by === 0) runs.add(atom.by);
        visit(atom.of);
      }
    }
  };
  visitIndices(e, visit);
  for (const run of [...runs].sort((a, b) => b - a)) {
    const index = add(scale(axis({ name: 'number~', extent: whole.extent / run }), run), axis({ name: 'place~', extent: run }));
    if (!axesOfExpr(substituteExpr(e, new Map([[whole.name, index]]))).has('place~')) return { run, side };
  }
  return undefined;
}

/** The same with all reduced axes as one, `k0`: addresses may then take divisions. */
export function linearDepth(problem: ContractionProblem): ContractionProblem {
  if (problem.depth.length <= 1) return problem;
  const axes = problem.depth.map((extent, i): Axis => ({ name: `k${i}`, extent }));
  const map = new Map(linear('all', axes));
  const rename = new Map([['all', axis({ name: 'k0', extent: extentOf(axes) })]]);
  const join = (e: Expr): Expr => substituteExpr(substituteExpr(e, map), rename);
  return { ...problem, depth: [extentOf(axes)], left: join(problem.left), right: join(problem.right) };
}

/** Each axis as a digit of the one linear axis. */
export function linear(name: string, axes: readonly Axis[]): [string, Index][] {
  const whole = axis({ name, extent: extentOf(axes) });
  const digits = unflatten(whole, axes.map((a) => a.extent));
  return axes.map((a, i) => [a.name, digits[i]]);
}

export function extentOf(axes: readonly Axis[]): number {
  return axes.reduce((n, a) => n * a.extent, 1);
}

/** Joins neighbouring reduced axes where that leaves addresses without new divisions, and names them k0, k1, ... */
function joinDepth(left: Expr, right: Expr, axes: readonly Axis[]): Pick<ContractionProblem, 'depth' | 'left' | 'right'> {
  let operands = [left, right];
  let loops = axes.filter((a) => a.extent > 1);
  for (let i = 0; i + 1 < loops.length;) {
    const pair = [loops[i], loops[i + 1]];
    const joined: Axis = { name: `${pair[0].name}*${pair[1].name}`, extent: extentOf(pair) };
    const next = operands.map((e) => substituteExpr(e, new Map(linear(joined.name, pair))));
    if (divisions(next) <= divisions(operands)) {
      operands = next;
      loops = [...loops.slice(0, i), joined, ...loops.slice(i + 2)];
      i = Math.max(0, i - 1);
    } else {
      i++;
    }
  }
  const renamed = new Map(loops.map((a, i) => [a.name, axis({ name: `k${i}`, extent: a.extent })]));
  const [l, r] = operands.map((e) => substituteExpr(e, renamed));
  return { depth: loops.length > 0 ? loops.map((a) => a.extent) : [1], left: l, right: r };
}

function divisions(exprs: readonly Expr[]): number {
  let count = 0;
  const visit = (index: Index): void => {
    for (const { atom } of index.terms) {
      if (atom.kind === 'value') visitIndices(atom.of, visit);
      else if (atom.kind !== 'axis') {
        count++;
        visit(atom.of);
      }
    }
  };
  for (const e of exprs) visitIndices(e, visit);
  return count;
}

function param(params: ReadonlyMap<string, KernelParam>, name: string): KernelParam {
  const found = params.get(name);
  if (!found) throw new Error(`bug: no parameter ${name}`);
  return found;
}

