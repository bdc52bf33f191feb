/**
 * From pixels to an input tensor, as the Python image libraries do it, so that published accuracies hold:
 * resampling as in Pillow (which torchvision's transforms call), with its 8-bit steps where `antialias` is set, or as in
 * torch.nn.functional.interpolate without antialiasing (align_corners = False) where it is not; then the centre crop, / 255, and (x - mean) / std.
 */
import { VitcError } from './errors.ts';
import type { ImageSpec } from './plan.ts';

/** 8-bit pixels, row-major and interleaved: gray, RGB or RGBA by the length of `data`. ImageData is one. */
export interface Pixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** For each place of an output axis: where its inputs begin, and their weights. */
interface Taps {
  readonly start: Int32Array;
  readonly weights: readonly Float64Array[];
}

function cubic(x: number, a: number): number {
  // Keys 1981, "Cubic convolution interpolation for digital image processing", equation 15 with free a.
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return a * (((d - 5) * d + 8) * d - 4);
  return 0;
}

/** Whether the steps are Pillow's on 8-bit pixels: native pictures were normalized, so are floating-point, before. */
function isOnPixels(spec: Pick<ImageSpec, 'antialias' | 'native'>): boolean {
  return spec.antialias && spec.native === undefined;
}

/** Pillow's weights are integers of 22 binary places, which decides ties. */
function quantized(weight: number): number {
  return (Math.sign(weight) * Math.round(Math.abs(weight) * 2 ** 22)) / 2 ** 22;
}

/** Taps for `count` outputs from `first` on, of an axis of `input` places resized to `output` places. */
function tapsOf(input: number, output: number, first: number, count: number, spec: ImageSpec): Taps {
  const inPixels = isOnPixels(spec);
  const scale = input / output;
  const start = new Int32Array(count);
  const weights: Float64Array[] = [];
  // A shrinking filter is widened by the scale, which removes what the smaller picture cannot show.
  const stretch = spec.antialias ? Math.max(scale, 1) : 1;
  const filter = spec.resample === 'bicubic' ? (x: number) => cubic(x, spec.antialias ? -0.5 : -0.75) : (x: number) => Math.max(0, 1 - Math.abs(x));
  const support = (spec.resample === 'bicubic' ? 2 : 1) * stretch;
  for (let i = 0; i < count; i++) {
    const centre = (first + i + 0.5) * scale;
    if (spec.resample === 'nearest') {
      start[i] = Math.min(Math.floor(centre), input - 1);
      weights.push(Float64Array.of(1));
      continue;
    }
    const low = Math.floor(centre - support + 0.5);
    const high = Math.floor(centre + support + 0.5);
    const from = Math.max(low, 0);
    const to = Math.min(Math.max(high, from + 1), input);
    start[i] = Math.min(from, input - 1);
    const row = new Float64Array(Math.max(to - start[i], 1));
    let sum = 0;
    for (let j = low; j < high; j++) {
      const weight = filter((j + 0.5 - centre) / stretch);
      // Past the edge: Pillow leaves the place out, interpolate repeats the edge.
      if (spec.antialias && (j < from || j >= to)) continue;
      row[Math.min(Math.max(j, start[i]), to - 1) - start[i]] += weight;
      sum += weight;
    }
    for (let j = 0; j < row.length; j++) row[j] = inPixels ? quantized(row[j] / sum) : row[j] / sum;
    weights.push(row);
  }
  return { start, weights };
}

/** Round to nearest, ties to even, as Python does. */
function roundEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** A picture of the size that the model was trained on; one that has it is left alone. */
function toNative(picture: Pixels, spec: ImageSpec, channels: number, side: number): Pixels {
  if (picture.width === side && picture.height === side) return picture;
  const pixels: ImageSpec = { ...spec, mean: [0], std: [1], antialias: true, native: undefined };
  const planes = pictureToTensor(picture, pixels, channels, side, side);
  const data = Uint8Array.from({ length: planes.length }, (_, i) => to8Bit(255 * planes[(i % channels) * side * side + Math.floor(i / channels)]));
  return { data, width: side, height: side };
}

