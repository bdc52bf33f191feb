/** Plans: memory, limits, equal kernels, the text form. */
import { describe, expect, test } from 'vitest';
import type { Graph, NodeId } from '../src/graph.ts';
import { lower } from '../src/lower/lower.ts';
import type { Plan } from '../src/plan.ts';
import { planArena, type Interval } from '../src/schedule/arena.ts';
import { readPlan } from '../src/plan-read.ts';
import { printPlan } from '../src/plan-text.ts';
import { plan } from '../src/schedule/plan.ts';
import { WEB, type Target } from '../src/targets.ts';
import { pattern, PATTERNS, Sketch } from './helpers/patterns.ts';

function overlaps(a: Interval, b: Interval): boolean {
  return a.live[0] <= b.live[1] && b.live[0] <= a.live[1];
}

/** Pairs that lie over each other while both are needed. */
function collisions(intervals: readonly Interval[], offsets: readonly number[]): [number, number][] {
  const pairs: [number, number][] = [];
  intervals.forEach((a, i) => intervals.slice(0, i).forEach((b, j) => {
    if (overlaps(a, b) && offsets[i] < offsets[j] + b.bytes && offsets[j] < offsets[i] + a.bytes) pairs.push([j, i]);
  }));
  return pairs;
}

describe('the arena', () => {
  test('is empty for nothing', () => expect(planArena([], 256)).toEqual({ offsets: [], bytes: 0, bound: 0 }));

  test('puts what lives at different times into one place', () => {
    const intervals: Interval[] = [{ bytes: 1024, live: [0, 1] }, { bytes: 1024, live: [2, 3] }, { bytes: 512, live: [1, 2] }];
    expect(planArena(intervals, 256)).toEqual({ offsets: [0, 0, 1024], bytes: 1536, bound: 1536 });
  });

  test('keeps apart what lives together, aligned, near the bound', () => {
    let state = 1;
    const random = (n: number): number => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % n;
    for (let round = 0; round < 20; round++) {
      // A chain of tensors, as models are: most are read a step or two after they are written, some much later.
      const intervals = Array.from({ length: 60 }, (_, i): Interval => ({ bytes: 1024 * (1 + random(64)), live: [i, i + 1 + (random(8) === 0 ? random(20) : random(3))] }));
      const { offsets, bytes, bound } = planArena(intervals, 256);
      expect(collisions(intervals, offsets)).toEqual([]);
      expect(offsets.every((o) => o % 256 === 0)).toBe(true);
      expect(bytes).toBe(Math.max(...intervals.map((x, i) => offsets[i] + x.bytes)));
      expect(bytes / bound).toBeLessThanOrEqual(1.1);
    }
  });

  test('meets the bound of layers whose largest tensors leave a stream one place at a time', () => {
    // As transformers are: stream, norm, queries with keys and values, attention, parts of a product, stream, norm, hidden, parts.
    const layer = (at: number): Interval[] =>
      ([[1, 0, 4], [1, 0, 1], [3, 1, 2], [1, 2, 3], [3, 3, 4], [1, 4, 7], [1, 4, 5], [4, 5, 6], [3, 6, 7]] as const)
        .map(([size, first, last]) => ({ bytes: 4096 * size, live: [at + first, at + last] }));
    const intervals = Array.from({ length: 24 }, (_, i) => layer(7 * i)).flat();
    const { offsets, bytes, bound } = planArena(intervals, 256);
    expect(collisions(intervals, offsets)).toEqual([]);
    expect(bytes).toBe(bound);
  });
});

const planned = (graph: Graph, target: Target = WEB): Plan => {
  const { value, diagnostics } = plan(lower(graph, { fuse: true, target, storage: 'f32' }), target);
  expect(diagnostics).toEqual([]);
  return value!;
};

const graphOf = (build: (s: Sketch) => NodeId): Graph => {
  const s = new Sketch();
  return s.graph(build(s));
};

