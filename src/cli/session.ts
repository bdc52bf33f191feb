/** Something to run, however it was named: a source, a preset or a compiled package. */
import { existsSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import type { ConfigLiteral } from '../compile.ts';
import { error } from '../diagnostics.ts';
import { sizeOf, type GraphOutput } from '../graph.ts';
import { WEB } from '../targets.ts';
import type { OpenDevice } from './devices.ts';
import { CliError, EXIT } from './errors.ts';
import { evaluatorExecutor, loadPackage, packageExecutor, type Executor, type InputPort, type Values } from './executor.ts';
import { openSafetensors } from './files.ts';
import { labelSet } from './labels.ts';
import { findModel, graphOf, requiredWeights } from './model.ts';
import { requirePackage, storageOptions, type StorageOptions } from './options.ts';
import { restore, summarize } from './outputs.ts';
import { formatBytes, plain, progress, say } from './terminal.ts';
import { openTuning, refuseTuningOnCpu } from './tuning.ts';

export interface Session {
  readonly name: string;
  readonly executor: Executor;
  /** Class names by output. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
  /** What was written, for people. */
  readonly written: readonly string[];
}

export interface SessionOptions extends StorageOptions {
  readonly set?: Readonly<Record<string, ConfigLiteral>>;
  readonly batch?: number;
  readonly weights?: string;
  readonly seed?: number;
  readonly target: string;
  readonly keep?: string;
  readonly tuning?: string;
}

/** Opens a package's folder, or compiles a model; `pictures` is how many are to be run, `command` tells which options were given. */
export async function openSession(argument: string, options: SessionOptions, opened: OpenDevice, pictures: number, command: Command): Promise<Session> {
  restore(argument);
  return existsSync(argument) && statSync(argument).isDirectory() ? openPackage(argument, command, opened) : openModel(argument, options, opened, pictures);
}

async function openPackage(folder: string, command: Command, opened: OpenDevice): Promise<Session> {
  requirePackage(folder, command);
  if (opened.kind === 'cpu') throw new CliError(error('E0905', 'a package runs on WebGPU; --device cpu runs sources', undefined, { help: 'use --device software' }), EXIT.usage);
  say(plain(`loading ${folder}`));
  const bar = progress('loading');
  const executor = await loadPackage(folder, opened, ({ loaded, total }) => bar.update(loaded, total)).finally(() => bar.stop());
  return { name: folder, executor, labels: executor.labels, written: [] };
}

async function openModel(argument: string, options: SessionOptions, opened: OpenDevice, pictures: number): Promise<Session> {
  if (opened.kind === 'cpu') refuseTuningOnCpu(options.tuning);
  const storage = storageOptions(options);
  const model = findModel(argument);
  // A folder's pictures run in batches; a single one should not pay for more.
  const batch = options.batch ?? Math.max(1, Math.min(pictures, opened.kind === 'gpu' ? 16 : 4));
  const graph = graphOf(model, { set: options.set, batch });
  const weights = await requiredWeights(model, graph, options);
  say(plain(`compiling ${graph.name} with ${weights.label}`));
  const labels = labelsOf(graph.outputs);
  if (opened.kind === 'cpu') {
    const bar = progress('evaluating');
    const onProgress = (done: number, total: number) => (done < total ? bar.update(done, total) : bar.stop());
    return { name: graph.name, executor: evaluatorExecutor(graph, weights.read, 'f32', onProgress), labels, written: [] };
  }
  const bar = progress('packing weights');
  const target = options.target === 'web' ? WEB : undefined;
  const executor = await packageExecutor({ graph, read: weights.read, ...storage, target, opened, keep: options.keep, tuning: openTuning(options.tuning), onPacked: bar.update }).finally(() => bar.stop());
  const { plan } = executor.compilation;
  say(`compiled to ${plan.kernels.length} kernels in ${plan.steps.length} dispatches, ${formatBytes(plan.weightShards.reduce((a, b) => a + b, 0))} of weights, arena ${formatBytes(plan.arenaBytes)}`);
  return { name: graph.name, executor, labels, written: options.keep === undefined ? [] : [summarize(options.keep, executor.files)] };
}

function labelsOf(outputs: readonly GraphOutput[]): Session['labels'] {
  const labels = new Map<string, readonly string[]>();
  for (const { name, labels: declared } of outputs) {
    const names = typeof declared === 'string' ? labelSet(declared) : declared;
    if (names) labels.set(name, names);
  }
  return labels;
}

/** Input tensors from `name=file`: the tensor of that name, or the file's only one. */
export function readTensors(ports: readonly InputPort[], given: readonly string[]): Map<string, Values> {
  const tensors = new Map<string, Values>();
  for (const text of given) {
    const equals = text.indexOf('=');
    const name = text.slice(0, Math.max(0, equals));
    const port = ports.find((p) => p.name === name);
    if (!port)
      throw new CliError(error('E0905', `--input ${text}: the model has no input ${JSON.stringify(name)}`, undefined, { help: `its inputs: ${ports.map((p) => p.name).join(', ')}` }), EXIT.usage);
    tensors.set(name, readTensor(port, text.slice(equals + 1)));
  }
  return tensors;
}

function readTensor(port: InputPort, path: string): Values {
  const file = openSafetensors(path);
  const tensor = file.shapes.has(port.name) ? port.name : file.shapes.size === 1 ? [...file.shapes.keys()][0] : undefined;
  if (tensor === undefined) throw new CliError(error('E0813', `${path} has no tensor ${port.name}, and more than one other`));
  const shape = file.shapes.get(tensor)!;
  if (sizeOf(shape) !== sizeOf(port.shape)) throw new CliError(error('E0813', `input ${port.name} is ${port.dtype}[${port.shape.join(', ')}], but ${path} has [${shape.join(', ')}]`));
  const data = file.read(tensor);
  if (port.dtype === 'f32') return data instanceof Float32Array ? data : Float32Array.from(data);
  if (data instanceof Int32Array) return data;
  throw new CliError(error('E0813', `input ${port.name} is ${port.dtype}, but ${path} has floats`));
}
