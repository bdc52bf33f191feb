/** Scalar expressions: constructors that fold what ranges and constants decide, and walks over them. */
import type { DType } from './graph.ts';
import type { BinaryName, Expr, Index, Kernel, Stage, UnaryName } from './kernel.ts';
import { add, axesOf, constant, floorDiv, isConstant, mod, rangeOf, scale, sub, substitute } from './kernel-index.ts';
import { exprKey } from './kernel-keys.ts';
import { visitIndices } from './kernel-walk.ts';

export { exprKey } from './kernel-keys.ts';
export { mapIndices, visitIndices } from './kernel-walk.ts';

export type LoadExpr = Extract<Expr, { kind: 'load' }>;
export type StageExpr = Extract<Expr, { kind: 'stage' }>;

export const TRUE: Expr = { kind: 'const', value: 1, dtype: 'bool' };
export const FALSE: Expr = { kind: 'const', value: 0, dtype: 'bool' };

export function number(value: number, dtype: DType = 'f32'): Expr {
  return { kind: 'const', value, dtype };
}

/** An index as an i32 value; a constant one is a constant. */
export function indexValue(of: Index): Expr {
  return isConstant(of) ? number(of.offset, 'i32') : { kind: 'index', of };
}

export function load(buffer: string, at: readonly Index[]): Expr {
  return { kind: 'load', buffer, at };
}

export function stageAt(stage: string, at: readonly Index[]): Expr {
  return { kind: 'stage', stage, at };
}

export function cast(dtype: DType, a: Expr): Expr {
  return { kind: 'cast', dtype, a };
}

export function unary(op: UnaryName, a: Expr): Expr {
  if (op === 'not' && a.kind === 'const') return a.value ? FALSE : TRUE;
  if (op === 'neg') {
    const index = asIndex(a);
    if (index && fitsI32(scale(index, -1))) return indexValue(scale(index, -1));
  }
  return { kind: 'unary', op, a };
}

export function binary(op: BinaryName, a: Expr, b: Expr): Expr {
  return foldLogic(op, a, b) ?? foldIndices(op, a, b) ?? { kind: 'binary', op, a, b };
}

export function select(condition: Expr, then: Expr, other: Expr): Expr {
  if (condition.kind === 'const') return condition.value ? then : other;
  return { kind: 'select', condition, then, else: other };
}

export function all(conditions: readonly Expr[]): Expr {
  return conditions.reduce((a, b) => binary('and', a, b), TRUE);
}

/** low <= index < high, with the halves that always hold left out. */
export function inRange(index: Index, low: number, high: number): Expr {
  return all([binary('lessEqual', number(low, 'i32'), indexValue(index)), binary('less', indexValue(index), number(high, 'i32'))]);
}

function asIndex(e: Expr): Index | undefined {
  if (e.kind === 'index') return e.of;
  return e.kind === 'const' && e.dtype === 'i32' ? constant(e.value) : undefined;
}

function fitsI32(index: Index): boolean {
  const [min, max] = rangeOf(index);
  return min >= -(2 ** 31) && max < 2 ** 31;
}

function foldLogic(op: BinaryName, a: Expr, b: Expr): Expr | undefined {
  if (op !== 'and' && op !== 'or') return undefined;
  const neutral = op === 'and' ? 1 : 0;
  if (a.kind === 'const') return a.value === neutral ? b : a;
  if (b.kind === 'const') return b.value === neutral ? a : b;
  return exprKey(a) === exprKey(b) ? a : undefined;
}

/** Integer arithmetic and comparisons of indices, decided or kept as an index: masks and tables made from iota become index maps. */
function foldIndices(op: BinaryName, a: Expr, b: Expr): Expr | undefined {
  const x = asIndex(a);
  const y = asIndex(b);
  if (!x || !y) return undefined;
  const [min, max] = rangeOf(sub(x, y));
  switch (op) {
    case 'less':
      return max < 0 ? TRUE : min >= 0 ? FALSE : undefined;
    case 'lessEqual':
      return max <= 0 ? TRUE : min > 0 ? FALSE : undefined;
    case 'equal':
      return min === 0 && max === 0 ? TRUE : min > 0 || max < 0 ? FALSE : undefined;
    case 'max':
      return min >= 0 ? indexValue(x) : max <= 0 ? indexValue(y) : undefined;
    case 'min':
      return min >= 0 ? indexValue(y) : max <= 0 ? indexValue(x) : undefined;
  }
  const result = affine(op, x, y);
  return result && fitsI32(result) ? indexValue(result) : undefined;
}

