/** Large inputs through staging buffers, and files through readers, apart from any package. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { COPY_DST, COPY_SRC, MAP_MODE_READ, MAP_READ, MAP_WRITE } from '../src/codegen/runtime/constants.ts';
import { readBytes, readResponseBytes } from '../src/codegen/runtime/fetch.ts';
import { Uploads } from '../src/codegen/runtime/uploads.ts';
import { testDevice } from './helpers/device.ts';

const gpu = await testDevice();
const MB = 1 << 20;

describe.skipIf(!gpu)('large inputs', () => {
  const device = gpu!?.device;

  /** The device, with what it was asked to make and write. */
  function watched() {
    const seen = { staging: 0, stagingBytes: 0, writes: 0, submits: 0 };
    const queue = new Proxy(device.queue, {
      get(target, name) {
        if (name === 'writeBuffer') return (...args: Parameters<GPUQueue['writeBuffer']>) => (seen.writes++, target.writeBuffer(...args));
        if (name === 'submit') return (commands: GPUCommandBuffer[]) => (seen.submits++, target.submit(commands));
        return Reflect.get(target, name, target) as unknown;
      },
    });
    const proxy = new Proxy(device, {
      get(target, name) {
        if (name === 'queue') return queue;
        if (name === 'createBuffer') {
          return (descriptor: GPUBufferDescriptor) => {
            if (descriptor.usage & MAP_WRITE) {
              seen.staging++;
              seen.stagingBytes += descriptor.size;
            }
            return target.createBuffer(descriptor);
          };
        }
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return { proxy, seen };
  }

  /** Writes `source` at `offset` and gives what the whole target then holds, once the GPU has come to it. */
  function written(uploads: Uploads, target: GPUBuffer, offset: number, source: Float32Array | Int32Array | Uint16Array): Promise<Uint32Array> {
    const encoder = device.createCommandEncoder();
    uploads.write(target, offset, source, () => encoder);
    const read = device.createBuffer({ size: target.size, usage: COPY_DST | MAP_READ });
    encoder.copyBufferToBuffer(target, 0, read, 0, target.size);
    device.queue.submit([encoder.finish()]);
    uploads.release();
    return read.mapAsync(MAP_MODE_READ).then(() => {
      const words = new Uint32Array(read.getMappedRange().slice(0));
      read.destroy();
      return words;
    });
  }

  function expectWords(words: Uint32Array, offset: number, first: number, length: number): void {
    // One comparison: an expectation a word would take seconds.
    expect(words.subarray(offset / 4, offset / 4 + length).findIndex((word, i) => word !== ((first + i) | 0) >>> 0)).toBe(-1);
    expect([words[offset / 4 - 1], words[offset / 4 + length]]).toEqual([0, 0]);
  }

  // The least that is staged, a picture, exactly a chunk; a chunk and a part, exactly two chunks, two and an element.
  test.each([128 << 10, 602_112, 4 * MB, 5 * MB, 8 * MB, 8 * MB + 4])('of %i bytes arrive whole, in order, though runs overlap and share their array', async (bytes) => {
    const { proxy, seen } = watched();
    const uploads = new Uploads(proxy, [bytes]);
    const target = device.createBuffer({ size: bytes + 512, usage: COPY_DST | COPY_SRC });
    const source = new Int32Array(bytes / 4);
    const run = (first: number) => {
      for (let i = 0; i < source.length; i++) source[i] = first + i;
      return written(uploads, target, 256, source);
    };
    expectWords(await run(7), 256, 7, source.length);
    expect(seen.writes).toBe(1);
    for (let round = 1; round <= 3; round++) {
      const flying = Array.from({ length: 4 }, (_, i) => run(1000 * round + i));
      for (const [i, words] of flying.entries()) expectWords(await words, 256, 1000 * round + i, source.length);
    }
    // Alone, a run finds its buffers mapped; none are made beyond two runs' worth, nor larger than what comes in them.
    const before = { ...seen };
    for (let i = 0; i < 5; i++) expectWords(await run(50_000 + i), 256, 50_000 + i, source.length);
    expect(seen.writes).toBe(before.writes);
    const chunks = Math.ceil(bytes / (4 * MB));
    // What comes in one chunk is copied by the submit of the run.
    expect(seen.submits - before.submits).toBe(chunks === 1 ? 0 : 5 * chunks);
    expect(seen.staging).toBeLessThanOrEqual(2 * chunks);
    expect(seen.staging).toBeGreaterThan(0);
    expect(seen.stagingBytes / seen.staging).toBe(Math.min(bytes, 4 * MB));
    uploads.destroy();
    target.destroy();
  });

  test('that are small go without staging', async () => {
    const { proxy, seen } = watched();
    const bytes = (128 << 10) - 4;
    const uploads = new Uploads(proxy, [bytes]);
    const target = device.createBuffer({ size: bytes + 512, usage: COPY_DST | COPY_SRC });
    const source = Int32Array.from({ length: bytes / 4 }, (_, i) => 3 + i);
    for (let i = 0; i < 3; i++) expectWords(await written(uploads, target, 256, source), 256, 3, source.length);
    expect(seen).toMatchObject({ staging: 0, writes: 3, submits: 0 });
    uploads.destroy();
    target.destroy();
  });

  test('of several sizes have their own buffers, a run at a time', async () => {
    const { proxy, seen } = watched();
    const sizes = [256 << 10, 5 * MB, 1024, 256 << 10];
    const uploads = new Uploads(proxy, sizes);
    const targets = sizes.map((size) => device.createBuffer({ size: size + 512, usage: COPY_DST | COPY_SRC }));
    for (let run = 0; run < 4; run++) {
      const flying = sizes.map((size, i) => written(uploads, targets[i], 256, Int32Array.from({ length: size / 4 }, (_, at) => 100 * run + i + at)));
      for (const [i, words] of flying.entries()) expectWords(await words, 256, 100 * run + i, sizes[i] / 4);
    }
    expect(seen.staging % 4).toBe(0);
    expect(seen.staging).toBeLessThanOrEqual(8);
    uploads.destroy();
    for (const target of targets) target.destroy();
  });

  test('keep every bit of floats', async () => {
    const uploads = new Uploads(device, [4 * MB]);
    const target = device.createBuffer({ size: 4 * MB, usage: COPY_DST | COPY_SRC });
    const bits = Uint32Array.from({ length: MB }, (_, i) => Math.imul(i + 1, 2654435761) >>> 0);
    bits[0] = 0x7fc12345;
    bits[1] = 0xff800000;
    for (let i = 0; i < 3; i++) {
      const words = await written(uploads, target, 0, new Float32Array(bits.buffer));
      expect(words.findIndex((word, at) => word !== bits[at])).toBe(-1);
    }
    uploads.destroy();
    target.destroy();
  });

  test('of halves, chunk by chunk, from the middle of their memory', async () => {
    const uploads = new Uploads(device, [5 * MB]);
    const target = device.createBuffer({ size: 5 * MB + 512, usage: COPY_DST | COPY_SRC });
    const halves = new Uint16Array(5 * MB / 2 + 1).subarray(1);
    for (let i = 0; i < halves.length; i++) halves[i] = Math.imul(i, 40503) >>> 3;
    for (let i = 0; i < 3; i++) {
      const words = await written(uploads, target, 256, halves);
      const stored = new Uint16Array(words.buffer, 256, halves.length);
      expect(stored.findIndex((half, at) => half !== halves[at])).toBe(-1);
      expect([words[63], words[64 + halves.length / 2]]).toEqual([0, 0]);
    }
    uploads.destroy();
    target.destroy();
  });

  test('go on without staging where there is no memory for it', async () => {
    const { proxy, seen } = watched();
    const starved = new Proxy(proxy, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (name !== 'createBuffer') return value;
        return () => {
          throw new RangeError('no memory');
        };
      },
    });
    const uploads = new Uploads(starved, [8 * MB]);
    const target = device.createBuffer({ size: 8 * MB + 512, usage: COPY_DST | COPY_SRC });
    const source = Int32Array.from({ length: 2 * MB }, (_, i) => 3 + i);
    for (let i = 0; i < 3; i++) expectWords(await written(uploads, target, 256, source), 256, 3, source.length);
    expect(seen.writes).toBe(3);
    uploads.destroy();
    target.destroy();
  });

  test('destroyed while buffers are being made or mapped, leave nothing', async () => {
    const { proxy } = watched();
    const target = device.createBuffer({ size: 8 * MB, usage: COPY_DST });
    for (const bytes of [8 * MB, MB]) {
      for (let i = 0; i < 4; i++) {
        const uploads = new Uploads(proxy, [bytes]);
        const write = (): void => {
          const encoder = device.createCommandEncoder();
          uploads.write(target, 0, new Float32Array(bytes / 4), () => encoder);
          device.queue.submit([encoder.finish()]);
        };
        write();
        if (i > 0) await device.queue.onSubmittedWorkDone();
        if (i > 1) write();
        if (i > 2) uploads.release();
        uploads.destroy();
      }
    }
    await device.queue.onSubmittedWorkDone();
    target.destroy();
  });
});

