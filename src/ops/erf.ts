/** The error function to double precision. */

const TERMS = 80;
/** 2 / (2n + 1): the ratio of consecutive series terms over x^2. */
const RATIOS = Float64Array.from({ length: TERMS }, (_, n) => 2 / (2 * n + 1));
const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/**
 * Abramowitz and Stegun 7.1.6 below 2.5, a series of positive terms, so that nothing cancels:
 *   erf x = 2/sqrt(pi) exp(-x^2) sum_n 2^n x^(2n+1) / (1 3 ... (2n+1));
 * and 7.1.14 above it, the continued fraction of erfc, from its far end:
 *   sqrt(pi) exp(x^2) erfc x = 1/(x + (1/2)/(x + (2/2)/(x + (3/2)/(x + ...)))).
 */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a >= 6) return Math.sign(x);
  const square = x * x;
  if (a < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; n < TERMS; n++) {
      term *= square * RATIOS[n];
      const next = sum + term;
      if (next === sum) break;
      sum = next;
    }
    return TWO_OVER_SQRT_PI * Math.exp(-square) * sum;
  }
  let tail = a;
  for (let n = 40; n > 0; n--) tail = a + n / 2 / tail;
  const complement = Math.exp(-square) / (tail * Math.sqrt(Math.PI));
  return x < 0 ? complement - 1 : 1 - complement;
}
