/** Bringing large inputs to the GPU: staging buffers that stay mapped between runs, a chunk each. */
import { COPY_SRC, MAP_MODE_WRITE, MAP_WRITE } from './constants.ts';
import { checked } from './device.ts';
import { unshared } from './inputs.ts';

/** Smaller writes go through `writeBuffer`, whose own staging memory is as fast for them. */
const STAGED_FROM = 2 << 20;
/** Small enough that the GPU copies a chunk while the CPU fills the next one, and large enough that submits cost little. */
const CHUNK = 4 << 20;
/** Runs in flight at once that find mapped buffers; more use `writeBuffer`. */
const RUNS = 2;

/** Of whole 32-bit words. */
type Source = Float32Array | Int32Array | Uint16Array;

/**
 * `writeBuffer` gets memory from the driver for every large write and gives it back after. Here the memory is kept:
 * a run fills what is mapped, and what is not falls to `writeBuffer`, so that writing never waits. The first large
 * write has the buffers made, for the runs after it.
 */
export class Uploads {
  readonly #mapped: GPUBuffer[] = [];
  readonly #all = new Set<GPUBuffer>();
  readonly #most: number;
  #ended = false;
  #growing = false;

  /** `sizes`: bytes of each input. */
  constructor(
    readonly device: GPUDevice,
    sizes: readonly number[],
  ) {
    this.#most = sizes.filter((bytes) => bytes >= STAGED_FROM).reduce((sum, bytes) => sum + RUNS * Math.ceil(bytes / CHUNK), 0);
  }

  /** Writes all of `source`, which may be reused at once, to `target` from byte `offset` on: ordered as `writeBuffer` is. */
  write(target: GPUBuffer, offset: number, source: Source): void {
    if (source.byteLength < STAGED_FROM) return this.#writeBuffer(target, offset, source);
    const step = CHUNK / source.BYTES_PER_ELEMENT;
    for (let from = 0; from < source.length; from += step) {
      const staging = this.#mapped.pop();
      if (!staging) {
        void this.#grow();
        return this.#writeBuffer(target, offset + from * source.BYTES_PER_ELEMENT, source.subarray(from));
      }
      this.#stage(staging, target, offset + from * source.BYTES_PER_ELEMENT, source.subarray(from, from + step));
    }
  }

  #writeBuffer(target: GPUBuffer, offset: number, source: Source): void {
    this.device.queue.writeBuffer(target, offset, unshared(source) as Float32Array<ArrayBuffer>);
  }

  #stage(staging: GPUBuffer, target: GPUBuffer, offset: number, chunk: Source): void {
    const mapped = staging.getMappedRange(0, chunk.byteLength);
    new Uint8Array(mapped).set(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    staging.unmap();
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(staging, 0, target, offset, chunk.byteLength);
    // A submit of its own, so that the GPU begins before the next chunk is filled.
    this.device.queue.submit([encoder.finish()]);
    staging.mapAsync(MAP_MODE_WRITE).then(
      () => this.#mapped.push(staging),
      () => this.#drop(staging),
    );
  }

  /** Makes a run's worth of buffers. Where there is no memory for them, `writeBuffer` goes on serving. */
  async #grow(): Promise<void> {
    if (this.#growing) return;
    this.#growing = true;
    for (let count = this.#most / RUNS; count > 0 && this.#all.size < this.#most; count--) {
      const made: GPUBuffer[] = [];
      try {
        await checked(this.device, 'staging buffers', () => {
          made.push(this.device.createBuffer({ label: 'inputs', size: CHUNK, usage: MAP_WRITE | COPY_SRC, mappedAtCreation: true }));
        });
      } catch {
        for (const buffer of made) buffer.destroy();
        return;
      }
      if (this.#ended) return made[0].destroy();
      this.#all.add(made[0]);
      this.#mapped.push(made[0]);
    }
    this.#growing = false;
  }

  #drop(staging: GPUBuffer): void {
    this.#all.delete(staging);
    staging.destroy();
  }

  destroy(): void {
    this.#ended = true;
    for (const staging of [...this.#all]) this.#drop(staging);
    this.#mapped.length = 0;
  }
}
