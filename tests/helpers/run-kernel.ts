/** Runs one generated kernel on a device beside the reference evaluator, plain and instrumented. */
import { generateKernel } from '../../src/codegen/generate.ts';
import { printModule } from '../../src/codegen/wgsl-print.ts';
import type { KernelCode } from '../../src/codegen/wgsl.ts';
import { sizeOf } from '../../src/graph.ts';
import type { Kernel, KernelParam, Program } from '../../src/kernel.ts';
import { storedElements } from '../../src/kernel-layout.ts';
import type { TensorData } from '../../src/ops/types.ts';
import { evaluateProgram } from '../../src/reference/kernel.ts';
import type { Schedule } from '../../src/schedule.ts';
import type { Target } from '../../src/targets.ts';

export interface KernelRun {
  readonly code: KernelCode;
  /** Values of each written parameter, on the device and by the evaluator in double precision. */
  readonly outputs: Record<string, { readonly device: TensorData; readonly reference: TensorData }>;
  /** Bytes that the instrumented kernel counted. */
  readonly counted: { readonly loadBytes: number; readonly storeBytes: number };
}

/** Reproducible values in [-1, 1), or below `below` for integers. */
export function valuesOf(param: Pick<KernelParam, 'name' | 'shape' | 'dtype'>, below = 7): TensorData {
  let state = [...param.name].reduce((h, c) => Math.imul(h, 31) + c.charCodeAt(0), 17) >>> 0;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const size = sizeOf(param.shape);
  if (param.dtype === 'f32') return Float32Array.from({ length: size }, () => Math.fround(next() * 2 - 1));
  return Int32Array.from({ length: size }, () => Math.floor(next() * (param.dtype === 'bool' ? 2 : below)));
}

/** `plain`: the kernel as shipped; else the instrumented one, which computes the same, gives the outputs (half the time). */
export async function runKernel(device: GPUDevice, target: Target, kernel: Kernel, schedule: Schedule, plain = true): Promise<KernelRun> {
  const spaces = kernel.params.map(() => 'arena' as const);
  const code = generateKernel({ kernel, spaces, schedule }, target);
  const given = new Map(kernel.params.filter((p) => p.access === 'read').map((p) => [p.name, valuesOf(p)]));
  const reference = evaluate(kernel, given);
  const counting = await dispatch(device, kernel, code, printModule(code.module, { instrument: true }), given, true);
  const { outputs } = plain ? await dispatch(device, kernel, code, printModule(code.module), given) : counting;
  const [loadLow, loadHigh, storeLow, storeHigh] = counting.counters!;
  return {
    code,
    outputs: Object.fromEntries([...outputs].map(([name, values]) => [name, { device: values, reference: reference[name] }])),
    counted: { loadBytes: loadLow + loadHigh * 2 ** 32, storeBytes: storeLow + storeHigh * 2 ** 32 },
  };
}

/** The largest difference over the largest size of the reference. */
export function relativeError({ device, reference }: { readonly device: TensorData; readonly reference: TensorData }): number {
  let worst = 0;
  let largest = 1e-30;
  for (let i = 0; i < reference.length; i++) {
    worst = Math.max(worst, Number.isNaN(device[i]) ? Infinity : Math.abs(device[i] - reference[i]));
    largest = Math.max(largest, Math.abs(reference[i]));
  }
  return worst / largest;
}

function evaluate(kernel: Kernel, given: ReadonlyMap<string, TensorData>): Record<string, TensorData> {
  const program: Program = {
    name: kernel.name,
    buffers: kernel.params.map((p) => ({ id: p.name, name: p.name, shape: p.shape, dtype: p.dtype, storage: p.storage, kind: p.access === 'read' ? 'input' : 'output' })),
    calls: [{ kernel, args: kernel.params.map((p) => p.name), origin: { scope: '', block: '' }, ops: [] }],
  };
  const inputs = Object.fromEntries(kernel.params.filter((p) => p.access === 'read').map((p) => [p.name, { shape: p.shape, dtype: p.dtype, data: given.get(p.name)! }]));
  const bindings = { inputs, weights: (): never => { throw new Error('bug: no weights here'); } };
  return Object.fromEntries(Object.entries(evaluateProgram(program, bindings, { precision: 'f64' })).map(([name, { data }]) => [name, data]));
}

async function dispatch(device: GPUDevice, kernel: Kernel, code: KernelCode, source: string, given: ReadonlyMap<string, TensorData>, counting = false) {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: source });
  const messages = (await module.getCompilationInfo()).messages.filter((m) => m.type === 'error');
  if (messages.length > 0) throw new Error(`${messages.map((m) => `${m.lineNum}: ${m.message}`).join('\n')}\n${source}`);
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const buffers = kernel.params.map((p) => {
    const buffer = device.createBuffer({ size: Math.max(16, storedElements(p) * 4), usage });
    const data = given.get(p.name);
    // Places that nothing writes would show.
    if (data) device.queue.writeBuffer(buffer, 0, data as GPUAllowSharedBufferSource);
    else device.queue.writeBuffer(buffer, 0, new Uint32Array(storedElements(p)).fill(0x7fc00000));
    return buffer;
  });
  const counter = device.createBuffer({ size: 16, usage });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer, size: storedElements(kernel.params[binding]) * 4 } }));
  if (counting) entries.push({ binding: buffers.length, resource: { buffer: counter, size: 16 } });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(...code.workgroups);
  pass.end();
  device.queue.submit([encoder.finish()]);
  const failure = await device.popErrorScope();
  if (failure) throw new Error(`${failure.message}\n${source}`);
  const outputs = new Map<string, TensorData>();
  for (const [i, p] of kernel.params.entries()) {
    if (p.access !== 'write') continue;
    const bytes = await read(device, buffers[i], storedElements(p) * 4);
    outputs.set(p.name, p.dtype === 'f32' ? new Float32Array(bytes) : new Int32Array(bytes));
  }
  const counters = counting ? new Uint32Array(await read(device, counter, 16)) : undefined;
  for (const b of [...buffers, counter]) b.destroy();
  return { outputs, counters };
}

async function read(device: GPUDevice, buffer: GPUBuffer, size: number): Promise<ArrayBuffer> {
  const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const bytes = staging.getMappedRange().slice(0);
  staging.destroy();
  return bytes;
}
