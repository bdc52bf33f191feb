/** Bringing large inputs to the GPU: staging buffers that stay mapped between runs. */
import { COPY_SRC, MAP_MODE_WRITE, MAP_WRITE } from './constants.ts';
import { checked } from './device.ts';
import { unshared } from './inputs.ts';

/** Smaller writes go through `writeBuffer`, which costs less than mapping a buffer again. */
const STAGED_FROM = 128 << 10;
/** Small enough that the GPU copies a chunk while the CPU fills the next one, and large enough that submits cost little. */
const CHUNK = 4 << 20;
/** Runs in flight at once that find mapped buffers; more use `writeBuffer`. */
const RUNS = 2;

/** Of whole 32-bit words. */
type Source = Float32Array | Int32Array | Uint16Array;

/** Bytes of each staging buffer that an input is written through. */
function chunksOf(bytes: number): number[] {
  if (bytes < STAGED_FROM) return [];
  return Array.from({ length: Math.ceil(bytes / CHUNK) }, () => Math.min(bytes, CHUNK));
}

/**
 * `writeBuffer` gets memory from the driver for every large write and gives it back after. Here the memory is kept:
 * a run fills what is mapped, and what is not falls to `writeBuffer`, so that writing never waits. The first large
 * write has the buffers made, for the runs after it.
 */
export class Uploads {
  /** What is mapped, by size. */
  readonly #mapped = new Map<number, GPUBuffer[]>();
  /** What was filled since the last `release`. */
  readonly #filled: GPUBuffer[] = [];
  readonly #all = new Set<GPUBuffer>();
  /** Sizes of what a run needs. */
  readonly #needed: readonly number[];
  #ended = false;
  #growing = false;

  /** `sizes`: bytes of each input. */
  constructor(
    readonly device: GPUDevice,
    sizes: readonly number[],
  ) {
    this.#needed = sizes.flatMap(chunksOf);
    for (const size of this.#needed) this.#mapped.set(size, []);
  }

  /**
   * Writes all of `source`, which may be reused at once, to `target` from byte `offset` on. A copy of one chunk is left
   * to the encoder that `encoderOf` gives, which costs no submit; it must be submitted before anything reads `target`,
   * and `release` be called after.
   */
  write(target: GPUBuffer, offset: number, source: Source, encoderOf: () => GPUCommandEncoder): void {
    const { byteLength } = source;
    if (byteLength < STAGED_FROM) return this.#writeBuffer(target, offset, source);
    const size = Math.min(byteLength, CHUNK);
    const step = size / source.BYTES_PER_ELEMENT;
    for (let from = 0; from < source.length; from += step) {
      const staging = this.#mapped.get(size)?.pop();
      const at = offset + from * source.BYTES_PER_ELEMENT;
      if (!staging) {
        void this.#grow();
        return this.#writeBuffer(target, at, source.subarray(from));
      }
      const bytes = this.#fill(staging, source.subarray(from, from + step));
      if (byteLength <= CHUNK) encoderOf().copyBufferToBuffer(staging, 0, target, at, bytes);
      else this.#submitCopy(staging, target, at, bytes);
    }
  }

  #writeBuffer(target: GPUBuffer, offset: number, source: Source): void {
    this.device.queue.writeBuffer(target, offset, unshared(source) as Float32Array<ArrayBuffer>);
  }

  #fill(staging: GPUBuffer, { buffer, byteOffset, byteLength }: Source): number {
    const mapped = staging.getMappedRange(0, byteLength);
    new Uint8Array(mapped).set(new Uint8Array(buffer, byteOffset, byteLength));
    staging.unmap();
    this.#filled.push(staging);
    return byteLength;
  }

  /** A submit of its own, so that the GPU begins before the next chunk is filled. */
  #submitCopy(staging: GPUBuffer, target: GPUBuffer, offset: number, bytes: number): void {
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(staging, 0, target, offset, bytes);
    this.device.queue.submit([encoder.finish()]);
  }

  /** Maps what was filled again, once the GPU has copied it: after the submit of the copies. */
  release(): void {
    for (const staging of this.#filled) {
      staging.mapAsync(MAP_MODE_WRITE).then(
        // None are kept once this was destroyed.
        () => this.#mapped.get(staging.size)?.push(staging),
        () => this.#drop(staging),
      );
    }
    this.#filled.length = 0;
  }

  /** Makes a run's worth of buffers. Where there is no memory for them, `writeBuffer` goes on serving. */
  async #grow(): Promise<void> {
    if (this.#growing || this.#all.size >= RUNS * this.#needed.length) return;
    this.#growing = true;
    for (const size of this.#needed) {
      const made: GPUBuffer[] = [];
      try {
        await checked(this.device, 'staging buffers', () => {
          made.push(this.device.createBuffer({ label: 'inputs', size, usage: MAP_WRITE | COPY_SRC, mappedAtCreation: true }));
        });
      } catch {
        for (const buffer of made) buffer.destroy();
        return;
      }
      if (this.#ended) return made[0].destroy();
      this.#all.add(made[0]);
      this.#mapped.get(size)!.push(made[0]);
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
    this.#mapped.clear();
    this.#filled.length = 0;
  }
}
