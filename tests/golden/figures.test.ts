/**
 * Parameters and multiply-adds against what papers and timm publish, to the digits published. EfficientViT's paper counts
 * parameters after batch norms are folded, so ours are up to 2% more.
 */
import { expect, test } from 'vitest';
import { countMultiplyAdds, countParameters } from '../../src/cli/commands/zoo.ts';
import { presetGraph, presetOf } from '../helpers/zoo.ts';

/** Preset, millions of parameters, millions of multiply-adds, and half a unit of the last digit of each. */
const PUBLISHED: readonly [preset: string, parameters: number, digit: number, multiplyAdds?: number, digit2?: number][] = [
  ['vit_base_patch16_224', 86.6, 0.05],
  ['deit_tiny_patch16_224', 5.7, 0.05, 1250, 50],
  ['efficientvit_m0', 2.3, 0.05, 79, 0.5],
  ['efficientvit_m1', 3.0, 0.05, 167, 0.5],
  ['efficientvit_m2', 4.2, 0.05, 201, 0.5],
  ['efficientvit_m3', 6.9, 0.05, 263, 0.5],
  ['efficientvit_m4', 8.8, 0.05, 299, 0.5],
  ['efficientvit_m5', 12.4, 0.1, 522, 0.5],
  ['mobilevit_xxs', 1.3, 0.05],
  ['mobilevit_xs', 2.3, 0.05],
  ['mobilevit_s', 5.6, 0.05],
  ['mobilevitv2_100', 4.9, 0.05],
  ['mixer_b16_224', 59.9, 0.05],
  ['detr_resnet50', 41, 0.7],
  ['swin_tiny_patch4_window7_224', 28.3, 0.05, 4500, 50],
  ['resnet50', 25.6, 0.05, 4100, 50],
];

test.each(PUBLISHED)('%s has %d M parameters', (preset, parameters, digit, multiplyAdds, digit2) => {
  const graph = presetGraph(presetOf(preset));
  expect(Math.abs(countParameters(graph) / 1e6 - parameters)).toBeLessThanOrEqual(digit + 1e-9);
  if (multiplyAdds !== undefined) expect(Math.abs(countMultiplyAdds(graph) / 1e6 - multiplyAdds)).toBeLessThanOrEqual(digit2!);
});