/** The size of the whole resized picture, of which the centre is kept. */
function resizedSize(picture: Pixels, spec: ImageSpec, height: number, width: number): [height: number, width: number] {
  if (spec.native !== undefined) return [height, width];
  const scaledHeight = Math.floor(height / spec.crop);
  const scaledWidth = Math.floor(width / spec.crop);
  if (spec.resize !== 'shortest') return [scaledHeight, scaledWidth];
  if (scaledHeight / picture.height >= scaledWidth / picture.width) {
    return [scaledHeight, Math.max(scaledWidth, Math.floor((scaledHeight * picture.width) / picture.height))];
  }
  return [Math.max(scaledHeight, Math.floor((scaledWidth * picture.height) / picture.width)), scaledWidth];
}

/** Interleaved pixels of as many channels as the model wants, or one, or more: alpha is dropped, and gray repeated. */
interface Interleaved {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly stride: number;
}

function channelsOf(picture: Pixels, channels: number): Interleaved {
  const { data, width, height } = picture;
  const size = width * height;
  const stride = data.length / size;
  if (!Number.isInteger(stride) || ![1, 3, 4].includes(stride)) {
    throw new VitcError('bad-input', `a picture of ${width} x ${height} pixels has ${data.length} bytes, which is neither gray, RGB nor RGBA`);
  }
  if (channels > 1 || stride === 1) return { data, stride };
  // ITU-R 601-2 luma, as Pillow computes it.
  const luma = new Uint8Array(size);
  for (let i = 0, at = 0; i < size; i++, at += stride) luma[i] = (data[at] * 19595 + data[at + 1] * 38470 + data[at + 2] * 7471 + 0x8000) >> 16;
  return { data: luma, stride: 1 };
}

function to8Bit(x: number): number {
  return Math.min(255, Math.max(0, Math.floor(x + 0.5)));
}

/**
 * Writes a picture into `out` as [channels, height, width]; channels is 1 or 3.
 * Throws VitcError 'bad-input' for pixels of impossible size.
 */
export function pictureToTensor(picture: Pixels, spec: ImageSpec, channels: number, height: number, width: number, out = new Float32Array(channels * height * width)): Float32Array {
  if (!(picture.width > 0 && picture.height > 0)) throw new VitcError('bad-input', `a picture of ${picture.width} x ${picture.height} pixels has no content`);
  if (spec.native !== undefined) picture = toNative(picture, spec, channels, spec.native);
  const [fullHeight, fullWidth] = resizedSize(picture, spec, height, width);
  const rows = tapsOf(picture.height, fullHeight, roundEven((fullHeight - height) / 2), height, spec);
  const columns = tapsOf(picture.width, fullWidth, roundEven((fullWidth - width) / 2), width, spec);
  const firstRow = rows.start[0];
  const rowCount = rows.start[height - 1] + rows.weights[height - 1].length - firstRow;
  const between = isOnPixels(spec) ? to8Bit : (x: number) => x;
  const after = spec.native === undefined ? to8Bit : (x: number) => x;
  const { data, stride } = channelsOf(picture, channels);
  const narrowed = new Float32Array(rowCount * width);
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < rowCount; y++) {
      const line = (firstRow + y) * picture.width;
      for (let x = 0; x < width; x++) {
        const weights = columns.weights[x];
        let at = (line + columns.start[x]) * stride + (stride === 1 ? 0 : channel);
        let sum = 0;
        for (let k = 0; k < weights.length; k++, at += stride) sum += weights[k] * data[at];
        narrowed[y * width + x] = between(sum);
      }
    }
    const mean = spec.mean[channel % spec.mean.length];
    const std = spec.std[channel % spec.std.length];
    for (let y = 0; y < height; y++) {
      const weights = rows.weights[y];
      const from = rows.start[y] - firstRow;
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * narrowed[(from + k) * width + x];
        out[(channel * height + y) * width + x] = (after(sum) / 255 - mean) / std;
      }
    }
  }
  return out;
}
