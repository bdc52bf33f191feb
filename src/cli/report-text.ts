/** A report for the terminal: totals, what dominates and why first; then where bytes and time go. */
import { plain } from '../cells.ts';
import { balanceOf } from '../report/cost.ts';
import { findings, topBlocks } from '../report/findings.ts';
import type { Bound, KernelRow, Report, Sums } from '../report/types.ts';
import { formatBytes, formatCount, formatMilliseconds, formatRatio, formatShare } from '../units.ts';
import { cutMiddle, fitTable, wrapText } from './columns.ts';
import { color, terminalWidth } from './terminal.ts';

export interface TextOptions {
  /** Rows of the longer tables. */
  readonly rows: number;
  readonly width?: number;
}

export const seconds = (value: number): string => formatMilliseconds(1000 * value);

const BAR = 20;

/** A share as a bar of eighths. */
function bar(share: number, width = BAR): string {
  const eighths = Math.round(8 * width * Math.min(1, Math.max(0, share)));
  return '█'.repeat(eighths >> 3) + (eighths & 7 ? ' ▏▎▍▌▋▊▉'[eighths & 7] : '');
}

const TINT: Record<Bound, (text: string) => string> = { memory: color.cyan, arithmetic: color.green, latency: color.magenta, dispatch: color.yellow };

function heading(text: string): string {
  return `\n${color.bold(text)}`;
}

export function reportText(report: Report, options: TextOptions): string {
  const width = options.width ?? terminalWidth();
  const sections = [head(report, width), totals(report, width), why(report, width), shares(report, width), savings(report, width), blocks(report, options.rows, width), lines(report, options.rows, width), kernels(report, options.rows, width), memory(report, width)];
  return sections.filter((s) => s !== '').join('\n');
}

function head({ model, batch, dtype, inputs, target, profile, measurement }: Report, width: number): string {
  const title = `${color.bold(plain(model))}, batch ${batch}, ${dtype}${inputs ? `, ${inputs} inputs` : ''}, target ${target}`;
  const on = `times predicted for ${profile.name}: ${profile.description}${measurement ? `; measured on ${measurement.device}` : ''}`;
  return [title, ...wrapText(plain(on), width)].join('\n');
}

function totals({ before, after, parameters, measurement, profile }: Report, width: number): string {
  const row = (what: string, value: (t: Sums) => number, format: (n: number) => string): string[] => {
    const [was, is] = [value(before), value(after)];
    return [what, format(was), format(is), is > 0 ? formatRatio(was / is) : ''];
  };
  const table = fitTable(
    [{ title: '' }, { title: 'as written', right: true, drop: 2 }, { title: 'compiled', right: true }, { title: 'less', right: true, drop: 1 }],
    [
      row('predicted time', (t) => t.seconds, seconds),
      ...(measurement ? [['measured time', '', seconds(measurement.wholeSeconds), '']] : []),
      row('dispatches', (t) => t.dispatches, String),
      row('bytes, least', (t) => t.leastBytes, formatBytes),
      row('bytes, issued', (t) => t.issuedBytes, formatBytes),
      row('operations', (t) => t.flops, formatCount),
      ['operations a byte', before.intensity.toFixed(1), after.intensity.toFixed(1), ''],
      ['memory for tensors', formatBytes(before.arenaBytes), formatBytes(after.arenaBytes), formatRatio(before.arenaBytes / Math.max(1, after.arenaBytes))],
    ],
    width,
  );
  const notes = [
    `${formatCount(parameters)} parameters, ${formatBytes(after.weightBytes)} of weights; ${formatCount(after.multiplyAdds)} multiply-adds`,
    `inputs, weights and outputs alone are ${formatBytes(after.floorBytes)}; the device's balance is ${balanceOf(profile).toFixed(1)} operations a byte`,
  ];
  return [table, ...notes.flatMap((n) => wrapText(n, width))].join('\n');
}

