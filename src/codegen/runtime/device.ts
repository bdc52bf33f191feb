/** Finding a device that can run the package, and saying what is missing where there is none. */
import { VitcError } from './errors.ts';
import type { PackagePlan } from './plan.ts';

export type Requirements = Pick<PackagePlan, 'name' | 'features' | 'limits' | 'subgroupSizes'>;

/** For `adapter.requestDevice(...)`: a device of this descriptor runs the package. */
export function deviceDescriptor(needs: Requirements): GPUDeviceDescriptor {
  return { requiredFeatures: [...needs.features] as GPUFeatureName[], requiredLimits: { ...needs.limits } };
}

/** Throws 'missing-feature' or 'limit-too-low' with every lack named. */
export function checkRequirements(needs: Requirements, has: GPUAdapter | GPUDevice, info: GPUAdapterInfo, what: 'adapter' | 'device'): void {
  const mend =
    what === 'device'
      ? 'create the device with adapter.requestDevice(requirements), where requirements is exported by the package'
      : 'use another adapter, or compile the model for the target `web`';
  const features = needs.features.filter((feature) => !has.features.has(feature));
  if (features.length > 0) {
    throw new VitcError('missing-feature', `${needs.name} needs the WebGPU feature ${features.join(', ')}, which the ${what} lacks; ${mend}`);
  }
  const limits = Object.entries(needs.limits).flatMap(([name, needed]) => {
    const offered = (has.limits as unknown as Record<string, number | undefined>)[name] ?? 0;
    const enough = name.startsWith('min') ? offered <= needed : offered >= needed;
    return enough ? [] : [`${name} of ${needed} (the ${what} has ${offered})`];
  });
  if (limits.length > 0) throw new VitcError('limit-too-low', `${needs.name} needs ${limits.join(', ')}; ${mend}`);
  if (!needs.subgroupSizes) return;
  const [least, most] = needs.subgroupSizes;
  // Implementations that do not tell may use any size.
  const smallest = info.subgroupMinSize ?? 4;
  const largest = info.subgroupMaxSize ?? 128;
  if (smallest < least || largest > most) {
    throw new VitcError(
      'missing-feature',
      `${needs.name} was compiled for subgroups of ${least} to ${most} invocations, and this adapter's have ${smallest} to ${largest}; compile the model for the target \`web\`, or on this adapter`,
    );
  }
}

/** WebGPU's words, without the implementation's trace after them. */
export function firstLine({ message }: { readonly message: string }): string {
  return message.trim().split('\n')[0];
}

async function findAdapter(): Promise<GPUAdapter> {
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (!gpu) {
    throw new VitcError(
      'no-webgpu',
      'WebGPU is not available here; in a browser it needs a secure page (https or localhost), in Node pass a device made with the npm package `webgpu`: load({ device })',
    );
  }
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new VitcError('no-adapter', 'WebGPU found no adapter: there is no GPU, or its driver is blocked');
  return adapter;
}

/** A device of its own for the model, with timestamps where the adapter has them, so that `profile` works. */
export async function requestDevice(needs: Requirements, given?: GPUAdapter): Promise<GPUDevice> {
  const adapter = given ?? (await findAdapter());
  checkRequirements(needs, adapter, adapter.info, 'adapter');
  const { requiredFeatures, ...rest } = deviceDescriptor(needs);
  const features = new Set(requiredFeatures);
  if (adapter.features.has('timestamp-query')) features.add('timestamp-query');
  try {
    // An array: Dawn in Node takes no other iterable.
    return await adapter.requestDevice({ ...rest, requiredFeatures: [...features] });
  } catch (cause) {
    const mend = given ? 'request a new adapter for each load, since one gives one device only' : 'the GPU may be in use or restarting: try again';
    throw new VitcError('no-adapter', `the adapter gave no device (${firstLine(cause as Error)}); ${mend}`, { cause });
  }
}

type LostReaction = (info: GPUDeviceLostInfo) => void;

const reactions = new WeakMap<GPUDevice, Set<LostReaction>>();

/**
 * Calls `react` if the device is lost, until the function that this returns is called. `device.lost` itself keeps all that
 * wait for it, so models that come and go on one device would pile up there.
 */
export function onLost(device: GPUDevice, react: LostReaction): () => void {
  let all = reactions.get(device);
  if (!all) {
    const waiting = (all = new Set<LostReaction>());
    reactions.set(device, waiting);
    void device.lost.then((info) => {
      // Who asks after this gets a promise that is settled.
      reactions.delete(device);
      waiting.forEach((each) => each(info));
    });
  }
  const joined = all.add(react);
  return () => void joined.delete(react);
}

/**
 * Runs `create`, and throws a typed error if the device refuses: 'out-of-memory', or 'gpu-error' with WebGPU's words.
 * Error scopes nest by call order, so `create` must be synchronous.
 */
export async function checked<T>(device: GPUDevice, what: string, create: () => T): Promise<T> {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  let value!: T;
  let popped!: Promise<(GPUError | null)[]>;
  try {
    value = create();
  } finally {
    popped = Promise.all([device.popErrorScope(), device.popErrorScope()]);
    popped.catch(() => {});
  }
  const [invalid, memory] = await popped;
  if (memory) throw new VitcError('out-of-memory', `the GPU has no memory for ${what}: ${firstLine(memory)}; destroy models and buffers that are done, or compile for a smaller batch`);
  if (invalid) throw new VitcError('gpu-error', `${what}: ${firstLine(invalid)}`);
  return value;
}
