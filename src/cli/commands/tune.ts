/** `vitc tune`: measures schedules of a model's kernels on the device at hand and writes the fastest. */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { error } from '../../diagnostics.ts';
import { WEB } from '../../targets.ts';
import { TUNING_FORMAT, TUNING_VERSION, type TunedKernel, type Tuning } from '../../tuning.ts';
import { openDevice } from '../devices.ts';
import { CliError, EXIT } from '../errors.ts';
import { compileOrFail } from '../executor.ts';
import { packageVersion } from '../files.ts';
import { findModel, graphOf } from '../model.ts';
import { batchOption, deviceOption, dtypeOption, inputsOption, jsonOption, positiveInteger, setOption, storageOptions, targetOption, type CommandMaker } from '../options.ts';
import { writeWhole } from '../outputs.ts';
import { print, progress, say, table } from '../terminal.ts';
import { tuneKernels, type KernelResult } from '../tuner.ts';
import { openTuning } from '../tuning.ts';

export const tuneCommand: CommandMaker = () =>
  new Command('tune')
    .description("measure schedules of a model's kernels on the device at hand, and write the fastest for --tuning")
    .argument('<model>', 'FILE.vit, FILE.vit#preset, or a preset of the zoo')
    .option('-o, --output <file>', 'where to write them; kernels of other models that are there stay', 'tuning.json')
    .option('--seconds <n>', 'how long to search, all kernels together', positiveInteger, 120)
    .addOption(setOption())
    .addOption(batchOption())
    .addOption(dtypeOption())
    .addOption(inputsOption())
    .addOption(targetOption().default('native', 'what the device offers'))
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (argument: string, options) => {
      const storage = storageOptions(options);
      // A file that cannot be added to is told before anything is measured.
      const before = existsSync(options.output) ? openTuning(options.output)!.tuning : undefined;
      const opened = await openDevice(options.device);
      if (opened.kind === 'cpu') throw new CliError(error('E0905', 'the evaluator has no schedules to measure'), EXIT.usage);
      if (before && before.device !== opened.description)
        throw new CliError(error('E0905', `${options.output} was measured on ${before.device}, this is ${opened.description}`, undefined, { help: 'name another file with -o' }), EXIT.usage);
      const graph = graphOf(findModel(argument), { set: options.set, batch: options.batch });
      const target = options.target === 'web' ? WEB : opened.target;
      const { plan } = compileOrFail(graph, { ...storage, target });
      const calls = plan.kernels.map((_, i) => plan.steps.filter((s) => s.kernel === i).length);
      say(`measuring schedules of ${plan.kernels.length} kernels on ${opened.description}; Ctrl-C ends early and keeps what was found`);

      let stopped = false;
      const stop = (): void => {
        stopped = true;
      };
      const signals = ['SIGINT', 'SIGTERM'] as const;
      for (const signal of signals) process.on(signal, stop);
      const results: KernelResult[] = [];
      const save = (): void => writeWhole(options.output, `${JSON.stringify(merged(before, results, opened.description), null, 1)}\n`);
      const bar = progress('tuning');
      const start = performance.now();
      const tick = (): void => bar.update(Math.min(performance.now() - start, 1000 * options.seconds), 1000 * options.seconds);
      try {
        await tuneKernels(plan.kernels.map((planned, i) => ({ planned, calls: calls[i] })), {
          opened: { ...opened, target },
          seconds: options.seconds,
          stopped: () => stopped,
          onMeasured: tick,
          onKernel: (result) => {
            results.push(result);
            save();
          },
        });
      } finally {
        bar.stop();
        for (const signal of signals) process.off(signal, stop);
      }
      for (const { kernel, wrong } of results) for (const schedule of wrong) say(`warning: ${kernel} computes something else as ${JSON.stringify(schedule)}; please report it with the model`);
      if (results.length === 0) throw new CliError(error('E0905', `nothing was measured in ${stopped ? 'the time until it was stopped' : `${options.seconds} s`}`, undefined, { help: 'give it longer: --seconds N' }));
      if (options.json) print(JSON.stringify(merged(undefined, results, opened.description), null, 2));
      else printSummary(results, plan.kernels.length);
      say(`wrote ${options.output}: compile, run, verify, bench, report and others take it with --tuning ${options.output}`);
    });

/** What was there with what was found, the latest of each kernel, in an order that changes little. */
function merged(before: Tuning | undefined, results: readonly KernelResult[], device: string): Tuning {
  const kernels = new Map<string, TunedKernel>(before?.kernels.map((k) => [k.key, k]));
  for (const { key, kernel, schedule, microseconds, rulesMicroseconds, measured, date } of results) kernels.set(key, { key, kernel, schedule, microseconds, rulesMicroseconds, measured, date });
  const sorted = [...kernels.values()].sort((a, b) => (a.kernel === b.kernel ? (a.key < b.key ? -1 : 1) : a.kernel < b.kernel ? -1 : 1));
  return { format: TUNING_FORMAT, version: TUNING_VERSION, compiler: packageVersion(), device, kernels: sorted };
}

function printSummary(results: readonly KernelResult[], kernels: number): void {
  const rows = results.map((r) => [r.kernel, String(r.calls), r.rulesMicroseconds.toPrecision(4), r.microseconds.toPrecision(4), `${(r.rulesMicroseconds / r.microseconds).toFixed(2)}x`, String(r.measured), r.microseconds < r.rulesMicroseconds ? shortSchedule(r) : 'as the rules choose']);
  print(table([['kernel', 'calls', 'rules, µs', 'tuned, µs', 'faster', 'measured', 'schedule'], ...rows], new Set([1, 2, 3, 4, 5])));
  const total = (time: (r: KernelResult) => number): number => results.reduce((sum, r) => sum + r.calls * time(r), 0);
  const [rules, tuned] = [total((r) => r.rulesMicroseconds), total((r) => r.microseconds)];
  print(`\n${results.length} of ${kernels} kernels, one at a time: ${(rules / 1000).toPrecision(4)} ms a prediction as the rules choose, ${(tuned / 1000).toPrecision(4)} ms tuned`);
}

function shortSchedule({ schedule: { family, ...fields } }: KernelResult): string {
  return `${family} ${Object.entries(fields).map(([name, value]) => (value === true ? name : `${name} ${value}`)).join(' ')}`;
}
