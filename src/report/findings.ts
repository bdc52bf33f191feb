/** What a report comes to, in sentences: the totals, what dominates, and why. */
import { formatBytes, formatMilliseconds, formatRatio, formatShare } from '../units.ts';
import { balanceOf } from './cost.ts';
import type { BlockRow, BlockTypeRow, Bound, Report, Saving } from './types.ts';

const milliseconds = (seconds: number): string => formatMilliseconds(1000 * seconds);

const REASONS: Record<Bound, (report: Report) => string> = {
  dispatch: ({ profile }) => `starting each takes longer (${milliseconds(profile.dispatch)}) than its work; fewer, larger dispatches or a larger batch would help`,
  memory: ({ profile }) => `their intensity is below the ${balanceOf(profile).toFixed(0)} operations a byte of the device`,
  latency: () => 'too few invocations are at work to hide how long each waits for memory, for others at barriers and for its own results; a larger batch would help',
  arithmetic: () => 'their data is used often enough to keep the arithmetic units busy',
};

export function findings(report: Report): string[] {
  const { after, before, bounds } = report;
  const [bound] = (Object.keys(bounds) as Bound[]).sort((a, b) => bounds[b].seconds - bounds[a].seconds);
  const texts: string[] = [];
  const { dispatches, seconds } = bounds[bound];
  texts.push(`${capital(bound)} binds ${dispatches} of ${after.dispatches} dispatches, ${formatShare(seconds / after.seconds)} of the predicted time: ${REASONS[bound](report)}.`);
  texts.push(`Starting dispatches takes ${formatShare(after.dispatchSeconds / after.seconds)} of the time in all.`);
  const parts = heaviestBlocks(report).slice(0, 3).map((b) => `${b.block} ${formatShare(b.after.seconds / after.seconds)}`);
  if (parts.length > 0) texts.push(`By block of the source, with what it calls, the time goes to ${parts.join(', ')}.`);
  const idle = (side: 'before' | 'after', of: 'seconds' | 'leastBytes'): string =>
    formatShare(report.shares.reduce((sum, s) => (s.kind === 'contraction' ? sum : sum + s[side][of]), 0) / Math.max(Number.MIN_VALUE, report[side][of]));
  texts.push(`Dispatches that only move, map, normalize or reduce are ${idle('before', 'seconds')} of the time and ${idle('before', 'leastBytes')} of the bytes as written; ${idle('after', 'seconds')} and ${idle('after', 'leastBytes')} as compiled.`);
  if (before.leastBytes > after.leastBytes) {
    const best = [...report.savings].sort((a, b) => b.leastBytes - a.leastBytes).slice(0, 2);
    texts.push(`With every operation on its own it would move ${formatRatio(before.leastBytes / after.leastBytes)} as many bytes and take ${formatRatio(before.seconds / after.seconds)} as long; most is saved by ${best.map(savingText).join(' and ')}.`);
  }
  return texts;
}

function savingText({ label, leastBytes }: Saving): string {
  return `${label} (${formatBytes(leastBytes)})`;
}

function capital(text: string): string {
  return text[0].toUpperCase() + text.slice(1);
}

/** Blocks of the source that tell something: not the ones that nearly everything is in. */
function heaviestBlocks({ blockTypes, after }: Report): BlockTypeRow[] {
  return blockTypes.filter((b) => b.after.seconds > 0 && b.after.seconds < 0.95 * after.seconds);
}

export function depthOf(scope: string): number {
  return scope === '' ? 0 : scope.split('.').length;
}

/** Blocks to show in one view: as deep as `rows` allow. */
export function topBlocks(blocks: readonly BlockRow[], rows: number): BlockRow[] {
  let shown: BlockRow[] = [];
  for (let depth = 1; depth <= 8; depth++) {
    const deeper = blocks.filter((b) => b.scope !== '' && depthOf(b.scope) <= depth);
    if (depth > 1 && deeper.length > rows) break;
    shown = deeper;
  }
  return shown;
}
