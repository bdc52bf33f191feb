/** Several reports side by side: which is cheapest, by how much, and where the difference lies. */
import { formatBytes, formatMilliseconds, formatRatio, formatShare } from '../units.ts';
import { topBlocks } from './findings.ts';
import { KINDS, type Kind, type Report, type Sums } from './types.ts';

export const COMPARISON_FORMAT = 'vitc-comparison';
export const COMPARISON_VERSION = 2;

/** A report under the name that the user gave it. */
export interface Variant {
  readonly label: string;
  readonly report: Report;
}

/** What a place or kind costs in each variant; null where a variant has no such place. Bytes and seconds are of one item of the batch. */
export interface Costs {
  readonly seconds: readonly (number | null)[];
  readonly leastBytes: readonly (number | null)[];
  readonly dispatches: readonly (number | null)[];
}

export interface Comparison {
  readonly format: typeof COMPARISON_FORMAT;
  readonly version: typeof COMPARISON_VERSION;
  readonly labels: readonly string[];
  /** Index of the variant that takes the least predicted time an item. */
  readonly cheapest: number;
  /** In sentences. */
  readonly findings: readonly string[];
  readonly kinds: readonly (Costs & { readonly kind: Kind })[];
  /** Blocks by label path; paths that only some variants have are there too. */
  readonly blocks: readonly (Costs & { readonly scope: string })[];
  readonly reports: readonly Report[];
}

/** Rows of blocks that are compared; deeper paths only where all fit. */
const BLOCKS = 40;

export function compareReports(variants: readonly Variant[]): Comparison {
  const reports = variants.map((v) => v.report);
  const perItem = reports.map((r) => r.after.seconds / r.batch);
  const cheapest = perItem.indexOf(Math.min(...perItem));
  const kinds = KINDS.map((kind) => ({ kind, ...costs(reports, (r) => r.shares.find((s) => s.kind === kind)?.after) })).filter((k) => k.dispatches.some((n) => n));
  const scopes = [...new Set(reports.flatMap((r) => topBlocks(r.blocks, BLOCKS).map((b) => b.scope)))];
  // What is folded into its neighbours costs nothing anywhere.
  const blocks = scopes.map((scope) => ({ scope, ...costs(reports, (r) => r.blocks.find((b) => b.scope === scope)?.after) })).filter((b) => b.seconds.some((s) => s));
  return { format: COMPARISON_FORMAT, version: COMPARISON_VERSION, labels: variants.map((v) => v.label), cheapest, findings: findingsOf(variants, cheapest, kinds), kinds, blocks, reports };
}

function costs(reports: readonly Report[], of: (report: Report) => Sums | undefined): Costs {
  const sums = reports.map((r) => ({ sums: of(r), batch: r.batch }));
  const each = (value: (s: Sums, batch: number) => number): (number | null)[] => sums.map(({ sums: s, batch }) => (s ? value(s, batch) : null));
  return { seconds: each((s, batch) => s.seconds / batch), leastBytes: each((s, batch) => s.leastBytes / batch), dispatches: each((s) => s.dispatches) };
}

function findingsOf(variants: readonly Variant[], cheapest: number, kinds: Comparison['kinds']): string[] {
  const best = variants[cheapest];
  const time = (v: Variant): number => v.report.after.seconds / v.report.batch;
  const ms = (value: number): string => formatMilliseconds(1000 * value);
  return variants.flatMap((v, i) => {
    if (i === cheapest) return [];
    const parts = kinds
      .map((k) => ({ kind: k.kind, seconds: (k.seconds[i] ?? 0) - (k.seconds[cheapest] ?? 0) }))
      .filter((k) => k.seconds > 0)
      .sort((a, b) => b.seconds - a.seconds)
      .slice(0, 2)
      .map((k) => `${k.kind} (${ms(k.seconds)} more)`);
    return [`${best.label} is ${formatRatio(time(v) / time(best))} as fast as ${v.label}: ${ms(time(best))} against ${ms(time(v))} an item${parts.length > 0 ? `; most of the difference is ${parts.join(' and ')}` : ''}. ${reasons(best.report, v)}`];
  });
}

/** What the dearer one does more of. */
function reasons(cheap: Report, { label, report: dear }: Variant): string {
  const facts: string[] = [];
  const item = (report: Report, of: 'leastBytes' | 'issuedBytes' | 'flops' | 'seconds' | 'dispatchSeconds'): number => report.after[of] / report.batch;
  const compare = (what: string, is: number, was: number, format: (n: number) => string): void => {
    const ratio = is / was;
    if (ratio > 1.05 || ratio < 0.95) facts.push(`${formatRatio(ratio)} the ${what} (${format(is)} against ${format(was)})`);
  };
  compare('bytes', item(dear, 'leastBytes'), item(cheap, 'leastBytes'), formatBytes);
  compare('issued bytes', item(dear, 'issuedBytes'), item(cheap, 'issuedBytes'), formatBytes);
  compare('operations', item(dear, 'flops'), item(cheap, 'flops'), (n) => `${(n / 1e6).toFixed(n < 1e8 ? 1 : 0)} M`);
  compare('dispatches an item', dear.after.dispatches / dear.batch, cheap.after.dispatches / cheap.batch, (n) => String(Number(n.toPrecision(3))));
  const starting = item(dear, 'dispatchSeconds') - item(cheap, 'dispatchSeconds');
  const difference = item(dear, 'seconds') - item(cheap, 'seconds');
  if (starting > 0.2 * difference && difference > 0) facts.push(`${formatMilliseconds(1000 * starting)} more for starting dispatches (${formatShare(Math.min(1, starting / difference))} of the difference)`);
  if (cheap.profile.name !== dear.profile.name) facts.push(`another device (${dear.profile.name} against ${cheap.profile.name})`);
  return facts.length > 0 ? `${label} has ${facts.join(', ')}.` : 'Bytes, operations and dispatches are alike; the shapes of the kernels differ.';
}
