/** What people see: colours, progress and tables; nothing of it in a pipe. */
import { Presets, SingleBar } from 'cli-progress';
import pc from 'picocolors';
import type { Diagnostic } from '../diagnostics.ts';
import { render } from '../render.ts';

const colorErr = pc.createColors(pc.isColorSupported && Boolean(process.stderr.isTTY));
export const color = pc.createColors(pc.isColorSupported && Boolean(process.stdout.isTTY));

/** Standard output's width; 100 where it is no terminal. */
export function terminalWidth(): number {
  return process.stdout.columns ?? 100;
}

export function print(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** A remark for people, on standard error, so that pipes carry results only. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function printDiagnostics(diagnostics: readonly Diagnostic[]): void {
  for (const d of diagnostics) say(render(d, { color: colorErr, width: process.stderr.columns ?? 100 }) + '\n');
}

export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

/** A bar on a terminal's standard error; silent otherwise. */
export function progress(what: string): Progress {
  if (!process.stderr.isTTY) return { update() {}, stop() {} };
  let bar: SingleBar | undefined;
  return {
    update(done, total) {
      if (!bar) {
        bar = new SingleBar({ format: `${what} {bar} {percentage}% {eta_formatted}`, stream: process.stderr, hideCursor: true, clearOnComplete: true, barsize: 24 }, Presets.shades_classic);
        bar.start(1000, 0);
      }
      bar.update(Math.round((1000 * done) / Math.max(1, total)));
    },
    stop() {
      bar?.stop();
    },
  };
}

/** `1.2 kB`, decimal units as in data sheets. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, ['B', 'kB', 'MB', 'GB', 'TB']);
}

/** `2.5 G` of anything. */
export function formatCount(count: number): string {
  return scaled(count, ['', 'k', 'M', 'G', 'T']);
}

function scaled(value: number, units: readonly string[]): string {
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`.trimEnd();
}

export function formatMilliseconds(ms: number): string {
  return ms >= 9999.5 ? `${(ms / 1000).toFixed(1)} s` : ms >= 99.95 ? `${ms.toFixed(0)} ms` : ms >= 0.9995 ? `${ms.toFixed(1)} ms` : `${(ms * 1000).toFixed(1)} µs`;
}

/** Columns padded to their widest cell; numbers (cells of `right` columns) to the right. */
export function table(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string {
  // eslint-disable-next-line no-control-regex
  const visible = (text: string) => text.replace(/\x1b\[[0-9;]*m/g, '').length;
  const widths = rows.reduce<number[]>((w, row) => row.map((cell, i) => Math.max(w[i] ?? 0, visible(cell))), []);
  return rows
    .map((row) => row.map((cell, i) => (right.has(i) ? ' '.repeat(widths[i] - visible(cell)) + cell : cell + ' '.repeat(widths[i] - visible(cell)))).join('  ').trimEnd())
    .join('\n');
}
