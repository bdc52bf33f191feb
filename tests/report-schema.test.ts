/** docs/report.schema.json is what the report's types say; BLESS=1 writes it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { makeReport } from '../src/cli/reports.ts';
import { profileNamed } from '../src/profiles.ts';
import { WEB } from '../src/targets.ts';
import { misfits, schemaOf } from './helpers/json-schema.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';

const FILE = 'docs/report.schema.json';

test('the published schema is the types, and a report fits it', () => {
  const schema = schemaOf('src/report/types.ts', 'Report', 'vitc report --json, version 1');
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (process.env.BLESS === '1') writeFileSync(FILE, text);
  expect(existsSync(FILE) && readFileSync(FILE, 'utf8'), 'BLESS=1 npx vitest run tests/report-schema.test.ts writes it').toBe(text);
  const graph = tinyGraph(TINY.find((t) => t.name === 'Mixer')!);
  const { report } = makeReport({ graph, target: WEB, dtype: 'f32', profile: profileNamed('nvidia-h100')! });
  expect(misfits(JSON.parse(JSON.stringify(report)), schema)).toEqual([]);
});
