/** A report from a compilation: the plan as it is, and what it would be with every operation of the source a dispatch of its own. */
import type { Graph } from '../graph.ts';
import { paramsOf, sizeOf } from '../graph.ts';
import type { OpName } from '../ops/types.ts';
import { opDef } from '../ops.ts';
import type { Plan } from '../plan.ts';
import type { Profile } from '../profiles.ts';
import type { Source } from '../source.ts';
import { blockRows, blockTypeRows, lineRows } from './places.ts';
import { addStep, analyzeSteps, floorBytes, noSums, type AnalyzedStep, type PlannedCode } from './steps.ts';
import { BOUNDS, KINDS, REPORT_FORMAT, REPORT_VERSION, type Bound, type KernelRow, type Kind, type MemoryPart, type Report, type Saving, type Share, type Sums, type TensorRow, type Totals } from './types.ts';

export interface ReportInput {
  readonly graph: Graph;
  readonly batch: number;
  readonly dtype: 'f32' | 'f16';
  /** How float inputs are given; f32 where absent. */
  readonly inputs?: 'f32' | 'f16';
  readonly profile: Profile;
  /** As compiled. */
  readonly fused: PlannedCode;
  /** Passes run, every operation a dispatch of its own. */
  readonly unfused: PlannedCode;
  /** The graph as written, every operation a dispatch of its own. */
  readonly plain: PlannedCode;
  readonly measured?: Measured;
}

/** Times on a device. */
export interface Measured {
  readonly device: string;
  /** Of each step, in seconds. */
  readonly steps: readonly number[];
  /** A whole prediction, inputs and outputs on the device. */
  readonly wholeSeconds: number;
}

export interface Analysis {
  readonly report: Report;
  /** Every source that a line of the report is in. */
  readonly sources: readonly Source[];
}

export function analyze(input: ReportInput): Analysis {
  const { graph, batch, dtype, inputs, profile, fused, unfused, plain, measured } = input;
  const after = withMeasured(analyzeSteps(fused, profile), measured);
  const before = analyzeSteps(plain, profile);
  const folded = analyzeSteps(unfused, profile);
  const { lines, sources } = lineRows({ before, after });
  const blocks = blockRows(graph, fused.plan, { before, after });
  const report: Report = {
    format: REPORT_FORMAT,
    version: REPORT_VERSION,
    model: graph.name,
    ...(graph.doc !== undefined && { doc: graph.doc }),
    batch,
    dtype,
    ...(inputs === 'f16' && { inputs }),
    target: fused.plan.target.name,
    profile,
    parameters: paramsOf(graph).reduce((sum, p) => (p.attrs.buffer ? sum : sum + sizeOf(p.shape)), 0),
    after: totalsOf(fused.plan, after),
    before: totalsOf(plain.plan, before),
    savings: savingsOf(before, folded, after),
    shares: sharesOf(before, after),
    bounds: boundsOf(after),
    blocks,
    blockTypes: blockTypeRows(blocks, { before, after }),
    lines,
    memory: memoryOf(fused.plan),
    kernels: kernelRows(fused, after),
    steps: after.map((s) => s.row),
    ...(measured && { measurement: { device: measured.device, seconds: measured.steps.reduce((a, b) => a + b, 0), wholeSeconds: measured.wholeSeconds } }),
  };
  return { report, sources };
}

function withMeasured(steps: AnalyzedStep[], measured: Measured | undefined): AnalyzedStep[] {
  if (!measured) return steps;
  return steps.map((s, i) => ({ ...s, row: { ...s.row, measuredSeconds: measured.steps[i] } }));
}

function sumsOf(steps: readonly AnalyzedStep[]): Sums {
  const sums = noSums();
  for (const s of steps) addStep(sums, s);
  return sums;
}

function totalsOf(plan: Plan, steps: readonly AnalyzedStep[]): Totals {
  const sums = sumsOf(steps);
  const contracted = steps.flatMap((s) => s.ops).reduce((flops, op) => (opDef(op.op as OpName).class === 'contraction' ? flops + op.flops : flops), 0);
  return {
    ...sums,
    kernels: plan.kernels.length,
    multiplyAdds: contracted / 2,
    floorBytes: floorBytes(plan),
    intensity: sums.leastBytes > 0 ? sums.flops / sums.leastBytes : 0,
    arenaBytes: plan.arenaBytes,
    livenessBound: plan.livenessBound,
    weightBytes: plan.weightShards.reduce((a, b) => a + b, 0),
  };
}

