/** Multiply-adds of reports against a count over the shapes that the reference implementation gives. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { makeReport } from '../src/cli/reports.ts';
import { profileNamed } from '../src/profiles.ts';
import { WEB } from '../src/targets.ts';
import { goldenMultiplyAdds, type GoldenShapes } from './helpers/count-flops.ts';
import { goldenFile, goldenNames, presetGraph, presetOf } from './helpers/zoo.ts';

const NAMES = ['vit_tiny_patch16_224', 'swin_tiny_patch4_window7_224', 'mobilevit_s', 'resnet50'].filter((name) => goldenNames().includes(name));

test('the count of a linear layer, a grouped convolution and attention is right', () => {
  const trace = { fc: { shape: [2, 5, 7] }, conv: { shape: [2, 6, 4, 3] }, 'attn.qkv': { shape: [2, 5, 12] } };
  expect(goldenMultiplyAdds({ parameters: [['fc.weight', [7, 3]]], trace })).toBe(2 * 5 * 7 * 3);
  expect(goldenMultiplyAdds({ parameters: [['conv.weight', [6, 1, 3, 3]], ['conv.bias', [6]]], trace })).toBe(2 * 4 * 3 * 6 * 9);
  expect(goldenMultiplyAdds({ parameters: [['attn.qkv.weight', [12, 4]]], trace })).toBe(2 * 5 * 12 * 4 + 2 * (2 * 5 * 5 * 4));
});

describe.skipIf(NAMES.length === 0)('multiply-adds are those of the reference', () => {
  test.each(NAMES)('%s', (name) => {
    const golden = JSON.parse(readFileSync(goldenFile(name, '.json'), 'utf8')) as GoldenShapes & { readonly inputs: Record<string, { shape: number[] }> };
    const [batch] = Object.values(golden.inputs)[0].shape;
    const { report } = makeReport({ graph: presetGraph(presetOf(name), batch), target: WEB, dtype: 'f32', profile: profileNamed('nvidia-h100')! });
    const want = goldenMultiplyAdds(golden);
    expect(report.before.multiplyAdds).toBe(want);
    expect(report.after.multiplyAdds).toBe(want);
  });
});
