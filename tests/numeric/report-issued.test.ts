/** Issued bytes of reports against a count of every executed access, for each architecture of the zoo made tiny. */
import { describe, expect, test } from 'vitest';
import { compileGraph } from '../../src/compile.ts';
import { printModule } from '../../src/codegen/wgsl-print.ts';
import type { Plan } from '../../src/plan.ts';
import { WEB } from '../../src/targets.ts';
import { testDevice } from '../helpers/device.ts';
import { valuesOf } from '../helpers/patterns.ts';
import { runPlan } from '../helpers/run-plan.ts';
import { TINY, tinyGraph } from '../helpers/tiny-zoo.ts';

const gpu = await testDevice();

/** A CPU adapter runs these for a long time; VITC_TEST_ALL=1 takes every kernel. */
const ALL = process.env.VITC_TEST_ALL === '1';
const MOST_BYTES = ALL ? Infinity : 100_000;
const MOST_KERNELS = ALL ? Infinity : 4;

/** Kernels of one architecture that another has had counted are not run again. */
const done = new Set<string>();

describe.skipIf(!gpu)('issued bytes are what an instrumented run counts', () => {
  test.each(TINY)('$name', async (tiny) => {
    const { value, diagnostics } = compileGraph(tinyGraph(tiny), { target: WEB, dtype: 'f32' });
    expect(diagnostics).toEqual([]);
    const { plan, kernels } = value!;
    // Kernels in turns of their families, so that a few show all of them.
    const fresh = plan.kernels.map((_, i) => i).filter((i) => kernels[i].issued.loadBytes + kernels[i].issued.storeBytes <= MOST_BYTES && !done.has(printModule(kernels[i].module)));
    const seen = new Map<string, number>();
    const turn = new Map(fresh.map((i) => {
      const { family } = plan.kernels[i].schedule;
      seen.set(family, (seen.get(family) ?? 0) + 1);
      return [i, seen.get(family)!];
    }));
    const chosen = [...fresh].sort((a, b) => turn.get(a)! - turn.get(b)!).slice(0, MOST_KERNELS);
    for (const i of chosen) done.add(printModule(kernels[i].module));
    const steps = chosen.map((i, k) => ({ ...plan.steps.find((s) => s.kernel === i)!, kernel: k }));
    const part: Plan = { ...plan, kernels: chosen.map((i) => plan.kernels[i]), steps };
    const inputs = Object.fromEntries(plan.buffers.filter((b) => b.buffer.kind === 'input').map(({ buffer: { name, shape, dtype } }) => [name, valuesOf(name, shape, dtype)]));
    const run = await runPlan(gpu!.device, part, { inputs, weights: (name, shape) => valuesOf(name, shape, 'f32') }, { instrument: true, kernels: chosen.map((i) => kernels[i]) });
    expect(run.counted).toEqual(run.issued);
  });
});
