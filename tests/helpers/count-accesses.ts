/**
 * Counts the bytes that generated code loads and stores by running it in JavaScript, every invocation in turn. Of the WGSL
 * tree only what decides how often an access is executed is run: integers, conditions, loops. Numbers from memory are not
 * known here; code in which they decide about an access is refused. A pipeline of a software adapter takes half a second,
 * this takes a millisecond, so that every kernel can be counted; tests on a device hold the two to each other.
 */
import type { KernelCode, WgslExpr, WgslModule, WgslStatement, WgslType } from '../../src/codegen/wgsl.ts';
import { accessBytes } from '../../src/codegen/wgsl.ts';
import { walkModule } from '../../src/codegen/wgsl-walk.ts';

export interface Counted {
  readonly loadBytes: number;
  readonly storeBytes: number;
}

export function countAccesses({ module, workgroups }: Pick<KernelCode, 'module' | 'workgroups'>): Counted {
  const text = translate(module);
  // The text is made here, of names that the generator gave and of numbers.
  const run = new Function('groups', 'size', text) as (groups: readonly number[], size: readonly number[]) => [number, number];
  const [loadBytes, storeBytes] = run(workgroups, module.workgroupSize);
  return { loadBytes, storeBytes };
}

function translate(module: WgslModule, data: ReadonlySet<string> = new Set()): string {
  try {
    return new Translator(module, data).text();
  } catch (failure) {
    if (failure instanceof GivenData) return translate(module, new Set([...data, failure.variable]));
    throw failure;
  }
}

/** A variable that was taken for known is given what memory holds. */
class GivenData extends Error {
  constructor(readonly variable: string) {
    super(`cannot count: ${variable} depends on data`);
  }
}

/** JavaScript for an integer or truth value; undefined where it depends on what memory holds, or is of another kind. */
type Known = string | undefined;

class Translator {
  private readonly bindings: ReadonlyMap<string, WgslModule['bindings'][number]>;
  /** Functions that load, themselves or through others. */
  private readonly loading = new Set<string>();
  /** Names whose values are known. Names are unique within a scope; a name that shadows another is defined anew. */
  private known: Set<string>;

  constructor(
    private readonly source: WgslModule,
    /** Variables that hold data at some time. */
    private readonly data: ReadonlySet<string>,
  ) {
    this.bindings = new Map(source.bindings.map((b) => [b.name, b]));
    this.known = new Set(source.builtins.map((b) => b.name));
    for (let before = -1; before !== this.loading.size; ) {
      before = this.loading.size;
      for (const f of source.functions) if (accesses({ body: f.body, functions: [] }, this.loading)) this.loading.add(f.name);
    }
  }

  text(): string {
    const { source } = this;
    const constants = source.constants.map((c) => this.define('const', c.name, c.value));
    const outer = this.known;
    const functions = source.functions
      .filter((f) => this.loading.has(f.name))
      .map((f) => {
        this.known = new Set([...outer, ...f.params.filter((p) => isInteger(p.type)).map((p) => p.name)]);
        return `function ${f.name}(${f.params.map((p) => p.name).join(', ')}) {\n${this.block(f.body)}}\n`;
      });
    this.known = outer;
    const main = `function main(${source.builtins.map((b) => b.name).join(', ')}) {\n${this.block(source.body)}}\n`;
    const builtins = source.builtins.map(({ builtin }) => {
      switch (builtin) {
        case 'workgroup_id': return '[gx, gy, gz]';
        case 'local_invocation_id': return '[x, y, z]';
        case 'local_invocation_index': return 'x + size[0] * (y + size[1] * z)';
        case 'global_invocation_id': return '[gx * size[0] + x, gy * size[1] + y, gz * size[2] + z]';
        case 'num_workgroups': return 'groups';
        default: throw new Error(`cannot count ${builtin}: it depends on the device`);
      }
    });
    const loops = [['gz', 'groups[2]'], ['gy', 'groups[1]'], ['gx', 'groups[0]'], ['z', 'size[2]'], ['y', 'size[1]'], ['x', 'size[0]']];
    return [
      '"use strict"; let loaded = 0, stored = 0;',
      ...constants,
      ...functions,
      main,
      ...loops.map(([name, below]) => `for (let ${name} = 0; ${name} < ${below}; ${name}++)`),
      `main(${builtins.join(', ')});`,
      'return [loaded, stored];',
    ].join('\n');
  }

