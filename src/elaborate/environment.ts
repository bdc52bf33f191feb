/** Names and their values within one body. */
import type { Label } from '../diagnostics.ts';
import type { Span } from '../source.ts';
import type { FileScope } from './files.ts';
import type { Dim, Value } from './values.ts';

export interface Binding {
  readonly value: Value;
  /** Where the name got this value. */
  readonly span: Span;
  /** For a name that a shape bound: `axis 1 of x`. */
  readonly from?: string;
  /** How the source writes the extent that a shape bound. */
  readonly dim?: Dim;
}

/**
 * One level of names. A body's outermost level has no parent; loops and lambdas add levels.
 * Past the outermost, names are looked up in `file`.
 */
export class Environment {
  readonly #names = new Map<string, Binding>();
  /** Why names have no value though the source gives them one somewhere, for messages. */
  readonly #absent = new Map<string, Label>();
  readonly parent?: Environment;
  readonly file: FileScope;

  constructor(file: FileScope, parent?: Environment) {
    this.file = file;
    this.parent = parent;
  }

  find(name: string): Binding | undefined {
    for (let level: Environment | undefined = this; level; level = level.parent) {
      const binding = level.#names.get(name);
      if (binding) return binding;
    }
    return undefined;
  }

  /** Binds at this level, over whatever outer levels say. */
  define(name: string, binding: Binding): void {
    this.#names.set(name, binding);
  }

  /** Rebinds where the name is bound, so that a loop's body carries it on; a new name stays at this level. */
  assign(name: string, binding: Binding): void {
    for (let level: Environment | undefined = this; level; level = level.parent) {
      if (level.#names.has(name)) return level.define(name, binding);
    }
    this.define(name, binding);
  }

  /** Remembers why a name has no value. */
  lacks(name: string, why: Label): void {
    this.#absent.set(name, why);
  }

  whyAbsent(name: string): Label | undefined {
    return this.#absent.get(name) ?? this.parent?.whyAbsent(name);
  }

  /** A fresh outermost level with this level's names: a block's body starts from its configuration. */
  copy(): Environment {
    const copy = new Environment(this.file);
    for (const [name, binding] of this.#names) copy.define(name, binding);
    return copy;
  }

  /** All names of all levels. */
  names(): string[] {
    const names = new Set<string>();
    for (let level: Environment | undefined = this; level; level = level.parent) for (const name of level.#names.keys()) names.add(name);
    return [...names];
  }
}
