/**
 * Turns a kernel's indices and accesses into WGSL statements: scopes with their axes, index arithmetic hoisted to the
 * outermost scope where it can stand, every value named once, every access counted.
 *
 * Indices are u32 and wrap, so partial sums may be negative; an index that is used is in range.
 */
import type { Atom, Axis, Index, IndexTerm, Kernel, KernelParam } from '../kernel.ts';
import { storedElements } from '../kernel-layout.ts';
import { axesOf, keyOf, keyOfAtom, rangeOf } from '../kernel-index.ts';
import type { Space } from '../plan.ts';
import type { Target } from '../targets.ts';
import { countPoints } from './count.ts';
import type { Guard } from './count.ts';
import { helper, HELPER_FUNCTION_NAMES, helpersOf } from './helpers.ts';
import { Names } from './names.ts';
import { add, bitcast, call, convert, div, forOf, i32, letOf, mod, mul, ref, sub, u32 } from './wgsl-build.ts';
import { accessBytes, I32, scalarOf, U32, vector } from './wgsl.ts';
import type { AccessWidth, Binding, Builtin, KernelCode, ValueType, WgslExpr, WgslModule, WgslStatement, WgslType } from './wgsl.ts';

export interface Scope {
  readonly parent?: Scope;
  readonly depth: number;
  /** A branch: loads may not be moved out of it, index arithmetic may. */
  readonly guard?: Guard;
  /** A branch that only some threads of its axes' scope enter: nothing that loads is moved out of it. */
  readonly fence: boolean;
  /** Axes that this scope runs over, or that its threads stand for. */
  readonly axes: Axis[];
  /** Outer axes that stand for nothing in here, such as the lanes that a strided loop divides its axis among. */
  readonly replaces: readonly string[];
  /** How often a loop over its one axis runs. */
  readonly repeats?: number;
  readonly statements: WgslStatement[];
  readonly values: Map<string, WgslExpr>;
  executions?: number;
  /** Executions as counted by the family, where axes of threads overlap or overhang. */
  counted?: number;
}

export interface ScopeOptions {
  readonly guard?: Guard;
  readonly fence?: boolean;
  readonly axes?: readonly Axis[];
  readonly replaces?: readonly string[];
  readonly repeats?: number;
}

export interface LoopOptions {
  readonly from?: WgslExpr;
  readonly step?: WgslExpr;
  readonly replaces?: readonly string[];
}

export class Emitter {
  readonly names = new Names();
  readonly bindings: readonly Binding[];
  readonly params: ReadonlyMap<string, KernelParam>;
  private readonly bindingOf: ReadonlyMap<string, Binding>;
  private readonly axes = new Map<string, { readonly value: WgslExpr; readonly scope: Scope }>();
  private readonly workgroupVars: { name: string; type: WgslType }[] = [];
  private readonly enables = new Set<WgslModule['enables'][number]>();
  private readonly diagnosticsOff = new Set<string>();
  private readonly builtins = new Map<Builtin, string>();
  private readonly root: Scope;
  private current: Scope;
  private loadBytes = 0;
  private storeBytes = 0;

  constructor(readonly kernel: Kernel, spaces: readonly Space[], readonly target: Target) {
    for (const name of HELPER_FUNCTION_NAMES) this.names.fresh(name);
    this.bindings = kernel.params.map((p, index) => {
      const packed = p.storage === 'f16' && !target.shaderF16;
      if (p.storage === 'f16' && target.shaderF16) this.enables.add('f16');
      return { name: this.names.fresh(p.name), index, access: spaces[index] === 'weights' ? 'read' : 'read_write', storage: p.storage, packed, elements: storedElements(p) };
    });
    this.params = new Map(kernel.params.map((p) => [p.name, p]));
    this.bindingOf = new Map(kernel.params.map((p, i) => [p.name, this.bindings[i]]));
    this.root = newScope(undefined, {});
    this.current = this.root;
  }

  // ---- Declarations.

  enable(feature: WgslModule['enables'][number]): void {
    this.enables.add(feature);
  }

  diagnosticOff(name: string): void {
    this.diagnosticsOff.add(name);
  }

