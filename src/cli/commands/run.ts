/** `vitc run`: pictures or tensors through a model. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { pictureToTensor } from '../../codegen/runtime/image.ts';
import { hasErrors, error, type Diagnostic } from '../../diagnostics.ts';
import { sizeOf, type GraphOutput } from '../../graph.ts';
import { writeSafetensors, type TensorToWrite } from '../../weights/safetensors.ts';
import { openDevice, type OpenDevice } from '../devices.ts';
import { CliError, EXIT } from '../errors.ts';
import { evaluatorExecutor, loadPackage, packageExecutor, type Executor, type InputPort, type OutputTensor, type Values } from '../executor.ts';
import { openSafetensors, summarize, writeWhole } from '../files.ts';
import { findPictures, type PictureSource } from '../images.ts';
import { labelSet } from '../labels.ts';
import { findModel, graphOf, requiredWeights } from '../model.ts';
import { batchOption, collect, deviceOption, dtypeOption, jsonOption, nonNegativeInteger, positiveInteger, seedOption, setOption, targetOption, weightsOption, type CommandMaker } from '../options.ts';
import { WEB } from '../../targets.ts';
import { bars, best } from '../results.ts';
import { color, formatMilliseconds, print, printDiagnostics, progress, say } from '../terminal.ts';

type Labels = ReadonlyMap<string, readonly string[]>;

/** Something to run, however it was named. */
interface Session {
  readonly name: string;
  readonly executor: Executor;
  readonly labels: Labels;
  readonly written: readonly string[];
}

