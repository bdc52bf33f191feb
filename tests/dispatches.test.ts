/** What fusion leaves of whole models: dispatches of a run. No device is needed; targets are the least that WebGPU promises. */
import { expect, test } from 'vitest';
import { compileGraph } from '../src/compile.ts';
import { WEB } from '../src/targets.ts';
import { presetGraph, presetOf } from './helpers/zoo.ts';

/** Preset, dispatches at batch 1. */
const MOST: readonly [preset: string, dispatches: number][] = [
  // Twelve blocks of five: projections in, attention, projection out, two of the perceptron; patches and head.
  ['vit_tiny_patch16_224', 63],
  // One of its windows' depths is divided: a dispatch more.
  ['mobilevit_s', 83],
  // Small kernels are joined to chains: 120 without.
  ['efficientvit_m0', 84],
];

test.each(MOST)('%s takes at most %d dispatches', (preset, most) => {
  const { value } = compileGraph(presetGraph(presetOf(preset)), { target: WEB, dtype: 'f32' });
  expect(value!.plan.steps.length).toBeLessThanOrEqual(most);
});
