/** Our times beside the peers': ratios like against like, geometric means, tables. */
import { table } from './terminal.ts';

/** `whole`: a call from inputs to outputs in CPU memory. `device`: both stay on the device, calls follow each other. */
export const PLACES = ['whole', 'device'] as const;
export type Place = (typeof PLACES)[number];

/** Milliseconds a call: the median of `samples`. */
export interface Timing {
  readonly median: number;
  readonly samples: number;
}

export interface Times {
  /** What kind of hardware it ran on; undefined where the peer does not tell. */
  readonly runsOn?: 'gpu' | 'cpu';
  /** Milliseconds to make it ready, and of the first call. */
  readonly load?: number;
  readonly first?: number;
  readonly whole?: Timing;
  readonly device?: Timing;
  /** Why there are no times, or why some are missing. */
  readonly error?: string;
}

export interface Setting {
  readonly model: string;
  readonly dtype: 'f32' | 'f16';
  /** How float inputs are given to ours; peers take those of their model's dtype. */
  readonly inputs: 'f32' | 'f16';
  readonly batch: number;
}

/** What models must share for their ratios to be averaged. */
export type Conditions = Omit<Setting, 'model'>;

export interface CaseResult extends Setting {
  readonly ours: Times;
  readonly peers: Readonly<Record<string, Times>>;
  /** The GPU's clock and power right after, where its driver tells. */
  readonly clocks?: string;
}

export interface ComparisonHead {
  readonly format: 'vitc-peers';
  readonly version: 1;
  readonly device: string;
  readonly driver?: string;
  /** ISO 8601, UTC. */
  readonly date: string;
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Seconds that each figure was measured for. */
  readonly seconds: number;
}

export function medianTiming(samples: readonly number[]): Timing {
  const sorted = [...samples].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], samples: sorted.length };
}

/** How many times as long the peer takes; undefined where either was not measured, or they ran on different kinds of hardware. */
export function ratioOf({ ours, peers }: CaseResult, peer: string, place: Place): number | undefined {
  const theirs = peers[peer];
  const [a, b] = [ours[place]?.median, theirs?.[place]?.median];
  const alike = theirs?.runsOn === undefined || ours.runsOn === undefined || theirs.runsOn === ours.runsOn;
  return a !== undefined && b !== undefined && alike ? b / a : undefined;
}

export interface Mean extends Conditions {
  readonly peer: string;
  readonly place: Place;
  /** Of the ratios of `models` models. */
  readonly ratio: number;
  readonly models: number;
}

/** Geometric means of the ratios, one for each dtype, kind of inputs, batch, peer and place: like against like. */
export function geometricMeans(results: readonly CaseResult[]): Mean[] {
  const groups = new Map<string, { setting: Conditions; cases: CaseResult[] }>();
  for (const result of results) {
    const { dtype, inputs, batch } = result;
    const key = `${dtype} ${inputs} ${batch}`;
    if (!groups.has(key)) groups.set(key, { setting: { dtype, inputs, batch }, cases: [] });
    groups.get(key)!.cases.push(result);
  }
  return [...groups.values()].flatMap(({ setting, cases }) =>
    columnsOf(results).flatMap(({ peer, place }): Mean[] => {
      const ratios = cases.flatMap((c) => ratioOf(c, peer, place) ?? []);
      return ratios.length === 0 ? [] : [{ ...setting, peer, place, ratio: Math.exp(ratios.reduce((sum, r) => sum + Math.log(r), 0) / ratios.length), models: ratios.length }];
    }),
  );
}

interface Column {
  readonly place: Place;
  readonly peer: string;
}

/** What any case has of the peers, whole calls first. */
function columnsOf(results: readonly CaseResult[]): Column[] {
  const names = [...new Set(results.flatMap((r) => Object.keys(r.peers)))];
  return PLACES.flatMap((place) => names.filter((peer) => results.some((r) => r.peers[peer]?.[place])).map((peer): Column => ({ place, peer })));
}

/** `f32`, `f16, f16 inputs` */
export function typesOf({ dtype, inputs }: Pick<Setting, 'dtype' | 'inputs'>): string {
  return dtype === 'f32' ? dtype : `${dtype}, ${inputs} inputs`;
}

/** Three digits: `0.931`, `18.7`, `166`. */
export function milliseconds(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function rowsOf(results: readonly CaseResult[]): string[][] {
  const columns = columnsOf(results);
  const peerCells = (result: CaseResult, place: Place): string[] =>
    columns.filter((c) => c.place === place).map(({ peer }) => {
      const timing = result.peers[peer]?.[place];
      const ratio = ratioOf(result, peer, place);
      return timing ? `${milliseconds(timing.median)}${ratio === undefined ? '' : ` (${ratio.toFixed(2)}x)`}` : '-';
    });
  const own = (result: CaseResult, place: Place): string => (result.ours[place] ? milliseconds(result.ours[place].median) : '-');
  const head = ['model', 'dtype', 'inputs', 'batch', ...PLACES.flatMap((place) => [`${place}, ms`, ...columns.filter((c) => c.place === place).map((c) => c.peer)])];
  return [head, ...results.map((r) => [r.model, r.dtype, r.inputs, String(r.batch), ...PLACES.flatMap((place) => [own(r, place), ...peerCells(r, place)])])];
}

function meanLines(results: readonly CaseResult[]): string[] {
  return geometricMeans(results).map(({ dtype, inputs, batch, peer, place, ratio, models }) => `${typesOf({ dtype, inputs })}, batch ${batch}, ${place}: ${peer} takes ${ratio.toFixed(2)} times as long (geometric mean of ${models})`);
}

function failureLines(results: readonly CaseResult[]): string[] {
  return results.flatMap((r) =>
    Object.entries({ vitc: r.ours, ...r.peers }).flatMap(([name, times]) => (times.error === undefined ? [] : [`${r.model}, ${typesOf(r)}, batch ${r.batch}: ${name}: ${times.error}`])),
  );
}

/** For a terminal. */
export function comparisonTable(results: readonly CaseResult[]): string {
  const rows = rowsOf(results);
  const right = new Set(rows[0].map((_, i) => i).filter((i) => i >= 3));
  return [table(rows, right), ...[meanLines(results), failureLines(results)].filter((lines) => lines.length > 0).map((lines) => lines.join('\n'))].join('\n\n');
}

/** For a document. */
export function comparisonMarkdown(head: ComparisonHead, results: readonly CaseResult[]): string {
  const [titles, ...rows] = rowsOf(results);
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const versions = Object.entries(head.versions).map(([name, version]) => `${name} ${version}`).join(', ');
  const list = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n');
  return `${[
    `${head.device}${head.driver ? `, driver ${head.driver}` : ''}, ${head.date.slice(0, 10)}; ${versions}. \`${head.command}\``,
    'Milliseconds a call, medians over windows that alternate between all in the run. *Whole*: from inputs to outputs in CPU memory. *Device*: both stay on the device, calls follow each other. In brackets: how many times as long the peer takes. *Inputs*: how pictures are given to ours; peers take them in the dtype of their model.',
    [row(titles), row(titles.map((_, i) => (i < 3 ? '---' : '---:'))), ...rows.map(row)].join('\n'),
    ...[meanLines(results), failureLines(results)].filter((lines) => lines.length > 0).map(list),
  ].join('\n\n')}\n`;
}
