/** The published schemas are what the types say, and what the commands print fits them; BLESS=1 writes them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { makeReport, plannedCode } from '../src/cli/reports.ts';
import { compileGraph } from '../src/compile.ts';
import { PROFILES, profileNamed } from '../src/profiles.ts';
import { compareReports, type Comparison } from '../src/report/compare.ts';
import { markFront, sweepFigures, SWEEP_FORMAT, SWEEP_VERSION, type Sweep } from '../src/report/sweep.ts';
import { WEB } from '../src/targets.ts';
import { misfits, schemaOf } from './helpers/json-schema.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';

const H100 = profileNamed('nvidia-h100')!;
const reportOf = (name: string) => makeReport({ graph: tinyGraph(TINY.find((t) => t.name === name)!), target: WEB, dtype: 'f32', profile: H100 }).report;

function comparison(): Comparison {
  return compareReports([{ label: 'mixer', report: reportOf('Mixer') }, { label: 'vit', report: reportOf('ViT') }]);
}

function sweep(): Sweep {
  const graph = tinyGraph(TINY.find((t) => t.name === 'Mixer')!);
  const figures = sweepFigures(graph, plannedCode(compileGraph(graph, { target: WEB, dtype: 'f32' }).value!), H100);
  const points = markFront([{ settings: { dim: 16, taps: [1, [2, true]], kind: 'a' }, figures }, { settings: { dim: 17 }, problem: 'it is odd' }], 'parameters');
  return { format: SWEEP_FORMAT, version: SWEEP_VERSION, model: graph.name, batch: 1, dtype: 'f32', target: 'web', profile: H100.name, capacity: 'parameters', points };
}

describe.each([
  { file: 'report', source: 'src/report/types.ts', type: 'Report', title: 'vitc report --json, version 2', samples: () => [reportOf('Mixer')] },
  { file: 'comparison', source: 'src/report/compare.ts', type: 'Comparison', title: 'vitc report --compare --json, version 2', samples: () => [comparison()] },
  { file: 'sweep', source: 'src/report/sweep.ts', type: 'Sweep', title: 'vitc sweep --json, version 1', samples: () => [sweep()] },
  { file: 'profile', source: 'src/profiles.ts', type: 'Profile', title: 'a device profile, as vitc profile-device writes it', samples: () => [...PROFILES] },
])('$title', ({ file, source, type, title, samples }) => {
  const path = `docs/${file}.schema.json`;
  const schema = schemaOf(source, type, title);

  test('is published as the types are', () => {
    const text = `${JSON.stringify(schema, null, 2)}\n`;
    if (process.env.BLESS === '1') writeFileSync(path, text);
    expect(existsSync(path) && readFileSync(path, 'utf8'), 'BLESS=1 npx vitest run tests/report-schema.test.ts writes it').toBe(text);
  });

  test('is what is printed', () => {
    for (const sample of samples()) {
      const value = JSON.parse(JSON.stringify(sample)) as Record<string, unknown>;
      expect(misfits(value, schema)).toEqual([]);
      // The check finds what is missing and what is too much.
      const [name] = Object.keys(value);
      expect(misfits({ ...value, [name]: undefined, extra: 1 }, schema).length).toBeGreaterThan(1);
    }
  });
});
