/** The page of a sweep. */
import type { Sweep, SweepPoint } from './model.ts';
import { formatBytes, formatCount } from '../../units.ts';
import { h, section, sortableTable, type Column } from './dom.ts';
import { frontPlot, seconds } from './plots.ts';

export function sweepPage(sweep: Sweep): HTMLElement[] {
  const names = [...new Set(sweep.points.flatMap((p) => Object.keys(p.settings)))];
  const setting = (p: SweepPoint, name: string): number | string => (typeof p.settings[name] === 'number' ? p.settings[name] : JSON.stringify(p.settings[name]));
  const figure = (title: string, of: keyof NonNullable<SweepPoint['figures']>, show: (n: number) => string): Column<SweepPoint> => ({ title, value: (p) => p.figures?.[of], show: (p) => (p.figures ? show(p.figures[of]) : '') });
  return [
    h('header', {}, h('h1', {}, sweep.model), h('p', { class: 'note' }, `batch ${sweep.batch}, ${sweep.dtype}${sweep.inputs ? `, ${sweep.inputs} inputs` : ''}, target ${sweep.target}; times predicted for ${sweep.profile}`)),
    section('front', 'Pareto front', 'Filled: no other point is as fast and as large.', frontPlot(sweep)),
    section(
      'points',
      'Points',
      '',
      sortableTable<SweepPoint>(
        [
          ...names.map((name): Column<SweepPoint> => ({ title: name, value: (p) => setting(p, name) })),
          figure('time', 'seconds', seconds),
          figure('parameters', 'parameters', formatCount),
          figure('multiply-adds', 'multiplyAdds', formatCount),
          figure('least bytes', 'leastBytes', formatBytes),
          figure('issued bytes', 'issuedBytes', formatBytes),
          figure('per byte', 'intensity', (n) => n.toFixed(1)),
          figure('dispatches', 'dispatches', String),
          figure('memory for tensors', 'arenaBytes', formatBytes),
          { title: 'front', value: (p) => (p.front ? 'yes' : p.problem ?? '') },
        ],
        sweep.points,
      ),
    ),
  ];
}
