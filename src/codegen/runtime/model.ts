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
import type { Copy } from './readback.ts';
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
  /** The dispatches by parts that are submitted one after another. */
  readonly #parts: readonly (readonly Dispatch[])[];
  /** The parts of the next run, recorded while the GPU works on the run before. */
  #recorded?: readonly GPUCommandBuffer[];
  /** How to reject each run in flight. */
  readonly #waiting = new Set<(why: VitcError) => void>();
  #ended?: VitcError;
  readonly #forget: () => void;

  constructor(plan: PackagePlan, resources: Resources) {
    this.#plan = plan;
    this.#resources = resources;
    this.#uploads = new Uploads(resources.device, plan.inputs.map(bytesOf));
    this.#readback = new Readback(resources.device, plan.outputs, resources.arena);
    let end = 0;
    this.#parts = plan.parts.map((size) => resources.dispatches.slice(end, (end += size)));
    this.#recordNext();
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
   * One prediction, all of it submitted before this returns: in one submit, or in a few of growing size where there are
   * many dispatches; inputs above 4 MiB are copied by submits of their own before. Inputs are read before this returns too,
   * so their arrays may be reused at once; runs may overlap, and each gets its own outputs. With `outputs: 'gpu'` the
   * outputs stay on the GPU, in buffers of the caller's.
   * Rejects with VitcError: 'bad-input', 'device-lost', 'destroyed', 'out-of-memory', 'gpu-error'.
   */
  async run(inputs: Inputs, options?: { readonly outputs?: 'cpu' }): Promise<Outputs>;
  async run(inputs: Inputs, options: { readonly outputs: 'gpu' }): Promise<GpuOutputs<Outputs>>;
  async run(inputs: Inputs, options: { readonly outputs?: 'cpu' | 'gpu' } = {}): Promise<Outputs | GpuOutputs<Outputs>> {
    const uploads = this.#read(inputs);
    const parts = this.#recorded ?? this.#recordParts();
    this.#recorded = undefined;
    if (options.outputs !== 'gpu') return this.#whileAlive(this.#runAndRead(uploads, parts));
    const made: (readonly [string, GPUBuffer])[] = [];
    try {
      const checking = this.#submit(uploads, parts, true, () => this.#copyOutputs(made));
      this.#recordNext();
      await this.#whileAlive(Promise.resolve(checking));
      return Object.fromEntries(made) as GpuOutputs<Outputs>;
    } catch (failure) {
      for (const [, buffer] of made) buffer.destroy();
      throw failure;
    }
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
    this.#dispatch(encoder, this.#resources.dispatches);
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
      const work = Promise.all([this.#runAndRead(uploads, [encoder.finish()]), timestamps.read(), this.#resources.readReport()]);
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

  /** Starts the writes; what is left to be copied comes back as commands to submit before the dispatches. */
  #upload(uploads: readonly Upload[]): GPUCommandBuffer[] {
    const { arena, device } = this.#resources;
    let encoder: GPUCommandEncoder | undefined;
    const encoderOf = (): GPUCommandEncoder => (encoder ??= device.createCommandEncoder({ label: `${this.#plan.name} inputs` }));
    for (const { port, source } of uploads) {
      if (isGpuBuffer(source)) encoderOf().copyBufferToBuffer(source, 0, arena, port.offset, bytesOf(port));
      else this.#uploads.write(arena, port.offset, source, encoderOf);
    }
    return encoder ? [encoder.finish()] : [];
  }

  #recordParts(): GPUCommandBuffer[] {
    return this.#parts.map((dispatches) => {
      const encoder = this.device.createCommandEncoder({ label: this.#plan.name });
      this.#dispatch(encoder, dispatches);
      return encoder.finish();
    });
  }

  /** Called when all of a run is submitted, so that the GPU works meanwhile. */
  #recordNext(): void {
    this.#recorded ??= this.#recordParts();
  }

  #dispatch(encoder: GPUCommandEncoder, dispatches: readonly Dispatch[]): void {
    const pass = encoder.beginComputePass({ label: this.#plan.name });
    recordDispatches(pass, dispatches);
    pass.end();
  }

  /** Copies into new buffers, which are put into `made` whatever happens later. */
  #copyOutputs(made: (readonly [string, GPUBuffer])[]): GPUCommandBuffer {
    const encoder = this.device.createCommandEncoder({ label: `${this.#plan.name} outputs` });
    for (const port of this.outputs) {
      const size = bytesOf(port);
      const buffer = this.device.createBuffer({ label: port.name, size, usage: STORAGE | COPY_SRC | COPY_DST });
      made.push([port.name, buffer]);
      encoder.copyBufferToBuffer(this.#resources.arena, port.offset, buffer, 0, size);
    }
    return encoder.finish();
  }

  /**
   * Writes the inputs and submits part by part, all before it returns, so that no other run can write the arena in
   * between. Buffers of the caller's can make this invalid and new ones can fail for want of memory (`isChecked`): then
   * there is a promise that waits for what WebGPU says.
   */
  #submit(uploads: readonly Upload[], parts: readonly GPUCommandBuffer[], isChecked: boolean, copyOutputs: () => GPUCommandBuffer): Promise<void> | undefined {
    const { queue } = this.device;
    const work = (): void => {
      const commands = this.#upload(uploads);
      parts.forEach((part, i) => {
        commands.push(part);
        if (i === parts.length - 1) commands.push(copyOutputs());
        queue.submit(commands);
        commands.length = 0;
      });
      this.#uploads.release();
    };
    const isForeign = uploads.some(({ source }) => isGpuBuffer(source));
    if (!isForeign && !isChecked) {
      work();
      return undefined;
    }
    return checked(this.device, `a run of ${this.#plan.name}`, work).catch((cause: VitcError) => {
      if (!isForeign || cause.code !== 'gpu-error') throw cause;
      throw new VitcError('bad-input', `an input's GPUBuffer cannot be read: ${cause.message}`, { cause });
    });
  }

  /** A run whose outputs come back. */
  async #runAndRead(uploads: readonly Upload[], parts: readonly GPUCommandBuffer[]): Promise<Outputs> {
    let copy: Copy | undefined;
    try {
      // Memory is taken only where no staging buffer is left.
      const checking = this.#submit(uploads, parts, this.#readback.isEmpty, () => (copy = this.#readback.take()).commands);
      if (checking) {
        this.#recordNext();
        await checking;
      }
      if (this.#ended) throw this.#ended;
      const reading = this.#readback.read(copy!);
      this.#recordNext();
      return (await reading) as Outputs;
    } catch (failure) {
      if (copy) this.#readback.drop(copy);
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
