/** Arenas of whole models: within 5% of what is live at once, which no plan can be below. One preset of each file of the zoo. */
import { expect, test } from 'vitest';
import { lower } from '../src/lower/lower.ts';
import { runPasses } from '../src/passes/pipeline.ts';
import { splitStatic } from '../src/passes/static.ts';
import { depthParts } from '../src/schedule/depth.ts';
import { plan } from '../src/schedule/plan.ts';
import { keepsRows } from '../src/schedule/row.ts';
import { chooseSchedule } from '../src/schedule/rules.ts';
import { WEB, type Target } from '../src/targets.ts';
import { presetGraph, zooPresets } from './helpers/zoo.ts';

/** Buffers of any size: large pictures in batches do not fit what WebGPU promises. */
const TARGET: Target = { ...WEB, limits: { ...WEB.limits, maxBufferSize: 2 ** 40, maxStorageBufferBindingSize: 2 ** 40 } };

const firsts = [...new Map(zooPresets().toReversed().map((p) => [p.file, p])).values()].toReversed();

test.each(firsts.flatMap((p) => [1, 8].map((batch) => [p.name, batch, p] as const)))('%s at batch %i', { timeout: 60_000 }, (_, batch, preset) => {
  const { main } = splitStatic(runPasses(presetGraph(preset, batch)));
  const program = lower(main, { fuse: true, attention: (kernel) => chooseSchedule(kernel, TARGET).family !== 'generic', prologue: () => true, depth: (kernel, offered) => depthParts(kernel, offered, TARGET), addsParts: (kernel) => keepsRows(kernel, TARGET), target: TARGET, storage: 'f32' });
  const { value, diagnostics } = plan(program, TARGET);
  expect(diagnostics).toEqual([]);
  expect(value!.arenaBytes).toBeLessThanOrEqual(1.05 * value!.livenessBound);
});
