/**
 * Multiply-adds of a model from its golden alone: shapes of parameters and of what the reference's layers give. Every
 * weight of a matrix or convolution is used once an output position of its layer; attention multiplies queries by keys and
 * weights by values, each over every pair of a sequence's tokens. Shares no code with the compiler.
 */
export interface GoldenShapes {
  readonly parameters: readonly (readonly [name: string, shape: readonly number[]])[];
  readonly trace: Readonly<Record<string, { readonly shape: readonly number[] }>>;
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** What a layer gives: its own trace, or where that was not taken, that of the nearest layer around it. */
function outputOf(layer: string, trace: GoldenShapes['trace']): readonly number[] {
  for (let name = layer; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) if (trace[name]) return trace[name].shape;
  throw new Error(`no trace of ${layer} or around it`);
}

export function goldenMultiplyAdds({ parameters, trace }: GoldenShapes): number {
  const shapes = new Map(parameters);
  let total = 0;
  for (const [name, shape] of parameters) {
    if (!name.endsWith('.weight') || (shape.length !== 2 && shape.length !== 4)) continue;
    const layer = name.slice(0, -'.weight'.length);
    const output = outputOf(layer, trace);
    // A convolution's output is [batch, channels, height, width]; a linear layer's ends in the channels.
    const positions = shape.length === 4 ? output[0] * output[2] * output[3] : product(output.slice(0, -1));
    total += product(shape) * positions;
    if (!layer.endsWith('.qkv')) continue;
    const [table] = shapes.get(layer.replace(/qkv$/, 'relative_position_bias_table')) ?? [];
    // A table of biases has a row for every offset within a window, (2 w - 1) squared.
    const tokens = table === undefined ? output.at(-2)! : ((Math.sqrt(table) + 1) / 2) ** 2;
    total += 2 * positions * tokens * (shape[0] / 3);
  }
  return total;
}
