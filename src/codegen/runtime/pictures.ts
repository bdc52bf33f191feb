/** Pictures as inputs: pixels, or anything that a canvas can draw. Only models with picture inputs load this file. */
import { VitcError } from './errors.ts';
import type { Pixels } from './image.ts';
import { pictureToTensor } from './image.ts';
import type { InputPort } from './plan.ts';
import { formatPort } from './plan.ts';

/** Pixels, an ImageData, or what `drawImage` takes: ImageBitmap, VideoFrame, canvas, img or video elements. */
export type Picture = Pixels | ImageData | ImageBitmap | VideoFrame | OffscreenCanvas | HTMLCanvasElement | HTMLImageElement | HTMLVideoElement;

/** The names under which the sources of pictures tell their size in pixels. */
interface Sized {
  readonly displayWidth?: number;
  readonly displayHeight?: number;
  readonly videoWidth?: number;
  readonly videoHeight?: number;
  readonly naturalWidth?: number;
  readonly naturalHeight?: number;
  readonly width?: number;
  readonly height?: number;
}

function isPixels(picture: object): picture is Pixels {
  const { data } = picture as Partial<Pixels>;
  return data instanceof Uint8Array || data instanceof Uint8ClampedArray;
}

function pixelsOf(picture: object, input: string): Pixels {
  if (isPixels(picture)) return picture;
  const sized = picture as Sized;
  const width = sized.displayWidth ?? sized.videoWidth ?? sized.naturalWidth ?? sized.width;
  const height = sized.displayHeight ?? sized.videoHeight ?? sized.naturalHeight ?? sized.height;
  if (!width || !height || typeof OffscreenCanvas === 'undefined') {
    throw new VitcError('bad-input', `input "${input}": expected a picture that is loaded and not empty: { data, width, height }${typeof OffscreenCanvas === 'undefined' ? '' : ', ImageData, ImageBitmap, VideoFrame, or a canvas, img or video element'}`);
  }
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new VitcError('bad-input', `input "${input}": the browser gives no canvas of ${width} x ${height} pixels`);
  try {
    context.drawImage(picture as CanvasImageSource, 0, 0);
    return context.getImageData(0, 0, width, height);
  } catch (cause) {
    // Pictures of other origins, closed frames and broken images.
    throw new VitcError('bad-input', `input "${input}": the picture cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** One picture for a batch of one, or as many as the batch has. Throws VitcError 'bad-input'. */
export function readPictures(value: object, port: InputPort): Float32Array {
  const [batch, channels, height, width] = port.shape;
  const pictures: readonly object[] = Array.isArray(value) ? value : [value];
  if (pictures.length !== batch) {
    throw new VitcError('bad-input', `input "${port.name}": expected ${batch} picture${batch === 1 ? '' : 's'} for ${formatPort(port)}, got ${pictures.length}`);
  }
  const out = new Float32Array(batch * channels * height * width);
  const size = channels * height * width;
  pictures.forEach((picture, i) => pictureToTensor(pixelsOf(picture, port.name), port.image!, channels, height, width, out.subarray(i * size, (i + 1) * size)));
  return out;
}
