/** One plan's dispatches, each with what it moves, what it computes and the time predicted for it. */
import type { Effort } from '../effort.ts';
import type { Origin } from '../graph.ts';
import { sizeOf } from '../graph.ts';
import type { CallOp } from '../kernel.ts';
import { BYTES_OF } from '../kernel.ts';
import type { OpName } from '../ops/types.ts';
import { opDef } from '../ops.ts';
import type { Plan } from '../plan.ts';
import type { Profile } from '../profiles.ts';
import { positionOf, type Span } from '../source.ts';
import { predict, type Prediction } from './cost.ts';
import { kindsOf, opsText } from './kinds.ts';
import { touchedElements } from './least.ts';
import { missShares } from './residency.ts';
import type { Kind, Place, StepRow, Sums } from './types.ts';

/** What of a kernel's code the report needs. */
export interface CodeFacts {
  readonly workgroups: readonly [number, number, number];
  readonly issued: { readonly loadBytes: number; readonly storeBytes: number };
  readonly module: { readonly workgroupSize: readonly [number, number, number] };
  readonly effort: Effort;
}

/** A plan with its kernels' code, `kernels[i]` for `plan.kernels[i]`. */
export interface PlannedCode {
  readonly plan: Plan;
  readonly kernels: readonly CodeFacts[];
}

export interface AnalyzedStep {
  readonly row: StepRow;
  readonly prediction: Prediction;
  /** The operation that the dispatch is mostly for. */
  readonly origin: Origin;
  readonly ops: readonly CallOp[];
}

/** What a step moves, and the time predicted for it. */
interface PredictedStep {
  readonly least: { readonly read: number; readonly write: number };
  /** Weight elements that it reads. */
  readonly parameters: number;
  readonly memoryBytes: number;
  readonly prediction: Prediction;
}

export function predictSteps({ plan, kernels }: PlannedCode, profile: Profile): PredictedStep[] {
  const missed = missShares(plan, profile.cache.bytes);
  const touched = plan.kernels.map(({ kernel }) => touchedElements(kernel));
  const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b);
  return plan.steps.map((step, index): PredictedStep => {
    const { kernel } = plan.kernels[step.kernel];
    const { workgroups, module, effort } = kernels[step.kernel];
    let parameters = 0;
    let memoryBytes = 0;
    const least = { read: 0, write: 0 };
    kernel.params.forEach((param, i) => {
      const elements = touched[step.kernel][i];
      const bytes = elements * BYTES_OF[param.storage];
      least[param.access] += bytes;
      memoryBytes += missed[index][i] * bytes;
      if (plan.kernels[step.kernel].spaces[i] === 'weights') parameters += elements;
    });
    const prediction = predict({ effort, workgroups: product(workgroups), workgroupSize: product(module.workgroupSize), leastBytes: least.read + least.write, memoryBytes }, profile);
    return { least, parameters, memoryBytes, prediction };
  });
}

export function analyzeSteps(code: PlannedCode, profile: Profile): AnalyzedStep[] {
  const { plan, kernels } = code;
  const kinds = kindsOf(plan);
  const predicted = predictSteps(code, profile);
  return plan.steps.map((step, index): AnalyzedStep => {
    const { kernel } = plan.kernels[step.kernel];
    const { issued } = kernels[step.kernel];
    const { ops } = step.call;
    const flops = ops.reduce((sum, op) => sum + op.flops, 0);
    const { least, parameters, memoryBytes, prediction } = predicted[index];
    const origin = mainOrigin(ops, kinds[index], step.call.origin);
    const row: StepRow = {
      index,
      kernel: step.kernel,
      kind: kinds[index],
      scope: origin.scope,
      block: origin.block,
      ...(origin.span && { place: placeOf(origin.span) }),
      callers: callersOf(origin),
      ops: opsText(kernel, ops),
      flops,
      parameters,
      leastLoadBytes: least.read,
      leastStoreBytes: least.write,
      issuedLoadBytes: issued.loadBytes,
      issuedStoreBytes: issued.storeBytes,
      memoryBytes: Math.round(memoryBytes),
      intensity: flops / (least.read + least.write),
      bound: prediction.bound,
      fill: prediction.fill,
      seconds: prediction.total,
    };
    return { row, prediction, origin, ops };
  });
}

/** The contraction with the most arithmetic; the first reduction of a softmax or norm; else what is stored. */
function mainOrigin(ops: readonly CallOp[], kind: Kind, stored: Origin): Origin {
  const of = (wanted: string): CallOp[] => ops.filter((op) => opDef(op.op as OpName).class === wanted);
  if (kind === 'contraction') return of('contraction').reduce((a, b) => (b.flops > a.flops ? b : a)).origin;
  if (kind === 'softmax' || kind === 'normalization' || kind === 'reduction') return of('reduction')[0]?.origin ?? stored;
  return stored;
}

export function placeOf(span: Span): Place {
  return { path: span.source.path, line: positionOf(span.source, span.start).line };
}

/** The lines of the calls around an origin, innermost first, each once, without the origin's own. */
export function callersOf(origin: Origin): Place[] {
  const places: Place[] = [];
  const seen = new Set(origin.span ? [keyOf(placeOf(origin.span))] : []);
  for (let site = origin.caller; site; site = site.caller) {
    const place = placeOf(site.span);
    if (seen.has(keyOf(place))) continue;
    seen.add(keyOf(place));
    places.push(place);
  }
  return places;
}

export function keyOf({ path, line }: Place): string {
  return `${path}:${line}`;
}

export function noSums(): Sums {
  return { dispatches: 0, flops: 0, leastBytes: 0, issuedBytes: 0, seconds: 0, dispatchSeconds: 0 };
}

/** Adds a dispatch without its arithmetic, which belongs to the places of its operations. */
export function addTraffic(sums: Sums, { row, prediction }: Pick<AnalyzedStep, 'row' | 'prediction'>): void {
  sums.dispatches++;
  sums.leastBytes += row.leastLoadBytes + row.leastStoreBytes;
  sums.issuedBytes += row.issuedLoadBytes + row.issuedStoreBytes;
  sums.seconds += row.seconds;
  sums.dispatchSeconds += prediction.dispatch;
  if (row.measuredSeconds !== undefined) sums.measuredSeconds = (sums.measuredSeconds ?? 0) + row.measuredSeconds;
}

export function addStep(sums: Sums, step: AnalyzedStep): void {
  addTraffic(sums, step);
  sums.flops += step.row.flops;
}

/** Elements of the weights' buffers and of inputs and outputs, in bytes: each once. */
export function floorBytes(plan: Plan): number {
  return plan.buffers.reduce((sum, { buffer }) => (buffer.kind === 'temp' ? sum : sum + sizeOf(buffer.shape) * BYTES_OF[buffer.storage]), 0);
}
