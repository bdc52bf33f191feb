/** Helper functions of generated modules: what WGSL lacks, or offers with too little precision. One per vector width. */
import { HALF_BIT, KEPT_BITS, LEAST_HIGH, LOW_SCALE } from '../pair.ts';
import { add, binary, bitcast, call, construct, div, element, f32, fma, i32, less, letOf, mul, negate, ref, same, select, splat, sub, u32, varOf } from './wgsl-build.ts';
import { F32, U32, valueType, vector } from './wgsl.ts';
import type { Width, WgslExpr, WgslFunction, WgslStatement } from './wgsl.ts';
import { walkModule } from './wgsl-walk.ts';

type F = (x: WgslExpr) => WgslExpr;

/** Coefficients from the lowest power, by Horner's rule. */
function polynomial(coefficients: readonly number[], x: WgslExpr): WgslExpr {
  const { width } = valueType(x);
  return coefficients.reduceRight<WgslExpr | undefined>((sum, c) => (sum ? fma(sum, x, splat(f32(c), width)) : splat(f32(c), width)), undefined)!;
}

/** Minimax (Lawson's iteration) of erf(x) / x in x^2 for |x| <= 1: relative error 1.2e-9 before rounding. */
const ERF_SMALL = [1.1283791657266888, -0.3761262582409377, 0.11283585147034851, -0.02685381186925171, 0.0051883275602740185, -0.0008010192523111088, 7.853857714306743e-5];
/** Minimax of log(erfc(x)) for 1 <= x <= 4, weighted by erfc: absolute error of erfc 1.0e-9 before rounding. */
const ERF_LARGE = [-3.5370892841817025e-4, -1.1270400799774856, -0.6382256023701397, -0.10303743551706335, 0.021805351155261086, -0.0029396157355737105, 1.8557489321678863e-4];
/** Minimax of (sin(r) / r - 1) / r^2 and (cos(r) - 1 + r^2 / 2) / r^4 in r^2 for |r| <= pi / 4: relative errors 6e-12 and 1e-10. */
const SIN = [-0.1666666663734125, 0.00833332888969896, -0.00019839176082826624, 2.7168100469429787e-6];
const COS = [0.041666644377877156, -0.0013887242726743029, 2.4423887463896523e-5];
/** pi / 2 in three parts, the first two short enough that small multiples of them are exact (Cody and Waite 1980, chapter 8). */
const HALF_PI = [1.5703125, 4.837512969970703e-4, 7.549789954891882e-8];

function unaryFunction(name: string, width: Width, body: (x: WgslExpr) => [WgslStatement[], WgslExpr]): WgslFunction {
  const type = vector('f32', width);
  const [statements, result] = body(ref('x', type));
  return { name: `${name}${width === 1 ? '' : width}`, params: [{ name: 'x', type }], result: type, body: [...statements, { kind: 'return', value: result }] };
}

const erf = (width: Width): WgslFunction => unaryFunction('erf', width, (x) => {
  const type = vector('f32', width);
  const a = ref('a', type);
  const small: F = (v) => mul(v, polynomial(ERF_SMALL, mul(v, v)));
  // erf reaches 1 in f32 before 4.
  const large = mul(same('sign', x), sub(splat(f32(1), width), same('exp', polynomial(ERF_LARGE, ref('b', type)))));
  return [[letOf('a', same('abs', x)), letOf('b', same('min', a, f32(4)))], select(less(a, splat(f32(1), width)), small(x), large)];
});

/** sin(x + quarter * pi / 2): absolute error near 1e-7 for |x| up to 10^4, growing with |x| beyond. */
const sinusoid = (name: string, quarter: number) => (width: Width): WgslFunction => unaryFunction(name, width, (x) => {
  const type = vector('f32', width);
  const integers = vector('i32', width);
  const k = ref('k', type);
  const q = ref('q', integers);
  const r = ref('r', type);
  const s = ref('s', type);
  const reduced = HALF_PI.reduce((rest, part) => fma(k, splat(f32(-part), width), rest), x);
  const one = splat(f32(1), width);
  const sine = fma(mul(r, s), polynomial(SIN, s), r);
  const cosine = fma(mul(s, s), polynomial(COS, s), fma(s, splat(f32(-0.5), width), one));
  const bit = (value: number): WgslExpr => binary('!=', binary('&', q, splat(i32(value), width)), splat(i32(0), width));
  return [
    [
      letOf('k', same('round', mul(x, f32(2 / Math.PI)))),
      letOf('r', reduced),
      letOf('s', mul(r, r)),
      letOf('q', add(construct(integers, k), splat(i32(quarter), width))),
      letOf('y', select(bit(1), cosine, sine)),
    ],
    select(bit(2), negate(ref('y', type)), ref('y', type)),
  ];
});

/** x to the power y for every sign of x: WGSL's pow is exp2(y log2 x). A negative base wants an integer power, else NaN. */
const power = (width: Width): WgslFunction => {
  const type = vector('f32', width);
  const x = ref('x', type);
  const y = ref('y', type);
  const size = ref('size', type);
  const zero = splat(f32(0), width);
  const half = mul(y, f32(0.5));
  const odd = binary('!=', same('floor', half), half);
  const signed = select(odd, negate(size), size);
  const whole = binary('==', same('floor', y), y);
  const nan = splat(call('not_a_number', F32), width);
  const result = select(less(x, zero), select(whole, signed, nan), size);
  return {
    name: `power${width === 1 ? '' : width}`,
    params: [{ name: 'x', type }, { name: 'y', type }],
    result: type,
    body: [letOf('size', same('pow', same('abs', x), y)), { kind: 'return', value: select(binary('==', y, zero), splat(f32(1), width), result) }],
  };
};

