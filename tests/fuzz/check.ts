/**
 * One program through every level of the compiler, each level compared with the one before, and what the device computes
 * with what the graph means. The tolerance is the running error bound of rounding.ts: of each element, from the graph that
 * the kernels were made of.
 */
import type { File } from '../../src/ast.ts';
import { packWeights, type CompileOptions } from '../../src/compile.ts';
import { generateKernel } from '../../src/codegen/generate.ts';
import { hasErrors, type Diagnostic, type Result } from '../../src/diagnostics.ts';
import { elaborate } from '../../src/elaborate/elaborate.ts';
import { printGraph, readGraph } from '../../src/graph-text.ts';
import type { Graph, NodeId } from '../../src/graph.ts';
import { decodeF16, encodeF16 } from '../../src/half.ts';
import { attentionLayout } from '../../src/kernel-attention-layout.ts';
import { attentionProblem } from '../../src/kernel-attention-problem.ts';
import { readProgram } from '../../src/kernel-read.ts';
import { printProgram } from '../../src/kernel-text.ts';
import type { Kernel, Program } from '../../src/kernel.ts';
import { chainCalls, type ChainedProgram } from '../../src/lower/chains.ts';
import { splitLongRows } from '../../src/lower/long-rows.ts';
import { lower, type LowerOptions } from '../../src/lower/lower.ts';
import { valuesForPairs } from '../../src/lower/pairs.ts';
import type { DividesDepth } from '../../src/lower/split-depth.ts';
import type { Tensor } from '../../src/ops/types.ts';
import { format } from '../../src/parser/format.ts';
import { decodePairs } from '../../src/pair.ts';
import { parse } from '../../src/parser/parse.ts';
import { packTogether } from '../../src/passes/pack-weights.ts';
import { GRAPH_PASSES, runPasses } from '../../src/passes/pipeline.ts';
import { splitStatic, type SplitGraph } from '../../src/passes/static.ts';
import { storeInPairs, type PairedGraph } from '../../src/passes/store-in-pairs.ts';
import { readPlan } from '../../src/plan-read.ts';
import { printPlan } from '../../src/plan-text.ts';
import type { Plan } from '../../src/plan.ts';
import { evaluateGraph } from '../../src/reference/graph.ts';
import { evaluateProgram } from '../../src/reference/kernel.ts';
import { render } from '../../src/render.ts';
import { attentionCandidates } from '../../src/schedule/attention-tiles.ts';
import { chainCandidates } from '../../src/schedule/chain.ts';
import type { Candidate } from '../../src/schedule/fewest.ts';
import { depthParts } from '../../src/schedule/depth.ts';
import { withPairs } from '../../src/schedule/pairs.ts';
import { plan as makePlan } from '../../src/schedule/plan.ts';
import { matrixSchedules } from '../../src/schedule/subgroup-matrix.ts';
import type { AttentionTilesSchedule } from '../../src/schedule.ts';
import { acceptsPrologue } from '../../src/schedule/prologue.ts';
import { keepsRows } from '../../src/schedule/row.ts';
import { chooseSchedule } from '../../src/schedule/rules.ts';
import { WEB as WEB_TARGET, type Target } from '../../src/targets.ts';
import { verifyProgram } from '../../src/verify-kernel.ts';
import { verifyGraph } from '../../src/verify.ts';
import type { KernelCode } from '../../src/codegen/wgsl.ts';
import { interpretKernel } from '../helpers/interpret-kernel.ts';
import { MATRIX_UNITS } from '../helpers/null-device.ts';
import { Random } from '../helpers/random.ts';
import { randomBindings } from '../helpers/random-graph.ts';
import { runPlan } from '../helpers/run-plan.ts';
import { missingBarriers } from './barriers.ts';
import { boundErrors, compareBounded, F16, F16_WEIGHTS, F32, F64, type Arithmetic } from './rounding.ts';

