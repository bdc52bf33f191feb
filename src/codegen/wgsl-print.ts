/** Prints a WGSL tree, plain or instrumented: with every access to storage buffers counted in bytes. */
import { accessBytes, scalarOf, vector } from './wgsl.ts';
import type { AccessWidth, Binding, BinaryOperator, MatrixMemory, WgslExpr, WgslModule, WgslStatement, WgslType } from './wgsl.ts';
import { bindingWidths, walkModule } from './wgsl-walk.ts';

export interface PrintOptions {
  /**
   * Adds a binding after the kernel's own, `array<atomic<u32>, 4>`: bytes loaded (low, high word), bytes stored
   * (low, high word), summed over every invocation.
   */
  readonly instrument?: boolean;
}

export function printModule(module: WgslModule, options: PrintOptions = {}): string {
  return new Printer(module, options.instrument ?? false).module();
}

export function formatType(type: WgslType): string {
  if (type.kind === 'array') return `array<${formatType(type.of)}, ${type.length}>`;
  if (type.kind === 'matrix') return `subgroup_matrix_${type.role}<${type.component}, ${type.columns}, ${type.rows}>`;
  return type.width === 1 ? type.scalar : `vec${type.width}<${type.scalar}>`;
}

function formatLiteral(e: Extract<WgslExpr, { kind: 'literal' }>): string {
  const { value } = e;
  if (!Number.isFinite(value)) throw new Error('bug: WGSL has no literal for infinity or NaN');
  switch (e.type.scalar) {
    case 'bool': return value ? 'true' : 'false';
    case 'u32': return `${value}u`;
    case 'i32': return String(value);
    case 'f16': return `${value}h`;
    case 'f32': {
      const rounded = Math.fround(value);
      if (!Number.isFinite(rounded)) throw new Error(`bug: ${value} is no f32`);
      let text = String(rounded);
      for (let digits = 1; digits <= 9; digits++) {
        const short = Number(rounded.toPrecision(digits));
        // Decimals past the greatest f32 round to it, but WGSL takes them for too large.
        if (Math.fround(short) === rounded && Math.abs(short) <= 3.4028234663852886e38) { text = String(short); break; }
      }
      return /[.e]/.test(text) ? text : `${text}.0`;
    }
    default: return e.type.scalar satisfies never;
  }
}

const LEVEL: Record<BinaryOperator, number> = {
  '*': 5, '/': 5, '%': 5, '+': 4, '-': 4, '<': 3, '<=': 3, '>': 3, '>=': 3, '==': 3, '!=': 3,
  // WGSL wants parentheses around every binary operand of these.
  '<<': 0, '>>': 0, '&': 0, '|': 0, '^': 0,
};

class Printer {
  private readonly widths: ReadonlyMap<string, AccessWidth>;
  private readonly bindings: ReadonlyMap<string, Binding>;
  private readonly accesses = new Map<string, string>();
  private needsUnpack = false;
  private needsPack = false;

  constructor(private readonly source: WgslModule, private readonly instrument: boolean) {
    this.widths = bindingWidths(source);
    this.bindings = new Map(source.bindings.map((b) => [b.name, b]));
  }

  module(): string {
    const { source } = this;
    const body = this.block(source.body, '  ');
    const functions = source.functions.map((f) => {
      const params = f.params.map((p) => `${p.name}: ${formatType(p.type)}`).join(', ');
      return `fn ${f.name}(${params}) -> ${formatType(f.result)} {\n${this.block(f.body, '  ')}}\n`;
    });
    const enables: string[] = [...source.enables];
    if (this.instrument && !enables.includes('subgroups') && this.usesMatrices()) enables.push('subgroups');
    const sections = [
      source.comment ? source.comment.split('\n').map((l) => `// ${l}\n`).join('') : '',
      enables.map((e) => `enable ${e};\n`).join('') + source.diagnosticsOff.map((d) => `diagnostic(off, ${d});\n`).join(''),
      source.bindings.map((b) => this.binding(b)).join('') + (this.instrument ? this.counterBinding() : ''),
      source.workgroupVars.map((v) => `var<workgroup> ${v.name}: ${formatType(v.type)};\n`).join(''),
      source.constants.map((c) => `const ${c.name} = ${this.expr(c.value)};\n`).join(''),
      this.needsUnpack ? 'fn unpack4(words: vec2<u32>) -> vec4<f32> {\n  return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));\n}\n' : '',
      this.needsPack ? 'fn pack4(v: vec4<f32>) -> vec2<u32> {\n  return vec2<u32>(pack2x16float(v.xy), pack2x16float(v.zw));\n}\n' : '',
      this.instrument ? COUNTERS : '',
      ...this.accesses.values(),
      ...functions,
      `@compute @workgroup_size(${source.workgroupSize.join(', ')})\nfn main(${source.builtins.map((b) => `@builtin(${b.builtin}) ${b.name}: ${BUILTIN_TYPES[b.builtin]}`).join(', ')}) {\n${body}}\n`,
    ];
    return sections.filter((s) => s !== '').join('\n');
  }

