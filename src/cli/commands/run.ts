/** `vitc run`: pictures or tensors through a model. */
import type { Command } from 'commander';
import { pictureToTensor } from '../../codegen/runtime/image.ts';
import { error, type Diagnostic } from '../../diagnostics.ts';
import { sizeOf } from '../../graph.ts';
import { writeSafetensors, type TensorToWrite } from '../../weights/safetensors.ts';
import { openDevice } from '../devices.ts';
import { CliError, EXIT } from '../errors.ts';
import type { Executor, InputPort, OutputTensor, Values } from '../executor.ts';
import { writeWhole } from '../outputs.ts';
import { findPictures, type PictureSource } from '../images.ts';
import { collect, type CommandMaker, deviceCommand, jsonOption, nonNegativeInteger, positiveInteger, tuningOption } from '../options.ts';
import { bars, best, type Score } from '../results.ts';
import { openSession, readTensors, type Session } from '../session.ts';
import { color, formatMilliseconds, plain, print, printDiagnostics, progress, say } from '../terminal.ts';

type Outputs = Readonly<Record<string, OutputTensor>>;

export const runCommand: CommandMaker = (setExit) =>
  deviceCommand('run')
    .description('run a model or a compiled package on pictures or tensors')
    .argument('<model>', "FILE.vit, FILE.vit#preset, a preset of the zoo, or a package's folder")
    .option('--image <path>', 'a picture, a folder of pictures, or a safetensors file with `images`, u8 [n, height, width, 3]; may be repeated', collect)
    .option('--input <name=file>', 'an input tensor: the tensor NAME of a safetensors file, or its only one; may be repeated', collect)
    .option('--top <n>', 'how many classes to show', positiveInteger, 5)
    .option('--repeat <n>', 'run again so often and tell the median time', nonNegativeInteger, 0)
    .option('--output <file>', 'write the outputs to a safetensors file')
    .option('--keep <dir>', 'keep the compiled package in this folder')
    .addOption(tuningOption())
    .addOption(jsonOption())
    .action(async (argument: string, options, command: Command) => {
      const pictures: PictureSource[] = (options.image ?? []).flatMap(findPictures);
      const opened = await openDevice(options.device);
      const session = await openSession(argument, options, opened, pictures.length, command);
      const { executor } = session;
      say(`running on ${executor.description}`);
      const tensors = readTensors(executor.inputs, options.input ?? []);
      const port = requireInputs(session, tensors, pictures.length > 0);
      const given = Object.fromEntries(tensors);
      const timer = new Timer(executor, options.repeat);
      const results = new Results(session, options.top, pictures.length > 1, options.json ?? false);
      const problems: Diagnostic[] = [];

      if (!port) results.addTensors(await timer.run(given));
      else
        for await (const { names, data } of batches(pictures, port, problems)) results.addPictures(names, port.shape[0], await timer.run({ ...given, [port.name]: data }));

      if (options.output !== undefined) writeWhole(options.output, results.toSafetensors());
      if (options.json)
        print(JSON.stringify({ model: session.name, device: executor.description, medianMilliseconds: timer.median, pictures: results.rows, unreadable: problems.map((p) => p.message) }, null, 2));
      else say(timer.describe());
      executor.close();
      for (const file of [...session.written, ...(options.output === undefined ? [] : [options.output as string])]) say(plain(`wrote ${file}`));
      printDiagnostics(problems);
      if (problems.length > 0) setExit(EXIT.no);
    });

/** The input that pictures go to, if there are any; an error where an input would be without a value. */
function requireInputs({ name, executor }: Session, tensors: ReadonlyMap<string, Values>, hasPictures: boolean): InputPort | undefined {
  const port = hasPictures ? executor.inputs.find((i) => i.image && !tensors.has(i.name)) : undefined;
  if (hasPictures && !port) throw new CliError(error('E0811', `${name} takes no picture`, undefined, { help: `its inputs: ${executor.inputs.map((i) => i.name).join(', ')}` }));
  const missing = executor.inputs.filter((i) => !tensors.has(i.name) && i !== port);
  if (missing.length === 0) return port;
  const list = missing.map((i) => `${i.name}: ${i.dtype}[${i.shape.join(', ')}]`).join(', ');
  throw new CliError(error('E0812', `no value for the input ${list}`, undefined, { help: missing[0].image ? '--image PICTURE' : `--input ${missing[0].name}=FILE.safetensors` }), EXIT.usage);
}