  private block(statements: readonly WgslStatement[]): string {
    const outer = new Set(this.known);
    const text = statements.map((s) => this.statement(s)).join('');
    this.known = outer;
    return text;
  }

  private statement(s: WgslStatement): string {
    switch (s.kind) {
      case 'let': return this.loads(s.value) + this.define('const', s.name, s.value);
      case 'var':
        if (s.value) return this.loads(s.value) + this.define('let', s.name, s.value);
        this.known.delete(s.name);
        if (isInteger(s.type) && s.type.kind === 'value' && s.type.width === 1 && !this.data.has(s.name)) {
          this.known.add(s.name);
          return `let ${s.name} = 0;\n`;
        }
        return '';
      case 'assign': return this.loads(s.value) + this.loads(s.target) + this.assign(s);
      case 'store': return `${this.loads(s.at)}${this.loads(s.value)}stored += ${accessBytes(this.bindings.get(s.binding)!, s.width)};\n`;
      case 'for': {
        const outer = new Set(this.known);
        const [from, below, step] = [s.from, s.below, s.step].map((e) => this.value(e));
        if (from === undefined || below === undefined || step === undefined) {
          if (!accesses({ body: s.body, functions: [] }, this.loading)) return '';
          throw new Error(`cannot count: the loop over ${s.name} depends on data`);
        }
        this.known.add(s.name);
        const text = `for (let ${s.name} = ${from}; ${s.name} < ${below}; ${s.name} = (${s.name} + ${step}) >>> 0) {\n${this.block(s.body)}}\n`;
        this.known = outer;
        return text;
      }
      case 'if': {
        const condition = this.value(s.condition);
        const both = [...s.then, ...(s.else ?? [])];
        if (condition === undefined) {
          if (accesses({ body: both, functions: [] }, this.loading) || both.some((inner) => inner.kind === 'return')) throw new Error('cannot count: a condition depends on data');
          // What such a branch assigns is data.
          walkModule({ body: both, functions: [] }, {
            statement: (inner) => {
              if (inner.kind === 'assign' && inner.target.kind === 'ref' && this.known.has(inner.target.name)) throw new GivenData(inner.target.name);
            },
          });
          return this.loads(s.condition);
        }
        return `${this.loads(s.condition)}if (${condition}) {\n${this.block(s.then)}}${s.else ? ` else {\n${this.block(s.else)}}` : ''}\n`;
      }
      case 'block': return `{\n${this.block(s.body)}}\n`;
      case 'return': return s.value ? `${this.loads(s.value)}return ${this.value(s.value) ?? ''};\n` : 'return;\n';
      case 'barrier':
      case 'comment': return '';
      case 'matrixStore': throw new Error('cannot count subgroup matrices: who executes them depends on the device');
      default: return s satisfies never;
    }
  }

  private define(keyword: 'const' | 'let', name: string, e: WgslExpr): string {
    const value = this.data.has(name) ? undefined : this.value(e);
    if (value === undefined) this.known.delete(name);
    else this.known.add(name);
    return value === undefined ? '' : `${keyword} ${name} = ${value};\n`;
  }

  private assign({ target, op, value }: Extract<WgslStatement, { kind: 'assign' }>): string {
    if (target.kind !== 'ref' || !this.known.has(target.name)) return '';
    const full = op === undefined ? this.value(value) : this.value({ kind: 'binary', type: target.type as Extract<WgslType, { kind: 'value' }>, op, a: target, b: value });
    if (full !== undefined) return `${target.name} = ${full};\n`;
    throw new GivenData(target.name);
  }

