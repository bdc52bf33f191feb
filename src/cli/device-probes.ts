/** Small programs that measure what a device profile says: bandwidths, cost of a dispatch, cores that fill it. */

/** Seconds that `repeats` of something take on the device, from submit to done. */
type Timed = (repeats: number) => Promise<number>;

/** Time of one, from the difference of many and few, so that what a submit costs is left out; the median of several. */
async function slope(run: Timed, least = 0.04): Promise<number> {
  let repeats = 1;
  await run(1);
  for (let time = await run(repeats); time < least && repeats < 1 << 16; time = await run(repeats)) repeats *= 2;
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const few = await run(repeats);
    times.push(((await run(3 * repeats)) - few) / (2 * repeats));
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

interface Probe {
  /** Several take turns. */
  readonly code: string | readonly string[];
  readonly buffers: readonly number[];
  readonly workgroups: readonly [number, number];
  readonly constants?: Record<string, number>;
}

/** Seconds of one dispatch of a program among many that depend on each other. */
async function timeProbe(device: GPUDevice, { code, buffers, workgroups, constants }: Probe): Promise<number> {
  const pipelines = await Promise.all(
    [code].flat().map((text) => device.createComputePipelineAsync({ layout: 'auto', compute: { module: device.createShaderModule({ code: text }), entryPoint: 'main', ...(constants && { constants }) } })),
  );
  const held = buffers.map((size) => device.createBuffer({ size, usage: GPUBufferUsage.STORAGE }));
  const groups = pipelines.map((pipeline) => device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: held.map((buffer, binding) => ({ binding, resource: { buffer } })) }));
  try {
    return await slope(async (repeats) => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let i = 0; i < repeats; i++) {
        if (i < 1 || pipelines.length > 1) {
          pass.setPipeline(pipelines[i % pipelines.length]);
          pass.setBindGroup(0, groups[i % pipelines.length]);
        }
        pass.dispatchWorkgroups(...workgroups);
      }
      pass.end();
      const start = performance.now();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      return (performance.now() - start) / 1000;
    });
  } finally {
    for (const buffer of held) buffer.destroy();
  }
}

const COPY = `
@group(0) @binding(0) var<storage, read_write> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> target_: array<vec4<f32>>;
@compute @workgroup_size(256) fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.y * groups.x * 256u + id.x;
  if (i < arrayLength(&source)) { target_[i] = source[i]; }
}`;

/** Bytes a second of a copy, read plus written. */
export async function copyBandwidth(device: GPUDevice, bytes: number): Promise<number> {
  const groups = bytes / 16 / 256;
  const rows = Math.ceil(groups / 32768);
  return (2 * bytes) / (await timeProbe(device, { code: COPY, buffers: [bytes, bytes], workgroups: [Math.ceil(groups / rows), rows] }));
}

/** Every invocation walks through the whole set with others, so that all of it is read many times. */
const READ = `
override count: u32;
override turns: u32;
@group(0) @binding(0) var<storage, read_write> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@compute @workgroup_size(256) fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  var sum = vec4<f32>();
  var at = id.x % count;
  let stride = (groups.x * 256u) % count;
  for (var i = 0u; i < turns; i++) {
    sum += source[at];
    at = (at + stride + 256u) % count;
  }
  if (sum.x + sum.y + sum.z + sum.w == 1.5) { sums[0] = 1.0; }
}`;

/** Bytes a second that all invocations read from a set of this size. */
export async function readBandwidth(device: GPUDevice, bytes: number, workgroups: number): Promise<number> {
  const turns = 128;
  const seconds = await timeProbe(device, { code: READ, buffers: [bytes, 16], workgroups: [workgroups, 1], constants: { count: bytes / 16, turns } });
  return (16 * turns * workgroups * 256) / seconds;
}

const touch = (step: number): string => `
@group(0) @binding(0) var<storage, read_write> value: array<f32>;
@compute @workgroup_size(1) fn main() { value[0] = value[0] + ${step}.0; }`;

