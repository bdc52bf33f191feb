/** The invariants of kernels and programs; lowering must keep them, and code generation relies on them. */
import { sizeOf } from './graph.ts';
import type { DType, Shape } from './graph.ts';
import type { Axis, Buffer, Expr, Index, Kernel, KernelCall, KernelParam, Program, Stage } from './kernel.ts';
import { dtypeOf, exprKey, isTest } from './kernel-expr.ts';
import { axis, axesOf, flatten, isInjective, keyOf, rangeOf, substitute, constant } from './kernel-index.ts';

/** Indices whose range is not plain are tried at every point up to this many. */
const TRIED = 1 << 16;

/** Every broken invariant of a kernel as a fact; empty for a good one. */
export function verifyKernel(kernel: Kernel): string[] {
  const errors = [...nameErrors(kernel)];
  const before = new Map<string, Stage>();
  for (const stage of kernel.stages) {
    const say = (message: string): void => void errors.push(`stage ${stage.name}: ${message}`);
    const axes = new Map([...stage.axes, ...(stage.reduce?.axes ?? [])].map((a) => [a.name, a.extent]));
    new BodyCheck(kernel, axes, before, say).expr(stage.body, false);
    if (errors.length === 0) {
      const found = dtypeOf(stage.body, kernel);
      if (found !== stage.dtype) say(`it is ${stage.dtype}, its body ${found}`);
    }
    if (stage.reduce && stage.reduce.axes.length === 0) say('it reduces over nothing');
    before.set(stage.name, stage);
  }
  for (const store of kernel.stores) errors.push(...storeErrors(kernel, store));
  return errors;
}

function* nameErrors(kernel: Kernel): Iterable<string> {
  yield* repeated('parameter', kernel.params.map((p) => p.name));
  yield* repeated('stage', kernel.stages.map((s) => s.name));
  yield* repeated('axis', kernel.stages.flatMap((s) => [...s.axes, ...(s.reduce?.axes ?? [])].map((a) => a.name)));
  for (const param of kernel.params) {
    const stored = kernel.stores.filter((s) => s.buffer === param.name).length;
    if (param.access === 'write' && stored === 0) yield `parameter ${param.name} is written by no store`;
    if (param.access === 'read' && stored > 0) yield `parameter ${param.name} is read and stored`;
    if ((param.storage === 'i32') !== (param.dtype !== 'f32')) yield `parameter ${param.name} is ${param.dtype}, stored as ${param.storage}`;
    if (param.layout && param.layout.blocks.length !== param.shape.length) yield `parameter ${param.name} of rank ${param.shape.length} lies in blocks of rank ${param.layout.blocks.length}`;
  }
  if (kernel.stores.length === 0) yield 'nothing is stored';
}

function* repeated(what: string, names: readonly string[]): Iterable<string> {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) yield `${what} ${name} is defined twice`;
    seen.add(name);
  }
}

/** Checks what one stage reads. */
class BodyCheck {
  readonly #seen = new Set<Expr>();

  constructor(
    private readonly kernel: Kernel,
    private readonly axes: ReadonlyMap<string, number>,
    private readonly before: ReadonlyMap<string, Stage>,
    private readonly say: (message: string) => void,
  ) {}

