/** Numbers with units, for people. */

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

/** `12.3%` of a share between 0 and 1; small ones keep a digit. */
export function formatShare(share: number): string {
  const percent = 100 * share;
  return `${percent.toFixed(percent !== 0 && Math.abs(percent) < 9.95 ? 1 : 0)}%`;
}

/** `3.4x` */
export function formatRatio(ratio: number): string {
  return Number.isFinite(ratio) ? `${ratio.toFixed(ratio < 9.95 ? 2 : ratio < 99.5 ? 1 : 0)}x` : '-';
}