  private usesMatrices(): boolean {
    let found = false;
    walkModule(this.source, { expr: (e) => { found ||= e.kind === 'matrixLoad'; }, statement: (s) => { found ||= s.kind === 'matrixStore'; } });
    return found;
  }

  private counterBinding(): string {
    const index = Math.max(-1, ...this.source.bindings.map((b) => b.index)) + 1;
    return `@group(0) @binding(${index}) var<storage, read_write> issued_bytes: array<atomic<u32>, 4>;\n`;
  }

  private widthOf(name: string): AccessWidth {
    return this.widths.get(name) ?? 1;
  }

  private find(name: string): Binding {
    const binding = this.bindings.get(name);
    if (!binding) throw new Error(`bug: no binding ${name}`);
    return binding;
  }

  /** The array's element type and length: elements of the widest access that all accesses share. */
  private binding(b: Binding): string {
    const width = this.widthOf(b.name);
    let type = width === 8 ? 'vec4<u32>' : formatType(vector(scalarOf(b.storage), width));
    let length = Math.ceil(b.elements / width);
    if (b.packed) {
      type = width === 4 ? 'vec2<u32>' : 'u32';
      length = Math.ceil(b.elements / (width === 4 ? 4 : 2));
    }
    return `@group(0) @binding(${b.index}) var<storage, ${b.access}> ${b.name}: array<${type}, ${length}>;\n`;
  }

  private block(statements: readonly WgslStatement[], indent: string): string {
    return statements.map((s) => this.statement(s, indent)).join('');
  }

  private statement(s: WgslStatement, indent: string): string {
    const nested = (body: readonly WgslStatement[]): string => `{\n${this.block(body, `${indent}  `)}${indent}}`;
    const matrixBytes = this.instrument ? this.matrixLoads(s) : 0;
    const count = matrixBytes ? `${indent}if (subgroupElect()) { count_load(${matrixBytes}u); }\n` : '';
    return count + ((): string => {
      switch (s.kind) {
        case 'let': return `${indent}let ${s.name} = ${this.expr(s.value)};\n`;
        case 'var': return `${indent}var ${s.name}${s.value && s.type.kind === 'value' ? '' : `: ${formatType(s.type)}`}${s.value ? ` = ${this.expr(s.value)}` : ''};\n`;
        case 'assign': return `${indent}${this.expr(s.target)} ${s.op ?? ''}= ${this.expr(s.value)};\n`;
        case 'store': return `${indent}${this.store(s)};\n`.replace(/\n;\n$/, '\n');
        case 'matrixStore': {
          const counted = this.instrument && s.to.space === 'binding' ? `${indent}if (subgroupElect()) { count_store(${this.matrixBytes(s.to, s.value.type)}u); }\n` : '';
          return `${counted}${indent}subgroupMatrixStore<${order(s.columnMajor)}>(&${s.to.name}, ${this.expr(s.offset)}, ${this.expr(s.value)}, ${this.expr(s.stride)});\n`;
        }
        case 'for': return `${indent}for (var ${s.name} = ${this.expr(s.from)}; ${s.name} < ${this.expr(s.below)}; ${s.name} += ${this.expr(s.step)}) ${nested(s.body)}\n`;
        case 'if': return `${indent}if (${this.expr(s.condition)}) ${nested(s.then)}${s.else ? ` else ${nested(s.else)}` : ''}\n`;
        case 'block': return `${indent}${nested(s.body)}\n`;
        case 'barrier': return `${indent}workgroupBarrier();\n`;
        case 'return': return `${indent}return${s.value ? ` ${this.expr(s.value)}` : ''};\n`;
        case 'comment': return `${indent}// ${s.text}\n`;
        default: return s satisfies never;
      }
    })();
  }