function affine(op: BinaryName, x: Index, y: Index): Index | undefined {
  switch (op) {
    case 'add':
      return add(x, y);
    case 'sub':
      return sub(x, y);
    case 'mul':
      return isConstant(y) ? scale(x, y.offset) : isConstant(x) ? scale(y, x.offset) : undefined;
    case 'div':
      return isConstant(y) && y.offset > 0 ? floorDiv(x, y.offset) : undefined;
    case 'mod':
      return isConstant(y) && y.offset > 0 ? mod(x, y.offset) : undefined;
    default:
      return undefined;
  }
}

/** Calls f with the expression and every part of it, parts that are shared once; also with the parts inside of value indices. */
export function visitExpr(expr: Expr, f: (e: Expr) => void): void {
  const seen = new Set<Expr>();
  const index = (i: Index): void => {
    for (const { atom } of i.terms) {
      if (atom.kind === 'value') walk(atom.of);
      else if (atom.kind !== 'axis') index(atom.of);
    }
  };
  const walk = (e: Expr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    f(e);
    switch (e.kind) {
      case 'const':
        return;
      case 'index':
        return index(e.of);
      case 'load':
      case 'stage':
        return e.at.forEach(index);
      case 'unary':
      case 'cast':
        return walk(e.a);
      case 'binary':
        walk(e.a);
        return walk(e.b);
      case 'select':
        walk(e.condition);
        walk(e.then);
        return walk(e.else);
    }
  };
  walk(expr);
}

/**
 * The expression with axes replaced by indices and, where `leaf` is given, loads and stage references by other
 * expressions (`leaf` sees them with their indices already replaced). Folded again on the way up; also inside of value
 * indices. Shared parts are mapped once.
 */
export function substituteExpr(expr: Expr, map: ReadonlyMap<string, Index>, leaf: (e: LoadExpr | StageExpr) => Expr = (e) => e): Expr {
  const done = new Map<Expr, Expr>();
  const walk = (e: Expr): Expr => {
    let out = done.get(e);
    if (!out) done.set(e, (out = rebuild(e)));
    return out;
  };
  const index = (i: Index): Index => substitute(i, map, walk);
  const rebuild = (e: Expr): Expr => {
    switch (e.kind) {
      case 'const':
        return e;
      case 'index':
        return indexValue(index(e.of));
      case 'load':
      case 'stage':
        return leaf({ ...e, at: e.at.map(index) });
      case 'unary':
        return unary(e.op, walk(e.a));
      case 'cast':
        return cast(e.dtype, walk(e.a));
      case 'binary':
        return binary(e.op, walk(e.a), walk(e.b));
      case 'select': {
        const condition = walk(e.condition);
        if (condition.kind === 'const') return condition.value ? walk(e.then) : walk(e.else);
        return select(condition, walk(e.then), walk(e.else));
      }
    }
  };
  return walk(expr);
}

/** Every load in the expression, in order of appearance, equal ones once. */
export function loadsOf(expr: Expr): LoadExpr[] {
  const found = new Map<string, LoadExpr>();
  visitExpr(expr, (e) => {
    if (e.kind === 'load') found.set(exprKey(e), e);
  });
  return [...found.values()];
}

/** Every reference to a stage in the expression, equal ones once. */
export function stageRefsOf(expr: Expr): StageExpr[] {
  const found = new Map<string, StageExpr>();
  visitExpr(expr, (e) => {
    if (e.kind === 'stage') found.set(exprKey(e), e);
  });
  return [...found.values()];
}

/** Names of the axes that the expression depends on. */
export function axesOfExpr(expr: Expr): Set<string> {
  const names = new Set<string>();
  visitIndices(expr, (i) => axesOf(i, names));
  return names;
}

/** The dtype of an expression in its kernel. */
export function dtypeOf(expr: Expr, kernel: Pick<Kernel, 'params' | 'stages'>): DType {
  switch (expr.kind) {
    case 'const':
    case 'cast':
      return expr.dtype;
    case 'index':
      return 'i32';
    case 'load':
      return found(kernel.params.find((p) => p.name === expr.buffer), expr.buffer).dtype;
    case 'stage':
      return found(kernel.stages.find((s: Stage) => s.name === expr.stage), expr.stage).dtype;
    case 'unary':
      return expr.op === 'not' ? 'bool' : dtypeOf(expr.a, kernel);
    case 'binary':
      return isTest(expr.op) ? 'bool' : dtypeOf(expr.a, kernel);
    case 'select':
      return dtypeOf(expr.then, kernel);
  }
}

/** Whether the operation gives a bool. */
export function isTest(op: BinaryName): boolean {
  return op === 'equal' || op === 'less' || op === 'lessEqual' || op === 'and' || op === 'or';
}

function found<T>(x: T | undefined, name: string): T {
  if (x === undefined) throw new Error(`bug: the kernel has no ${name}`);
  return x;
}
