/** A loaded model: buffers, dispatches, and the runs over them. */
import { COPY_DST, COPY_SRC, STORAGE } from './constants.ts';
import { checked, firstLine, onLost } from './device.ts';
import { VitcError } from './errors.ts';
import type { Readers, Upload } from './inputs.ts';
import { isGpuBuffer, readInputs } from './inputs.ts';
import type { Dispatch } from './kernels.ts';
import { recordDispatches } from './kernels.ts';
import type { PackagePlan, PackageReport, StepReport } from './plan.ts';
import { bytesOf } from './plan.ts';
import { Readback } from './readback.ts';
import { Timestamps } from './timing.ts';
import { Uploads } from './uploads.ts';

/** A step's measured time beside what the compiler knows of it. */
export interface KernelTime extends StepReport {
  readonly milliseconds: number;
}

export interface Profile<Outputs> {
  readonly outputs: Outputs;
  readonly kernels: readonly KernelTime[];
  /** The sum over the kernels: GPU time without gaps. */
  readonly milliseconds: number;
}

/** Outputs as GPUBuffers (usage STORAGE, COPY_SRC and COPY_DST), which belong to the caller. */
export type GpuOutputs<Outputs> = { [K in keyof Outputs]: GPUBuffer };

export interface Resources {
  readonly device: GPUDevice;
  /** Whether `load` created the device, so that `destroy` ends it. */
  readonly ownsDevice: boolean;
  readonly arena: GPUBuffer;
  readonly shards: readonly GPUBuffer[];
  readonly dispatches: readonly Dispatch[];
  readonly readers: Readers;
  readonly readReport: () => Promise<PackageReport>;
}

export function deviceLost(name: string, info: GPUDeviceLostInfo): VitcError {
  return new VitcError('device-lost', `the GPU device was lost (${info.reason}${info.message ? `: ${info.message}` : ''}); load ${name} again`);
}

export class Model<Inputs, Outputs> {
  readonly #plan: PackagePlan;
  readonly #resources: Resources;
  readonly #uploads: Uploads;
  readonly #readback: Readback;
  /** The dispatches of the next run, recorded while the GPU works on the run before. */
  #recorded?: GPUCommandBuffer;
  /** How to reject each run in flight. */
  readonly #waiting = new Set<(why: VitcError) => void>();
  #ended?: VitcError;
  readonly #forget: () => void;

  constructor(plan: PackagePlan, resources: Resources) {
    this.#plan = plan;
    this.#resources = resources;
    this.#uploads = new Uploads(resources.device, plan.inputs.map(bytesOf));
    this.#readback = new Readback(resources.device, plan.outputs);
    this.#recorded = this.#recordDispatches();
    this.#forget = onLost(resources.device, (info) => this.#end(deviceLost(plan.name, info)));
  }

  get device(): GPUDevice {
    return this.#resources.device;
  }

  get inputs(): PackagePlan['inputs'] {
    return this.#plan.inputs;
  }

  get outputs(): PackagePlan['outputs'] {
    return this.#plan.outputs;
  }

  /**
   * One prediction, in one submit; large inputs are copied by submits of their own before it. Inputs are read before this
   * returns, so their arrays may be reused at once; runs may overlap, and each gets its own outputs. With
   * `outputs: 'gpu'` the outputs stay on the GPU, in buffers of the caller's.
   * Rejects with VitcError: 'bad-input', 'device-lost', 'destroyed', 'out-of-memory', 'gpu-error'.
   */
  async run(inputs: Inputs, options?: { readonly outputs?: 'cpu' }): Promise<Outputs>;
  async run(inputs: Inputs, options: { readonly outputs: 'gpu' }): Promise<GpuOutputs<Outputs>>;
  async run(inputs: Inputs, options: { readonly outputs?: 'cpu' | 'gpu' } = {}): Promise<Outputs | GpuOutputs<Outputs>> {
    const uploads = this.#read(inputs);
    const dispatches = this.#recorded ?? this.#recordDispatches();
    this.#recorded = undefined;
    if (options.outputs === 'gpu') {
      const made: GPUBuffer[] = [];
      try {
        return await this.#whileAlive(Promise.resolve(this.#submit(uploads, dispatches, true, (encoder) => this.#copyOutputs(encoder, made))));
      } catch (failure) {
        for (const buffer of made) buffer.destroy();
        throw failure;
      }
    }
    return this.#whileAlive(this.#runAndRead(uploads, dispatches));
  }

