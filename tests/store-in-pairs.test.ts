/** Operands of products in pairs: the graph means the same, bounds hold, and kernels of what is stored so are right. */
import { describe, expect, test } from 'vitest';
import { printModule } from '../src/codegen/wgsl-print.ts';
import { compileGraph, packWeights, type CompileOptions } from '../src/compile.ts';
import type { Graph, NodeId } from '../src/graph.ts';
import type { PrefersPairs } from '../src/lower/pairs.ts';
import { fromPair, toPair } from '../src/pair.ts';
import { runPasses } from '../src/passes/pipeline.ts';
import { splitStatic } from '../src/passes/static.ts';
import { storeInPairs } from '../src/passes/store-in-pairs.ts';
import { evaluateGraph } from '../src/reference/graph.ts';
import { withPairs } from '../src/schedule/pairs.ts';
import { WEB } from '../src/targets.ts';
import { verifyGraph } from '../src/verify.ts';
import { differences, evaluateSeeded } from './helpers/compare.ts';
import { testDevice } from './helpers/device.ts';
import { MATRIX_UNITS, validate } from './helpers/null-device.ts';
import { valuesOf } from './helpers/patterns.ts';
import { randomBindings, randomGraph } from './helpers/random-graph.ts';
import { relativeError, runPlan } from './helpers/run-plan.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';
import { presetGraph, presetOf } from './helpers/zoo.ts';

/** Operands in pairs wherever they can be. */
const ANY: PrefersPairs = (kernel) => withPairs(kernel)?.operands;

const everything = (graph: Graph): Set<NodeId> => new Set(graph.nodes.map((n) => n.id));

/** The paired graph of one whose every value may be in pairs, checked to mean the same. */
function paired(graph: Graph, what: string): ReturnType<typeof storeInPairs> {
  const split = splitStatic(runPasses(graph));
  const made = storeInPairs(split, everything(split.main));
  expect([...verifyGraph(made.main), ...verifyGraph(made.weights)], what).toEqual([]);
  expect(made.weights.outputs.map((o) => o.name).sort(), what).toEqual(made.main.nodes.flatMap((n) => (n.op === 'param' ? [n.attrs.name] : [])).sort());
  expect(differences(evaluateSeeded(graph), evaluateSeeded(made.main, evaluateSeeded(made.weights))), what).toEqual([]);
  return made;
}

/** The greatest magnitude of each value in pairs, for seeded inputs `by` times as large. */
function greatest({ main, weights, pairs }: ReturnType<typeof paired>, by: number): number[] {
  const params = evaluateSeeded(weights);
  const inputs = Object.fromEntries(Object.entries(randomBindings(main).inputs).map(([name, t]) => [name, t.dtype === 'f32' ? { ...t, data: t.data.map((v) => v * by) as Float64Array } : t]));
  const found: number[] = [];
  evaluateGraph(main, { inputs, params: (name) => params[name] }, { precision: 'f64', onNode: ({ id }, { data }) => { if (pairs.has(id)) found.push(Array.from(data).reduce((most, v) => Math.max(most, Math.abs(v)), 0)); } });
  return found;
}

/** Whose evaluation takes longest, for the networks before their transformers; only with VITC_TEST_ALL=1. */
const SLOW = ['DETR', 'ResNet'];

describe('the graph', () => {
  test('random graphs mean the same', () => {
    let count = 0;
    for (let seed = 0; seed < 150; seed++) count += paired(randomGraph(seed), `seed ${seed}`).pairs.size;
    expect(count).toBeGreaterThan(20);
  });

  test.each(TINY.filter((t) => process.env.VITC_TEST_ALL === '1' || !SLOW.includes(t.name)))('$name means the same, and its values in pairs fit f16 whatever the inputs', (tiny) => {
    const made = paired(tinyGraph(tiny), tiny.name);
    for (const by of [1, 1e6]) for (const most of greatest(made, by)) expect(most).toBeLessThanOrEqual(2 ** 15 * (1 + 1e-9));
    // Bounds are not so loose that nothing would be left of a value.
    for (const most of greatest(made, 1)) expect(most).toBeGreaterThan(2 ** -4);
    // Norms, attention, activations, and the weights that they meet.
    if (tiny.name === 'ViT') expect(made.pairs.size).toBeGreaterThanOrEqual(8);
  });
});

