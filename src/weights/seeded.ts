/**
 * Seeded tensors: weights and inputs that any language regenerates bit for bit from a name.
 * The generator is a 32-bit FNV-1a hash of `SEED:key` advanced by the golden ratio and mixed with the
 * multiply-xorshift finalizer `lowbias32` (C. Wellons, "Prospecting for Hash Functions", 2018).
 */
import { sizeOf, type Shape } from '../graph.ts';

/** 32-bit FNV-1a of a text's UTF-8 bytes. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** `count` values in [-1, 1), exact multiples of 2^-23. */
export function unitValues(key: string, count: number, seed: number): Float32Array {
  const start = fnv1a(`${seed}:${key}`);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (start + Math.imul(i, 0x9e3779b9)) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d) >>> 0;
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b) >>> 0;
    x = (x ^ (x >>> 16)) >>> 0;
    values[i] = (x >>> 8) / 2 ** 23 - 1;
  }
  return values;
}

const SCALES_AROUND_ONE = new Set(['weight', 'running_var', 'gamma', 'logit_scale', 'scale']);

/** A weight's seeded values, by its name and shape alone; f32 arithmetic throughout. */
export function seededWeight(key: string, shape: Shape, seed = 1): Float32Array {
  const values = unitValues(key, sizeOf(shape), seed);
  const round = Math.fround;
  if (shape.length <= 1) {
    const last = key.slice(key.lastIndexOf('.') + 1);
    if (SCALES_AROUND_ONE.has(last)) {
      const spread = round(0.2);
      for (let i = 0; i < values.length; i++) values[i] = 1 + round(spread * values[i]);
    } else {
      const spread = round(0.1);
      for (let i = 0; i < values.length; i++) values[i] *= spread;
    }
  } else {
    const fanIn = sizeOf(shape.slice(1));
    const bound = shape[0] === 1 ? 0.5 : round(Math.sqrt((shape.length === 4 ? 6 : 3) / fanIn));
    for (let i = 0; i < values.length; i++) values[i] *= bound;
  }
  return values;
}

/** A seeded f32 input: the unit values of `input:NAME`. */
export function seededInput(name: string, shape: Shape, seed = 1): Float32Array {
  return unitValues(`input:${name}`, sizeOf(shape), seed);
}

/** A seeded integer input in [0, below): floor((v + 1) / 2 * below). */
export function seededIndices(name: string, shape: Shape, below: number, seed = 1): Int32Array {
  return Int32Array.from(unitValues(`input:${name}`, sizeOf(shape), seed), (v) => Math.floor(((v + 1) / 2) * below));
}