  /**
   * Records the model's dispatches into the caller's encoder, without reading anything back: for pipelines that stay on
   * the GPU, and for timing. Inputs not given keep the values of the run before; outputs go to the buffers given.
   */
  record(encoder: GPUCommandEncoder, buffers: { readonly inputs?: Partial<GpuOutputs<Inputs>>; readonly outputs?: Partial<GpuOutputs<Outputs>> } = {}): void {
    if (this.#ended) throw this.#ended;
    const { arena } = this.#resources;
    const given = (buffers.inputs ?? {}) as Record<string, GPUBuffer>;
    const ports = this.inputs.filter((port) => given[port.name] !== undefined);
    for (const { port, source } of readInputs(ports, given, this.#resources.readers)) {
      if (!isGpuBuffer(source)) throw new VitcError('bad-input', `input "${port.name}": only a GPUBuffer can be recorded; write arrays to one, or use run`);
      encoder.copyBufferToBuffer(source, 0, arena, port.offset, bytesOf(port));
    }
    this.#dispatch(encoder);
    const wanted = (buffers.outputs ?? {}) as Record<string, GPUBuffer>;
    for (const port of this.outputs) {
      const buffer = wanted[port.name];
      if (buffer) encoder.copyBufferToBuffer(arena, port.offset, buffer, 0, bytesOf(port));
    }
  }

  /** A run with each kernel timed by itself; needs the device feature timestamp-query. Rejects as `run` does, and with 'missing-feature'. */
  async profile(inputs: Inputs): Promise<Profile<Outputs>> {
    if (!this.device.features.has('timestamp-query')) {
      throw new VitcError('missing-feature', 'profile needs a device with the feature timestamp-query, and this one was created without it');
    }
    const { dispatches } = this.#resources;
    const uploads = this.#read(inputs);
    const timestamps = new Timestamps(this.device, dispatches.length);
    try {
      const encoder = this.device.createCommandEncoder({ label: `${this.#plan.name} profile` });
      timestamps.record(encoder, dispatches);
      const work = Promise.all([this.#runAndRead(uploads, encoder.finish()), timestamps.read(), this.#resources.readReport()]);
      const [outputs, times, report] = await this.#whileAlive(work);
      const kernels = report.steps.map((step, i) => ({ ...step, milliseconds: times[i] }));
      return { outputs, kernels, milliseconds: times.reduce((sum, time) => sum + time, 0) };
    } finally {
      timestamps.destroy();
    }
  }

  /** Frees the GPU's memory, and the device if `load` made it. Runs in flight reject with 'destroyed'. */
  destroy(): void {
    if (this.#ended?.code === 'destroyed') return;
    this.#end(new VitcError('destroyed', `${this.#plan.name} was destroyed`));
    const { arena, shards, device, ownsDevice } = this.#resources;
    this.#forget();
    this.#uploads.destroy();
    this.#readback.destroy();
    this.#recorded = undefined;
    for (const buffer of [arena, ...shards]) buffer.destroy();
    if (ownsDevice) device.destroy();
  }

  #end(why: VitcError): void {
    this.#ended ??= why;
    for (const reject of this.#waiting) reject(this.#ended);
    this.#waiting.clear();
  }

  #read(inputs: Inputs): Upload[] {
    if (this.#ended) throw this.#ended;
    return readInputs(this.inputs, inputs as Record<string, unknown>, this.#resources.readers);
  }

  /** Starts the writes; copies from the caller's buffers come back as commands to submit before the dispatches. */
  #upload(uploads: readonly Upload[]): GPUCommandBuffer[] {
    const { arena, device } = this.#resources;
    let encoder: GPUCommandEncoder | undefined;
    for (const { port, source } of uploads) {
      if (isGpuBuffer(source)) {
        encoder ??= device.createCommandEncoder({ label: `${this.#plan.name} inputs` });
        encoder.copyBufferToBuffer(source, 0, arena, port.offset, bytesOf(port));
      } else this.#uploads.write(arena, port.offset, source);
    }
    return encoder ? [encoder.finish()] : [];
  }

  #recordDispatches(): GPUCommandBuffer {
    const encoder = this.device.createCommandEncoder({ label: this.#plan.name });
    this.#dispatch(encoder);
    return encoder.finish();
  }

  #dispatch(encoder: GPUCommandEncoder): void {
    const pass = encoder.beginComputePass({ label: this.#plan.name });
    recordDispatches(pass, this.#resources.dispatches);
    pass.end();
  }

  /** The buffers are also put into `made`, whatever happens later. */
  #copyOutputs(encoder: GPUCommandEncoder, made: GPUBuffer[]): GpuOutputs<Outputs> {
    const buffers = this.outputs.map((port) => {
      const size = bytesOf(port);
      const buffer = this.device.createBuffer({ label: port.name, size, usage: STORAGE | COPY_SRC | COPY_DST });
      made.push(buffer);
      encoder.copyBufferToBuffer(this.#resources.arena, port.offset, buffer, 0, size);
      return [port.name, buffer] as const;
    });
    return Object.fromEntries(buffers) as GpuOutputs<Outputs>;
  }

  /**
   * Writes the inputs and submits, all before it returns, so that no other run can write the arena in between; then
   * records the dispatches of the next run while the GPU works on these. Buffers of the caller's can make this invalid
   * and new ones can fail for want of memory (`isChecked`): then the answer waits for what WebGPU says, else it is at hand.
   */
  #submit<T>(uploads: readonly Upload[], dispatches: GPUCommandBuffer, isChecked: boolean, encodeOutputs: (encoder: GPUCommandEncoder) => T): T | Promise<T> {
    const { device } = this.#resources;
    const work = (): T => {
      const inputs = this.#upload(uploads);
      const encoder = device.createCommandEncoder({ label: `${this.#plan.name} outputs` });
      const outputs = encodeOutputs(encoder);
      device.queue.submit([...inputs, dispatches, encoder.finish()]);
      this.#recorded ??= this.#recordDispatches();
      return outputs;
    };
    const isForeign = uploads.some(({ source }) => isGpuBuffer(source));
    if (!isForeign && !isChecked) return work();
    return checked(device, `a run of ${this.#plan.name}`, work).catch((cause: VitcError) => {
      if (!isForeign || cause.code !== 'gpu-error') throw cause;
      throw new VitcError('bad-input', `an input's GPUBuffer cannot be read: ${cause.message}`, { cause });
    });
  }

  /** A run whose outputs come back. */
  async #runAndRead(uploads: readonly Upload[], dispatches: GPUCommandBuffer): Promise<Outputs> {
    let staging: GPUBuffer | undefined;
    const encodeOutputs = (encoder: GPUCommandEncoder) => (staging = this.#readback.record(encoder, this.#resources.arena));
    // Memory is taken only where no staging buffer is left.
    const submitted = this.#submit(uploads, dispatches, this.#readback.isEmpty, encodeOutputs);
    try {
      if (submitted instanceof Promise) await submitted;
      if (this.#ended) throw this.#ended;
      return (await this.#readback.read(staging!)) as Outputs;
    } catch (failure) {
      if (staging) this.#readback.drop(staging);
      throw failure;
    }
  }

  /** Rejects as soon as the device is lost or the model destroyed, whatever the work itself does then. */
  async #whileAlive<T>(work: Promise<T>): Promise<T> {
    let stop!: (why: VitcError) => void;
    const stopped = new Promise<never>((_, reject) => this.#waiting.add((stop = reject)));
    try {
      return await Promise.race([work, stopped]);
    } catch (cause) {
      if (this.#ended) throw this.#ended;
      throw cause instanceof VitcError ? cause : new VitcError('gpu-error', `${this.#plan.name} did not run: ${firstLine(cause as Error)}`, { cause });
    } finally {
      this.#waiting.delete(stop);
    }
  }
}
