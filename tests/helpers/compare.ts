/** Comparing what graphs mean, as the evaluator in double precision defines it. */
import type { Graph } from '../../src/graph.ts';
import type { Tensor } from '../../src/ops/types.ts';
import { evaluateGraph } from '../../src/reference/graph.ts';
import { randomBindings } from './random-graph.ts';

/** A graph's outputs for seeded inputs and parameters, or for these parameters. */
export function evaluateSeeded(graph: Graph, params?: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const bindings = randomBindings(graph);
  return evaluateGraph(graph, { inputs: bindings.inputs, params: params ? (name) => params[name] : bindings.params }, { precision: 'f64' });
}

/** The largest difference over the largest magnitude; NaN and infinities must stand in the same places. */
export function difference(a: Tensor, b: Tensor): number {
  if (a.shape.join() !== b.shape.join() || a.dtype !== b.dtype) return Infinity;
  let most = 0;
  let magnitude = 1e-3;
  for (let i = 0; i < a.data.length; i++) {
    if (Object.is(a.data[i], b.data[i])) continue;
    most = Math.max(most, Math.abs(a.data[i] - b.data[i]));
    magnitude = Math.max(magnitude, Math.abs(a.data[i]));
  }
  return most / magnitude;
}

/** What of the outputs is not the same, as facts. */
export function differences(want: Readonly<Record<string, Tensor>>, got: Readonly<Record<string, Tensor>>): string[] {
  if (Object.keys(want).join() !== Object.keys(got).join()) return [`outputs ${Object.keys(want).join()} are now ${Object.keys(got).join()}`];
  return Object.keys(want).flatMap((name) => {
    const by = difference(want[name], got[name]);
    return by < 1e-9 ? [] : [`${name} differs by ${by}`];
  });
}
