/** A program and the ways to compile it, from a seed. */
import { GRAPH_PASSES } from '../../src/passes/pipeline.ts';
import { MATRIX_UNITS } from '../helpers/null-device.ts';
import { Random } from '../helpers/random.ts';
import { randomGraph } from '../helpers/random-graph.ts';
import { PLAIN, type Fuzzed, type Machine, type Variant } from './check.ts';
import { sourceOfGraph } from './graph-source.ts';
import { randomModel } from './models.ts';

/** Every third program is a model made of the library's layers; the others are random graphs, of which it is known what they mean. */
export function programOf(seed: number): Fuzzed {
  const random = new Random(seed * 31 + 5);
  if (seed % 3 === 0) return { text: randomModel(random) };
  const graph = randomGraph(seed, { steps: random.pick([1, 2, 3, 3, 4, 5, 7]), maxElements: random.pick([60, 300, 600, 1500]) });
  return { text: sourceOfGraph(graph, random), graph };
}

/** The usual compilation, on one target or the other, and one of another kind. */
export function variantsOf(seed: number, machine: Pick<Machine, 'target'> | undefined): Variant[] {
  const random = new Random(seed * 17 + 3);
  const native = machine?.target ?? MATRIX_UNITS;
  const half = native.shaderF16;
  // Drawn apart, so that a seed's other choices do not depend on it.
  const inputs = new Random(seed * 13 + 7).chance(0.5) ? ({ inputs: 'f16' } as const) : {};
  const without = random.chance(0.5) ? [] : GRAPH_PASSES.flatMap((_, i) => (random.chance(0.4) ? [i] : []));
  const variants: Variant[] = [
    { ...PLAIN, target: random.chance(0.7) ? 'web' : 'native', storage: half && random.chance(0.4) ? 'f16' : 'f32', attention: random.chance(0.3) ? random.integer(0, 999) : 'chosen' },
    {
      without,
      fuse: random.chance(0.7),
      target: random.pick(['web', 'native', 'native without subgroups', 'web on a CPU']),
      storage: random.chance(half ? 0.5 : 0.25) ? 'f16' : 'f32',
      attention: random.chance(0.6) ? random.integer(0, 999) : random.pick(['chosen', 'never']),
      instrument: random.chance(0.1),
      ...(random.chance(0.5) && { parts: random.integer(0, 999) }),
    },
  ];
  const own = new Random(seed * 11 + 5);
  const split = native.subgroupMatrix.length > 0 && own.chance(0.6) ? { split: own.integer(0, 999) } : {};
  const pairs = new Random(seed * 19 + 1).chance(0.4) ? ({ pairs: true } as const) : {};
  const joins = new Random(seed * 23 + 9);
  const chained = variants.map((v): Variant => (v.fuse && joins.chance(0.5) ? { ...v, chains: joins.integer(0, 999) } : v));
  return chained.map((v): Variant => {
    if (v.storage === 'f16') return { ...v, ...inputs };
    const own = v.fuse ? { ...v, ...pairs } : v;
    return 'split' in split && v.target.startsWith('web') ? { ...own, ...split, target: 'native' } : v.target === 'native' ? { ...own, ...split } : own;
  });
}
