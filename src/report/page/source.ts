/** The sources with what each line costs in the margin, hot lines marked. */
import type { LineRow, PageData, StepRow } from './model.ts';
import { formatBytes, formatShare } from '../../units.ts';
import { h } from './dom.ts';
import { seconds } from './plots.ts';

export function lineId(path: string, line: number): string {
  return `line-${path}-${line}`.replace(/[^\w.-]/g, '_');
}

/** One file at a time, chosen from a list; `show` brings a line into view. */
export function sourceView({ report, sources }: PageData, onStep: (kernel: number) => void): { readonly element: HTMLElement; readonly show: (path: string, line: number) => void } {
  const rows = new Map(report.lines.map((l) => [`${l.path}:${l.line}`, l]));
  const timeOf = (path: string): number => report.lines.reduce((sum, l) => (l.path === path ? sum + l.self.seconds : sum), 0);
  const hottest = (path: string): number => report.lines.reduce((most, l) => (l.path === path ? Math.max(most, l.after.seconds) : most), 0);
  // The model's own file is where readers begin.
  const files = [...sources].sort((a, b) => Number(a.path.startsWith('std/')) - Number(b.path.startsWith('std/')) || hottest(b.path) - hottest(a.path));
  const choice = h('select', { 'aria-label': 'source file', change: () => render((choice as HTMLSelectElement).value) }, files.map((f) => h('option', { value: f.path }, `${f.path} (${seconds(timeOf(f.path))} of its own)`))) as HTMLSelectElement;
  const body = h('div', { class: 'scroll source', tabindex: 0 });
  const details = h('div', { class: 'line-details' });

  function render(path: string): void {
    choice.value = path;
    details.replaceChildren();
    const text = sources.find((s) => s.path === path)?.text ?? '';
    body.replaceChildren(h('table', {}, h('tbody', {}, text.split('\n').map((content, i) => lineRow(path, i + 1, content.replace(/\r$/, ''))))));
  }

  function lineRow(path: string, line: number, content: string): HTMLElement {
    const row = rows.get(`${path}:${line}`);
    const share = row ? row.after.seconds / report.after.seconds : 0;
    const cells = row
      ? [h('td', { class: 'number' }, formatShare(share)), h('td', { class: 'number' }, seconds(row.after.seconds)), h('td', { class: 'number wide' }, formatBytes(row.after.leastBytes)), h('td', { class: 'number wide' }, formatBytes(row.before.leastBytes))]
      : [h('td'), h('td'), h('td', { class: 'wide' }), h('td', { class: 'wide' })];
    return h(
      'tr',
      { id: lineId(path, line), class: row ? 'costs' : undefined, style: share > 0 ? `--heat: ${Math.min(0.85, Math.sqrt(share)).toFixed(3)}` : undefined },
      cells,
      h('td', { class: 'number line' }, row ? h('button', { type: 'button', click: () => explain(row) }, line) : line),
      h('td', {}, h('pre', {}, content)),
    );
  }

  function explain(row: LineRow): void {
    const steps = row.steps.map((i) => report.steps[i]);
    details.replaceChildren(
      h('p', {}, `Line ${row.line} takes ${seconds(row.after.seconds)} with what it calls (${seconds(row.self.seconds)} itself), ${row.after.dispatches} dispatches; as written ${seconds(row.before.seconds)}, ${row.before.dispatches} dispatches.`),
      ...(steps.length === 0 ? [] : [h('ul', {}, [...new Map(steps.map((s): [number, StepRow] => [s.kernel, s])).values()].map((s) => h('li', {}, h('button', { type: 'button', class: 'link', click: () => onStep(s.kernel) }, report.kernels[s.kernel].id), ` in ${s.scope || s.block}`)))]),
    );
  }

  if (files.length > 0) render(files[0].path);
  return {
    element: h('div', {}, h('label', {}, 'File ', choice), details, body),
    show(path, line) {
      if (choice.value !== path) render(path);
      const row = document.getElementById(lineId(path, line));
      row?.scrollIntoView({ block: 'center' });
      row?.classList.add('chosen');
      setTimeout(() => row?.classList.remove('chosen'), 2000);
    },
  };
}
