/** Small kernels that follow each other as one: what is joined, that it means the same, and what its code computes. */
import { describe, expect, it, test } from 'vitest';
import { compileGraph, packWeights } from '../src/compile.ts';
import { generateKernel } from '../src/codegen/generate.ts';
import type { Graph, NodeId } from '../src/graph.ts';
import { chainSplits, matchChain } from '../src/kernel-chain.ts';
import type { Program } from '../src/kernel.ts';
import { chainCalls, type ChainedProgram, type ChainOptions } from '../src/lower/chains.ts';
import { lower } from '../src/lower/lower.ts';
import type { Tensor } from '../src/ops/types.ts';
import { packTogether } from '../src/passes/pack-weights.ts';
import { splitStatic } from '../src/passes/static.ts';
import { evaluateGraph } from '../src/reference/graph.ts';
import { evaluateProgram } from '../src/reference/kernel.ts';
import { chainCandidates } from '../src/schedule/chain.ts';
import { plan } from '../src/schedule/plan.ts';
import { WEB, type Target } from '../src/targets.ts';
import { verifyProgram } from '../src/verify-kernel.ts';
import { interpretKernel } from './helpers/interpret-kernel.ts';
import { interpretPlan } from './helpers/interpret-plan.ts';
import { Sketch, valuesOf } from './helpers/patterns.ts';
import { randomBindings } from './helpers/random-graph.ts';
import { relativeError } from './helpers/run-plan.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';

/** Joins whatever can be: the longest from each kernel on. */
const GREEDY: ChainOptions = { maySuit: () => true, gain: (joined, parts) => (chainCandidates(joined, WEB).length > 0 ? parts.length ** 2 : 0), maxBuffers: 8, maxBytes: 2 ** 27 };

const graphOf = (build: (s: Sketch) => NodeId[]): Graph => {
  const sketch = new Sketch();
  return sketch.graph(...build(sketch));
};
const lowered = (graph: Graph): Program => lower(graph, { fuse: true, attention: () => false, target: WEB, storage: 'f32' });
const chained = (graph: Graph, options: Partial<ChainOptions> = {}): ChainedProgram => chainCalls(lowered(graph), { ...GREEDY, ...options });
const temps = ({ buffers }: Program): number => buffers.filter((b) => b.kind === 'temp').length;

describe('what is joined', () => {
  const perceptron = graphOf((s) => [s.linear(s.linear(s.input('x', [1, 6, 8]), 12), 5)]);

  it('two products are one kernel, whose middle is not stored and whose weights are packed', () => {
    const { program, packs } = chained(perceptron);
    expect(program.calls.map((c) => c.kernel.params.length)).toEqual([4]);
    expect(temps(program)).toBe(0);
    expect([...packs.values()].map((p) => p.length)).toEqual([2, 2]);
  });

  it('workgroups have rows of their own, where rows do not meet, or columns, or both, or there is one', () => {
    const { kernel } = chained(perceptron).program.calls[0];
    expect(chainSplits(kernel).map((split) => matchChain(kernel, split)!.groups)).toEqual([[], [6], [5], [6, 5]]);
  });

  it('a value that another kernel reads is stored as well', () => {
    const graph = graphOf((s) => {
      const middle = s.linear(s.input('x', [1, 6, 8]), 12);
      return [s.linear(middle, 5), middle];
    });
    const { program } = chained(graph);
    expect(program.calls).toHaveLength(1);
    expect(program.calls[0].kernel.stores).toHaveLength(2);
  });

  it('nothing that gains nothing, does not suit, or binds more or larger buffers than the target has', () => {
    for (const options of [{ gain: () => 0 }, { maySuit: () => false }, { maxBuffers: 3 }, { maxBytes: 4 * 12 * 8 }]) expect(chained(perceptron, options).program.calls).toHaveLength(2);
  });

  it('a division in which most is gained, though another begins better', () => {
    const graph = graphOf((s) => [[8, 9, 10, 11].reduce((x, width) => s.linear(x, width), s.input('x', [1, 6, 8]))]);
    const gains = [0, 0, 3, 4, 0];
    const sizes = (all: ChainedProgram): number[] => all.program.calls.map((c) => Number(/^chain(\d)/.exec(c.kernel.name)?.[1] ?? 1));
    expect(sizes(chained(graph, { gain: (_, parts) => gains[parts.length] }))).toEqual([2, 2]);
  });

  it('softmax of scores is computed once, not for every column of the values', () => {
    const graph = graphOf((s) => {
      const [q, k, v] = ['q', 'k', 'v'].map((name) => s.input(name, [1, 2, 6, 4]));
      return [s.einsum('b h q k, b h k d -> b h q d', s.softmax(s.einsum('b h q d, b h k d -> b h q k', q, k)), v)];
    });
    const program = lower(graph, { fuse: true, attention: () => true, target: WEB, storage: 'f32' });
    const { program: { calls: [{ kernel }] } } = chainCalls(program, GREEDY);
    const exponentials = kernel.stages.filter((s) => JSON.stringify(s.body).includes('"exp"'));
    expect(exponentials.map((s) => s.axes.map((a) => a.extent).join('x'))).toEqual(['6x2x6']);
  });

  it('predictions decide: a cascade of heads is joined, large products are not', () => {
    const sizes = (name: string): number[] => ['chains', ''].map((on) => compileGraph(tinyGraph(TINY.find((t) => t.name === name)!), { target: WEB, dtype: 'f32', chains: on !== '' }).value!.plan.steps.length);
    const [joined, apart] = sizes('EfficientViT');
    expect(joined).toBeLessThan(0.75 * apart);
    const wide = graphOf((s) => [s.linear(s.linear(s.input('x', [1, 256, 512]), 1024), 512)]);
    for (const [graph, target] of [[wide, WEB], [tinyGraph(TINY.find((t) => t.name === 'ViT')!), { ...WEB, software: true }]] as const) {
      expect(compileGraph(graph, { target, dtype: 'f32' }).value!.plan.kernels.map((k) => k.schedule.family)).not.toContain('chain');
    }
  });
});

