/** Shader modules, pipelines and bind groups. */
import { STAGE_COMPUTE } from './constants.ts';
import { firstLine } from './device.ts';
import { VitcError } from './errors.ts';
import { readText } from './fetch.ts';
import type { KernelEntry, PackagePlan } from './plan.ts';

/** A dispatch, ready to be recorded. */
export interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindings: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** Bind group layouts, one for each pattern of read-only and writable bindings. */
export class Layouts {
  readonly #groups = new Map<string, GPUBindGroupLayout>();
  constructor(readonly device: GPUDevice) {}

  group(access: string): GPUBindGroupLayout {
    let layout = this.#groups.get(access);
    if (!layout) {
      const entries = [...access].map((letter, binding): GPUBindGroupLayoutEntry => ({
        binding,
        visibility: STAGE_COMPUTE,
        buffer: { type: letter === 'r' ? 'read-only-storage' : 'storage' },
      }));
      layout = this.device.createBindGroupLayout({ label: access, entries });
      this.#groups.set(access, layout);
    }
    return layout;
  }
}

async function compile(layouts: Layouts, kernel: KernelEntry, code: string): Promise<GPUComputePipeline> {
  const { device } = layouts;
  // An error in the text is reported by the pipeline; the scope keeps it from the page's uncaptured errors.
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: kernel.id, code });
  void device.popErrorScope().catch(() => {});
  try {
    return await device.createComputePipelineAsync({
      label: kernel.id,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layouts.group(kernel.access)] }),
      compute: { module, entryPoint: 'main' },
    });
  } catch (cause) {
    const info = await module.getCompilationInfo().catch(() => undefined);
    const errors = info?.messages.filter((m) => m.type === 'error').map((m) => `${m.lineNum}:${m.linePos} ${m.message}`) ?? [];
    const reason = errors.length > 0 ? errors.slice(0, 3).join('; ') : firstLine(cause as Error);
    throw new VitcError('kernel-failed', `kernel ${kernel.id} does not compile here: ${reason}`, { cause });
  }
}

/** Reads and compiles all kernels at once; `onKernel` is called as each is ready. */
export function loadKernels(layouts: Promise<Layouts>, kernels: readonly KernelEntry[], base: URL, signal: AbortSignal, onKernel: () => void): Promise<GPUComputePipeline[]> {
  return Promise.all(
    kernels.map(async (kernel) => {
      const code = await readText(new URL(`kernels/${kernel.id}.wgsl`, base), { signal });
      const pipeline = await compile(await layouts, kernel, code);
      onKernel();
      return pipeline;
    }),
  );
}

/** Binds each step of the plan once. `spaces[0]` is the arena, the rest are the weight shards. */
export function bindSteps(layouts: Layouts, plan: PackagePlan, pipelines: readonly GPUComputePipeline[], spaces: readonly GPUBuffer[]): Dispatch[] {
  return plan.steps.map(([kernelIndex, ...buffers]) => {
    const kernel = plan.kernels[kernelIndex];
    const entries = buffers.map((index, binding): GPUBindGroupEntry => {
      const [space, offset, size] = plan.buffers[index];
      return { binding, resource: { buffer: spaces[space], offset, size } };
    });
    return {
      pipeline: pipelines[kernelIndex],
      bindings: layouts.device.createBindGroup({ label: kernel.id, layout: layouts.group(kernel.access), entries }),
      workgroups: kernel.workgroups,
    };
  });
}

/** Records dispatches into a pass, setting a pipeline only where it changes. */
export function recordDispatches(pass: GPUComputePassEncoder, dispatches: readonly Dispatch[]): void {
  let current: GPUComputePipeline | undefined;
  for (const { pipeline, bindings, workgroups } of dispatches) {
    if (pipeline !== current) pass.setPipeline((current = pipeline));
    pass.setBindGroup(0, bindings);
    const [x, y, z] = workgroups;
    // Each argument takes its part of what a call costs in Node.
    if (y === 1 && z === 1) pass.dispatchWorkgroups(x);
    else pass.dispatchWorkgroups(x, y, z);
  }
}
