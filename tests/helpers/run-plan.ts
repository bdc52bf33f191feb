/** Runs a plan on a device without a package: for tests of generated kernels, and to look into a plan that goes wrong. */
import { generateKernel, type KernelCode } from '../../src/codegen/generate.ts';
import { printModule } from '../../src/codegen/wgsl-print.ts';
import { sizeOf } from '../../src/graph.ts';
import type { Buffer } from '../../src/kernel.ts';
import type { Tensor } from '../../src/ops/types.ts';
import type { Plan, PlannedBuffer } from '../../src/plan.ts';
import type { ProgramBindings } from '../../src/reference/kernel.ts';
import { decodeF16, encodeF16 } from '../../src/half.ts';
import { decodePairs, encodePairs } from '../../src/pair.ts';

export interface RunOptions {
  /** Count every executed access; slow. */
  readonly instrument?: boolean;
  /** Read every buffer after the step that writes it: `buffers` of the result, by id. */
  readonly trace?: boolean;
  readonly kernels?: readonly KernelCode[];
}

export interface StepBytes {
  readonly id: string;
  readonly loadBytes: number;
  readonly storeBytes: number;
}

export interface RunResult {
  readonly outputs: Record<string, Tensor>;
  /** Counted bytes a step, where instrumented. */
  readonly counted: readonly StepBytes[];
  /** Bytes as the generator says, a step. */
  readonly issued: readonly StepBytes[];
  readonly buffers: Record<string, Tensor>;
  /** Milliseconds from submit to done. */
  readonly elapsed: number;
}

export async function runPlan(device: GPUDevice, plan: Plan, bindings: ProgramBindings, options: RunOptions = {}): Promise<RunResult> {
  const { instrument = false, trace = false } = options;
  const kernels = options.kernels ?? plan.kernels.map((k) => generateKernel(k, plan.target));
  const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const create = (size: number): GPUBuffer => device.createBuffer({ size: Math.max(16, Math.ceil(size / 4) * 4), usage: storage });
  const arena = create(plan.arenaBytes);
  const shards = plan.weightShards.map(create);
  const counters = create(256 * plan.steps.length);
  const slotOf = new Map(plan.buffers.map((b) => [b.buffer.id, b]));
  const gpuOf = (b: PlannedBuffer): GPUBuffer => (b.space === 'arena' ? arena : shards[b.shard]);
  for (const slot of plan.buffers) {
    const { kind, name, shape } = slot.buffer;
    if (kind === 'input') device.queue.writeBuffer(gpuOf(slot), slot.offset, encode(slot, bindings.inputs[name]));
    if (kind === 'weight') device.queue.writeBuffer(gpuOf(slot), slot.offset, encode(slot, bindings.weights(name, shape)));
  }
  const pipelines = await Promise.all(kernels.map((code, i) => compile(device, plan.kernels[i].id, printModule(code.module, { instrument }))));
  const buffers: Record<string, Tensor> = {};
  const started = performance.now();
  let encoder = device.createCommandEncoder();
  const read = (slot: PlannedBuffer): Promise<Tensor> => readBack(device, gpuOf(slot), slot);
  for (const [i, step] of plan.steps.entries()) {
    const entries = step.args.map((id, binding): GPUBindGroupEntry => {
      const slot = slotOf.get(id)!;
      return { binding, resource: { buffer: gpuOf(slot), offset: slot.offset, size: slot.bytes } };
    });
    if (instrument) entries.push({ binding: entries.length, resource: { buffer: counters, offset: 256 * i, size: 16 } });
    const { pipeline, layout } = pipelines[step.kernel];
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    // A kernel may leave a parameter unread; an explicit layout keeps it bound.
    pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
    pass.dispatchWorkgroups(...kernels[step.kernel].workgroups);
    pass.end();
    if (!trace) continue;
    device.queue.submit([encoder.finish()]);
    const { kernel } = plan.kernels[step.kernel];
    for (const [k, p] of kernel.params.entries()) if (p.access === 'write') buffers[step.args[k]] = await read(slotOf.get(step.args[k])!);
    encoder = device.createCommandEncoder();
  }
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  const elapsed = performance.now() - started;
  const outputs: Record<string, Tensor> = {};
  for (const slot of plan.buffers) if (slot.buffer.kind === 'output') outputs[slot.buffer.name] = await read(slot);
  const counted = instrument ? countsOf(new Uint32Array(await readBytes(device, counters, 0, 256 * plan.steps.length)), plan) : [];
  for (const b of [arena, counters, ...shards]) b.destroy();
  const issued = plan.steps.map((s) => ({ id: plan.kernels[s.kernel].id, ...kernels[s.kernel].issued }));
  return { outputs, counted, issued, buffers, elapsed };
}

interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** A software adapter takes long over a pipeline, and tests of one file have many kernels in common. */
const compiled = new WeakMap<GPUDevice, Map<string, Promise<Compiled>>>();

function compile(device: GPUDevice, id: string, code: string): Promise<Compiled> {
  const known = compiled.get(device) ?? new Map<string, Promise<Compiled>>();
  compiled.set(device, known);
  let pipeline = known.get(code);
  if (!pipeline) known.set(code, (pipeline = compileAnew(device, id, code)));
  return pipeline;
}

async function compileAnew(device: GPUDevice, id: string, code: string): Promise<Compiled> {
  const accesses = [...code.matchAll(/@binding\((\d+)\) var<storage, (\w+)>/g)];
  const layout = device.createBindGroupLayout({
    entries: accesses.map(([, binding, access]) => ({ binding: Number(binding), visibility: GPUShaderStage.COMPUTE, buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' } })),
  });
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: id, code });
  const info = await module.getCompilationInfo();
  await device.popErrorScope();
  const errors = info.messages.filter((m) => m.type === 'error');
  if (errors.length > 0) throw new Error(`${id}: ${errors.map((m) => `${m.lineNum}:${m.linePos} ${m.message}`).join('; ')}\n${code}`);
  const pipeline = await device.createComputePipelineAsync({ label: id, layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }), compute: { module, entryPoint: 'main' } });
  return { pipeline, layout };
}

function countsOf(words: Uint32Array, plan: Plan): StepBytes[] {
  return plan.steps.map((step, i) => {
    const [loadLow, loadHigh, storeLow, storeHigh] = words.subarray(64 * i);
    return { id: plan.kernels[step.kernel].id, loadBytes: loadLow + loadHigh * 2 ** 32, storeBytes: storeLow + storeHigh * 2 ** 32 };
  });
}

function encode(slot: PlannedBuffer, tensor: Tensor): Uint8Array<ArrayBuffer> {
  const { buffer, bytes } = slot;
  const out = new Uint8Array(bytes);
  const count = sizeOf(buffer.shape);
  if (!tensor || tensor.data.length !== count) throw new Error(`${buffer.name} is not given ${count} values`);
  if (buffer.layout) throw new Error(`${buffer.name} has a blocked layout`);
  if (buffer.storage === 'i32') new Int32Array(out.buffer, 0, count).set(tensor.data);
  else if (buffer.storage === 'pair') new Uint32Array(out.buffer, 0, count).set(encodePairs(tensor.data));
  else if (buffer.storage === 'f16') new Uint16Array(out.buffer, 0, count).set(encodeF16(Float32Array.from(tensor.data)));
  else new Float32Array(out.buffer, 0, count).set(tensor.data);
  return out;
}

async function readBytes(device: GPUDevice, from: GPUBuffer, offset: number, size: number): Promise<ArrayBuffer> {
  const staging = device.createBuffer({ size: Math.max(4, size), usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(from, offset, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const copy = staging.getMappedRange().slice(0);
  staging.destroy();
  return copy;
}

async function readBack(device: GPUDevice, from: GPUBuffer, { buffer, bytes, offset }: PlannedBuffer): Promise<Tensor> {
  const raw = await readBytes(device, from, offset, bytes);
  const count = sizeOf(buffer.shape);
  const data = buffer.storage === 'i32' ? new Int32Array(raw, 0, count) : buffer.storage === 'f16' ? decodeF16(new Uint16Array(raw, 0, count)) : buffer.storage === 'pair' ? decodePairs(new Uint32Array(raw, 0, count)) : new Float32Array(raw, 0, count);
  return { shape: buffer.shape, dtype: buffer.dtype, data };
}

/** The greatest difference over the greatest finite magnitude of what is wanted; Infinity where one is NaN or infinite and the other is not. */
export function relativeError(got: Tensor, want: Tensor): number {
  let worst = 0;
  let scale = 1e-30;
  want.data.forEach((w, i) => {
    const g = got.data[i];
    if (Number.isFinite(w)) scale = Math.max(scale, Math.abs(w));
    if (Object.is(g, w) || g === w || (Number.isNaN(g) && Number.isNaN(w))) return;
    const difference = Math.abs(g - w);
    worst = Math.max(worst, Number.isFinite(difference) ? difference : Infinity);
  });
  return worst / scale;
}

export function buffersById(plan: Plan): Map<string, Buffer> {
  return new Map(plan.buffers.map((b) => [b.buffer.id, b.buffer]));
}