/** How a program is compiled. */
export interface Variant {
  /** Which runs of the pass list are left out, by index; static splitting is always done. */
  readonly without: readonly number[];
  readonly fuse: boolean;
  readonly target: 'web' | 'native' | 'native without subgroups' | 'web on a CPU';
  readonly storage: CompileOptions['dtype'];
  /** Float inputs are given as halves; they have such values then. */
  readonly inputs?: 'f16';
  /** `chosen` by the compiler's rules, `never`, or a tile picked by this seed, where attention can be tiled. */
  readonly attention: 'chosen' | 'never' | number;
  /** Bytes that kernels move are counted too, and compared with what the generator says. */
  readonly instrument: boolean;
  /** Most contractions of f32 are done in matrix units, in a tiling that this seed picks; absent: where the compiler's rule says so. */
  readonly split?: number;
  /** Operands of products are stored in pairs wherever that can be; for f32, fused. */
  readonly pairs?: true;
  /** Depths of most contractions are divided, into parts that this seed picks; absent: where the compiler's rule says so. */
  readonly parts?: number;
  /** Kernels that can be are joined to chains, which ones, and how they are scheduled, by this seed; absent: none is. */
  readonly chains?: number;
}

export const PLAIN: Variant = { without: [], fuse: true, target: 'web', storage: 'f32', attention: 'chosen', instrument: false };

export type Level = 'elaborate' | 'meaning' | 'format' | 'text' | 'passes' | 'lower' | 'plan' | 'codegen' | 'device';

export interface Outcome {
  readonly failure?: { readonly level: Level; readonly message: string };
  /** The device's greatest error over its bound. */
  readonly worst: number;
  /** Of the elements of outputs, the share whose bound is tight enough to tell. */
  readonly compared: number;
  readonly kernels: number;
  readonly families: readonly string[];
}

/** A device to run on; without one, programs are checked up to their plans. */
export interface Machine {
  readonly device: GPUDevice;
  readonly target: Target;
}

export interface Fuzzed {
  readonly text: string;
  /** What the program means, where that is known apart from its text. */
  readonly graph?: Graph;
}

/** `std/NAME`, parsed. */
export type Library = (name: string) => Result<File> | undefined;

/** A library whose files are parsed once; `read` gives the text of `std/NAME.vit`. */
export function libraryOf(read: (path: string) => string | undefined): Library {
  const files = new Map<string, Result<File> | undefined>();
  return (name) => {
    if (!files.has(name)) {
      const path = `${name}.vit`;
      const text = read(path);
      files.set(name, text === undefined ? undefined : parse({ path, text }));
    }
    return files.get(name);
  };
}

class Failed extends Error {
  constructor(
    readonly level: Level,
    message: string,
  ) {
    super(message);
  }
}

const ENTRY = 'fuzz.vit';

export function elaborateProgram(text: string, library: Library): { value?: Graph; diagnostics: readonly Diagnostic[] } {
  const { value: file, diagnostics: syntax } = parse({ path: ENTRY, text });
  if (hasErrors(syntax)) return { diagnostics: syntax };
  const { value, diagnostics } = elaborate({ file, settings: {}, batch: 1, load: library });
  return { ...(value && !hasErrors(diagnostics) && { value }), diagnostics };
}

