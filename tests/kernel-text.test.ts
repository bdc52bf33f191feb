import { describe, expect, test } from 'vitest';
import type { Program } from '../src/kernel.ts';
import { readKernel, readProgram } from '../src/kernel-read.ts';
import { printKernel, printProgram } from '../src/kernel-text.ts';
import { lower } from '../src/lower/lower.ts';
import { WEB } from '../src/targets.ts';
import { verifyKernel, verifyProgram } from '../src/verify-kernel.ts';
import { pattern, PATTERNS } from './helpers/patterns.ts';
import { randomGraph } from './helpers/random-graph.ts';

function roundTrip(program: Program): void {
  const text = printProgram(program);
  const { value, errors } = readProgram(text);
  expect(errors).toEqual([]);
  expect(printProgram(value!)).toBe(text);
  expect(verifyProgram(value!)).toEqual([]);
}

describe('what is printed reads back the same', () => {
  test.each(Object.keys(PATTERNS))('%s', (name) => {
    roundTrip(lower(pattern(name), { fuse: true, target: WEB, storage: 'f16' }));
    roundTrip(lower(pattern(name), { fuse: false, target: WEB, storage: 'f32' }));
  });
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])('random graph %d', (seed) => {
    roundTrip(lower(randomGraph(seed), { fuse: true, target: WEB, storage: 'f32' }));
  });

  test('every kind of expression and index', () => {
    const text = `kernel all_8x6 {
  read p0: f32[8, 6] as f16 blocks [2, 2]
  read p1: i32[9]
  write o0: bool[8, 6]
  s0[a0:8]: i32 = max[r0:6] cast_i32(mul(p0[a0, r0], -1.5e-7))
  out[i0:8, i1:6]: bool = select(and(less(index((i0+3)/5), 2i), not(equal(s0(i0), -7i))), lessEqual(p0[4*(i0/4)+value(p1[i1], 4), i1], -inf), false)
  store o0[-i0+7, i1] = out
}
`;
    const { value, errors } = readKernel(text);
    expect(errors).toEqual([]);
    expect(printKernel(value!)).toBe(text);
    expect(verifyKernel(value!)).toEqual([]);
  });
});

test('errors are told with their lines', () => {
  const { errors } = readProgram(`program x
buffer t0 a: f32[2] temp
kernel k {
  read p0: f32[2]
  out[i0:2] = sine(p0[i0])
  out2[i0:2] = p0[i1]
  store o0 = nothing
}
call other(t0)
what
`);
  expect(errors).toMatchInlineSnapshot(`
    [
      {
        "line": 5,
        "message": "'sine' is no operation or stage",
      },
      {
        "line": 6,
        "message": "there is no axis i1 here",
      },
      {
        "line": 7,
        "message": "there is no stage nothing",
      },
      {
        "line": 9,
        "message": "kernel other is not defined above",
      },
      {
        "line": 10,
        "message": "'what' begins no statement",
      },
    ]
  `);
});

// A divisor of 0 once recursed without end while the index was simplified, so each is read where there is something to simplify.
test.each(['/0', '%0', '/00', `/${'9'.repeat(30)}`, `%${2 ** 53}`])('an index is not divided by what is no divisor: %s', (divided) => {
  for (const index of [`(i0)${divided}`, `(i0+1)${divided}`, `(4*i0+8)${divided}`, `((i0)/2)${divided}`, `(value(0i, 4))${divided}`]) {
    const { value, errors } = readKernel(`kernel k {\n  read p0: f32[4]\n  write o0: f32[4]\n  out[i0:4] = p0[${index}]\n  store o0 = out\n}`);
    expect(value, index).toBeUndefined();
    expect(errors, index).toContainEqual({ line: 4, message: `${Number(divided.slice(1))} is no divisor` });
  }
});

test.each([
  ['an index outside', 'stage out: p0[i0+1] leaves axis 0 of [4]', 'read p0: f32[4]', 'out[i0:4] = p0[i0+1]'],
  ['a guard makes it good', '', 'read p0: f32[4]', 'out[i0:4] = select(less(index(i0), 3i), p0[i0+1], 0.0)'],
  ['an axis used twice', 'axis a0 is defined twice', 'read p0: f32[4]', 's0[a0:4] = sum[a0:4] p0[a0]', 'out[i0:4] = s0(i0)'],
  ['dtypes that differ', 'stage out: add of i32 and f32', 'read p0: i32[4]', 'out[i0:4] = add(p0[i0], 1.0)'],
  ['another dtype than said', 'stage out: it is f32, its body i32', 'read p0: i32[4]', 'out[i0:4] = p0[i0]'],
  ['two points in one place', 'store o0 = out: two points may go to one place', 'read p0: f32[8]', 'out[i0:2, i1:4] = p0[4*i0+i1]', 'store o0[i1] = out'],
])('the verifier: %s', (_, message, ...lines) => {
  const store = lines.some((l) => l.startsWith('store')) ? [] : ['store o0 = out'];
  const { value, errors } = readKernel(['kernel k {', ...[lines[0], 'write o0: f32[4]', ...lines.slice(1), ...store].map((l) => `  ${l}`), '}'].join('\n'));
  expect(errors).toEqual([]);
  expect(verifyKernel(value!).join('\n')).toBe(message);
});
