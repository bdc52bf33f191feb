/** Sums by place: label path, block of the source, source line. */
import type { Graph, Origin } from '../graph.ts';
import { paramsOf, sizeOf } from '../graph.ts';
import type { Plan } from '../plan.ts';
import { lineText, type Source } from '../source.ts';
import { addTraffic, callersOf, keyOf, noSums, placeOf, type AnalyzedStep } from './steps.ts';
import type { BlockRow, BlockTypeRow, LineRow, Place, Sums } from './types.ts';

/** The two plans that every table sets side by side. */
export interface BothPlans {
  readonly before: readonly AnalyzedStep[];
  readonly after: readonly AnalyzedStep[];
}

/** `a.b.c`: '', a, a.b, a.b.c */
export function pathsTo(scope: string): string[] {
  const parts = scope === '' ? [] : scope.split('.');
  return parts.reduce((paths, part) => [...paths, paths.length > 1 ? `${paths.at(-1)}.${part}` : part], ['']);
}

interface Pair {
  readonly after: Sums;
  readonly before: Sums;
}

/** Traffic and time go to the place of a dispatch's main operation, arithmetic to the place of each operation. */
function spread(plans: BothPlans, placesOf: (origin: Origin) => readonly string[], row: (key: string) => Pair): void {
  for (const side of ['before', 'after'] as const) {
    for (const step of plans[side]) {
      for (const key of placesOf(step.origin)) addTraffic(row(key)[side], step);
      for (const op of step.ops) if (op.flops > 0) for (const key of placesOf(op.origin)) row(key)[side].flops += op.flops;
    }
  }
}

/** Every label path that computes or holds something, parents before children, in order of appearance. */
export function blockRows(graph: Graph, plan: Plan, plans: BothPlans): BlockRow[] {
  const rows = new Map<string, { scope: string; block: string; parameters: number; weightBytes: number; after: Sums; before: Sums }>();
  const row = (scope: string) => {
    let found = rows.get(scope);
    if (!found) rows.set(scope, (found = { scope, block: '', parameters: 0, weightBytes: 0, after: noSums(), before: noSums() }));
    return found;
  };
  // Parents exist before children, as the model first comes to them.
  for (const { origin } of graph.nodes) {
    for (const path of pathsTo(origin.scope)) row(path);
    row(origin.scope).block ||= origin.block;
  }
  for (const { attrs, shape, origin } of paramsOf(graph)) {
    if (!attrs.buffer) for (const path of pathsTo(origin.scope)) row(path).parameters += sizeOf(shape);
  }
  const scopeOf = new Map(paramsOf(graph).map((p) => [p.attrs.name, p.origin.scope]));
  for (const { space, bytes, buffer } of plan.buffers) {
    if (space !== 'weights') continue;
    // Derived weights are named after a parameter, with a suffix.
    const scope = scopeOf.get(buffer.name) ?? scopeOf.get(buffer.name.replace(/~.*$/, '')) ?? '';
    for (const path of pathsTo(scope)) row(path).weightBytes += bytes;
  }
  spread(plans, ({ scope }) => pathsTo(scope), row);
  // Children follow their parents.
  const children = new Map<string, string[]>();
  for (const scope of rows.keys()) {
    if (scope === '') continue;
    const parent = scope.includes('.') ? scope.slice(0, scope.lastIndexOf('.')) : '';
    children.set(parent, [...(children.get(parent) ?? []), scope]);
  }
  const list = (scope: string): BlockRow[] => [rows.get(scope)!, ...(children.get(scope) ?? []).flatMap(list)];
  return list('').filter((r) => r.scope === '' || r.parameters + r.weightBytes + r.after.dispatches + r.before.dispatches + r.after.flops > 0);
}

/** Blocks by name, each with everything below the label paths that it has. */
export function blockTypeRows(blocks: readonly BlockRow[], plans: BothPlans): BlockTypeRow[] {
  const blockOf = new Map(blocks.map((b) => [b.scope, b.block]));
  const rows = new Map<string, { block: string; scopes: Set<string>; self: Sums; after: Sums; before: Sums }>();
  const row = (block: string) => {
    let found = rows.get(block);
    if (!found) rows.set(block, (found = { block, scopes: new Set(), self: noSums(), after: noSums(), before: noSums() }));
    return found;
  };
  const around = ({ scope, block }: Origin): string[] => [...new Set([block, ...pathsTo(scope).map((path) => blockOf.get(path) ?? '')])].filter((name) => name !== '');
  spread(plans, around, row);
  spread({ before: [], after: plans.after }, ({ block }) => [block], (block) => ({ before: noSums(), after: row(block).self }));
  for (const { scope, block } of blocks) if (block !== '') row(block).scopes.add(scope);
  for (const { origin } of [...plans.before, ...plans.after]) row(origin.block).scopes.add(origin.scope);
  return [...rows.values()].map(({ scopes, ...rest }) => ({ ...rest, places: scopes.size })).sort((a, b) => b.after.seconds - a.after.seconds);
}

/** The lines that compute or call what computes, by file and number; and the sources that they are in. */
export function lineRows(plans: BothPlans): { lines: LineRow[]; sources: Source[] } {
  const sources = new Map<string, Source>();
  const rows = new Map<string, { place: Place; self: Sums; after: Sums; before: Sums; steps: number[] }>();
  const places = new Map<string, Place>();
  const note = (place: Place): string => {
    const key = keyOf(place);
    places.set(key, place);
    return key;
  };
  const linesOf = (origin: Origin): string[] => {
    if (origin.span) sources.set(origin.span.source.path, origin.span.source);
    for (let site = origin.caller; site; site = site.caller) sources.set(site.span.source.path, site.span.source);
    return [...(origin.span ? [placeOf(origin.span)] : []), ...callersOf(origin)].map(note);
  };
  const row = (key: string) => {
    let found = rows.get(key);
    if (!found) rows.set(key, (found = { place: places.get(key)!, self: noSums(), after: noSums(), before: noSums(), steps: [] }));
    return found;
  };
  spread(plans, linesOf, row);
  for (const step of plans.after) {
    if (step.origin.span) {
      const own = row(note(placeOf(step.origin.span)));
      addTraffic(own.self, step);
      own.steps.push(step.row.index);
    }
    for (const op of step.ops) if (op.origin.span && op.flops > 0) row(note(placeOf(op.origin.span))).self.flops += op.flops;
  }
  const lines = [...rows.values()].map(({ place, ...rest }): LineRow => ({ ...place, text: lineText(sources.get(place.path)!, place.line).trim(), ...rest }));
  lines.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line));
  return { lines, sources: [...sources.values()] };
}
