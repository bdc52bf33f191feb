/** Reports for the command line: compile a model every way that a report compares, find the profile, analyze. */
import { existsSync } from 'node:fs';
import { effortOf } from '../codegen/effort.ts';
import { compileGraph, type Compilation } from '../compile.ts';
import { error } from '../diagnostics.ts';
import type { Graph } from '../graph.ts';
import { DEFAULT_PROFILE, PROFILES, profileNamed, readProfile, type Profile } from '../profiles.ts';
import { analyze, type Analysis, type Measured } from '../report/analyze.ts';
import { predictSteps, type PlannedCode } from '../report/steps.ts';
import { suggest } from '../suggest.ts';
import type { Target } from '../targets.ts';
import { CliError, EXIT } from './errors.ts';
import { compileOrFail } from './executor.ts';
import { readText } from './files.ts';
import type { TuningFile } from './tuning.ts';

/** A built-in profile's name or a file that `vitc profile-device` wrote. */
export function findProfile(argument: string = DEFAULT_PROFILE): Profile {
  const named = profileNamed(argument);
  if (named) return named;
  if (argument.endsWith('.json') || existsSync(argument)) {
    const read = readProfile(readText(argument));
    if (typeof read !== 'string') return read;
    throw new CliError(error('E0905', `${argument} is no device profile: ${read}`, undefined, { help: '`vitc profile-device -o FILE.json` writes one' }), EXIT.usage);
  }
  const names = PROFILES.map((p) => p.name);
  const near = suggest(argument, names);
  throw new CliError(
    error('E0905', `there is no device profile ${JSON.stringify(argument)}`, undefined, { help: near ? `did you mean ${near}?` : `built in are ${names.join(', ')}; any other is a file, FILE.json` }),
    EXIT.usage,
  );
}

export interface ReportRequest {
  readonly graph: Graph;
  readonly target: Target;
  readonly dtype: 'f32' | 'f16';
  readonly inputs?: 'f32' | 'f16';
  readonly profile: Profile;
  readonly measured?: Measured;
  /** What is compiled already. */
  readonly compilation?: Compilation;
  /** False: the report is of the plan in which every operation is a dispatch of its own. */
  readonly fuse?: boolean;
  readonly tuning?: TuningFile;
}

/** The batch of a graph: the free dimension of its first input. */
export function batchOf(graph: Graph): number {
  const [input] = graph.inputs;
  return input ? (graph.nodes[input.node].shape[0] ?? 1) : 1;
}

/** A compilation with what its code makes the device execute. */
export function plannedCode({ plan, kernels }: Pick<Compilation, 'plan' | 'kernels'>): PlannedCode {
  return { plan, kernels: kernels.map((code) => ({ ...code, effort: effortOf(code) })) };
}

/** Predicted seconds of each step. */
export function predictedSteps(compilation: Pick<Compilation, 'plan' | 'kernels'>, profile: Profile = findProfile()): number[] {
  return predictSteps(plannedCode(compilation), profile).map((s) => s.prediction.total);
}

export interface FullReport extends Analysis {
  readonly compilation: Compilation;
}

export function makeReport(request: ReportRequest): FullReport {
  const { graph, target, dtype, inputs, profile, measured } = request;
  // What no target could hold is still worth comparing with.
  const roomy: Target = { ...target, limits: { ...target.limits, maxBufferSize: Number.MAX_SAFE_INTEGER, maxStorageBufferBindingSize: Number.MAX_SAFE_INTEGER } };
  const apart = (passes?: { readonly passes: readonly [] }): Compilation => {
    const { value, diagnostics } = compileGraph(graph, { target: roomy, dtype, inputs, fuse: false, ...(passes && { passes }) });
    if (!value) throw new CliError(diagnostics);
    return value;
  };
  const unfused = apart();
  const compilation = request.compilation ?? (request.fuse === false ? unfused : compileOrFail(graph, { target, dtype, inputs, tuning: request.tuning }));
  const analysis = analyze({ graph, batch: batchOf(graph), dtype, inputs, profile, fused: plannedCode(compilation), unfused: plannedCode(unfused), plain: plannedCode(apart({ passes: [] })), measured });
  return { ...analysis, compilation };
}