function byKind(steps: readonly AnalyzedStep[]): Map<Kind, Sums> {
  return new Map(KINDS.map((kind) => [kind, sumsOf(steps.filter((s) => s.row.kind === kind))]));
}

function sharesOf(before: readonly AnalyzedStep[], after: readonly AnalyzedStep[]): Share[] {
  const [was, is] = [byKind(before), byKind(after)];
  return KINDS.map((kind) => ({ kind, before: was.get(kind)!, after: is.get(kind)! })).filter((s) => s.before.dispatches + s.after.dispatches > 0);
}

const LABELS: Record<Kind, string> = {
  movement: 'movement made free by index maps',
  elementwise: 'element-wise operations joined to their neighbours',
  normalization: 'norms computed in one pass over each row',
  softmax: 'softmax computed in one pass, or streamed with the products around it',
  contraction: 'matrix products and convolutions, with what they take over from others',
  reduction: 'pooling and other reductions',
  order: 'sorting',
};

/** By the graph's passes, then by what each kind of dispatch no longer costs. */
function savingsOf(before: readonly AnalyzedStep[], folded: readonly AnalyzedStep[], after: readonly AnalyzedStep[]): Saving[] {
  const difference = (cause: Saving['cause'], label: string, a: Sums, b: Sums): Saving => ({
    cause,
    label,
    leastBytes: a.leastBytes - b.leastBytes,
    issuedBytes: a.issuedBytes - b.issuedBytes,
    seconds: a.seconds - b.seconds,
    dispatches: a.dispatches - b.dispatches,
  });
  const [was, is] = [byKind(folded), byKind(after)];
  const kinds = KINDS.map((kind) => difference(kind, LABELS[kind], was.get(kind)!, is.get(kind)!)).filter((s) => s.dispatches !== 0 || s.leastBytes !== 0);
  return [difference('folding', 'norms, scales and constants folded into weights, equal values computed once', sumsOf(before), sumsOf(folded)), ...kinds.sort((a, b) => b.seconds - a.seconds)];
}

function boundsOf(steps: readonly AnalyzedStep[]): Report['bounds'] {
  const of = (bound: Bound) => {
    const { dispatches, seconds, leastBytes } = sumsOf(steps.filter((s) => s.row.bound === bound));
    return { dispatches, seconds, leastBytes };
  };
  return Object.fromEntries(BOUNDS.map((bound) => [bound, of(bound)])) as Report['bounds'];
}

function kernelRows({ plan, kernels }: PlannedCode, steps: readonly AnalyzedStep[]): KernelRow[] {
  return plan.kernels.map(({ id, schedule }, i): KernelRow => {
    const own = steps.filter((s) => s.row.kernel === i);
    return { id, kind: own[0].row.kind, schedule, workgroups: kernels[i].workgroups, workgroupSize: kernels[i].module.workgroupSize, effort: kernels[i].effort, calls: own.length, sums: sumsOf(own) };
  });
}

function memoryOf(plan: Plan): MemoryPart {
  const count = plan.steps.length;
  const inArena = plan.buffers.filter((b) => b.space === 'arena');
  const timeline = new Array<number>(count).fill(0);
  const tensors = inArena.map(({ buffer, bytes, offset, live }): TensorRow => {
    for (let i = Math.max(0, live[0]); i <= Math.min(count - 1, live[1]); i++) timeline[i] += bytes;
    return { name: buffer.name, kind: buffer.kind as TensorRow['kind'], shape: buffer.shape, storage: buffer.storage, bytes, offset, live };
  });
  const most = Math.max(0, ...timeline);
  return {
    arenaBytes: plan.arenaBytes,
    livenessBound: plan.livenessBound,
    weightBytes: plan.weightShards.reduce((a, b) => a + b, 0),
    timeline,
    peak: { step: Math.max(0, timeline.indexOf(most)), bytes: most },
    tensors,
  };
}
