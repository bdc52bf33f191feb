/** The page's plots, drawn by Observable Plot, which the page carries with it. */
import type * as PlotLibrary from '@observablehq/plot';
import type { Bound, PageComparison, Profile, Report, Saving, Sweep } from './model.ts';
import { formatBytes, formatCount, formatMilliseconds } from '../../units.ts';
import { h } from './dom.ts';

declare const Plot: typeof PlotLibrary;

export const seconds = (value: number): string => (value < 0 ? '-' : '') + formatMilliseconds(1000 * Math.abs(value));

const BOUNDS: readonly Bound[] = ['memory', 'arithmetic', 'latency', 'dispatch'];
const BOUND_COLORS = BOUNDS.map((b) => `var(--${b})`);

/** Draws again when the width changes. */
export function responsive(draw: (width: number) => Element): HTMLElement {
  const figure = h('figure', { class: 'plot' });
  let last = 0;
  const redraw = (): void => {
    const width = Math.floor(figure.clientWidth);
    if (width === 0 || Math.abs(width - last) < 2) return;
    last = width;
    figure.replaceChildren(draw(width));
  };
  new ResizeObserver(redraw).observe(figure);
  return figure;
}

/** FLOP/s that memory or arithmetic allow at an intensity. */
function roof(profile: Profile, intensity: number, rate: number): number {
  return Math.min(rate, intensity * profile.bandwidth);
}

/** Every kernel at its intensity and rate, under what the device allows; clicks select it. */
export function roofline(report: Report, select: (kernel: number) => void): HTMLElement {
  const { profile } = report;
  const points = report.kernels
    .map((k, i) => ({ ...k, index: i, step: report.steps.find((s) => s.kernel === i)! }))
    .filter((k) => k.sums.flops > 0)
    .map(({ index, id, calls, sums, step }) => {
      const time = sums.measuredSeconds ?? sums.seconds;
      return { index, id, calls, bound: step.bound, intensity: sums.flops / sums.leastBytes, rate: sums.flops / time, time, scope: step.scope };
    });
  const low = Math.min(0.1, ...points.map((p) => p.intensity)) / 1.5;
  const high = Math.max(100, ...points.map((p) => p.intensity)) * 1.5;
  const rates = [{ name: 'f32', rate: profile.rates.f32 }, ...(profile.rates.f16 !== undefined && report.dtype === 'f16' ? [{ name: 'f16', rate: profile.rates.f16 }] : [])];
  const roofs = rates.flatMap(({ name, rate }) => [low, rate / profile.bandwidth, high].map((x) => ({ name, x, y: roof(profile, x, rate) })));
  return responsive((width) => {
    const plot = Plot.plot({
      width,
      height: Math.min(460, Math.max(300, width * 0.5)),
      marginLeft: 56,
      marginBottom: 40,
      grid: true,
      x: { type: 'log', domain: [low, high], label: 'operations a byte (least bytes)', tickFormat: tick },
      y: { type: 'log', label: 'FLOP/s', tickFormat: tick },
      r: { range: [2, Math.min(16, width / 40)] },
      color: { domain: BOUNDS as Bound[], range: BOUND_COLORS, legend: true, label: 'bound by' },
      marks: [
        Plot.line(roofs, { x: 'x', y: 'y', z: 'name', stroke: 'currentColor', strokeWidth: 1.5 }),
        Plot.text(rates, { x: high, y: 'rate', text: (d: { name: string; rate: number }) => `${d.name} ${formatCount(d.rate)}FLOP/s`, textAnchor: 'end', dy: -8 }),
        Plot.ruleX([profile.rates.f32 / profile.bandwidth], { strokeDasharray: '3,3', strokeOpacity: 0.5 }),
        Plot.dot(points, { x: 'intensity', y: 'rate', r: 'time', fill: 'bound', fillOpacity: 0.65, stroke: 'bound', strokeWidth: 0.75 }),
        Plot.tip(
          points,
          Plot.pointer({
            x: 'intensity',
            y: 'rate',
            fill: 'var(--surface)',
            title: (d: (typeof points)[number]) => `${d.id}\n${d.scope}\n${d.calls} calls, ${seconds(d.time)}\n${d.intensity.toFixed(1)} operations a byte, ${formatCount(d.rate)}FLOP/s\nbound by ${d.bound}`,
          }),
        ),
      ],
    });
    plot.addEventListener('click', () => {
      const chosen = (plot as unknown as { value?: (typeof points)[number] }).value;
      if (chosen) select(chosen.index);
    });
    return plot;
  });
}

