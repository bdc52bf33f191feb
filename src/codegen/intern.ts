/** Numbers for expressions: equal numbers, equal structure. Shared parts are visited once, however often they stand. */
import type { Expr } from '../kernel.ts';
import { keyOf } from '../kernel-index.ts';

export class Interner {
  private readonly ids = new Map<string, number>();
  private readonly known = new WeakMap<Expr, number>();

  id(e: Expr): number {
    let id = this.known.get(e);
    if (id === undefined) {
      const key = this.key(e);
      id = this.ids.get(key) ?? this.ids.size;
      this.ids.set(key, id);
      this.known.set(e, id);
    }
    return id;
  }

  private key(e: Expr): string {
    switch (e.kind) {
      case 'const': return `${e.dtype} ${Object.is(e.value, -0) ? '-0' : e.value}`;
      case 'index': return `index ${keyOf(e.of)}`;
      case 'load': return `load ${e.buffer} ${e.at.map(keyOf).join(',')}`;
      case 'stage': return `stage ${e.stage} ${e.at.map(keyOf).join(',')}`;
      case 'unary': return `${e.op} ${this.id(e.a)}`;
      case 'cast': return `cast ${e.dtype} ${this.id(e.a)}`;
      case 'binary': return `${e.op} ${this.id(e.a)} ${this.id(e.b)}`;
      case 'select': return `select ${this.id(e.condition)} ${this.id(e.then)} ${this.id(e.else)}`;
      default: return e satisfies never;
    }
  }
}
