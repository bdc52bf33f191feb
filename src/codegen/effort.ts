/**
 * Counts what the first subgroup of the workgroup in the middle of the grid executes, the one that edges concern least.
 * Integers are known, for every invocation of the subgroup, and followed; a loop's body is counted once and taken as often
 * as the loop runs. Where invocations part at a condition, both branches count; where it depends on data, the dearer one.
 */
import type { Effort } from '../effort.ts';
import { accessBytes, type Binding, type KernelCode, type WgslExpr, type WgslFunction, type WgslModule, type WgslStatement, type WgslType } from './wgsl.ts';

type Counts = { -readonly [K in Exclude<keyof Effort, 'workgroupBytes' | 'loose'>]: number };

/** An integer: one for all invocations, or one for each. Undefined where it depends on what memory holds. */
type Value = number | readonly number[] | undefined;

/** Names and their values; vectors (the built-in ones) by component. */
type Scope = Map<string, Value | { readonly parts: readonly Value[] }>;

/** Which invocations take part; undefined: all. */
type Mask = readonly boolean[] | undefined;

/** Invocations of a subgroup, as of NVIDIA's devices and many others. */
export const SUBGROUP = 32;
/** Instructions that a special function stands for: an eighth of the units compute them. */
const SPECIAL = 8;
const CHEAP = new Set(['fma', 'min', 'max', 'abs', 'select', 'clamp', 'floor', 'dot', 'sign', 'step', 'saturate', 'mix', 'subgroupElect']);
const SECTOR = 32;
const BANKS = 32;

export function effortOf(code: Pick<KernelCode, 'module' | 'workgroups' | 'loose'>): Effort {
  const [x, y, z] = code.module.workgroupSize;
  const subgroups = Math.ceil((x * y * z) / SUBGROUP);
  const first = countsOf(code, 0);
  // What they execute is of all subgroups, spread over some; how often the workgroup waits is of the first, which has most to do.
  const others = code.loose ? Array.from({ length: Math.min(SAMPLES, subgroups) - 1 }, (_, i) => countsOf(code, Math.floor(((i + 1) * subgroups) / Math.min(SAMPLES, subgroups)))) : [];
  const mean = Object.fromEntries(EXECUTED.map((key) => [key, [first, ...others].reduce((sum, c) => sum + c[key], 0) / (others.length + 1)]));
  return { ...first, ...mean, ...(code.loose && { loose: true }), workgroupBytes: code.module.workgroupVars.reduce((sum, v) => sum + bytesOf(v.type), 0) };
}

/** Subgroups that are counted where they have unequal work. */
const SAMPLES = 4;
const EXECUTED = ['arithmetic', 'integer', 'local', 'accesses', 'sectors'] as const satisfies readonly (keyof Counts)[];

function countsOf({ module, workgroups }: Pick<KernelCode, 'module' | 'workgroups'>, subgroup: number): Counts {
  const [x, y, z] = module.workgroupSize;
  const lanes = Math.min(SUBGROUP, x * y * z);
  const walker = new Walker(module, lanes);
  const middle = workgroups.map((n) => Math.floor(n / 2));
  const each = (of: (lane: number) => number): number[] => Array.from({ length: lanes }, (_, lane) => of(subgroup * SUBGROUP + lane));
  const local = [each((i) => i % x), each((i) => Math.floor(i / x) % y), each((i) => Math.floor(i / (x * y)))];
  const scope: Scope = new Map();
  for (const { name, builtin } of module.builtins) {
    switch (builtin) {
      case 'workgroup_id': scope.set(name, { parts: middle }); break;
      case 'num_workgroups': scope.set(name, { parts: workgroups }); break;
      case 'local_invocation_id': scope.set(name, { parts: local }); break;
      case 'global_invocation_id': scope.set(name, { parts: local.map((list, k) => list.map((i) => middle[k] * module.workgroupSize[k] + i)) }); break;
      case 'local_invocation_index': scope.set(name, each((i) => i)); break;
      case 'subgroup_invocation_id': scope.set(name, each((i) => i % SUBGROUP)); break;
      case 'subgroup_id': scope.set(name, subgroup); break;
      case 'subgroup_size': scope.set(name, SUBGROUP); break;
      default: builtin satisfies never;
    }
  }
  for (const c of module.constants) scope.set(c.name, walker.expr(c.value, scope, none(), undefined));
  const counts = none();
  walker.block(module.body, scope, counts, undefined);
  return counts;
}