  /** Bytes of the matrix loads that a statement itself executes, not those of statements nested in it. */
  private matrixLoads(s: WgslStatement): number {
    let bytes = 0;
    walkModule({ body: [s], functions: [] }, {
      shallow: true,
      expr: (e) => { if (e.kind === 'matrixLoad' && e.from.space === 'binding') bytes += this.matrixBytes(e.from, e.type); },
    });
    return bytes;
  }

  private matrixBytes(memory: MatrixMemory, type: WgslType): number {
    if (type.kind !== 'matrix') throw new Error('bug: a matrix access of no matrix');
    return type.rows * type.columns * accessBytes(this.find(memory.name), 1);
  }

  private store(s: Extract<WgslStatement, { kind: 'store' }>): string {
    const binding = this.find(s.binding);
    if (binding.packed && s.width === 1) throw new Error(`bug: a 16-bit store to ${s.binding}, which holds 32-bit words`);
    if (!this.instrument) return this.storeLines(binding, s.width, this.expr(s.at), this.expr(s.value));
    const name = `store_${s.binding}_${s.width}`;
    const value = formatType(vector(binding.storage === 'f16' ? 'f32' : scalarOf(binding.storage), s.width));
    this.accesses.set(name, `fn ${name}(at: u32, value: ${value}) {\n  count_store(${accessBytes(binding, s.width)}u);\n  ${this.storeLines(binding, s.width, 'at', 'value')};\n}\n`);
    return `${name}(${this.expr(s.at)}, ${this.expr(s.value)})`;
  }

  private storeLines(b: Binding, width: 1 | 2 | 4, at: string, value: string): string {
    const own = this.widthOf(b.name);
    if (b.packed) {
      if (width === 2) return `${b.name}[${at}] = pack2x16float(${value})`;
      this.needsPack = true;
      if (own === 4) return `${b.name}[${at}] = pack4(${value})`;
      return `{ let words = pack4(${value}); ${b.name}[${scaled(at, 2, 0)}] = words.x; ${b.name}[${scaled(at, 2, 1)}] = words.y; }\n`;
    }
    const narrow = (v: string, w: number): string => (b.storage === 'f16' ? `${formatType(vector('f16', w as 1))}(${v})` : v);
    if (own === width) return `${b.name}[${at}] = ${narrow(value, width)}`;
    const parts = Array.from({ length: width / own }, (_, i) => `${b.name}[${scaled(at, width / own, i)}] = ${narrow(`v.${'xyzw'.slice(i * own, (i + 1) * own)}`, own)};`);
    return `{ let v = ${value}; ${parts.join(' ')} }\n`;
  }

  private load(e: Extract<WgslExpr, { kind: 'load' }>): string {
    const binding = this.find(e.binding);
    if (!this.instrument) return this.loadText(binding, e, this.expr(e.at));
    const name = `load_${e.binding}_${e.width}${e.raw ? '_raw' : ''}`;
    this.accesses.set(name, `fn ${name}(at: u32) -> ${formatType(e.type)} {\n  count_load(${accessBytes(binding, e.width)}u);\n  return ${this.loadText(binding, e, 'at')};\n}\n`);
    return `${name}(${this.expr(e.at)})`;
  }

  private loadText(b: Binding, e: Extract<WgslExpr, { kind: 'load' }>, at: string): string {
    const own = this.widthOf(b.name);
    const { width } = e;
    if (width === 8) {
      if (own !== 8 || b.packed) throw new Error(`bug: ${b.name} is read as words of f16 and otherwise`);
      return `${b.name}[${at}]`;
    }
    if (b.packed) {
      if (e.raw) throw new Error(`bug: a raw f16 load from ${b.name}, which holds 32-bit words`);
      if (width === 1) return `unpack2x16float(${b.name}[(${at}) / 2u])[(${at}) % 2u]`;
      if (width === 2) return `unpack2x16float(${b.name}[${at}])`;
      this.needsUnpack = true;
      return own === 4 ? `unpack4(${b.name}[${at}])` : `unpack4(vec2<u32>(${b.name}[${scaled(at, 2, 0)}], ${b.name}[${scaled(at, 2, 1)}]))`;
    }
    const widen = b.storage === 'f16' && !e.raw;
    if (own === width) return widen ? `${formatType(e.type)}(${b.name}[${at}])` : `${b.name}[${at}]`;
    const parts = Array.from({ length: width / own }, (_, i) => `${b.name}[${scaled(at, width / own, i)}]`);
    const joined = `${formatType(vector(scalarOf(b.storage), width))}(${parts.join(', ')})`;
    return widen ? `${formatType(e.type)}(${joined})` : joined;
  }

