import { describe, expect, test } from 'vitest';
import type { Axis, Index } from '../src/kernel.ts';
import { add, axis, constant, flatten, floorDiv, isInjective, keyOf, mod, plainAxis, rangeOf, scale, strideOf, sub, substitute, unflatten, value } from '../src/kernel-index.ts';
import { inRange, load } from '../src/kernel-expr.ts';

const axes = (...extents: number[]): Index[] => extents.map((extent, i) => axis({ name: 'ijklmn'[i], extent }));

function evaluate(index: Index, at: Record<string, number>): number {
  return index.terms.reduce((total, { scale: by, atom }) => {
    if (atom.kind === 'value') throw new Error('no data here');
    const inner = atom.kind === 'axis' ? at[atom.name] : evaluate(atom.of, at);
    const floor = atom.kind === 'axis' ? 0 : Math.floor(inner / atom.by);
    return total + by * (atom.kind === 'axis' ? inner : atom.kind === 'div' ? floor : inner - floor * atom.by);
  }, index.offset);
}

describe('index normal form', () => {
  const [i, j, k, l] = axes(5, 12, 4, 3);

  test.each<[string, Index, string]>([
    ['quotient of a joined axis', floorDiv(add(scale(i, 12), j), 12), 'i'],
    ['remainder of a joined axis', mod(add(scale(i, 12), j), 12), 'j'],
    ['quotient and remainder together', add(scale(floorDiv(j, 4), 4), mod(j, 4)), 'j'],
    ['three digits together', add(scale(floorDiv(j, 6), 6), scale(mod(floorDiv(j, 2), 3), 2), mod(j, 2)), 'j'],
    ['quotient of a quotient', floorDiv(floorDiv(j, 2), 3), 'j/6'],
    ['remainder of a remainder', mod(mod(j, 6), 3), 'j%3'],
    ['quotient of a remainder', floorDiv(mod(j, 6), 3), '(j/3)%2'],
    ['common factor', floorDiv(add(scale(i, 6), scale(k, 2)), 4), '(i+k)/2+i'],
    ['offset carried out', floorDiv(add(scale(i, 12), j, constant(24)), 12), 'i+2'],
    ['digits of a product', mod(add(scale(i, 12), scale(k, 3), l), 12), '3*k+l'],
    ['a part that never carries', floorDiv(add(scale(j, 4), k, constant(0)), 8), 'j/2'],
    ['the same, remainder', mod(add(scale(j, 4), k), 8), '4*(j%2)+k'],
    ['shifted remainder stays', mod(add(j, constant(13)), 12), '(j+1)%12'],
    ['below the divisor', mod(k, 7), 'k'],
    ['an axis of one', axis({ name: 'x', extent: 1 }), '0'],
    ['terms that cancel', sub(add(i, j), i), 'j'],
    ['negative', floorDiv(sub(constant(0), k), 4), '(-k)/4'],
  ])('%s', (_, index, text) => expect(keyOf(index)).toBe(text));

  test('window partition and its inverse are plain', () => {
    // [B, H, W, C] -> [B, H / 7, 7, W / 7, 7, C] -> [B, H / 7, W / 7, 7, 7, C] -> rows, and back.
    const [b, y, x, c] = axes(2, 28, 28, 96);
    const split = unflatten(flatten([b, y, x, c], [2, 28, 28, 96]), [2, 4, 7, 4, 7, 96]);
    const windows = [split[0], split[1], split[3], split[2], split[4], split[5]];
    const rows = unflatten(flatten(windows, [2, 4, 4, 7, 7, 96]), [32, 49, 96]);
    const back = unflatten(flatten(rows, [32, 49, 96]), [2, 4, 4, 7, 7, 96]);
    const image = [back[0], back[1], back[3], back[2], back[4], back[5]];
    expect(unflatten(flatten(image, [2, 4, 7, 4, 7, 96]), [2, 28, 28, 96]).map(keyOf)).toEqual(['i', 'j', 'k', 'l']);
  });

  test('ranges', () => {
    expect(rangeOf(sub(add(scale(i, 12), j), constant(3)))).toEqual([-3, 56]);
    expect(rangeOf(floorDiv(j, 5))).toEqual([0, 2]);
    expect(rangeOf(scale(k, -2))).toEqual([-6, 0]);
  });

  test('substitution simplifies', () => {
    const inner = floorDiv(j, 4);
    expect(keyOf(substitute(inner, new Map([['j', add(scale(l, 4), k)]])))).toBe('l');
  });

  test('values of data: a known index is no data', () => {
    expect(keyOf(value({ kind: 'index', of: j }, 12))).toBe('j');
    expect(keyOf(value({ kind: 'index', of: j }, 11))).toBe('value(index(j), 11)');
    expect(keyOf(value(load('p0', [j]), 7))).toBe('value(p0[j], 7)');
    expect(keyOf(substitute(value(load('p0', [j]), 7), new Map([['j', k]])))).toBe('value(p0[k], 7)');
  });

  test('guards that always hold vanish', () => {
    expect(inRange(j, 0, 12)).toEqual({ kind: 'const', value: 1, dtype: 'bool' });
    expect(inRange(add(j, constant(12)), 0, 12)).toEqual({ kind: 'const', value: 0, dtype: 'bool' });
  });

  test('questions', () => {
    expect(plainAxis(j)?.name).toBe('j');
    expect(plainAxis(scale(j, 2))).toBeUndefined();
    expect(strideOf(add(scale(j, 3), i), 'j')).toBe(3);
    expect(strideOf(add(floorDiv(j, 5), i), 'j')).toBeUndefined();
    const [a, b]: Axis[] = [{ name: 'i', extent: 5 }, { name: 'j', extent: 12 }];
    expect(isInjective([j, i], [12, 5], [a, b])).toBe(true);
    expect(isInjective([add(i, j)], [16], [a, b])).toBe(false);
    expect(isInjective([add(scale(j, 5), i)], [60], [a, b])).toBe(true);
    expect(isInjective([i], [5], [a, b])).toBe(false);
    // Rotated digits, as in an axis that was rolled before it was merged with another.
    expect(isInjective([add(scale(mod(add(j, constant(5)), 12), 5), i)], [60], [a, b])).toBe(true);
    expect(isInjective([add(scale(mod(add(j, constant(5)), 11), 5), i)], [60], [a, b])).toBe(false);
    expect(isInjective([add(scale(mod(add(i, constant(1)), 5), 12), scale(i, 12))], [120], [a])).toBe(false);
  });
});

