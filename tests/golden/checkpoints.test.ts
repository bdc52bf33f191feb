/** Trained checkpoints fit their presets: every parameter is found in the file, by its own name or by a rule. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openSafetensors } from '../../src/cli/files.ts';
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
