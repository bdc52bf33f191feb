// From `load` to the first result of a package, phase by phase. Needs the package's folder and the npm package `webgpu`.
// Usage: node bench/first-result.mjs FOLDER [--times N] [--own-device] [--json]
//
// Weights and inputs are in memory before the clock starts. The adapter and the device are requested before too, each
// timed by itself, unless --own-device leaves them to `load`. Every measurement is a process of its own, since drivers keep
// compiled kernels in memory; what they keep on disk stays (NVIDIA: __GL_SHADER_DISK_CACHE=0 leaves it out).
// Phases overlap: each is told by when it ended, in milliseconds since `load` was called, beside how long it was at work.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const USAGE = 'usage: node bench/first-result.mjs FOLDER [--times N] [--own-device] [--json]';
const args = process.argv.slice(2);
const flag = (name) => args.includes(name) && args.splice(args.indexOf(name), 1).length > 0;
const [one, json, ownDevice] = [flag('--one'), flag('--json'), flag('--own-device')];
const times = args.includes('--times') ? Number(args.splice(args.indexOf('--times'), 2)[1]) : 5;
if (args.length !== 1 || !(times >= 1)) throw new Error(USAGE);
const folder = resolve(args[0]);

if (one) await measure();
else report();

/** Wraps a function so that its calls are counted and timed, to the end of what it promises. */
function watch(object, name, into) {
  const original = object[name].bind(object);
  into[name] = { calls: 0, held: 0, first: undefined, last: 0 };
  object[name] = (...given) => {
    const seen = into[name];
    const start = performance.now();
    seen.first ??= start;
    seen.calls++;
    const result = original(...given);
    seen.held += performance.now() - start;
    seen.last = performance.now();
    if (typeof result?.then === 'function') result.then(() => (seen.last = performance.now()), () => {});
    return result;
  };
}

async function measure() {
  const start = performance.now();
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  // Kept from the garbage collector, since Dawn crashes once this is gone.
  const gpu = (globalThis.benchGpu = create([]));
  const before = { 'import webgpu': performance.now() - start };
  const clock = async (name, run) => {
    const from = performance.now();
    const value = await run();
    before[name] = performance.now() - from;
    return value;
  };
  const { load, requirements } = await clock('import package', () => import(pathToFileURL(join(folder, 'index.js')).href));
  const { shards } = JSON.parse(readFileSync(join(folder, 'weights.json'), 'utf8'));
  const weights = shards.map(({ file }) => readFileSync(join(folder, file)));
  const seen = {};
  const watchDevice = (device) => {
    for (const name of ['createShaderModule', 'createComputePipelineAsync', 'createBuffer', 'createBindGroup', 'popErrorScope']) watch(device, name, seen);
    for (const name of ['writeBuffer', 'submit']) watch(device.queue, name, seen);
    return device;
  };
  let adapter;
  let device;
  if (ownDevice) {
    Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
    const requestAdapter = gpu.requestAdapter.bind(gpu);
    gpu.requestAdapter = async (options) => {
      const found = await requestAdapter(options);
      const requestDevice = found.requestDevice.bind(found);
      found.requestDevice = async (descriptor) => watchDevice(await requestDevice(descriptor));
      watch(found, 'requestDevice', seen);
      return found;
    };
    watch(gpu, 'requestAdapter', seen);
  } else {
    adapter = await clock('requestAdapter', () => gpu.requestAdapter({ powerPreference: 'high-performance' }));
    device = watchDevice(await clock('requestDevice', () => adapter.requestDevice(requirements)));
  }
  watch(crypto.subtle, 'digest', seen);
  let readAll = 0;
  let kernelsDone = 0;
  const onProgress = ({ phase, loaded, total }) => {
    if (phase === 'weights' && loaded === total) readAll = performance.now();
    if (phase === 'kernels' && loaded === total) kernelsDone = performance.now();
  };

  const zero = performance.now();
  const model = await load({ device, weights, onProgress });
  const loaded = performance.now();
  const { dtypes, inputs } = { dtypes: { f32: Float32Array, i32: Int32Array, bool: Int32Array }, inputs: {} };
  for (const { name, dtype, shape } of model.inputs) inputs[name] = new dtypes[dtype](shape.reduce((a, b) => a * b, 1)).fill(dtype === 'f32' ? 0.25 : 0);
  const ready = performance.now();
  await model.run(inputs);
  const first = performance.now();
  await model.run(inputs);
  const second = performance.now();

  const phases = Object.fromEntries(
    Object.entries(seen)
      .filter(([, s]) => s.calls > 0)
      .map(([name, s]) => [name, { calls: s.calls, began: s.first - zero, ended: s.last - zero, held: s.held }]),
  );
  console.log(JSON.stringify({ before, phases, weightsRead: readAll - zero, kernelsReady: kernelsDone - zero, load: loaded - zero, firstRun: first - ready, secondRun: second - first, firstResult: first - ready + loaded - zero }));
  process.exit(0);
}

function report() {
  const results = Array.from({ length: times }, () => {
    const more = ownDevice ? ['--own-device'] : [];
    const { stdout, stderr, status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), folder, '--one', ...more], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  });
  if (json) return console.log(JSON.stringify(results, null, 2));
  const middle = (pick) => results.map(pick).sort((a, b) => a - b)[results.length >> 1].toFixed(1).padStart(9);
  console.log(`medians of ${times} processes, ms\n`);
  for (const name of Object.keys(results[0].before)) console.log(`${name.padEnd(28)}${middle((r) => r.before[name])}   before the clock starts`);
  console.log(`\n${''.padEnd(28)}    began     ended   held JavaScript for`);
  for (const name of Object.keys(results[0].phases)) {
    console.log(`${`${name} x ${results[0].phases[name].calls}`.padEnd(28)}${middle((r) => r.phases[name].began)} ${middle((r) => r.phases[name].ended)} ${middle((r) => r.phases[name].held)}`);
  }
  console.log('');
  for (const name of ['weightsRead', 'kernelsReady', 'load', 'firstRun', 'secondRun', 'firstResult']) console.log(`${name.padEnd(28)}${middle((r) => r[name])}`);
}
