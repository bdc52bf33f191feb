/** `vitc report`: where every byte and every microsecond of a model goes. */
import { Command, InvalidArgumentError } from 'commander';
import { printModule } from '../../codegen/wgsl-print.ts';
import { error } from '../../diagnostics.ts';
import { PROFILES } from '../../profiles.ts';
import { compareReports } from '../../report/compare.ts';
import { reportHtml } from '../../report/html.ts';
import { WEB } from '../../targets.ts';
import { comparisonText } from '../compare-text.ts';
import { openDevice } from '../devices.ts';
import { CliError, EXIT } from '../errors.ts';
import { packageExecutor, targetNamed } from '../executor.ts';
import { writeWhole } from '../outputs.ts';
import { measureSteps } from '../measuring.ts';
import { findModel, graphOf } from '../model.ts';
import { batchOption, deviceOption, dtypeOption, inputsOption, jsonOption, positiveInteger, setOption, setting, storageOptions, targetOption, tuningOption, type StorageOptions, type CommandMaker } from '../options.ts';
import { pageScripts } from '../page-files.ts';
import { findProfile, makeReport, type FullReport } from '../reports.ts';
import { reportText } from '../report-text.ts';
import { print, say } from '../terminal.ts';
import { openTuning, refuseTuning } from '../tuning.ts';
import { seededWeight } from '../../weights/seeded.ts';
import type { ConfigLiteral } from '../../compile.ts';

interface Options extends StorageOptions {
  readonly set: Record<string, ConfigLiteral>;
  readonly batch?: number;
  readonly target: string;
  readonly profile?: string;
  readonly fuse: boolean;
  readonly tuning?: string;
}

export const reportCommand: CommandMaker = () =>
  new Command('report')
    .description('say where every byte of memory traffic goes, what binds each kernel and how long it should take')
    .argument('<model>', 'FILE.vit, FILE.vit#preset, or a preset of the zoo')
    .addOption(setOption())
    .addOption(batchOption())
    .addOption(dtypeOption())
    .addOption(inputsOption())
    .addOption(targetOption())
    .addOption(tuningOption())
    .option('--no-fuse', 'of the plan in which every operation is a dispatch of its own')
    .option('--profile <name>', `device to predict for: ${PROFILES.map((p) => p.name).join(', ')}, or a file that profile-device wrote`)
    .option('--compare <other...>', 'side by side with other models, or the same one otherwise: MODEL, MODEL@batch=64,dtype=f16, @profile=apple-m2, @fuse=false, @set.NAME=VALUE')
    .option('--measure', 'run on the device and put measured times beside the predictions; compiled for what it offers unless --target is given')
    .addOption(deviceOption())
    .option('--rows <n>', 'rows of the longer tables', positiveInteger, 16)
    .addOption(jsonOption())
    .option('--html <file>', 'write the report as one HTML page')
    .action(async (argument: string, options: Options & { compare?: string[]; measure?: boolean; device: Parameters<typeof openDevice>[0]; rows: number; json?: boolean; html?: string }, command: Command) => {
      if (!options.fuse) refuseTuning(options.tuning, 'with --no-fuse every operation is a kernel of its own, with the schedule that the rules choose');
      if (options.measure && options.compare) throw new CliError(error('E0905', '--measure and --compare are not taken together', undefined, { help: 'measure one model at a time' }), EXIT.usage);
      const full = options.measure ? await measuredReport(argument, options, command.getOptionValueSource('target') === 'cli') : await reportOf(argument, options);
      if (options.compare) {
        const others = await Promise.all(options.compare.map(async (spec) => ({ label: spec, report: (await variant(argument, spec, options)).report })));
        const comparison = compareReports([{ label: full.report.model, report: full.report }, ...others.map((o) => ({ ...o, label: o.label.startsWith('@') ? `${full.report.model}${o.label}` : o.label }))]);
        if (options.html !== undefined) writePage(options.html, full, comparison);
        if (options.json || options.html === undefined) print(options.json ? JSON.stringify(comparison, null, 1) : comparisonText(comparison));
        return;
      }
      if (options.html !== undefined) writePage(options.html, full);
      if (options.json || options.html === undefined) print(options.json ? JSON.stringify(full.report, null, 1) : reportText(full.report, { rows: options.rows }));
    });

