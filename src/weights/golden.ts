/**
 * Goldens: what a reference implementation computes for seeded weights and inputs, and how far from it an output is.
 */
import { sizeOf, type DType, type Shape } from '../graph.ts';
import { WeightsError } from './safetensors.ts';
import { seededIndices, seededInput, seededWeight } from './seeded.ts';

export interface GoldenTrace {
  readonly shape: Shape;
  readonly mean: number;
  readonly std: number;
  readonly first: readonly number[];
}

export interface Golden {
  readonly name: string;
  readonly source: string;
  readonly seed: number;
  readonly inputs: ReadonlyMap<string, GoldenInput>;
  readonly outputs: ReadonlyMap<string, Shape>;
  readonly parameters: ReadonlyMap<string, Shape>;
  /** The name whose seed a tied parameter uses. */
  readonly seedName: ReadonlyMap<string, string>;
  /** Names that the golden's safetensors holds as `weights:NAME`. */
  readonly overridden: ReadonlySet<string>;
  readonly trace: ReadonlyMap<string, GoldenTrace>;
}

export interface GoldenInput {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: Float32Array | Int32Array;
}

type Json = Record<string, unknown>;

/** Of all inputs; a batch of pictures has a few million. */
const MAX_ELEMENTS = 2 ** 24;

/** Reads a golden's JSON; a WeightsError names what is wrong with it. */
export function readGolden(text: string, file: string): Golden {
  const fail = (what: string): never => {
    throw new WeightsError(`${file}: ${what}`);
  };
  const object = (value: unknown, what: string): Json =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : fail(`${what} is no object`);
  const shape = (value: unknown, what: string): number[] =>
    Array.isArray(value) && value.length <= 16 && value.every((d) => Number.isSafeInteger(d) && d > 0) ? value : fail(`${what} has no valid shape`);
  const names = (value: unknown, what: string): string[] =>
    Array.isArray(value) && value.every((v) => typeof v === 'string') ? value : fail(`${what} is no list of names`);

  const traceOf = ({ shape: dims, mean, std, first }: Json, name: string): GoldenTrace =>
    [mean, std].every((v) => typeof v === 'number') && Array.isArray(first) && first.every((v) => typeof v === 'number')
      ? { shape: shape(dims, `trace ${name}`), mean: mean as number, std: std as number, first: first as number[] }
      : fail(`trace ${name} has no mean, std and first values`);

  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return fail('no JSON');
  }
  const json = object(parsed, 'the golden');
  if (typeof json.name !== 'string') fail('"name" is no string');
  const seed = json.seed ?? 1;
  if (!Number.isSafeInteger(seed)) fail('"seed" is no integer');

  const inputs = new Map<string, GoldenInput>();
  let elements = 0;
  for (const [name, value] of Object.entries(object(json.inputs, '"inputs"'))) {
    const input = object(value, `input ${name}`);
    const dims = shape(input.shape, `input ${name}`);
    if ((elements += sizeOf(dims)) > MAX_ELEMENTS) fail(`its inputs have more than ${MAX_ELEMENTS} elements`);
    if (input.dtype === 'f32') inputs.set(name, { dtype: 'f32', shape: dims, data: seededInput(name, dims, seed as number) });
    else if (input.dtype === 'i32') inputs.set(name, { dtype: 'i32', shape: dims, data: integers(name, input, dims, seed as number) ?? fail(`input ${name} has neither values nor a rule that is known`) });
    else fail(`input ${name} has the unknown dtype ${JSON.stringify(input.dtype)}`);
  }
  const outputs = new Map(Object.entries(object(json.outputs, '"outputs"')).map(([name, dims]) => [name, shape(dims, `output ${name}`)]));
  if (!Array.isArray(json.parameters)) fail('"parameters" is no list');
  const parameters = new Map<string, Shape>();
  for (const entry of json.parameters as unknown[]) {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string' || !Array.isArray(entry[1])) return fail('"parameters" holds something other than [name, shape]');
    parameters.set(entry[0], entry[1].length === 0 ? [] : shape(entry[1], `parameter ${entry[0]}`));
  }
  const seedName = new Map<string, string>();
  for (const group of Array.isArray(json.tied) ? json.tied : []) for (const name of names(group, '"tied"')) seedName.set(name, (group as string[])[0]);
  const trace = new Map<string, GoldenTrace>();
  for (const [name, value] of Object.entries(object(json.trace ?? {}, '"trace"'))) trace.set(name, traceOf(object(value, `trace ${name}`), name));
  return {
    name: json.name as string,
    source: typeof json.source === 'string' ? json.source : '',
    seed: seed as number,
    inputs,
    outputs,
    parameters,
    seedName,
    overridden: new Set(names(json.overridden ?? [], '"overridden"')),
    trace,
  };
}

