/** GPU timestamps around single dispatches. */
import { COPY_DST, COPY_SRC, MAP_MODE_READ, MAP_READ, QUERY_RESOLVE } from './constants.ts';
import type { Dispatch } from './kernels.ts';
import { recordDispatches } from './kernels.ts';

/** WebGPU's largest query set. */
const MAX_QUERIES = 4096;

/** Two timestamps a dispatch. */
export class Timestamps {
  readonly #sets: GPUQuerySet[] = [];
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;

  constructor(
    device: GPUDevice,
    readonly count: number,
  ) {
    for (let left = 2 * count; left > 0; left -= MAX_QUERIES) {
      this.#sets.push(device.createQuerySet({ type: 'timestamp', count: Math.min(left, MAX_QUERIES) }));
    }
    this.#resolved = device.createBuffer({ label: 'timestamps', size: 16 * count, usage: QUERY_RESOLVE | COPY_SRC });
    this.#staging = device.createBuffer({ label: 'timestamps', size: 16 * count, usage: MAP_READ | COPY_DST });
  }

  /** Records each dispatch in a pass of its own. */
  record(encoder: GPUCommandEncoder, dispatches: readonly Dispatch[]): void {
    dispatches.forEach((dispatch, i) => {
      const query = (2 * i) % MAX_QUERIES;
      const querySet = this.#sets[Math.floor((2 * i) / MAX_QUERIES)];
      const pass = encoder.beginComputePass({ timestampWrites: { querySet, beginningOfPassWriteIndex: query, endOfPassWriteIndex: query + 1 } });
      recordDispatches(pass, [dispatch]);
      pass.end();
    });
    this.#sets.forEach((set, i) => encoder.resolveQuerySet(set, 0, set.count, this.#resolved, 8 * MAX_QUERIES * i));
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, 16 * this.count);
  }

  /** Milliseconds of each dispatch. A pair that the GPU's clock gives in wrong order counts as zero. */
  async read(): Promise<number[]> {
    await this.#staging.mapAsync(MAP_MODE_READ);
    const times = new BigUint64Array(this.#staging.getMappedRange());
    return Array.from({ length: this.count }, (_, i) => Math.max(0, Number(times[2 * i + 1] - times[2 * i]) / 1e6));
  }

  destroy(): void {
    for (const set of this.#sets) set.destroy();
    this.#resolved.destroy();
    this.#staging.destroy();
  }
}
