/**
 * The compiler as one pure chain: text -> graph -> program -> plan -> kernels. Sources come through a host; nothing here
 * touches files, the process or a device, so that all of it also runs in a browser.
 */
import type { File } from './ast.ts';
import { error, hasErrors, type Diagnostic, type Result } from './diagnostics.ts';
import { effortOf } from './codegen/effort.ts';
import { generateKernel, type KernelCode } from './codegen/generate.ts';
import { checkFile, elaborate, listTargets, type ConfigLiteral, type TargetInfo } from './elaborate/elaborate.ts';
import { paramsOf, sizeOf, type Graph, type NodeOf, type Shape } from './graph.ts';
import { BYTES_OF, type Kernel, type Program } from './kernel.ts';
import { chainCalls, type ChainedProgram } from './lower/chains.ts';
import { splitLongRows } from './lower/long-rows.ts';
import { lower, type LowerOptions } from './lower/lower.ts';
import { valuesForPairs, type PrefersPairs } from './lower/pairs.ts';
import { parse } from './parser/parse.ts';
import { packTogether } from './passes/pack-weights.ts';
import { runPasses, type PassOptions } from './passes/pipeline.ts';
import { splitStatic, type SplitGraph } from './passes/static.ts';
import { storeInPairs, type PairedGraph } from './passes/store-in-pairs.ts';
import type { Plan, PlannedBuffer } from './plan.ts';
import { DEFAULT_PROFILE, profileNamed } from './profiles.ts';
import { StaticValues } from './reference/static-values.ts';
import { predict } from './report/cost.ts';
import { maySuitChain, chainGain } from './schedule/chain.ts';
import { depthParts } from './schedule/depth.ts';
import { matrixSubgroup } from './schedule/matrix-units.ts';
import { prefersPairs } from './schedule/pairs.ts';
import { plan as makePlan } from './schedule/plan.ts';
import { acceptsPrologue } from './schedule/prologue.ts';
import { keepsRows } from './schedule/row.ts';
import { chooseSchedule } from './schedule/rules.ts';
import type { Schedule } from './schedule.ts';
import type { Source } from './source.ts';
import type { Target } from './targets.ts';
import { encodeF16 } from './half.ts';
import { encodePairs } from './pair.ts';

/** Where sources come from. Paths are relative to the project's root, with forward slashes; `std/...` is the library. */
export interface Host {
  read(path: string): string | undefined;
}

export interface GraphRequest {
  /** The entry file's path. */
  readonly entry: string;
  /** A preset's or model's name; may be absent where the file has one only. */
  readonly target?: string;
  readonly settings?: Readonly<Record<string, ConfigLiteral>>;
  readonly batch?: number;
}

/** Parses files once each, for one or many elaborations. */
export class Sources {
  private readonly parsed = new Map<string, Result<File> | undefined>();

  constructor(private readonly host: Host) {}

  /** A file by its path, with or without its ending. */
  load(name: string): Result<File> | undefined {
    const path = name.endsWith('.vit') ? name : `${name}.vit`;
    if (!this.parsed.has(path)) {
      const text = this.host.read(path);
      this.parsed.set(path, text === undefined ? undefined : parse({ path, text } satisfies Source));
    }
    return this.parsed.get(path);
  }

  /** The entry file, or a diagnostic that it is not there. */
  entry(path: string): Result<File | undefined> {
    return this.load(path) ?? { value: undefined, diagnostics: [error('E0901', `there is no file ${path}`)] };
  }
}

/** The presets and models of a file. */
export function targetsOf(sources: Sources, path: string): Result<TargetInfo[]> {
  const file = sources.entry(path);
  return { value: file.value ? listTargets(file.value) : [], diagnostics: file.diagnostics };
}

/** What can be told of a file and its imports without a model: of a file of blocks, everything. */
export function checkSource(sources: Sources, path: string): readonly Diagnostic[] {
  const file = sources.entry(path);
  if (!file.value || hasErrors(file.diagnostics)) return file.diagnostics;
  return [...file.diagnostics, ...checkFile({ file: file.value, load: (name) => sources.load(name) })];
}