/** Pictures as the input wants them, a batch at a time; those that cannot be read are named and left out. */
async function* batches(pictures: readonly PictureSource[], port: InputPort, problems: Diagnostic[]): AsyncGenerator<{ names: string[]; data: Float32Array }> {
  const [batch, channels, height, width] = port.shape;
  const size = channels * height * width;
  const bar = progress('pictures');
  try {
    for (let at = 0; at < pictures.length; at += batch) {
      const names: string[] = [];
      const data = new Float32Array(sizeOf(port.shape));
      for (const source of pictures.slice(at, at + batch)) {
        try {
          pictureToTensor(await source.decode(), port.image!, channels, height, width, data.subarray(names.length * size, (names.length + 1) * size));
          names.push(source.name);
        } catch (cause) {
          if (!(cause instanceof CliError) || pictures.length === 1) throw cause;
          problems.push(...cause.diagnostics);
        }
      }
      if (names.length > 0) yield { names, data };
      bar.update(Math.min(at + batch, pictures.length), pictures.length);
    }
  } finally {
    bar.stop();
  }
}

/** Runs, and how long they took. */
class Timer {
  private readonly times: number[] = [];

  constructor(
    private readonly executor: Executor,
    private readonly repeat: number,
  ) {}

  async run(inputs: Readonly<Record<string, Values>>): Promise<Outputs> {
    let outputs: Outputs = {};
    for (let i = 0; i <= this.repeat; i++) {
      const start = performance.now();
      outputs = await this.executor.run(inputs);
      this.times.push(performance.now() - start);
    }
    return outputs;
  }

  get median(): number {
    return this.times.toSorted((a, b) => a - b)[this.times.length >> 1];
  }

  describe(): string {
    const [first, ...more] = this.times;
    if (first === undefined) return 'nothing was run';
    return more.length === 0 ? `time: ${formatMilliseconds(first)}, the first run` : `time: ${formatMilliseconds(this.median)} a run (median of ${this.times.length}; first ${formatMilliseconds(first)})`;
  }
}

/** Outputs as they come: shown, and kept for a file. */
class Results {
  /** What --json prints of each picture or row. */
  readonly rows: object[] = [];
  private readonly kept = new Map<string, { shape: number[]; values: number[]; dtype: string }>();

  constructor(
    private readonly session: Session,
    private readonly top: number,
    private readonly brief: boolean,
    private readonly quiet: boolean,
  ) {}

  addTensors(outputs: Outputs): void {
    for (const [name, { shape, data, dtype }] of Object.entries(outputs)) {
      this.keep(name, outputs[name], shape[0] ?? 1);
      const few = Array.from({ length: Math.min(4, data.length) }, (_, i) => (dtype === 'f32' ? data[i].toPrecision(6) : String(data[i]))).join(', ');
      if (!this.quiet) print(`${name}: ${dtype}[${shape.join(', ')}]  ${few}${data.length > 4 ? ', …' : ''}`);
    }
    const rows = Object.values(outputs)[0]?.shape[0] ?? 0;
    for (let row = 0; row < rows; row++) this.show(`row ${row}`, outputs, row);
  }

  /** One row a name; the rows after belong to no picture. */
  addPictures(names: readonly string[], batch: number, outputs: Outputs): void {
    for (const [name, output] of Object.entries(outputs)) this.keep(name, output, output.shape[0] === batch ? names.length : output.shape[0]);
    names.forEach((name, row) => this.show(name, outputs, row));
  }

  private keep(name: string, { shape, data, dtype }: OutputTensor, rows: number): void {
    const entry = this.kept.get(name) ?? { shape: shape.length === 0 ? [] : [0, ...shape.slice(1)], values: [], dtype };
    if (entry.shape.length > 0) entry.shape[0] += rows;
    const count = shape.length === 0 ? 1 : (data.length / shape[0]) * rows;
    for (let i = 0; i < count; i++) entry.values.push(data[i]);
    this.kept.set(name, entry);
  }

  private show(name: string, outputs: Outputs, row: number): void {
    const scores: Record<string, Score[]> = {};
    for (const [output, { shape, data }] of Object.entries(outputs)) {
      const labels = this.session.labels.get(output);
      if (labels && shape.length === 2) scores[output] = best(Array.prototype.slice.call(data, row * shape[1], (row + 1) * shape[1]), this.top, labels);
    }
    this.rows.push({ picture: name, ...scores });
    if (this.quiet) return;
    for (const list of Object.values(scores)) print(this.brief ? `${plain(name)}  ${plain(list[0].label)}  ${(100 * list[0].probability).toFixed(1)}%` : `\n${color.bold(plain(name))}\n${bars(list)}\n`);
  }

  toSafetensors(): Uint8Array {
    const tensors = new Map<string, TensorToWrite>();
    for (const [name, { shape, values, dtype }] of this.kept) tensors.set(name, { shape, data: dtype === 'f32' ? Float32Array.from(values) : Int32Array.from(values) });
    return writeSafetensors(tensors);
  }
}
