/**
 * Which checkpoint tensors a model's parameters come from: their own names first, then the model's weight rules.
 * Everything that does not fit is listed at once: missing, unexpected, of another shape.
 */
import { sizeOf, type Shape, type WeightRule, type WeightSource } from '../graph.ts';
import { closest } from './closest.ts';

/** Tensors by name; `read` gives f32 values (integers as i32), row-major. */
export interface Checkpoint {
  readonly label: string;
  readonly shapes: ReadonlyMap<string, Shape>;
  read(name: string): Float32Array | Int32Array;
}

export interface Parameter {
  readonly name: string;
  readonly shape: Shape;
}

export interface WeightProblem {
  readonly kind: 'missing' | 'unexpected' | 'shape';
  readonly name: string;
  readonly message: string;
}

export interface ResolvedWeights {
  readonly problems: readonly WeightProblem[];
  /** Values of a parameter that resolved; f32. */
  read(name: string): Float32Array;
}

/** Statistics that frameworks keep beside the parameters and no forward pass reads. */
const NEVER_READ = /(^|\.)num_batches_tracked$/;

export function resolveWeights(parameters: readonly Parameter[], rules: readonly WeightRule[], checkpoint: Checkpoint): ResolvedWeights {
  const problems: WeightProblem[] = [];
  const sources = new Map<string, WeightSource>();
  const used = new Set<string>();
  for (const { name, shape } of parameters) {
    const source = sourceOf(name, rules, checkpoint);
    for (const tensor of tensorsOf(source)) used.add(tensor);
    const missing = tensorsOf(source).filter((t) => !checkpoint.shapes.has(t));
    if (missing.length > 0) {
      const near = closest(missing[0], [...checkpoint.shapes.keys()]);
      const from = missing[0] === name ? '' : ` (looked for ${missing.join(', ')})`;
      problems.push({ kind: 'missing', name, message: `missing: ${name} [${shape.join(', ')}]${from}${near ? `; the file has ${near}` : ''}` });
      continue;
    }
    const found = shapeOf(source, checkpoint);
    if (typeof found === 'string') problems.push({ kind: 'shape', name, message: `${name}: ${found}` });
    else if (!sameUpToOnes(found, shape))
      problems.push({ kind: 'shape', name, message: `shape: ${name} is [${shape.join(', ')}] in the model, [${found.join(', ')}] in the file` });
    else sources.set(name, source);
  }
  const ignored = rules.filter((r) => r.kind === 'ignore').map((r) => matcherOf(r.pattern));
  for (const [name, shape] of checkpoint.shapes)
    if (!used.has(name) && !NEVER_READ.test(name) && !ignored.some((m) => m(name)))
      problems.push({ kind: 'unexpected', name, message: `unexpected: ${name} [${shape.join(', ')}]` });
  return {
    problems,
    read(name) {
      const source = sources.get(name);
      if (!source) throw new Error(`bug: parameter ${name} was not resolved`);
      return evaluate(source, checkpoint).data;
    },
  };
}

/** Files written by other tools squeeze or add axes of 1 at will; the order of values is the same. */
function sameUpToOnes(a: Shape, b: Shape): boolean {
  const strip = (s: Shape) => s.filter((d) => d !== 1).join();
  return strip(a) === strip(b);
}

function sourceOf(name: string, rules: readonly WeightRule[], checkpoint: Checkpoint): WeightSource {
  if (checkpoint.shapes.has(name)) return { kind: 'tensor', name };
  let first: WeightSource | undefined;
  for (const rule of rules) {
    if (rule.kind !== 'map') continue;
    const holes = matcherOf(rule.pattern)(name);
    if (!holes) continue;
    const source = fill(rule.source, holes);
    first ??= source;
    // Several rules may serve one parameter, for checkpoints of several makes.
    if (tensorsOf(source).every((t) => checkpoint.shapes.has(t))) return source;
  }
  return first ?? { kind: 'tensor', name };
}

type Holes = ReadonlyMap<string, string>;
const matchers = new Map<string, (name: string) => Holes | undefined>();

