/** `vitc verify`: seeded weights and inputs through a compiled model, compared with a golden. */
import { Command } from 'commander';
import { parametersOf, type ParamReader } from '../../compile.ts';
import { error } from '../../diagnostics.ts';
import { sameShape, type Graph } from '../../graph.ts';
import { TOLERANCES, difference, subsample, within, type Difference, type Golden } from '../../weights/golden.ts';
import { CliError, EXIT } from '../errors.ts';
import { evaluatorExecutor, openExecutor, type Values } from '../executor.ts';
import { openGolden } from '../goldens.ts';
import { findModel, graphOf } from '../model.ts';
import { deviceOption, dtypeOption, inputsOption, jsonOption, setOption, storageOptions, targetOption, tuningOption, type StorageOptions, type CommandMaker } from '../options.ts';
import { color, plain, print, progress, say, table } from '../terminal.ts';
import { openTuning, refuseTuningOnCpu } from '../tuning.ts';

interface OutputResult extends Difference {
  readonly pass: boolean;
  readonly shape: readonly number[];
  /** The error of the reference evaluator in float32, or with weights, contractions and f16 inputs rounded to half. */
  readonly evaluator?: Difference;
  /** Over the tolerance, and so is the evaluator: the output is no further off than HONEST_FACTOR times that. */
  readonly limitedByType?: boolean;
}

/** Two honest computations that round at other places differ by about this. */
const HONEST_FACTOR = 2;

export const verifyCommand: CommandMaker = (setExit) =>
  new Command('verify')
    .description('compare a model with a golden: seeded weights and inputs, outputs of a reference implementation')
    .argument('<file>', 'FILE.vit, FILE.vit#preset, or a preset of the zoo')
    .requiredOption('--golden <file>', 'the golden, NAME.json with NAME.safetensors beside it')
    .addOption(setOption())
    .addOption(dtypeOption())
    .addOption(inputsOption())
    .addOption(targetOption())
    .addOption(tuningOption())
    .addOption(deviceOption())
    .option('--precision <type>', 'with --device cpu: the evaluator\'s arithmetic, f32 or f64', 'f32')
    .option('--honest', 'show the reference evaluator\'s own float32 error beside: what float32 itself can reach')
    .addOption(jsonOption())
    .action(async (argument: string, options) => {
      const storage = storageOptions(options);
      if (options.device === 'cpu') refuseTuningOnCpu(options.tuning);
      const tuning = openTuning(options.tuning);
      const model = findModel(argument);
      const { golden, output, weights: read, batch } = openGolden(options.golden);
      const graph = graphOf(model, { set: options.set, batch });
      requireSameModel(graph, golden);
      const inputs = Object.fromEntries([...golden.inputs].map(([name, input]) => [name, input.data])) as Record<string, Values>;

      const bar = progress('evaluating');
      const executor =
        options.device === 'cpu'
          ? evaluatorExecutor(graph, read, options.precision === 'f64' ? 'f64' : 'f32', bar.update)
          : await openExecutor(graph, read, { device: options.device, ...storage, targetName: options.target, tuning });
      const outputs = await executor.run(inputs);
      const tolerance = TOLERANCES[options.dtype as 'f32' | 'f16'];
      const compare = (all: typeof outputs, name: string): Difference =>
        difference(subsample(all[name].data, all[name].shape, golden.outputs.get(name)!)!.values, output(name));
      const differences = new Map([...golden.outputs.keys()].map((name) => [name, compare(outputs, name)]));
      const over = [...differences.values()].some((d) => !within(d, tolerance));
      // A deep model may amplify rounding beyond the tolerance whoever computes it; then the type's own error is the measure.
      const needsHonest = options.honest || (over && options.device !== 'cpu');
      const type = options.dtype === 'f16' ? 'half storage' : 'float32';
      const evaluated = options.inputs === 'f16' ? `${type} and inputs` : type;
      if (needsHonest && over) say(`over the tolerance: evaluating in plain ${evaluated} for comparison`);
      const honest = needsHonest ? await honestExecutor(graph, read, storage, bar.update).run(inputs) : undefined;
      bar.stop();

      const results: Record<string, OutputResult> = {};
      for (const [name, d] of differences) {
        const own = honest && compare(honest, name);
        const limited = !within(d, tolerance) && own !== undefined && !within(own, tolerance) && within(d, { relative: HONEST_FACTOR * own.relative, maxOverStd: HONEST_FACTOR * own.maxOverStd });
        results[name] = { ...d, pass: within(d, tolerance) || limited, shape: golden.outputs.get(name)!, ...(own && { evaluator: own, limitedByType: limited }) };
      }
      const pass = Object.values(results).every((r) => r.pass);
      if (options.json) print(JSON.stringify({ model: graph.name, golden: golden.name, device: executor.description, dtype: options.dtype, ...(options.inputs === 'f16' && { inputs: 'f16' }), tolerance, outputs: results, pass }, null, 2));
      else {
        say(`${graph.name} on ${executor.description}, ${options.dtype}${options.inputs === 'f16' ? ', f16 inputs' : ''}, against ${plain(golden.source)}`);
        const number = (x: number) => x.toExponential(2);
        const header = ['output', 'shape', 'relative error', 'largest / std', ...(honest ? [`evaluator, ${evaluated}`, 'largest / std'] : []), ''];
        const rows = Object.entries(results).map(([name, r]) => [
          plain(name),
          `[${r.shape.join(', ')}]`,
          number(r.relative),
          number(r.maxOverStd),
          ...(r.evaluator ? [number(r.evaluator.relative), number(r.evaluator.maxOverStd)] : []),
          r.limitedByType ? color.yellow(`pass at ${type}'s own error`) : r.pass ? color.green('pass') : color.red('FAIL'),
        ]);
        print(table([header, ...rows], new Set([2, 3, ...(honest ? [4, 5] : [])])));
        if (!pass) say(`the tolerance is ${tolerance.relative} relative, ${tolerance.maxOverStd} of the standard deviation; \`vitc trace\` finds the first layer that differs`);
      }
      executor.close();
      if (!pass) setExit(EXIT.no);
    });

