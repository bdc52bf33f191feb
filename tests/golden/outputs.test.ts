/**
 * The language's meaning against the reference implementations: small presets, evaluated in double precision as they are
 * elaborated. Goldens are rounded to f32, so that what is left is that rounding.
 */
import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../src/graph.ts';
import { evaluateGraph } from '../../src/reference/graph.ts';
import { compareTrace, formatModule, summarize, type Summary } from '../../src/reference/trace.ts';
import { difference, goldenWeight } from '../../src/weights/golden.ts';
import { batchOf, goldenNames, goldenTensors, loadGolden, presetGraph, presetOf } from '../helpers/zoo.ts';

/** The cheapest of each kind: cascaded attention and batch norm, packing, channel attention. All but the last need ../shared/golden. */
const names = ['efficientvit_m0', 'navit_tiny', 'xcit_nano_12_p16_224'].filter((n) => goldenNames().includes(n));

describe('outputs and every module equal the goldens\'', () => {
  test.each(names)('%s', (name) => {
    const golden = loadGolden(name);
    const saved = goldenTensors(name);
    const graph = presetGraph(presetOf(name), batchOf(golden));
    const inputs = Object.fromEntries([...golden.inputs].map(([key, input]) => [key, { ...input }]));
    const summaries = new Map<NodeId, Summary>();
    const outputs = evaluateGraph(
      graph,
      { inputs, params: (key, shape) => ({ shape, dtype: 'f32', data: goldenWeight(golden, key, shape, saved) }) },
      { precision: 'f64', onNode: (node, tensor) => node.dtype === 'f32' && summaries.set(node.id, summarize(tensor)) },
    );
    const { modules, firstDifferent } = compareTrace(graph, summaries, golden.trace);
    expect(firstDifferent && formatModule(firstDifferent)).toBeUndefined();
    expect(modules.length).toBeGreaterThan(10);
    for (const key of golden.outputs.keys()) {
      expect(outputs[key].shape).toEqual(golden.outputs.get(key));
      expect(difference(outputs[key].data, saved(key)).relative, key).toBeLessThan(1e-7);
    }
  });
});
