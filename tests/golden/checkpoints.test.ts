/** Checkpoints fit their presets: every parameter is found in the file, by its own name or by a rule. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PACKAGE_ROOT, openSafetensors } from '../../src/cli/files.ts';
import { parametersOf } from '../../src/compile.ts';
import { resolveWeights } from '../../src/weights/resolve.ts';
import { SHARED, presetGraph, presetOf } from '../helpers/zoo.ts';

const checkpoints = [
  ['efficientvit_m0_cifar10', 'efficientvit_m0_cifar10_224.safetensors'],
  ['mobilevit_xxs_cifar10', 'mobilevit_xxs_cifar10_128.safetensors'],
  ['mobilevitv2_050_cifar10', 'mobilevitv2_050_cifar10_128.safetensors'],
  ['vit_tiny_patch16_224', 'vit_tiny_patch16_224.augreg_in21k_ft_in1k.safetensors'],
] as const;

for (const [preset, name] of checkpoints) {
  const file = join(SHARED, 'weights', name);
  test.skipIf(!existsSync(file))(`${name} fits ${preset} (skipped without ../shared/weights)`, () => {
    const graph = presetGraph(presetOf(preset));
    const resolved = resolveWeights(parametersOf(graph), graph.weightRules, openSafetensors(file));
    expect(resolved.problems.map((p) => p.message)).toEqual([]);
  });
}

/** `NAME DIMS` a line, `{a..b}` standing for every number of a range: the entries of another library's checkpoints. */
function readNames(text: string): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  for (const line of text.trim().split('\n')) {
    const [name, ...dims] = line.split(' ');
    const range = /\{(\d+)\.\.(\d+)\}/.exec(name);
    const [low, high] = range ? [Number(range[1]), Number(range[2])] : [0, 0];
    for (let i = low; i <= high; i++) shapes.set(range ? name.replace(range[0], String(i)) : name, dims.map(Number));
  }
  return shapes;
}

const NAMES = join(PACKAGE_ROOT, 'tests', 'golden', 'names');
test.each(readdirSync(NAMES).map((f) => f.replace(/\.txt$/, '')))('the weight rules of %s cover the names of transformers 4', (preset) => {
  const shapes = readNames(readFileSync(join(NAMES, `${preset}.txt`), 'utf8'));
  const graph = presetGraph(presetOf(preset));
  const unread = { label: preset, shapes, read: () => new Float32Array(0) };
  expect(resolveWeights(parametersOf(graph), graph.weightRules, unread).problems.map((p) => p.message)).toEqual([]);
});
