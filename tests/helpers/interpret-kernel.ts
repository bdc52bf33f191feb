/**
 * Executes the WGSL tree of a kernel in JavaScript, values and all: every workgroup in turn, its invocations one after the
 * other from barrier to barrier, subgroup matrices by the subgroup. For code that no device at hand can run, with the
 * checks of interpret-memory.ts, which a device does not make. Slow: for problems of some thousand products.
 */
import { accessBytes, valueType } from '../../src/codegen/wgsl.ts';
import type { KernelCode, Scalar, WgslExpr, WgslModule, WgslStatement, WgslType } from '../../src/codegen/wgsl.ts';
import type { Counted } from './count-accesses.ts';
import { matrices, Shared, Stored, type Invocation, type MatrixType, type Scalars } from './interpret-memory.ts';
import { bitcastOf, builtinOf, conversionOf, operatorOf, unaryOf } from './interpret-numbers.ts';

/** Stops at each barrier and tells which one. */
type Main = (invocation: Invocation, builtins: Readonly<Record<string, unknown>>) => Generator<number, void>;

/** `memory`: what lies in each binding, by name, elements as stored; f16 as numbers that it can hold. Gives the bytes moved. */
export function interpretKernel({ module, workgroups }: Pick<KernelCode, 'module' | 'workgroups'>, memory: ReadonlyMap<string, Scalars>, subgroupSize = 32): Counted {
  const buffers = new Map(module.bindings.map((b) => {
    const values = memory.get(b.name);
    if (!values || values.length !== b.elements) throw new Error(`${b.name} is not given ${b.elements} values`);
    return [b.name, new Stored(b.name, values, b.storage === 'f16', (width) => accessBytes(b, width))];
  }));
  const shared = new Map(module.workgroupVars.map(({ name, type }) => {
    const [length, of] = type.kind === 'array' ? [type.length, valueType({ type: type.of } as WgslExpr)] : [1, valueType({ type } as WgslExpr)];
    return [name, new Shared(name, length, of.width, of.scalar)];
  }));
  const main = new Translator(module, buffers, shared).main();
  const [x, y, z] = module.workgroupSize;
  const invocations = Array.from({ length: x * y * z }, (_, number): Invocation => ({ number, subgroup: Math.floor(number / subgroupSize), leads: number % subgroupSize === 0, trace: 0, peers: [], offers: undefined, takes: undefined }));
  for (const invocation of invocations) invocation.peers.push(...invocations.filter((other) => other.subgroup === invocation.subgroup));
  for (let gz = 0; gz < workgroups[2]; gz++) {
    for (let gy = 0; gy < workgroups[1]; gy++) {
      for (let gx = 0; gx < workgroups[0]; gx++) {
        for (const array of shared.values()) array.clear();
        const running = invocations.map((invocation) => {
          const local = [invocation.number % x, Math.floor(invocation.number / x) % y, Math.floor(invocation.number / (x * y))];
          invocation.trace = 0;
          return main(invocation, {
            workgroup_id: [gx, gy, gz],
            local_invocation_id: local,
            local_invocation_index: invocation.number,
            global_invocation_id: [gx * x + local[0], gy * y + local[1], gz * z + local[2]],
            num_workgroups: workgroups,
            subgroup_size: subgroupSize,
            subgroup_id: invocation.subgroup,
            subgroup_invocation_id: invocation.number % subgroupSize,
          });
        });
        finishTogether(running, invocations, shared);
      }
    }
  }
  const sum = (of: (b: Stored) => number): number => [...buffers.values()].reduce((n, b) => n + of(b), 0);
  return { loadBytes: sum((b) => b.loadBytes), storeBytes: sum((b) => b.storeBytes) };
}

