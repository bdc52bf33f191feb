/** Runs a plan in JavaScript, its kernels as generated (interpret-kernel.ts), and compares it with what the program means. */
import { expect } from 'vitest';
import { generateKernel } from '../../src/codegen/generate.ts';
import { sizeOf, stridesOf } from '../../src/graph.ts';
import type { Graph } from '../../src/graph.ts';
import { constant } from '../../src/kernel-index.ts';
import { storedElements, storedIndex } from '../../src/kernel-layout.ts';
import type { Buffer, Kernel, Program, Storage } from '../../src/kernel.ts';
import { lower } from '../../src/lower/lower.ts';
import type { Tensor } from '../../src/ops/types.ts';
import { fromPair, toPair } from '../../src/pair.ts';
import type { Plan } from '../../src/plan.ts';
import { evaluateProgram, type ProgramBindings } from '../../src/reference/kernel.ts';
import { plan, type PlanOptions } from '../../src/schedule/plan.ts';
import type { Schedule } from '../../src/schedule.ts';
import type { Target } from '../../src/targets.ts';
import { interpretKernel } from './interpret-kernel.ts';
import type { Scalars } from './interpret-memory.ts';
import { roundF16 } from './interpret-numbers.ts';
import { valuesOf } from './patterns.ts';
import { programOf } from './run-kernel.ts';
import { relativeError } from './run-plan.ts';

/** What holds a buffer's elements: f16 are numbers that it can hold, pairs their words. */
const ARRAYS = { f32: Float32Array, f16: Float32Array, pair: Uint32Array, i32: Int32Array } as const;

/** The outputs by name. Fails where a kernel moves other bytes than its generator says, loads `times` over. */
export function interpretPlan(made: Plan, bindings: ProgramBindings, times = 1): Record<string, Tensor> {
  const memory = new Map<string, Scalars>();
  for (const { buffer } of made.buffers) {
    const { id, kind, name, shape } = buffer;
    const values = new ARRAYS[buffer.storage](storedElements(buffer));
    const given = kind === 'input' ? bindings.inputs[name] : kind === 'weight' ? bindings.weights(name, shape) : undefined;
    const word = buffer.storage === 'pair' ? toPair : (v: number): number => v;
    placesOf(buffer).forEach((place, i) => { if (given) values[place] = word(given.data[i]); });
    memory.set(id, values);
  }
  const kernels = made.kernels.map((k) => generateKernel(k, made.target));
  const subgroupSize = made.target.subgroups?.minSize ?? 32;
  for (const { kernel, args } of made.steps) {
    const code = kernels[kernel];
    const counted = interpretKernel(code, new Map(code.module.bindings.map((b) => [b.name, memory.get(args[b.index])!])), subgroupSize);
    expect(counted, made.kernels[kernel].id).toEqual({ ...code.issued, loadBytes: times * code.issued.loadBytes });
  }
  return Object.fromEntries(made.buffers.filter((b) => b.buffer.kind === 'output').map(({ buffer }) => {
    const values = memory.get(buffer.id)!;
    return [buffer.name, { shape: buffer.shape, dtype: buffer.dtype, data: Float64Array.from(placesOf(buffer), (place) => (buffer.storage === 'pair' ? fromPair(values[place]) : values[place])) }];
  }));
}

/** Where each element of a buffer lies, in the order of its indices. */
function placesOf(buffer: Pick<Buffer, 'shape' | 'layout'>): readonly number[] {
  const strides = stridesOf(buffer.shape);
  return Array.from({ length: sizeOf(buffer.shape) }, (_, i) => storedIndex(buffer, buffer.shape.map((extent, axis) => constant(Math.floor(i / strides[axis]) % extent))).offset);
}

export interface InterpretOptions extends PlanOptions {
  readonly target: Target;
  readonly storage?: 'f32' | 'f16';
  readonly attention?: boolean;
  /** Inputs and outputs are stored as f16 too, as what lies between kernels is. */
  readonly inside?: boolean;
  /** How often the kernels load all that they load: some do again where their scales do not fit. */
  readonly times?: number;
  /** Over the greatest magnitude of an output. */
  readonly tolerance: number;
}

/** Compares a graph's kernels with its meaning, for numbers that f16 can hold where any is stored so. */
export function checkInterpreted(graph: Graph, options: InterpretOptions): Plan {
  const { storage = 'f16', attention = false, target } = options;
  const program = lower(graph, { fuse: true, attention: () => attention, target, storage });
  return check(options.inside ? halved(program) : program, options);
}

function halved(program: Program): Program {
  const half = <T extends { readonly storage: Storage }>(of: T): T => (of.storage === 'f32' ? { ...of, storage: 'f16' } : of);
  return { ...program, buffers: program.buffers.map(half), calls: program.calls.map((call) => ({ ...call, kernel: { ...call.kernel, params: call.kernel.params.map(half) } })) };
}

export function checkKernelInterpreted(kernel: Kernel, schedule: Schedule, options: InterpretOptions): Plan {
  return check(programOf(kernel), { ...options, schedule: () => schedule });
}

function check(program: Program, options: InterpretOptions): Plan {
  const { target, tolerance } = options;
  const { value, diagnostics } = plan(program, target, options);
  expect(diagnostics).toEqual([]);
  const halves = program.buffers.some((b) => b.storage === 'f16');
  const stored = new Map(program.buffers.map((b) => [b.name, b]));
  const held = (name: string, shape: readonly number[]): Tensor => {
    const { dtype } = stored.get(name)!;
    const tensor = valuesOf(name, shape, dtype);
    return halves && dtype === 'f32' ? { ...tensor, data: tensor.data.map(roundF16) as Tensor['data'] } : tensor;
  };
  const inputs = Object.fromEntries(program.buffers.flatMap((b) => (b.kind === 'input' ? [[b.name, held(b.name, b.shape)]] : [])));
  const bindings: ProgramBindings = { inputs, weights: held };
  const want = evaluateProgram(program, bindings, { precision: 'f64' });
  const got = interpretPlan(value!, bindings, options.times);
  for (const [name, tensor] of Object.entries(want)) expect(relativeError(got[name], tensor), name).toBeLessThanOrEqual(tolerance);
  return value!;
}
