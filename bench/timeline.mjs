// Where the time of a whole call goes on the processor's side: when each submit begins and ends, when the next run is
// recorded, when the outputs are there. Usage: npm run build && node bench/timeline.mjs PACKAGE... [--device software]
//
// Calls follow each other at once, as `vitc bench` makes them. Microseconds from the start of a call, medians of many:
//   upload     inputs are read and on their way, the first submit begins
//   submit N   the N-th submit has returned
//   recorded   the next run's commands are there
//   mapped     the GPU is done, and the event loop knows
//   done       the caller has its outputs
// `recorded` before `mapped`: the GPU is what a call waits for; close to it: the processor is.
import { resolve } from 'node:path';

const DIST = new URL('../dist/cli/', import.meta.url);
const { openDevice } = await import(new URL('devices.js', DIST));
const { loadPackage } = await import(new URL('executor.js', DIST));
const { randomInputs } = await import(new URL('measuring.js', DIST));

const args = process.argv.slice(2);
const at = args.indexOf('--device');
const [, device = 'gpu'] = at < 0 ? [] : args.splice(at, 2);
if (args.length === 0) throw new Error('usage: node bench/timeline.mjs PACKAGE... [--device software]');
const [WARM, RUNS] = device === 'gpu' ? [800, 400] : [2, 5];
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

let marks = [];
let start = 0;
let submits = 0;
const mark = (name) => marks.push([name, 1000 * (performance.now() - start)]);
/** Wraps a method of WebGPU, wherever its objects come from. */
function watch(type, method, around) {
  const { prototype } = globalThis[type];
  const plain = prototype[method];
  prototype[method] = function (...given) { return around(() => plain.apply(this, given)); };
}

for (const folder of args) {
  const opened = await openDevice(device);
  if (folder === args[0]) {
    watch('GPUQueue', 'submit', (call) => {
      if (submits === 0) mark('upload');
      call();
      mark(`submit ${++submits}`);
    });
    watch('GPUCommandEncoder', 'finish', (call) => { const made = call(); mark('recorded'); return made; });
    watch('GPUBuffer', 'mapAsync', (call) => { const waiting = call(); waiting.then(() => mark('mapped'), () => {}); return waiting; });
  }
  const { model, inputs } = await loadPackage(resolve(folder), opened);
  const values = randomInputs(inputs);
  for (let i = 0; i < WARM; i++) await model.run(values);
  const seen = new Map();
  for (let i = 0; i < RUNS; i++) {
    marks = [];
    submits = 0;
    start = performance.now();
    await model.run(values);
    mark('done');
    // The last of each name counts: uploads finish encoders of their own before the first submit.
    for (const [name, time] of new Map(marks)) seen.set(name, [...(seen.get(name) ?? []), time]);
  }
  const times = [...seen].map(([name, list]) => [name, median(list)]).sort((a, b) => a[1] - b[1]);
  console.log(folder.split('/').at(-1).padEnd(28), times.map(([name, time]) => `${name} ${time.toFixed(0)}`).join('  '));
  model.destroy();
}
process.exit(0);
