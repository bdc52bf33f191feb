/** Checking inputs before anything reaches the GPU. */
import { COPY_SRC } from './constants.ts';
import { VitcError } from './errors.ts';
import type { InputPort } from './plan.ts';
import { bytesOf, formatPort, sizeOf } from './plan.ts';

/** A checked input as it is stored, in whole 32-bit words (halves by their bits), or a buffer that holds it. */
export interface Upload {
  readonly port: InputPort;
  readonly source: Float32Array | Int32Array | Uint16Array | GPUBuffer;
}

/** Readers of what not every package takes, from files that the others do not have. */
export interface Readers {
  readonly readPictures?: (value: object, port: InputPort) => Float32Array;
  /** The bits of halves, in whole words; undefined for what has none. */
  readonly readHalves?: (value: unknown) => Uint16Array | undefined;
}

export function isGpuBuffer(value: unknown): value is GPUBuffer {
  return typeof value === 'object' && value !== null && 'mapState' in value && 'usage' in value;
}

/** The same values in memory that no other thread can change: Dawn in Node crashes on shared memory, and WebCrypto refuses it. */
export function unshared<T extends Float32Array | Int32Array | Uint16Array | Uint8Array>(values: T): T {
  return typeof SharedArrayBuffer !== 'undefined' && values.buffer instanceof SharedArrayBuffer ? (values.slice() as T) : values;
}

function describe(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${(value as Float32Array).length ?? value.byteLength} elements`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value === null || typeof value !== 'object') return String(value);
  return value.constructor?.name ?? 'an object';
}

function checkBuffer(buffer: GPUBuffer, port: InputPort): GPUBuffer {
  const bytes = bytesOf(port);
  if (buffer.size < bytes) throw new VitcError('bad-input', `input "${port.name}": ${formatPort(port)} takes ${bytes} bytes, and the GPUBuffer has ${buffer.size}`);
  if (!(buffer.usage & COPY_SRC)) throw new VitcError('bad-input', `input "${port.name}": the GPUBuffer must be created with GPUBufferUsage.COPY_SRC`);
  return buffer;
}

function checkRange(values: Int32Array, port: InputPort): Int32Array {
  const { below } = port;
  const at = below === undefined ? -1 : values.findIndex((v) => v < 0 || v >= below);
  if (at >= 0) throw new VitcError('bad-input', `input "${port.name}": element ${at} is ${values[at]}; values must be at least 0 and below ${below}`);
  return values;
}

/** A loop: `Int32Array.from` takes ten times as long. */
function toFlags(values: Uint8Array | Int32Array): Int32Array {
  const flags = new Int32Array(values.length);
  for (let i = 0; i < flags.length; i++) flags[i] = values[i] === 0 ? 0 : 1;
  return flags;
}

const KINDS = { f32: 'a Float32Array', f16: 'a Float16Array, a Uint16Array of bits or a Float32Array', i32: 'an Int32Array', bool: 'a Uint8Array or Int32Array' };

/** The values as they are stored; undefined where they are of another kind. */
function readValues(value: unknown, port: InputPort, { readHalves }: Readers): Exclude<Upload['source'], GPUBuffer> | undefined {
  if (port.storage === 'f16') return readHalves?.(value);
  if (port.dtype === 'f32') return value instanceof Float32Array ? value : undefined;
  if (port.dtype === 'i32') return value instanceof Int32Array ? checkRange(value, port) : undefined;
  return value instanceof Int32Array || value instanceof Uint8Array ? toFlags(value) : undefined;
}

function readArray(value: unknown, port: InputPort, readers: Readers): Exclude<Upload['source'], GPUBuffer> {
  const length = sizeOf(port.shape);
  const values = (value as Float32Array | null)?.length === length ? readValues(value, port, readers) : undefined;
  if (values) return values;
  const pictures = port.image ? ', or pictures' : '';
  throw new VitcError('bad-input', `input "${port.name}": expected ${KINDS[port.storage ?? port.dtype]} of ${length} elements (${formatPort(port)}), a GPUBuffer${pictures}; got ${describe(value)}`);
}

/** Throws VitcError 'bad-input', which names the input, what was expected and what came. */
export function readInputs(ports: readonly InputPort[], inputs: Readonly<Record<string, unknown>>, readers: Readers = {}): Upload[] {
  const names = ports.map((port) => port.name);
  if (typeof inputs !== 'object' || inputs === null) throw new VitcError('bad-input', `expected an object of inputs: { ${names.join(', ')} }`);
  const unknown = Object.keys(inputs).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new VitcError('bad-input', `there is no input "${unknown}"; the inputs are ${names.join(', ')}`);
  return ports.map((port) => {
    const value = inputs[port.name];
    if (value === undefined) throw new VitcError('bad-input', `input "${port.name}" is missing: ${formatPort(port)}`);
    if (isGpuBuffer(value)) return { port, source: checkBuffer(value, port) };
    const isPicture = port.image && typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
    return { port, source: readArray(isPicture && readers.readPictures ? readers.readPictures(value, port) : value, port, readers) };
  });
}
