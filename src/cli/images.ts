/** Pictures for a model: decoded by sharp, or taken from a safetensors file of u8 [n, height, width, 3]. */
import { readdirSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { error } from '../diagnostics.ts';
import type { Checkpoint } from '../weights/resolve.ts';
import { CliError } from './errors.ts';
import { openSafetensors, readBytes } from './files.ts';

/** 8-bit RGB, row by row. */
export interface Picture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A picture still to be decoded. */
export interface PictureSource {
  readonly name: string;
  decode(): Promise<Picture>;
}

/** What is decoded in less than half a gigabyte: pictures that are read row by row, those that a decoder holds whole, and AVIF with its planes. */
const MAX_PIXELS = { streamed: 2 ** 26, whole: 2 ** 25, planes: 2 ** 24 };

/** What may be in a picture's file, whatever its name ends in: no drawings, documents or formats that read other files. */
const LOADERS = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff'].map((format) => `VipsForeignLoad${format}`);

/** The decoder, loaded when needed: most commands decode nothing. */
async function decoder(): Promise<typeof import('sharp').default> {
  const { default: sharp } = await import('sharp');
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: LOADERS });
  return sharp;
}

const ENDINGS = new Set(['.jpg', '.jpeg', '.png', '.webp', '.avif', '.tif', '.tiff', '.gif']);

/** A file, a folder's pictures in order of name, or the `images` of a safetensors file. */
export function findPictures(path: string): PictureSource[] {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch {
    throw new CliError(error('E0901', `cannot read ${path}: there is no such file`));
  }
  if (isFolder) {
    const files = readdirSync(path).filter((f) => ENDINGS.has(extname(f).toLowerCase())).sort();
    if (files.length === 0) throw new CliError(error('E0810', `${path} holds no pictures`, undefined, { help: `pictures end in ${[...ENDINGS].join(' ')}` }));
    return files.map((f) => fileSource(join(path, f)));
  }
  return path.endsWith('.safetensors') ? arraySources(path) : [fileSource(path)];
}

function fileSource(path: string): PictureSource {
  return {
    name: basename(path),
    async decode() {
      const bytes = readBytes(path);
      const sharp = await decoder();
      const refuse = (why: string): never => {
        throw new CliError(error('E0810', `${path} cannot be decoded: ${why}`));
      };
      try {
        // What cannot be decoded whole is refused rather than shown half grey.
        const picture = sharp(bytes, { failOn: 'error', limitInputPixels: false });
        const { format, isProgressive, width, height } = await picture.metadata();
        const most = MAX_PIXELS[format === 'heif' ? 'planes' : (format === 'jpeg' || format === 'png') && !isProgressive ? 'streamed' : 'whole'];
        if (width * height > most) refuse(`it has ${width} x ${height} pixels, more than ${most}`);
        const { data, info } = await picture.toColourspace('srgb').removeAlpha().raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
        return { name: basename(path), width: info.width, height: info.height, data: toRgb(data, info.channels) };
      } catch (cause) {
        if (cause instanceof CliError) throw cause;
        return refuse((cause as Error).message.split('\n')[0]);
      }
    },
  };
}

function toRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data;
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) for (let c = 0; c < 3; c++) rgb[i * 3 + c] = data[i * channels + (channels < 3 ? 0 : c)];
  return rgb;
}

function arraySources(path: string): PictureSource[] {
  const file: Checkpoint = openSafetensors(path);
  const shape = file.shapes.get('images');
  if (!shape || shape.length !== 4 || shape[3] !== 3)
    throw new CliError(error('E0810', `${path} holds no pictures`, undefined, { help: 'a safetensors file of pictures has a tensor `images`, u8 [n, height, width, 3]' }));
  const [count, height, width] = shape;
  const pixels = Uint8Array.from(file.read('images'));
  const bytes = height * width * 3;
  return Array.from({ length: count }, (_, i) => ({
    name: `${basename(path)}[${i}]`,
    decode: async () => ({ name: `${basename(path)}[${i}]`, width, height, data: pixels.subarray(i * bytes, (i + 1) * bytes) }),
  }));
}