/** Floor division and floor modulo of i32; by zero gives 0. */
const floored = (name: string, modulo: boolean) => (width: Width): WgslFunction => {
  const type = vector('i32', width);
  const a = ref('a', type);
  const b = ref('b', type);
  const d = ref('d', type);
  const q = ref('q', type);
  const zero = splat(i32(0), width);
  const one = splat(i32(1), width);
  const isZero = binary('==', b, zero);
  const rest = sub(a, mul(q, d));
  const crosses = binary('<', binary('^', rest, d), zero);
  const inexact = binary('!=', rest, zero);
  const both = select(inexact, select(crosses, one, zero), zero);
  const result = modulo ? add(rest, mul(both, d)) : sub(q, both);
  return {
    name: `${name}${width === 1 ? '' : width}`,
    params: [{ name: 'a', type }, { name: 'b', type }],
    result: type,
    body: [letOf('d', select(isZero, one, b)), letOf('q', div(a, d)), { kind: 'return', value: select(isZero, zero, result) }],
  };
};

/**
 * The part of a value that f16 can hold, in f32. By its bits, since a value that has been to f16 and back may be taken for
 * the value itself by a compiler, and then nothing is left for the low part.
 */
export function highPart(x: WgslExpr): WgslExpr {
  const { width } = valueType(x);
  return bitcast(vector('f32', width), binary('&', add(bitcast(vector('u32', width), x), splat(u32(HALF_BIT), width)), splat(u32(KEPT_BITS), width)));
}

/** Values as pairs (pair.ts), and the other way. */
const toPair = (width: Width): WgslFunction => {
  const x = ref('x', vector('f32', width));
  const [high, low] = [ref('high', x.type), ref('low', x.type)];
  const words = Array.from({ length: width }, (_, i) => call('pack2x16float', U32, construct(vector('f32', 2), element(high, i), element(low, i))));
  return {
    name: `to_pair${width === 1 ? '' : width}`,
    params: [{ name: 'x', type: x.type }],
    result: vector('u32', width),
    body: [letOf('high', select(less(same('abs', x), splat(f32(LEAST_HIGH), width)), splat(f32(0), width), highPart(x))), letOf('low', mul(sub(x, high), f32(LOW_SCALE))), { kind: 'return', value: width === 1 ? words[0] : construct(vector('u32', width), ...words) }],
  };
};

const fromPair = (width: Width): WgslFunction => {
  const x = ref('x', vector('u32', width));
  const parts = Array.from({ length: width }, (_, i) => ref(`p${i}`, vector('f32', 2)));
  const values = parts.map((p) => fma(element(p, 1), f32(1 / LOW_SCALE), element(p, 0)));
  return {
    name: `from_pair${width === 1 ? '' : width}`,
    params: [{ name: 'x', type: x.type }],
    result: vector('f32', width),
    body: [...parts.map((p, i) => letOf(`p${i}`, call('unpack2x16float', p.type, element(x, i)))), { kind: 'return', value: width === 1 ? values[0] : construct(vector('f32', width), ...values) }],
  };
};

/** A value that WGSL has no literal for; a `var` keeps it from being a constant expression, where it is an error. */
const special = (name: string, bits: number) => (_: Width): WgslFunction => ({
  name,
  params: [],
  result: F32,
  body: [varOf('bits', U32, u32(bits)), { kind: 'return', value: bitcast(F32, ref('bits', U32)) }],
});

const HELPERS = {
  erf,
  sine: sinusoid('sine', 0),
  cosine: sinusoid('cosine', 1),
  power,
  floor_div: floored('floor_div', false),
  floor_mod: floored('floor_mod', true),
  to_pair: toPair,
  from_pair: fromPair,
  infinity: special('infinity', 0x7f800000),
  not_a_number: special('not_a_number', 0x7fc00000),
};

export type HelperName = keyof typeof HELPERS;

const WIDTHS: readonly Width[] = [1, 2, 3, 4];
/** Every helper at every width by its function's name. */
const FUNCTIONS: ReadonlyMap<string, WgslFunction> = new Map(Object.values(HELPERS).flatMap((make) => WIDTHS.map((w) => make(w))).map((f) => [f.name, f]));
export const HELPER_FUNCTION_NAMES = [...FUNCTIONS.keys()];

/** A call of the helper at the width of its arguments; `helpersOf` finds the definitions that a module then needs. */
export function helper(name: HelperName, ...args: WgslExpr[]): WgslExpr {
  const width = Math.max(1, ...args.map((a) => valueType(a).width)) as Width;
  const definition = HELPERS[name](width);
  return call(definition.name, definition.result, ...args.map((a) => splat(a, width)));
}

/** The helper functions that these statements call, and those that these call. */
export function helpersOf(body: readonly WgslStatement[]): WgslFunction[] {
  const needed = new Set<WgslFunction>();
  const visit = (statements: readonly WgslStatement[]): void =>
    walkModule({ body: statements, functions: [] }, {
      expr: (e) => {
        const found = e.kind === 'call' ? FUNCTIONS.get(e.name) : undefined;
        if (!found || needed.has(found)) return;
        needed.add(found);
        visit(found.body);
      },
    });
  visit(body);
  return [...needed];
}
