/** Bringing outputs back: a pool of staging buffers, one for each run in flight. */
import { COPY_DST, MAP_MODE_READ, MAP_READ } from './constants.ts';
import type { Port } from './plan.ts';
import { sizeOf } from './plan.ts';

/** An output on the CPU: row-major values that know their shape. i32 and bool come as Int32Array. */
export type Tensor<Values extends Float32Array | Int32Array, Shape extends readonly number[]> = Values & { readonly shape: Shape };

type OutputTensor = Tensor<Float32Array | Int32Array, readonly number[]>;

/** Staging buffers kept for the next run; more runs at once than this make their own. */
const KEPT = 4;

export class Readback {
  readonly #free: GPUBuffer[] = [];
  readonly #all = new Set<GPUBuffer>();
  readonly #places: readonly number[];
  readonly #bytes: number;

  constructor(
    readonly device: GPUDevice,
    readonly outputs: readonly Port[],
  ) {
    let bytes = 0;
    this.#places = outputs.map((port) => (bytes += 4 * sizeOf(port.shape)) - 4 * sizeOf(port.shape));
    this.#bytes = bytes;
  }

  /** Whether `record` must make a buffer. */
  get isEmpty(): boolean {
    return this.#free.length === 0;
  }

  /** Records copies of the outputs into a staging buffer, which `read` must be given back. */
  record(encoder: GPUCommandEncoder, arena: GPUBuffer): GPUBuffer {
    let staging = this.#free.pop();
    if (!staging) {
      staging = this.device.createBuffer({ label: 'outputs', size: this.#bytes, usage: MAP_READ | COPY_DST });
      this.#all.add(staging);
    }
    for (const [i, port] of this.outputs.entries()) {
      encoder.copyBufferToBuffer(arena, port.offset, staging, this.#places[i], 4 * sizeOf(port.shape));
    }
    return staging;
  }

  /** The outputs, once the GPU has written them. Rejects if the device is lost or the buffer destroyed. */
  async read(staging: GPUBuffer): Promise<Record<string, OutputTensor>> {
    await staging.mapAsync(MAP_MODE_READ);
    const mapped = staging.getMappedRange();
    const tensors = this.outputs.map((port, i) => {
      const bytes = mapped.slice(this.#places[i], this.#places[i] + 4 * sizeOf(port.shape));
      const values = port.dtype === 'f32' ? new Float32Array(bytes) : new Int32Array(bytes);
      return [port.name, Object.assign(values, { shape: port.shape })] as const;
    });
    staging.unmap();
    if (this.#free.length < KEPT) this.#free.push(staging);
    else this.drop(staging);
    return Object.fromEntries(tensors);
  }

  /** Destroys a buffer of `record` that is not to be read. */
  drop(staging: GPUBuffer): void {
    this.#all.delete(staging);
    staging.destroy();
  }

  destroy(): void {
    for (const staging of [...this.#all]) this.drop(staging);
    this.#free.length = 0;
  }
}
