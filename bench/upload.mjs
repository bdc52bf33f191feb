// How fast bytes reach a GPU buffer, by the ways that WebGPU offers. Needs only the npm package `webgpu`.
// Usage: node bench/upload.mjs [--json] [MEGABYTES...]     (by default 0.6 to 38.5: pictures of 224 x 224, batches of 1 to 64, and 0.8, one of 256 x 256)
//
// For each way: `busy` is the time that JavaScript is held, `done` the time until the GPU has the bytes and, of ways that
// keep their buffers, until these may be written again. Medians; the first eight calls are left out.
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
const json = process.argv.includes('--json');
const sizes = process.argv.slice(2).filter((arg) => arg !== '--json').map(Number);
if (sizes.some((size) => !(size > 0))) throw new Error('usage: node bench/upload.mjs [--json] [MEGABYTES...]');

// Kept from the garbage collector, since Dawn crashes once this is gone.
const gpu = (globalThis.benchGpu = create([]));
const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
if (!adapter) throw new Error('WebGPU found no adapter');
const { maxBufferSize } = adapter.limits;
const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize } });
device.addEventListener('uncapturederror', ({ error }) => {
  console.error(error.message);
  process.exit(1);
});
const STAGING = GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC;
const MB = 1 << 20;

/** Mapped buffers that together hold `bytes`, and how to bring an array over in them. */
function staging(bytes, chunk, target) {
  const parts = [];
  for (let at = 0; at < bytes; at += chunk) parts.push({ at, size: Math.min(chunk, bytes - at) });
  const buffers = parts.map(({ size }) => device.createBuffer({ size, usage: STAGING, mappedAtCreation: true }));
  return {
    upload(source) {
      const mapped = parts.map(({ at, size }, i) => {
        new Float32Array(buffers[i].getMappedRange()).set(source.subarray(at / 4, (at + size) / 4));
        buffers[i].unmap();
        const encoder = device.createCommandEncoder();
        encoder.copyBufferToBuffer(buffers[i], 0, target, at, size);
        device.queue.submit([encoder.finish()]);
        return buffers[i].mapAsync(GPUMapMode.WRITE);
      });
      return Promise.all(mapped);
    },
    destroy: () => buffers.forEach((buffer) => buffer.destroy()),
  };
}

/** The ways: each gives a function that starts an upload and returns a promise or nothing, and what to destroy. */
function ways(bytes, target) {
  const { queue } = device;
  const kept = (chunk) => () => staging(bytes, chunk, target);
  return [
    ['memcpy, no GPU', () => { const copy = new Float32Array(bytes / 4); return { upload: (source) => void copy.set(source) }; }],
    ['writeBuffer', () => ({ upload: (source) => void queue.writeBuffer(target, 0, source) })],
    ...(bytes > 4 * MB ? [['writeBuffer by 2 MB', () => ({ upload: (source) => { for (let at = 0; at < bytes; at += 2 * MB) queue.writeBuffer(target, at, source, at / 4, Math.min(2 * MB, bytes - at) / 4); } })]] : []),
    ['mappedAtCreation each time', () => ({
      upload(source) {
        const buffer = device.createBuffer({ size: bytes, usage: STAGING, mappedAtCreation: true });
        new Float32Array(buffer.getMappedRange()).set(source);
        buffer.unmap();
        const encoder = device.createCommandEncoder();
        encoder.copyBufferToBuffer(buffer, 0, target, 0, bytes);
        queue.submit([encoder.finish()]);
        buffer.destroy();
      },
    })],
    ['kept staging, whole', kept(bytes)],
    ...[1, 2, 4, 8, 16].filter((chunk) => chunk * MB < bytes).map((chunk) => [`kept staging by ${chunk} MB`, kept(chunk * MB)]),
  ];
}

function median(times) {
  return times.sort((a, b) => a - b)[times.length >> 1];
}

const rows = [];
for (const megabytes of sizes.length > 0 ? sizes : [0.6, 0.8, 2.4, 9.6, 38.5]) {
  const bytes = 4 * Math.round((megabytes * 1e6) / 4);
  const source = Float32Array.from({ length: bytes / 4 }, (_, i) => i % 251);
  const target = device.createBuffer({ size: bytes, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC });
  for (const [way, make] of ways(bytes, target)) {
    const { upload, destroy } = make();
    const busy = [];
    const done = [];
    for (let run = -8, end = performance.now() + 1500; run < 10 || performance.now() < end; run++) {
      const start = performance.now();
      const pending = upload(source);
      const held = performance.now() - start;
      await Promise.all([pending, device.queue.onSubmittedWorkDone()]);
      if (run < 0) continue;
      busy.push(held);
      done.push(performance.now() - start);
    }
    destroy?.();
    const row = { megabytes, way, busyMilliseconds: median(busy), doneMilliseconds: median(done), gigabytesPerSecond: bytes / median(done) / 1e6, runs: done.length };
    rows.push(row);
    if (!json) console.log(`${String(megabytes).padStart(6)} MB  ${way.padEnd(28)} busy ${row.busyMilliseconds.toFixed(3).padStart(8)} ms  done ${row.doneMilliseconds.toFixed(3).padStart(8)} ms  ${row.gigabytesPerSecond.toFixed(1).padStart(6)} GB/s`);
  }
  target.destroy();
}
if (json) console.log(JSON.stringify({ adapter: adapter.info.description || adapter.info.device, node: process.version, rows }, null, 2));
process.exit(0);
