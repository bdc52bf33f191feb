/** Loading a package: device, weights and kernels at once, then bind groups. */
import { checkPlan, checkReport } from './check.ts';
import { COPY_DST, COPY_SRC, STORAGE } from './constants.ts';
import { checked, checkRequirements, onLost, requestDevice } from './device.ts';
import type { VitcError } from './errors.ts';
import { readJson } from './fetch.ts';
import type { Readers } from './inputs.ts';
import { bindSteps, Layouts, loadKernels } from './kernels.ts';
import { deviceLost, Model } from './model.ts';
import type { PackagePlan, PackageReport } from './plan.ts';
import type { WeightsSource } from './weights.ts';
import { folderUrl, loadWeights, weightBuffers } from './weights.ts';

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

/**
 * What `index.js` of a package passes on: its plan, its own URL, and the readers that its inputs need.
 * Files are read while the device is requested, and weights go to the GPU while kernels compile.
 */
export async function loadModel<Inputs, Outputs>(plan: PackagePlan, ownUrl: string, options: LoadOptions = {}, readers: Readers = {}): Promise<Model<Inputs, Outputs>> {
  checkPlan(plan);
  const base = options.baseUrl === undefined ? new URL('./', ownUrl) : folderUrl(options.baseUrl);
  // The first failure stops what else is under way.
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([stop.signal, options.signal]) : stop.signal;
  const count = (phase: LoadProgress['phase'], total: number) => {
    let loaded = 0;
    return (more = 1) => options.onProgress?.({ phase, loaded: (loaded += more), total });
  };
  const weightBytes = plan.shards.reduce((sum, bytes) => sum + bytes, 0);
  const opening = openDevice(plan, options);
  let lost: VitcError | undefined;
  let forget: (() => void) | undefined;
  const failing = opening.then((device) => new Promise<never>((_, reject) => (forget = onLost(device, (info) => reject((lost = deviceLost(plan.name, info)))))));
  const buffers: GPUBuffer[] = [];
  const keep = (made: GPUBuffer[]): GPUBuffer[] => {
    buffers.push(...made);
    return made;
  };
  try {
    const sharing = opening.then((device) => new Layouts(device));
    const shards = opening.then((device) => checked(device, `the weights (${weightBytes} bytes)`, () => keep(weightBuffers(device, plan))));
    const arena = opening.then((device) =>
      checked(device, `the arena (${plan.arenaBytes} bytes)`, () => {
        const size = Math.max(plan.arenaBytes, 4);
        return keep([device.createBuffer({ label: `${plan.name} arena`, size, usage: STORAGE | COPY_SRC | COPY_DST })])[0];
      }),
    );
    const ready = Promise.all([
      sharing,
      Promise.all([arena, shards]).then((made) => made.flat()),
      loadKernels(sharing, plan.kernels, base, signal, count('kernels', plan.kernels.length)),
      loadWeights(opening, plan, { base, source: options.weights, verify: options.verify ?? true, signal, onBytes: count('weights', weightBytes), buffers: shards }),
    ]);
    // On a lost device some promises succeed and others wait for ever.
    const [layouts, spaces, pipelines] = await Promise.race([ready, failing]);
    signal.throwIfAborted();
    const dispatches = await Promise.race([checked(layouts.device, 'binding the kernels', () => bindSteps(layouts, plan, pipelines, spaces)), failing]);
    const readReport = async () => checkReport(await readJson<PackageReport>(new URL('report.json', base)), plan.steps.length);
    return new Model<Inputs, Outputs>(plan, { device: layouts.device, ownsDevice: !options.device, arena: spaces[0], shards: spaces.slice(1), dispatches, readers, readReport });
  } catch (failure) {
    stop.abort(failure);
    const device = await opening.catch(() => undefined);
    for (const buffer of buffers) buffer.destroy();
    if (!device) throw failure;
    if (!options.device) device.destroy();
    // On a lost device anything may fail; that it is lost is what helps.
    throw lost ?? failure;
  } finally {
    forget?.();
  }
}

async function openDevice(plan: PackagePlan, { device, adapter }: LoadOptions): Promise<GPUDevice> {
  if (!device) return requestDevice(plan, adapter);
  checkRequirements(plan, device, device.adapterInfo, 'device');
  return device;
}
