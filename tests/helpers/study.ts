/** The figures of docs/study.md: what each model of docs/study/ costs, tables of it, and plots. */
import { plannedCode } from '../../src/cli/reports.ts';
import { Project } from '../../src/cli/files.ts';
import { buildGraph, compileGraph, Sources } from '../../src/compile.ts';
import { paramsOf, sizeOf, type Graph } from '../../src/graph.ts';
import type { OpName } from '../../src/ops/types.ts';
import { opDef } from '../../src/ops.ts';
import { profileNamed } from '../../src/profiles.ts';
import { analyzeSteps } from '../../src/report/steps.ts';
import { BOUNDS, KINDS, type Bound, type Kind } from '../../src/report/types.ts';
import { WEB, type Target } from '../../src/targets.ts';

export const BATCH = 16;
export const PROFILE = 'nvidia-h200';

/** One plan, times in seconds. */
export interface Side {
  readonly seconds: number;
  readonly dispatches: number;
  readonly kinds: Readonly<Partial<Record<Kind, { readonly seconds: number; readonly bound: Bound }>>>;
}

export interface Costs {
  readonly parameters: number;
  /** Of one picture. */
  readonly multiplyAdds: number;
  readonly before: Side;
  readonly after: Side;
}

/** What no target holds is still worth comparing with. */
const ROOMY: Target = { ...WEB, limits: { ...WEB.limits, maxBufferSize: Number.MAX_SAFE_INTEGER, maxStorageBufferBindingSize: Number.MAX_SAFE_INTEGER } };

export function graphOf(file: string, target: string): Graph {
  const project = new Project(`docs/study/${file}.vit`);
  const { value: graph, diagnostics } = buildGraph(new Sources(project), { entry: project.entry, target, batch: BATCH });
  if (!graph || diagnostics.length > 0) throw new Error(`${file}#${target}: ${diagnostics.map((d) => d.message).join('\n')}`);
  return graph;
}

export function costsOf(file: string, target: string): Costs {
  const graph = graphOf(file, target);
  const sideOf = (written: boolean): { side: Side; multiplyAdds: number } => {
    const { value, diagnostics } = compileGraph(graph, written ? { target: ROOMY, dtype: 'f32', fuse: false, passes: { passes: [] } } : { target: WEB, dtype: 'f32' });
    if (!value) throw new Error(`${file}#${target}: ${diagnostics.map((d) => d.message).join('\n')}`);
    const steps = analyzeSteps(plannedCode(value), profileNamed(PROFILE)!);
    const kinds = KINDS.flatMap((kind) => {
      const own = steps.filter((s) => s.row.kind === kind).map((s) => s.row);
      if (own.length === 0) return [];
      const by = (bound: Bound): number => own.reduce((sum, s) => (s.bound === bound ? sum + s.seconds : sum), 0);
      return [[kind, { seconds: own.reduce((sum, s) => sum + s.seconds, 0), bound: [...BOUNDS].sort((a, b) => by(b) - by(a))[0] }] as const];
    });
    const products = steps.flatMap((s) => s.ops).reduce((sum, op) => (opDef(op.op as OpName).class === 'contraction' ? sum + op.flops / 2 : sum), 0);
    return { side: { seconds: steps.reduce((sum, s) => sum + s.row.seconds, 0), dispatches: steps.length, kinds: Object.fromEntries(kinds) }, multiplyAdds: products / BATCH };
  };
  const [before, after] = [sideOf(true), sideOf(false)];
  const parameters = paramsOf(graph).reduce((sum, p) => (p.attrs.buffer ? sum : sum + sizeOf(p.shape)), 0);
  return { parameters, multiplyAdds: before.multiplyAdds, before: before.side, after: after.side };
}

/** Share of the time that is not matrix products and convolutions. */
export function idle(side: Side): number {
  return 1 - (side.kinds.contraction?.seconds ?? 0) / side.seconds;
}