function finishTogether(running: readonly Generator<number, void>[], invocations: readonly Invocation[], shared: ReadonlyMap<string, Shared>): void {
  for (;;) {
    const barriers = running.map((r) => r.next().value ?? undefined);
    const traces = new Map(invocations.filter((i) => i.leads).map((i) => [i.subgroup, i.trace]));
    for (const { number, subgroup, trace } of invocations) {
      if (barriers[number] !== barriers[0]) throw new Error(`invocation ${number} stands at another barrier than the first`);
      if (trace !== traces.get(subgroup)) throw new Error(`invocation ${number} did not do all that its subgroup did`);
    }
    if (barriers[0] === undefined) return;
    // Subgroups meet where the numbers are negative, and only there.
    if (barriers[0] >= 0) for (const array of shared.values()) array.barrier();
  }
}

/** What combines the values of a subgroup's invocations. */
const SUBGROUP: Readonly<Record<string, string>> = { subgroupMax: 'max' };

const isMatrix = (type: WgslType): type is MatrixType => type.kind === 'matrix';

class Translator {
  /** What the text refers to by number. */
  private readonly known: unknown[] = [];
  private operations = 0;

  constructor(private readonly module: WgslModule, private readonly buffers: ReadonlyMap<string, Stored>, private readonly shared: ReadonlyMap<string, Shared>) {}

  main(): Main {
    const { module } = this;
    const functions = module.functions.map((f) => `function $${f.name}(${f.params.map((p) => `$${p.name}`).join(', ')}) {\n${this.block(f.body)}}\n`);
    const constants = module.constants.map((c) => `const $${c.name} = ${this.expr(c.value)};\n`);
    const builtins = module.builtins.map(({ name, builtin }) => `const $${name} = builtins.${builtin};\n`);
    const text = `"use strict";\n${functions.join('')}${constants.join('')}return function* (me, builtins) {\n${builtins.join('')}${this.block(module.body)}};`;
    // The text is made here, of names that the generator gave and of numbers.
    return (new Function('known', 'matrices', 'copy', text) as (...args: unknown[]) => Main)(this.known, matrices, (v: unknown) => (Array.isArray(v) ? [...v] : v));
  }

  private refer(what: unknown): string {
    const found = this.known.indexOf(what);
    return `known[${found >= 0 ? found : this.known.push(what) - 1}]`;
  }

  private block(statements: readonly WgslStatement[]): string {
    return statements.map((s) => this.statement(s)).join('');
  }

  private statement(s: WgslStatement): string {
    switch (s.kind) {
      case 'let': return `const $${s.name} = ${this.copied(s.value)};\n`;
      case 'var': return `let $${s.name} = ${s.value ? this.copied(s.value) : this.zero(s.type)};\n`;
      case 'assign': {
        const value = s.op === undefined ? s.value : ({ kind: 'binary', type: valueType(s.target), op: s.op, a: s.target, b: s.value } as const);
        return this.assign(s.target, this.copied(value));
      }
      case 'store': return `${this.refer(this.buffers.get(s.binding)!)}.store(${this.expr(s.at)}, ${s.width}, ${this.expr(s.value)});\n`;
      case 'matrixStore': {
        const [call, memory] = s.to.space === 'binding' ? ['store', this.buffers.get(s.to.name)!] : ['storeShared', this.shared.get(s.to.name)!];
        return `matrices.${call}(me, ${this.operations++}, ${this.expr(s.value)}, ${this.refer(memory)}, ${this.expr(s.offset)}, ${this.expr(s.stride)}, ${s.columnMajor});\n`;
      }
      case 'for': return `for (let $${s.name} = ${this.expr(s.from)}; $${s.name} < ${this.expr(s.below)}; $${s.name} = ($${s.name} + ${this.expr(s.step)}) >>> 0) {\n${this.block(s.body)}}\n`;
      case 'if': return `if (${this.expr(s.condition)}) {\n${this.block(s.then)}}${s.else ? ` else {\n${this.block(s.else)}}` : ''}\n`;
      case 'block': return `{\n${this.block(s.body)}}\n`;
      case 'barrier': return `yield ${this.operations++};\n`;
      case 'return': return `return ${s.value ? this.expr(s.value) : ''};\n`;
      case 'comment': return '';
      default: return s satisfies never;
    }
  }

