/** A comparison for the terminal: which is cheaper, by how much and why, then kind by kind and block by block. */
import { plain } from '../cells.ts';
import type { Comparison, Costs } from '../report/compare.ts';
import { formatBytes, formatCount } from '../units.ts';
import { fitTable, wrapText, type Column } from './columns.ts';
import { seconds } from './report-text.ts';
import { color, terminalWidth } from './terminal.ts';

export function comparisonText(c: Comparison, width = terminalWidth()): string {
  const columns = (first: string): Column[] => [{ title: first, flexible: true }, ...c.labels.map((label, i): Column => ({ title: plain(label), right: true, ...(i > 1 && { drop: i }) }))];
  const rows: [string, (i: number) => string][] = [
    ['time an item, predicted', (i) => seconds(c.reports[i].after.seconds / c.reports[i].batch)],
    ['batch', (i) => String(c.reports[i].batch)],
    ['dispatches', (i) => String(c.reports[i].after.dispatches)],
    ['least bytes an item', (i) => formatBytes(c.reports[i].after.leastBytes / c.reports[i].batch)],
    ['issued bytes an item', (i) => formatBytes(c.reports[i].after.issuedBytes / c.reports[i].batch)],
    ['operations an item', (i) => formatCount(c.reports[i].after.flops / c.reports[i].batch)],
    ['operations a byte', (i) => c.reports[i].after.intensity.toFixed(1)],
    ['parameters', (i) => formatCount(c.reports[i].parameters)],
    ['weights', (i) => formatBytes(c.reports[i].after.weightBytes)],
    ['memory for tensors', (i) => formatBytes(c.reports[i].after.arenaBytes)],
    ['predicted for', (i) => c.reports[i].profile.name],
  ];
  const cells = (of: (i: number) => string): string[] => c.labels.map((_, i) => (i === c.cheapest ? color.green(of(i)) : of(i)));
  const timeCells = (costs: Costs): string[] => cells((i) => (costs.seconds[i] === null ? '-' : seconds(costs.seconds[i])));
  return [
    ...c.findings.flatMap((f) => wrapText(plain(f), width)),
    '',
    fitTable(columns(''), rows.map(([what, of]) => [what, ...cells(of)]), width),
    `\n${color.bold('Time an item by kind of dispatch')}`,
    fitTable(columns('kind'), c.kinds.map((k) => [k.kind, ...timeCells(k)]), width),
    `\n${color.bold('Time an item by block')}`,
    fitTable(columns('block'), c.blocks.map((b) => [plain(b.scope), ...timeCells(b)]), width),
  ].join('\n');
}
