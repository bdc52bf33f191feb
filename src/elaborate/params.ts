/** The tree of weight paths, and which parameters stand where. */
import type { Span } from '../source.ts';
import type { InstanceValue, TensorValue } from './values.ts';

/** The instances that are being called, innermost first, each with which call it is. */
export interface Sharing {
  readonly instance: InstanceValue;
  readonly call: number;
  readonly parent?: Sharing;
}

export interface DeclaredParam {
  readonly tensor: TensorValue;
  readonly span: Span;
  /** The call of the block that declared it. */
  readonly call?: Span;
  readonly sharing?: Sharing;
}

/** One path, such as `blocks.3.attn`. */
export class ParamScope {
  readonly path: string;
  readonly params = new Map<string, DeclaredParam>();
  readonly children = new Map<string, ParamScope>();

  constructor(path = '') {
    this.path = path;
  }

  /** The scope one part below, made on first use. */
  child(part: string): ParamScope {
    let child = this.children.get(part);
    if (!child) this.children.set(part, (child = new ParamScope(this.nameOf(part))));
    return child;
  }

  at(parts: readonly string[]): ParamScope {
    return parts.reduce((scope: ParamScope, part) => scope.child(part), this);
  }

  /** The full name of something below this path. */
  nameOf(last: string): string {
    return this.path ? `${this.path}.${last}` : last;
  }
}

/** Whether two declarations at one path are one parameter: some instance is being called again. */
export function isShared(first: Sharing | undefined, again: Sharing | undefined): boolean {
  const calls = new Map<InstanceValue, number>();
  for (let s = first; s; s = s.parent) calls.set(s.instance, s.call);
  for (let s = again; s; s = s.parent) {
    const call = calls.get(s.instance);
    if (call !== undefined && call !== s.call) return true;
  }
  return false;
}
