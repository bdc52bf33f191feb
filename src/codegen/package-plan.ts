/** The tables of a package: plan.js, weights.json and report.json, from the compiler's plan. */
import type { Graph, GraphInput } from '../graph.ts';
import type { BufferId } from '../kernel.ts';
import type { Plan, PlannedBuffer } from '../plan.ts';
import { formatLocation } from '../source.ts';
import { WEB_LIMITS } from '../targets.ts';
import { runParts } from './run-parts.ts';
import type { DType, InputPort, KernelEntry, PackagePlan, PackageReport, Port, StepReport, WeightEntry, WeightsManifest } from './runtime/plan.ts';
import type { KernelCode, WgslModule, WgslType } from './wgsl.ts';

/** A weight shard as it lies on disk. */
export interface WeightShard {
  readonly bytes: Uint8Array;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

const FEATURE_OF = {
  f16: 'shader-f16',
  subgroups: 'subgroups',
  chromium_experimental_subgroup_matrix: 'chromium-experimental-subgroup-matrix',
} as const satisfies Record<WgslModule['enables'][number], string>;

function featuresOf(kernels: readonly KernelCode[]): string[] {
  return [...new Set(kernels.flatMap((kernel) => kernel.module.enables.map((name) => FEATURE_OF[name])))].sort();
}

/** [size, alignment] in bytes (WGSL, section 14.4.1, alignment and size). */
function layoutOf(type: WgslType): [size: number, alignment: number] {
  if (type.kind === 'value') {
    const scalar = type.scalar === 'f16' ? 2 : 4;
    return [scalar * type.width, scalar * (type.width === 3 ? 4 : type.width)];
  }
  if (type.kind === 'array') {
    const [size, alignment] = layoutOf(type.of);
    return [type.length * roundUp(size, alignment), alignment];
  }
  throw new Error('bug: a subgroup matrix has no place in workgroup memory');
}

function roundUp(size: number, unit: number): number {
  return Math.ceil(size / unit) * unit;
}

/** What the package needs of a device, where that is more than every WebGPU device has. */
function limitsOf(plan: Plan, kernels: readonly KernelCode[]): Record<string, number> {
  const most = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b), 0);
  const dimension = (axis: 0 | 1 | 2) => most(kernels.map((k) => k.module.workgroupSize[axis]));
  const misaligned = plan.buffers.some((b) => b.offset % WEB_LIMITS.minStorageBufferOffsetAlignment !== 0);
  const needed = {
    maxStorageBufferBindingSize: most(plan.buffers.map((b) => b.bytes)),
    maxBufferSize: most([plan.arenaBytes, ...plan.weightShards]),
    maxStorageBuffersPerShaderStage: most(kernels.map((k) => k.module.bindings.length)),
    // WebGPU counts every workgroup variable as rounded up to 16 bytes.
    maxComputeWorkgroupStorageSize: most(kernels.map((k) => k.module.workgroupVars.reduce((sum, v) => sum + roundUp(layoutOf(v.type)[0], 16), 0))),
    maxComputeInvocationsPerWorkgroup: most(kernels.map((k) => k.module.workgroupSize.reduce((a, b) => a * b))),
    maxComputeWorkgroupSizeX: dimension(0),
    maxComputeWorkgroupSizeY: dimension(1),
    maxComputeWorkgroupSizeZ: dimension(2),
    maxComputeWorkgroupsPerDimension: most(kernels.flatMap((k) => k.workgroups)),
    minStorageBufferOffsetAlignment: misaligned ? plan.target.limits.minStorageBufferOffsetAlignment : WEB_LIMITS.minStorageBufferOffsetAlignment,
  } satisfies typeof WEB_LIMITS;
  return Object.fromEntries(
    Object.entries(needed).filter(([name, value]) => {
      const usual = WEB_LIMITS[name as keyof typeof WEB_LIMITS];
      return name.startsWith('min') ? value < usual : value > usual;
    }),
  );
}

function placeOf(plan: Plan, kind: 'input' | 'output', name: string): PlannedBuffer {
  const place = plan.buffers.find((b) => b.buffer.kind === kind && b.buffer.name === name);
  if (!place || place.space !== 'arena') throw new Error(`bug: ${kind} ${name} has no place in the arena`);
  if (place.buffer.layout) throw new Error(`bug: ${kind} ${name} is not stored row by row`);
  return place;
}

function inputPort(plan: Plan, { name, image, below }: GraphInput, dtype: DType): InputPort {
  const { buffer, offset } = placeOf(plan, 'input', name);
  return { name, dtype, ...(buffer.storage === 'f16' && { storage: 'f16' as const }), shape: buffer.shape, offset, ...(image && { image }), ...(below !== undefined && { below }) };
}

function outputPort(plan: Plan, name: string, dtype: DType): Port {
  const { buffer, offset } = placeOf(plan, 'output', name);
  if (buffer.storage === 'f16') throw new Error(`bug: output ${name} is not stored as 4-byte elements`);
  return { name, dtype, shape: buffer.shape, offset };
}

function weightEntry(place: PlannedBuffer): WeightEntry {
  const { name, shape, storage, layout } = place.buffer;
  return { name, shape, storage, ...(layout && { blocks: layout.blocks }), shard: place.shard, offset: place.offset, bytes: place.bytes };
}

function weightEntries(plan: Plan): WeightEntry[] {
  return plan.buffers.filter((b) => b.space === 'weights').map(weightEntry);
}