/** Plain float32; or double precision with half storage, of inputs too where they are given so, which is all that storing so must cost. */
function honestExecutor(graph: Graph, read: ParamReader, storage: StorageOptions, onProgress: (done: number, total: number) => void) {
  return evaluatorExecutor(graph, read, storage.dtype === 'f32' ? 'f32' : 'f64', onProgress, storage);
}

/** Every difference of names and shapes between a model and a golden, at once. */
function requireSameModel(graph: Graph, golden: Golden): void {
  const notes: string[] = [];
  const ours = new Map(parametersOf(graph).map((p) => [p.name, p.shape]));
  for (const [name, shape] of golden.parameters) {
    const own = ours.get(name);
    // A tied parameter is declared once, under its first name.
    if (!own && golden.seedName.has(name) && ours.has(golden.seedName.get(name)!)) continue;
    if (!own) notes.push(`parameter ${name} [${shape.join(', ')}] is missing in the model`);
    else if (!sameShape(own, shape)) notes.push(`parameter ${name} is [${own.join(', ')}] in the model, [${shape.join(', ')}] in the golden`);
  }
  for (const name of ours.keys()) if (!golden.parameters.has(name)) notes.push(`parameter ${name} is not in the golden`);
  for (const { name, node } of graph.inputs) {
    const input = golden.inputs.get(name);
    const { shape, dtype } = graph.nodes[node];
    if (!input) notes.push(`input ${name} is not in the golden`);
    else if (!sameShape(input.shape, shape) || input.dtype !== dtype) notes.push(`input ${name} is ${dtype}[${shape.join(', ')}] in the model, ${input.dtype}[${input.shape.join(', ')}] in the golden`);
  }
  for (const name of golden.inputs.keys()) if (!graph.inputs.some((i) => i.name === name)) notes.push(`input ${name} is missing in the model`);
  for (const [name, shape] of golden.outputs) {
    const output = graph.outputs.find((o) => o.name === name);
    const own = output && graph.nodes[output.node].shape;
    if (!own) notes.push(`output ${name} is missing in the model`);
    else if (!subsample(new Float32Array(own.reduce((a, b) => a * b, 1)), own, shape)) notes.push(`output ${name} is [${own.join(', ')}] in the model, [${shape.join(', ')}] in the golden`);
  }
  if (notes.length > 0) {
    const more = notes.length - 30;
    throw new CliError(error('E0804', `${graph.name} is not the model of the golden ${golden.name}`, undefined, { notes: more > 0 ? [...notes.slice(0, 30), `and ${more} more`] : notes }));
  }
}