/** `runs`: on the machine too, not only for it. */
export async function checkProgram({ text, graph: meant }: Fuzzed, variant: Variant, library: Library, machine?: Machine, runs = machine !== undefined): Promise<Outcome> {
  const facts = { worst: 0, compared: 0, kernels: 0, families: [] as readonly string[] };
  let level: Level = 'elaborate';
  try {
    const { value: graph, diagnostics } = elaborateProgram(text, library);
    if (!graph) throw new Failed('elaborate', diagnostics.slice(0, 3).map((d) => render(d)).join('\n'));
    const bindings = bindingsOf(graph, variant);
    const want = evaluateGraph(graph, bindings, { precision: 'f64' });
    level = 'meaning';
    if (meant) checkSame('meaning', evaluateGraph(meant, bindings, { precision: 'f64' }), want, boundErrors(graph, bindings, F64));
    level = 'format';
    checkFormat(text, graph, library);
    level = 'text';
    checkText(graph);
    level = 'passes';
    const target = targetOf(variant, machine);
    const { main, weights: apart, pairs } = compilePasses(graph, variant, target);
    const stored = evaluateGraph(apart, bindings, { precision: 'f64' });
    const mainBindings = { inputs: bindings.inputs, params: (name: string) => stored[name] };
    const exact = bounds(boundErrors(graph, bindings, F64), boundErrors(main, mainBindings, F64));
    checkSame('passes', evaluateGraph(main, mainBindings, { precision: 'f64' }), want, exact);
    level = 'lower';
    const { program, packs } = lowerChecked(main, variant, target, pairs);
    const weights = packTogether(apart, packs);
    const kept = evaluateGraph(weights, bindings, { precision: 'f64' });
    checkSame('lower', evaluateProgram(program, { inputs: bindings.inputs, weights: (name) => kept[name] }, { precision: 'f64' }), want, exact);
    level = 'plan';
    const plan = planChecked(program, variant, target);
    level = 'codegen';
    const kernels = plan.kernels.map((k) => generateKernel(k, target));
    checkBarriers(plan, variant);
    facts.kernels = kernels.length;
    facts.families = plan.kernels.map((k) => k.schedule.family);
    level = 'device';
    if (machine && runs) {
      const shards = packWeights({ plan, weights }, (name, shape) => bindings.params(name, shape).data as Float32Array);
      const packed = (name: string): Tensor => unpack(plan, shards, name);
      const got = await runPlan(machine.device, plan, { inputs: bindings.inputs, weights: packed }, { instrument: variant.instrument, kernels });
      const error = boundErrors(main, mainBindings, arithmeticOf(variant, target), pairs);
      for (const [name, tensor] of Object.entries(want)) {
        const { worst, compared, at } = compareBounded(name, got.outputs[name], tensor, error[name].error);
        facts.worst = Math.max(facts.worst, worst);
        facts.compared += compared / Object.keys(want).length;
        if (worst > 1) throw new Failed('device', `${at}, ${worst.toPrecision(3)} times as much`);
      }
      if (variant.instrument && JSON.stringify(got.counted) !== JSON.stringify(got.issued)) throw new Failed('device', `counted bytes ${JSON.stringify(got.counted)}; issued ${JSON.stringify(got.issued)}`);
    }
    return facts;
  } catch (e) {
    if (e instanceof Failed) return { ...facts, failure: { level: e.level, message: e.message } };
    return { ...facts, failure: { level, message: (e as Error).stack ?? String(e) } };
  }
}

/** Inputs and parameters from their names; labels before a written graph's own names do not matter. */
function bindingsOf(graph: Graph, variant: Variant): ReturnType<typeof randomBindings> {
  const { inputs: drawn, params } = randomBindings(graph);
  const half = (t: Tensor): Tensor => ({ ...t, data: Float64Array.from(decodeF16(encodeF16(Float32Array.from(t.data)))) });
  const inputs = Object.fromEntries(Object.entries(drawn).map(([name, t]) => [name, variant.inputs === 'f16' && t.dtype === 'f32' ? half(t) : t]));
  return { inputs, params: (name, shape) => params(/p\d+\.\w+$/.exec(name)?.[0] ?? name, shape) };
}

function bounds(a: ReturnType<typeof boundErrors>, b: ReturnType<typeof boundErrors>): Record<string, { error: Float64Array }> {
  return Object.fromEntries(Object.keys(a).map((name) => [name, { error: a[name].error.map((e, i) => e + b[name].error[i]) }]));
}

function checkSame(level: Level, got: Readonly<Record<string, Tensor>>, want: Readonly<Record<string, Tensor>>, error: Readonly<Record<string, { error: Float64Array }>>): void {
  for (const [name, tensor] of Object.entries(want)) {
    const other = got[name];
    if (!other || other.shape.join() !== tensor.shape.join() || other.dtype !== tensor.dtype) throw new Failed(level, `${name} is ${other?.dtype}[${other?.shape.join(', ')}], ${tensor.dtype}[${tensor.shape.join(', ')}] is wanted`);
    const { worst, at } = compareBounded(name, other, tensor, error[name].error);
    if (worst > 1) throw new Failed(level, at!);
  }
}