  /** `guarded`: inside a branch of a select, where an index may run over an edge. */
  expr(e: Expr, guarded: boolean): void {
    // Seen unguarded is the stronger check; a part seen only under a guard is checked again outside of it.
    if (this.#seen.has(e)) return;
    if (!guarded) this.#seen.add(e);
    switch (e.kind) {
      case 'const':
        if (Number.isNaN(e.value) || (e.dtype !== 'f32' && !Number.isInteger(e.value))) this.say(`${e.value} is no ${e.dtype}`);
        return;
      case 'index':
        return this.index(e.of, guarded);
      case 'load': {
        const param = this.kernel.params.find((p) => p.name === e.buffer);
        if (!param) return this.say(`${exprKey(e)} reads no parameter`);
        if (param.access !== 'read') return this.say(`${exprKey(e)} reads what the kernel writes`);
        return this.at(e, param.shape, guarded);
      }
      case 'stage': {
        const stage = this.before.get(e.stage);
        if (!stage) return this.say(`${exprKey(e)} reads no stage before it`);
        return this.at(e, stage.axes.map((a) => a.extent), guarded);
      }
      case 'unary':
      case 'cast':
        return this.expr(e.a, guarded);
      case 'binary': {
        this.expr(e.a, guarded);
        this.expr(e.b, guarded);
        return this.operands(e);
      }
      case 'select':
        this.expr(e.condition, guarded);
        this.expr(e.then, true);
        return this.expr(e.else, true);
    }
  }

  operands(e: Extract<Expr, { kind: 'binary' }>): void {
    let types: DType[];
    try {
      types = [dtypeOf(e.a, this.kernel), dtypeOf(e.b, this.kernel)];
    } catch {
      return; // A name that is not there has been told of.
    }
    if (types[0] !== types[1]) this.say(`${e.op} of ${types[0]} and ${types[1]}`);
    if ((e.op === 'and' || e.op === 'or') !== (types[0] === 'bool')) this.say(`${e.op} of ${types[0]}${isTest(e.op) ? ', a test' : ''}`);
  }

  at(e: Extract<Expr, { kind: 'load' | 'stage' }>, shape: Shape, guarded: boolean): void {
    if (e.at.length !== shape.length) return this.say(`${exprKey(e)} has ${e.at.length} indices for [${shape.join(', ')}]`);
    e.at.forEach((index, i) => {
      this.index(index, guarded);
      if (!guarded && !staysIn(index, shape[i], this.axes)) this.say(`${exprKey(e)} leaves axis ${i} of [${shape.join(', ')}]`);
    });
  }

  index(index: Index, guarded: boolean): void {
    for (const { scale, atom } of index.terms) {
      if (scale === 0 || !Number.isSafeInteger(scale)) this.say(`${keyOf(index)} has the factor ${scale}`);
      if (atom.kind === 'value') this.expr(atom.of, guarded);
      else if (atom.kind !== 'axis') this.index(atom.of, guarded);
      else if (this.axes.get(atom.name) !== atom.extent) this.say(`${keyOf(index)} uses ${atom.name}:${atom.extent}, which is no axis here`);
    }
    const [min, max] = rangeOf(index);
    if (min < -(2 ** 31) || max >= 2 ** 31) this.say(`${keyOf(index)} does not fit i32`);
  }
}

/** Whether 0 <= index < extent at every point: by ranges, or by trying. What is too large to try is taken as good. */
function staysIn(index: Index, extent: number, axes: ReadonlyMap<string, number>): boolean {
  const [min, max] = rangeOf(index);
  if (min >= 0 && max < extent) return true;
  const names = [...axesOf(index)];
  if (names.length === 0) return false;
  if (names.reduce((points, name) => points * (axes.get(name) ?? Infinity), 1) > TRIED) return true;
  const [name] = names;
  for (let i = 0; i < axes.get(name)!; i++) {
    const fixed = substitute(index, new Map([[name, constant(i)]]));
    if (axesOf(fixed).size > 0 ? !staysIn(fixed, extent, axes) : !(rangeOf(fixed)[0] >= 0 && rangeOf(fixed)[1] < extent)) return false;
  }
  return true;
}

function storeErrors(kernel: Kernel, { buffer, stage: name, at }: Kernel['stores'][number]): string[] {
  const what = `store ${buffer} = ${name}`;
  const param = kernel.params.find((p) => p.name === buffer);
  const stage = kernel.stages.find((s) => s.name === name);
  if (!param || param.access !== 'write') return [`${what}: ${buffer} is no parameter to write`];
  if (!stage) return [`${what}: there is no such stage`];
  const errors: string[] = [];
  if (stage.dtype !== param.dtype) errors.push(`${what}: ${stage.dtype} goes to ${param.dtype}`);
  const indices = at ?? stage.axes.map(axis);
  const extents = stage.axes.map((a) => a.extent);
  if (!at && (extents.length !== param.shape.length || extents.some((e, i) => e !== param.shape[i]))) return [...errors, `${what}: [${extents.join(', ')}] goes to [${param.shape.join(', ')}]`];
  if (indices.length !== param.shape.length) return [...errors, `${what}: ${indices.length} indices for [${param.shape.join(', ')}]`];
  const axes = new Map(stage.axes.map((a) => [a.name, a.extent]));
  indices.forEach((index, i) => {
    if (!staysIn(index, param.shape[i], axes)) errors.push(`${what}: ${keyOf(index)} leaves axis ${i} of [${param.shape.join(', ')}]`);
  });
  if (!isInjective(indices, param.shape, stage.axes)) errors.push(`${what}: two points may go to one place`);
  return errors;
}

/** Every broken invariant of a program; `maxBuffers` is the target's limit of storage buffers in one kernel. */
export function verifyProgram(program: Program, maxBuffers = Infinity): string[] {
  const errors: string[] = [...repeated('buffer', program.buffers.map((b) => b.id))];
  const byId = new Map(program.buffers.map((b) => [b.id, b]));
  const checked = new Set<Kernel>();
  const boxes = new Map<string, Box[]>();
  const complete = (b: Buffer): boolean => b.kind === 'input' || b.kind === 'weight' || points(boxes.get(b.id) ?? []) === sizeOf(b.shape);
  program.calls.forEach((call, i) => {
    const { kernel, args } = call;
    const say = (message: string): void => void errors.push(`call ${i} of ${kernel.name}: ${message}`);
    if (!checked.has(kernel)) verifyKernel(kernel).forEach(say);
    checked.add(kernel);
    if (args.length !== kernel.params.length) return say(`${args.length} arguments for ${kernel.params.length} parameters`);
    if (args.length > maxBuffers) say(`${args.length} buffers; the target allows ${maxBuffers}`);
    if (new Set(args).size !== args.length) say('a buffer is bound twice');
    args.forEach((id, p) => {
      const buffer = byId.get(id);
      if (!buffer) return say(`there is no buffer ${id}`);
      argErrors(kernel.params[p], buffer).forEach(say);
      if (kernel.params[p].access === 'read' && !complete(buffer)) say(`${id} is read before all of it is written`);
    });
    for (const [id, box] of written(call)) boxes.set(id, [...(boxes.get(id) ?? []), box]);
  });
  for (const buffer of program.buffers) {
    const stored = boxes.get(buffer.id) ?? [];
    if ((buffer.kind === 'input' || buffer.kind === 'weight') && stored.length > 0) errors.push(`buffer ${buffer.id}: an ${buffer.kind} is written`);
    if (!complete(buffer)) errors.push(`buffer ${buffer.id}: ${points(stored)} of ${sizeOf(buffer.shape)} places are written`);
    if (overlap(stored)) errors.push(`buffer ${buffer.id}: calls write the same places`);
  }
  return errors;
}

function argErrors(param: KernelParam, buffer: Buffer): string[] {
  const errors: string[] = [];
  if (sizeOf(param.shape) !== sizeOf(buffer.shape)) errors.push(`${param.name}[${param.shape.join(', ')}] is no view of ${buffer.id}[${buffer.shape.join(', ')}]`);
  if (param.dtype !== buffer.dtype || param.storage !== buffer.storage) errors.push(`${param.name} is ${param.dtype} as ${param.storage}, ${buffer.id} ${buffer.dtype} as ${buffer.storage}`);
  if (param.layout?.blocks.join() !== buffer.layout?.blocks.join()) errors.push(`${param.name} and ${buffer.id} lie in different blocks`);
  if (param.layout && param.shape.join() !== buffer.shape.join()) errors.push(`${param.name} views ${buffer.id}, which lies in blocks, under another shape`);
  return errors;
}

/** Flat places that a store runs over, with how many of them it writes. */
interface Box {
  readonly ranges: readonly (readonly [number, number])[];
  readonly shape: Shape;
  readonly points: number;
}

const points = (boxes: readonly Box[]): number => boxes.reduce((total, b) => total + b.points, 0);

function written({ kernel, args }: KernelCall): [string, Box][] {
  return kernel.stores.flatMap(({ buffer, stage: name, at }): [string, Box][] => {
    const position = kernel.params.findIndex((p) => p.name === buffer);
    const stage = kernel.stages.find((s) => s.name === name);
    if (position < 0 || !stage || args[position] === undefined) return [];
    const { shape } = kernel.params[position];
    const size = sizeOf(stage.axes.map((a: Axis) => a.extent));
    return [[args[position], { ranges: (at ?? stage.axes.map(axis)).map(rangeOf), shape, points: size }]];
  });
}

/** Whether two stores of a buffer, seen under one shape, may meet. Different views are compared by flat ranges. */
function overlap(boxes: readonly Box[]): boolean {
  return boxes.some((a, i) =>
    boxes.slice(i + 1).some((b) => {
      if (a.shape.join() === b.shape.join()) return a.ranges.every(([low, high], d) => low <= b.ranges[d][1] && b.ranges[d][0] <= high);
      const [x, y] = [a, b].map(flatRange);
      // Interleaved stores under different views cannot be told apart by ranges; that all places are written is checked above.
      return x[0] === y[0] && x[1] === y[1];
    }),
  );
}

function flatRange({ ranges, shape }: Box): readonly [number, number] {
  const ends = [0, 1].map((end) => rangeOf(flatten(ranges.map((r) => constant(r[end])), shape))[0]);
  return [ends[0], ends[1]];
}
