/** Inputs in half precision: IEEE 754 binary16, two bytes an element. Only packages with such inputs load this file. */

/**
 * The platform's Float16Array, where the TypeScript library in use declares one. A conditional type, so that a program
 * compiles with an older library too.
 */
type PlatformHalves = typeof globalThis extends { readonly Float16Array: { readonly prototype: infer Halves } } ? Halves : never;

/** What an f16 input takes: halves, their bits, or f32 values, which are rounded first (a few nanoseconds each). */
export type HalfValues = PlatformHalves | Uint16Array | Float32Array;

/** Whether a value is the platform's Float16Array; never, where it has none. */
function isFloat16Array(value: unknown): value is Uint16Array {
  const { Float16Array: Halves } = globalThis as { readonly Float16Array?: new () => unknown };
  return Halves !== undefined && value instanceof Halves;
}

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/** The bits of the nearest half, ties to even: infinity beyond the range, NaN of NaN. `x`: the bits of an f32 value. */
function nearest(x: number): number {
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // From 65520 on, halfway to the first power of two that is no half.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) return sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13);
  // Subnormal: the sum with 0.5 is rounded to units of 2^-24, the low bits.
  floatBits[0] = magnitude;
  float[0] += 0.5;
  return sign | (floatBits[0] - 0x3f000000);
}

/** Room for so many halves, of whole words. */
function roomFor(count: number): Uint16Array {
  return new Uint16Array(count + (count & 1));
}

/** The bits of halves, or of those nearest to f32 values, in whole 32-bit words; undefined for anything else. Halves of an even number stay where they are. */
export function readHalves(value: unknown): Uint16Array | undefined {
  if (value instanceof Float32Array) {
    const bits = new Uint32Array(value.buffer, value.byteOffset, value.length);
    const halves = roomFor(bits.length);
    for (let i = 0; i < bits.length; i++) halves[i] = nearest(bits[i]);
    return halves;
  }
  if (!(value instanceof Uint16Array) && !isFloat16Array(value)) return undefined;
  const bits = new Uint16Array(value.buffer, value.byteOffset, value.length);
  if (bits.length % 2 === 0) return bits;
  const padded = roomFor(bits.length);
  padded.set(bits);
  return padded;
}
