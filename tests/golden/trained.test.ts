/**
 * Trained weights on real pictures, through compiled packages. All pictures run with VITC_PICTURES=all; otherwise a few of
 * each, since the software adapter is slow.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageExecutor } from '../../src/cli/executor.ts';
import { openSafetensors } from '../../src/cli/files.ts';
import { findPictures } from '../../src/cli/images.ts';
import { best } from '../../src/cli/results.ts';
import { pictureToTensor } from '../../src/codegen/runtime/image.ts';
import { parametersOf } from '../../src/compile.ts';
import { difference } from '../../src/weights/golden.ts';
import { resolveWeights } from '../../src/weights/resolve.ts';
import { testDevice } from '../helpers/device.ts';
import { SHARED, presetGraph, presetOf } from '../helpers/zoo.ts';

const gpu = await testDevice();
const all = process.env.VITC_PICTURES === 'all';

/** Logits of pictures, row by row, in batches. */
async function logitsOf(preset: string, checkpoint: string, pictures: ReturnType<typeof findPictures>, batch: number): Promise<Float32Array[]> {
  const graph = presetGraph(presetOf(preset), batch);
  const weights = resolveWeights(parametersOf(graph), graph.weightRules, openSafetensors(join(SHARED, 'weights', checkpoint)));
  expect(weights.problems).toEqual([]);
  const executor = await packageExecutor({ graph, read: (name) => weights.read(name), dtype: 'f32', opened: gpu! });
  const [port] = executor.inputs;
  const [, channels, height, width] = port.shape;
  const size = channels * height * width;
  const rows: Float32Array[] = [];
  for (let at = 0; at < pictures.length; at += batch) {
    const data = new Float32Array(batch * size);
    const part = pictures.slice(at, at + batch);
    for (const [i, source] of part.entries()) pictureToTensor(await source.decode(), port.image!, channels, height, width, data.subarray(i * size, (i + 1) * size));
    const { logits } = await executor.run({ [port.name]: data });
    const classes = logits.shape[1];
    part.forEach((_, i) => rows.push(Float32Array.from({ length: classes }, (_, c) => logits.data[i * classes + c])));
  }
  executor.close();
  return rows;
}

describe.skipIf(!gpu || !existsSync(join(SHARED, 'weights')))('trained weights (skipped without ../shared)', () => {
  test.each([
    ['efficientvit_m0_cifar10', 'efficientvit_m0_cifar10_224', 4],
    ['mobilevit_xxs_cifar10', 'mobilevit_xxs_cifar10_128', 4],
    ['mobilevitv2_050_cifar10', 'mobilevitv2_050_cifar10_128', 4],
  ])('%s gives the logits that its training framework gives', { timeout: 600_000 }, async (preset, name, few) => {
    const path = join(SHARED, 'weights', `${name}.expected.safetensors`);
    const expected = openSafetensors(path).read('logits') as Float32Array;
    const count = all ? 100 : few;
    const rows = await logitsOf(preset, `${name}.safetensors`, findPictures(path).slice(0, count), all ? 10 : few);
    const ours = Float32Array.from(rows.flatMap((row) => [...row]));
    expect(difference(ours, expected.subarray(0, ours.length)).relative).toBeLessThan(1e-4);
    if (!all) return;
    // The pictures are ten of each class, in order; the share that is right is that of the reference.
    const right = (logits: ArrayLike<number>) => rows.filter((_, i) => best(Array.prototype.slice.call(logits, i * 10, i * 10 + 10), 1)[0].index === Math.floor(i / 10)).length;
    expect(right(ours)).toBe(right(expected));
  });

  test('vit_tiny sees in photographs what the reference sees', { timeout: 1_200_000 }, async () => {
    const folder = join(SHARED, 'images');
    const { images } = JSON.parse(readFileSync(join(folder, 'imagenet100.json'), 'utf8')) as { images: { file: string; label: number; top5: number[]; logits: number[] }[] };
    const chosen = all ? images : images.filter((_, i) => i % 20 === 0);
    const pictures = chosen.map(({ file }) => findPictures(join(folder, 'imagenet100', file))[0]);
    const rows = await logitsOf('vit_tiny_patch16_224', 'vit_tiny_patch16_224.augreg_in21k_ft_in1k.safetensors', pictures, chosen.length % 10 === 0 ? 10 : chosen.length);
    const top = rows.map((row) => best(row, 1)[0].index);
    const same = chosen.filter((image, i) => image.top5[0] === top[i]).length;
    expect(same).toBeGreaterThanOrEqual(all ? 98 : chosen.length);
    if (all) expect(chosen.filter((image, i) => image.label === top[i]).length).toBeGreaterThanOrEqual(86);
    // JPEG decoders differ by a step of a pixel here and there, so single logits wander; on the whole they follow closely.
    const gaps = rows.flatMap((row, i) => chosen[i].top5.map((c, k) => Math.abs(row[c] - chosen[i].logits[k])));
    expect(gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length).toBeLessThan(0.2);
  });
});
