/** The scripts of the report's page: the page's own modules as tsc built them, and the plotting library. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { PageScripts } from '../report/html.ts';
import { PACKAGE_ROOT } from './files.ts';

/** Dependencies first. */
const MODULES = ['units.js', 'report/page/dom.js', 'report/page/plots.js', 'report/page/source.js', 'report/page/report.js', 'report/page/sweep.js', 'report/page/main.js'];

/** Scripts that define `d3` and then `Plot`, which needs it. */
const LIBRARIES = [
  ['d3', 'd3.min.js'],
  ['@observablehq/plot', 'plot.umd.min.js'],
] as const;

export function pageScripts(): PageScripts {
  const dist = join(PACKAGE_ROOT, 'dist');
  if (!existsSync(join(dist, MODULES[0]))) throw new Error(`bug: ${dist} is missing: the compiler has not been built (npm run build)`);
  const require = createRequire(import.meta.url);
  return {
    // A package's entry lies in a folder beside `dist`, or in it.
    libraries: LIBRARIES.map(([name, file]) => readFileSync(join(dirname(require.resolve(name)), '..', 'dist', file), 'utf8')),
    modules: MODULES.map((name) => readFileSync(join(dist, name), 'utf8')),
  };
}