/** Text to graph: parse, check, elaborate. */
export function buildGraph(sources: Sources, request: GraphRequest): Result<Graph | undefined> {
  const file = sources.entry(request.entry);
  if (!file.value || hasErrors(file.diagnostics)) return { value: undefined, diagnostics: file.diagnostics };
  const result = elaborate({
    file: file.value,
    target: request.target,
    settings: request.settings ?? {},
    batch: request.batch ?? 1,
    load: (path) => sources.load(path),
  });
  return { value: result.value, diagnostics: [...file.diagnostics, ...result.diagnostics] };
}

export interface CompileOptions {
  readonly target: Target;
  /** How weights and intermediate tensors are stored, f32 in pairs (pair.ts) where matrix units gain by that; arithmetic is f32 either way. */
  readonly dtype: 'f32' | 'f16';
  /** How f32 inputs are given and stored; f32 where absent. */
  readonly inputs?: 'f32' | 'f16';
  /** False: every operation its own kernel, for the report's 'before'. */
  readonly fuse?: boolean;
  /** False: small kernels that follow each other are not joined to one. */
  readonly chains?: boolean;
  readonly passes?: PassOptions;
  /** A schedule that replaces the rules' choice for a kernel, such as a tuned one. */
  readonly schedule?: (kernel: Kernel) => Schedule | undefined;
  /**
   * Which products of f32 have their operands in pairs, in place of the rule's choice, which is none where the target has no
   * matrix units. For tests: pairs on any target, or none.
   */
  readonly prefersPairs?: PrefersPairs;
}

/** Every level of one compiled model. */
export interface Compilation {
  /** As elaborated: its parameters carry the checkpoint's names. */
  readonly graph: Graph;
  /** After the passes, with static subexpressions moved to `weights`. */
  readonly main: Graph;
  /** Computes every weight of `main` from the parameters of `graph`; its outputs carry the names. */
  readonly weights: Graph;
  readonly program: Program;
  readonly plan: Plan;
  /** One for each of plan.kernels. */
  readonly kernels: readonly KernelCode[];
}

/** Graph to kernels. */
export function compileGraph(graph: Graph, options: CompileOptions): Result<Compilation | undefined> {
  const { target, fuse = true } = options;
  const lowering: LowerOptions = {
    fuse,
    attention: (kernel) => chooseSchedule(kernel, target).family !== 'generic',
    prologue: (before, after) => acceptsPrologue(before, after, target),
    depth: (kernel, offered) => depthParts(kernel, offered, target),
    addsParts: (kernel) => keepsRows(kernel, target),
    target,
    storage: options.dtype,
    inputs: options.inputs,
  };
  const split = splitStatic(runPasses(graph, options.passes));
  const prefers = options.prefersPairs ?? (matrixSubgroup(target) === undefined ? undefined : (kernel: Kernel) => prefersPairs(kernel, target));
  const { main, weights, pairs } = prefers && fuse && options.dtype === 'f32' ? inPairs(split, lowering, prefers) : { ...split, pairs: undefined };
  const { program, packs } = inChains(lower(main, { ...lowering, pairs }), options);
  const planned = makePlan(program, options.target, { schedule: options.schedule });
  const { value: plan, diagnostics } = planned;
  if (!plan || hasErrors(diagnostics)) return { value: undefined, diagnostics };
  const kernels = plan.kernels.map((kernel) => generateKernel(kernel, options.target));
  return { value: { graph, main, weights: packTogether(weights, packs), program, plan, kernels }, diagnostics };
}