  /** Vectors are values: what is named or assigned is a copy. */
  private copied(e: WgslExpr): string {
    return e.type.kind === 'value' && e.type.width === 1 ? this.expr(e) : isMatrix(e.type) ? this.expr(e) : `copy(${this.expr(e)})`;
  }

  private zero(type: WgslType): string {
    if (isMatrix(type)) return `matrices.zero(me, ${this.operations++}, ${this.refer(type)})`;
    if (type.kind === 'array') return `Array.from({ length: ${type.length} }, () => ${this.zero(type.of)})`;
    const one = type.scalar === 'bool' ? 'false' : '0';
    return type.width === 1 ? one : `[${Array.from({ length: type.width }, () => one).join()}]`;
  }

  private assign(target: WgslExpr, value: string): string {
    if (target.kind === 'element') {
      const array = this.sharedArray(target.of);
      if (array) return `${array}.set(me.number, ${this.expr(target.at)}, ${value});\n`;
      if (target.of.kind === 'element') {
        const outer = this.sharedArray(target.of.of);
        if (outer) return `${outer}.setNumber(me.number, ${this.expr(target.of.at)}, ${this.expr(target.at)}, ${value});\n`;
      }
    }
    return `${this.expr(target)} = ${value};\n`;
  }

  private sharedArray(e: WgslExpr): string | undefined {
    const array = e.kind === 'ref' ? this.shared.get(e.name) : undefined;
    return array && this.refer(array);
  }

  private apply(of: unknown, ...args: readonly WgslExpr[]): string {
    return `${this.refer(of)}(${args.map((a) => this.expr(a)).join(', ')})`;
  }

  private readonly functions = new Map<string, unknown>();

  /** A function of numbers and vectors, made once for each key. */
  private once(key: string, make: () => unknown): unknown {
    if (!this.functions.has(key)) this.functions.set(key, make());
    return this.functions.get(key);
  }

  private expr(e: WgslExpr): string {
    switch (e.kind) {
      case 'literal': return e.type.scalar === 'bool' ? String(e.value !== 0) : `(${e.type.scalar === 'f32' ? Math.fround(e.value) : e.value})`;
      case 'ref':
        if (this.shared.has(e.name)) throw new Error(`${e.name} is used as a whole`);
        return `$${e.name}`;
      case 'unary': return this.apply(this.once(`unary ${e.op} ${e.type.scalar}`, () => unaryOf(e.op, e.type.scalar)), e.a);
      case 'binary': return this.binary(e);
      case 'bitcast': {
        const from = valueType(e.a).scalar;
        return this.apply(this.once(`bitcast ${e.type.scalar} ${e.type.width} ${from}`, () => bitcastOf(e.type, from)), e.a);
      }
      case 'construct': return this.construct(e);
      case 'element': return this.element(e);
      case 'load': return `${this.refer(this.buffers.get(e.binding)!)}.load(${this.expr(e.at)}, ${e.width})`;
      case 'matrixLoad': {
        const [call, memory] = e.from.space === 'binding' ? ['load', this.buffers.get(e.from.name)!] : ['loadShared', this.shared.get(e.from.name)!];
        return `matrices.${call}(me, ${this.operations++}, ${this.refer(e.type)}, ${this.refer(memory)}, ${this.expr(e.offset)}, ${this.expr(e.stride)}, ${e.columnMajor})`;
      }
      case 'call': return this.call(e);
      default: return e satisfies never;
    }
  }

