/**
 * Pairs: an f32 value as the sum of two f16 in one 32-bit word, which matrix units multiply without a way through the
 * lanes (Ootomo and Yokota 2022, "Recovering single precision accuracy from Tensor Cores while surpassing the FP32
 * theoretical peak performance", section 3). The word's low half is the high part; its high half is what that lacks, 2^11
 * times as large. Magnitudes up to 65000 are kept to 2^-22 of themselves or to 2^-26, whichever is more.
 */
import { fromF16, toF16 } from './half.ts';

/** Between the parts: an f16 has 11 digits. */
export const LOW_SCALE = 2 ** 11;

/**
 * Of a value's bits those that f16 holds, sign, exponent and ten digits after the first, and half of the last, by which it
 * is rounded.
 */
export const KEPT_BITS = 0xffffe000;
export const HALF_BIT = 0x1000;

/** The least normal f16. Devices may take what is less for zero, so all of it is in the low part, where it is normal. */
export const LEAST_HIGH = 2 ** -14;

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** As kernels do it. */
export function toPair(value: number): number {
  float[0] = value;
  bits[0] = (bits[0] + HALF_BIT) & KEPT_BITS;
  const high = Math.abs(value) < LEAST_HIGH ? 0 : float[0];
  return (toF16(high) | (toF16((value - high) * LOW_SCALE) << 16)) >>> 0;
}

export function fromPair(word: number): number {
  return fromF16(word & 0xffff) + fromF16(word >>> 16) / LOW_SCALE;
}

export function encodePairs(values: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(values.length);
  for (let i = 0; i < words.length; i++) words[i] = toPair(values[i]);
  return words;
}

export function decodePairs(words: Uint32Array): Float32Array {
  const values = new Float32Array(words.length);
  for (let i = 0; i < values.length; i++) values[i] = fromPair(words[i]);
  return values;
}
