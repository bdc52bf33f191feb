/**
 * What a kernel interpreted in JavaScript runs on: buffers, workgroup memory and subgroup matrices. Every access is
 * checked. One beyond the end fails, and so does a race: workgroup memory that one invocation writes and another touches
 * with no barrier between. Subgroup matrices belong to a subgroup as a whole: its first invocation executes what is done
 * with them, the others only have to come along, which is checked at every barrier.
 */
import type { Scalar, WgslType } from '../../src/codegen/wgsl.ts';
import { fromF16, toF16 } from '../../src/half.ts';
import { roundF16 } from './interpret-numbers.ts';

export type Scalars = Float32Array | Int32Array | Uint32Array;
export type MatrixType = Extract<WgslType, { kind: 'matrix' }>;

/** Row by row. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** One invocation of a workgroup. */
export interface Invocation {
  readonly number: number;
  readonly subgroup: number;
  /** Whether it executes what its subgroup does together. */
  readonly leads: boolean;
  /** A hash of all that it did with its subgroup. */
  trace: number;
  /** Those of its subgroup, itself among them; what it brings to a combination of all their values, and what that came to. */
  readonly peers: Invocation[];
  offers: unknown;
  takes: unknown;
}

/** Stands for several invocations in the notes of who touched a place. */
const MANY = -2;

/** Numbers as they lie in memory. */
const READ: Record<Exclude<Scalar, 'bool'>, (bytes: DataView, at: number) => number> = {
  f32: (b, at) => b.getFloat32(at, true), i32: (b, at) => b.getInt32(at, true), u32: (b, at) => b.getUint32(at, true), f16: (b, at) => fromF16(b.getUint16(at, true)),
};
const WRITE: Record<Exclude<Scalar, 'bool'>, (bytes: DataView, at: number, value: number) => void> = {
  f32: (b, at, v) => b.setFloat32(at, v, true), i32: (b, at, v) => b.setInt32(at, v, true), u32: (b, at, v) => b.setUint32(at, v, true), f16: (b, at, v) => b.setUint16(at, toF16(v), true),
};

const sizeOf = (scalar: Scalar): number => (scalar === 'f16' ? 2 : 4);

/** What accesses are noted for: two bytes, the least that anything writes. */
const NOTED = 2;

/**
 * An array in workgroup memory, of numbers or vectors, zero at first. It is made of bytes: matrices of f16 and of f32 come
 * and go in an array of words.
 */
export class Shared {
  private readonly bytes: DataView;
  private readonly writers: Int32Array;
  private readonly readers: Int32Array;
  private readonly written: Int32Array;
  private readonly read: Int32Array;
  private readonly scalar: Exclude<Scalar, 'bool'>;
  /** Of an element. */
  readonly size: number;
  /** Goes up with each barrier. */
  private epoch = 1;

  constructor(readonly name: string, readonly length: number, readonly width: number, scalar: Scalar) {
    if (scalar === 'bool') throw new Error(`${name} is of bool`);
    this.scalar = scalar;
    this.size = width * sizeOf(scalar);
    this.bytes = new DataView(new ArrayBuffer(length * this.size));
    [this.writers, this.readers, this.written, this.read] = Array.from({ length: 4 }, () => new Int32Array(this.bytes.byteLength / NOTED));
  }

  barrier(): void {
    this.epoch++;
  }

  clear(): void {
    new Uint8Array(this.bytes.buffer).fill(0);
    this.epoch++;
  }

  get(by: number, at: number): number | number[] {
    if (this.width === 1) return this.number(by, at, 0);
    return Array.from({ length: this.width }, (_, lane) => this.number(by, at, lane));
  }

  number(by: number, at: number, lane: number): number {
    return this.readAt(by, this.place(at, lane), this.scalar);
  }

  set(by: number, at: number, value: number | readonly number[]): void {
    if (typeof value === 'number') this.setNumber(by, at, 0, value);
    else value.forEach((v, lane) => this.setNumber(by, at, lane, v));
  }

  setNumber(by: number, at: number, lane: number, value: number): void {
    this.writeAt(by, this.place(at, lane), this.scalar, value);
  }

  /** A number of any type at a byte. */
  readAt(by: number, byte: number, scalar: Scalar): number {
    for (const place of this.notes(byte, scalar)) {
      if (this.written[place] === this.epoch && (this.writers[place] !== by || by === MANY)) throw new Error(`${this.name}, byte ${byte}, is read without a barrier after it was written`);
      this.readers[place] = this.read[place] === this.epoch && this.readers[place] !== by ? MANY : by;
      this.read[place] = this.epoch;
    }
    return READ[scalar as 'f32'](this.bytes, byte);
  }

  writeAt(by: number, byte: number, scalar: Scalar, value: number): void {
    for (const place of this.notes(byte, scalar)) {
      if (this.written[place] === this.epoch && (this.writers[place] !== by || by === MANY)) throw new Error(`${this.name}, byte ${byte}, is written twice without a barrier between`);
      if (this.read[place] === this.epoch && (this.readers[place] !== by || by === MANY)) throw new Error(`${this.name}, byte ${byte}, is written without a barrier after it was read`);
      this.writers[place] = by;
      this.written[place] = this.epoch;
    }
    WRITE[scalar as 'f32'](this.bytes, byte, value);
  }

  private notes(byte: number, scalar: Scalar): number[] {
    const size = sizeOf(scalar);
    if (!(byte >= 0 && byte + size <= this.bytes.byteLength)) throw new Error(`byte ${byte} of ${this.name} is past its ${this.bytes.byteLength}`);
    return size === NOTED ? [byte / NOTED] : [byte / NOTED, byte / NOTED + 1];
  }