/** The program with small kernels that follow each other joined, where that is predicted to be faster. */
function inChains(program: Program, { target, fuse = true, chains = true }: CompileOptions): ChainedProgram {
  if (!fuse || !chains) return { program, packs: new Map() };
  const seconds = new Map<Kernel, number>();
  const secondsOf = (kernel: Kernel, schedule = chooseSchedule(kernel, target)): number => {
    if (!seconds.has(kernel)) seconds.set(kernel, predictedSeconds(kernel, schedule, target));
    return seconds.get(kernel)!;
  };
  return chainCalls(program, {
    maySuit: maySuitChain,
    gain: (joined, parts) => {
      const schedule = chooseSchedule(joined, target);
      return schedule.family === 'chain' ? chainGain(secondsOf(joined, schedule), parts.map((p) => secondsOf(p))) : 0;
    },
    maxBuffers: target.limits.maxStorageBuffersPerShaderStage,
    maxBytes: Math.min(target.limits.maxBufferSize, target.limits.maxStorageBufferBindingSize),
  });
}

/** Of a dispatch whose operands are in the cache, on the default device. */
function predictedSeconds(kernel: Kernel, schedule: Schedule, target: Target): number {
  const code = generateKernel({ kernel, spaces: kernel.params.map(() => 'arena'), schedule }, target);
  const leastBytes = kernel.params.reduce((sum, p) => sum + BYTES_OF[p.storage] * sizeOf(p.shape), 0);
  const [x, y, z] = code.module.workgroupSize;
  return predict({ effort: effortOf(code), workgroups: sizeOf(code.workgroups), workgroupSize: x * y * z, leastBytes, memoryBytes: 0 }, profileNamed(DEFAULT_PROFILE)!).total;
}

/** The graph with values in pairs that products would rather have so; its long rows are split. */
function inPairs(split: SplitGraph, options: LowerOptions, prefers: PrefersPairs): PairedGraph {
  const rows = { ...split, main: splitLongRows(split.main) };
  return storeInPairs(rows, valuesForPairs(rows.main, options, prefers));
}

/** A parameter's f32 values by its checkpoint name. */
export type ParamReader = (name: string, shape: Shape) => Float32Array;

/**
 * The weight shards' bytes: parameters read, static subexpressions evaluated in double precision, stored as the plan says.
 * One weight at a time, so that a model's weights lie in memory once.
 */
export function packWeights(compilation: Pick<Compilation, 'plan' | 'weights'>, read: ParamReader, onProgress?: (done: number, total: number) => void): Uint8Array[] {
  const { plan, weights } = compilation;
  const shards = plan.weightShards.map((bytes) => new Uint8Array(bytes));
  const nodeOf = new Map(weights.outputs.map((o) => [o.name, o.node]));
  const slots = plan.buffers.filter((b) => b.space === 'weights');
  const values = new StaticValues(weights, read);
  slots.forEach((slot, i) => {
    const node = nodeOf.get(slot.buffer.name);
    if (node === undefined) throw new Error(`bug: the plan's weight ${slot.buffer.name} is no output of the weights graph`);
    storeWeight(shards[slot.shard], slot, values.of(node));
    onProgress?.(i + 1, slots.length);
  });
  return shards;
}

function storeWeight(shard: Uint8Array, slot: PlannedBuffer, values: ArrayLike<number>): void {
  const { buffer, offset } = slot;
  if (buffer.layout) throw new Error(`bug: weight ${buffer.name} has a blocked layout, which nothing packs yet`);
  const count = sizeOf(buffer.shape);
  if (values.length !== count) throw new Error(`bug: weight ${buffer.name} has ${values.length} values for ${count}`);
  if (buffer.storage === 'i32') new Int32Array(shard.buffer, offset, count).set(Array.from(values));
  else if (buffer.storage === 'f16') new Uint16Array(shard.buffer, offset, count).set(encodeF16(Float32Array.from(values)));
  else if (buffer.storage === 'pair') new Uint32Array(shard.buffer, offset, count).set(encodePairs(values));
  else new Float32Array(shard.buffer, offset, count).set(values);
}

/** The checkpoint parameters of a model, in order of declaration. */
export function parametersOf(graph: Graph): NodeOf<'param'>['attrs'][] {
  return paramsOf(graph).map((node) => node.attrs);
}

export type { ConfigLiteral, Diagnostic, TargetInfo };