  builtin(builtin: Builtin): WgslExpr {
    let name = this.builtins.get(builtin);
    if (!name) this.builtins.set(builtin, (name = this.names.fresh(builtin)));
    return ref(name, BUILTIN_TYPES[builtin]);
  }

  workgroupVar(wish: string, type: WgslType): WgslExpr {
    const name = this.names.fresh(wish);
    this.workgroupVars.push({ name, type });
    return ref(name, type);
  }

  binding(buffer: string): Binding {
    const binding = this.bindingOf.get(buffer);
    if (!binding) throw new Error(`bug: the kernel has no parameter ${buffer}`);
    return binding;
  }

  // ---- Scopes and statements.

  get scope(): Scope {
    return this.current;
  }

  push(...statements: WgslStatement[]): void {
    this.current.statements.push(...statements);
  }

  /** `let NAME = value`, unless the value is a name or literal already. */
  bind(wish: string, value: WgslExpr): WgslExpr {
    if (value.kind === 'ref' || value.kind === 'literal') return value;
    const name = this.names.fresh(wish);
    this.push(letOf(name, value));
    return ref(name, value.type);
  }

  /** `var NAME`, initialized or zero. */
  variable(wish: string, type: WgslType, value?: WgslExpr): WgslExpr {
    const name = this.names.fresh(wish);
    this.push({ kind: 'var', name, type, value });
    return ref(name, type);
  }

  /** Runs f in a scope of its own and gives the statements that it made. */
  nested(options: ScopeOptions, f: () => void): WgslStatement[] {
    const outer = this.current;
    const scope = newScope(outer, options);
    this.current = scope;
    f();
    this.current = outer;
    return scope.statements;
  }

  /** Runs f where `scope` ends so far. */
  within<T>(scope: Scope, f: () => T): T {
    const saved = this.current;
    this.current = scope;
    const result = f();
    this.current = saved;
    return result;
  }

  /** A loop over an axis (all of it, or with `replaces` the part that this thread has of it). */
  loop(over: Axis, f: () => void, { from = u32(0), step = u32(1), replaces = [] }: LoopOptions = {}): void {
    if (over.extent === 1 && replaces.length === 0) return f();
    const name = this.names.fresh(over.name);
    const body = this.nested({ axes: [over], replaces, ...(replaces.length === 0 && { repeats: over.extent }) }, () => {
      this.defineAxis(over, ref(name, U32));
      f();
    });
    this.push(forOf(name, from, u32(over.extent), step, body));
  }

  /** The axis has this value from here on in the current scope. */
  defineAxis(over: Axis, value: WgslExpr): void {
    this.axes.set(over.name, { value, scope: this.current });
    this.current.executions = undefined;
    if (!this.current.axes.some((a) => a.name === over.name)) this.current.axes.push(over);
  }

  /** The current scope runs this often over all threads of a dispatch, whatever its axes say. */
  runs(executions: number): void {
    this.current.counted = executions;
  }

  /** The outermost scope where these axes are known; `loads`: not out of a branch. */
  hoisted(axes: ReadonlySet<string>, loads: boolean): Scope {
    let scope = this.current;
    const needed = Math.max(0, ...[...axes].map((name) => this.axisOf(name).scope.depth));
    while (scope.parent && scope.depth > needed && !(loads && scope.fence)) scope = scope.parent;
    return scope;
  }

  private axisOf(name: string): { readonly value: WgslExpr; readonly scope: Scope } {
    const found = this.axes.get(name);
    if (!found) throw new Error(`bug: axis ${name} is used outside of its loop`);
    return found;
  }

  /** The value remembered under this key in the current scope or one around it, else made and remembered in `scope`. */
  remembered(key: string, scope: Scope, make: () => WgslExpr): WgslExpr {
    for (let s: Scope | undefined = this.current; s; s = s.parent) {
      const found = s.values.get(key);
      if (found) return found;
    }
    const value = this.within(scope, make);
    scope.values.set(key, value);
    return value;
  }

  // ---- Indices.