function tick(value: number): string {
  return value < 1 ? String(Number(value.toPrecision(1))) : formatCount(value).replace(' ', '');
}

/** Seconds or bytes of blocks, as compiled over as written. */
export function blockBars(rows: readonly { readonly name: string; readonly after: number; readonly before: number }[], format: (value: number) => string, label: string): HTMLElement {
  return responsive((width) =>
    Plot.plot({
      width,
      height: 40 + 22 * rows.length,
      marginLeft: Math.min(220, width * 0.36),
      marginRight: 64,
      marginBottom: 34,
      x: { label, tickFormat: (v: number) => format(v), ticks: Math.max(2, Math.floor(width / 140)), grid: true },
      y: { domain: rows.map((r) => r.name), label: null, tickFormat: (name: string) => (name.length > width / 18 ? `…${name.slice(-Math.floor(width / 18))}` : name), tickSize: 0 },
      marks: [
        Plot.barX(rows, { y: 'name', x: 'before', fill: 'var(--before)', inset: 1, title: (d: { name: string; before: number }) => `${d.name}\nas written: ${format(d.before)}` }),
        Plot.barX(rows, { y: 'name', x: 'after', fill: 'var(--memory)', insetTop: 4, insetBottom: 4, title: (d: { name: string; after: number }) => `${d.name}\ncompiled: ${format(d.after)}` }),
        Plot.text(rows, { y: 'name', x: (d: { before: number; after: number }) => Math.max(d.before, d.after), text: (d: { after: number }) => format(d.after), textAnchor: 'start', dx: 5 }),
      ],
    }),
  );
}

/** From the time as written to the time as compiled, a cause a bar. */
export function waterfall(report: Report): HTMLElement {
  let level = report.before.seconds;
  const bars = [{ name: 'as written', from: 0, to: level, color: 'var(--before)' }];
  for (const s of report.savings as readonly Saving[]) {
    bars.push({ name: s.cause, from: level, to: level - s.seconds, color: s.seconds >= 0 ? 'var(--arithmetic)' : 'var(--dispatch)' });
    level -= s.seconds;
  }
  bars.push({ name: 'compiled', from: 0, to: report.after.seconds, color: 'var(--memory)' });
  return responsive((width) =>
    Plot.plot({
      width,
      height: 40 + 26 * bars.length,
      marginLeft: 100,
      marginRight: 70,
      x: { label: 'predicted time', tickFormat: (v: number) => seconds(v), ticks: Math.max(2, Math.floor(width / 140)), grid: true },
      y: { domain: bars.map((b) => b.name), label: null, tickSize: 0 },
      marks: [
        Plot.barX(bars, { y: 'name', x1: 'from', x2: 'to', fill: 'color', inset: 2 }),
        Plot.text(bars, { y: 'name', x: (d: { from: number; to: number }) => Math.max(d.from, d.to), text: (d: { from: number; to: number }) => seconds(d.from === 0 ? d.to : d.to - d.from), textAnchor: 'start', dx: 5 }),
      ],
    }),
  );
}

/** The arena: each tensor a box from its first to its last dispatch, at its offset; the line is what is live. */
export function memoryMap({ memory, steps, kernels }: Report): HTMLElement {
  const boxes = memory.tensors.map((t) => ({ ...t, x1: Math.max(0, t.live[0]), x2: Math.min(steps.length, t.live[1] + 1), y1: t.offset, y2: t.offset + t.bytes }));
  const live = memory.timeline.flatMap((bytes, i) => [{ x: i, bytes }, { x: i + 1, bytes }]);
  const nameOf = (t: (typeof boxes)[number]): string => {
    const first = steps[Math.max(0, t.live[0])];
    return `${t.name} [${t.shape.join(', ')}] ${t.storage}\n${formatBytes(t.bytes)} from dispatch ${t.x1} to ${t.x2 - 1}${first ? `\nwritten by ${kernels[first.kernel].id}` : ''}`;
  };
  return responsive((width) =>
    Plot.plot({
      width,
      height: Math.min(420, Math.max(260, width * 0.45)),
      marginLeft: 64,
      marginBottom: 40,
      x: { label: 'dispatch', domain: [0, Math.max(1, steps.length)] },
      y: { label: 'arena', tickFormat: (v: number) => formatBytes(v), domain: [0, Math.max(1, memory.arenaBytes)], grid: true },
      color: { domain: ['input', 'temp', 'output'], range: ['var(--arithmetic)', 'var(--memory)', 'var(--dispatch)'], legend: true },
      marks: [
        Plot.rect(boxes, { x1: 'x1', x2: 'x2', y1: 'y1', y2: 'y2', fill: 'kind', fillOpacity: 0.55, stroke: 'var(--surface)', strokeWidth: 0.5 }),
        Plot.line(live, { x: 'x', y: 'bytes', stroke: 'currentColor', strokeWidth: 1.5 }),
        Plot.ruleY([memory.arenaBytes], { strokeDasharray: '4,3' }),
        Plot.tip(boxes, Plot.pointer({ x: (d: (typeof boxes)[number]) => (d.x1 + d.x2) / 2, y: (d: (typeof boxes)[number]) => (d.y1 + d.y2) / 2, fill: 'var(--surface)', title: nameOf })),
      ],
    }),
  );
}

