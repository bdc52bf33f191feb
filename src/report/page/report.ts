/** The page of a report: its parts in order. */
import type { BlockRow, KernelRow, PageComparison, PageData, Place, StepRow, Sums } from './model.ts';
import { formatBytes, formatCount, formatRatio, formatShare } from '../../units.ts';
import { h, section, sortableTable, type Child, type Column } from './dom.ts';
import { blockBars, comparisonBars, kindBars, memoryMap, roofline, seconds, waterfall } from './plots.ts';
import { sourceView } from './source.ts';

export function reportPage(data: PageData): HTMLElement[] {
  const { report } = data;
  const { before, after, measurement } = report;

  const kernelPanel = h('div', { class: 'kernel-panel', id: 'kernel' });
  const source = sourceView(data, showKernel);

  function placeLink(place: Place | undefined): Child {
    if (!place) return '';
    return h('button', { type: 'button', class: 'link', click: () => source.show(place.path, place.line) }, `${place.path}:${place.line}`);
  }

  function kernelLink(index: number): Child {
    return h('button', { type: 'button', class: 'link', click: () => showKernel(index) }, report.kernels[index].id);
  }

  /** A kernel's schedule, places and code. */
  function showKernel(index: number): void {
    const kernel = report.kernels[index];
    const steps = report.steps.filter((s) => s.kernel === index);
    kernelPanel.replaceChildren(
      h('h3', {}, kernel.id),
      h('p', {}, `${kernel.calls} calls, ${kernel.workgroups.join(' x ')} workgroups of ${kernel.workgroupSize.join(' x ')}; ${JSON.stringify(kernel.schedule)}`),
      h('ul', { class: 'places' }, steps.slice(0, 24).map((s) => h('li', {}, s.scope || s.block, ' ', placeLink(s.place), h('span', { class: 'ops' }, ` ${s.ops}`)))),
      ...(steps.length > 24 ? [h('p', {}, `and ${steps.length - 24} more`)] : []),
      h('details', { open: true }, h('summary', {}, 'WGSL'), h('pre', { class: 'scroll code', tabindex: 0 }, data.wgsl[index] ?? 'not included')),
    );
    kernelPanel.scrollIntoView({ block: 'start' });
  }

  interface Card {
    readonly title: string;
    readonly value: string;
    readonly note: string;
  }

  function cards(): readonly Card[] {
    const versus = (was: number, is: number, format: (n: number) => string): string => `${format(was)} as written, ${formatRatio(was / Math.max(Number.MIN_VALUE, is))}`;
    return [
      ...(measurement ? [{ title: 'measured time', value: seconds(measurement.wholeSeconds), note: measurement.device }] : []),
      { title: 'predicted time', value: seconds(after.seconds), note: versus(before.seconds, after.seconds, seconds) },
      { title: 'dispatches', value: String(after.dispatches), note: versus(before.dispatches, after.dispatches, String) },
      { title: 'least bytes', value: formatBytes(after.leastBytes), note: versus(before.leastBytes, after.leastBytes, formatBytes) },
      { title: 'issued bytes', value: formatBytes(after.issuedBytes), note: versus(before.issuedBytes, after.issuedBytes, formatBytes) },
      { title: 'operations', value: formatCount(after.flops), note: `${after.intensity.toFixed(1)} a byte; ${formatCount(after.multiplyAdds)} multiply-adds` },
      { title: 'memory for tensors', value: formatBytes(after.arenaBytes), note: `${formatBytes(after.livenessBound)} live at once at least` },
      { title: 'weights', value: formatBytes(after.weightBytes), note: `${formatCount(report.parameters)} parameters` },
    ];
  }

  function sumColumns<Row>(of: (row: Row) => { readonly after: Sums; readonly before?: Sums }): Column<Row>[] {
    const measured: Column<Row>[] = measurement ? [{ title: 'measured', value: (r) => of(r).after.measuredSeconds, show: (r) => (of(r).after.measuredSeconds === undefined ? '' : seconds(of(r).after.measuredSeconds!)) }] : [];
    return [
      { title: 'time', value: (r) => of(r).after.seconds, show: (r) => seconds(of(r).after.seconds), hint: 'predicted' },
      ...measured,
      { title: 'share', value: (r) => of(r).after.seconds / after.seconds, show: (r) => formatShare(of(r).after.seconds / after.seconds) },
      { title: 'least', value: (r) => of(r).after.leastBytes, show: (r) => formatBytes(of(r).after.leastBytes), hint: 'each distinct byte once a dispatch' },
      { title: 'issued', value: (r) => of(r).after.issuedBytes, show: (r) => formatBytes(of(r).after.issuedBytes), hint: 'what the loads and stores ask for' },
      { title: 'operations', value: (r) => of(r).after.flops, show: (r) => formatCount(of(r).after.flops) },
      { title: 'per byte', value: (r) => (of(r).after.leastBytes > 0 ? of(r).after.flops / of(r).after.leastBytes : undefined), show: (r) => (of(r).after.leastBytes > 0 ? (of(r).after.flops / of(r).after.leastBytes).toFixed(1) : '') },
    ];
  }

  const beforeColumns: Column<{ readonly before: Sums }>[] = [
    { title: 'time as written', value: (r) => r.before.seconds, show: (r) => seconds(r.before.seconds) },
    { title: 'least as written', value: (r) => r.before.leastBytes, show: (r) => formatBytes(r.before.leastBytes) },
  ];

  const stepOf = new Map<number, StepRow>();
  for (const s of report.steps) if (!stepOf.has(s.kernel)) stepOf.set(s.kernel, s);

  function kernelsTable(): HTMLElement {
    type Row = KernelRow & { readonly index: number };
    const rows: Row[] = report.kernels.map((k, index) => ({ ...k, index }));
    const achieved: Column<Row>[] = measurement
      ? [
          { title: 'achieved', value: (r) => r.sums.leastBytes / (r.sums.measuredSeconds ?? NaN), show: (r) => (r.sums.measuredSeconds ? `${formatBytes(r.sums.leastBytes / r.sums.measuredSeconds)}/s` : '') },
          { title: 'rate', value: (r) => r.sums.flops / (r.sums.measuredSeconds ?? NaN), show: (r) => (r.sums.measuredSeconds ? `${formatCount(r.sums.flops / r.sums.measuredSeconds)}FLOP/s` : '') },
        ]
      : [];
    return sortableTable<Row>(
      [
        { title: 'kernel', value: (r) => r.id, show: (r) => kernelLink(r.index) },
        { title: 'kind', value: (r) => r.kind },
        { title: 'calls', value: (r) => r.calls },
        ...sumColumns<Row>((r) => ({ after: r.sums })),
        ...achieved,
        { title: 'bound by', value: (r) => stepOf.get(r.index)!.bound, show: (r) => h('span', { class: `bound ${stepOf.get(r.index)!.bound}` }, stepOf.get(r.index)!.bound) },
        { title: 'fill', value: (r) => stepOf.get(r.index)!.fill, show: (r) => formatShare(stepOf.get(r.index)!.fill), hint: 'share of the cores that its workgroups keep busy' },
        { title: 'family', value: (r) => r.schedule.family },
      ],
      rows,
      { by: measurement ? 'measured' : 'time', limit: 40 },
    );
  }

  function stepsTable(): HTMLElement {
    return sortableTable<StepRow>(
      [
        { title: '#', value: (s) => s.index },
        { title: 'kernel', value: (s) => report.kernels[s.kernel].id, show: (s) => kernelLink(s.kernel) },
        { title: 'scope', value: (s) => s.scope },
        { title: 'line', value: (s) => (s.place ? `${s.place.path}:${s.place.line}` : ''), show: (s) => placeLink(s.place) },
        { title: 'time', value: (s) => s.seconds, show: (s) => seconds(s.seconds) },
        ...(measurement ? [{ title: 'measured', value: (s: StepRow) => s.measuredSeconds, show: (s: StepRow) => (s.measuredSeconds === undefined ? '' : seconds(s.measuredSeconds)) }] : []),
        { title: 'bound by', value: (s) => s.bound, show: (s) => h('span', { class: `bound ${s.bound}` }, s.bound) },
        { title: 'least', value: (s) => s.leastLoadBytes + s.leastStoreBytes, show: (s) => formatBytes(s.leastLoadBytes + s.leastStoreBytes) },
        { title: 'issued', value: (s) => s.issuedLoadBytes + s.issuedStoreBytes, show: (s) => formatBytes(s.issuedLoadBytes + s.issuedStoreBytes) },
        { title: 'from memory', value: (s) => s.memoryBytes, show: (s) => formatBytes(s.memoryBytes), hint: 'least bytes that the cache does not hold' },
        { title: 'operations', value: (s) => s.flops, show: (s) => formatCount(s.flops) },
        { title: 'parameters', value: (s) => s.parameters, show: (s) => formatCount(s.parameters) },
        { title: 'computes', value: (s) => s.ops },
      ],
      report.steps,
      { limit: 60 },
    );
  }

  const depthOf = (scope: string): number => scope.split('.').length;

  /** Blocks as deep as 24 bars allow, in the model's order. */
  function shownBlocks(): BlockRow[] {
    const named = report.blocks.filter((b) => b.scope !== '' && b.after.seconds + b.before.seconds > 0);
    let shown: BlockRow[] = [];
    for (let depth = 1; depth < 9; depth++) {
      // A block stands for what is below it until its children are shown.
      const level = named.filter((b) => depthOf(b.scope) === depth || (depthOf(b.scope) < depth && !named.some((c) => c.scope.startsWith(`${b.scope}.`))));
      if (depth > 1 && level.length > 24) break;
      if (level.length > 0) shown = level;
    }
    return shown;
  }

  function blocksSection(): Child {
    const rows = shownBlocks().map((b) => ({ name: b.scope, after: b.after.seconds, before: b.before.seconds }));
    const table = sortableTable<BlockRow>(
      [
        { title: 'block', value: (b) => b.scope, show: (b) => h('span', { title: b.scope, style: `padding-left: ${0.8 * (b.scope === '' ? 0 : depthOf(b.scope))}em` }, b.scope === '' ? report.model : b.scope.split('.').at(-1)!, b.block !== '' && h('span', { class: 'block-name' }, ` ${b.block}`)) },
        ...sumColumns<BlockRow>((b) => b),
        { title: 'dispatches', value: (b) => b.after.dispatches },
        { title: 'parameters', value: (b) => b.parameters, show: (b) => formatCount(b.parameters) },
        { title: 'weights', value: (b) => b.weightBytes, show: (b) => formatBytes(b.weightBytes) },
        ...(beforeColumns as Column<BlockRow>[]),
      ],
      report.blocks,
      { limit: 40 },
    );
    const kinds = sortableTable(
      [
        { title: 'block of the source', value: (b: (typeof report.blockTypes)[number]) => b.block },
        { title: 'places', value: (b) => b.places },
        ...sumColumns<(typeof report.blockTypes)[number]>((b) => b),
        ...(beforeColumns as Column<(typeof report.blockTypes)[number]>[]),
      ],
      report.blockTypes,
      { by: 'time', limit: 20 },
    );
    return [blockBars(rows, seconds, 'predicted time; the pale bar is as written'), table, h('h3', {}, 'Blocks of the source, all places together'), kinds];
  }

  function profileSection(): Child {
    const { profile } = report;
    const figures: [string, string, string | undefined][] = [
      ['memory bandwidth', `${formatBytes(profile.bandwidth)}/s`, profile.sources.bandwidth],
      ['shared cache', `${formatBytes(profile.cache.bytes)}, ${formatBytes(profile.cache.bandwidth)}/s`, profile.sources.cache],
      ['f32 rate', `${formatCount(profile.rates.f32)}FLOP/s`, profile.sources.rates],
      ...(profile.rates.f16 === undefined ? [] : [['f16 rate', `${formatCount(profile.rates.f16)}FLOP/s`, profile.sources.rates] as [string, string, string | undefined]]),
      ['dispatch', seconds(profile.dispatch), profile.sources.dispatch],
      ['code', `${seconds(profile.fetch)} an instruction`, profile.sources.fetch],
      ['cores', `${profile.cores.count} of ${profile.cores.lanes} lanes at ${formatCount(profile.cores.clock)}Hz, ${profile.cores.invocations} invocations at once`, profile.sources.cores],
      ['latency', `memory ${seconds(profile.latency.memory)}, workgroup memory ${seconds(profile.latency.local)}, barrier ${seconds(profile.latency.barrier)}`, profile.sources.latency],
    ];
    return h('div', { class: 'scroll', tabindex: 0 }, h('table', {}, h('thead', {}, h('tr', {}, ['figure', 'value', 'where from'].map((t) => h('th', { scope: 'col' }, t)))), h('tbody', {}, figures.map((row) => h('tr', {}, row.map((cell) => h('td', {}, cell ?? '')))))));
  }

  function comparisonSection(c: PageComparison): HTMLElement {
    type Row = { readonly name: string; readonly seconds: readonly (number | null)[] };
    const columns = (first: string): Column<Row>[] => [
      { title: first, value: (r) => r.name },
      ...c.labels.map((label, i): Column<Row> => ({ title: label, value: (r) => r.seconds[i] ?? undefined, show: (r) => (r.seconds[i] === null ? '-' : seconds(r.seconds[i])) })),
    ];
    return section('comparison', 'Compared', '', h('ul', { class: 'findings' }, c.findings.map((f) => h('li', {}, f))), comparisonBars(c), sortableTable<Row>(columns('block, time an item'), c.blocks.map((b) => ({ name: b.scope, seconds: b.seconds })), { limit: 40 }));
  }

  return [
    h('header', {}, h('h1', {}, report.model), h('p', { class: 'note' }, `batch ${report.batch}, ${report.dtype}${report.inputs ? `, ${report.inputs} inputs` : ''}, target ${report.target}; predicted for ${report.profile.name}: ${report.profile.description}`), report.doc !== undefined && h('p', { class: 'note' }, report.doc)),
    ...(data.comparison ? [comparisonSection(data.comparison)] : []),
    h('ul', { class: 'cards' }, cards().map((c) => h('li', {}, h('span', { class: 'title' }, c.title), h('strong', {}, c.value), h('span', { class: 'note' }, c.note)))),
    h('ul', { class: 'findings' }, data.findings.map((f) => h('li', {}, f))),
    kindBars(report),
    section('roofline', 'Roofline', 'Each kernel at its operations a byte and its rate, larger the more time it takes. The line is what memory and arithmetic allow; the cache lets kernels rise above its slope. Click a kernel for its code.', roofline(report, showKernel)),
    section('savings', 'What optimization saves', 'From every operation of the source as a dispatch of its own to the compiled plan, by cause.', waterfall(report), h('ul', { class: 'note' }, report.savings.map((s) => h('li', {}, `${s.cause}: ${s.label}; ${formatBytes(s.leastBytes)} and ${s.dispatches} dispatches less`)))),
    section('blocks', 'By block', '', blocksSection()),
    section('memory', 'Memory over time', `Tensors at their places in the arena of ${formatBytes(report.memory.arenaBytes)}; the line is what is live, ${formatBytes(report.memory.livenessBound)} at most. Weights take another ${formatBytes(report.memory.weightBytes)}.`, memoryMap(report)),
    section('kernels', 'Kernels', 'All calls of a kernel together; headings sort.', kernelsTable(), kernelPanel),
    section('source', 'Source', 'Share of the time, time, least bytes now and as written, each with what the line calls.', source.element),
    section('dispatches', 'Dispatches', 'In order of execution.', stepsTable()),
    section('profile', 'The device that times are predicted for', '', profileSection()),
  ];
}