describe('bytes of a package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vitc-test-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const url = new URL('https://example.org/weights.bin');
  const bytes = Uint8Array.from({ length: 100_003 }, (_, i) => i % 251);

  test.each<[string, HeadersInit]>([
    ['without their number', {}],
    ['with it', { 'content-length': '100003' }],
    // Of a compressed body, the header tells the bytes before they were unpacked.
    ['that are more than told', { 'content-length': '4000' }],
    ['that are fewer than told', { 'content-length': '200000' }],
  ])('come from a response %s', async (_, headers) => {
    const pieces = [bytes.subarray(0, 3000), bytes.subarray(3000, 70_000), bytes.subarray(70_000)];
    const body = new ReadableStream({
      pull(controller) {
        const piece = pieces.shift();
        if (piece) controller.enqueue(piece);
        else controller.close();
      },
    });
    const seen: number[] = [];
    const read = await readResponseBytes(new Response(body, { headers }), url, { onBytes: (count) => seen.push(count) });
    expect(Buffer.from(read).equals(bytes)).toBe(true);
    expect(seen).toEqual([3000, 67_000, 30_003]);
  });

  test('come from files, empty ones too', async () => {
    writeFileSync(join(folder, 'some'), bytes);
    writeFileSync(join(folder, 'none'), '');
    expect(Buffer.from(await readBytes(pathToFileURL(join(folder, 'some')))).equals(bytes)).toBe(true);
    expect(await readBytes(pathToFileURL(join(folder, 'none')))).toHaveLength(0);
    await expect(readBytes(pathToFileURL(join(folder, 'absent')))).rejects.toMatchObject({ code: 'fetch-failed', message: expect.stringContaining('absent: ENOENT') });
  });

  test('that break off are named', async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error('connection reset')) });
    await expect(readResponseBytes(new Response(body), url)).rejects.toMatchObject({ code: 'fetch-failed', message: 'cannot read https://example.org/weights.bin: connection reset' });
  });
});
