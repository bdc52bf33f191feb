/**
 * How well predicted times fit measured ones, and the device figures that fit them best.
 *
 *     npm run build
 *     node dist/cli.js report PRESET --measure --batch B --json > FOLDER/PRESET.bB.json    (on the device, for many models)
 *     node bench/fit-cost.mjs FOLDER [--profile nvidia-h200] [--worst 12] [--fit] [--check]
 *
 * Predicts every dispatch of the files anew, by src/report/cost.ts and the profile. Prints for each model the predicted and
 * measured time and the rank correlation (Spearman) of its kernels, one call of each and all calls together, then each
 * family of schedules, then the kernels that miss by most of their model's time. --fit searches the figures of the profile
 * that no data sheet tells. --check fails where a model misses by more than 25% or ranks its kernels below 0.9.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const DIST = new URL('../dist/', import.meta.url);
const { predict } = await import(new URL('report/cost.js', DIST));
const { findProfile } = await import(new URL('cli/reports.js', DIST));

/** Seconds that a dispatch takes longer where it is timed by itself, in a pass with timestamps, than in a whole prediction. */
const TIMED = 1.4e-6;
const LIMIT = { miss: 0.25, rank: 0.9 };

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { profile: { type: 'string', default: 'nvidia-h200' }, worst: { type: 'string', default: '12' }, fit: { type: 'boolean' }, check: { type: 'boolean' } },
});
if (positionals.length !== 1) {
  console.error('usage: node bench/fit-cost.mjs FOLDER [--profile NAME|FILE] [--worst N] [--fit] [--check]');
  process.exit(2);
}
const models = readModels(positionals[0]);
if (models.length === 0) {
  console.error(`${positionals[0]} holds no reports of \`vitc report --measure --json\` with what kernels execute (version 2)`);
  process.exit(2);
}
let profile = findProfile(options.profile);
if (options.fit) profile = fitted(profile);
const failures = show(profile, Number(options.worst));
if (options.check && failures.length > 0) {
  console.error(`\n${failures.join('\n')}`);
  process.exit(1);
}

function readModels(folder) {
  const found = [];
  for (const file of readdirSync(folder).filter((f) => f.endsWith('.json')).sort()) {
    const report = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    if (report.format !== 'vitc-report' || !report.measurement || !report.kernels.every((k) => k.effort)) continue;
    const product = (sizes) => sizes.reduce((a, b) => a * b);
    const steps = report.steps.map((s) => {
      const k = report.kernels[s.kernel];
      const work = { effort: k.effort, workgroups: product(k.workgroups), workgroupSize: product(k.workgroupSize), leastBytes: s.leastLoadBytes + s.leastStoreBytes, memoryBytes: s.memoryBytes };
      return { kernel: s.kernel, id: k.id, family: k.schedule.family, work, measured: s.measuredSeconds };
    });
    found.push({ name: file.slice(0, -'.json'.length), whole: report.measurement.wholeSeconds, sum: report.measurement.seconds, steps });
  }
  return found;
}

/** The kernels of a model with the mean of their calls. */
function kernelsOf({ steps }, figures) {
  const rows = new Map();
  for (const s of steps) {
    const row = rows.get(s.kernel) ?? { id: s.id, family: s.family, calls: 0, predicted: 0, measured: 0, work: s.work };
    row.calls++;
    row.predicted += predict(s.work, figures).total;
    row.measured += s.measured;
    rows.set(s.kernel, row);
  }
  return [...rows.values()].map((r) => ({ ...r, predicted: r.predicted / r.calls, measured: r.measured / r.calls }));
}

function show(figures, worst) {
  const failed = [];
  const all = [];
  console.log(`${figures.name}\n`);
  console.log('model                                 predicted   whole, measured         Spearman: kernels by their time  by that of a call');
  for (const model of models) {
    const kernels = kernelsOf(model, figures);
    const predicted = kernels.reduce((sum, k) => sum + k.predicted * k.calls, 0);
    const miss = predicted / model.whole - 1;
    const rank = spearman(kernels.map((k) => k.predicted * k.calls), kernels.map((k) => k.measured * k.calls));
    const single = spearman(kernels.map((k) => k.predicted), kernels.map((k) => k.measured));
    console.log(`${model.name.padEnd(36)} ${ms(predicted).padStart(9)} ms ${ms(model.whole).padStart(9)} ms ${percent(miss).padStart(6)} ${rank.toFixed(3).padStart(30)} ${single.toFixed(3).padStart(19)}`);
    if (Math.abs(miss) > LIMIT.miss) failed.push(`${model.name} is predicted ${percent(miss)} off`);
    if (rank < LIMIT.rank) failed.push(`${model.name} ranks its kernels at ${rank.toFixed(3)}`);
    for (const k of kernels) all.push({ ...k, model: model.name, share: (k.calls * Math.abs(k.predicted + TIMED - k.measured)) / model.sum });
  }
  console.log('\nfamily           kernels   bias   root mean square (of the ratio)');
  for (const family of [...new Set(all.map((k) => k.family))].sort()) {
    const errors = all.filter((k) => k.family === family).map(error);
    const mean = errors.reduce((a, b) => a + b, 0) / errors.length;
    const square = Math.sqrt(errors.reduce((a, b) => a + b * b, 0) / errors.length);
    console.log(`${family.padEnd(16)} ${String(errors.length).padStart(7)} ${percent(Math.exp(mean) - 1).padStart(6)} ${percent(Math.exp(square) - 1).padStart(8)}`);
  }
  console.log('\nkernels that miss by most of the time of their model: measured, predicted (with what timing adds), of which issue, local, touch, cache, memory, wait; µs');
  for (const k of all.sort((a, b) => b.share - a.share).slice(0, worst)) {
    const p = predict(k.work, figures);
    const parts = [p.issue, p.local, p.touch, p.cache, p.memory, p.wait].map((s) => (1e6 * s).toFixed(1)).join(' ');
    console.log(`${k.model.slice(0, 28).padEnd(28)} ${k.id.slice(0, 40).padEnd(40)} x${String(k.calls).padEnd(3)} ${(1e6 * k.measured).toFixed(1).padStart(7)} ${(1e6 * (k.predicted + TIMED)).toFixed(1).padStart(7)}  (${parts})`);
  }
  return failed;
}

