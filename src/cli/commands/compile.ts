/** `vitc compile`: a WebGPU package. */
import { Command } from 'commander';
import { packWeights } from '../../compile.ts';
import { compileOrFail, targetNamed } from '../executor.ts';
import { findModel, graphOf, weightsFor } from '../model.ts';
import { batchOption, dtypeOption, inputsOption, seedOption, setOption, storageOptions, targetOption, tuningOption, weightsOption, type CommandMaker } from '../options.ts';
import { writeFolder } from '../outputs.ts';
import { packageFiles } from '../packages.ts';
import { formatBytes, formatMilliseconds, plain, print, progress, say } from '../terminal.ts';
import { openTuning } from '../tuning.ts';

export const compileCommand: CommandMaker = () =>
  new Command('compile')
    .description('compile a model to a WebGPU package')
    .argument('<model>', 'FILE.vit, FILE.vit#preset, or a preset of the zoo')
    .requiredOption('-o, --output <dir>', 'the folder of the package; an older package there is replaced when the new one is whole')
    .addOption(setOption())
    .addOption(batchOption())
    .addOption(dtypeOption())
    .addOption(inputsOption())
    .addOption(targetOption())
    .addOption(weightsOption())
    .addOption(seedOption())
    .addOption(tuningOption())
    .option('--timings', 'tell how long each step took')
    .action(async (argument: string, options) => {
      const storage = storageOptions(options);
      const tuning = openTuning(options.tuning);
      const target = await targetNamed(options.target);
      const steps: [string, number][] = [];
      const timed = <T>(name: string, run: () => T): T => {
        const start = performance.now();
        const value = run();
        steps.push([name, performance.now() - start]);
        return value;
      };
      const model = findModel(argument);
      const graph = timed('elaborate', () => graphOf(model, { set: options.set, batch: options.batch }));
      const compilation = timed('compile', () => compileOrFail(graph, { ...storage, target, tuning }));
      const weights = await timed('open weights', () => weightsFor(model, graph, options));
      const bar = progress('packing weights');
      const shards = weights && timed('pack weights', () => packWeights(compilation, weights.read, bar.update));
      bar.stop();
      const files = timed('emit', () => packageFiles(compilation, shards));
      timed('write', () => writeFolder(options.output, files));
      if (options.timings) for (const [name, ms] of steps) say(`${name.padEnd(13)} ${formatMilliseconds(ms)}`);
      const { plan } = compilation;
      const sizeOf = (content: string | Uint8Array) => (typeof content === 'string' ? Buffer.byteLength(content) : content.byteLength);
      const total = [...files.values()].reduce((sum, content) => sum + sizeOf(content), 0);
      print(`${plain(options.output)}: ${graph.name} for ${target.name}, ${plan.kernels.length} kernels in ${plan.steps.length} dispatches, arena ${formatBytes(plan.arenaBytes)}, ${files.size} files, ${formatBytes(total)}`);
      if (!weights) say('the package has no weights yet: compile again with --weights FILE.safetensors');
    });