/** Without locations, which formatting moves and texts do not read back. */
const unplaced = (text: string): string => text.replace(/ +# .*$/gm, '');
const printed = (graph: Graph): string => unplaced(printGraph(graph));

function checkFormat(text: string, graph: Graph, library: Library): void {
  const once = format({ path: ENTRY, text }).value;
  if (format({ path: ENTRY, text: once }).value !== once) throw new Failed('format', 'formatting twice changes more than once');
  const { value, diagnostics } = elaborateProgram(once, library);
  if (!value) throw new Failed('format', `formatted, it has errors: ${diagnostics.slice(0, 2).map((d) => render(d)).join('\n')}`);
  if (printed(value) !== printed(graph)) throw new Failed('format', 'formatted, it is another graph');
}

function checkText(graph: Graph): void {
  const { value, errors } = readGraph(printGraph(graph));
  if (!value || printed(value) !== printed(graph)) throw new Failed('text', `the graph's text does not read back: ${errors.map((e) => e.message).join('; ')}`);
}

function compilePasses(graph: Graph, variant: Variant, target: Target): SplitGraph & Partial<PairedGraph> {
  const { without } = variant;
  // What a pass leaves for another is no violation where that one is left out.
  const whole = without.length === 0;
  const passes = GRAPH_PASSES.filter((_, i) => !without.includes(i));
  const split = splitStatic(runPasses(graph, { passes: whole ? passes : passes.map(({ name, run }) => ({ name, run })), verify: true }));
  const result = variant.pairs ? inPairs(split, variant, target) : split;
  const errors = [...verifyGraph(result.main), ...verifyGraph(result.weights)];
  if (errors.length > 0) throw new Failed('passes', `after splitting: ${errors.join('; ')}`);
  return result;
}

function inPairs(split: SplitGraph, variant: Variant, target: Target): PairedGraph {
  const rows = { ...split, main: splitLongRows(split.main) };
  return storeInPairs(rows, valuesForPairs(rows.main, loweringOf(variant, target), (kernel) => withPairs(kernel)?.operands));
}

/** The least target beside the device's own, or a large GPU's where there is none: WebGPU's defaults. Counting takes a binding of its own. */
export function targetOf({ target: name, instrument }: Variant, machine: Machine | undefined): Target {
  const native = machine?.target ?? MATRIX_UNITS;
  const { subgroups: _, ...withoutSubgroups } = native;
  const chosen = { web: WEB_TARGET, native, 'native without subgroups': { ...withoutSubgroups, subgroupMatrix: [] }, 'web on a CPU': { ...WEB_TARGET, software: true } }[name];
  const buffers = chosen.limits.maxStorageBuffersPerShaderStage;
  const most = machine && instrument ? Math.min(buffers, machine.device.limits.maxStorageBuffersPerShaderStage - 1) : buffers;
  return { ...chosen, limits: { ...chosen.limits, maxStorageBuffersPerShaderStage: most } };
}

function loweringOf({ fuse, attention, storage, inputs, parts }: Variant, target: Target): LowerOptions {
  const tiled = (kernel: Kernel): boolean => attentionCandidates(kernel, target).length > 0;
  const joins = (kernel: Kernel): boolean => (typeof attention === 'number' ? tiled(kernel) : attention === 'chosen' && chooseSchedule(kernel, target).family !== 'generic');
  const random = new Random(parts ?? 0);
  const depth: DividesDepth = (kernel, offered) => (parts === undefined ? depthParts(kernel, offered, target) : random.chance(0.8) ? random.pick(offered) : undefined);
  return { fuse, attention: joins, prologue: (before, after) => acceptsPrologue(before, after, target), depth, addsParts: (kernel) => parts !== undefined || keepsRows(kernel, target), target, storage, inputs };
}

function lowerChecked(main: Graph, variant: Variant, target: Target, pairs: ReadonlySet<NodeId> | undefined): ChainedProgram {
  const lowered = lower(main, { ...loweringOf(variant, target), pairs });
  const { program, packs } = variant.chains === undefined ? { program: lowered, packs: new Map() } : inChains(lowered, variant.chains, target);
  const errors = verifyProgram(program, target.limits.maxStorageBuffersPerShaderStage);
  if (errors.length > 0) throw new Failed('lower', `the program is not sound: ${errors.join('; ')}`);
  const text = unplaced(printProgram(program));
  const read = readProgram(text);
  if (!read.value || printProgram(read.value) !== text) throw new Failed('lower', `the program's text does not read back: ${JSON.stringify(read.errors)}`);
  return { program, packs };
}

function inChains(program: Program, seed: number, target: Target): ChainedProgram {
  const random = new Random(seed);
  return chainCalls(program, {
    maySuit: () => random.chance(0.9),
    gain: (joined, parts) => (chainCandidates(joined, target).length > 0 ? random.integer(0, 2) * parts.length : 0),
    maxBuffers: target.limits.maxStorageBuffersPerShaderStage,
    maxBytes: target.limits.maxStorageBufferBindingSize,
  });
}

function planChecked(program: Program, { attention, split, chains }: Variant, target: Target): Plan {
  const random = new Random(split ?? 0);
  const schedule = (kernel: Kernel) => {
    const candidates = typeof attention === 'number' ? attentionCandidates(kernel, target) : [];
    if (candidates.length > 0) return pickTile(kernel, candidates, new Random(attention as number));
    const chained = chains === undefined ? [] : chainCandidates(kernel, target);
    if (chained.length > 0) return random.pick(chained);
    const halves = split === undefined ? [] : matrixSchedules(kernel, target).filter((s) => s.split);
    return halves.length > 0 && random.chance(0.8) ? random.pick(halves) : undefined;
  };
  const { value: plan, diagnostics } = makePlan(program, target, { schedule });
  if (!plan || diagnostics.length > 0) throw new Failed('plan', diagnostics.map((d) => render(d)).join('\n'));
  const text = unplaced(printPlan(plan));
  const read = readPlan(text);
  if (!read.value || printPlan(read.value) !== text) throw new Failed('plan', `the plan's text does not read back: ${JSON.stringify(read.errors)}`);
  // From the steps themselves, whatever the plan says: inputs are there before the first, outputs are read after the last.
  const arena = plan.buffers.filter((b) => b.space === 'arena');
  const live = arena.map(({ buffer }): readonly [number, number] => {
    const steps = plan.steps.flatMap(({ args }, i) => (args.includes(buffer.id) ? [i] : []));
    return [buffer.kind === 'input' ? -1 : Math.min(...steps), buffer.kind === 'output' ? plan.steps.length : Math.max(...steps)];
  });
  for (const [i, a] of arena.entries()) {
    for (const [k, b] of arena.entries()) {
      if (k <= i) continue;
      const atOnce = live[i][0] <= live[k][1] && live[k][0] <= live[i][1];
      if (atOnce && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes) throw new Failed('plan', `${a.buffer.id} and ${b.buffer.id} share bytes while both are live`);
    }
  }
  return plan;
}

/** Mostly one that walks over several tiles of keys, where there is one: most tiles hold all keys of a small problem. */
function pickTile(kernel: Kernel, candidates: readonly Candidate<AttentionTilesSchedule>[], random: Random): AttentionTilesSchedule {
  const problem = attentionProblem(kernel)!;
  const several = candidates.filter(({ schedule }) => attentionLayout(problem, schedule).keyTiles > 1);
  return random.pick(several.length > 0 && random.chance(0.75) ? several : candidates).schedule;
}

/** Of every kernel, and of attention in several other tiles: too many to run, and told without running. */
function checkBarriers(plan: Plan, { attention }: Variant): void {
  const random = new Random(typeof attention === 'number' ? attention : 0);
  for (const planned of plan.kernels) {
    const others = typeof attention === 'number' ? random.shuffle(attentionCandidates(planned.kernel, plan.target)).slice(0, 8) : [];
    for (const schedule of [planned.schedule, ...others.map((c) => c.schedule)]) {
      const code = generateKernel({ ...planned, schedule }, plan.target);
      const [missing] = missingBarriers(code.module);
      if (missing && races(code)) throw new Failed('codegen', `${planned.id}, ${JSON.stringify(schedule)}: ${missing}`);
    }
  }
}

/** Addresses that differ in text may belong to one thread alone, which executing tells. */
function races(code: KernelCode): boolean {
  try {
    interpretKernel(code, new Map(code.module.bindings.map((b) => [b.name, b.storage === 'i32' ? new Int32Array(b.elements) : b.storage === 'pair' ? new Uint32Array(b.elements) : new Float32Array(b.elements)])));
    return false;
  } catch {
    return true;
  }
}

function arithmeticOf({ storage }: Variant, target: Target): Arithmetic {
  return storage === 'f32' ? F32 : target.shaderF16 ? F16 : F16_WEIGHTS;
}

/** A weight's values as the shards hold them. */
function unpack(plan: Plan, shards: readonly Uint8Array[], name: string): Tensor {
  const { buffer, shard, offset } = plan.buffers.find((b) => b.buffer.kind === 'weight' && b.buffer.name === name)!;
  const bytes = shards[shard].slice(offset);
  const count = buffer.shape.reduce((n, d) => n * d, 1);
  const data = buffer.storage === 'i32' ? new Int32Array(bytes.buffer, 0, count) : buffer.storage === 'f16' ? decodeF16(new Uint16Array(bytes.buffer, 0, count)) : buffer.storage === 'pair' ? decodePairs(new Uint32Array(bytes.buffer, 0, count)) : new Float32Array(bytes.buffer, 0, count);
  return { shape: buffer.shape, dtype: buffer.dtype, data };
}