  private binary(e: Extract<WgslExpr, { kind: 'binary' }>): string {
    const [left, right] = [e.a, e.b].map(valueType);
    if (e.type.width === 1) {
      const [a, b] = [this.expr(e.a), this.expr(e.b)];
      const round: Partial<Record<Scalar, (text: string) => string>> = { u32: (t) => `((${t}) >>> 0)`, i32: (t) => `((${t}) | 0)`, f32: (t) => `Math.fround(${t})` };
      switch (e.op) {
        case '<': case '<=': case '>': case '>=': return `(${a} ${e.op} ${b})`;
        case '==': case '!=': return `(${a} ${e.op}= ${b})`;
        case '&': case '|': if (e.type.scalar === 'bool') return `Boolean(${a} ${e.op} ${b})`; break;
        case '+': case '-': case '/': case '%': if (round[e.type.scalar]) return round[e.type.scalar]!(`${a} ${e.op} ${b}`); break;
        case '*': if (round[e.type.scalar]) return round[e.type.scalar]!(e.type.scalar === 'f32' ? `${a} * ${b}` : `Math.imul(${a}, ${b})`); break;
        default: break;
      }
    }
    const operand = left.width > right.width ? left : right;
    return this.apply(this.once(`binary ${e.op} ${e.type.scalar} ${operand.scalar}`, () => operatorOf(e.op, e.type.scalar, operand.scalar)), e.a, e.b);
  }

  private construct(e: Extract<WgslExpr, { kind: 'construct' }>): string {
    const { type } = e;
    if (type.kind !== 'value') {
      if (e.args.length > 0) throw new Error('only zeros are made of arrays and matrices');
      return this.zero(type);
    }
    if (e.args.length === 0) return this.zero(type);
    const parts = e.args.map((a) => {
      const from = valueType(a).scalar;
      return from === type.scalar ? this.expr(a) : this.apply(this.once(`convert ${type.scalar} ${from}`, () => conversionOf(type.scalar, from)), a);
    });
    if (type.width === 1) return parts[0];
    const widths = e.args.map((a) => valueType(a).width);
    if (widths.length === 1 && widths[0] === 1) return `Array(${type.width}).fill(${parts[0]})`;
    return `[${parts.map((p, i) => (widths[i] === 1 ? p : `...${p}`)).join(', ')}]`;
  }

  private element(e: Extract<WgslExpr, { kind: 'element' }>): string {
    const array = this.sharedArray(e.of);
    if (array) return `${array}.get(me.number, ${this.expr(e.at)})`;
    const outer = e.of.kind === 'element' ? this.sharedArray(e.of.of) : undefined;
    if (outer && e.of.kind === 'element') return `${outer}.number(me.number, ${this.expr(e.of.at)}, ${this.expr(e.at)})`;
    return `${this.expr(e.of)}[${this.expr(e.at)}]`;
  }

  private call(e: Extract<WgslExpr, { kind: 'call' }>): string {
    if (e.name === 'subgroupMatrixMultiplyAccumulate') return `matrices.multiply(me, ${this.operations++}, ${e.args.map((a) => this.expr(a)).join(', ')})`;
    if (SUBGROUP[e.name]) {
      const combine = this.refer(this.once(`subgroup ${e.name} ${valueType(e).scalar}`, () => builtinOf(SUBGROUP[e.name], valueType(e).scalar)));
      // All offer a value before one takes the others', and all have taken them before one offers the next.
      return `(me.offers = ${this.expr(e.args[0])}, yield ${-1 - this.operations++}, me.takes = me.peers.map((p) => p.offers).reduce((a, b) => ${combine}(a, b)), yield ${-1 - this.operations++}, me.takes)`;
    }
    if (e.name === 'workgroupUniformLoad') return `(yield ${this.operations++}, ${this.expr(e.args[0])})`;
    if (this.module.functions.some((f) => f.name === e.name)) return `$${e.name}(${e.args.map((a) => this.expr(a)).join(', ')})`;
    const { scalar } = valueType(e);
    const of = this.once(`call ${e.name} ${scalar}`, () => builtinOf(e.name, scalar));
    if (!of) throw new Error(`no meaning is known here of ${e.name}`);
    return this.apply(of, ...e.args);
  }
}