const ms = (seconds: number): string => (1000 * seconds).toFixed(2);
const percent = (share: number): string => `${(100 * share).toFixed(0)}%`;

export function costTable(rows: readonly { readonly name: string; readonly costs: Costs }[], first: string): string {
  return [
    `| ${first} | parameters, M | multiply-adds, M | as written, ms | of it no products | compiled, ms | of it no products |`,
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(({ name, costs: c }) => `| ${name} | ${(c.parameters / 1e6).toFixed(2)} | ${(c.multiplyAdds / 1e6).toFixed(0)} | ${ms(c.before.seconds)} | ${percent(idle(c.before))} | ${ms(c.after.seconds)} | ${percent(idle(c.after))} |`),
  ].join('\n');
}

export function kindTable(models: readonly { readonly name: string; readonly costs: Costs }[]): string {
  const shown = KINDS.filter((kind) => models.some((m) => m.costs.before.kinds[kind] || m.costs.after.kinds[kind]));
  const cell = (side: Side, kind: Kind): string => {
    const of = side.kinds[kind];
    return of ? `${percent(of.seconds / side.seconds)}${of.bound === 'memory' ? ' **memory**' : ` ${of.bound}`}` : '-';
  };
  return [
    `| kind | ${models.map((m) => `${m.name} as written | compiled`).join(' | ')} |`,
    `| --- |${' --- | --- |'.repeat(models.length)}`,
    ...shown.map((kind) => `| ${kind} | ${models.map((m) => `${cell(m.costs.before, kind)} | ${cell(m.costs.after, kind)}`).join(' | ')} |`),
    `| time of ${BATCH} pictures, ms | ${models.map((m) => `${ms(m.costs.before.seconds)} | ${ms(m.costs.after.seconds)}`).join(' | ')} |`,
    `| dispatches | ${models.map((m) => `${m.costs.before.dispatches} | ${m.costs.after.dispatches}`).join(' | ')} |`,
  ].join('\n');
}

/** What a bar of a plot is made of: time of one kind in one plan. */
export interface Bar {
  readonly row: string;
  readonly kind: Kind;
  readonly milliseconds: number;
  readonly memory: boolean;
}

export function barsOf(rows: readonly { readonly name: string; readonly side: Side }[]): Bar[] {
  return rows.flatMap(({ name, side }) => KINDS.flatMap((kind): Bar[] => {
    const of = side.kinds[kind];
    return of ? [{ row: name, kind, milliseconds: Number((1000 * of.seconds).toPrecision(4)), memory: of.bound === 'memory' }] : [];
  }));
}

/** Numbers of a text, each with a unit of its last digit, and the text around them. */
function numbersOf(text: string): { readonly numbers: readonly { readonly value: number; readonly unit: number }[]; readonly rest: string } {
  const numbers: { value: number; unit: number }[] = [];
  const rest = text.replace(/(?<![\w.])-?\d+(?:\.(\d+))?(?:e-?\d+)?/g, (n, decimals: string | undefined) => {
    numbers.push({ value: Number(n), unit: 10 ** -(decimals?.length ?? 0) });
    return '#';
  });
  return { numbers, rest };
}

/**
 * Whether two texts are alike but for numbers that differ by no more than the share, or by one in the last digit: figures
 * that are predicted to a fifth need not be printed anew for every change of a kernel.
 */
export function alike(a: string, b: string, share: number): boolean {
  const [x, y] = [numbersOf(a), numbersOf(b)];
  const near = (n: { value: number; unit: number }, m: { value: number; unit: number }): boolean =>
    Math.abs(n.value - m.value) <= Math.max(share * Math.max(Math.abs(n.value), Math.abs(m.value)), Math.max(n.unit, m.unit)) * (1 + 1e-9);
  return x.rest === y.rest && x.numbers.every((n, i) => near(n, y.numbers[i]));
}
