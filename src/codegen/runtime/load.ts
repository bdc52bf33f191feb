/** Loading a package: device, weights and kernels at once, then bind groups. */
import { COPY_DST, COPY_SRC, STORAGE } from './constants.ts';
import { checked, checkRequirements, requestDevice } from './device.ts';
import { readJson } from './fetch.ts';
import type { PictureReader } from './inputs.ts';
import { bindSteps, Layouts, loadKernels } from './kernels.ts';
import { deviceLost, Model } from './model.ts';
import type { PackagePlan, PackageReport } from './plan.ts';
import type { WeightsSource } from './weights.ts';
import { folderUrl, loadWeights } from './weights.ts';

export interface LoadProgress {
  /** `weights` counts bytes, `kernels` compiled kernels. */
  readonly phase: 'weights' | 'kernels';
  readonly loaded: number;
  readonly total: number;
}

export interface LoadOptions {
  /** Run on this device; it must have what `requirements` says. It stays the caller's. */
  readonly device?: GPUDevice;
  /** Request a device of this adapter. */
  readonly adapter?: GPUAdapter;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly weights?: WeightsSource;
  /** Where the package's files are, if not beside index.js (which bundlers move). */
  readonly baseUrl?: string | URL;
  /** Compare the weights' SHA-256 with weights.json; true by default. */
  readonly verify?: boolean;
  /** Stops the loading; `load` then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What `index.js` of a package passes on: its plan, its own URL, and the reader of pictures if it takes any. */
export async function loadModel<Inputs, Outputs>(plan: PackagePlan, ownUrl: string, options: LoadOptions = {}, readPictures?: PictureReader): Promise<Model<Inputs, Outputs>> {
  const base = options.baseUrl === undefined ? new URL('./', ownUrl) : folderUrl(options.baseUrl);
  const ownsDevice = !options.device;
  const device = options.device ?? (await requestDevice(plan, options.adapter));
  if (options.device) checkRequirements(plan, device, device.adapterInfo, 'device');
  const buffers: GPUBuffer[] = [];
  // The first failure stops what else is under way.
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([stop.signal, options.signal]) : stop.signal;
  try {
    const arena = await checked(device, `the arena (${plan.arenaBytes} bytes)`, () =>
      device.createBuffer({ label: `${plan.name} arena`, size: Math.max(plan.arenaBytes, 4), usage: STORAGE | COPY_SRC | COPY_DST }),
    );
    buffers.push(arena);
    const layouts = new Layouts(device);
    const count = (phase: LoadProgress['phase'], total: number) => {
      let loaded = 0;
      return (more = 1) => options.onProgress?.({ phase, loaded: (loaded += more), total });
    };
    const weightBytes = plan.shards.reduce((sum, bytes) => sum + bytes, 0);
    const shards: GPUBuffer[] = [];
    const keep = (shard: GPUBuffer) => {
      shards.push(shard);
      buffers.push(shard);
    };
    const [pipelines] = await Promise.all([
      loadKernels(layouts, plan.kernels, base, signal, count('kernels', plan.kernels.length)),
      loadWeights(device, plan, { base, source: options.weights, verify: options.verify ?? true, signal, onBytes: count('weights', weightBytes), keep }),
    ]);
    const dispatches = await checked(device, 'binding the kernels', () => bindSteps(layouts, plan, pipelines, [arena, ...shards]));
    const readReport = () => readJson<PackageReport>(new URL('report.json', base));
    return new Model<Inputs, Outputs>(plan, { device, ownsDevice, arena, shards, dispatches, readPictures, readReport });
  } catch (failure) {
    stop.abort(failure);
    for (const buffer of buffers) buffer.destroy();
    // On a lost device anything may fail; that it is lost is what helps.
    const lost = await Promise.race([device.lost, undefined]);
    if (ownsDevice) device.destroy();
    throw lost ? deviceLost(plan.name, lost) : failure;
  }
}
