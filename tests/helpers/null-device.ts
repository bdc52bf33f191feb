/** Dawn's null backend: it runs nothing, but offers every feature to the validator. */
import { WEB } from '../../src/targets.ts';
import type { Target } from '../../src/targets.ts';

/** A large GPU with f16 and matrix units. */
export const MATRIX_UNITS: Target = {
  ...WEB, name: 'matrix units', shaderF16: true, subgroups: { minSize: 32, maxSize: 32 },
  limits: { ...WEB.limits, maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 1024, maxComputeWorkgroupSizeX: 1024 },
  subgroupMatrix: [{ M: 16, N: 16, K: 16, componentType: 'f16', resultComponentType: 'f32' }],
};

/** Reachable for the whole process: Dawn does not survive its collection. */
const kept: { gpu?: GPU; device?: Promise<GPUDevice> } = {};

async function open(): Promise<GPUDevice> {
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  kept.gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  const adapter = await kept.gpu.requestAdapter();
  return adapter!.requestDevice({ requiredFeatures: ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix' as GPUFeatureName] });
}

/** What Dawn says against a shader, each with its line. */
export async function validate(code: string): Promise<string[]> {
  const device = await (kept.device ??= open());
  device.pushErrorScope('validation');
  const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
  await device.popErrorScope();
  return messages.filter((m) => m.type === 'error').map((m) => `${m.lineNum}: ${m.message}`);
}
