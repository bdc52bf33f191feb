/** What measuring scripts share: options of the command line, and the device at hand with all that it offers. */

/** The words after `--name`, up to the next option; undefined where it is absent. */
export function option(name: string): string[] | undefined {
  const args = process.argv.slice(2);
  const at = args.indexOf(`--${name}`);
  if (at < 0) return undefined;
  const end = args.findIndex((a, i) => i > at && a.startsWith('--'));
  return args.slice(at + 1, end < 0 ? undefined : end);
}

export interface OpenDevice {
  readonly adapter: GPUAdapter;
  readonly device: GPUDevice;
  /** For people. */
  readonly name: string;
}

/** The strongest GPU, with timestamps of full resolution and matrix units where it has them; WebGPU's constants become global. */
export async function openDevice(): Promise<OpenDevice> {
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  // Reachable for the whole process: Dawn does not survive its collection.
  const gpu = ((globalThis as { benchGpu?: GPU }).benchGpu = create(['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,use_vulkan_memory_model', 'disable-dawn-features=timestamp_quantization']));
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('WebGPU found no adapter');
  const { limits } = adapter;
  const device = await adapter.requestDevice({
    requiredFeatures: ['timestamp-query', 'subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix'].filter((f) => adapter.features.has(f as GPUFeatureName)) as GPUFeatureName[],
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize, maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize, maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX, maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    },
  });
  device.addEventListener('uncapturederror', (event) => console.error((event as GPUUncapturedErrorEvent).error.message.slice(0, 1000)));
  return { adapter, device, name: adapter.info.device || adapter.info.description };
}

/** Microseconds of `count` dispatches each in `passes` passes that one submit runs. */
export type MeasurePasses = (passes: number, count: number) => Promise<number[]>;

/** How long a device works before it is timed: idle, its clock falls to a sixth, and comes back slowly after seconds of that. */
const WARM_MS = 600;
/** The same where something was measured less than a second ago. */
const AGAIN_MS = 150;
let measured = -Infinity;
const MOST_DISPATCHES = 2000;

/** Microseconds of a dispatch, the median of `passes` passes that last `seconds` together, on a device that is awake. */
export async function steadyTime(measure: MeasurePasses, passes: number, seconds: number): Promise<number> {
  const count = (us: number, of: number): number => Math.min(MOST_DISPATCHES, Math.max(1, Math.floor((of * 1e6) / us)));
  let [, guess] = await measure(2, 1);
  const wait = performance.now() - measured < 1000 ? AGAIN_MS : WARM_MS;
  for (const end = performance.now() + wait; performance.now() < end;) [, guess] = await measure(2, count(guess, 0.01));
  const [, ...times] = await measure(passes, count(guess, seconds / passes));
  measured = performance.now();
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
}
