/**
 * What a kernel interpreted in JavaScript runs on: buffers, workgroup memory and subgroup matrices. Every access is
 * checked. One beyond the end fails, and so does a race: workgroup memory that one invocation writes and another touches
 * with no barrier between. Subgroup matrices belong to a subgroup as a whole: its first invocation executes what is done
 * with them, the others only have to come along, which is checked at every barrier.
 */
import type { WgslType } from '../../src/codegen/wgsl.ts';
import { roundF16 } from './interpret-numbers.ts';

export type Scalars = Float32Array | Int32Array;
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
}

/** Stands for several invocations in the notes of who touched a place. */
const MANY = -2;

/** An array in workgroup memory, of numbers or vectors, zero at first. Accesses are noted for each number. */
export class Shared {
  private readonly values: Float32Array;
  private readonly writers: Int32Array;
  private readonly readers: Int32Array;
  private readonly written: Int32Array;
  private readonly read: Int32Array;
  /** Goes up with each barrier. */
  private epoch = 1;

  constructor(readonly name: string, readonly length: number, readonly width: number, private readonly half: boolean) {
    const numbers = length * width;
    this.values = new Float32Array(numbers);
    [this.writers, this.readers, this.written, this.read] = Array.from({ length: 4 }, () => new Int32Array(numbers));
  }

  barrier(): void {
    this.epoch++;
  }

  clear(): void {
    this.values.fill(0);
    this.epoch++;
  }

  get(by: number, at: number): number | number[] {
    if (this.width === 1) return this.number(by, at, 0);
    return Array.from({ length: this.width }, (_, lane) => this.number(by, at, lane));
  }

  number(by: number, at: number, lane: number): number {
    const place = this.place(at, lane);
    if (this.written[place] === this.epoch && (this.writers[place] !== by || by === MANY)) throw new Error(`${this.name}[${at}] is read without a barrier after it was written`);
    this.readers[place] = this.read[place] === this.epoch && this.readers[place] !== by ? MANY : by;
    this.read[place] = this.epoch;
    return this.values[place];
  }

  set(by: number, at: number, value: number | readonly number[]): void {
    if (typeof value === 'number') this.setNumber(by, at, 0, value);
    else value.forEach((v, lane) => this.setNumber(by, at, lane, v));
  }

  setNumber(by: number, at: number, lane: number, value: number): void {
    const place = this.place(at, lane);
    if (this.written[place] === this.epoch && (this.writers[place] !== by || by === MANY)) throw new Error(`${this.name}[${at}] is written twice without a barrier between`);
    if (this.read[place] === this.epoch && (this.readers[place] !== by || by === MANY)) throw new Error(`${this.name}[${at}] is written without a barrier after it was read`);
    this.writers[place] = by;
    this.written[place] = this.epoch;
    this.values[place] = this.half ? roundF16(value) : value;
  }

  private place(at: number, lane: number): number {
    if (!(at >= 0 && at < this.length && lane >= 0 && lane < this.width)) throw new Error(`${this.name}[${at}] is past its ${this.length} elements`);
    return at * this.width + lane;
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
    return gather(type, (row, column) => {
      const at = offset * from.width + place(row, column, stride * from.width, columnMajor);
      return from.number(MANY, Math.floor(at / from.width), at % from.width);
    });
  },

  storeShared(invocation: Invocation, op: number, matrix: Matrix | undefined, to: Shared, offset: number, stride: number, columnMajor: boolean): void {
    if (!together(invocation, op, offset, stride)) return;
    scatter(matrix!, (row, column, value) => {
      const at = offset * to.width + place(row, column, stride * to.width, columnMajor);
      to.setNumber(MANY, Math.floor(at / to.width), at % to.width, value);
    });
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
