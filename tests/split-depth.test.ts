/** Depths of contractions divided between workgroups: where the rule does so, and what the kernels compute on a device. */
import { describe, expect, it, test } from 'vitest';
import type { Graph, NodeId } from '../src/graph.ts';
import type { Kernel } from '../src/kernel.ts';
import { classify, matchContraction } from '../src/kernel-forms.ts';
import { lower } from '../src/lower/lower.ts';
import { splitDepth } from '../src/lower/split-depth.ts';
import { depthParts } from '../src/schedule/depth.ts';
import { chooseSchedule } from '../src/schedule/rules.ts';
import { WEB, type Target } from '../src/targets.ts';
import { checkOnDevice } from './helpers/check-plan.ts';
import { einsumKernel } from './helpers/contraction-kernels.ts';
import { testDevice } from './helpers/device.ts';
import { Sketch } from './helpers/patterns.ts';

const gpu = await testDevice();

const LARGE: Target = { ...WEB, name: 'large', limits: { ...WEB.limits, maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 1024, maxComputeWorkgroupSizeX: 1024 } };
const SOFTWARE: Target = { ...WEB, name: 'software', software: true };

const product = (M: number, N: number, K: number, b = 1): Kernel => einsumKernel({ extents: { b, m: M, n: N, k: K }, left: 'b m k', right: 'b n k', out: 'b m n' });
const names = { products: () => 'parts', sum: () => 'sum' };

/** The parts that the rule takes; what it may choose from is what lowering offers. */
function parts(kernel: Kernel, target: Target): number | undefined {
  return splitDepth(kernel, (k, offered) => depthParts(k, offered, target), names)?.parts.shape[0];
}

describe('the depth of a contraction is divided', () => {
  it('where few rows meet a long depth, on anything but a CPU', () => {
    expect(parts(product(197, 768, 3072), LARGE)).toBeGreaterThan(4);
    expect(parts(product(197, 768, 3072), WEB)).toBeGreaterThan(4);
    expect(parts(product(64, 160, 2880), LARGE)).toBeGreaterThan(4);
    expect(parts(product(197, 768, 3072), SOFTWARE)).toBeUndefined();
  });

  it('not where another dispatch takes as long, or the device is full', () => {
    for (const [M, N, K, b] of [[197, 192, 768, 1], [197, 768, 768, 1], [4096, 4096, 4096, 1], [12608, 768, 3072, 1], [197, 768, 3072, 64], [49, 128, 256, 1], [1, 1000, 768, 1]]) {
      expect(parts(product(M, N, K, b), LARGE), `${b} x ${M} x ${N} x ${K}`).toBeUndefined();
    }
  });

  it('into parts of equal vectors', () => {
    const offered = (K: number): readonly number[] => {
      let found: readonly number[] = [];
      splitDepth(product(8, 8, K), (_, all) => void (found = all), names);
      return found;
    };
    expect(offered(96)).toEqual([2, 3, 4, 6, 8, 12, 24]);
    expect(offered(30)).toEqual([2, 3, 5, 6, 10, 15]);
    expect(offered(197)).toEqual([]);
  });

  it('and parts are added in vectors along the columns', () => {
    const { sum } = splitDepth(product(197, 768, 3072), () => 8, names)!;
    expect(chooseSchedule(sum.kernel, LARGE)).toMatchObject({ family: 'generic', vector: 4 });
    expect(chooseSchedule(sum.kernel, SOFTWARE)).toMatchObject({ family: 'row', threads: 1 });
  });

  it('into sums that one binding holds', () => {
    const small: Target = { ...LARGE, limits: { ...LARGE.limits, maxStorageBufferBindingSize: 4 * 197 * 768 } };
    expect(parts(product(197, 768, 3072), small)).toBeUndefined();
  });
});

const graphOf = (build: (s: Sketch) => NodeId): Graph => {
  const sketch = new Sketch();
  return sketch.graph(build(sketch));
};

test('norms in a prologue are over the whole depth, so it stays whole', () => {
  const graph = graphOf((s) => s.einsum('m k, n k -> m n', s.layerNorm(s.input('x', [19, 40])), s.param([24, 40])));
  const { calls } = lower(graph, { fuse: true, prologue: () => true, depth: (_, offered) => offered[0], target: WEB, storage: 'f32' });
  expect(calls.map((c) => classify(c.kernel))).toEqual(['prologue']);
});

test('sums of parts are f32 whatever is stored', () => {
  const graph = graphOf((s) => s.einsum('m k, n k -> m n', s.input('x', [19, 40]), s.param([24, 40])));
  const { buffers, calls } = lower(graph, { fuse: true, depth: () => 2, target: WEB, storage: 'f16' });
  expect(buffers.filter((b) => b.kind === 'temp').map((b) => [b.storage, b.shape])).toEqual([['f32', [2, 19, 24]]]);
  expect(calls.map((c) => classify(c.kernel))).toEqual(['reduce', 'reduce']);
  expect(matchContraction(calls[0].kernel)!.batch.map((a) => a.extent)).toEqual([2]);
});

const GRAPHS: Record<string, Graph> = {
  'linear, bias, residual': graphOf((s) => {
    const x = s.input('x', [19, 40]);
    return s.binary('add', s.binary('add', s.einsum('m k, n k -> m n', x, s.param([40, 40])), s.param([40])), x);
  }),
  'batches of products, odd extents': graphOf((s) => s.einsum('b m k, b k n -> b m n', s.input('x', [3, 7, 30]), s.input('w', [3, 30, 5]))),
  'windows of channels': graphOf((s) => s.conv(s.input('x', [1, 12, 9, 9]), 20, 3, { padding: 1, stride: 2 })),
};

describe.skipIf(!gpu)('on a device', () => {
  describe.each(Object.entries(GRAPHS))('%s', (_, graph) => {
    test.each([['few', 0], ['many', -1]])('%s parts', async (_, place) => {
      const plan = await checkOnDevice(gpu!.device, graph, { target: WEB, depth: (_, offered) => offered.at(place) });
      expect(plan.steps.length).toBe(2);
    });
  });
});