function none(): Counts {
  return { arithmetic: 0, integer: 0, local: 0, accesses: 0, sectors: 0, waits: 0, early: 0, code: 0, localWaits: 0, barriers: 0, matrix: 0 };
}

function addTo(to: Counts, from: Counts, times: number): void {
  for (const key of Object.keys(from) as (keyof Counts)[]) to[key] += from[key] * (key === 'code' ? 1 : times);
}

export function bytesOf(type: WgslType): number {
  if (type.kind === 'array') return type.length * bytesOf(type.of);
  if (type.kind === 'matrix') return 0;
  return (type.scalar === 'f16' ? 2 : 4) * (type.width === 3 ? 4 : type.width);
}

const isInteger = (type: WgslType): boolean => type.kind === 'value' && type.scalar !== 'f32' && type.scalar !== 'f16';

class Walker {
  private readonly functions: ReadonlyMap<string, WgslFunction>;
  private readonly shared: ReadonlySet<string>;
  private readonly bindings: ReadonlyMap<string, Binding>;

  constructor(module: WgslModule, private readonly lanes: number) {
    this.functions = new Map(module.functions.map((f) => [f.name, f]));
    this.shared = new Set(module.workgroupVars.map((v) => v.name));
    this.bindings = new Map(module.bindings.map((b) => [b.name, b]));
  }

  block(statements: readonly WgslStatement[], scope: Scope, counts: Counts, mask: Mask): void {
    let [loading, reading, early] = [false, false, false];
    for (const s of statements) {
      const before = { ...counts };
      this.statement(s, scope, counts, mask);
      if (!isStraight(s)) {
        loading = reading = early = false;
        continue;
      }
      // Loads of neighbouring statements are under way together; a compiler turns short branches into predicates.
      [counts.waits, counts.early, counts.localWaits] = [before.waits, before.early, before.localWaits];
      const loads = counts.accesses > before.accesses && loadsIn(s);
      if (loads && isKept(s)) {
        if (!early) counts.early++;
        early = true;
      } else if (loads && !loading) {
        loading = true;
        counts.waits++;
      }
      if (counts.local > before.local && !(s.kind === 'assign' && this.touches(s.target)) && !reading) {
        reading = true;
        counts.localWaits++;
      }
    }
  }

  private statement(s: WgslStatement, scope: Scope, counts: Counts, mask: Mask): void {
    switch (s.kind) {
      case 'let': scope.set(s.name, this.expr(s.value, scope, counts, mask)); return;
      case 'var': scope.set(s.name, s.value ? this.expr(s.value, scope, counts, mask) : undefined); return;
      case 'assign': {
        const value = this.expr(s.value, scope, counts, mask);
        this.expr(s.target, scope, counts, mask);
        if (s.op !== undefined) operation(s.target.type, counts);
        if (s.target.kind === 'ref') scope.set(s.target.name, s.op === undefined ? value : undefined);
        return;
      }
      case 'store': {
        const at = this.expr(s.at, scope, counts, mask);
        this.expr(s.value, scope, counts, mask);
        this.access(at, accessBytes(this.bindings.get(s.binding)!, s.width), counts, mask);
        return;
      }
      case 'matrixStore':
        this.expr(s.offset, scope, counts, mask);
        this.matrixAccess(s.value.type, s.to.space === 'binding', counts);
        return;
      case 'for': return this.loop(s, scope, counts, mask);
      case 'if': return this.branch(s, scope, counts, mask);
      case 'block': return this.block(s.body, scope, counts, mask);
      case 'return': if (s.value) this.expr(s.value, scope, counts, mask); return;
      case 'barrier': counts.barriers++; return;
      case 'comment': return;
      default: s satisfies never;
    }
  }

