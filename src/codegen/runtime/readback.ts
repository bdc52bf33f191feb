/** Bringing outputs back: a pool of staging buffers, one for each run in flight. */
import { COPY_DST, MAP_MODE_READ, MAP_READ } from './constants.ts';
import type { Port } from './plan.ts';
import { sizeOf } from './plan.ts';

/** An output on the CPU: row-major values that know their shape. i32 and bool come as Int32Array. */
export type Tensor<Values extends Float32Array | Int32Array, Shape extends readonly number[]> = Values & { readonly shape: Shape };

type OutputTensor = Tensor<Float32Array | Int32Array, readonly number[]>;

/** Staging buffers kept for the next run; more runs at once than this make their own. */
const KEPT = 4;

/** A staging buffer, and the commands that copy the outputs into it, for one submit. */
export interface Copy {
  readonly staging: GPUBuffer;
  readonly commands: GPUCommandBuffer;
}

export class Readback {
  readonly #free: Copy[] = [];
  readonly #all = new Set<GPUBuffer>();
  readonly #places: readonly number[];
  readonly #bytes: number;

  constructor(
    readonly device: GPUDevice,
    readonly outputs: readonly Port[],
    readonly arena: GPUBuffer,
  ) {
    let bytes = 0;
    this.#places = outputs.map((port) => (bytes += 4 * sizeOf(port.shape)) - 4 * sizeOf(port.shape));
    this.#bytes = bytes;
  }

  /** Whether `take` must make a buffer. */
  get isEmpty(): boolean {
    return this.#free.length === 0;
  }

  /** A copy of the outputs to submit, which `read` or `drop` must be given back. */
  take(): Copy {
    const kept = this.#free.pop();
    if (kept) return kept;
    const staging = this.device.createBuffer({ label: 'outputs', size: this.#bytes, usage: MAP_READ | COPY_DST });
    this.#all.add(staging);
    return this.#record(staging);
  }

  #record(staging: GPUBuffer): Copy {
    const encoder = this.device.createCommandEncoder({ label: 'outputs' });
    this.outputs.forEach((port, i) => encoder.copyBufferToBuffer(this.arena, port.offset, staging, this.#places[i], 4 * sizeOf(port.shape)));
    return { staging, commands: encoder.finish() };
  }

  /** The outputs, once the GPU has written them. Rejects if the device is lost or the buffer destroyed. */
  async read({ staging }: Copy): Promise<Record<string, OutputTensor>> {
    const mapping = staging.mapAsync(MAP_MODE_READ);
    // For the run that takes this buffer next, while the GPU works.
    const next = this.#record(staging);
    await mapping;
    const mapped = staging.getMappedRange();
    const tensors = this.outputs.map((port, i) => {
      const bytes = mapped.slice(this.#places[i], this.#places[i] + 4 * sizeOf(port.shape));
      const values = port.dtype === 'f32' ? new Float32Array(bytes) : new Int32Array(bytes);
      return [port.name, Object.assign(values, { shape: port.shape })] as const;
    });
    staging.unmap();
    if (this.#free.length < KEPT) this.#free.push(next);
    else this.drop(next);
    return Object.fromEntries(tensors);
  }

  /** Destroys a buffer of `take` that is not to be read. */
  drop({ staging }: Copy): void {
    this.#all.delete(staging);
    staging.destroy();
  }

  destroy(): void {
    for (const staging of this.#all) staging.destroy();
    this.#all.clear();
    this.#free.length = 0;
  }
}