describe('a chain', () => {
  const target: Target = { ...WEB, limits: { ...WEB.limits, maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 1024, maxComputeWorkgroupSizeX: 1024 } };
  const families = TINY.filter((t) => ['MobileViTv2', 'Swin', 'ViT', 'Whisper'].includes(t.name));

  test.each(families.map((t) => [t.name, t] as const))('of %s means what its kernels do', (_, tiny) => {
    const { main, weights } = splitStatic(tinyGraph(tiny, 2));
    const program = lowered(main);
    const { program: joined, packs } = chainCalls(program, GREEDY);
    expect(joined.calls.length).toBeLessThan(program.calls.length);
    expect(verifyProgram(joined, 8)).toEqual([]);
    const { inputs, params } = randomBindings(tinyGraph(tiny, 2));
    const weightsOf = (graph: Graph): ((name: string) => Tensor) => {
      const values = evaluateGraph(graph, { inputs: {}, params }, { precision: 'f64' });
      return (name) => values[name];
    };
    const want = evaluateProgram(program, { inputs, weights: weightsOf(weights) }, { precision: 'f64' });
    const bindings = { inputs, weights: weightsOf(packTogether(weights, packs)) };
    const got = evaluateProgram(joined, bindings, { precision: 'f64' });
    for (const [name, tensor] of Object.entries(want)) expect(relativeError(got[name], tensor), name).toBeLessThan(1e-9);
    // The larger ones are executed by random programs, and on devices.
    if (tiny.name !== 'ViT' && tiny.name !== 'Whisper') return;
    for (const { kernel } of joined.calls) {
      for (const schedule of chainCandidates(kernel, target).filter((_, i) => i % 3 === 0)) {
        // Fails where threads read what others write between two barriers.
        const code = generateKernel({ kernel, spaces: kernel.params.map(() => 'arena'), schedule }, target);
        interpretKernel(code, new Map(code.module.bindings.map((b) => [b.name, b.storage === 'i32' ? new Int32Array(b.elements) : new Float32Array(b.elements)])));
      }
    }
  });

  it('computes what it means, in other orders too', () => {
    const graph = graphOf((s) => {
      const [x, y] = [s.input('x', [2, 6, 8]), s.input('y', [2, 6, 12])];
      const product = s.binary('mul', s.linear(x, 12), y);
      return [s.softmax(s.linear(s.layerNorm(product), 7))];
    });
    const program = lowered(graph);
    const want = evaluateProgram(program, { inputs: { x: valuesOf('x', [2, 6, 8], 'f32'), y: valuesOf('y', [2, 6, 12], 'f32') }, weights: (name, shape) => valuesOf(name, shape, 'f32') }, { precision: 'f64' });
    const { program: joined, packs } = chainCalls(program, GREEDY);
    const shapes = new Map(program.buffers.map((b) => [b.name, b.shape]));
    const weights = (name: string, shape: readonly number[]): Tensor => {
      const parts = packs.get(name)?.flatMap((part) => [...valuesOf(part, shapes.get(part)!, 'f32').data]);
      return parts ? { shape, dtype: 'f32', data: Float64Array.from(parts) } : valuesOf(name, shape, 'f32');
    };
    for (let i = 0; i < 6; i++) {
      const { value } = plan(joined, target, { schedule: (kernel) => { const all = chainCandidates(kernel, target); return all[i % Math.max(1, all.length)]; } });
      const got = interpretPlan(value!, { inputs: { x: valuesOf('x', [2, 6, 8], 'f32'), y: valuesOf('y', [2, 6, 12], 'f32') }, weights });
      for (const [name, tensor] of Object.entries(want)) expect(relativeError(got[name], tensor), `${i}: ${name}`).toBeLessThan(1e-5);
    }
  });

  it('finds its weights packed as they were', () => {
    const compilation = compileGraph(tinyGraph(TINY.find((t) => t.name === 'EfficientViT')!), { target: WEB, dtype: 'f32' }).value!;
    const packed = compilation.plan.buffers.filter((b) => b.buffer.name.endsWith('~packed'));
    expect(packed.length).toBeGreaterThan(0);
    expect(packWeights(compilation, (_, shape) => new Float32Array(shape.reduce((a, b) => a * b, 1))).map((s) => s.length)).toEqual(compilation.plan.weightShards);
  });
});