  private loop(s: Extract<WgslStatement, { kind: 'for' }>, scope: Scope, counts: Counts, mask: Mask): void {
    const [from, below, step] = [s.from, s.below, s.step].map((e) => this.expr(e, scope, counts, mask));
    const turns = this.map([from, below, step], (a, b, c) => (c > 0 ? Math.max(0, Math.ceil((b - a) / c)) : 1));
    // Unknown bounds: one turn. Invocations wait for the one that has most.
    const most = turns === undefined ? 1 : typeof turns === 'number' ? turns : Math.max(...turns);
    if (most === 0) return;
    // A turn in the middle stands for all.
    scope.set(s.name, this.map([from, step], (a, c) => a + c * Math.floor((most - 1) / 2)));
    const once = none();
    this.block(s.body, scope, once, mask);
    once.integer += 2;
    addTo(counts, once, most);
  }

  private branch(s: Extract<WgslStatement, { kind: 'if' }>, scope: Scope, counts: Counts, mask: Mask): void {
    const condition = this.expr(s.condition, scope, counts, mask);
    const taken = (wanted: boolean): Mask => (Array.isArray(condition) ? condition.map((c, i) => Boolean(c) === wanted && (mask?.[i] ?? true)) : mask);
    const side = (wanted: boolean): Counts | undefined => {
      const own = none();
      const inner = taken(wanted);
      if (typeof condition === 'number' ? Boolean(condition) !== wanted : inner?.every((on) => !on)) return undefined;
      this.block(wanted ? s.then : s.else ?? [], new Map(scope), own, inner);
      return own;
    };
    const [then, otherwise] = [side(true), side(false)];
    if (condition === undefined && then && otherwise) addTo(counts, costOf(then) >= costOf(otherwise) ? then : otherwise, 1);
    else for (const own of [then, otherwise]) if (own) addTo(counts, own, 1);
  }

  /** Whether it is a place in workgroup memory. */
  private touches(e: WgslExpr): boolean {
    return e.kind === 'element' ? this.touches(e.of) : e.kind === 'ref' && this.shared.has(e.name);
  }

  /** A function of integers for every invocation; one number where all are alike. */
  private map(args: readonly Value[], of: (...numbers: number[]) => number): Value {
    if (args.includes(undefined)) return undefined;
    const known = args as readonly (number | readonly number[])[];
    if (known.every((a) => typeof a === 'number')) return of(...(known as number[]));
    return Array.from({ length: this.lanes }, (_, lane) => of(...known.map((a) => (typeof a === 'number' ? a : a[lane]))));
  }

  /** An access of global memory: the sectors that the subgroup touches. */
  private access(at: Value, bytes: number, counts: Counts, mask: Mask): void {
    counts.accesses++;
    counts.code++;
    const active = mask?.filter(Boolean).length ?? this.lanes;
    // Places that data decides: any.
    if (at === undefined) counts.sectors += active;
    else if (typeof at === 'number') counts.sectors += Math.ceil(bytes / SECTOR);
    else counts.sectors += new Set(at.filter((_, i) => mask?.[i] ?? true).map((place) => Math.floor((place * bytes) / SECTOR))).size;
  }

  /** An access of workgroup memory: on each bank, words that differ take turns. */
  private localAccess(at: Value, type: WgslType, counts: Counts, mask: Mask): void {
    const words = Math.max(1, bytesOf(type) / 4);
    counts.code++;
    if (at === undefined || typeof at === 'number') {
      counts.local += 1;
      return;
    }
    const banks = new Map<number, Set<number>>();
    at.forEach((place, i) => {
      if (!(mask?.[i] ?? true)) return;
      for (let w = 0; w < words; w++) {
        const word = Math.floor(place * words) + w;
        const bank = word % BANKS;
        banks.set(bank, (banks.get(bank) ?? new Set()).add(word));
      }
    });
    counts.local += Math.max(1, ...[...banks.values()].map((s) => s.size));
  }