  /** The loads that an expression executes, counted, and calls of the functions that load. */
  private loads(e: WgslExpr): string {
    let bytes = 0;
    let calls = '';
    const visit = (part: WgslExpr): void => {
      switch (part.kind) {
        case 'literal':
        case 'ref': return;
        case 'unary':
        case 'bitcast': return visit(part.a);
        case 'binary':
          visit(part.a);
          return visit(part.b);
        case 'element': visit(part.of); return visit(part.at);
        case 'construct': return part.args.forEach(visit);
        case 'call':
          part.args.forEach(visit);
          if (this.loading.has(part.name)) calls += `${part.name}(${part.args.map((a) => this.value(a) ?? 'undefined').join(', ')});\n`;
          return;
        case 'load': {
          visit(part.at);
          bytes += accessBytes(this.bindings.get(part.binding)!, part.width);
          return;
        }
        case 'matrixLoad': throw new Error('cannot count subgroup matrices: who executes them depends on the device');
        default: return part satisfies never;
      }
    };
    visit(e);
    return (bytes > 0 ? `loaded += ${bytes};\n` : '') + calls;
  }

  private value(e: WgslExpr): Known {
    if (!isInteger(e.type)) return undefined;
    const scalar = e.type.kind === 'value' ? e.type.scalar : undefined;
    const wrapped = (text: string): string => (scalar === 'u32' ? `(${text}) >>> 0` : scalar === 'i32' ? `(${text}) | 0` : text);
    switch (e.kind) {
      case 'literal': return scalar === 'bool' ? String(e.value !== 0) : String(e.value);
      case 'ref': return this.known.has(e.name) ? e.name : undefined;
      case 'element': {
        const [of, at] = [this.value(e.of), this.value(e.at)];
        return of === undefined || at === undefined ? undefined : `${of}[${at}]`;
      }
      case 'unary': {
        const a = this.value(e.a);
        return a === undefined ? undefined : e.op === '!' ? `!(${a})` : `(${wrapped(`${e.op}(${a})`)})`;
      }
      case 'binary': {
        const [a, b] = [this.value(e.a), this.value(e.b)];
        if (a === undefined || b === undefined || (e.type.kind === 'value' && e.type.width > 1)) return undefined;
        switch (e.op) {
          case '*': return `(${wrapped(`Math.imul(${a}, ${b})`)})`;
          case '/': return `(${wrapped(`(${a}) / (${b})`)})`;
          case '==': return `((${a}) === (${b}))`;
          case '!=': return `((${a}) !== (${b}))`;
          case '>>': return scalar === 'u32' ? `((${a}) >>> (${b}))` : `((${a}) >> (${b}))`;
          case '<': case '<=': case '>': case '>=': return `((${a}) ${e.op} (${b}))`;
          default: return scalar === 'bool' ? `Boolean((${a}) ${e.op} (${b}))` : `(${wrapped(`(${a}) ${e.op} (${b})`)})`;
        }
      }
      case 'construct': {
        const [only] = e.args;
        if (e.args.length !== 1 || e.type.kind !== 'value' || e.type.width !== 1) return undefined;
        const a = this.value(only);
        return a === undefined ? undefined : scalar === 'bool' ? `Boolean(${a})` : `(${wrapped(`Number(${a})`)})`;
      }
      case 'bitcast': {
        const a = this.value(e.a);
        return a === undefined ? undefined : `(${wrapped(a)})`;
      }
      case 'call': {
        const args = e.args.map((a) => this.value(a));
        if (args.includes(undefined) || (e.type.kind === 'value' && e.type.width > 1)) return undefined;
        if (e.name === 'select') return `((${args[2]}) ? (${args[1]}) : (${args[0]}))`;
        if (e.name === 'min' || e.name === 'max' || e.name === 'abs') return `Math.${e.name}(${args.join(', ')})`;
        if (e.name === 'clamp') return `Math.min(Math.max(${args[0]}, ${args[1]}), ${args[2]})`;
        return undefined;
      }
      case 'load':
      case 'matrixLoad': return undefined;
      default: return e satisfies never;
    }
  }
}

function isInteger(type: WgslType): boolean {
  return type.kind === 'value' && (type.scalar === 'u32' || type.scalar === 'i32' || type.scalar === 'bool');
}

/** Whether any storage buffer is touched. */
function accesses(code: Parameters<typeof walkModule>[0], loading: ReadonlySet<string>): boolean {
  let found = false;
  walkModule(code, {
    expr: (e) => { found ||= e.kind === 'load' || e.kind === 'matrixLoad' || (e.kind === 'call' && loading.has(e.name)); },
    statement: (s) => { found ||= s.kind === 'store' || s.kind === 'matrixStore'; },
  });
  return found;
}
