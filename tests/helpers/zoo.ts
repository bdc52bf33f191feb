/** The zoo's presets as graphs, and the goldens and checkpoints beside the repository. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Sources, buildGraph, targetsOf } from '../../src/compile.ts';
import { PACKAGE_ROOT, Project, openSafetensors, zooFiles } from '../../src/cli/files.ts';
import type { Graph } from '../../src/graph.ts';
import { readGolden, type Golden } from '../../src/weights/golden.ts';

export const SHARED = resolve(PACKAGE_ROOT, '..', 'shared');

/** Goldens lie beside the repository; those of architectures added since are small and lie in it. */
const GOLDEN_FOLDERS = [join(SHARED, 'golden'), join(PACKAGE_ROOT, 'tests', 'golden', 'later')].filter((folder) => existsSync(folder));

/** The names of the goldens that are there. */
export function goldenNames(): string[] {
  return GOLDEN_FOLDERS.flatMap((folder) => readdirSync(folder)).flatMap((f) => (f.endsWith('.json') ? [f.slice(0, -5)] : []));
}

/** The path of a golden's file, `ending` being `.json` or `.safetensors`. */
export function goldenFile(name: string, ending: string): string {
  const folder = GOLDEN_FOLDERS.find((f) => existsSync(join(f, name + ending)));
  if (!folder) throw new Error(`there is no golden ${name}${ending}`);
  return join(folder, name + ending);
}

export function loadGolden(name: string): Golden {
  return readGolden(readFileSync(goldenFile(name, '.json'), 'utf8'), `${name}.json`);
}

/** The golden's outputs, and as `weights:NAME` the statistics that no seed gives. */
export function goldenTensors(name: string): (key: string) => Float32Array {
  const file = openSafetensors(goldenFile(name, '.safetensors'));
  return (key) => file.read(key) as Float32Array;
}

export interface ZooPreset {
  readonly file: string;
  readonly name: string;
}

const projects = new Map<string, { project: Project; sources: Sources }>();

function open(file: string): { project: Project; sources: Sources } {
  let opened = projects.get(file);
  if (!opened) {
    const project = new Project(file);
    projects.set(file, (opened = { project, sources: new Sources(project) }));
  }
  return opened;
}

/** Every preset, with the file it is in. */
export function zooPresets(): ZooPreset[] {
  return zooFiles().flatMap((file) => {
    const { project, sources } = open(file);
    return targetsOf(sources, project.entry).value.flatMap((t) => (t.kind === 'preset' ? [{ file, name: t.name }] : []));
  });
}

/** The graph of a preset; whatever the compiler has to say against it is thrown. */
export function presetGraph({ file, name }: ZooPreset, batch = 1): Graph {
  const { project, sources } = open(file);
  const { value, diagnostics } = buildGraph(sources, { entry: project.entry, target: name, batch });
  if (!value || diagnostics.length > 0) throw new Error(`${name}: ${diagnostics.map((d) => `${d.code} ${d.message}`).join('\n')}`);
  return value;
}

/** The preset of a golden's name. */
export function presetOf(golden: string): ZooPreset {
  const preset = zooPresets().find((p) => p.name === golden);
  if (!preset) throw new Error(`the zoo has no preset ${golden}`);
  return preset;
}

/** The batch of a golden: the first axis of its first input. */
export function batchOf(golden: Golden): number {
  return [...golden.inputs.values()][0].shape[0];
}