  private matrixAccess(type: WgslType, global: boolean, counts: Counts): void {
    const bytes = type.kind === 'matrix' ? type.rows * type.columns * (type.component === 'f16' ? 2 : 4) : 0;
    if (global) {
      counts.accesses++;
      counts.sectors += Math.ceil(bytes / SECTOR);
    } else {
      counts.local += Math.ceil(bytes / (4 * BANKS));
    }
  }

  expr(e: WgslExpr, scope: Scope, counts: Counts, mask: Mask): Value {
    switch (e.kind) {
      case 'literal': return isInteger(e.type) ? e.value : undefined;
      case 'ref': {
        const value = scope.get(e.name);
        return typeof value === 'object' && 'parts' in value ? undefined : value;
      }
      case 'unary': {
        const a = this.expr(e.a, scope, counts, mask);
        operation(e.type, counts);
        return this.map([a], (n) => (e.op === '!' ? Number(!n) : e.op === '-' ? -n : ~n));
      }
      case 'binary': {
        const sides = [this.expr(e.a, scope, counts, mask), this.expr(e.b, scope, counts, mask)];
        operation(e.type, counts, !isInteger(e.type) && (e.op === '/' || e.op === '%') ? SPECIAL : 1);
        return this.map(sides, (a, b) => binary(e.op, a, b, e.type.scalar === 'i32'));
      }
      case 'call': return this.call(e, scope, counts, mask);
      case 'construct': {
        const args = e.args.map((a) => this.expr(a, scope, counts, mask));
        return args.length === 1 && isInteger(e.type) ? args[0] : undefined;
      }
      case 'bitcast': {
        const a = this.expr(e.a, scope, counts, mask);
        return isInteger(e.type) ? a : undefined;
      }
      case 'element': return this.element(e, scope, counts, mask);
      case 'load':
        this.access(this.expr(e.at, scope, counts, mask), accessBytes(this.bindings.get(e.binding)!, e.width), counts, mask);
        return undefined;
      case 'matrixLoad':
        this.expr(e.offset, scope, counts, mask);
        this.matrixAccess(e.type, e.from.space === 'binding', counts);
        return undefined;
      default: return e satisfies never;
    }
  }

  private element(e: Extract<WgslExpr, { kind: 'element' }>, scope: Scope, counts: Counts, mask: Mask): Value {
    const at = this.expr(e.at, scope, counts, mask);
    if (e.of.kind === 'ref') {
      const of = scope.get(e.of.name);
      if (typeof of === 'object' && 'parts' in of) return typeof at === 'number' ? of.parts[at] : undefined;
      if (this.shared.has(e.of.name)) {
        this.localAccess(at, e.type, counts, mask);
        return undefined;
      }
    }
    this.expr(e.of, scope, counts, mask);
    return undefined;
  }

  private call({ name, args, type }: Extract<WgslExpr, { kind: 'call' }>, scope: Scope, counts: Counts, mask: Mask): Value {
    const values = args.map((a) => this.expr(a, scope, counts, mask));
    const own = this.functions.get(name);
    if (own) {
      this.block(own.body, new Map(own.params.map((p, i) => [p.name, values[i]])), counts, mask);
      return undefined;
    }
    if (name.startsWith('subgroupMatrixMultiply')) {
      const [left, right] = args.map((a) => a.type);
      if (left.kind === 'matrix' && right.kind === 'matrix') counts.matrix += left.rows * left.columns * right.columns;
      return undefined;
    }
    operation(type, counts, isInteger(type) || CHEAP.has(name) ? 1 : SPECIAL);
    if (!isInteger(type)) return undefined;
    if (name === 'select') return this.map(values, (otherwise, then, condition) => (condition ? then : otherwise));
    if (name === 'min') return this.map(values, Math.min);
    if (name === 'max') return this.map(values, Math.max);
    return name === 'clamp' ? this.map(values, (a, low, high) => Math.min(Math.max(a, low), high)) : undefined;
  }
}