/** Shares of time by kind, as written and compiled. */
export function kindBars(report: Report): HTMLElement {
  const rows = (['before', 'after'] as const).flatMap((side) => report.shares.map((s) => ({ side: side === 'before' ? 'as written' : 'compiled', kind: s.kind, share: s[side].seconds / Math.max(Number.MIN_VALUE, report[side].seconds) })));
  return responsive((width) =>
    Plot.plot({
      width,
      height: 120,
      marginLeft: 74,
      x: { label: 'share of predicted time', percent: true, ticks: 5 },
      y: { label: null, domain: ['as written', 'compiled'], tickSize: 0 },
      color: { domain: report.shares.map((s) => s.kind), range: ['contraction', 'softmax', 'normalization', 'reduction', 'order', 'elementwise', 'movement'].filter((k) => report.shares.some((s) => s.kind === k)).map((k) => `var(--${k})`), legend: true },
      marks: [Plot.barX(rows, Plot.stackX({ y: 'side', x: 'share', fill: 'kind', inset: 0.5, title: (d: (typeof rows)[number]) => `${d.kind}: ${(100 * d.share).toFixed(1)}%` }))],
    }),
  );
}

/** Time an item of each variant, by kind of dispatch. */
export function comparisonBars({ labels, kinds }: PageComparison): HTMLElement {
  const rows = labels.flatMap((label, i) => kinds.map((k) => ({ label, kind: k.kind, seconds: k.seconds[i] ?? 0 })));
  return responsive((width) =>
    Plot.plot({
      width,
      height: 60 + 34 * labels.length,
      marginLeft: Math.min(240, width * 0.36),
      x: { label: 'predicted time an item', tickFormat: (v: number) => seconds(v), ticks: Math.max(2, Math.floor(width / 140)), grid: true },
      y: { label: null, domain: labels as string[], tickSize: 0 },
      color: { domain: kinds.map((k) => k.kind), range: kinds.map((k) => `var(--${k.kind})`), legend: true },
      marks: [Plot.barX(rows, Plot.stackX({ y: 'label', x: 'seconds', fill: 'kind', inset: 1, title: (d: (typeof rows)[number]) => `${d.label}, ${d.kind}: ${seconds(d.seconds)}` }))],
    }),
  );
}

/** Capacity against predicted time; the front is joined. */
export function frontPlot({ points, capacity }: Sweep): HTMLElement {
  const known = points.flatMap((p) => (p.figures ? [{ x: p.figures.seconds, y: p.figures[capacity], front: p.front, name: Object.entries(p.settings).map(([k, v]) => `${k} = ${JSON.stringify(v)}`).join('\n') }] : []));
  return responsive((width) =>
    Plot.plot({
      width,
      height: Math.min(460, Math.max(280, width * 0.5)),
      marginLeft: 64,
      grid: true,
      x: { label: 'predicted time', tickFormat: (v: number) => seconds(v), ticks: Math.max(2, Math.floor(width / 140)) },
      y: { label: capacity === 'parameters' ? 'parameters' : 'multiply-adds', tickFormat: (v: number) => formatCount(v) },
      marks: [
        Plot.line(known.filter((p) => p.front).sort((a, b) => a.x - b.x), { x: 'x', y: 'y', stroke: 'var(--memory)' }),
        Plot.dot(known, { x: 'x', y: 'y', r: 5, stroke: 'var(--memory)', fill: (d: (typeof known)[number]) => (d.front ? 'var(--memory)' : 'none') }),
        Plot.tip(known, Plot.pointer({ x: 'x', y: 'y', fill: 'var(--surface)', title: (d: (typeof known)[number]) => `${d.name}\n${seconds(d.x)}, ${formatCount(d.y)}` })),
      ],
    }),
  );
}
