/** What people see: colours, progress and tables; nothing of it in a pipe. */
import { Presets, SingleBar } from 'cli-progress';
import pc from 'picocolors';
import type { Diagnostic } from '../diagnostics.ts';
import { render } from '../render.ts';

export { plain } from '../cells.ts';
export { formatBytes, formatCount, formatMilliseconds } from '../units.ts';

const colorErr = pc.createColors(pc.isColorSupported && Boolean(process.stderr.isTTY));
export const color = pc.createColors(pc.isColorSupported && Boolean(process.stdout.isTTY));

/** Standard output's width; 100 where it is no terminal. */
export function terminalWidth(): number {
  return process.stdout.columns ?? 100;
}

/**
 * `text` with everything a terminal would act on written out, line breaks, tabs and the styles of `color` excepted. The
 * escapes are those of JSON, so that JSON stays the same value. Names from files go through `plain` before they are
 * styled; this is what catches the rest.
 */
export function guarded(text: string, styled: boolean): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\x1b\[\d{1,2}m|(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/gu, (found) =>
    styled && found.length > 2 ? found : Array.from({ length: found.length }, (_, i) => (found.length > 2 && i > 0 ? found[i] : `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`)).join(''),
  );
}

export function print(text = ''): void {
  process.stdout.write(`${guarded(text, pc.isColorSupported && Boolean(process.stdout.isTTY))}\n`);
}

/** A remark for people, on standard error, so that pipes carry results only. */
export function say(text: string): void {
  process.stderr.write(`${guarded(text, pc.isColorSupported && Boolean(process.stderr.isTTY))}\n`);
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

/** Columns padded to their widest cell; numbers (cells of `right` columns) to the right. */
export function table(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string {
  // eslint-disable-next-line no-control-regex
  const visible = (text: string) => text.replace(/\x1b\[[0-9;]*m/g, '').length;
  const widths = rows.reduce<number[]>((w, row) => row.map((cell, i) => Math.max(w[i] ?? 0, visible(cell))), []);
  return rows
    .map((row) => row.map((cell, i) => (right.has(i) ? ' '.repeat(widths[i] - visible(cell)) + cell : cell + ' '.repeat(widths[i] - visible(cell)))).join('  ').trimEnd())
    .join('\n');
}