  private place(at: number, lane: number): number {
    if (!(at >= 0 && at < this.length && lane >= 0 && lane < this.width)) throw new Error(`${this.name}[${at}] is past its ${this.length} elements`);
    return at * this.size + lane * sizeOf(this.scalar);
  }
}

/** A storage buffer. Bytes are counted as the device would move them. */
export class Stored {
  loadBytes = 0;
  storeBytes = 0;

  constructor(readonly name: string, readonly values: Scalars, private readonly half: boolean, private readonly bytes: (width: number) => number) {}

  load(at: number, width: number): number | number[] {
    const first = this.first(at, width);
    this.loadBytes += this.bytes(width);
    if (width === 1) return this.values[first];
    if (width === 8) return Array.from({ length: 4 }, (_, i) => (toF16(this.values[first + 2 * i]) | (toF16(this.values[first + 2 * i + 1]) << 16)) >>> 0);
    return Array.from(this.values.subarray(first, first + width));
  }

  store(at: number, width: number, value: number | readonly number[]): void {
    const first = this.first(at, width);
    this.storeBytes += this.bytes(width);
    for (let lane = 0; lane < width; lane++) {
      const v = typeof value === 'number' ? value : value[lane];
      this.values[first + lane] = this.half ? roundF16(v) : v;
    }
  }

  loadMatrix(type: MatrixType, offset: number, stride: number, columnMajor: boolean): Matrix {
    this.loadBytes += type.rows * type.columns * this.bytes(1);
    return gather(type, (row, column) => this.values[this.first(offset + place(row, column, stride, columnMajor), 1)]);
  }

  storeMatrix(matrix: Matrix, offset: number, stride: number, columnMajor: boolean): void {
    this.storeBytes += matrix.values.length * this.bytes(1);
    scatter(matrix, (row, column, value) => {
      this.values[this.first(offset + place(row, column, stride, columnMajor), 1)] = this.half ? roundF16(value) : value;
    });
  }

  private first(at: number, width: number): number {
    const first = at * width;
    if (!(first >= 0 && first + width <= this.values.length)) throw new Error(`element ${first} of ${this.name} is past its ${this.values.length}`);
    return first;
  }
}

const place = (row: number, column: number, stride: number, columnMajor: boolean): number => (columnMajor ? column * stride + row : row * stride + column);

function gather(type: MatrixType, at: (row: number, column: number) => number): Matrix {
  const { rows, columns } = type;
  return { rows, columns, values: Float32Array.from({ length: rows * columns }, (_, i) => at(Math.floor(i / columns), i % columns)) };
}

function scatter({ columns, values }: Matrix, put: (row: number, column: number, value: number) => void): void {
  values.forEach((value, i) => put(Math.floor(i / columns), i % columns, value));
}

/** Notes what an invocation does with its subgroup, and says whether it is the one to do it. */
function together(invocation: Invocation, ...what: readonly number[]): boolean {
  for (const n of what) invocation.trace = (Math.imul(invocation.trace, 31) + n) | 0;
  return invocation.leads;
}

/** Operations on matrices: `op` is the number of the operation in the code. All give nothing in invocations that do not lead. */
export const matrices = {
  zero: (invocation: Invocation, op: number, type: MatrixType): Matrix | undefined => (together(invocation, op) ? gather(type, () => 0) : undefined),

  /** `offset` and `stride` count elements, vectors in an array of vectors. */
  loadShared(invocation: Invocation, op: number, type: MatrixType, from: Shared, offset: number, stride: number, columnMajor: boolean): Matrix | undefined {
    if (!together(invocation, op, offset, stride)) return undefined;
    const size = sizeOf(type.component);
    return gather(type, (row, column) => from.readAt(MANY, offset * from.size + size * place(row, column, (stride * from.size) / size, columnMajor), type.component));
  },

  storeShared(invocation: Invocation, op: number, matrix: Matrix | undefined, to: Shared, offset: number, stride: number, columnMajor: boolean): void {
    if (!together(invocation, op, offset, stride)) return;
    // Results are of f32.
    scatter(matrix!, (row, column, value) => to.writeAt(MANY, offset * to.size + 4 * place(row, column, (stride * to.size) / 4, columnMajor), 'f32', value));
  },

  load: (invocation: Invocation, op: number, type: MatrixType, from: Stored, offset: number, stride: number, columnMajor: boolean): Matrix | undefined =>
    together(invocation, op, offset, stride) ? from.loadMatrix(type, offset, stride, columnMajor) : undefined,

  store(invocation: Invocation, op: number, matrix: Matrix | undefined, to: Stored, offset: number, stride: number, columnMajor: boolean): void {
    if (together(invocation, op, offset, stride)) to.storeMatrix(matrix!, offset, stride, columnMajor);
  },

  /** a b + c, rounded once: how a device rounds within a product is its own affair. */
  multiply(invocation: Invocation, op: number, a: Matrix | undefined, b: Matrix | undefined, c: Matrix | undefined): Matrix | undefined {
    if (!together(invocation, op)) return undefined;
    const [left, right, sums] = [a!, b!, c!];
    if (left.columns !== right.rows || left.rows !== sums.rows || right.columns !== sums.columns) throw new Error('matrices do not fit each other');
    const values = new Float32Array(sums.values.length);
    for (let row = 0; row < sums.rows; row++) {
      for (let column = 0; column < sums.columns; column++) {
        let sum = sums.values[row * sums.columns + column];
        for (let k = 0; k < left.columns; k++) sum += left.values[row * left.columns + k] * right.values[k * right.columns + column];
        values[row * sums.columns + column] = sum;
      }
    }
    return { rows: sums.rows, columns: sums.columns, values };
  },
};