describe('plans', () => {
  test.each(Object.keys(PATTERNS))('%s: buffers lie apart, ids are unique', (name) => {
    const { buffers, kernels, weightShards, arenaBytes } = planned(pattern(name));
    const arena = buffers.filter((b) => b.space === 'arena');
    expect(collisions(arena, arena.map((b) => b.offset))).toEqual([]);
    expect(Math.max(...arena.map((b) => b.offset + b.bytes))).toBeLessThanOrEqual(arenaBytes);
    for (const w of buffers.filter((b) => b.space === 'weights')) expect(w.offset + w.bytes).toBeLessThanOrEqual(weightShards[w.shard]);
    expect(new Set(kernels.map((k) => k.id)).size).toBe(kernels.length);
    for (const { kernel, spaces } of kernels) expect(spaces.length).toBe(kernel.params.length);
  });

  test('calls of equal kernels share one', () => {
    const { kernels, steps } = planned(graphOf((s) => {
      let x = s.input('x', [1, 6, 8]);
      for (let i = 0; i < 4; i++) x = s.layerNorm(s.linear(x, 8));
      return x;
    }));
    expect(steps.length).toBe(8);
    expect(kernels.length).toBeLessThanOrEqual(3);
  });

  test('inputs live from before the first step, outputs past the last', () => {
    const { buffers, steps } = planned(pattern('attention'));
    const live = (kind: string) => buffers.filter((b) => b.buffer.kind === kind).map((b) => b.live);
    expect(live('input').every(([first]) => first === -1)).toBe(true);
    expect(live('output').every(([, last]) => last === steps.length)).toBe(true);
  });

  test('weights take as many buffers as the target needs', () => {
    const limits = { ...WEB.limits, maxBufferSize: 4096 };
    const { weightShards } = planned(graphOf((s) => s.linear(s.linear(s.input('x', [1, 2, 24]), 24), 24)), { ...WEB, limits });
    expect(weightShards.length).toBe(2);
    expect(weightShards.every((b) => b <= 4096)).toBe(true);
  });
});

describe('limits', () => {
  const limited = (limits: Partial<Target['limits']>, graph: Graph) => {
    const target: Target = { ...WEB, limits: { ...WEB.limits, ...limits } };
    const { value, diagnostics } = plan(lower(graph, { fuse: true, target, storage: 'f32' }), target);
    expect(value).toBeUndefined();
    return diagnostics.map((d) => `${d.code} ${d.message}`);
  };
  const big = graphOf((s) => s.softmax(s.input('picture', [1, 64, 64])));

  test('a tensor over the size of a binding', () => {
    expect(limited({ maxStorageBufferBindingSize: 16000 }, big)).toEqual([
      "E0711 input 'picture', f32[1, 64, 64], has 16 KiB; target 'web' binds at most 15.6 KiB",
      "E0711 output 'y0', f32[1, 64, 64], has 16 KiB; target 'web' binds at most 15.6 KiB",
    ]);
  });

  test('tensors that live at once over the size of a buffer', () => {
    expect(limited({ maxBufferSize: 20000 }, big)).toEqual(["E0712 the tensors of 'test' that live at once need 32 KiB; a buffer of target 'web' has at most 19.5 KiB"]);
  });
});

describe('the text form', () => {
  test.each(Object.keys(PATTERNS))('%s reads back', (name) => {
    const text = printPlan(planned(pattern(name)));
    const { value, errors } = readPlan(text);
    expect(errors).toEqual([]);
    expect(printPlan(value!)).toBe(text);
  });

  test('tells every line that is wrong', () => {
    const text = printPlan(planned(pattern('linearGelu')))
      .replace(/^memory .*/m, 'memory arenaBytes=x livenessBound=1 weightShards=[]')
      .replace(/family=\w+/, 'family=magic');
    expect(readPlan(text).errors.map((e) => e.message)).toEqual([
      'the memory: expected an integer as arenaBytes',
      expect.stringContaining('family: expected one of generic, row, contraction'),
    ]);
  });

  // The divisor is read before the index is simplified, which would not end with 0.
  test('takes no divisor of 0', () => {
    const text = printPlan(planned(pattern('linearGelu')));
    for (const divided of ['/0', '%0']) {
      const wrong = text.replace(/(p\d+)\[(\w+)/, `$1[($2+1)${divided}`);
      expect(wrong).not.toBe(text);
      expect(readPlan(wrong).errors.map((e) => e.message)).toContain('0 is no divisor');
    }
  });
});