/** Of a kernel by itself, as the logarithm of the ratio. */
function error({ predicted, measured }) {
  return Math.log((predicted + TIMED) / measured);
}

/** Figures that a search may change, and by how much (as the deviation of the logarithm) they may differ from what they were. */
function tunable(figures) {
  return [
    ['dispatch', [figures.dispatch], 0.5],
    ['fetch', [figures.fetch], 1],
    ['latency.memory', [figures.latency.memory], 0.7],
    ['latency.local', [figures.latency.local], 0.7],
    ['latency.barrier', [figures.latency.barrier], 0.7],
    ['cache.bandwidth', [figures.cache.bandwidth], 0.3],
    ['bandwidth', [figures.bandwidth], 0.15],
  ];
}

function withFigures(figures, names, factors) {
  const copy = structuredClone(figures);
  names.forEach(([name], i) => {
    const [group, member] = name.split('.');
    if (member) copy[group][member] *= factors[i];
    else copy[group] *= factors[i];
  });
  return copy;
}

/** Descends one figure at a time, in steps that shrink. */
function fitted(start) {
  const names = tunable(start);
  const loss = (factors) => {
    const figures = withFigures(start, names, factors);
    let sum = 0;
    for (const model of models) {
      for (const k of kernelsOf(model, figures)) {
        const weight = Math.max(0.02, (k.calls * k.measured) / model.sum);
        // Beyond a tenth, errors count by their size and no more by their square.
        sum += 2 * weight * 0.01 * (Math.sqrt(1 + error(k) ** 2 / 0.01) - 1);
      }
    }
    return sum + names.reduce((s, [, , deviation], i) => s + (0.1 * Math.log(factors[i]) / deviation) ** 2, 0);
  };
  let factors = names.map(() => 1);
  let best = loss(factors);
  for (let step = 1.3; step > 1.01; step = 1 + (step - 1) * 0.6) {
    for (let again = true; again; ) {
      again = false;
      for (let i = 0; i < factors.length; i++) {
        for (const by of [step, 1 / step]) {
          const tried = factors.map((f, j) => (i === j ? f * by : f));
          const value = loss(tried);
          if (value < best - 1e-6) {
            best = value;
            factors = tried;
            again = true;
          }
        }
      }
    }
  }
  const figures = withFigures(start, names, factors);
  console.log('figures that fit best:');
  names.forEach(([name, [was]], i) => console.log(`  ${name.padEnd(16)} ${(was * factors[i]).toPrecision(3)} (was ${was.toPrecision(3)})`));
  console.log('');
  return figures;
}

/** Rank correlation; equal values share their mean rank. */
function spearman(a, b) {
  const ranks = (values) => {
    const order = values.map((_, i) => i).sort((i, j) => values[i] - values[j]);
    const found = new Array(values.length);
    for (let from = 0; from < order.length; ) {
      let to = from;
      while (to + 1 < order.length && values[order[to + 1]] === values[order[from]]) to++;
      for (let k = from; k <= to; k++) found[order[k]] = (from + to) / 2;
      from = to + 1;
    }
    return found;
  };
  const [x, y] = [ranks(a), ranks(b)];
  const mean = (a.length - 1) / 2;
  const sum = (f) => x.reduce((total, _, i) => total + f(x[i] - mean, y[i] - mean), 0);
  const spread = Math.sqrt(sum((p) => p * p) * sum((_, q) => q * q));
  return spread === 0 ? 1 : sum((p, q) => p * q) / spread;
}

function ms(seconds) {
  return (1000 * seconds).toFixed(3);
}

function percent(ratio) {
  return `${ratio < 0 ? '' : '+'}${(100 * ratio).toFixed(0)}%`;
}
