// What a step of a model takes more than the same step again: where its code, its weights or its inputs are not at hand.
// Usage: npm run build && node bench/repeats.mjs PACKAGE [gpu|software]
//
// Runs copies of a compiled package whose steps are repeated, by GPU timestamps, medians over runs and over a kernel's steps:
//   rows    each step three times in a row: as it is, with the weights of the same kernel three steps further on, as it is
//   blocks  each block of steps that repeats twice in a row
// What the second of a row takes less than the first is code (and inputs that were just written); what the third takes
// less is weights. Results mean nothing: a block that runs twice adds its residual twice.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const DIST = new URL('../dist/cli/', import.meta.url);
const { openDevice } = await import(new URL('devices.js', DIST));
const { loadPackage } = await import(new URL('executor.js', DIST));
const { randomInputs } = await import(new URL('measuring.js', DIST));

const [given, device = 'gpu'] = process.argv.slice(2);
if (!given) throw new Error('usage: node bench/repeats.mjs PACKAGE [gpu|software]');
const folder = resolve(given);
/** Milliseconds of work before anything is timed, and runs that are timed. */
const [WARM, RUNS] = device === 'gpu' ? [600, 21] : [0, 2];
/** Steps of a kernel below which its times are not shown. */
const FEW = 4;
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

const { plan } = await import(pathToFileURL(join(folder, 'plan.js')).href);
const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'));
const kernels = plan.steps.map(([kernel]) => kernel);

/** Steps as [step, its number, which repetition]. */
const REPEATED = {
  rows: () =>
    plan.steps.flatMap((step, i) => {
      const same = kernels.flatMap((kernel, j) => (kernel === step[0] ? [j] : []));
      const further = plan.steps[same[(same.indexOf(i) + 3) % same.length]];
      const other = step.map((buffer, place) => (place > 0 && plan.buffers[buffer][0] > 0 ? further[place] : buffer));
      return [[step, i, 0], [other, i, 1], [step, i, 2]];
    }),
  blocks: () => {
    const block = repeatingBlock();
    if (!block) return [];
    const { start, length } = block;
    const times = Math.floor((kernels.length - start) / length);
    const repeats = (b) => kernels.slice(start + b * length, start + (b + 1) * length).join() === kernels.slice(start, start + length).join();
    let blocks = 0;
    while (blocks < times && repeats(blocks)) blocks++;
    const once = (from, to) => plan.steps.slice(from, to).map((step, i) => [step, from + i, 0]);
    const twice = (from) => [0, 1].flatMap((turn) => plan.steps.slice(from, from + length).map((step, i) => [step, from + i, turn]));
    return [...once(0, start), ...Array.from({ length: blocks }, (_, b) => twice(start + b * length)).flat(), ...once(start + blocks * length, kernels.length)];
  },
};

/** The shortest run of at least three kernels that comes four times in a row. */
function repeatingBlock() {
  for (let length = 3; length <= kernels.length / 4; length++) {
    for (let start = 0; start + 4 * length <= kernels.length; start++) {
      if (kernels.slice(start, start + 3 * length).every((kernel, i) => kernel === kernels[start + length + i])) return { start, length };
    }
  }
  return undefined;
}

const opened = await openDevice(device);
const copies = mkdtempSync(join(tmpdir(), 'vitc-repeats-'));
try {
  for (const [name, make] of Object.entries(REPEATED)) {
    const steps = make();
    if (steps.length === 0) {
      console.log(`${name}: no block of steps comes four times in a row`);
      continue;
    }
    const copy = join(copies, name);
    cpSync(folder, copy, { recursive: true });
    writeFileSync(join(copy, 'plan.js'), `export const plan = ${JSON.stringify({ ...plan, steps: steps.map(([step]) => step), parts: [steps.length] })};\n`);
    writeFileSync(join(copy, 'report.json'), JSON.stringify({ ...report, steps: steps.map(([, i]) => report.steps[i]) }));
    const { model, inputs: ports } = await loadPackage(copy, opened);
    const inputs = randomInputs(ports);
    for (const end = performance.now() + WARM; performance.now() < end; ) await model.run(inputs);
    const runs = [];
    for (let i = 0; i < RUNS; i++) runs.push((await model.profile(inputs)).kernels.map((k) => 1e3 * k.milliseconds));
    const times = new Map();
    steps.forEach(([[kernel], , turn], i) => {
      const turns = times.get(kernel) ?? times.set(kernel, [[], [], []]).get(kernel);
      turns[turn].push(median(runs.map((run) => run[i])));
    });
    console.log(`${name}: µs of each repetition`);
    for (const [kernel, turns] of times) {
      if (turns[0].length >= FEW) console.log(`  ${plan.kernels[kernel].id.padEnd(44)} x ${String(turns[0].length).padStart(3)}${turns.filter((t) => t.length > 0).map((t) => median(t).toFixed(1).padStart(10)).join('')}`);
    }
    model.destroy();
  }
} finally {
  rmSync(copies, { recursive: true, force: true });
}
process.exit(0);
