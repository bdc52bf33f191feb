/**
 * The safetensors format, read with every bound checked and written with sorted names.
 * Layout (huggingface/safetensors, README "Format"): u64 little-endian header length N, N bytes of JSON, then the data.
 * Values are read as f32 (or i32), whatever float they are stored as.
 */
import { sizeOf, type Shape } from '../graph.ts';
import { decodeBf16, decodeF16, encodeBf16, encodeF16 } from '../half.ts';

/** Thrown for a file that is not what it says; the message names the file and the tensor. */
export class WeightsError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WeightsError';
  }
}

export type StoredType = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'U16' | 'U32' | 'U64' | 'BOOL';

const STORED_BYTES: Record<StoredType, number> = {
  F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, U16: 2, U32: 4, U64: 8, BOOL: 1,
};

export interface TensorEntry {
  readonly name: string;
  readonly stored: StoredType;
  readonly shape: Shape;
  /** Byte range in the file. */
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The reference implementation's own bound. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_RANK = 16;

/** Reads and checks the header. `head` holds at least the file's first 8 + N bytes; `fileBytes` is the file's length. */
export function readHeader(head: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  const length = headerLength(head, fileBytes, file);
  if (head.byteLength < 8 + length) throw new WeightsError(`${file}: the header is cut short`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(head.subarray(8, 8 + length));
  } catch {
    throw new WeightsError(`${file}: the header is no UTF-8 text`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    const name = notANumber(text);
    throw new WeightsError(`${file}: the header is no JSON${name === undefined ? '' : `: tensor ${quote(name)} has NaN or Infinity, which JSON does not know`}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new WeightsError(`${file}: the header is no JSON object`);
  const duplicate = duplicateKey(text);
  if (duplicate !== undefined) throw new WeightsError(`${file}: the header names ${quote(duplicate)} twice`);

  const entries = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = readMetadata(value, file);
    else entries.set(name, readEntry(name, value, 8 + length, fileBytes, file));
  }
  refuseOverlaps([...entries.values()], file);
  return { entries, metadata };
}

/** N of a file from its first 8 bytes. */
export function headerLength(head: Uint8Array, fileBytes: number, file: string): number {
  if (fileBytes < 8 || head.byteLength < 8) throw new WeightsError(`${file}: ${fileBytes} bytes are too few for a safetensors file`);
  const length = new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(Math.min(MAX_HEADER_BYTES, fileBytes - 8)))
    throw new WeightsError(`${file}: no safetensors file: its header would take ${length} bytes of ${fileBytes}`);
  return Number(length);
}

function readMetadata(value: unknown, file: string): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new WeightsError(`${file}: __metadata__ is no object`);
  const result: Record<string, string> = {};
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw new WeightsError(`${file}: __metadata__ ${quote(key)} is no string`);
    Object.defineProperty(result, key, { value: text, enumerable: true });
  }
  return result;
}

function readEntry(name: string, value: unknown, dataStart: number, fileBytes: number, file: string): TensorEntry {
  const fail = (what: string): never => {
    throw new WeightsError(`${file}: tensor ${quote(name)} ${what}`);
  };
  if (typeof value !== 'object' || value === null) return fail('has no description');
  const { dtype, shape, data_offsets: offsets } = value as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (typeof dtype !== 'string' || !Object.hasOwn(STORED_BYTES, dtype)) return fail(`has the unknown dtype ${typeof dtype === 'object' ? 'of an object' : quote(String(dtype))}`);
  const stored = dtype as StoredType;
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every((d) => Number.isSafeInteger(d) && d >= 0)) return fail('has no valid shape');
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every((o) => Number.isSafeInteger(o) && o >= 0)) return fail('has no valid data_offsets');
  const [begin, end] = offsets as [number, number];
  if (end < begin) return fail(`ends at ${end}, before it begins at ${begin}`);
  if (end > fileBytes - dataStart) return fail(`ends ${end - (fileBytes - dataStart)} bytes past the end of the file`);
  const bytes = sizeOf(shape as number[]) * STORED_BYTES[stored];
  if (bytes !== end - begin) return fail(`of ${stored}[${shape.join(', ')}] needs ${bytes} bytes, but its data_offsets hold ${end - begin}`);
  return { name, stored, shape: shape as number[], start: dataStart + begin, end: dataStart + end };
}

function refuseOverlaps(entries: TensorEntry[], file: string): void {
  const sorted = entries.filter((e) => e.end > e.start).sort((a, b) => a.start - b.start);
  for (let i = 1; i < sorted.length; i++)
    if (sorted[i].start < sorted[i - 1].end)
      throw new WeightsError(`${file}: tensor ${quote(sorted[i].name)} overlaps ${quote(sorted[i - 1].name)}`);
}

/** The first key that an object of the top level repeats; JSON.parse would keep the last silently. */
function duplicateKey(text: string): string | undefined {
  const seen = new Set<string>();
  for (const { key } of landmarks(text)) {
    if (key === undefined) continue;
    if (seen.has(key)) return key;
    seen.add(key);
  }
  return undefined;
}

/** The key of the top level under which NaN or Infinity stands, as writers put them that know no better. */
function notANumber(text: string): string | undefined {
  let last: string | undefined;
  for (const { key } of landmarks(text)) {
    if (key === undefined) return last;
    last = key;
  }
  return undefined;
}

/** The keys of the top level in order, and, without a key, each NaN or Infinity between them. Takes any text. */
function* landmarks(text: string): Generator<{ readonly key?: string }> {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') depth--;
    else if (c === 'N' || c === 'I') {
      if (text.startsWith('NaN', i) || text.startsWith('Infinity', i)) yield {};
    } else if (c === '"') {
      const start = i;
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === '\\') i++;
      if (depth !== 1 || !/^\s*:/.test(text.slice(i + 1, i + 64))) continue;
      try {
        yield { key: JSON.parse(text.slice(start, i + 1)) as string };
      } catch {
        return;
      }
    }
  }
}

function quote(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name);
}

/** A tensor's bytes as f32, or as i32 for integers and booleans. 64-bit values round or wrap to 32 bits. */
export function decodeTensor(entry: TensorEntry, bytes: Uint8Array): Float32Array | Int32Array {
  const n = sizeOf(entry.shape);
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const at = [aligned.buffer, aligned.byteOffset, n] as const;
  switch (entry.stored) {
    case 'F32': return new Float32Array(...at).slice();
    case 'F64': return Float32Array.from(new Float64Array(...at));
    case 'F16': return decodeF16(new Uint16Array(...at));
    case 'BF16': return decodeBf16(new Uint16Array(...at));
    case 'I32': return new Int32Array(...at).slice();
    case 'U32': return Int32Array.from(new Uint32Array(...at));
    case 'I64': return Int32Array.from(new BigInt64Array(...at), Number);
    case 'U64': return Int32Array.from(new BigUint64Array(...at), Number);
    case 'I16': return Int32Array.from(new Int16Array(...at));
    case 'U16': return Int32Array.from(new Uint16Array(...at));
    case 'I8': return Int32Array.from(new Int8Array(...at));
    case 'U8': return Int32Array.from(new Uint8Array(...at));
    case 'BOOL': return Int32Array.from(new Uint8Array(...at), (v) => (v ? 1 : 0));
  }
}

export type FloatType = 'F32' | 'F16' | 'BF16';

const ENCODE: Record<FloatType, (values: Float32Array) => Float32Array | Uint16Array> = { F32: (values) => values, F16: encodeF16, BF16: encodeBf16 };

export interface TensorToWrite {
  readonly shape: Shape;
  readonly data: Float32Array | Int32Array;
  /** How floats are stored; F32 unless told. Integers are I32. */
  readonly stored?: FloatType;
}

/** A whole file's bytes; tensors in order of name, data aligned to 8 bytes. */
export function writeSafetensors(tensors: ReadonlyMap<string, TensorToWrite>, metadata?: Readonly<Record<string, string>>): Uint8Array {
  const names = [...tensors.keys()].sort();
  const parts: Uint8Array[] = [];
  const header: [string, unknown][] = metadata ? [['__metadata__', metadata]] : [];
  let offset = 0;
  // Wide types first keeps every tensor aligned to its element.
  const width = ({ data, stored = 'F32' }: TensorToWrite) => (data instanceof Int32Array ? 4 : STORED_BYTES[stored]);
  names.sort((a, b) => width(tensors.get(b)!) - width(tensors.get(a)!));
  for (const name of names) {
    const { shape, data, stored = 'F32' } = tensors.get(name)!;
    const values = data instanceof Int32Array ? data : ENCODE[stored](data);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    header.push([name, { dtype: data instanceof Int32Array ? 'I32' : stored, shape, data_offsets: [offset, offset + bytes.byteLength] }]);
    parts.push(bytes);
    offset += bytes.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const padded = Math.ceil(text.byteLength / 8) * 8;
  const file = new Uint8Array(8 + padded + offset).fill(0x20, 8, 8 + padded);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(text, 8);
  let at = 8 + padded;
  for (const part of parts) {
    file.set(part, at);
    at += part.byteLength;
  }
  return file;
}