describe('what is stored so', () => {
  test.each([['vit_base_patch16_224', 48, 48], ['mixer_b16_224', 48, 48], ['efficientvit_m0', 0, 0]])('%s', async (preset, temps, weights) => {
    const { value, diagnostics } = compileGraph(presetGraph(presetOf(preset)), { target: MATRIX_UNITS, dtype: 'f32' });
    expect(diagnostics).toEqual([]);
    const { program, plan, kernels } = value!;
    const count = (kind: string): number => program.buffers.filter((b) => b.storage === 'pair' && b.kind === kind).length;
    expect([count('temp'), count('weight'), count('input'), count('output')]).toEqual([temps, weights, 0, 0]);
    // All that read pairs are products in matrix units, which are what pairs are for.
    for (const { kernel, schedule } of plan.kernels) if (kernel.params.some((p) => p.access === 'read' && p.storage === 'pair')) expect(schedule).toMatchObject({ family: 'subgroupMatrix', split: true });
    for (const [i, { kernel }] of plan.kernels.entries()) if (kernel.params.some((p) => p.storage === 'pair')) expect(await validate(printModule(kernels[i].module)), kernel.name).toEqual([]);
  });

  const stored = (options: Partial<CompileOptions>): Set<string> =>
    new Set(compileGraph(presetGraph(presetOf('mixer_b16_224')), { target: MATRIX_UNITS, dtype: 'f32', ...options }).value!.program.buffers.map((b) => b.storage));

  test.each<[where: string, options: Partial<CompileOptions>]>([
    ['there are no matrix units', { target: WEB }],
    ['matrix units take no f16', { target: { ...MATRIX_UNITS, subgroupMatrix: [{ M: 16, N: 16, K: 16, componentType: 'f32', resultComponentType: 'f32' }] } }],
    ['halves are asked for', { dtype: 'f16' }],
    ['operations are apart', { fuse: false }],
    ['no product is said to prefer it', { prefersPairs: () => undefined }],
    ['every product is, of halves', { dtype: 'f16', prefersPairs: ({ params }) => params.map((p) => p.name) }],
    ['every product is, with operations apart', { fuse: false, prefersPairs: ANY }],
  ])('nothing where %s', (_, options) => expect(stored(options)).not.toContain('pair'));

  test('on any target, where products are said to prefer it', () => expect(stored({ target: WEB, prefersPairs: ANY })).toContain('pair'));
});

const gpu = await testDevice();

/** One of each kind of layer; all with VITC_TEST_ALL=1. */
const SOME = ['ViT', 'Mixer', 'NaViT'];

describe.skipIf(!gpu)('on a device, whose kernels join the parts', () => {
  test.each(TINY.filter((t) => process.env.VITC_TEST_ALL === '1' || SOME.includes(t.name)))('$name', async (tiny) => {
    const graph = tinyGraph(tiny);
    const { value } = compileGraph(graph, { target: WEB, dtype: 'f32', prefersPairs: ANY });
    const { plan, weights } = value!;
    const bindings = randomBindings(graph);
    const params = evaluateGraph(weights, { inputs: {}, params: bindings.params }, { precision: 'f64' });
    const want = evaluateGraph(graph, bindings, { precision: 'f64' });
    const plain = evaluateGraph(graph, bindings, { precision: 'f32' });
    const got = await runPlan(gpu!.device, plan, { inputs: bindings.inputs, weights: (name) => params[name] });
    for (const [name, tensor] of Object.entries(want)) expect(relativeError(got.outputs[name], tensor), name).toBeLessThanOrEqual(Math.max(4e-6, 4 * relativeError(plain[name], tensor)));
  });

  test('weights are packed as they are read', () => {
    const graph = tinyGraph(TINY.find((t) => t.name === 'ViT')!);
    const compiled = compileGraph(graph, { target: WEB, dtype: 'f32', prefersPairs: ANY, chains: false }).value!;
    const read = (name: string, shape: readonly number[]): Float32Array => Float32Array.from(valuesOf(name, shape).data);
    const shards = packWeights(compiled, read);
    const slot = compiled.plan.buffers.find((b) => b.buffer.name === 'blocks.0.mlp.fc2.weight~pair')!;
    const words = new Uint32Array(shards[slot.shard].buffer, slot.offset, slot.bytes / 4);
    const values = read('blocks.0.mlp.fc2.weight', [24, 96]);
    const most = values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    const scale = 2 ** Math.floor(Math.log2(2 ** 15 / most));
    words.forEach((word, i) => expect(fromPair(word) / scale).toBeCloseTo(values[i], 6));
    expect(words.length).toBe(values.length);
  });
});

describe('a pair', () => {
  test('keeps 22 digits of what f16 can be as large as, and 2^-26 at least', () => {
    for (let i = 0; i < 20000; i++) {
      const value = Math.fround(Math.sin(i * 1.7) * 2 ** ((i % 60) - 44));
      expect(Math.abs(fromPair(toPair(value)) - value)).toBeLessThanOrEqual(Math.max(2 ** -22 * Math.abs(value), 2 ** -26));
    }
  });

  test.each([[0, 0], [1, 0x3c00], [-1, 0xbc00], [2 ** -14, 0x0400], [65504, 0x7bff], [2 ** -15, 0x2c000000]])('%d is the word %d', (value, word) => {
    expect([toPair(value), fromPair(word)]).toEqual([word, value]);
  });
});