  /** The u32 value of an index. */
  index(index: Index, valueAtom: (atom: Extract<Atom, { kind: 'value' }>) => WgslExpr): WgslExpr {
    const byDepth = new Map<number, IndexTerm[]>();
    for (const term of index.terms) {
      const depth = this.hoisted(axesOf({ offset: 0, terms: [term] }), hasValue(term.atom)).depth;
      byDepth.set(depth, [...(byDepth.get(depth) ?? []), term]);
    }
    const depths = [...byDepth.keys()].sort((a, b) => a - b);
    let sum: WgslExpr | undefined;
    let key = '';
    for (const depth of depths) {
      const terms = byDepth.get(depth)!;
      key = `index ${key}|${keyOf({ offset: 0, terms })}`;
      const scope = this.scopeAt(depth);
      const before = sum;
      const make = (): WgslExpr => this.sumOf(before, terms, valueAtom);
      sum = this.remembered(key, scope, () => this.bind('i', make()));
    }
    if (!sum) return u32(index.offset < 0 ? index.offset + 2 ** 32 : index.offset);
    return index.offset < 0 ? sub(sum, u32(-index.offset)) : add(sum, u32(index.offset));
  }

  private scopeAt(depth: number): Scope {
    let scope = this.current;
    while (scope.depth > depth) scope = scope.parent!;
    return scope;
  }

  private sumOf(start: WgslExpr | undefined, terms: readonly IndexTerm[], valueAtom: (atom: Extract<Atom, { kind: 'value' }>) => WgslExpr): WgslExpr {
    let sum = start;
    for (const { scale, atom } of [...terms].sort((a, b) => b.scale - a.scale)) {
      const product = mul(this.atom(atom, valueAtom), u32(Math.abs(scale)));
      if (scale > 0) sum = sum ? add(sum, product) : product;
      else sum = sub(sum ?? u32(0), product);
    }
    return sum!;
  }

  private atom(atom: Atom, valueAtom: (atom: Extract<Atom, { kind: 'value' }>) => WgslExpr): WgslExpr {
    if (atom.kind === 'axis') return this.axisOf(atom.name).value;
    const scope = this.hoisted(axesOf({ offset: 0, terms: [{ scale: 1, atom }] }), hasValue(atom));
    return this.remembered(`atom ${keyOfAtom(atom)}`, scope, () => {
      if (atom.kind === 'value') return this.bind('at', valueAtom(atom));
      // Floor division of a negative number: moved up by a multiple of the divisor first.
      const [min] = rangeOf(atom.of);
      const periods = min < 0 ? Math.ceil(-min / atom.by) : 0;
      const of = this.index({ ...atom.of, offset: atom.of.offset + periods * atom.by }, valueAtom);
      if (atom.kind === 'mod') return this.bind('i', mod(of, u32(atom.by)));
      return this.bind('i', sub(div(of, u32(atom.by)), u32(periods)));
    });
  }

  // ---- Accesses.

  /** How often the current scope runs, over all threads of a dispatch. */
  executions(scope: Scope = this.current): number {
    if (scope.counted !== undefined) return scope.counted;
    if (scope.executions !== undefined) return scope.executions;
    const within = this.repeated(scope);
    if (within !== undefined) return (scope.executions = within);
    const axes = new Map<string, Axis>();
    const guards: Guard[] = [];
    const chain: Scope[] = [];
    for (let s: Scope | undefined = scope; s; s = s.parent) chain.unshift(s);
    for (const s of chain) {
      for (const name of s.replaces) axes.delete(name);
      for (const a of s.axes) axes.set(a.name, a);
      if (s.guard) guards.push(s.guard);
    }
    const count = countPoints([...axes.values()], guards);
    scope.executions = count;
    return count;
  }

  /** How often a loop runs that stands, with no branch between, where the family has counted. */
  private repeated(scope: Scope): number | undefined {
    let times = 1;
    for (let s: Scope | undefined = scope; s; s = s.parent) {
      if (s.counted !== undefined) return times * s.counted;
      if (s.guard || s.replaces.length > 0 || s.axes.length !== (s.repeats === undefined ? 0 : 1)) return undefined;
      times *= s.repeats ?? 1;
    }
    return undefined;
  }

