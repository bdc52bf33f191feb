/** Walks over the indices that stand in an expression. */
import type { Expr, Index } from './kernel.ts';

/** Calls f with every index that stands in the expression (not with indices inside of those). */
export function visitIndices(expr: Expr, f: (index: Index) => void): void {
  switch (expr.kind) {
    case 'const':
      return;
    case 'index':
      return f(expr.of);
    case 'load':
    case 'stage':
      return expr.at.forEach(f);
    case 'unary':
    case 'cast':
      return visitIndices(expr.a, f);
    case 'binary':
      visitIndices(expr.a, f);
      return visitIndices(expr.b, f);
    case 'select':
      visitIndices(expr.condition, f);
      visitIndices(expr.then, f);
      return visitIndices(expr.else, f);
  }
}

/** The expression with every index replaced by f of it; unchanged parts are shared, and a shared part is mapped once. */
export function mapIndices(expr: Expr, f: (index: Index) => Index): Expr {
  const done = new Map<Expr, Expr>();
  const all = (at: readonly Index[]): readonly Index[] => {
    const next = at.map(f);
    return next.every((index, i) => index === at[i]) ? at : next;
  };
  const walk = (e: Expr): Expr => {
    let out = done.get(e);
    if (!out) done.set(e, (out = rebuild(e)));
    return out;
  };
  const rebuild = (e: Expr): Expr => {
    switch (e.kind) {
      case 'const':
        return e;
      case 'index': {
        const of = f(e.of);
        return of === e.of ? e : { kind: 'index', of };
      }
      case 'load':
      case 'stage': {
        const at = all(e.at);
        return at === e.at ? e : { ...e, at };
      }
      case 'unary':
      case 'cast': {
        const a = walk(e.a);
        return a === e.a ? e : { ...e, a };
      }
      case 'binary': {
        const a = walk(e.a);
        const b = walk(e.b);
        return a === e.a && b === e.b ? e : { ...e, a, b };
      }
      case 'select': {
        const condition = walk(e.condition);
        const then = walk(e.then);
        const other = walk(e.else);
        return condition === e.condition && then === e.then && other === e.else ? e : { kind: 'select', condition, then, else: other };
      }
    }
  };
  return walk(expr);
}