export const runCommand: CommandMaker = (setExit) =>
  new Command('run')
    .description('run a model or a compiled package on pictures or tensors')
    .argument('<model>', "FILE.vit, FILE.vit#preset, a preset of the zoo, or a package's folder")
    .option('--image <path>', 'a picture, a folder of pictures, or a safetensors file with `images`, u8 [n, height, width, 3]; may be repeated', collect)
    .option('--input <name=file>', 'an input tensor: the tensor NAME of a safetensors file, or its only one; may be repeated', collect)
    .addOption(weightsOption())
    .addOption(seedOption())
    .addOption(setOption())
    .addOption(batchOption())
    .addOption(dtypeOption())
    .addOption(targetOption().default('native', "what the device offers"))
    .addOption(deviceOption())
    .option('--top <n>', 'how many classes to show', positiveInteger, 5)
    .option('--repeat <n>', 'run again so often and tell the median time', nonNegativeInteger, 0)
    .option('--output <file>', 'write the outputs to a safetensors file')
    .option('--keep <dir>', 'keep the compiled package in this folder')
    .addOption(jsonOption())
    .action(async (argument: string, options) => {
      const pictures: PictureSource[] = (options.image ?? []).flatMap(findPictures);
      const opened = await openDevice(options.device);
      const session = await open(argument, options, opened, pictures.length);
      const { executor } = session;
      say(`running on ${executor.description}`);
      const tensors = readTensors(executor.inputs, options.input ?? []);
      const pictureInput = executor.inputs.find((i) => i.image && !tensors.has(i.name));
      if (pictures.length > 0 && !pictureInput) throw new CliError(error('E0811', `${session.name} takes no picture`, undefined, { help: `its inputs: ${executor.inputs.map((i) => i.name).join(', ')}` }));
      const missing = executor.inputs.filter((i) => !tensors.has(i.name) && !(i === pictureInput && pictures.length > 0));
      if (missing.length > 0)
        throw new CliError(
          error('E0812', `no value for the input ${missing.map((i) => `${i.name}: ${i.dtype}[${i.shape.join(', ')}]`).join(', ')}`, undefined, { help: missing[0].image ? '--image PICTURE' : `--input ${missing[0].name}=FILE.safetensors` }),
          EXIT.usage,
        );

      const collected = new Map<string, { shape: number[]; chunks: ArrayLike<number>[]; dtype: string }>();
      const keepOutputs = (outputs: Readonly<Record<string, OutputTensor>>, rows: number, batch: number) => {
        for (const [name, { shape, data, dtype }] of Object.entries(outputs)) {
          const entry = collected.get(name) ?? { shape: [0, ...shape.slice(1)], chunks: [], dtype };
          const kept = shape[0] === batch ? rows : shape[0];
          entry.shape[0] += kept;
          entry.chunks.push(Array.prototype.slice.call(data, 0, (data.length / (shape[0] ?? 1)) * kept));
          collected.set(name, entry);
        }
      };
      const problems: Diagnostic[] = [];
      const rowsJson: object[] = [];
      const times: number[] = [];
      const timed = async (inputs: Record<string, Values>) => {
        let outputs = {} as Readonly<Record<string, OutputTensor>>;
        for (let i = 0; i <= options.repeat; i++) {
          const start = performance.now();
          outputs = await executor.run(inputs);
          times.push(performance.now() - start);
        }
        return outputs;
      };
      const given = Object.fromEntries(tensors);
      const show = (name: string, outputs: Readonly<Record<string, OutputTensor>>, row: number, many: boolean) => {
        const result: Record<string, object> = {};
        for (const [output, { shape, data }] of Object.entries(outputs)) {
          const labels = session.labels.get(output);
          if (!labels || shape.length !== 2) continue;
          const scores = best(Array.prototype.slice.call(data, row * shape[1], (row + 1) * shape[1]), options.top, labels);
          result[output] = scores;
          if (options.json) continue;
          if (many) print(`${name}  ${scores[0].label}  ${(100 * scores[0].probability).toFixed(1)}%`);
          else print(`\n${color.bold(name)}\n${bars(scores)}\n`);
        }
        rowsJson.push({ picture: name, ...result });
      };

      if (pictures.length === 0) {
        const outputs = await timed(given);
        const first = Object.values(outputs)[0];
        keepOutputs(outputs, first?.shape[0] ?? 0, first?.shape[0] ?? 0);
        for (const [name, { shape, data, dtype }] of Object.entries(outputs)) {
          const few = Array.from({ length: Math.min(4, data.length) }, (_, i) => data[i].toPrecision(6)).join(', ');
          if (!options.json) print(`${name}: ${dtype}[${shape.join(', ')}]  ${few}${data.length > 4 ? ', …' : ''}`);
        }
        if (!options.json) for (let row = 0; row < (first?.shape[0] ?? 0); row++) show(`row ${row}`, outputs, row, false);
      } else {
        const port = pictureInput!;
        const batch = port.shape[0];
        const bar = progress('pictures');
        for (let at = 0; at < pictures.length; at += batch) {
          const names: string[] = [];
          const [, channels, height, width] = port.shape;
          const data = new Float32Array(sizeOf(port.shape));
          for (const source of pictures.slice(at, at + batch)) {
            try {
              const picture = await source.decode();
              pictureToTensor(picture, port.image!, channels, height, width, data.subarray(names.length * channels * height * width, (names.length + 1) * channels * height * width));
              names.push(source.name);
            } catch (cause) {
              if (!(cause instanceof CliError) || pictures.length === 1) throw cause;
              problems.push(...cause.diagnostics);
            }
          }
          bar.update(Math.min(at + batch, pictures.length), pictures.length);
          if (names.length === 0) continue;
          const outputs = await timed({ ...given, [port.name]: data });
          keepOutputs(outputs, names.length, batch);
          names.forEach((name, row) => show(name, outputs, row, pictures.length > 1));
        }
        bar.stop();
      }

      const sorted = times.toSorted((a, b) => a - b);
      const median = sorted[sorted.length >> 1];
      if (options.output !== undefined) {
        const tensors = new Map<string, TensorToWrite>();
        for (const [name, { shape, chunks, dtype }] of collected) {
          const flat = chunks.flatMap((c) => Array.from(c));
          tensors.set(name, { shape, data: dtype === 'f32' ? Float32Array.from(flat) : Int32Array.from(flat) });
        }
        writeWhole(options.output, writeSafetensors(tensors));
      }
      if (options.json) print(JSON.stringify({ model: session.name, device: executor.description, medianMilliseconds: median, pictures: rowsJson, unreadable: problems.map((p) => p.message) }, null, 2));
      else if (times.length === 1) say(`time: ${formatMilliseconds(times[0])}, the first run`);
      else if (times.length > 1) say(`time: ${formatMilliseconds(median)} a run (median of ${times.length}; first ${formatMilliseconds(times[0])})`);
      executor.close();
      const written = [...session.written, ...(options.output === undefined ? [] : [options.output as string])];
      for (const file of written) say(`wrote ${file}`);
      printDiagnostics(problems);
      if (problems.length > 0 || hasErrors(problems)) setExit(EXIT.no);
    });