  /** A load of `width` consecutive elements, the first being element at * width, `raw` as they are stored; counted where the current scope stands. */
  load(buffer: string, at: WgslExpr, width: 1 | 2 | 4, raw = false): WgslExpr {
    const { storage } = this.binding(buffer);
    const loaded = this.loadAs(vector(storage === 'f16' && !raw ? 'f32' : scalarOf(storage), width), buffer, at, width, raw);
    return storage === 'pair' && !raw ? helper('from_pair', loaded) : loaded;
  }

  /** Eight consecutive values of f16 as they lie, in four words; the buffer is read in no other way. */
  loadWords(buffer: string, at: WgslExpr): WgslExpr {
    return this.loadAs(vector('u32', 4), buffer, at, 8, true);
  }

  private loadAs(type: ValueType, buffer: string, at: WgslExpr, width: AccessWidth, raw: boolean): WgslExpr {
    const binding = this.binding(buffer);
    this.loadBytes += accessBytes(binding, width) * this.executions();
    return { kind: 'load', type, binding: binding.name, at, width, raw };
  }

  store(buffer: string, at: WgslExpr, value: WgslExpr, width: 1 | 2 | 4): void {
    const binding = this.binding(buffer);
    this.storeBytes += accessBytes(binding, width) * this.executions();
    const stored = binding.storage === 'i32' ? convert('i32', value) : binding.storage === 'pair' ? helper('to_pair', value) : value;
    this.push({ kind: 'store', binding: binding.name, at, width, value: stored });
  }

  /**
   * Which of the workgroup's `count` subgroups this is. A driver knows no bound of the id itself: Dawn's test of whether a
   * fragment lies within workgroup memory would then stay in the code and leave the fragment's stride open, and NVIDIA's
   * compiler load it value by value instead of eight at once.
   */
  subgroup(count: number): WgslExpr {
    return count === 1 ? u32(0) : mod(this.builtin('subgroup_id'), u32(count));
  }

  /** Counts accesses that were made without load and store: subgroup matrices. */
  count(loadBytes: number, storeBytes: number): void {
    this.loadBytes += loadBytes;
    this.storeBytes += storeBytes;
  }

  finish(workgroupSize: readonly [number, number, number], workgroups: readonly [number, number, number]): KernelCode {
    if (this.current !== this.root) throw new Error('bug: a scope is still open');
    const module: WgslModule = {
      comment: this.kernel.name,
      enables: [...this.enables],
      diagnosticsOff: [...this.diagnosticsOff],
      bindings: this.bindings,
      workgroupVars: this.workgroupVars,
      constants: [],
      functions: helpersOf(this.root.statements),
      workgroupSize,
      builtins: [...this.builtins].map(([builtin, name]) => ({ builtin, name })),
      body: this.root.statements,
    };
    return { module, workgroups, issued: { loadBytes: this.loadBytes, storeBytes: this.storeBytes } };
  }
}

function newScope(parent: Scope | undefined, options: ScopeOptions): Scope {
  return { parent, depth: parent ? parent.depth + 1 : 0, guard: options.guard, fence: options.fence ?? options.guard !== undefined, axes: [...(options.axes ?? [])], replaces: options.replaces ?? [], repeats: options.repeats, statements: [], values: new Map() };
}

export function hasValue(atom: Atom): boolean {
  if (atom.kind === 'axis') return false;
  return atom.kind === 'value' || atom.of.terms.some((t) => hasValue(t.atom));
}

/** The i32 value of a u32 index; the bits are the same. */
export function signed(index: WgslExpr): WgslExpr {
  if (index.kind === 'literal') return i32(index.value | 0);
  return bitcast(I32, index);
}

const BUILTIN_TYPES: Record<Builtin, ValueType> = {
  workgroup_id: vector('u32', 3),
  local_invocation_id: vector('u32', 3),
  local_invocation_index: U32,
  global_invocation_id: vector('u32', 3),
  num_workgroups: vector('u32', 3),
  subgroup_size: U32,
  subgroup_id: U32,
  subgroup_invocation_id: U32,
};

/** Smaller of a u32 and a constant. */
export function atMost(value: WgslExpr, most: number): WgslExpr {
  return call('min', U32, value, u32(most));
}

