/** Runs a model on the chosen device, from and to plain arrays. On WebGPU it runs the package that users get. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileGraph, packWeights, type Compilation, type ParamReader } from '../compile.ts';
import type { Model } from '../codegen/runtime/model.ts';
import type { LoadOptions } from '../codegen/runtime/load.ts';
import type { DType, Graph, ImageSpec, Shape } from '../graph.ts';
import type { Tensor } from '../ops/types.ts';
import { evaluateGraph } from '../reference/graph.ts';
import { WEB, type Target } from '../targets.ts';
import { openDevice, type DeviceChoice, type GpuDevice } from './devices.ts';
import { CliError, EXIT } from './errors.ts';
import { error } from '../diagnostics.ts';
import type { StorageOptions } from './options.ts';
import { writeFolder } from './outputs.ts';
import { packageFiles } from './packages.ts';
import { printDiagnostics } from './terminal.ts';
import { refuseTuningOnCpu, tunedChoice, type TuningFile } from './tuning.ts';

export type Values = Float32Array | Int32Array;

/** What a loaded package takes: halves by their bits too. */
export type InputValues = Values | Uint16Array;

export interface InputPort {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly image?: ImageSpec;
  /** Of a package whose f32 input is given in half precision. */
  readonly storage?: 'f16';
}

export interface OutputTensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: ArrayLike<number>;
}

export interface Executor {
  /** The device, for people. */
  readonly description: string;
  readonly inputs: readonly InputPort[];
  run(inputs: Readonly<Record<string, Values>>): Promise<Readonly<Record<string, OutputTensor>>>;
  close(): void;
}

/** The reference evaluator on the CPU. */
export function evaluatorExecutor(graph: Graph, read: ParamReader, precision: 'f32' | 'f64', onProgress?: (done: number, total: number) => void, storage: StorageOptions = { dtype: 'f32' }): Executor {
  return {
    description: `the reference evaluator (CPU, ${precision})`,
    inputs: graph.inputs.map(({ name, node, image }) => ({ name, image, shape: graph.nodes[node].shape, dtype: graph.nodes[node].dtype })),
    async run(inputs) {
      const typed: Record<string, Tensor> = {};
      for (const { name, node } of graph.inputs) {
        const { shape, dtype } = graph.nodes[node];
        const data = inputs[name];
        typed[name] = { shape, dtype, data: dtype === 'f32' && precision === 'f64' ? Float64Array.from(data) : data };
      }
      const params = (name: string, shape: Shape): Tensor => {
        const data = read(name, shape);
        return { shape, dtype: 'f32', data: precision === 'f64' ? Float64Array.from(data) : data };
      };
      return evaluateGraph(graph, { inputs: typed, params }, { precision, storage: storage.dtype, inputs: storage.inputs, onProgress });
    },
    close() {},
  };
}

export interface CompileRequest extends StorageOptions {
  readonly target: Target;
  readonly tuning?: TuningFile;
}

/** Compiles; diagnostics are printed, errors end the command. */
export function compileOrFail(graph: Graph, { dtype, inputs, target, tuning }: CompileRequest): Compilation {
  const tuned = tuning && tunedChoice(tuning, target);
  const { value, diagnostics } = compileGraph(graph, { dtype, inputs, target, schedule: tuned?.schedule });
  if (!value) throw new CliError(diagnostics);
  printDiagnostics([...diagnostics, ...(tuned?.diagnostics() ?? [])]);
  return value;
}

/** `web`, or what this machine's best adapter offers. */
export async function targetNamed(name: string): Promise<Target> {
  if (name === 'web') return WEB;
  const opened = await openDevice('auto');
  if (opened.kind === 'cpu') throw new CliError(error('E0920', 'there is no adapter to compile for'), EXIT.noDevice);
  return opened.target;
}