test('random compositions mean the same after simplification', () => {
  let state = 12345;
  const random = (n: number): number => (state = (state * 1103515245 + 12345) % 2147483648) % n;
  const pick = <T>(xs: readonly T[]): T => xs[random(xs.length)];
  for (let round = 0; round < 1500; round++) {
    const extents = [1 + random(6), 1 + random(8), 1 + random(5)];
    const atoms = axes(...extents);
    const pool: { index: Index; f: (at: Record<string, number>) => number }[] = atoms.map((index, n) => ({ index, f: (at) => at['ijk'[n]] }));
    for (let step = 0; step < 8; step++) {
      const a = pick(pool);
      const b = pick(pool);
      const c = pick([1, 2, 3, 4, 6, 8, 12]);
      const o = random(13) - 6;
      pool.push(
        pick([
          { index: add(a.index, scale(b.index, c)), f: (at) => a.f(at) + c * b.f(at) },
          { index: sub(a.index, b.index), f: (at) => a.f(at) - b.f(at) },
          { index: add(a.index, constant(o)), f: (at) => a.f(at) + o },
          { index: floorDiv(a.index, c), f: (at) => Math.floor(a.f(at) / c) },
          { index: mod(a.index, c), f: (at) => a.f(at) - Math.floor(a.f(at) / c) * c },
          { index: add(scale(floorDiv(a.index, c), c), mod(a.index, c)), f: (at) => a.f(at) },
        ]),
      );
    }
    for (const { index, f } of pool) {
      const [min, max] = rangeOf(index);
      for (let i = 0; i < extents[0]; i++) {
        for (let j = 0; j < extents[1]; j++) {
          for (let k = 0; k < extents[2]; k++) {
            const at = { i, j, k };
            const want = f(at);
            const got = evaluate(index, at);
            if (got !== want || want < min || want > max) expect.fail(`${keyOf(index)} at ${JSON.stringify(at)}: ${got}, not ${want}; range ${min}..${max}`);
          }
        }
      }
    }
  }
});
