// Whether a package leaks: many runs of one model, then many models loaded and destroyed. At ten points of each, after a
// garbage collection: JavaScript's heap, the process's memory, the GPU's resources made and not yet destroyed, and models
// that were destroyed and are still held.
// Usage: node --expose-gc bench/soak.mjs FOLDER [--runs 10000] [--loads 200] [--json]
//        (vitc compile bench/soak.vit --seed 1 -o FOLDER makes a package that does little)
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { create, globals } from 'webgpu';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '10000' }, loads: { type: 'string', default: '200' }, json: { type: 'boolean', default: false } },
});
const [runs, loads] = [Number(options.runs), Number(options.loads)];
if (positionals.length !== 1 || !(runs >= 10) || !(loads >= 10)) throw new Error('usage: node --expose-gc bench/soak.mjs FOLDER [--runs N] [--loads N] [--json]');
if (typeof gc !== 'function') throw new Error('start it as node --expose-gc');

Object.assign(globalThis, globals);
// Kept from the garbage collector, since Dawn crashes once this is gone.
const gpu = (globalThis.benchGpu = create([]));
const { load, requirements } = await import(pathToFileURL(join(resolve(positionals[0]), 'index.js')).href);

const live = { buffers: 0, bytes: 0, made: 0 };
const errors = [];

/** A device whose buffers, textures and query sets are counted until they are destroyed. */
async function watchedDevice() {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('WebGPU found no adapter');
  const device = await adapter.requestDevice(requirements);
  device.addEventListener('uncapturederror', ({ error }) => errors.push(error.message));
  for (const name of ['createBuffer', 'createTexture', 'createQuerySet']) {
    const original = device[name].bind(device);
    device[name] = (descriptor) => {
      const made = original(descriptor);
      const size = descriptor.size ?? 0;
      live.buffers++;
      live.made++;
      live.bytes += size;
      const destroy = made.destroy.bind(made);
      made.destroy = () => {
        live.buffers--;
        live.bytes -= size;
        made.destroy = destroy;
        destroy();
      };
      return made;
    };
  }
  return device;
}

const points = [];
/** Models that were destroyed, for as long as something holds them. */
const destroyed = [];
async function point(phase, done) {
  process.stderr.write(process.stderr.isTTY ? `\r${phase} ${done} ` : "");
  // What was just released is freed in turns of the event loop.
  for (let i = 0; i < 3; i++) {
    await new Promise((ready) => setTimeout(ready, 10));
    gc();
  }
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  points.push({ phase, done, heapBytes: heapUsed, externalBytes: external + arrayBuffers, rssBytes: rss, gpuResources: live.buffers, gpuBytes: live.bytes, gpuResourcesMade: live.made, modelsHeld: destroyed.filter((ref) => ref.deref()).length });
}

function inputsOf(model) {
  const arrays = { f32: Float32Array, i32: Int32Array, bool: Int32Array };
  return Object.fromEntries(model.inputs.map(({ name, dtype, shape }) => [name, new arrays[dtype](shape.reduce((a, b) => a * b, 1))]));
}

const device = await watchedDevice();
let model = await load({ device });
const inputs = inputsOf(model);
for (let done = 0; done < runs; ) {
  // Mostly one after another, as most programs do; at times several at once, and at times kept on the GPU.
  const burst = done % 100 === 50 ? Math.min(8, runs - done) : 1;
  if (done % 100 === 99) for (const buffer of Object.values(await model.run(inputs, { outputs: 'gpu' }))) buffer.destroy();
  else await Promise.all(Array.from({ length: burst }, () => model.run(inputs)));
  for (let i = 0; i < burst; i++) if (++done % Math.floor(runs / 10) === 0) await point('runs', done);
}
model.destroy();
for (let done = 1; done <= loads; done++) {
  const own = done % 10 === 0 ? await watchedDevice() : device;
  model = await load({ device: own });
  const flying = [model.run(inputs), model.run(inputs)];
  if (done % 3 !== 0) await Promise.all(flying);
  model.destroy();
  await Promise.allSettled(flying);
  destroyed.push(new WeakRef(model));
  model = undefined;
  if (own !== device) own.destroy();
  if (done % Math.floor(loads / 10) === 0) await point('loads', done);
}

if (options.json) console.log(JSON.stringify({ runs, loads, errors, points }, null, 2));
else {
  const mega = (bytes) => (bytes / 1e6).toFixed(2).padStart(10);
  console.log('phase      done   heap MB  arrays MB     RSS MB  GPU resources  GPU MB   (made so far)  destroyed models held');
  for (const p of points) console.log(`${p.phase} ${String(p.done).padStart(9)}${mega(p.heapBytes)}${mega(p.externalBytes)} ${mega(p.rssBytes)} ${String(p.gpuResources).padStart(14)}${mega(p.gpuBytes)} ${String(p.gpuResourcesMade).padStart(11)} ${String(p.modelsHeld).padStart(12)}`);
  for (const message of errors) console.log(`WebGPU: ${message}`);
}
process.exit(errors.length > 0 ? 1 : 0);
