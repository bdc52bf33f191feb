/** Passes on graph text: each file holds graphs and what its pass makes of them, and the meaning stays the same. */
import { expect, test } from 'vitest';
import type { Graph } from '../src/graph.ts';
import { GraphBuilder } from '../src/graph-builder.ts';
import { printGraph, readGraph } from '../src/graph-text.ts';
import { mergeEqualNodes } from '../src/passes/cse.ts';
import { removeDeadNodes } from '../src/passes/dce.ts';
import { foldAffine } from '../src/passes/fold-affine.ts';
import { GRAPH_PASSES, runPasses } from '../src/passes/pipeline.ts';
import type { PassTiming } from '../src/passes/pipeline.ts';
import { simplify } from '../src/passes/simplify.ts';
import { splitStatic } from '../src/passes/static.ts';
import { verifyGraph } from '../src/verify.ts';
import { differences, evaluateSeeded } from './helpers/compare.ts';
import { randomGraph } from './helpers/random-graph.ts';
import { textTests } from './helpers/text-tests.ts';

const tidy = (graph: Graph): Graph => removeDeadNodes(mergeEqualNodes(simplify(graph)));

/** By the name in a file's first line. What a pass leaves dead is removed, so that the text shows what matters. */
const PASSES: Record<string, (graph: Graph) => Graph[]> = {
  simplify: (graph) => [removeDeadNodes(simplify(graph))],
  cse: (graph) => [mergeEqualNodes(graph)],
  dce: (graph) => [removeDeadNodes(graph)],
  'fold-affine': (graph) => [tidy(foldAffine(graph))],
  'split-static': (graph) => {
    const { main, weights } = splitStatic(graph);
    return [main, weights];
  },
  all: (graph) => [runPasses(graph, { verify: true })],
};

textTests({
  folder: 'passes',
  extension: '.graph',
  comment: '#',
  run: ([source]) => {
    const name = /^# pass: (\S+)/.exec(source.text)?.[1] ?? '';
    const pass = PASSES[name];
    if (!pass) throw new Error(`${source.path} names no pass in its first line`);
    // Statements begin with `graph`; what stands before the first one is about the file.
    return source.text.split(/^(?=graph )/m).slice(1).map((text) => after(text, pass)).join('\n');
  },
});

function after(text: string, pass: (graph: Graph) => Graph[]): string {
  const { value: graph, errors } = readGraph(text);
  if (!graph) return errors.map((e) => `line ${e.line}: ${e.message}\n`).join('');
  const [main, weights] = pass(graph);
  const before = evaluateSeeded(graph);
  const now = weights ? evaluateSeeded(main, evaluateSeeded(weights)) : evaluateSeeded(main);
  const wrong = [...verifyGraph(main), ...(weights ? verifyGraph(weights) : []), ...differences(before, now)];
  if (wrong.length > 0) return `${wrong.join('\n')}\n`;
  return printGraph(main) + (weights ? printGraph({ ...weights, name: `${weights.name}.weights` }) : '');
}

test('the runner dumps, times and verifies', () => {
  const graph = randomGraph(2);
  const dumped: string[] = [];
  const timings: PassTiming[] = [];
  runPasses(graph, { dumpAfter: 'cse', onDump: (name, g) => dumped.push(`${name} ${verifyGraph(g).length}`), timings });
  expect(dumped).toEqual(['cse 0', 'cse 0']);
  expect(timings.map((t) => t.name)).toEqual(GRAPH_PASSES.map((p) => p.name));
  const breaking = { name: 'breaking', run: (g: Graph): Graph => ({ ...g, outputs: [{ name: 'x', node: 10_000, attributes: [] }] }) };
  expect(() => runPasses(graph, { passes: [breaking], verify: true })).toThrow('bug: after breaking: output');
});

/** Blocks of norm, linear, activation and residual. */
function deep(blocks: number): Graph {
  const builder = new GraphBuilder();
  const at = (i: number): { scope: string; block: string } => ({ scope: `blocks.${i}`, block: 'Block' });
  let x = builder.push('input', [], { name: 'x', shape: [1, 4, 8], dtype: 'f32' }, at(0));
  const input = x;
  for (let i = 0; i < blocks; i++) {
    const op = ((name, args, attrs) => builder.push(name, args, attrs, at(i))) as <K extends Parameters<GraphBuilder['push']>[0]>(name: K, args: number[], attrs: never) => number;
    const side = (name: string): number => op('broadcast', [op('param', [], { name: `blocks.${i}.${name}`, shape: [8], dtype: 'f32', buffer: false } as never)], { shape: [1, 4, 8] } as never);
    const normed = op('add', [op('mul', [x, side('g')], {} as never), side('b')], {} as never);
    const w = op('param', [], { name: `blocks.${i}.w`, shape: [8, 8], dtype: 'f32', buffer: false } as never);
    const y = op('einsum', [normed, w], { left: ['b', 'n', 'i'], right: ['o', 'i'], out: ['b', 'n', 'o'] } as never);
    x = op('add', [x, op('tanh', [op('add', [y, side('bias')], {} as never)], {} as never)], {} as never);
  }
  return builder.finish({ name: 'deep', inputs: [{ name: 'x', node: input }], outputs: [{ name: 'y', node: x, attributes: [] }], weightRules: [] });
}

test('a model four times as deep takes about four times as long', () => {
  const time = (blocks: number): number => {
    const graph = deep(blocks);
    const start = performance.now();
    splitStatic(runPasses(graph));
    return performance.now() - start;
  };
  time(500);
  const least = (blocks: number): number => Math.min(time(blocks), time(blocks), time(blocks));
  expect(least(2000) / least(500)).toBeLessThan(12);
});
