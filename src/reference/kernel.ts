/**
 * Evaluates programs on the CPU: what kernels mean. Bodies become closures; loads are checked against the bounds of the
 * parameter's shape, and only the branch taken of a select is evaluated. Layouts and storage do not change values here.
 */
import { sizeOf, stridesOf } from '../graph.ts';
import type { DType, Shape } from '../graph.ts';
import type { Axis, Buffer, Expr, Index, Kernel, Program, ReduceName, Stage } from '../kernel.ts';
import { dtypeOf, exprKey } from '../kernel-expr.ts';
import { opDef } from '../ops.ts';
import type { Tensor, TensorData } from '../ops/types.ts';

/** `f64`: f32 values in double precision. `f32`: every scalar operation rounds to f32, sums in index order. */
export type Precision = 'f64' | 'f32';

export interface ProgramBindings {
  /** By input name. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** By weight name, of the weight's shape. */
  readonly weights: (name: string, shape: Shape) => Tensor;
}

/** The outputs by name. Throws where a kernel reads or writes out of bounds, writes twice or leaves a place unwritten. */
export function evaluateProgram(program: Program, bindings: ProgramBindings, { precision }: { readonly precision: Precision }): Record<string, Tensor> {
  const buffers = new Map<string, Memory>();
  const lastUse = new Map<string, number>();
  program.calls.forEach((call, i) => call.args.forEach((id) => lastUse.set(id, i)));
  const byId = new Map(program.buffers.map((b) => [b.id, b]));
  const memoryOf = (id: string): Memory => {
    let memory = buffers.get(id);
    if (!memory) buffers.set(id, (memory = bind(byId.get(id)!, bindings, precision)));
    return memory;
  };
  program.calls.forEach(({ kernel, args }, i) => {
    evaluateKernel(kernel, args.map(memoryOf), precision);
    for (const id of args) if (lastUse.get(id) === i && byId.get(id)!.kind !== 'output') buffers.delete(id);
  });
  return Object.fromEntries(
    program.buffers.filter((b) => b.kind === 'output').map((b) => {
      const { data, written } = memoryOf(b.id);
      if (written?.includes(0)) throw new Error(`bug: output ${b.name} is not written everywhere`);
      return [b.name, { shape: b.shape, dtype: b.dtype, data }];
    }),
  );
}

interface Memory {
  readonly data: TensorData;
  /** Which places have been written; absent for what is bound from outside. */
  readonly written?: Uint8Array;
}

function bind(buffer: Buffer, { inputs, weights }: ProgramBindings, precision: Precision): Memory {
  const size = sizeOf(buffer.shape);
  const data = buffer.dtype !== 'f32' ? new Int32Array(size) : precision === 'f64' ? new Float64Array(size) : new Float32Array(size);
  if (buffer.kind !== 'input' && buffer.kind !== 'weight') return { data, written: new Uint8Array(size) };
  const tensor = buffer.kind === 'input' ? inputs[buffer.name] : weights(buffer.name, buffer.shape);
  if (!tensor || tensor.data.length !== size) throw new Error(`bug: ${buffer.kind} ${buffer.name} is not bound to ${size} values`);
  data.set(tensor.data);
  return { data };
}

type Value = () => number;

/** Runs one kernel over its arguments' memory, in the order of its params. */
function evaluateKernel(kernel: Kernel, args: readonly Memory[], precision: Precision): void {
  const scope = new Scope(kernel, args, precision);
  for (const stage of kernel.stages) scope.add(stage);
  for (const { buffer, stage, at } of kernel.stores) {
    const { axes } = kernel.stages.find((s) => s.name === stage)!;
    const position = kernel.params.findIndex((p) => p.name === buffer);
    const { data, written } = args[position];
    const { shape } = kernel.params[position];
    if (!written) throw new Error(`bug: ${kernel.name} writes ${buffer}, which is bound from outside`);
    const values = scope.values(stage);
    const offset = scope.offset(at ?? axes.map((a) => ({ offset: 0, terms: [{ scale: 1, atom: { kind: 'axis', ...a } }] })), shape, `${kernel.name} stores ${buffer}`);
    let next = 0;
    scope.loop(axes, () => {
      const to = offset();
      if (written[to]) throw new Error(`bug: ${kernel.name} writes ${buffer} at ${to} twice`);
      written[to] = 1;
      data[to] = values[next++];
    });
  }
}

class Scope {
  /** Current value of every axis, by slot. */
  readonly #slots: number[] = [];
  readonly #slotOf = new Map<string, number>();
  readonly #values = new Map<string, TensorData>();
  readonly #compiled = new Map<Expr, Value>();

  constructor(
    private readonly kernel: Kernel,
    private readonly args: readonly Memory[],
    private readonly precision: Precision,
  ) {}

  /** Computes a stage at every point. */
  add(stage: Stage): void {
    const size = sizeOf(stage.axes.map((a) => a.extent));
    const rounds = stage.dtype === 'f32' && this.precision === 'f32';
    const data = stage.dtype !== 'f32' ? new Int32Array(size) : rounds ? new Float32Array(size) : new Float64Array(size);
    const body = this.expr(stage.body);
    let next = 0;
    if (!stage.reduce) this.loop(stage.axes, () => (data[next++] = body()));
    else {
      const { op, axes } = stage.reduce;
      const combine = COMBINE[op];
      const first = firstOf(op, stage.dtype);
      this.loop(stage.axes, () => {
        let total = first;
        this.loop(axes, () => {
          total = combine(total, body());
          if (rounds) total = Math.fround(total);
        });
        data[next++] = total;
      });
    }
    this.#values.set(stage.name, data);
  }

