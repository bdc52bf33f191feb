/**
 * Issued bytes of reports against counts of every executed access, for each architecture of the zoo made tiny: all
 * kernels run in JavaScript, some of them instrumented on a device, which also holds the two ways of counting together.
 */
import { describe, expect, test } from 'vitest';
import { compileGraph, type Compilation } from '../../src/compile.ts';
import { printModule } from '../../src/codegen/wgsl-print.ts';
import { F32, type WgslStatement } from '../../src/codegen/wgsl.ts';
import { letOf, u32 } from '../../src/codegen/wgsl-build.ts';
import type { Plan } from '../../src/plan.ts';
import { WEB, type Target } from '../../src/targets.ts';
import { countAccesses } from '../helpers/count-accesses.ts';
import { testDevice } from '../helpers/device.ts';
import { valuesOf } from '../helpers/patterns.ts';
import { runPlan } from '../helpers/run-plan.ts';
import { TINY, tinyGraph } from '../helpers/tiny-zoo.ts';

/** As a desktop GPU offers, without what only a device can count. */
const ROOMY: Target = { ...WEB, name: 'roomy', shaderF16: true, limits: { ...WEB.limits, maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 1024, maxComputeWorkgroupSizeX: 1024 } };
const SOFTWARE: Target = { ...WEB, name: 'software', software: true };

/** Kernels of one architecture that another has had counted are not counted again. */
const counted = new Set<string>();

type Variant = readonly [target: Target, dtype: 'f32' | 'f16', fuse: boolean, chains?: boolean];

const USUAL: Variant = [WEB, 'f32', true];

/** Every architecture is compiled as usual and one of these ways, in turns; VITC_TEST_ALL=1 takes all ways. */
const OTHERS: readonly Variant[] = [[WEB, 'f16', true], [ROOMY, 'f16', true], [SOFTWARE, 'f32', true], [WEB, 'f32', false]];
const ALL = process.env.VITC_TEST_ALL === '1';
/** With small kernels joined, some of them. */
const CHAINS: Variant = [WEB, 'f32', true, true];
const CHAINED = ['EfficientViT', 'ViT', 'Whisper'];

const compilations = new Map<string, Compilation>();

function compiled(tiny: (typeof TINY)[number], [target, dtype, fuse, chains = false]: Variant): Compilation {
  const key = `${tiny.name} ${target.name} ${dtype} ${fuse} ${chains}`;
  const known = compilations.get(key);
  if (known) return known;
  const { value, diagnostics } = compileGraph(tinyGraph(tiny), { target, dtype, fuse, chains });
  expect(diagnostics).toEqual([]);
  compilations.set(key, value!);
  return value!;
}

describe('issued bytes are what a run in JavaScript counts', () => {
  test.each(TINY.map((tiny, i) => ({ tiny, name: tiny.name, variants: [USUAL, ...(CHAINED.includes(tiny.name) ? [CHAINS] : []), ...(ALL ? OTHERS : [OTHERS[i % OTHERS.length]])] })))('$name', ({ tiny, variants }) => {
    for (const variant of variants) {
      const { plan, kernels } = compiled(tiny, variant);
      kernels.forEach((code, i) => {
        const key = printModule(code.module);
        if (counted.has(key)) return;
        counted.add(key);
        expect(countAccesses(code), `${plan.kernels[i].id} of ${variant[0].name}, ${variant[1]}`).toEqual(code.issued);
      });
    }
  });

  test('the count is of what is executed: one access more is seen', () => {
    const { kernels } = compiled(TINY.find((t) => t.name === 'ViT')!, USUAL);
    const { module, workgroups, issued } = kernels.find((k) => k.module.body.length > 0)!;
    const [binding] = module.bindings;
    const more: WgslStatement = letOf('more', { kind: 'load', type: F32, binding: binding.name, at: u32(0), width: 1, raw: false });
    const invocations = [...workgroups, ...module.workgroupSize].reduce((a, b) => a * b);
    expect(countAccesses({ module: { ...module, body: [more, ...module.body] }, workgroups }).loadBytes).toBe(issued.loadBytes + 4 * invocations);
  });
});

const gpu = await testDevice();

/** Kernels an architecture that a device counts, the shortest of each family of schedules: a CPU adapter takes long over long ones. */
const ON_DEVICE = 2;

const run = new Set<string>();

describe.skipIf(!gpu)('issued bytes are what an instrumented run on a device counts', () => {
  test.each(TINY)('$name', async (tiny) => {
    const { plan, kernels } = compiled(tiny, USUAL);
    const texts = kernels.map((k) => printModule(k.module));
    const shortest = texts.map((_, i) => i).filter((i) => !run.has(texts[i])).sort((a, b) => texts[a].length - texts[b].length);
    const firsts = shortest.filter((i, k) => shortest.findIndex((j) => plan.kernels[j].schedule.family === plan.kernels[i].schedule.family) === k);
    const chosen = ALL ? shortest : [...new Set([...firsts, ...shortest])].slice(0, ON_DEVICE);
    for (const i of chosen) run.add(texts[i]);
    const steps = chosen.map((i, k) => ({ ...plan.steps.find((s) => s.kernel === i)!, kernel: k }));
    const part: Plan = { ...plan, kernels: chosen.map((i) => plan.kernels[i]), steps };
    const inputs = Object.fromEntries(plan.buffers.filter((b) => b.buffer.kind === 'input').map(({ buffer: { name, shape, dtype } }) => [name, valuesOf(name, shape, dtype)]));
    const result = await runPlan(gpu!.device, part, { inputs, weights: (name, shape) => valuesOf(name, shape, 'f32') }, { instrument: true, kernels: chosen.map((i) => kernels[i]) });
    expect(result.counted).toEqual(result.issued);
    expect(chosen.map((i) => countAccesses(kernels[i]))).toEqual(result.counted.map(({ loadBytes, storeBytes }) => ({ loadBytes, storeBytes })));
  });
});