/** Seconds of a dispatch that does next to nothing, depends on the one before and runs other code than it. */
export function dispatchTime(device: GPUDevice): Promise<number> {
  return timeProbe(device, { code: [1, 2, 3, 4].map(touch), buffers: [16], workgroups: [1, 1] });
}

/** One invocation that goes from place to place, each told by the one before. */
const CHASE = `
override turns: u32;
override stride: u32;
@group(0) @binding(0) var<storage, read_write> places: array<u32>;
@compute @workgroup_size(1) fn main() {
  let count = arrayLength(&places);
  var at = 0u;
  for (var i = 0u; i < turns; i++) { at = (places[at] + at + stride) % count; }
  if (at == 0xffffffffu) { places[0] = at; }
}`;

const LOCAL_CHASE = `
override turns: u32;
var<workgroup> places: array<u32, 1024>;
@group(0) @binding(0) var<storage, read_write> result: array<u32>;
@compute @workgroup_size(1) fn main() {
  for (var i = 0u; i < 1024u; i++) { places[i] = result[0]; }
  workgroupBarrier();
  var at = 0u;
  for (var i = 0u; i < turns; i++) { at = (places[at] + at + 33u) & 1023u; }
  if (at == 0xffffffffu) { result[0] = at; }
}`;

const BARRIERS = `
override turns: u32;
var<workgroup> shared_: array<u32, 128>;
@group(0) @binding(0) var<storage, read_write> result: array<u32>;
@compute @workgroup_size(128) fn main(@builtin(local_invocation_index) i: u32) {
  for (var t = 0u; t < turns; t++) {
    shared_[i] = t;
    workgroupBarrier();
  }
  if (shared_[i] == 0xffffffffu) { result[0] = 1u; }
}`;

/** Seconds that an invocation waits for a value of the shared cache (a set of `bytes`), for one of workgroup memory, and at a barrier. */
export async function latencies(device: GPUDevice, bytes: number): Promise<{ memory: number; local: number; barrier: number }> {
  const each = async (code: string, size: number, constants: (turns: number) => Record<string, number>): Promise<number> => {
    const [few, many] = [1024, 5120];
    const time = (turns: number): Promise<number> => timeProbe(device, { code, buffers: [size], workgroups: [1, 1], constants: constants(turns) });
    return Math.max(1e-10, ((await time(many)) - (await time(few))) / (many - few));
  };
  return {
    memory: await each(CHASE, bytes, (turns) => ({ turns, stride: 1025 })),
    local: await each(LOCAL_CHASE, 16, (turns) => ({ turns })),
    barrier: await each(BARRIERS, 16, (turns) => ({ turns })),
  };
}

/** Eight independent chains of multiply-adds an invocation, as register tiles have. */
const COMPUTE = `
override turns: u32;
@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@compute @workgroup_size(256) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let f = f32(id.x) * 0.001;
  var a = vec4<f32>(f, f + 1.0, f + 2.0, f + 3.0);
  var b = a + 0.5;
  for (var i = 0u; i < turns; i++) {
    a = fma(a, vec4<f32>(0.999), b);
    b = fma(b, vec4<f32>(0.998), a);
  }
  let total = a + b;
  if (total.x + total.y + total.z + total.w == 1.5) { sums[0] = 1.0; }
}`;

/** The fewest workgroups of 256 that reach nine tenths of the greatest arithmetic rate, and that rate in multiply-adds a second. */
export async function fillingWorkgroups(device: GPUDevice, turns: number, most: number): Promise<{ count: number; rate: number }> {
  const rates: { groups: number; rate: number }[] = [];
  for (let groups = 1; groups <= most; groups = Math.ceil(groups * 1.5)) {
    const seconds = await timeProbe(device, { code: COMPUTE, buffers: [16], workgroups: [groups, 1], constants: { turns } });
    rates.push({ groups, rate: groups / seconds });
  }
  const best = Math.max(...rates.map((r) => r.rate));
  return { count: rates.find((r) => r.rate >= 0.9 * best)!.groups, rate: best * 256 * 8 * turns };
}