export interface PackageRequest extends StorageOptions {
  readonly graph: Graph;
  readonly read: ParamReader;
  /** Absent: whatever the device offers. */
  readonly target?: Target;
  readonly opened: GpuDevice;
  /** Where the package is kept; a folder of its own that is removed after, unless given. */
  readonly keep?: string;
  readonly onPacked?: (done: number, total: number) => void;
  readonly tuning?: TuningFile;
}

/** Compiles for an open device, writes the package and loads it. */
export async function packageExecutor(request: PackageRequest): Promise<LoadedPackage & { readonly files: readonly string[]; readonly compilation: Compilation }> {
  const { graph, opened } = request;
  const compilation = compileOrFail(graph, { dtype: request.dtype, inputs: request.inputs, target: request.target ?? opened.target, tuning: request.tuning });
  const files = packageFiles(compilation, packWeights(compilation, request.read, request.onPacked));
  const parent = request.keep === undefined ? mkdtempSync(join(tmpdir(), 'vitc-')) : undefined;
  const folder = request.keep ?? join(parent!, 'package');
  const remove = () => parent && rmSync(parent, { recursive: true, force: true });
  try {
    writeFolder(folder, files);
    const loaded = await loadPackage(folder, opened);
    // Profiling reads the package's report.json, so the folder stays as long as the model.
    const close = () => {
      loaded.close();
      remove();
    };
    return { ...loaded, close, files: [...files.keys()], compilation };
  } catch (failure) {
    remove();
    throw failure;
  }
}

export type AnyModel = Model<Record<string, InputValues>, Record<string, Values & { readonly shape: Shape }>>;

interface PackageModule {
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  load(options: LoadOptions): Promise<AnyModel>;
}

export interface LoadedPackage extends Executor {
  readonly model: AnyModel;
  run(inputs: Readonly<Record<string, InputValues>>): ReturnType<Executor['run']>;
  /** Class names by output. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
}

/** A package's code; CliError E0901 where it is cut short or is none. */
async function importPackage(folder: string): Promise<PackageModule> {
  const damaged = (why: string): CliError => new CliError(error('E0901', `the code of the package ${folder} does not load: ${why}`, undefined, { help: 'compile its model again' }));
  const module = await import(pathToFileURL(join(resolve(folder), 'index.js')).href).catch((cause: Error) => {
    throw damaged(cause.message);
  }) as Partial<PackageModule>;
  if (typeof module.load !== 'function') throw damaged('it exports no `load`');
  return module as PackageModule;
}

/** Loads a package from its folder, as a user's program would. */
export async function loadPackage(folder: string, opened: GpuDevice, onProgress?: LoadOptions['onProgress']): Promise<LoadedPackage> {
  const module = await importPackage(folder);
  const model = await module.load({ device: opened.device, onProgress });
  const dtypes = new Map(model.outputs.map((port) => [port.name, port.dtype]));
  return {
    description: opened.description,
    inputs: model.inputs,
    labels: new Map(Object.entries(module.labels ?? {})),
    model,
    async run(inputs) {
      const outputs = await model.run({ ...inputs });
      return Object.fromEntries(Object.entries(outputs).map(([name, data]) => [name, { data, shape: data.shape, dtype: dtypes.get(name)! }]));
    },
    close() {
      model.destroy();
    },
  };
}

export interface OpenRequest extends StorageOptions {
  readonly device: DeviceChoice;
  /** `web` keeps to WebGPU's defaults; anything else takes what the device offers. */
  readonly targetName?: string;
  readonly tuning?: TuningFile;
  readonly onProgress?: (done: number, total: number) => void;
}

/** A model on the device that a command was asked for; nothing is kept on disk. */
export async function openExecutor(graph: Graph, read: ParamReader, request: OpenRequest): Promise<Executor> {
  const opened = await openDevice(request.device);
  if (opened.kind === 'cpu') {
    refuseTuningOnCpu(request.tuning?.file);
    return evaluatorExecutor(graph, read, 'f32', request.onProgress);
  }
  return packageExecutor({ graph, read, dtype: request.dtype, inputs: request.inputs, target: request.targetName === 'web' ? WEB : undefined, opened, tuning: request.tuning });
}
