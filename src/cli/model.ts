/** From a command's arguments to a graph and its weights: FILE#preset, a bare preset name, --set, --weights, --seed. */
import { existsSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Sources, buildGraph, parametersOf, targetsOf, type ConfigLiteral, type ParamReader, type TargetInfo } from '../compile.ts';
import { error, hasErrors } from '../diagnostics.ts';
import type { Graph } from '../graph.ts';
import { suggest } from '../suggest.ts';
import { resolveWeights, type Checkpoint } from '../weights/resolve.ts';
import { seededWeight } from '../weights/seeded.ts';
import { CliError, EXIT } from './errors.ts';
import { Project, openSafetensors, zooFiles } from './files.ts';
import { parseHubName, pull } from './hub.ts';
import { plain, printDiagnostics, progress, say } from './terminal.ts';

export interface ModelOptions {
  readonly set?: Readonly<Record<string, ConfigLiteral>>;
  readonly batch?: number;
}

/** A model named on the command line: its sources, and which preset or model of them is meant. */
export interface ModelArgument {
  readonly project: Project;
  readonly sources: Sources;
  readonly target?: string;
  /** The file as the user would name it. */
  readonly file: string;
}

/** `FILE`, `FILE#NAME`, or a preset of the zoo. */
export function findModel(argument: string): ModelArgument {
  const hash = argument.lastIndexOf('#');
  const file = hash < 0 ? argument : argument.slice(0, hash);
  const target = hash < 0 ? undefined : argument.slice(hash + 1);
  if (file.endsWith('.vit')) {
    if (isFolder(file)) throw new CliError(error('E0904', `${file} is a folder, no source`), EXIT.usage);
    return open(file, target);
  }
  const names: string[] = [];
  for (const path of zooFiles()) {
    const found = open(path, argument);
    for (const info of targetsOf(found.sources, found.project.entry).value) {
      if (info.kind === 'preset' && info.name === argument) return found;
      if (info.kind === 'preset') names.push(info.name);
    }
  }
  if (isFolder(file))
    throw new CliError(
      existsSync(join(file, 'plan.js'))
        ? error('E0904', `${file} is a package, compiled before`, undefined, { help: '`vitc run` and `vitc bench` take packages; here, name the model that it was compiled from' })
        : error('E0904', `${file} is a folder, no source`, undefined, { help: 'name a file in it: FILE.vit or FILE.vit#NAME' }),
      EXIT.usage,
    );
  if (existsSync(file)) throw new CliError(error('E0904', `${file} is no source: its name does not end in .vit`, undefined, { help: 'a model is named FILE.vit, FILE.vit#NAME, or as a preset of the zoo' }), EXIT.usage);
  const near = suggest(argument, names);
  throw new CliError(
    error('E0904', `there is no file or preset ${JSON.stringify(argument)}`, undefined, {
      help: near ? `did you mean ${near}?` : '`vitc zoo` lists the presets; a file is named with its ending, FILE.vit or FILE.vit#NAME',
    }),
    EXIT.usage,
  );
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function open(file: string, target: string | undefined): ModelArgument {
  const project = new Project(file);
  return { project, sources: new Sources(project), target, file };
}

/** The graph; diagnostics are printed, errors end the command. */
export function graphOf(model: ModelArgument, options: ModelOptions = {}): Graph {
  const { value, diagnostics } = buildGraph(model.sources, { entry: model.project.entry, target: model.target, settings: options.set, batch: options.batch });
  if (!value || hasErrors(diagnostics)) throw new CliError(diagnostics);
  printDiagnostics(diagnostics);
  return value;
}

/** What the file says of the chosen preset. */
export function targetInfo(model: ModelArgument): TargetInfo | undefined {
  const infos = targetsOf(model.sources, model.project.entry).value;
  return model.target === undefined ? (infos.length === 1 ? infos[0] : undefined) : infos.find((i) => i.name === model.target);
}

export interface WeightOptions {
  readonly weights?: string;
  readonly seed?: number;
}

/** Where a model's weights come from: --weights, --seed, or the preset's own `@weights`. */
export async function weightsFor(model: ModelArgument, graph: Graph, options: WeightOptions): Promise<{ read: ParamReader; label: string } | undefined> {
  if (options.weights !== undefined) return fromCheckpoint(graph, openSafetensors(await localFile(options.weights)));
  if (options.seed !== undefined) {
    const { seed } = options;
    return { read: (name, shape) => seededWeight(name, shape, seed), label: `seed ${seed}` };
  }
  const own = targetInfo(model)?.weights;
  if (own === undefined) return undefined;
  if (own.startsWith('hf:')) return fromCheckpoint(graph, openSafetensors(await localFile(own)));
  const file = model.project.beside(own);
  if (file === undefined) throw new CliError(error('E0801', `the weights ${JSON.stringify(own)} that ${model.file} names lie outside of its project`, undefined, { help: 'name them on the command line: `--weights FILE.safetensors`' }));
  return fromCheckpoint(graph, openSafetensors(relative(process.cwd(), file)));
}

/** Weights, or an error that says how to give them. */
export async function requiredWeights(model: ModelArgument, graph: Graph, options: WeightOptions): Promise<{ read: ParamReader; label: string }> {
  const weights = await weightsFor(model, graph, options);
  if (!weights)
    throw new CliError(error('E0805', `${graph.name} has no weights of its own`, undefined, { help: 'give them with `--weights FILE.safetensors`, or `--seed 1` for seeded ones' }), EXIT.usage);
  return weights;
}

/** A file as it is named, or from a hub, downloaded once. */
async function localFile(name: string): Promise<string> {
  const hub = parseHubName(name);
  if (!hub) return name;
  const bar = progress('downloading');
  const paths = await pull(hub, { onProgress: (_, done, total) => bar.update(done, total) }).finally(() => bar.stop());
  if (paths.length > 1) throw new CliError(error('E0821', `${name} is spread over ${paths.length} files`, undefined, { help: `name one of them: ${name}/FILE.safetensors` }));
  return paths[0];
}

const SHOWN = 20;

function fromCheckpoint(graph: Graph, checkpoint: Checkpoint): { read: ParamReader; label: string } {
  const resolved = resolveWeights(parametersOf(graph), graph.weightRules, checkpoint);
  const fatal = resolved.problems.filter((p) => p.kind !== 'unexpected');
  if (fatal.length > 0) {
    const notes = resolved.problems.map((p) => p.message);
    if (notes.length > SHOWN) notes.splice(SHOWN, Infinity, `and ${resolved.problems.length - SHOWN} more`);
    const counts = (['missing', 'shape', 'unexpected'] as const).map((kind) => [kind, resolved.problems.filter((p) => p.kind === kind).length] as const).filter(([, n]) => n > 0);
    throw new CliError(
      error('E0802', `${checkpoint.label} does not fit ${graph.name}: ${counts.map(([kind, n]) => (kind === 'shape' ? `${n} of another shape` : `${n} ${kind}`)).join(', ')}`, undefined, { notes }),
    );
  }
  for (const problem of resolved.problems.slice(0, SHOWN)) say(plain(`note: ${checkpoint.label} has a tensor that ${graph.name} does not use: ${problem.name}`));
  return { read: (name) => resolved.read(name), label: checkpoint.label };
}