  private expr(e: WgslExpr): string {
    switch (e.kind) {
      case 'literal': return formatLiteral(e);
      case 'ref': return e.name;
      case 'unary': return `${e.op}${this.operand(e.a)}`;
      case 'binary': return `${this.side(e.op, e.a, false)} ${e.op} ${this.side(e.op, e.b, true)}`;
      // What is read alike by all is named by its place.
      case 'call': return `${e.name}(${e.name === 'workgroupUniformLoad' ? '&' : ''}${e.args.map((a) => this.expr(a)).join(', ')})`;
      case 'construct': return `${formatType(e.type)}(${e.args.map((a) => this.expr(a)).join(', ')})`;
      case 'bitcast': return `bitcast<${formatType(e.type)}>(${this.expr(e.a)})`;
      case 'element': {
        const of = this.operand(e.of);
        return e.of.type.kind === 'value' && e.at.kind === 'literal' ? `${of}.${'xyzw'[e.at.value]}` : `${of}[${this.expr(e.at)}]`;
      }
      case 'load': return this.load(e);
      case 'matrixLoad': return `subgroupMatrixLoad<${formatType(e.type)}, ${order(e.columnMajor)}>(&${e.from.name}, ${this.expr(e.offset)}, ${this.expr(e.stride)})`;
      default: return e satisfies never;
    }
  }

  /** An operand of a unary operator or postfix. */
  private operand(e: WgslExpr): string {
    const bare = !(e.kind === 'binary' || e.kind === 'unary' || (e.kind === 'literal' && e.value < 0) || (e.kind === 'load' && this.bindings.get(e.binding)?.packed));
    return bare ? this.expr(e) : `(${this.expr(e)})`;
  }

  private side(op: BinaryOperator, e: WgslExpr, right: boolean): string {
    if (e.kind === 'literal' && e.value < 0) return `(${this.expr(e)})`;
    if (e.kind !== 'binary') return this.expr(e);
    const outer = LEVEL[op];
    const inner = LEVEL[e.op];
    const associates = inner === outer && !right && (outer >= 4 || ((op === '&' || op === '|') && e.op === op));
    const binds = outer > 0 && inner > outer;
    return associates || binds ? this.expr(e) : `(${this.expr(e)})`;
  }
}

function order(columnMajor: boolean): string {
  return columnMajor ? 'col_major' : 'row_major';
}

/** at * by + offset, as text. */
function scaled(at: string, by: number, offset: number): string {
  const product = by === 1 ? at : `(${at}) * ${by}u`;
  return offset === 0 ? product : `${product} + ${offset}u`;
}

const BUILTIN_TYPES: Record<WgslModule['builtins'][number]['builtin'], string> = {
  workgroup_id: 'vec3<u32>',
  local_invocation_id: 'vec3<u32>',
  local_invocation_index: 'u32',
  global_invocation_id: 'vec3<u32>',
  num_workgroups: 'vec3<u32>',
  subgroup_size: 'u32',
  subgroup_id: 'u32',
  subgroup_invocation_id: 'u32',
};

/** 64-bit sums of 32-bit atomics: the low word's wrap carries into the high one. */
const COUNTERS = `fn count_load(bytes: u32) {
  let before = atomicAdd(&issued_bytes[0], bytes);
  if (before > 0xffffffffu - bytes) { atomicAdd(&issued_bytes[1], 1u); }
}
fn count_store(bytes: u32) {
  let before = atomicAdd(&issued_bytes[2], bytes);
  if (before > 0xffffffffu - bytes) { atomicAdd(&issued_bytes[3], 1u); }
}
`;
