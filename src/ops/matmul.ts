/**
 * The reference's one hot loop: c[i, j] += sum over k of a[i, k] * b[j, k], both operands with k innermost.
 * Blocks keep the operands in cache; every c[i, j] still sums in the order of k, so that blocking changes no bit.
 */
import type { TensorData } from './types.ts';

const K_BLOCK = 512;
const J_BLOCK = 64;

/** Where one operand's rows lie. */
export interface Rows {
  readonly data: TensorData;
  readonly offset: number;
  /** The distance of two rows. */
  readonly stride: number;
}

/** Adds to c, m rows of n; f32 rounding of every product and sum when c is a Float32Array. */
export function multiplyAdd(a: Rows, b: Rows, c: Rows, m: number, n: number, k: number): void {
  const single = c.data instanceof Float32Array;
  for (let k0 = 0; k0 < k; k0 += K_BLOCK) {
    const depth = Math.min(K_BLOCK, k - k0);
    for (let j0 = 0; j0 < n; j0 += J_BLOCK) {
      const j1 = Math.min(j0 + J_BLOCK, n);
      for (let i = 0; i < m; ) {
        const tall = i + 4 <= m;
        for (let j = j0; j < j1; ) {
          const wide = tall && j + 4 <= j1;
          const pa = a.offset + i * a.stride + k0;
          const pb = b.offset + j * b.stride + k0;
          const pc = c.offset + i * c.stride + j;
          if (wide && single) tileSingle(a.data, pa, a.stride, b.data, pb, b.stride, c.data, pc, c.stride, depth);
          else if (wide) tile(a.data, pa, a.stride, b.data, pb, b.stride, c.data, pc, c.stride, depth);
          else for (let r = 0; r < (tall ? 4 : 1); r++) dot(a.data, pa + r * a.stride, b.data, pb, c.data, pc + r * c.stride, depth, single);
          j += wide ? 4 : 1;
        }
        i += tall ? 4 : 1;
      }
    }
  }
}

function dot(a: TensorData, pa: number, b: TensorData, pb: number, c: TensorData, pc: number, depth: number, single: boolean): void {
  let sum = c[pc];
  if (single) for (let k = 0; k < depth; k++) sum = Math.fround(sum + Math.fround(a[pa + k] * b[pb + k]));
  else for (let k = 0; k < depth; k++) sum += a[pa + k] * b[pb + k];
  c[pc] = sum;
}

/** A 4 x 4 tile in registers. */
function tile(a: TensorData, pa: number, sa: number, b: TensorData, pb: number, sb: number, c: TensorData, pc: number, sc: number, depth: number): void {
  let c00 = c[pc], c01 = c[pc + 1], c02 = c[pc + 2], c03 = c[pc + 3];
  let c10 = c[pc + sc], c11 = c[pc + sc + 1], c12 = c[pc + sc + 2], c13 = c[pc + sc + 3];
  let c20 = c[pc + 2 * sc], c21 = c[pc + 2 * sc + 1], c22 = c[pc + 2 * sc + 2], c23 = c[pc + 2 * sc + 3];
  let c30 = c[pc + 3 * sc], c31 = c[pc + 3 * sc + 1], c32 = c[pc + 3 * sc + 2], c33 = c[pc + 3 * sc + 3];
  for (const end = pa + depth; pa < end; pa++, pb++) {
    const b0 = b[pb], b1 = b[pb + sb], b2 = b[pb + 2 * sb], b3 = b[pb + 3 * sb];
    const a0 = a[pa];
    c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3;
    const a1 = a[pa + sa];
    c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3;
    const a2 = a[pa + 2 * sa];
    c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3;
    const a3 = a[pa + 3 * sa];
    c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3;
  }
  c[pc] = c00; c[pc + 1] = c01; c[pc + 2] = c02; c[pc + 3] = c03;
  c[pc + sc] = c10; c[pc + sc + 1] = c11; c[pc + sc + 2] = c12; c[pc + sc + 3] = c13;
  c[pc + 2 * sc] = c20; c[pc + 2 * sc + 1] = c21; c[pc + 2 * sc + 2] = c22; c[pc + 2 * sc + 3] = c23;
  c[pc + 3 * sc] = c30; c[pc + 3 * sc + 1] = c31; c[pc + 3 * sc + 2] = c32; c[pc + 3 * sc + 3] = c33;
}

/** The same with f32 rounding; four columns of one row at a time. */
function tileSingle(a: TensorData, pa: number, sa: number, b: TensorData, pb: number, sb: number, c: TensorData, pc: number, sc: number, depth: number): void {
  const fround = Math.fround;
  for (let row = 0; row < 4; row++, pa += sa, pc += sc) {
    let c0 = c[pc], c1 = c[pc + 1], c2 = c[pc + 2], c3 = c[pc + 3];
    for (let k = 0; k < depth; k++) {
      const x = a[pa + k];
      c0 = fround(c0 + fround(x * b[pb + k]));
      c1 = fround(c1 + fround(x * b[pb + sb + k]));
      c2 = fround(c2 + fround(x * b[pb + 2 * sb + k]));
      c3 = fround(c3 + fround(x * b[pb + 3 * sb + k]));
    }
    c[pc] = c0; c[pc + 1] = c1; c[pc + 2] = c2; c[pc + 3] = c3;
  }
}