/** `{i}` stands for one part without dots, `{rest...}` for any text. */
export function matcherOf(pattern: string): (name: string) => Holes | undefined {
  let matcher = matchers.get(pattern);
  if (!matcher) {
    const holes: string[] = [];
    const text = pattern.replace(/\{(\w+)(\.\.\.)?\}|[^{]+|\{/g, (part, hole: string | undefined, rest: string | undefined) => {
      if (hole === undefined) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      holes.push(hole);
      return rest ? '(.*)' : '([^.]*)';
    });
    const regex = new RegExp(`^${text}$`, 's');
    matcher = (name) => {
      const match = regex.exec(name);
      return match ? new Map(holes.map((hole, i) => [hole, match[i + 1]])) : undefined;
    };
    matchers.set(pattern, matcher);
  }
  return matcher;
}

function fill(source: WeightSource, holes: Holes): WeightSource {
  switch (source.kind) {
    case 'tensor':
      return { kind: 'tensor', name: source.name.replace(/\{(\w+)(?:\.\.\.)?\}/g, (text, hole: string) => holes.get(hole) ?? text) };
    case 'concat':
      return { ...source, of: source.of.map((s) => fill(s, holes)) };
    default:
      return { ...source, of: fill(source.of, holes) };
  }
}

function tensorsOf(source: WeightSource): string[] {
  if (source.kind === 'tensor') return [source.name];
  return source.kind === 'concat' ? source.of.flatMap(tensorsOf) : tensorsOf(source.of);
}

/** The shape that a source gives, or what is wrong with it. */
function shapeOf(source: WeightSource, checkpoint: Checkpoint): Shape | string {
  if (source.kind === 'tensor') return checkpoint.shapes.get(source.name)!;
  if (source.kind === 'concat') {
    const shapes: Shape[] = [];
    for (const part of source.of) {
      const shape = shapeOf(part, checkpoint);
      if (typeof shape === 'string') return shape;
      shapes.push(shape);
    }
    const { axis } = source;
    const fits = shapes.every((s) => s.length === shapes[0].length && axis < s.length && s.every((d, i) => i === axis || d === shapes[0][i]));
    if (!fits) return `cannot join [${shapes.map((s) => s.join(', ')).join('] and [')}] along axis ${axis}`;
    return shapes[0].map((d, i) => (i === axis ? shapes.reduce((sum, s) => sum + s[axis], 0) : d));
  }
  const of = shapeOf(source.of, checkpoint);
  if (typeof of === 'string') return of;
  switch (source.kind) {
    case 'transpose': {
      const order = source.permutation ?? of.map((_, i) => of.length - 1 - i);
      if (order.length !== of.length) return `cannot transpose [${of.join(', ')}] by ${order.length} axes`;
      return order.map((i) => of[i]);
    }
    case 'reshape':
      return sizeOf(of) === sizeOf(source.shape) ? source.shape : `cannot reshape [${of.join(', ')}] to [${source.shape.join(', ')}]`;
    case 'slice':
      if (source.axis >= of.length || source.start < 0 || source.end > of[source.axis] || source.start >= source.end)
        return `cannot take ${source.start} to ${source.end} of axis ${source.axis} of [${of.join(', ')}]`;
      return of.map((d, i) => (i === source.axis ? source.end - source.start : d));
    case 'scale':
      return of;
  }
}

interface Values {
  readonly shape: Shape;
  readonly data: Float32Array;
}

function evaluate(source: WeightSource, checkpoint: Checkpoint): Values {
  switch (source.kind) {
    case 'tensor': {
      const data = checkpoint.read(source.name);
      return { shape: checkpoint.shapes.get(source.name)!, data: data instanceof Float32Array ? data : Float32Array.from(data) };
    }
    case 'concat':
      return joinAlong(source.of.map((s) => evaluate(s, checkpoint)), source.axis);
    case 'transpose': {
      const of = evaluate(source.of, checkpoint);
      return permute(of, source.permutation ?? of.shape.map((_, i) => of.shape.length - 1 - i));
    }
    case 'reshape':
      return { shape: source.shape, data: evaluate(source.of, checkpoint).data };
    case 'slice': {
      const of = evaluate(source.of, checkpoint);
      const inner = sizeOf(of.shape.slice(source.axis + 1));
      const outer = sizeOf(of.shape.slice(0, source.axis));
      const extent = of.shape[source.axis];
      const kept = source.end - source.start;
      const data = new Float32Array(outer * kept * inner);
      for (let o = 0; o < outer; o++)
        data.set(of.data.subarray((o * extent + source.start) * inner, (o * extent + source.end) * inner), o * kept * inner);
      return { shape: of.shape.map((d, i) => (i === source.axis ? kept : d)), data };
    }
    case 'scale': {
      const of = evaluate(source.of, checkpoint);
      return { shape: of.shape, data: of.data.map((v) => v * source.by) };
    }
  }
}

function joinAlong(parts: readonly Values[], axis: number): Values {
  const shape = parts[0].shape.map((d, i) => (i === axis ? parts.reduce((sum, p) => sum + p.shape[axis], 0) : d));
  const outer = sizeOf(shape.slice(0, axis));
  const data = new Float32Array(sizeOf(shape));
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (const part of parts) {
      const run = part.data.length / outer;
      data.set(part.data.subarray(o * run, (o + 1) * run), at);
      at += run;
    }
  return { shape, data };
}

function permute(of: Values, order: readonly number[]): Values {
  const shape = order.map((i) => of.shape[i]);
  const strides = of.shape.map((_, i) => sizeOf(of.shape.slice(i + 1)));
  const data = new Float32Array(of.data.length);
  const at = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < data.length; i++) {
    let from = 0;
    for (let a = 0; a < at.length; a++) from += at[a] * strides[order[a]];
    data[i] = of.data[from];
    for (let a = at.length - 1; a >= 0 && ++at[a] === shape[a]; a--) at[a] = 0;
  }
  return { shape, data };
}
