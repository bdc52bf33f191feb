/** `vitc bench`: latency, throughput, first run and a table of kernels on the device at hand; several models, and peers, side by side. */
import { appendFileSync, existsSync, statSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { WEB } from '../../targets.ts';
import { gpuState, comparePeers } from '../compare-peers.ts';
import { comparisonMarkdown, comparisonTable, geometricMeans, milliseconds, typesOf, type CaseResult, type ComparisonHead, type Setting } from '../comparison.ts';
import { openDevice, type GpuDevice } from '../devices.ts';
import { CliError, EXIT } from '../errors.ts';
import { error } from '../../diagnostics.ts';
import { loadPackage, packageExecutor } from '../executor.ts';
import { packageVersion } from '../files.ts';
import { reason, writeWhole } from '../outputs.ts';
import { deviceTime, medianOf, randomInputs, timed } from '../measuring.ts';
import { findModel, graphOf, weightsFor } from '../model.ts';
import { type CommandMaker, deviceOption, dtypeOption, jsonOption, positiveInteger, requirePackage, seedOption, setOption, storageOptions, type StorageType, targetOption, tuningOption, weightsOption } from '../options.ts';
import { openTuning } from '../tuning.ts';
import { DEFAULT_PEERS, parsePeers, Peers } from '../peers.ts';
import { formatBytes, formatMilliseconds, print, progress, say, table } from '../terminal.ts';
import { seededWeight } from '../../weights/seeded.ts';
import type { ConfigLiteral } from '../../compile.ts';

interface BenchOptions {
  readonly set?: Readonly<Record<string, ConfigLiteral>>;
  readonly batch: readonly number[];
  readonly dtype: readonly StorageType[];
  readonly inputs?: StorageType;
  readonly weights?: string;
  readonly seed?: number;
  readonly target: string;
  readonly device: Parameters<typeof openDevice>[0];
  readonly seconds: number;
  readonly kernels: number;
  readonly json?: boolean;
  readonly tuning?: string;
  readonly peers?: string | true;
  readonly python: string;
  readonly peerTimeout: number;
  readonly lines?: string;
  readonly markdown?: string;
}

export const benchCommand: CommandMaker = (setExit) =>
  new Command('bench')
    .description('measure latency and throughput of models or a package on a device, beside peers on request')
    .argument('<models...>', "FILE.vit, FILE.vit#preset, presets of the zoo, or a package's folder")
    .addOption(weightsOption())
    .addOption(seedOption())
    .addOption(setOption())
    .addOption(new Option('--batch <n,...>', 'the free dimension B; several are measured one after the other').argParser(listOf(positiveInteger)).default([1], '1'))
    .addOption(new Option('--dtype <type,...>', dtypeOption().description).argParser(listOf(dtype)).default(['f32'], 'f32'))
    .addOption(new Option('--inputs <type>', 'how float inputs are given: f32, or with dtype f16, f16; beside peers f16 there unless told, as peers do, otherwise f32').choices(['f32', 'f16'] satisfies StorageType[]))
    .addOption(targetOption().default('native', 'what the device offers'))
    .addOption(deviceOption())
    .addOption(tuningOption())
    .option('--seconds <n>', 'how long to measure each figure', positiveNumber, 2)
    .option('--kernels <n>', 'how many kernels to list', positiveInteger, 15)
    .option('--peers [list]', `beside what runs the same models here: ${DEFAULT_PEERS.join(',')} unless named; torch-compile and ort-cpu on request`)
    .option('--python <program>', 'the Python that has PyTorch and timm', 'python3')
    .option('--peer-timeout <seconds>', 'how long a peer may take to answer', positiveInteger, 120)
    .option('--lines <file>', 'several models or peers: write each result as a line of JSON as soon as it is there')
    .option('--markdown <file>', 'several models or peers: write the table for a document, again with every result')
    .addOption(jsonOption())
    .action(async (models: string[], options: BenchOptions, command: Command) => {
      if (models.length === 1 && isFolder(models[0])) requirePackage(models[0], command);
      const inputs = inputsOf(options);
      const settings = models.flatMap((model) => options.batch.flatMap((batch) => options.dtype.map((dtype): Setting => ({ model, dtype, inputs: inputs(dtype), batch }))));
      const single = settings.length === 1 && options.peers === undefined && options.lines === undefined && options.markdown === undefined;
      const opened = await openDevice(options.device);
      if (opened.kind === 'cpu') throw new CliError(error('E0905', 'the evaluator defines what is right, not what is fast: it is not measured'), EXIT.usage);
      if (single) await benchOne(settings[0], options, opened);
      else if (!(await benchMany(settings, options, opened))) setExit(EXIT.no);
    });

/** The inputs of each dtype. Peers feed what their model's dtype is, so beside them ours does too; E0905 where f16 inputs would fit no dtype. */
function inputsOf({ dtype: dtypes, inputs, peers }: BenchOptions): (dtype: StorageType) => StorageType {
  if (inputs === 'f16' && !dtypes.includes('f16')) storageOptions({ dtype: dtypes[0], inputs });
  const narrow = inputs === 'f16' || (inputs === undefined && peers !== undefined);
  return (dtype) => (dtype === 'f16' && narrow ? 'f16' : 'f32');
}

/** `1,64`: every part as `parse` takes it. */
function listOf<T>(parse: (text: string) => T): (text: string) => T[] {
  return (text) => text.split(',').map((part) => parse(part.trim()));
}

function dtype(text: string): 'f32' | 'f16' {
  if (text !== 'f32' && text !== 'f16') throw new InvalidArgumentError('f32 or f16 is wanted.');
  return text;
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('a positive number is wanted.');
  return value;
}

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();

async function benchOne(setting: Setting, options: BenchOptions, opened: GpuDevice): Promise<void> {
  say(`measuring on ${opened.description}`);
  const start = performance.now();
  const executor = isFolder(setting.model) ? await loadPackage(setting.model, opened) : await fromSource(setting, options, opened);
  const loadMilliseconds = performance.now() - start;
  const { model } = executor;
  const inputs = randomInputs(executor.inputs);
  const batch = executor.inputs[0]?.shape[0] ?? 1;

  const first = await timed(() => model.run(inputs));
  const whole = await medianOf(options.seconds, () => timed(() => model.run(inputs)));
  const device = await deviceTime(model, options.seconds);
  const profile = model.device.features.has('timestamp-query') ? await model.profile(inputs) : undefined;
  executor.close();
  const result = {
    model: setting.model,
    device: opened.description,
    batch,
    dtype: setting.dtype,
    inputs: executor.inputs.some((port) => port.storage === 'f16') ? 'f16' : 'f32',
    loadMilliseconds,
    firstMilliseconds: first,
    wholeMilliseconds: whole.median,
    wholeRuns: whole.runs,
    deviceMilliseconds: device,
    imagesPerSecond: (1000 * batch) / device,
    kernels: profile?.kernels,
  };
  if (options.json) {
    print(JSON.stringify(result, null, 2));
    return;
  }
  print(`load ${formatMilliseconds(loadMilliseconds)}, first run ${formatMilliseconds(first)}`);
  print(`whole call ${formatMilliseconds(whole.median)} (median of ${whole.runs}), device ${formatMilliseconds(device)}, ${result.imagesPerSecond.toFixed(1)} a second at batch ${batch}`);
  if (!profile) return;
  const rows = profile.kernels
    .map((k) => ({ ...k, share: k.milliseconds / profile.milliseconds }))
    .sort((a, b) => b.milliseconds - a.milliseconds)
    .slice(0, options.kernels)
    .map((k) => [k.kernel, k.scope, formatMilliseconds(k.milliseconds), `${(100 * k.share).toFixed(1)}%`, `${(k.flops / k.milliseconds / 1e6).toFixed(1)} GFLOP/s`, k.issuedBytes === undefined ? '' : formatBytes(k.issuedBytes)]);
  print(`\n${table([['kernel', 'scope', 'time', 'share', 'rate', 'issued'], ...rows], new Set([2, 3, 4, 5]))}`);
  print(`\n${profile.kernels.length} dispatches, ${formatMilliseconds(profile.milliseconds)} of kernels`);
}

async function fromSource({ model: argument, batch, dtype, inputs }: Setting, options: BenchOptions, opened: GpuDevice) {
  const model = findModel(argument);
  const graph = graphOf(model, { set: options.set, batch });
  const read = (await weightsFor(model, graph, options))?.read ?? ((name, shape) => seededWeight(name, shape));
  return packageExecutor({ graph, read, dtype, inputs, target: options.target === 'web' ? WEB : undefined, opened, tuning: openTuning(options.tuning) });
}

/** Whether everything that was asked for and is there was measured. */
async function benchMany(settings: readonly Setting[], options: BenchOptions, opened: GpuDevice): Promise<boolean> {
  const wanted = options.peers === undefined ? [] : options.peers === true ? DEFAULT_PEERS : parsePeers(options.peers);
  const folder = settings.find((s) => isFolder(s.model));
  if (folder) throw new CliError(error('E0905', `${folder.model} is a package: it is measured by itself`, undefined, { help: 'beside others, name the model that it was compiled from' }), EXIT.usage);
  if (Object.keys(options.set ?? {}).length > 0) throw new CliError(error('E0905', '--set is not taken with several models or peers, which know presets only'), EXIT.usage);
  say(`measuring on ${opened.description}`);
  const peers = await Peers.find(wanted, options.python, options.peerTimeout);
  for (const text of peers.missing) say(`note: ${text}`);
  const head: ComparisonHead = {
    format: 'vitc-peers',
    version: 1,
    device: opened.description,
    driver: gpuState('driver_version'),
    date: new Date().toISOString(),
    command: ['vitc', ...process.argv.slice(2)].join(' '),
    versions: { vitc: packageVersion(), node: process.versions.node, ...peers.versions },
    seconds: options.seconds,
  };
  if (options.lines !== undefined) writeWhole(options.lines, `${JSON.stringify(head)}\n`);
  const bar = progress('compiling');
  const start = performance.now();
  const results: CaseResult[] = [];
  const onResult = (result: CaseResult): void => {
    results.push(result);
    if (options.lines !== undefined) appendLine(options.lines, result);
    if (options.markdown !== undefined) writeWhole(options.markdown, comparisonMarkdown(head, results));
    say(`${result.model}, ${typesOf(result)}, batch ${result.batch}: ${result.ours.error ?? `whole ${figure(result.ours.whole)}, device ${figure(result.ours.device)}`}`);
  };
  const compileOptions = ['--target', options.target, ...(options.weights === undefined ? [] : ['--weights', options.weights]), ...(options.seed === undefined ? [] : ['--seed', String(options.seed)]), ...(options.tuning === undefined ? [] : ['--tuning', options.tuning])];
  const onPrepared = (done: number, total: number): void => {
    bar.update(done, total);
    if (done < total) return;
    bar.stop();
    say(`compiled and exported in ${formatMilliseconds(performance.now() - start)}`);
  };
  try {
    await comparePeers({ settings, peers, opened, compileOptions, seconds: options.seconds, onPrepared, onResult });
  } finally {
    bar.stop();
    peers.close();
  }
  print(options.json ? JSON.stringify({ ...head, missing: peers.missing, results, means: geometricMeans(results) }, null, 2) : comparisonTable(results));
  return results.every((r) => r.ours.error === undefined && Object.values(r.peers).every((p) => p.error === undefined));
}

const figure = (timing: CaseResult['ours']['whole']): string => (timing ? `${milliseconds(timing.median)} ms` : '-');

function appendLine(file: string, value: object): void {
  try {
    appendFileSync(file, `${JSON.stringify(value)}\n`);
  } catch (cause) {
    throw new CliError(error('E0902', `cannot write ${file}: ${reason(cause)}`));
  }
}
