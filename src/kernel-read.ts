/** Reads the text form of programs and kernels (kernel-text.ts). Never throws; every line with an error is told of. */
import type { DType, Origin, Shape } from './graph.ts';
import type { Axis, BinaryName, Buffer, CallOp, Expr, Index, Kernel, KernelCall, KernelParam, Layout, Program, ReduceName, Stage, Storage, Store, UnaryName } from './kernel.ts';
import { add, axis, constant, floorDiv, mod, scale, value } from './kernel-index.ts';
import { checked, integer, LineReader, list, number, record, TextError } from './text-value.ts';

export interface KernelTextError {
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

export interface ReadResult<T> {
  /** Absent where there are errors. */
  readonly value?: T;
  readonly errors: readonly KernelTextError[];
}

export function readProgram(text: string): ReadResult<Program> {
  const reader = new ProgramReader();
  const errors = readLines(text, reader);
  return errors.length > 0 ? { errors } : { value: reader.program(), errors };
}

export function readKernel(text: string): ReadResult<Kernel> {
  const reader = new ProgramReader();
  const errors = readLines(text, reader);
  const [kernel] = reader.kernels.values();
  if (errors.length === 0 && reader.kernels.size !== 1) errors.push({ line: 1, message: `expected one kernel, found ${reader.kernels.size}` });
  return errors.length > 0 ? { errors } : { value: kernel, errors };
}

function readLines(text: string, reader: ProgramReader): KernelTextError[] {
  const errors: KernelTextError[] = [];
  // `#` starts a comment, but also numbers kernels of one name: those are taken as part of the name.
  for (const [i, line] of text.split('\n').entries()) {
    try {
      reader.line(new LineReader(line.replace(/^((?:kernel|call) [\w]+)#(\d+)/, '$1@$2')));
    } catch (e) {
      if (!(e instanceof TextError)) throw e;
      errors.push({ line: i + 1, message: e.message });
    }
  }
  return errors;
}

const UNARY = new Set<string>(['neg', 'abs', 'exp', 'log', 'sqrt', 'rsqrt', 'sin', 'cos', 'tanh', 'erf', 'sigmoid', 'floor', 'not'] satisfies UnaryName[]);
const BINARY = new Set<string>(['add', 'sub', 'mul', 'div', 'mod', 'pow', 'max', 'min', 'equal', 'less', 'lessEqual', 'and', 'or'] satisfies BinaryName[]);
const REDUCE = new Set<string>(['sum', 'max', 'min'] satisfies ReduceName[]);
const STORAGE = new Set<string>(['f32', 'f16', 'pair', 'i32'] satisfies Storage[]);
const KINDS = new Set<string>(['input', 'weight', 'output', 'temp'] satisfies Buffer['kind'][]);
const COSTS = record({ flops: number, unfusedBytes: number });

interface Draft {
  readonly name: string;
  readonly params: KernelParam[];
  readonly stages: Stage[];
  readonly stores: Store[];
}

class ProgramReader {
  readonly kernels = new Map<string, Kernel>();
  #name = '';
  readonly #buffers: Buffer[] = [];
  readonly #calls: KernelCall[] = [];
  #open: Draft | undefined;
  /** Axes in scope by name. */
  #axes = new Map<string, Axis>();

  program(): Program {
    return { name: this.#name, buffers: this.#buffers, calls: this.#calls };
  }

  line(line: LineReader): void {
    if (line.atEnd) return;
    if (this.#open) this.#inKernel(line, this.#open);
    else this.#statement(line);
    if (!line.atEnd) line.fail('the end of the line');
  }

  #statement(line: LineReader): void {
    const keyword = line.word('a statement');
    switch (keyword) {
      case 'program':
        this.#name = line.string('a name').value;
        return;
      case 'buffer':
        this.#buffers.push(this.#buffer(line));
        return;
      case 'kernel':
        this.#openKernel(line);
        return;
      case 'call':
        this.#calls.push(this.#call(line));
        return;
      case 'op': {
        const call = this.#calls.pop();
        if (!call) throw new TextError("'op' stands after a call");
        const op = line.word('an operation');
        const costs = checked<Pick<CallOp, 'flops' | 'unfusedBytes'>>(op, line.fields(), COSTS);
        this.#calls.push({ ...call, ops: [...call.ops, { op, origin: origin(line), ...costs }] });
        return;
      }
      default:
        throw new TextError(`'${keyword}' begins no statement`);
    }
  }

  #buffer(line: LineReader): Buffer {
    const id = line.word('a buffer');
    const name = line.string('a name').value;
    line.expect(':');
    const type = typeOf(line);
    const kind = line.word('a kind');
    if (!KINDS.has(kind)) throw new TextError(`'${kind}' is no kind of buffer`);
    return { id, name, ...type, kind: kind as Buffer['kind'] };
  }

  #kernelName(line: LineReader): string {
    return line.match(/[\w]+(?:@\d+)?/y) ?? line.fail('a kernel');
  }

  #openKernel(line: LineReader): void {
    const name = this.#kernelName(line);
    if (this.kernels.has(name)) throw new TextError(`kernel ${name.replace('@', '#')} is defined twice`);
    line.expect('{');
    this.#open = { name, params: [], stages: [], stores: [] };
  }

  #inKernel(line: LineReader, draft: Draft): void {
    if (line.take('}')) {
      const { name, ...parts } = draft;
      this.kernels.set(name, { name: name.replace(/@\d+$/, ''), ...parts });
      this.#open = undefined;
      return;
    }
    const word = line.word('a line of the kernel');
    if (word === 'read' || word === 'write') {
      const name = line.word('a parameter');
      line.expect(':');
      draft.params.push({ name, ...typeOf(line), access: word });
    } else if (word === 'store') draft.stores.push(this.#store(line, draft));
    else draft.stages.push(this.#stage(word, line, draft));
  }

  #stage(name: string, line: LineReader, draft: Draft): Stage {
    this.#axes = new Map();
    const axes = this.#axisList(line);
    const dtype = line.take(':') ? dtypeOf(line) : 'f32';
    line.expect('=');
    const op = line.match(/(?:sum|max|min)(?=\[)/y);
    const reduce = op && REDUCE.has(op) ? { op: op as ReduceName, axes: this.#axisList(line) } : undefined;
    const body = this.#expr(line, draft);
    return { name, axes, ...(reduce ? { reduce } : {}), body, dtype };
  }

  #axisList(line: LineReader): Axis[] {
    line.expect('[');
    const axes = items(line, ']', (): Axis => {
      const name = line.word('an axis');
      line.expect(':');
      return { name, extent: integerOf(line) };
    });
    for (const a of axes) this.#axes.set(a.name, a);
    return axes;
  }

  #store(line: LineReader, draft: Draft): Store {
    const buffer = line.word('a parameter');
    const at = line.match(/\[/y) ? line.match(/[^\]]*/y) ?? '' : undefined;
    if (at !== undefined) line.expect(']');
    line.expect('=');
    const name = line.word('a stage');
    const stage = draft.stages.find((s) => s.name === name);
    if (!stage) throw new TextError(`there is no stage ${name}`);
    if (at === undefined) return { buffer, stage: name };
    this.#axes = new Map(stage.axes.map((a) => [a.name, a]));
    const inner = new LineReader(`${at}]`);
    return { buffer, stage: name, at: items(inner, ']', () => this.#index(inner, draft)) };
  }

  #call(line: LineReader): KernelCall {
    const name = this.#kernelName(line);
    const kernel = this.kernels.get(name);
    if (!kernel) throw new TextError(`kernel ${name.replace('@', '#')} is not defined above`);
    line.expect('(');
    const args = items(line, ')', () => line.word('a buffer'));
    return { kernel, args, origin: origin(line), ops: [] };
  }

  #expr(line: LineReader, draft: Draft): Expr {
    const literal = line.match(/-?(?:inf|\d+(?:\.\d+)?(?:e[+-]?\d+)?)/y);
    if (literal !== undefined) {
      const of = literal.endsWith('inf') ? (literal[0] === '-' ? -Infinity : Infinity) : Number(literal);
      return { kind: 'const', value: of, dtype: line.match(/(?<=\d)i/y) ? 'i32' : 'f32' };
    }
    const word = line.word('an expression');
    if (word === 'true' || word === 'false') return { kind: 'const', value: word === 'true' ? 1 : 0, dtype: 'bool' };
    if (line.take('[')) return { kind: 'load', buffer: word, at: items(line, ']', () => this.#index(line, draft)) };
    line.expect('(');
    if (draft.stages.some((s) => s.name === word)) return { kind: 'stage', stage: word, at: items(line, ')', () => this.#index(line, draft)) };
    if (word === 'index') {
      const of = this.#index(line, draft);
      line.expect(')');
      return { kind: 'index', of };
    }
    const args = items(line, ')', () => this.#expr(line, draft));
    const count = (n: number): void => {
      if (args.length !== n) throw new TextError(`${word} has ${args.length} arguments; it takes ${n}`);
    };
    if (word === 'select') {
      count(3);
      return { kind: 'select', condition: args[0], then: args[1], else: args[2] };
    }
    if (BINARY.has(word)) {
      count(2);
      return { kind: 'binary', op: word as BinaryName, a: args[0], b: args[1] };
    }
    count(1);
    if (UNARY.has(word)) return { kind: 'unary', op: word as UnaryName, a: args[0] };
    const cast = /^cast_(f32|i32|bool)$/.exec(word);
    if (!cast) throw new TextError(`'${word}' is no operation or stage`);
    return { kind: 'cast', dtype: cast[1] as DType, a: args[0] };
  }

  /** `2*i0+(i1+3)/4-1`: terms joined by signs. */
  #index(line: LineReader, draft: Draft): Index {
    let sum = this.#term(line, draft, line.take('-') ? -1 : 1);
    for (;;) {
      if (line.take('+')) sum = add(sum, this.#term(line, draft, 1));
      else if (line.take('-')) sum = add(sum, this.#term(line, draft, -1));
      else return sum;
    }
  }

  #term(line: LineReader, draft: Draft, sign: number): Index {
    const digits = line.match(/\d+/y);
    if (digits === undefined) return scale(this.#factor(line, draft), sign);
    return line.take('*') ? scale(this.#factor(line, draft), sign * Number(digits)) : constant(sign * Number(digits));
  }

  #factor(line: LineReader, draft: Draft): Index {
    let index: Index;
    if (line.take('(')) {
      index = this.#index(line, draft);
      line.expect(')');
    } else {
      const name = line.word('an axis');
      const found = this.#axes.get(name);
      if (found) index = axis(found);
      else if (name === 'value' && line.take('(')) {
        const of = this.#expr(line, draft);
        line.expect(',');
        index = value(of, integerOf(line));
        line.expect(')');
      } else throw new TextError(`there is no axis ${name} here`);
    }
    if (line.take('/')) return floorDiv(index, divisorOf(line));
    return line.take('%') ? mod(index, divisorOf(line)) : index;
  }
}

function items<T>(line: LineReader, close: string, item: () => T): T[] {
  const found: T[] = [];
  while (!line.take(close)) {
    if (found.length > 0) line.expect(',');
    found.push(item());
  }
  return found;
}

function integerOf(line: LineReader): number {
  return Number(line.match(/\d+/y) ?? line.fail('a number'));
}

function divisorOf(line: LineReader): number {
  const value = integerOf(line);
  if (!Number.isSafeInteger(value) || value < 1) throw new TextError(`${value} is no divisor`);
  return value;
}

function dtypeOf(line: LineReader): DType {
  return (line.match(/(?:f32|i32|bool)\b/y) ?? line.fail('f32, i32 or bool')) as DType;
}

/** `f32[2, 3] as f16 blocks [1, 16]` */
function typeOf(line: LineReader): { shape: Shape; dtype: DType; storage: Storage; layout?: Layout } {
  const dtype = dtypeOf(line);
  const shape = checked<number[]>('a shape', line.value(), list(integer));
  let storage: Storage = dtype === 'f32' ? 'f32' : 'i32';
  if (line.match(/as\b/y)) {
    const word = line.word('a storage');
    if (!STORAGE.has(word)) throw new TextError(`'${word}' is no storage`);
    storage = word as Storage;
  }
  return line.match(/blocks\b/y) ? { shape, dtype, storage, layout: { blocks: checked<number[]>('blocks', line.value(), list(integer)) } } : { shape, dtype, storage };
}

function origin(line: LineReader): Origin {
  return line.take('@') ? { scope: line.string('a scope').value, block: line.string('a block').value } : { scope: '', block: '' };
}