  values(stage: string): TensorData {
    return this.#values.get(stage) ?? bug(`${this.kernel.name} reads stage ${stage} before it is computed`);
  }

  loop(axes: readonly Axis[], body: () => void, depth = 0): void {
    if (depth === axes.length) return body();
    const slot = this.#slot(axes[depth].name);
    for (let i = 0; i < axes[depth].extent; i++) {
      this.#slots[slot] = i;
      this.loop(axes, body, depth + 1);
    }
  }

  /** The row-major offset of a multi-index, each part checked against its extent. */
  offset(at: readonly Index[], shape: Shape, what: string): Value {
    if (at.length !== shape.length) bug(`${what} of rank ${shape.length} at ${at.length} indices`);
    const strides = stridesOf(shape);
    const parts = at.map((i) => this.index(i));
    return () => {
      let offset = 0;
      for (let i = 0; i < parts.length; i++) {
        const index = parts[i]();
        if (!(index >= 0 && index < shape[i])) bug(`${what} at ${index} on axis ${i} of [${shape.join(', ')}]`);
        offset += index * strides[i];
      }
      return offset;
    };
  }

  index({ offset, terms }: Index): Value {
    const slots = this.#slots;
    const values = terms.map(({ atom }): Value => {
      if (atom.kind === 'axis') {
        const slot = this.#slot(atom.name);
        return () => slots[slot];
      }
      if (atom.kind === 'value') {
        const value = this.expr(atom.of);
        return () => Math.min(Math.max(value(), 0), atom.extent - 1);
      }
      const inner = this.index(atom.of);
      const { by } = atom;
      return atom.kind === 'div' ? () => Math.floor(inner() / by) : () => ((inner() % by) + by) % by;
    });
    return () => {
      let sum = offset;
      for (let i = 0; i < values.length; i++) sum += terms[i].scale * values[i]();
      return sum;
    };
  }

  expr(e: Expr): Value {
    let value = this.#compiled.get(e);
    if (!value) this.#compiled.set(e, (value = this.#compile(e)));
    return value;
  }

  #compile(e: Expr): Value {
    const { kernel } = this;
    switch (e.kind) {
      case 'const': {
        const value = e.dtype === 'f32' && this.precision === 'f32' ? Math.fround(e.value) : e.value;
        return () => value;
      }
      case 'index':
        return this.index(e.of);
      case 'load': {
        const position = kernel.params.findIndex((p) => p.name === e.buffer);
        const what = `${kernel.name} loads ${exprKey(e)}`;
        if (position < 0) bug(`${what}, which is no parameter`);
        const { data, written } = this.args[position];
        const offset = this.offset(e.at, kernel.params[position].shape, what);
        if (!written) return () => data[offset()];
        return () => {
          const from = offset();
          return written[from] ? data[from] : bug(`${what} before it is written`);
        };
      }
      case 'stage': {
        const values = this.values(e.stage);
        const { axes } = kernel.stages.find((s) => s.name === e.stage)!;
        const offset = this.offset(e.at, axes.map((a) => a.extent), `${kernel.name} reads ${exprKey(e)}`);
        return () => values[offset()];
      }
      case 'select': {
        const [condition, then, other] = [this.expr(e.condition), this.expr(e.then), this.expr(e.else)];
        return () => (condition() ? then() : other());
      }
      case 'unary':
      case 'cast':
      case 'binary': {
        const parts = e.kind === 'binary' ? [e.a, e.b] : [e.a];
        return this.#scalar(e.kind === 'cast' ? 'cast' : e.op, e.kind === 'cast' ? { dtype: e.dtype } : {}, parts, dtypeOf(e, kernel));
      }
    }
  }

  /** One scalar operation by the op table's meaning, on tensors of one element. */
  #scalar(op: Parameters<typeof opDef>[0], attrs: object, parts: readonly Expr[], dtype: DType): Value {
    const cell = (of: DType): Tensor => ({ shape: [], dtype: of, data: of !== 'f32' ? new Int32Array(1) : this.precision === 'f64' ? new Float64Array(1) : new Float32Array(1) });
    const args = parts.map((p) => cell(dtypeOf(p, this.kernel)));
    const values = parts.map((p) => this.expr(p));
    const out = cell(dtype);
    const { evaluate } = opDef(op);
    return () => {
      // All parts first: a part that is shared between them must not find this operation's cells half filled.
      const [a, b] = [values[0](), values.length > 1 ? values[1]() : 0];
      args[0].data[0] = a;
      if (args.length > 1) args[1].data[0] = b;
      evaluate(args, attrs as never, out);
      return out.data[0];
    };
  }

  #slot(name: string): number {
    let slot = this.#slotOf.get(name);
    if (slot === undefined) this.#slotOf.set(name, (slot = this.#slotOf.size));
    return slot;
  }
}

const COMBINE: Record<ReduceName, (a: number, b: number) => number> = { sum: (a, b) => a + b, max: Math.max, min: Math.min };

function firstOf(op: ReduceName, dtype: DType): number {
  if (op === 'sum') return 0;
  const limit = dtype === 'f32' ? Infinity : op === 'max' ? 2 ** 31 : 2 ** 31 - 1;
  return op === 'max' ? -limit : limit;
}

function bug(message: string): never {
  throw new Error(`bug: ${message}`);
}