function writePage(file: string, { report, sources, compilation }: FullReport, comparison?: ReturnType<typeof compareReports>): void {
  const wgsl = compilation.kernels.map((k) => printModule(k.module));
  writeWhole(file, reportHtml({ report, sources, wgsl, comparison }, pageScripts()));
  say(`wrote ${file}`);
}

async function reportOf(argument: string, options: Options): Promise<FullReport> {
  const graph = graphOf(findModel(argument), { set: options.set, batch: options.batch });
  return makeReport({ graph, target: await targetNamed(options.target), ...storageOptions(options), profile: findProfile(options.profile), fuse: options.fuse, tuning: openTuning(options.tuning) });
}

/** `MODEL@name=value,...`; without a model, the first one's. */
async function variant(first: string, spec: string, options: Options): Promise<FullReport> {
  if (spec === '') throw new CliError(error('E0905', '--compare names nothing', undefined, { help: 'MODEL, or @batch=64 for the same model otherwise' }), EXIT.usage);
  const at = spec.indexOf('@');
  const model = at < 0 ? spec : spec.slice(0, at);
  let changed: Options = model === '' || model === first ? options : { ...options, set: {} };
  for (const part of at < 0 ? [] : spec.slice(at + 1).split(',')) changed = change(changed, part);
  return reportOf(model === '' ? first : model, changed);
}

function change(options: Options, part: string): Options {
  const [name, ...rest] = part.split('=');
  const value = rest.join('=');
  const wrong = (wanted: string): CliError => new CliError(error('E0905', `--compare does not take ${JSON.stringify(part)}: ${wanted}`), EXIT.usage);
  const parsed = <T>(parse: () => T): T => {
    try {
      return parse();
    } catch (failure) {
      if (failure instanceof InvalidArgumentError) throw wrong(failure.message);
      throw failure;
    }
  };
  if (name.startsWith('set.')) return { ...options, set: parsed(() => setting(part.slice(4), options.set)) };
  switch (name) {
    case 'batch':
      return { ...options, batch: parsed(() => positiveInteger(value)) };
    case 'dtype':
      if (value !== 'f32' && value !== 'f16') throw wrong('a dtype is f32 or f16');
      return { ...options, dtype: value };
    case 'inputs':
      if (value !== 'f32' && value !== 'f16') throw wrong('inputs are f32 or f16');
      return { ...options, inputs: value };
    case 'target':
      if (value !== 'web' && value !== 'native') throw wrong('a target is web or native');
      return { ...options, target: value };
    case 'profile':
      return { ...options, profile: value };
    case 'fuse':
      if (value !== 'true' && value !== 'false') throw wrong('fuse is true or false');
      return { ...options, fuse: value === 'true' };
    default:
      throw wrong('names are batch, dtype, inputs, target, profile, fuse and set.NAME');
  }
}

/** Runs the package that users get, for what the device offers unless a target is given, with seeded weights: values change no time. */
async function measuredReport(argument: string, options: Options & { readonly device: Parameters<typeof openDevice>[0] }, given: boolean): Promise<FullReport> {
  const opened = await openDevice(options.device);
  if (opened.kind === 'cpu') throw new CliError(error('E0905', 'the evaluator defines what is right, not what is fast: it is not measured'), EXIT.usage);
  if (!options.fuse) throw new CliError(error('E0905', '--measure runs the compiled plan: it is not taken with --no-fuse'), EXIT.usage);
  say(`measuring on ${opened.description}`);
  const graph = graphOf(findModel(argument), { set: options.set, batch: options.batch });
  const target = given && options.target === 'web' ? WEB : opened.target;
  const executor = await packageExecutor({ graph, read: (name, shape) => seededWeight(name, shape), ...storageOptions(options), target, opened, tuning: openTuning(options.tuning) });
  try {
    const measured = await measureSteps(executor);
    if (!measured) throw new CliError(error('E0905', `${opened.description} has no timestamps, so that its dispatches cannot be timed`), EXIT.noDevice);
    const profile = findProfile(options.profile ?? (opened.kind === 'software' ? 'swiftshader-2' : PROFILES.find((p) => opened.description.toLowerCase().startsWith(p.name))?.name));
    return makeReport({ graph, target, ...storageOptions(options), profile, measured, compilation: executor.compilation });
  } finally {
    executor.close();
  }
}