function integers(name: string, input: Json, shape: Shape, seed: number): Int32Array | undefined {
  if (Array.isArray(input.values)) {
    const flat = (input.values as unknown[]).flat(Infinity);
    return flat.length === sizeOf(shape) && flat.every((v) => Number.isSafeInteger(v)) ? Int32Array.from(flat as number[]) : undefined;
  }
  const rule = typeof input.rule === 'string' ? /^floor\(\(v \+ 1\) \/ 2 \* (\d+)\)$/.exec(input.rule) : null;
  return rule ? seededIndices(name, shape, Number(rule[1]), seed) : undefined;
}

/** A golden's value of a parameter: the saved statistics where it has them, else seeded. */
export function goldenWeight(golden: Golden, name: string, shape: Shape, saved: (key: string) => Float32Array): Float32Array {
  if (golden.overridden.has(name)) return saved(`weights:${name}`);
  return seededWeight(golden.seedName.get(name) ?? name, shape, golden.seed);
}

export interface Difference {
  /** ‖ours − golden‖ / ‖golden‖ over the whole tensor. */
  readonly relative: number;
  /** The largest absolute difference over the golden's standard deviation. */
  readonly maxOverStd: number;
}

export function difference(ours: ArrayLike<number>, golden: ArrayLike<number>): Difference {
  if (ours.length !== golden.length) throw new Error(`bug: comparing ${ours.length} values with ${golden.length}`);
  let square = 0;
  let norm = 0;
  let sum = 0;
  let largest = 0;
  for (let i = 0; i < golden.length; i++) {
    const d = ours[i] - golden[i];
    square += d * d;
    norm += golden[i] * golden[i];
    sum += golden[i];
    // NaN must not hide in a maximum.
    if (!(Math.abs(d) <= largest)) largest = Math.abs(d);
  }
  const mean = sum / golden.length;
  let variance = 0;
  for (let i = 0; i < golden.length; i++) variance += (golden[i] - mean) ** 2;
  // One value has no spread; its size stands for it.
  const std = golden.length > 1 ? Math.sqrt(variance / (golden.length - 1)) : Math.abs(golden[0]);
  const ratio = (x: number, y: number) => (x === 0 ? 0 : x / y);
  return { relative: ratio(Math.sqrt(square), Math.sqrt(norm)), maxOverStd: ratio(largest, std) };
}

export interface Tolerance {
  readonly relative: number;
  readonly maxOverStd: number;
}

/** f32 kernels, and f16 storage with f32 accumulation. */
export const TOLERANCES: Record<'f32' | 'f16', Tolerance> = {
  f32: { relative: 1e-5, maxOverStd: 1e-4 },
  f16: { relative: 1e-2, maxOverStd: 5e-2 },
};

export function within(d: Difference, tolerance: Tolerance): boolean {
  return d.relative <= tolerance.relative && d.maxOverStd <= tolerance.maxOverStd;
}

/**
 * Some goldens keep every k-th entry of a large axis. Picks those of ours: golden extent m of our n means k with
 * ceil(n / k) = m. Undefined where the shapes cannot agree so.
 */
export function subsample(values: ArrayLike<number>, shape: Shape, golden: Shape): { values: Float32Array; strides: number[] } | undefined {
  if (shape.length !== golden.length) return undefined;
  const strides = shape.map((n, axis) => (n === golden[axis] ? 1 : Math.ceil(n / golden[axis])));
  if (!shape.every((n, axis) => Math.ceil(n / strides[axis]) === golden[axis])) return undefined;
  const out = new Float32Array(sizeOf(golden));
  const at = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < out.length; i++) {
    let from = 0;
    for (let axis = 0; axis < at.length; axis++) from = from * shape[axis] + at[axis] * strides[axis];
    out[i] = values[from];
    for (let axis = at.length - 1; axis >= 0 && ++at[axis] === golden[axis]; axis--) at[axis] = 0;
  }
  return { values: out, strides };
}