function why(report: Report, width: number): string {
  return [heading('Why'), ...findings(report).flatMap((text) => wrapText(plain(text), width - 2).map((line, i) => `${i === 0 ? '- ' : '  '}${line}`))].join('\n');
}

function shares({ shares: list, before, after }: Report, width: number): string {
  const share = (part: number, whole: number): string => (whole > 0 ? formatShare(part / whole) : '-');
  return [
    heading('By kind of dispatch (as written, then compiled)'),
    fitTable(
      [{ title: 'kind' }, { title: 'bytes', right: true, drop: 1 }, { title: 'now', right: true }, { title: 'time', right: true, drop: 2 }, { title: 'now', right: true }, { title: 'dispatches', right: true, drop: 3 }, { title: 'now', right: true, drop: 3 }, { title: '', drop: 4 }],
      list.map((s) => [
        s.kind,
        share(s.before.leastBytes, before.leastBytes),
        share(s.after.leastBytes, after.leastBytes),
        share(s.before.seconds, before.seconds),
        share(s.after.seconds, after.seconds),
        String(s.before.dispatches),
        String(s.after.dispatches),
        bar(s.after.seconds / after.seconds),
      ]),
      width,
    ),
  ].join('\n');
}

function savings({ savings: list }: Report, width: number): string {
  if (list.length === 0) return '';
  return [
    heading('Saved'),
    fitTable(
      [{ title: 'by', flexible: true }, { title: 'least', right: true }, { title: 'issued', right: true, drop: 2 }, { title: 'time', right: true }, { title: 'dispatches', right: true, drop: 1 }],
      list.map((s) => [s.label, formatBytes(s.leastBytes), formatBytes(s.issuedBytes), signed(s.seconds), String(s.dispatches)]),
      width,
    ),
  ].join('\n');
}

/** Seconds that may be negative. */
function signed(value: number): string {
  return value < 0 ? `-${seconds(-value)}` : seconds(value);
}

/** The columns that every table of places has; times are measured ones where there are any. */
const PLACE_COLUMNS = [
  { title: 'time', right: true },
  { title: 'share', right: true, drop: 1 },
  { title: 'least', right: true, drop: 2 },
  { title: 'issued', right: true, drop: 5 },
  { title: 'before', right: true, drop: 4 },
  { title: 'operations', right: true, drop: 3 },
  { title: 'per byte', right: true, drop: 6 },
  { title: 'dispatches', right: true, drop: 7 },
] as const;

function placeCells(after: Sums, before: Sums, whole: Sums): string[] {
  const time = (s: Sums): number => (whole.measuredSeconds === undefined ? s.seconds : (s.measuredSeconds ?? 0));
  return [
    seconds(time(after)),
    formatShare(time(after) / time(whole)),
    formatBytes(after.leastBytes),
    formatBytes(after.issuedBytes),
    formatBytes(before.leastBytes),
    formatCount(after.flops),
    after.leastBytes > 0 ? (after.flops / after.leastBytes).toFixed(1) : '-',
    String(after.dispatches),
  ];
}

function blocks(report: Report, rows: number, width: number): string {
  const list = topBlocks(report.blocks, rows);
  const table = fitTable(
    [{ title: 'block', flexible: true }, ...PLACE_COLUMNS, { title: 'parameters', right: true, drop: 4 }],
    list.map((b) => [`${'  '.repeat(b.scope.split('.').length - 1)}${plain(b.scope.split('.').at(-1)!)}${b.block ? ` ${plain(b.block)}` : ''}`, ...placeCells(b.after, b.before, report.after), formatCount(b.parameters)]),
    width,
  );
  return [heading('By block (bytes before: each operation on its own)'), table].join('\n');
}