/** 32-bit FNV-1a of the weights' layout: tells weights of one compilation from another's, and is no proof of origin. */
function fingerprintOf(plan: Plan): string {
  const text = JSON.stringify([plan.weightShards, weightEntries(plan)]);
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

function accessOf({ id }: Plan['kernels'][number], code: KernelCode): string {
  const bindings = [...code.module.bindings].sort((a, b) => a.index - b.index);
  if (bindings.some((b, i) => b.index !== i)) throw new Error(`bug: the bindings of ${id} are not numbered from 0`);
  return bindings.map((b) => (b.access === 'read' ? 'r' : 's')).join('');
}

/** Arena ranges are bound writable, and WebGPU lets writable bindings of a dispatch share no byte. */
function checkAliasing(steps: PackagePlan['steps'], buffers: PackagePlan['buffers'], nameOf: (kernel: number) => string): void {
  for (const [kernel, ...args] of steps) {
    const ranges = args.map((i) => buffers[i]).filter(([space]) => space === 0).sort((a, b) => a[1] - b[1]);
    for (let i = 1; i < ranges.length; i++) {
      const [, before, bytes] = ranges[i - 1];
      if (before + bytes > ranges[i][1]) throw new Error(`bug: two bindings of ${nameOf(kernel)} overlap in the arena`);
    }
  }
}

/** plan.js */
export function packagePlan(graph: Graph, plan: Plan, kernels: readonly KernelCode[], predicted?: PredictedTimes): PackagePlan {
  const used = [...new Set(plan.steps.flatMap((step) => step.args))];
  const indexOf = new Map<BufferId, number>(used.map((id, i) => [id, i]));
  const places = new Map(plan.buffers.map((b) => [b.buffer.id, b]));
  const buffers = used.map((id): [number, number, number] => {
    const place = places.get(id);
    if (!place) throw new Error(`bug: buffer ${id} has no place`);
    return [place.space === 'arena' ? 0 : place.shard + 1, place.offset, place.bytes];
  });
  const entries = plan.kernels.map((kernel, i): KernelEntry => ({ id: kernel.id, access: accessOf(kernel, kernels[i]), workgroups: kernels[i].workgroups }));
  const steps = plan.steps.map((step) => [step.kernel, ...step.args.map((id) => indexOf.get(id)!)]);
  checkAliasing(steps, buffers, (kernel) => plan.kernels[kernel].id);
  const usesSubgroups = kernels.some((k) => k.module.enables.includes('subgroups') || k.module.enables.includes('chromium_experimental_subgroup_matrix'));
  const { subgroups } = plan.target;
  return {
    format: 1,
    name: graph.name,
    fingerprint: fingerprintOf(plan),
    features: featuresOf(kernels),
    limits: limitsOf(plan, kernels),
    ...(usesSubgroups && subgroups && { subgroupSizes: [subgroups.minSize, subgroups.maxSize] as const }),
    arenaBytes: plan.arenaBytes,
    shards: plan.weightShards,
    inputs: graph.inputs.map((input) => inputPort(plan, input, graph.nodes[input.node].dtype)),
    outputs: graph.outputs.map(({ name, node }) => outputPort(plan, name, graph.nodes[node].dtype)),
    buffers,
    kernels: entries,
    steps,
    parts: runParts(steps.map((_, i) => predicted && 1000 * predicted.milliseconds[i])),
  };
}

export function shardFile(index: number, count: number): string {
  return count === 1 ? 'weights.bin' : `weights.${index}.bin`;
}

/** weights.json; without shards it has sizes only. */
export function weightsManifest(plan: Plan, shards?: readonly WeightShard[]): WeightsManifest {
  const count = plan.weightShards.length;
  if (shards && (shards.length !== count || shards.some((s, i) => s.bytes.length !== plan.weightShards[i]))) {
    throw new Error('bug: the packed weights are not of the sizes that were planned');
  }
  return {
    format: 1,
    fingerprint: fingerprintOf(plan),
    shards: plan.weightShards.map((bytes, i) => ({ file: shardFile(i, count), bytes, ...(shards && { sha256: shards[i].sha256 }) })),
    tensors: weightEntries(plan),
  };
}

export interface PredictedTimes {
  /** The device profile's name. */
  readonly device: string;
  /** Of each step. */
  readonly milliseconds: readonly number[];
}

/** report.json */
export function packageReport(plan: Plan, kernels: readonly KernelCode[], predicted?: PredictedTimes): PackageReport {
  const steps = plan.steps.map((step, i): StepReport => {
    const { call } = step;
    const { issued } = kernels[step.kernel];
    const total = (value: (op: (typeof call.ops)[number]) => number) => call.ops.reduce((sum, op) => sum + value(op), 0);
    return {
      kernel: plan.kernels[step.kernel].id,
      scope: call.origin.scope,
      block: call.origin.block,
      ...(call.origin.span && { source: formatLocation(call.origin.span) }),
      flops: total((op) => op.flops),
      issuedBytes: issued.loadBytes + issued.storeBytes,
      unfusedBytes: total((op) => op.unfusedBytes),
      ...(predicted && { predictedMilliseconds: predicted.milliseconds[i] }),
    };
  });
  return {
    format: 1,
    name: plan.name,
    target: plan.target.name,
    arenaBytes: plan.arenaBytes,
    livenessBound: plan.livenessBound,
    weightBytes: plan.weightShards.reduce((sum, bytes) => sum + bytes, 0),
    ...(predicted && { predictedFor: predicted.device }),
    steps,
  };
}
