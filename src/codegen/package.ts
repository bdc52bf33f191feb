/** The package: an ES module with kernels and weights, as a map from file names to contents. */
import type { Graph } from '../graph.ts';
import type { Plan } from '../plan.ts';
import type { ModuleFacts } from './package-module.ts';
import { indexDts, indexJs, isNeeded } from './package-module.ts';
import type { WeightShard } from './package-plan.ts';
import { packagePlan, packageReport, shardFile, weightsManifest, type PredictedTimes } from './package-plan.ts';
import { readme } from './package-readme.ts';
import { printModule } from './wgsl-print.ts';
import type { KernelCode } from './wgsl.ts';

export type { WeightShard } from './package-plan.ts';

/** Contents by file name, with forward slashes. */
export type PackageFiles = ReadonlyMap<string, string | Uint8Array>;

export interface PackageInput {
  /** As elaborated: names, documentation and picture rules of inputs and outputs. */
  readonly graph: Graph;
  readonly plan: Plan;
  /** One for each of plan.kernels. */
  readonly kernels: readonly KernelCode[];
  /** The compiled runtime: `load.js`, `load.d.ts` and so on, by file name. */
  readonly runtime: ReadonlyMap<string, string>;
  /** One for each of plan.weightShards; absent: the package is without weights until they are packed. */
  readonly weights?: readonly WeightShard[];
  /** Class names of a named set such as `imagenet-1k`; undefined where the set is unknown. */
  readonly labelSet?: (name: string) => readonly string[] | undefined;
  /** Milliseconds of each step as predicted for a device, for report.json and README.md. */
  readonly predicted?: PredictedTimes;
}

/** `Some_Model` to `some-model`: npm's names are lower case and have no underscores by custom. */
function packageName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9.~]+/g, '-').replace(/^[-.]+|-+$/g, '') || 'model';
}

function labelsOf(graph: Graph, labelSet: PackageInput['labelSet']): Map<string, readonly string[]> {
  const named = graph.outputs.flatMap(({ name, node, labels }) => {
    const names = typeof labels === 'string' ? labelSet?.(labels) : labels;
    const classes = graph.nodes[node].shape.at(-1);
    return names && names.length === classes ? [[name, names] as const] : [];
  });
  return new Map(named);
}

function packageJson(name: string, description: string): string {
  const content = {
    name,
    version: '1.0.0',
    description,
    type: 'module',
    sideEffects: false,
    exports: { '.': { types: './index.d.ts', default: './index.js' }, './*': './*' },
    types: './index.d.ts',
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Weights alone, for a package that was compiled before them: weights.json and its shards. */
export function emitWeights(plan: Plan, weights: readonly WeightShard[]): PackageFiles {
  return new Map<string, string | Uint8Array>([
    ['weights.json', `${JSON.stringify(weightsManifest(plan, weights))}\n`],
    ...weights.map(({ bytes }, i) => [shardFile(i, weights.length), bytes] as const),
  ]);
}

/** All files of a package. Pure: what is on disk (runtime, labels, weights) comes with the input. */
export function emitPackage(input: PackageInput): PackageFiles {
  const { graph, plan, kernels, weights } = input;
  const labels = labelsOf(graph, input.labelSet);
  const facts: ModuleFacts = { plan: packagePlan(graph, plan, kernels, input.predicted), doc: graph.doc, inputs: graph.inputs, outputs: graph.outputs, labels };
  const name = packageName(graph.name);
  const files = new Map<string, string | Uint8Array>([
    ['package.json', packageJson(name, `${graph.name} for WebGPU, compiled by vitc`)],
    ['README.md', readme(facts, name, { hasWeights: weights !== undefined || plan.weightShards.length === 0, predicted: input.predicted })],
    ['index.js', indexJs(facts)],
    ['index.d.ts', indexDts(facts)],
    ['plan.js', `export const plan = ${JSON.stringify(facts.plan)};\n`],
    ['report.json', `${JSON.stringify(packageReport(plan, kernels, input.predicted))}\n`],
    ['weights.json', `${JSON.stringify(weightsManifest(plan))}\n`],
  ]);
  if (labels.size > 0) files.set('labels.js', `export const labels = ${JSON.stringify(Object.fromEntries(labels))};\n`);
  for (const [file, content] of input.runtime) if (isNeeded(file, facts)) files.set(`runtime/${file}`, content);
  plan.kernels.forEach((kernel, i) => files.set(`kernels/${kernel.id}.wgsl`, printModule(kernels[i].module)));
  if (weights) for (const [file, content] of emitWeights(plan, weights)) files.set(file, content);
  return files;
}
