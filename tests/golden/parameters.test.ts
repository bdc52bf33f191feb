/** Every preset with a golden has the reference's parameters, by name and shape: real checkpoints load as they are. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ZOO } from '../../src/cli/files.ts';
import { paramsOf } from '../../src/graph.ts';
import { format } from '../../src/parser/format.ts';
import { batchOf, goldenNames, loadGolden, presetGraph, presetOf, zooPresets } from '../helpers/zoo.ts';

/** Those of ../shared/golden are skipped where it is absent. */
describe('parameters equal the goldens\'', () => {
  test.each(goldenNames())('%s', (name) => {
    const golden = loadGolden(name);
    const graph = presetGraph(presetOf(name), batchOf(golden));
    const ours = paramsOf(graph).map((n) => `${n.attrs.name} ${n.shape.join(' ')}`);
    // A tied parameter is one here, under the first of its names.
    const theirs = [...golden.parameters].filter(([key]) => (golden.seedName.get(key) ?? key) === key).map(([key, shape]) => `${key} ${shape.join(' ')}`);
    expect(ours.sort()).toEqual(theirs.sort());
    expect(Object.fromEntries(graph.inputs.map((i) => [i.name, graph.nodes[i.node].shape]))).toEqual(
      Object.fromEntries([...golden.inputs].map(([key, input]) => [key, input.shape])),
    );
    expect(graph.outputs.map((o) => o.name).sort()).toEqual([...golden.outputs.keys()].sort());
  });
});

test('every preset of the zoo elaborates, and has a documentation comment', () => {
  for (const preset of zooPresets()) expect(presetGraph(preset).doc, preset.name).toBeTruthy();
});

test('every file of the zoo is formatted', () => {
  const folders = [ZOO, join(ZOO, 'std')];
  const files = folders.flatMap((folder) => readdirSync(folder).filter((f) => f.endsWith('.vit')).map((f) => join(folder, f)));
  for (const path of files) {
    const text = readFileSync(path, 'utf8');
    expect(format({ path, text }).value === text, path).toBe(true);
  }
});
