/** One kernel under many schedules on a device: its time by GPU timestamps, and its outputs, to tell whether all compute the same. */
import { generateKernel, type KernelCode } from '../codegen/generate.ts';
import { printModule } from '../codegen/wgsl-print.ts';
import { decodeF16, encodeF16 } from '../half.ts';
import { decodePairs, encodePairs } from '../pair.ts';
import { BYTES_OF, type KernelParam } from '../kernel.ts';
import { storedElements } from '../kernel-layout.ts';
import type { PlannedKernel } from '../plan.ts';
import type { Schedule } from '../schedule.ts';
import type { Target } from '../targets.ts';
import { unitValues } from '../weights/seeded.ts';

/** A schedule's dispatch, ready to be recorded. */
export interface ReadyKernel {
  readonly schedule: Schedule;
  readonly pipeline: GPUComputePipeline;
  readonly bindings: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** Passes of one measurement: the first warms up, the rest are taken the median of. */
const PASSES = 5;
const MOST_DISPATCHES = 2000;

export class KernelTiming {
  readonly #buffers: readonly GPUBuffer[];
  readonly #queries?: GPUQuerySet;
  readonly #resolved?: GPUBuffer;
  readonly #readable?: GPUBuffer;

  constructor(private readonly device: GPUDevice, private readonly target: Target, private readonly planned: PlannedKernel) {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    this.#buffers = planned.kernel.params.map((param) => {
      const buffer = device.createBuffer({ size: bytesOf(param), usage });
      if (param.access === 'read') device.queue.writeBuffer(buffer, 0, valuesOf(param));
      return buffer;
    });
    if (!device.features.has('timestamp-query')) return;
    this.#queries = device.createQuerySet({ type: 'timestamp', count: 2 * PASSES });
    this.#resolved = device.createBuffer({ size: 16 * PASSES, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    this.#readable = device.createBuffer({ size: 16 * PASSES, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  /** Compiles for the device; undefined where the schedule cannot be generated or the device refuses it. */
  async ready(schedule: Schedule): Promise<ReadyKernel | undefined> {
    const { device, planned, target } = this;
    let code: KernelCode;
    try {
      code = generateKernel({ ...planned, schedule }, target);
    } catch {
      return undefined;
    }
    const { module, workgroups } = code;
    device.pushErrorScope('validation');
    const layout = device.createBindGroupLayout({
      entries: module.bindings.map(({ index, access }) => ({ binding: index, visibility: GPUShaderStage.COMPUTE, buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' } })),
    });
    const pipeline = device.createComputePipelineAsync({
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: device.createShaderModule({ code: printModule(module) }), entryPoint: 'main' },
    });
    const bindings = device.createBindGroup({ layout, entries: module.bindings.map(({ index }) => ({ binding: index, resource: { buffer: this.#buffers[index] } })) });
    const [problem, compiled] = await Promise.all([device.popErrorScope(), pipeline.catch(() => undefined)]);
    return problem || !compiled ? undefined : { schedule, pipeline: compiled, bindings, workgroups };
  }

  /** Keeps the device busy: an idle GPU's clock is a fraction of its busy one. */
  async warm(ready: ReadyKernel, seconds: number): Promise<void> {
    for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) await this.#passes(ready, 1, 20);
  }

  /** Microseconds of a dispatch: the median of passes that last `seconds` together. Infinity where one alone takes longer than `most`. */
  async time(ready: ReadyKernel, seconds: number, most = Infinity): Promise<number> {
    const [guess] = await this.#passes(ready, 1, 1);
    if (guess > most) return Infinity;
    const count = Math.max(1, Math.min(MOST_DISPATCHES, Math.floor((1e6 * seconds) / PASSES / Math.max(guess, 1))));
    const [, ...times] = await this.#passes(ready, PASSES, count);
    return times.sort((a, b) => a - b)[times.length >> 1];
  }

  /** Microseconds of a dispatch in each of several passes of `count` dispatches, in one submit. */
  async #passes({ pipeline, bindings, workgroups }: ReadyKernel, passes: number, count: number): Promise<number[]> {
    const { device } = this;
    const encoder = device.createCommandEncoder();
    for (let p = 0; p < passes; p++) {
      const timestampWrites = this.#queries && { querySet: this.#queries, beginningOfPassWriteIndex: 2 * p, endOfPassWriteIndex: 2 * p + 1 };
      const pass = encoder.beginComputePass(timestampWrites ? { timestampWrites } : {});
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindings);
      for (let i = 0; i < count; i++) pass.dispatchWorkgroups(...workgroups);
      pass.end();
    }
    if (this.#queries && this.#resolved && this.#readable) {
      encoder.resolveQuerySet(this.#queries, 0, 2 * passes, this.#resolved, 0);
      encoder.copyBufferToBuffer(this.#resolved, 0, this.#readable, 0, 16 * passes);
    }
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    if (!this.#readable) {
      await device.queue.onSubmittedWorkDone();
      return Array.from({ length: passes }, () => (1e3 * (performance.now() - start)) / passes / count);
    }
    await this.#readable.mapAsync(GPUMapMode.READ, 0, 16 * passes);
    const stamps = new BigUint64Array(this.#readable.getMappedRange(0, 16 * passes).slice(0));
    this.#readable.unmap();
    return Array.from({ length: passes }, (_, p) => Math.max(0, Number(stamps[2 * p + 1] - stamps[2 * p])) / 1e3 / count);
  }

  /** What a dispatch writes: every output starts as NaN, so that what is left out shows. */
  async outputs({ pipeline, bindings, workgroups }: ReadyKernel): Promise<Float32Array[]> {
    const { device, planned } = this;
    const written = planned.kernel.params.flatMap((param, i) => (param.access === 'write' ? [{ param, buffer: this.#buffers[i] }] : []));
    for (const { buffer } of written) device.queue.writeBuffer(buffer, 0, new Uint8Array(buffer.size).fill(0xff));
    const staging = written.map(({ buffer }) => device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindings);
    pass.dispatchWorkgroups(...workgroups);
    pass.end();
    written.forEach(({ buffer }, i) => encoder.copyBufferToBuffer(buffer, 0, staging[i], 0, buffer.size));
    device.queue.submit([encoder.finish()]);
    const values: Float32Array[] = [];
    for (const [i, { param }] of written.entries()) {
      await staging[i].mapAsync(GPUMapMode.READ);
      const bytes = staging[i].getMappedRange().slice(0);
      staging[i].destroy();
      values.push(param.storage === 'pair' ? decodePairs(new Uint32Array(bytes)) : param.storage === 'f16' ? decodeF16(new Uint16Array(bytes)) : param.storage === 'i32' ? Float32Array.from(new Int32Array(bytes)) : new Float32Array(bytes));
    }
    return values;
  }

  destroy(): void {
    for (const buffer of [...this.#buffers, this.#resolved, this.#readable]) buffer?.destroy();
    this.#queries?.destroy();
  }
}

function bytesOf(param: KernelParam): number {
  return Math.max(16, Math.ceil((storedElements(param) * BYTES_OF[param.storage]) / 4) * 4);
}

/** Values in [-1, 1) as stored, whatever the layout; of integers zeros, which index anything. */
function valuesOf(param: KernelParam): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(bytesOf(param));
  if (param.storage === 'i32') return bytes;
  const values = unitValues(`tune:${param.name}`, storedElements(param), 1);
  const stored = param.storage === 'f16' ? encodeF16(values) : param.storage === 'pair' ? encodePairs(values) : values;
  bytes.set(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
  return bytes;
}

/**
 * The greatest difference over the greatest magnitude of what is wanted; 0 for values that are NaN or infinite in both, Infinity
 * where they are in one only. Padding that neither writes is NaN in both.
 */
export function differenceOf(got: readonly Float32Array[], want: readonly Float32Array[]): number {
  let worst = 0;
  want.forEach((wanted, output) => {
    let scale = 1e-30;
    let most = 0;
    wanted.forEach((w, i) => {
      const g = got[output][i];
      if (Number.isFinite(w)) scale = Math.max(scale, Math.abs(w));
      if (Object.is(g, w) || g === w) return;
      const difference = Math.abs(g - w);
      most = Math.max(most, Number.isNaN(difference) ? Infinity : difference);
    });
    worst = Math.max(worst, most / scale);
  });
  return worst;
}
