/** Keys of indices and expressions: equal keys, equal meaning. They order the terms of an index and find repeated parts. */
import type { Atom, Expr, Index } from './kernel.ts';

const atomKeys = new WeakMap<Atom, string>();
const indexKeys = new WeakMap<Index, string>();
const exprKeys = new WeakMap<Expr, string>();

function cached<T extends object>(cache: WeakMap<T, string>, of: T, make: () => string): string {
  let key = cache.get(of);
  if (key === undefined) cache.set(of, (key = make()));
  return key;
}

/** The text of an atom: `i0`, `(i0+3*i1)/4`, `i0%4`, `value(load, 10)`. */
export function keyOfAtom(atom: Atom): string {
  switch (atom.kind) {
    case 'axis':
      return atom.name;
    case 'div':
      return cached(atomKeys, atom, () => `${grouped(atom.of)}/${atom.by}`);
    case 'mod':
      return cached(atomKeys, atom, () => `${grouped(atom.of)}%${atom.by}`);
    case 'value':
      return cached(atomKeys, atom, () => `value(${exprKey(atom.of)}, ${atom.extent})`);
  }
}

function grouped(index: Index): string {
  const plain = index.offset === 0 && index.terms.length === 1 && index.terms[0].scale === 1 && index.terms[0].atom.kind === 'axis';
  return plain ? keyOf(index) : `(${keyOf(index)})`;
}

/** The text of an index: terms in order, then the offset; `0` for nothing. */
export function keyOf(index: Index): string {
  return cached(indexKeys, index, () => {
    let text = '';
    for (const { scale, atom } of index.terms) {
      const sign = scale < 0 ? '-' : text ? '+' : '';
      const quotient = atom.kind === 'div' || atom.kind === 'mod';
      const key = keyOfAtom(atom);
      text += sign + (Math.abs(scale) === 1 ? key : `${Math.abs(scale)}*${quotient ? `(${key})` : key}`);
    }
    if (index.offset !== 0 || !text) text += (index.offset >= 0 && text ? '+' : '') + index.offset;
    return text;
  });
}

/** A constant as text: JavaScript's shortest decimal that reads back, `inf`, `-inf`. */
export function formatNumber(value: number): string {
  if (value === Infinity) return 'inf';
  if (value === -Infinity) return '-inf';
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The text of an expression, as printed by kernel-text.ts. */
export function exprKey(expr: Expr): string {
  if (expr.kind === 'const') return constKey(expr.value, expr.dtype);
  return cached(exprKeys, expr, () => {
    switch (expr.kind) {
      case 'index':
        return `index(${keyOf(expr.of)})`;
      case 'load':
        return `${expr.buffer}[${expr.at.map(keyOf).join(', ')}]`;
      case 'stage':
        return `${expr.stage}(${expr.at.map(keyOf).join(', ')})`;
      case 'unary':
        return `${expr.op}(${exprKey(expr.a)})`;
      case 'binary':
        return `${expr.op}(${exprKey(expr.a)}, ${exprKey(expr.b)})`;
      case 'select':
        return `select(${exprKey(expr.condition)}, ${exprKey(expr.then)}, ${exprKey(expr.else)})`;
      case 'cast':
        return `cast_${expr.dtype}(${exprKey(expr.a)})`;
    }
  });
}

function constKey(value: number, dtype: string): string {
  if (dtype === 'bool') return value ? 'true' : 'false';
  const text = formatNumber(value);
  return dtype === 'i32' ? `${text}i` : /^-?\d+$/.test(text) ? `${text}.0` : text;
}
