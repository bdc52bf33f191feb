/** The devices that commands run on: a GPU, the software adapter, or the reference evaluator on the CPU. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { error } from '../diagnostics.ts';
import type { SubgroupMatrixConfig, Target, TargetLimits } from '../targets.ts';
import { WEB_LIMITS } from '../targets.ts';
import { CliError, EXIT } from './errors.ts';
import { ensureSoftwareEnvironment } from './software-device.ts';

export type DeviceChoice = 'auto' | 'gpu' | 'software' | 'cpu';

/** An open WebGPU device. */
export interface GpuDevice {
  readonly kind: 'gpu' | 'software';
  readonly device: GPUDevice;
  /** For people: `NVIDIA H100 80GB HBM3 (GPU)`. */
  readonly description: string;
  /** What code generation may use on it. */
  readonly target: Target;
  /** Destroys the device. Node does not end by itself while WebGPU is loaded, so commands end with `process.exit`. */
  readonly close: () => void;
}

/** No WebGPU: whoever opened it evaluates on the CPU. */
export interface CpuDevice {
  readonly kind: 'cpu';
  readonly description: string;
  readonly close: () => void;
}

export type OpenDevice = GpuDevice | CpuDevice;

/** Dawn hides f16 and subgroup matrices of NVIDIA's Vulkan driver without these, and rounds timestamps to 100 µs. */
const DAWN_OPTIONS = [
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,use_vulkan_memory_model',
  'disable-dawn-features=timestamp_quantization',
];

/** What code generation or profiling makes use of. */
const USEFUL_FEATURES = ['shader-f16', 'subgroups', 'timestamp-query', 'chromium-experimental-subgroup-matrix'];

// Once the object that `create` returns is collected, Dawn crashes or hangs; it lives as long as the process.
const keep = globalThis as { vitcWebGpu?: GPU };

function noDevice(code: 'E0920' | 'E0921' | 'E0922' | 'E0923', message: string, help: string): CliError {
  return new CliError(error(code, message, undefined, { help }), EXIT.noDevice);
}

async function webGpu(): Promise<GPU> {
  if (keep.vitcWebGpu) return keep.vitcWebGpu;
  try {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    return (keep.vitcWebGpu = create(DAWN_OPTIONS));
  } catch (failure) {
    throw noDevice('E0921', `WebGPU does not load: ${(failure as Error).message}`, 'reinstall the npm package `webgpu`, or use `--device cpu`');
  }
}

/** Fields that @webgpu/types does not have. */
interface AdapterFacts extends GPUAdapterInfo {
  readonly subgroupMatrixConfigs?: readonly SubgroupMatrixConfig[];
}

function isSoftware(info: GPUAdapterInfo): boolean {
  return info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${info.architecture} ${info.device} ${info.description}`);
}

function describe(info: GPUAdapterInfo): string {
  const name = (isSoftware(info) && /^swiftshader/i.test(info.architecture || info.device) && 'SwiftShader') || info.device || info.description || [info.vendor, info.architecture].filter(Boolean).join(' ') || 'unknown adapter';
  return `${name} (${isSoftware(info) ? 'software adapter' : 'GPU'})`;
}

/** The `native` profile: what an open device offers. Its features and limits must have been requested with it. */
export function targetOf(device: GPUDevice, adapterInfo: GPUAdapterInfo = device.adapterInfo): Target {
  // Dawn lists matrix shapes on the adapter's own information only.
  const info = adapterInfo as AdapterFacts;
  const limits = Object.fromEntries(Object.keys(WEB_LIMITS).map((name) => [name, device.limits[name as keyof TargetLimits]]));
  const has = (feature: string) => device.features.has(feature);
  return {
    name: 'native',
    limits: limits as unknown as TargetLimits,
    shaderF16: has('shader-f16'),
    // WebGPU guarantees sizes between 4 and 128 where an implementation gives none.
    ...(has('subgroups') && { subgroups: { minSize: info.subgroupMinSize ?? 4, maxSize: info.subgroupMaxSize ?? 128 } }),
    subgroupMatrix: has('chromium-experimental-subgroup-matrix')
      ? (info.subgroupMatrixConfigs ?? []).map(({ M, N, K, componentType, resultComponentType }) => ({ M, N, K, componentType, resultComponentType }))
      : [],
    software: isSoftware(info),
  };
}

async function openAdapter(adapter: GPUAdapter): Promise<GpuDevice> {
  const requiredFeatures = USEFUL_FEATURES.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[];
  const requiredLimits: Record<string, number> = {};
  for (const name of Object.keys(WEB_LIMITS)) requiredLimits[name] = adapter.limits[name as keyof TargetLimits];
  let device: GPUDevice;
  try {
    device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
  } catch (failure) {
    throw noDevice('E0923', `${describe(adapter.info)} gave no device: ${(failure as Error).message}`, 'end other programs that use it, or use `--device software`');
  }
  return {
    kind: isSoftware(adapter.info) ? 'software' : 'gpu',
    device,
    description: describe(adapter.info),
    target: targetOf(device, adapter.info),
    close: () => device.destroy(),
  };
}

/** Whether the system has Vulkan's loader; elsewhere than on Linux there is another API. */
function hasVulkanLoader(): boolean {
  if (process.platform !== 'linux') return true;
  const folders = [...(process.env.LD_LIBRARY_PATH ?? '').split(delimiter), '/usr/lib', '/usr/lib64', '/lib', '/lib64', '/usr/local/lib', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'];
  return folders.some((folder) => folder !== '' && existsSync(join(folder, 'libvulkan.so.1')));
}

async function anyAdapter(): Promise<GPUAdapter | null> {
  const gpu = await webGpu();
  return gpu.requestAdapter({ powerPreference: 'high-performance' });
}

/**
 * Opens a device. `gpu`: any adapter that WebGPU offers, hardware before software; `software`: SwiftShader;
 * `auto`: a GPU if there is one, else software; `cpu`: no WebGPU.
 * `software`, and `auto` without an adapter, may start the command again in a child (see software-device.ts), so call
 * this before anything is printed. Throws CliError E0920 to E0923, exit code 3.
 */
export async function openDevice(choice: DeviceChoice): Promise<OpenDevice> {
  if (choice === 'cpu') return { kind: 'cpu', description: 'reference evaluator (CPU)', close: () => {} };
  if (choice === 'software') await ensureSoftwareEnvironment();
  // Without a Vulkan loader Dawn only prints a warning; the software adapter brings its own.
  if (choice === 'auto' && !hasVulkanLoader()) await ensureSoftwareEnvironment();
  let adapter = await anyAdapter();
  if (!adapter && choice === 'auto') {
    await ensureSoftwareEnvironment();
    adapter = await anyAdapter();
  }
  if (adapter) return openAdapter(adapter);
  if (choice === 'gpu') throw noDevice('E0920', 'WebGPU found no adapter', 'use `--device software` or `--device cpu`');
  throw noDevice('E0922', 'the software adapter does not start', 'use `--device cpu`');
}