function lines(report: Report, rows: number, width: number): string {
  const list = [...report.lines].filter((l) => l.after.dispatches > 0).sort((a, b) => b.after.seconds - a.after.seconds).slice(0, rows);
  if (list.length === 0) return '';
  const room = Math.max(16, Math.min(60, width - 40));
  const table = fitTable(
    [{ title: 'line', flexible: true }, ...PLACE_COLUMNS, { title: '', drop: 2 }],
    list.map((l) => [plain(`${l.path}:${l.line}`), ...placeCells(l.after, l.before, report.after), cutMiddle(plain(l.text), room)]),
    width,
  );
  return [heading('By line of the source, with what it calls'), table].join('\n');
}

function kernels(report: Report, rows: number, width: number): string {
  const { measurement } = report;
  const rank = ({ sums }: KernelRow): number => sums.measuredSeconds ?? sums.seconds;
  const list = report.kernels.map((k, i) => ({ ...k, step: report.steps.find((s) => s.kernel === i)! })).sort((a, b) => rank(b) - rank(a)).slice(0, rows);
  const table = fitTable(
    [
      { title: 'kernel', flexible: true },
      { title: 'calls', right: true, drop: 1 },
      { title: 'time', right: true },
      ...(measurement ? [{ title: 'measured', right: true }, { title: 'achieved', right: true, drop: 4 }, { title: 'rate', right: true, drop: 5 }] : []),
      { title: 'bound by' },
      { title: 'least', right: true, drop: 2 },
      { title: 'issued', right: true, drop: 3 },
      { title: 'operations', right: true, drop: 4 },
      { title: 'per byte', right: true, drop: 5 },
      { title: 'fill', right: true, drop: 6 },
      { title: 'family', drop: 7 },
    ],
    list.map(({ id, calls, sums, step, schedule }) => {
      const measured = sums.measuredSeconds;
      return [
        plain(id),
        String(calls),
        seconds(sums.seconds),
        ...(measurement ? [measured === undefined ? '' : seconds(measured), measured ? `${formatBytes(sums.leastBytes / measured)}/s` : '', measured ? `${formatCount(sums.flops / measured)}FLOP/s` : ''] : []),
        TINT[step.bound](step.bound),
        formatBytes(sums.leastBytes),
        formatBytes(sums.issuedBytes),
        formatCount(sums.flops),
        step.intensity.toFixed(1),
        formatShare(step.fill),
        schedule.family,
      ];
    }),
    width,
  );
  const more = report.kernels.length - list.length;
  return [heading('By kernel, all calls'), table, ...(more > 0 ? [color.dim(`and ${more} more: --rows, --json or --html`)] : [])].join('\n');
}

function memory({ memory: m, steps: list }: Report, width: number): string {
  const columns = Math.max(10, Math.min(width - 4, m.timeline.length, 96));
  const levels = Array.from({ length: columns }, (_, i) => {
    const from = Math.floor((i * m.timeline.length) / columns);
    const to = Math.max(from + 1, Math.floor(((i + 1) * m.timeline.length) / columns));
    return Math.max(...m.timeline.slice(from, to));
  });
  const spark = levels.map((v) => ' ▁▂▃▄▅▆▇█'[m.peak.bytes > 0 ? Math.ceil((8 * v) / m.peak.bytes) : 0]).join('');
  const peak = m.tensors.filter((t) => t.live[0] <= m.peak.step && t.live[1] >= m.peak.step).sort((a, b) => b.bytes - a.bytes);
  const at = list[m.peak.step];
  const text = [
    `arena ${formatBytes(m.arenaBytes)}, ${formatShare(m.livenessBound > 0 ? m.arenaBytes / m.livenessBound - 1 : 0)} over the least possible (${formatBytes(m.livenessBound)}); weights ${formatBytes(m.weightBytes)}`,
    `most is live at dispatch ${m.peak.step + 1} of ${list.length}${at?.scope ? `, ${plain(at.scope)}` : ''}: ${peak.slice(0, 3).map((t) => `${plain(t.name)} ${formatBytes(t.bytes)}`).join(', ')}${peak.length > 3 ? ` and ${peak.length - 3} more` : ''}`,
  ];
  return [heading('Memory over time'), color.cyan(spark), ...text.flatMap((t) => wrapText(t, width))].join('\n');
}
