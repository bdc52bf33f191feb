/** The report as one HTML file that asks for nothing else: data, style, plots and script are in it. */
import { findings } from './findings.ts';
import { STYLE } from './style.ts';
import type { Source } from '../source.ts';
import type { Comparison } from './compare.ts';
import type { Report } from './types.ts';
import type { PageData, SweepPageData } from './page/model.ts';
import type { Sweep } from './sweep.ts';

/** The scripts of the page, as text. */
export interface PageScripts {
  /** Libraries that define globals, in order. */
  readonly libraries: readonly string[];
  /** The page's own modules as built, dependencies first; they become one. */
  readonly modules: readonly string[];
}

export interface PageInput {
  readonly report: Report;
  readonly sources: readonly Source[];
  readonly wgsl: readonly string[];
  /** The report beside others; it is the first of them. */
  readonly comparison?: Comparison;
}

export function reportHtml({ report, sources, wgsl, comparison }: PageInput, scripts: PageScripts): string {
  const compared = comparison && { ...comparison, reports: comparison.reports.map(({ after, before, batch, profile, parameters }) => ({ after, before, batch, profile: profile.name, parameters })) };
  const data: PageData = { report, findings: findings(report), sources: sources.map(({ path, text }) => ({ path, text })), wgsl, ...(compared && { comparison: compared }) };
  return page(report.model, data, scripts);
}

/** A sweep's page: the front and the table. */
export function sweepHtml(sweep: Sweep, scripts: PageScripts): string {
  return page(sweep.model, { sweep } satisfies SweepPageData, scripts);
}

function page(title: string, data: PageData | SweepPageData, scripts: PageScripts): string {
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    // Nothing may be fetched, whatever a file says.
    `<meta http-equiv="content-security-policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">`,
    `<title>${escapeHtml(title)}</title>`,
    `<style>${STYLE}</style></head>`,
    '<body><nav aria-label="sections"></nav><main></main>',
    `<script type="application/json" id="data">${JSON.stringify(data).replace(/</g, '\\u003c')}</script>`,
    ...scripts.libraries.map((text) => `<script>${inScript(text)}</script>`),
    `<script type="module">${inScript(oneModule(scripts.modules))}</script>`,
    '</body></html>',
    '',
  ].join('\n');
}

function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** Nothing in a script may end it. */
function inScript(code: string): string {
  return code.replace(/<\/(script)/gi, '<\\/$1').replace(/<!--/g, '<\\!--');
}

/** Modules as the compiler prints them, joined into one scope: imports of each other go, exports become plain declarations. */
function oneModule(modules: readonly string[]): string {
  return modules
    .map((code) =>
      code
        .replace(/^import [^;]*;\n/gm, '')
        .replace(/^export \{\};\n?/gm, '')
        .replace(/^export (?=(?:async )?function|const|let|class)/gm, '')
        .replace(/^\/\/# sourceMappingURL=.*$/gm, ''),
    )
    .join('\n');
}
