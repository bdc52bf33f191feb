/** A golden of the disk: NAME.json, with NAME.safetensors beside it. */
import { error } from '../diagnostics.ts';
import type { ParamReader } from '../compile.ts';
import { formatType, sameShape, sizeOf, type Graph, type Shape } from '../graph.ts';
import type { Tensor } from '../ops/types.ts';
import { goldenWeight, readGolden, type Golden } from '../weights/golden.ts';
import { WeightsError } from '../weights/safetensors.ts';
import { CliError } from './errors.ts';
import { openSafetensors, readText } from './files.ts';

export interface OpenGolden {
  readonly golden: Golden;
  /** An output's values by its name. */
  readonly output: (name: string) => Float32Array;
  /** The parameters' values: seeded, or as the golden saved them. */
  readonly weights: ParamReader;
  /** The free dimension B: the first axis of the first input. */
  readonly batch: number;
}

/** Reads `path`, NAME.json; E0803 where it is none. */
export function openGolden(path: string): OpenGolden {
  const golden = goldenOf(path);
  const saved = openSafetensors(path.replace(/\.json$/, '') + '.safetensors');
  const fail = (what: string): never => {
    throw new CliError(error('E0803', `${path}: ${what}`));
  };
  const held = (key: string, shape: Shape, what: string): void => {
    const stored = saved.shapes.get(key) ?? fail(`${what} is not in ${saved.label}`);
    if (sizeOf(stored) !== sizeOf(shape)) fail(`${what} is [${shape.join(', ')}], and [${stored.join(', ')}] in ${saved.label}`);
  };
  for (const [name, shape] of golden.outputs) held(name, shape, `output ${name}`);
  for (const name of golden.overridden) held(`weights:${name}`, golden.parameters.get(name) ?? fail(`"overridden" names ${name}, which is no parameter`), `parameter ${name}`);
  const read = (key: string): Float32Array => Float32Array.from(saved.read(key));
  return {
    golden,
    output: read,
    weights: (name, shape) => goldenWeight(golden, name, shape, read),
    batch: [...golden.inputs.values()][0]?.shape[0] ?? 1,
  };
}

function goldenOf(path: string): Golden {
  try {
    return readGolden(readText(path), path);
  } catch (cause) {
    if (cause instanceof WeightsError) throw new CliError(error('E0803', cause.message));
    throw cause;
  }
}

/** The golden's inputs as this model takes them; E0804 where they do not fit. */
export function inputsFor(graph: Graph, golden: Golden): Record<string, Tensor> {
  const notes: string[] = [];
  const inputs: Record<string, Tensor> = {};
  for (const { name, node } of graph.inputs) {
    const input = golden.inputs.get(name);
    const wanted = graph.nodes[node];
    if (!input) notes.push(`input ${name} is not in the golden`);
    else if (!sameShape(input.shape, wanted.shape) || input.dtype !== wanted.dtype) notes.push(`input ${name} is ${formatType(wanted)} in the model, ${formatType(input)} in the golden`);
    else inputs[name] = { ...input };
  }
  if (notes.length > 0) throw new CliError(error('E0804', `${graph.name} does not take the inputs of the golden ${golden.name}`, undefined, { notes }));
  return inputs;
}
