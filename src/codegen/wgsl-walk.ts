/** Visits every expression and statement of a WGSL tree. */
import type { AccessWidth, WgslExpr, WgslFunction, WgslModule, WgslStatement } from './wgsl.ts';

export interface Visitor {
  readonly expr?: (e: WgslExpr) => void;
  readonly statement?: (s: WgslStatement) => void;
  /** Only the statements themselves, not those nested in them. */
  readonly shallow?: boolean;
}

export function walkModule(module: { readonly body: readonly WgslStatement[]; readonly functions: readonly WgslFunction[] }, visitor: Visitor): void {
  for (const f of module.functions) for (const s of f.body) walkStatement(s, visitor);
  for (const s of module.body) walkStatement(s, visitor);
}

function walkStatement(s: WgslStatement, v: Visitor): void {
  v.statement?.(s);
  for (const e of expressionsOf(s)) walkExpr(e, v);
  if (!v.shallow) for (const inner of nestedOf(s)) walkStatement(inner, v);
}

function nestedOf(s: WgslStatement): readonly WgslStatement[] {
  switch (s.kind) {
    case 'for':
    case 'block':
      return s.body;
    case 'if':
      return [...s.then, ...(s.else ?? [])];
    default:
      return [];
  }
}

function expressionsOf(s: WgslStatement): readonly WgslExpr[] {
  switch (s.kind) {
    case 'let': return [s.value];
    case 'var':
    case 'return': return s.value ? [s.value] : [];
    case 'assign': return [s.target, s.value];
    case 'store': return [s.at, s.value];
    case 'matrixStore': return [s.offset, s.value, s.stride];
    case 'for': return [s.from, s.below, s.step];
    case 'if': return [s.condition];
    case 'block':
    case 'barrier':
    case 'comment': return [];
    default: return s satisfies never;
  }
}

function walkExpr(e: WgslExpr, v: Visitor): void {
  v.expr?.(e);
  for (const part of partsOf(e)) walkExpr(part, v);
}

function partsOf(e: WgslExpr): readonly WgslExpr[] {
  switch (e.kind) {
    case 'literal':
    case 'ref': return [];
    case 'unary':
    case 'bitcast': return [e.a];
    case 'binary': return [e.a, e.b];
    case 'call':
    case 'construct': return e.args;
    case 'element': return [e.of, e.at];
    case 'load': return [e.at];
    case 'matrixLoad': return [e.offset, e.stride];
    default: return e satisfies never;
  }
}

/** The element width of each binding's array: the narrowest access to it, where whole vectors fill the buffer. */
export function bindingWidths(module: WgslModule): Map<string, AccessWidth> {
  const widths = new Map<string, AccessWidth>();
  const use = (name: string, width: AccessWidth): void => {
    widths.set(name, Math.min(width, widths.get(name) ?? width) as AccessWidth);
  };
  walkModule(module, {
    expr: (e) => {
      if (e.kind === 'load') use(e.binding, e.width);
      else if (e.kind === 'matrixLoad' && e.from.space === 'binding') use(e.from.name, 1);
    },
    statement: (s) => {
      if (s.kind === 'store') use(s.binding, s.width);
      else if (s.kind === 'matrixStore' && s.to.space === 'binding') use(s.to.name, 1);
    },
  });
  for (const b of module.bindings) {
    const widest = ([8, 4, 2, 1] as const).find((width) => width <= (widths.get(b.name) ?? 1) && b.elements % width === 0)!;
    widths.set(b.name, widest);
  }
  return widths;
}
