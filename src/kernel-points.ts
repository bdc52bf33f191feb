/** Index arithmetic at points of loop axes, compiled to closures: what counts of accesses are made of. */
import type { Axis, Expr, Index } from './kernel.ts';

export interface Guard {
  readonly condition: Expr;
  readonly holds: boolean;
}

/** Conditions joined by `and` that hold, or by `or` that do not, taken apart. */
export function conjuncts(guard: Guard): Guard[] {
  const { condition, holds } = guard;
  if (condition.kind === 'unary' && condition.op === 'not') return conjuncts({ condition: condition.a, holds: !holds });
  const splits = condition.kind === 'binary' && condition.op === (holds ? 'and' : 'or');
  return splits ? [...conjuncts({ condition: condition.a, holds }), ...conjuncts({ condition: condition.b, holds })] : [guard];
}

/** Where each axis stands in a point. */
export function slotsOf(axes: readonly Axis[]): Map<string, number> {
  return new Map(axes.map((a, i) => [a.name, i]));
}

/** Calls `visit` with every point of the axes, row-major, until it says true; the array is reused. No axes: one point. */
export function forEachPoint(axes: readonly Axis[], visit: (point: Int32Array) => boolean | void): void {
  const point = new Int32Array(axes.length);
  for (;;) {
    if (visit(point)) return;
    let k = axes.length - 1;
    while (k >= 0 && ++point[k] === axes[k].extent) point[k--] = 0;
    if (k < 0) return;
  }
}

/** Coordinates in the order of the axes it was compiled for. */
export type Evaluate = (point: Int32Array) => number;

export function compileIndex(index: Index, slots: ReadonlyMap<string, number>): Evaluate {
  const terms = index.terms.map(({ scale, atom }): Evaluate => {
    switch (atom.kind) {
      case 'axis': {
        const slot = slots.get(atom.name)!;
        return (p) => scale * p[slot];
      }
      case 'div': {
        const of = compileIndex(atom.of, slots);
        return (p) => scale * Math.floor(of(p) / atom.by);
      }
      case 'mod': {
        const of = compileIndex(atom.of, slots);
        return (p) => { const x = of(p); return scale * (x - atom.by * Math.floor(x / atom.by)); };
      }
      case 'value':
        throw new Error('bug: counting by a guard that depends on data');
      default:
        return atom satisfies never;
    }
  });
  const { offset } = index;
  if (terms.length === 1) return (p) => offset + terms[0](p);
  return (p) => { let sum = offset; for (const t of terms) sum += t(p); return sum; };
}

/** Guards are integer and boolean expressions of indices. */
export function compileExpr(e: Expr, slots: ReadonlyMap<string, number>): Evaluate {
  switch (e.kind) {
    case 'const': return () => e.value;
    case 'index': return compileIndex(e.of, slots);
    case 'cast': return e.dtype === 'bool' ? ((a) => (p: Int32Array) => (a(p) !== 0 ? 1 : 0))(compileExpr(e.a, slots)) : compileExpr(e.a, slots);
    case 'select': {
      const [c, a, b] = [e.condition, e.then, e.else].map((x) => compileExpr(x, slots));
      return (p) => (c(p) ? a(p) : b(p));
    }
    case 'unary': {
      const a = compileExpr(e.a, slots);
      if (e.op === 'not') return (p) => 1 - a(p);
      if (e.op === 'neg') return (p) => -a(p) | 0;
      if (e.op === 'abs') return (p) => Math.abs(a(p)) | 0;
      throw new Error(`bug: counting by a guard with ${e.op}`);
    }
    case 'binary': return binary(e.op, compileExpr(e.a, slots), compileExpr(e.b, slots));
    case 'load':
    case 'stage': throw new Error('bug: counting by a guard that depends on data');
    default: return e satisfies never;
  }
}

function binary(op: Extract<Expr, { kind: 'binary' }>['op'], a: Evaluate, b: Evaluate): Evaluate {
  switch (op) {
    case 'add': return (p) => (a(p) + b(p)) | 0;
    case 'sub': return (p) => (a(p) - b(p)) | 0;
    case 'mul': return (p) => Math.imul(a(p), b(p));
    case 'div': return (p) => { const y = b(p); return y === 0 ? 0 : Math.floor(a(p) / y) | 0; };
    case 'mod': return (p) => { const x = a(p); const y = b(p); return y === 0 ? 0 : x - y * Math.floor(x / y); };
    case 'max': return (p) => Math.max(a(p), b(p));
    case 'min': return (p) => Math.min(a(p), b(p));
    case 'equal': return (p) => (a(p) === b(p) ? 1 : 0);
    case 'less': return (p) => (a(p) < b(p) ? 1 : 0);
    case 'lessEqual': return (p) => (a(p) <= b(p) ? 1 : 0);
    case 'and': return (p) => a(p) & b(p);
    case 'or': return (p) => a(p) | b(p);
    case 'pow': throw new Error('bug: counting by a guard with pow');
    default: return op satisfies never;
  }
}

/**
 * Whether a condition's truth is known from indices alone, by integer arithmetic; a condition on data is computed with
 * both of its branches.
 */
export function isStatic(e: Expr): boolean {
  switch (e.kind) {
    case 'const': return true;
    case 'index': return isStaticIndex(e.of);
    case 'load':
    case 'stage': return false;
    case 'unary': return (e.op === 'not' || e.op === 'neg' || e.op === 'abs') && isStatic(e.a) && isInteger(e.a);
    case 'cast': return e.dtype !== 'f32' && isStatic(e.a) && isInteger(e.a);
    case 'binary': return e.op !== 'pow' && isStatic(e.a) && isStatic(e.b) && isInteger(e.a) && isInteger(e.b);
    case 'select': return [e.condition, e.then, e.else].every((x) => isStatic(x) && isInteger(x));
    default: return e satisfies never;
  }
}

function isInteger(e: Expr): boolean {
  return !((e.kind === 'const' || e.kind === 'cast') && e.dtype === 'f32');
}

function isStaticIndex(index: Index): boolean {
  return index.terms.every(({ atom }) => atom.kind === 'axis' || ((atom.kind === 'div' || atom.kind === 'mod') && isStaticIndex(atom.of)));
}