function operation(type: WgslType, counts: Counts, weight = 1): void {
  if (type.kind !== 'value') return;
  counts.code += type.width * weight;
  if (isInteger(type)) counts.integer += type.width;
  else counts.arithmetic += type.width * weight;
}

/** Neither loops nor waits for others. */
function isStraight(s: WgslStatement): boolean {
  if (s.kind === 'if') return [...s.then, ...(s.else ?? [])].every(isStraight);
  if (s.kind === 'block') return s.body.every(isStraight);
  return s.kind !== 'for' && s.kind !== 'barrier';
}

/** Whether a straight statement loads; one that only stores waits for nothing. */
function loadsIn(s: WgslStatement): boolean {
  if (s.kind === 'if') return [...s.then, ...(s.else ?? [])].some(loadsIn);
  if (s.kind === 'block') return s.body.some(loadsIn);
  return s.kind !== 'store' || mentionsLoad(s.value);
}

/** Whether all that a straight statement loads goes into variables as it is: it is for later. */
function isKept(s: WgslStatement): boolean {
  if (s.kind === 'if') return [...s.then, ...(s.else ?? [])].every(isKept);
  if (s.kind === 'block') return s.body.every(isKept);
  if (s.kind === 'assign') return s.op === undefined && s.target.kind === 'ref' && isPlain(s.value);
  return s.kind === 'let' || s.kind === 'comment' ? s.kind === 'comment' || !mentionsLoad(s.value) : false;
}

/** A value as it was loaded, perhaps chosen or put together. */
function isPlain(e: WgslExpr): boolean {
  if (e.kind === 'construct' || (e.kind === 'call' && e.name === 'select')) return e.args.every((a) => isPlain(a) || !mentionsLoad(a));
  return e.kind === 'load' || !mentionsLoad(e);
}

function mentionsLoad(e: WgslExpr): boolean {
  switch (e.kind) {
    case 'load':
    case 'matrixLoad': return true;
    case 'literal':
    case 'ref': return false;
    case 'unary':
    case 'bitcast': return mentionsLoad(e.a);
    case 'binary': return mentionsLoad(e.a) || mentionsLoad(e.b);
    case 'call':
    case 'construct': return e.args.some(mentionsLoad);
    case 'element': return mentionsLoad(e.of) || mentionsLoad(e.at);
    default: return e satisfies never;
  }
}

/** To choose between branches alone. */
function costOf(c: Counts): number {
  return c.arithmetic + c.integer + 4 * c.local + 16 * c.accesses + c.matrix;
}

function binary(op: Extract<WgslExpr, { kind: 'binary' }>['op'], a: number, b: number, signed: boolean): number {
  switch (op) {
    case '+': return a + b;
    // Unsigned numbers wrap: a difference below zero is large, as guards rely on.
    case '-': return signed || a >= b ? a - b : a - b + 2 ** 32;
    case '*': return a * b;
    case '/': return b === 0 ? 0 : Math.trunc(a / b);
    case '%': return b === 0 ? 0 : a % b;
    case '<': return Number(a < b);
    case '<=': return Number(a <= b);
    case '>': return Number(a > b);
    case '>=': return Number(a >= b);
    case '==': return Number(a === b);
    case '!=': return Number(a !== b);
    case '&': return (a & b) >>> 0;
    case '|': return (a | b) >>> 0;
    case '^': return (a ^ b) >>> 0;
    case '<<': return (a << b) >>> 0;
    case '>>': return a >>> b;
    default: return op satisfies never;
  }
}
