/** Every pass keeps the meaning of random graphs, as the evaluator in double precision defines it. */
import { describe, expect, test } from 'vitest';
import type { Graph } from '../src/graph.ts';
import { printGraph, readGraph } from '../src/graph-text.ts';
import { OP_NAMES } from '../src/ops.ts';
import { mergeEqualNodes } from '../src/passes/cse.ts';
import { removeDeadNodes } from '../src/passes/dce.ts';
import { foldAffine } from '../src/passes/fold-affine.ts';
import { runPasses } from '../src/passes/pipeline.ts';
import { simplify } from '../src/passes/simplify.ts';
import { staticNodes } from '../src/passes/static-nodes.ts';
import { splitStatic } from '../src/passes/static.ts';
import { verifyGraph } from '../src/verify.ts';
import { differences, evaluateSeeded } from './helpers/compare.ts';
import { randomGraph } from './helpers/random-graph.ts';

const SEEDS = Array.from({ length: Number(process.env.SEEDS ?? 120) }, (_, i) => i + Number(process.env.FIRST_SEED ?? 0));

test('the generator makes every operation', () => {
  const made = new Set(SEEDS.flatMap((seed) => randomGraph(seed).nodes.map((n) => n.op)));
  expect(OP_NAMES.filter((op) => !made.has(op))).toEqual([]);
});

describe.each<{ name: string; run: (graph: Graph) => Graph }>([
  { name: 'simplify', run: simplify },
  { name: 'cse', run: mergeEqualNodes },
  { name: 'dce', run: removeDeadNodes },
  { name: 'fold-affine', run: foldAffine },
  { name: 'all passes', run: (graph) => runPasses(graph, { verify: true }) },
])('$name', ({ run }) => {
  test('keeps meaning', () => {
    for (const seed of SEEDS) {
      const graph = randomGraph(seed);
      const after = run(graph);
      expect(verifyGraph(after), `seed ${seed}`).toEqual([]);
      expect(differences(evaluateSeeded(graph), evaluateSeeded(after)), `seed ${seed}`).toEqual([]);
    }
  });
});

test('a second run leaves no more to compute at run time', () => {
  const dynamic = (graph: Graph): number => graph.nodes.length - staticNodes(graph).reduce((n, known) => n + known, 0);
  for (const seed of SEEDS) {
    const once = runPasses(randomGraph(seed));
    expect(dynamic(runPasses(once)), `seed ${seed}`).toBeLessThanOrEqual(dynamic(once));
  }
});

test('split-static keeps meaning', () => {
  for (const seed of SEEDS) {
    const graph = runPasses(randomGraph(seed));
    const { main, weights } = splitStatic(graph);
    expect([...verifyGraph(main), ...verifyGraph(weights)], `seed ${seed}`).toEqual([]);
    expect(weights.outputs.map((o) => o.name).sort()).toEqual(main.nodes.flatMap((n) => (n.op === 'param' ? [n.attrs.name] : [])).sort());
    expect(differences(evaluateSeeded(graph), evaluateSeeded(main, evaluateSeeded(weights))), `seed ${seed}`).toEqual([]);
  }
});

test('split-static leaves nothing more to store', () => {
  for (const seed of SEEDS) {
    const { main } = splitStatic(runPasses(randomGraph(seed)));
    const again = splitStatic(main).weights;
    expect(again.nodes.filter((n) => n.op !== 'param').map((n) => n.op), `seed ${seed}`).toEqual([]);
  }
});

test('text reads back the same', () => {
  for (const seed of SEEDS.slice(0, 100)) {
    for (const graph of [randomGraph(seed), runPasses(randomGraph(seed))]) {
      const { value, errors } = readGraph(printGraph(graph));
      expect(errors, `seed ${seed}`).toEqual([]);
      expect(value).toEqual(graph);
    }
  }
});
