import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Pixels } from '../src/codegen/runtime/image.ts';
import { pictureToTensor } from '../src/codegen/runtime/image.ts';
import { classify } from '../src/codegen/runtime/classify.ts';
import { detect } from '../src/codegen/runtime/detect.ts';
import type { ImageSpec } from '../src/codegen/runtime/plan.ts';

const SPEC: ImageSpec = { mean: [0], std: [1 / 255], crop: 1, resample: 'bilinear', antialias: true, resize: 'squash' };

/** A picture of a formula, which the maker of pictures.json shares. */
function picture(width: number, height: number, stride = 3): Pixels {
  const data = new Uint8Array(width * height * stride);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) for (let c = 0; c < stride; c++) data[(y * width + x) * stride + c] = c === 3 ? 200 : (x * 37 + y * 91 + c * 53 + ((x * y) % 17) * 11) % 256;
  return { data, width, height };
}

interface Case extends Pick<ImageSpec, 'crop' | 'resample' | 'resize'> {
  readonly width: number;
  readonly height: number;
  readonly size: number;
  /** Each plane's bytes in hexadecimal. */
  readonly planes: readonly string[];
}

const cases = JSON.parse(readFileSync(new URL('files/pictures.json', import.meta.url), 'utf8')) as Case[];

describe('pictures', () => {
  test.each(cases)('$width x $height, $resample, $resize to $size at crop $crop: byte by byte as Pillow 12.3', (kase) => {
    const { width, height, size, planes, ...how } = kase;
    for (const stride of [3, 4]) {
      const out = pictureToTensor(picture(width, height, stride), { ...SPEC, ...how }, 3, size, size);
      const bytes = Uint8Array.from(out, (v) => Math.round(v));
      expect(Buffer.from(bytes).toString('hex')).toBe(planes.join(''));
    }
  });

  test('are normalized channel by channel', () => {
    const grey: Pixels = { data: new Uint8Array(4 * 4 * 3).fill(255), width: 4, height: 4 };
    const out = pictureToTensor(grey, { ...SPEC, mean: [0.5, 0.25, 0], std: [0.5, 0.25, 2] }, 3, 2, 2);
    expect([out[0], out[4], out[8]]).toEqual([1, 3, 0.5]);
  });

  test('that were normalized before they are enlarged keep fractions, and repeat their edges', () => {
    const rows: Pixels = { data: Uint8Array.of(10, 20, 10, 20), width: 2, height: 2 };
    const out = pictureToTensor(rows, { ...SPEC, antialias: false, native: 2 }, 1, 1, 4);
    expect(Array.from(out, (v) => +v.toFixed(4))).toEqual([10, 12.5, 17.5, 20]);
  });

  test('without antialiasing, bicubic uses a = -0.75, as torch.nn.functional.interpolate', () => {
    const rows: Pixels = { data: Uint8Array.from({ length: 49 }, (_, i) => (i % 7 === 3 ? 128 : 0)), width: 7, height: 7 };
    const out = pictureToTensor(rows, { ...SPEC, resample: 'bicubic', antialias: false, native: 7 }, 1, 1, 14);
    const [near, next, far, last] = [0.87890625, 0.26171875, -0.10546875, -0.03515625].map((weight) => 128 * weight);
    const seen = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((i) => out[i]);
    [last, far, next, near, near, next, far, last].forEach((value, i) => expect(seen[i + 1]).toBeCloseTo(value, 4));
  });

  test('of another size than the model was trained on are brought to that first', () => {
    const large: Pixels = { data: Uint8Array.from({ length: 8 * 8 }, (_, i) => (i % 8 < 4 ? 40 : 80)), width: 8, height: 8 };
    const small: Pixels = { data: Uint8Array.of(40, 80, 40, 80), width: 2, height: 2 };
    const spec = { ...SPEC, native: 2 };
    const [fromLarge, fromSmall] = [large, small].map((p) => pictureToTensor(p, spec, 1, 4, 4));
    fromSmall.forEach((value, i) => expect(Math.abs(fromLarge[i] - value)).toBeLessThan(12));
    expect(fromLarge[0]).toBeLessThan(fromLarge[3]);
  });

  test('of colour become luma for models of one channel, and gray is repeated for those of three', () => {
    const red: Pixels = { data: Uint8Array.of(255, 0, 0), width: 1, height: 1 };
    expect(pictureToTensor(red, SPEC, 1, 1, 1)[0]).toBeCloseTo(76, 3);
    const grey: Pixels = { data: Uint8Array.of(9), width: 1, height: 1 };
    expect(Array.from(pictureToTensor(grey, SPEC, 3, 1, 1), (v) => +v.toFixed(3))).toEqual([9, 9, 9]);
  });
});

describe('class names', () => {
  test('come with the softmax, row by row', () => {
    const [first, second] = classify([0, Math.log(3), 5, 5], ['cat', 'dog'], 1);
    expect(first).toEqual([{ index: 1, label: 'dog', probability: expect.closeTo(0.75, 10) }]);
    expect(second).toEqual([{ index: 0, label: 'cat', probability: 0.5 }]);
  });
});

describe('boxes', () => {
  test('are those whose likeliest object is probable enough, as corners', () => {
    const boxes = Object.assign([0.5, 0.5, 0.2, 0.4, 0.1, 0.1, 0.1, 0.1], { shape: [1, 2, 4] });
    const scores = Object.assign([9, 0, 0, 0, 0, 9], { shape: [1, 2, 3] });
    const found = detect(boxes, scores, { format: 'cxcywh', background: 2, labels: ['a', 'b', 'none'] });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ picture: 0, index: 0, label: 'a' });
    [0.4, 0.3, 0.6, 0.7].forEach((v, i) => expect(found[0].box[i]).toBeCloseTo(v, 10));
  });
});
