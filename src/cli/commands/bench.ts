/** `vitc bench`: latency, throughput, first run and a table of kernels on the device at hand. */
import { existsSync, statSync } from 'node:fs';
import { WEB } from '../../targets.ts';
import { openDevice } from '../devices.ts';
import { CliError, EXIT } from '../errors.ts';
import { error } from '../../diagnostics.ts';
import { loadPackage, packageExecutor } from '../executor.ts';
import { deviceTime, medianOf, randomInputs, timed } from '../measuring.ts';
import { findModel, graphOf, weightsFor } from '../model.ts';
import { type CommandMaker, deviceCommand, jsonOption, positiveInteger } from '../options.ts';
import { formatBytes, formatMilliseconds, print, say, table } from '../terminal.ts';
import { seededWeight } from '../../weights/seeded.ts';

export const benchCommand: CommandMaker = () =>
  deviceCommand('bench')
    .description('measure latency and throughput of a model or a package on a device')
    .argument('<model>', "FILE.vit, FILE.vit#preset, a preset of the zoo, or a package's folder")
    .option('--seconds <n>', 'how long to measure each figure', positiveInteger, 2)
    .option('--kernels <n>', 'how many kernels to list', positiveInteger, 15)
    .addOption(jsonOption())
    .action(async (argument: string, options) => {
      const opened = await openDevice(options.device);
      if (opened.kind === 'cpu') throw new CliError(error('E0905', 'the evaluator defines what is right, not what is fast: it is not measured'), EXIT.usage);
      say(`measuring on ${opened.description}`);
      const start = performance.now();
      const executor = existsSync(argument) && statSync(argument).isDirectory() ? await loadPackage(argument, opened) : await fromSource(argument, options, opened);
      const loadMilliseconds = performance.now() - start;
      const { model } = executor;
      const inputs = randomInputs(executor.inputs);
      const batch = executor.inputs[0]?.shape[0] ?? 1;

      const first = await timed(() => model.run(inputs));
      const whole = await medianOf(options.seconds, () => timed(() => model.run(inputs)));
      const device = await deviceTime(model, options.seconds, whole.median);
      const profile = model.device.features.has('timestamp-query') ? await model.profile(inputs) : undefined;
      executor.close();
      const result = {
        model: argument,
        device: opened.description,
        batch,
        dtype: options.dtype,
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
    });

interface BenchOptions {
  readonly set?: Record<string, never>;
  readonly batch?: number;
  readonly weights?: string;
  readonly seed?: number;
  readonly dtype: 'f32' | 'f16';
  readonly target: string;
}

async function fromSource(argument: string, options: BenchOptions, opened: Parameters<typeof loadPackage>[1]) {
  const model = findModel(argument);
  const graph = graphOf(model, { set: options.set, batch: options.batch });
  const read = (await weightsFor(model, graph, options))?.read ?? ((name, shape) => seededWeight(name, shape));
  return packageExecutor({ graph, read, dtype: options.dtype, target: options.target === 'web' ? WEB : undefined, opened });
}