async function open(argument: string, options: RunOptions, opened: OpenDevice, pictures: number): Promise<Session> {
  if (existsSync(argument) && statSync(argument).isDirectory()) {
    if (!existsSync(join(argument, 'index.js'))) throw new CliError(error('E0904', `${argument} is a folder, but no package`), EXIT.usage);
    if (opened.kind === 'cpu') throw new CliError(error('E0905', 'a package runs on WebGPU; --device cpu runs sources', undefined, { help: 'use --device software' }), EXIT.usage);
    say(`loading ${argument}`);
    const bar = progress('loading');
    const executor = await loadPackage(argument, opened, ({ loaded, total }) => bar.update(loaded, total));
    bar.stop();
    return { name: argument, executor, labels: executor.labels, written: [] };
  }
  const model = findModel(argument);
  // Few pictures make a smaller batch than a folder does.
  const batch = options.batch ?? Math.max(1, Math.min(pictures, opened.kind === 'gpu' ? 16 : 4));
  const graph = graphOf(model, { set: options.set, batch });
  const weights = await requiredWeights(model, graph, options);
  say(`compiling ${graph.name} with ${weights.label}`);
  const labels = labelsOf(graph.outputs);
  if (opened.kind === 'cpu') {
    const bar = progress('evaluating');
    const executor = evaluatorExecutor(graph, weights.read, 'f32', (done, total) => {
      bar.update(done, total);
      if (done >= total) bar.stop();
    });
    return { name: graph.name, executor, labels, written: [] };
  }
  const bar = progress('packing weights');
  const executor = await packageExecutor({ graph, read: weights.read, dtype: options.dtype, target: options.target === 'web' ? WEB : undefined, opened, keep: options.keep, onPacked: bar.update });
  bar.stop();
  return { name: graph.name, executor, labels, written: options.keep === undefined ? [] : [summarize(options.keep, executor.files)] };
}

interface RunOptions {
  readonly set?: Parameters<typeof graphOf>[1] extends infer O ? (O extends { set?: infer S } ? S : never) : never;
  readonly batch?: number;
  readonly weights?: string;
  readonly seed?: number;
  readonly dtype: 'f32' | 'f16';
  readonly target: string;
  readonly keep?: string;
}

function labelsOf(outputs: readonly GraphOutput[]): Labels {
  const labels = new Map<string, readonly string[]>();
  for (const { name, labels: declared } of outputs) {
    const names = typeof declared === 'string' ? labelSet(declared) : declared;
    if (names) labels.set(name, names);
  }
  return labels;
}

/** `name=file`: the tensor of that name, or the file's only one. */
function readTensors(ports: readonly InputPort[], given: readonly string[]): Map<string, Values> {
  const tensors = new Map<string, Values>();
  for (const text of given) {
    const equals = text.indexOf('=');
    const name = text.slice(0, Math.max(0, equals));
    const port = ports.find((p) => p.name === name);
    if (!port) throw new CliError(error('E0905', `--input ${text}: the model has no input ${JSON.stringify(name)}`, undefined, { help: `its inputs: ${ports.map((p) => p.name).join(', ')}` }), EXIT.usage);
    const file = openSafetensors(text.slice(equals + 1));
    const tensor = file.shapes.has(name) ? name : file.shapes.size === 1 ? [...file.shapes.keys()][0] : undefined;
    if (tensor === undefined) throw new CliError(error('E0813', `${file.label} has no tensor ${name}, and more than one other`));
    const shape = file.shapes.get(tensor)!;
    const data = file.read(tensor);
    if (sizeOf(shape) !== sizeOf(port.shape)) throw new CliError(error('E0813', `input ${name} is ${port.dtype}[${port.shape.join(', ')}], but ${file.label} has [${shape.join(', ')}]`));
    if (port.dtype === 'f32') tensors.set(name, data instanceof Float32Array ? data : Float32Array.from(data));
    else if (data instanceof Int32Array) tensors.set(name, data);
    else throw new CliError(error('E0813', `input ${name} is ${port.dtype}, but ${file.label} has floats`));
  }
  return tensors;
}
