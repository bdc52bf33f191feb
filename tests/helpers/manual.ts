/** The parts of the manual that are made from sources: built-in functions and the standard library. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Item } from '../../src/ast.ts';
import { BUILTINS } from '../../src/elaborate/builtins/table.ts';
import type { Builtin, BuiltinGroup, BuiltinParam } from '../../src/elaborate/builtins/types.ts';
import { parse } from '../../src/parser/parse.ts';

const GROUPS: Readonly<Record<BuiltinGroup, string>> = {
  'element-wise': 'Element by element, on tensors and numbers alike',
  movement: 'Moving elements',
  reduction: 'Reductions',
  contraction: 'Contractions',
  windows: 'Windows',
  order: 'Order',
  sources: 'Making tensors',
  configuration: 'Configuration',
};

/** The manual with its generated parts as they should be. */
export function withGenerated(manual: string): string {
  return fill(fill(manual, 'built-in functions', builtins()), 'standard library', library());
}

function fill(manual: string, name: string, text: string): string {
  const begin = manual.indexOf(`<!-- ${name}: generated`);
  const from = manual.indexOf('\n', begin) + 1;
  const to = manual.indexOf('<!-- end -->', from);
  if (begin < 0 || to < 0) throw new Error(`bug: the manual has no place for ${name}`);
  return `${manual.slice(0, from)}\n${text}\n${manual.slice(to)}`;
}

function builtins(): string {
  const groups = Object.entries(GROUPS).map(([group, title]) => {
    const entries = [...BUILTINS.values()].filter((b) => b.group === group);
    return entries.length ? `### ${title}\n\n${entries.map((b) => `- \`${signature(b)}\`: ${b.doc}`).join('\n')}\n` : '';
  });
  return `Functions of the compiler itself; everything above them is in the language, in the standard library below.\n\n${groups.filter(Boolean).join('\n')}`;
}

function signature(builtin: Builtin): string {
  const params = builtin.params.map((p) => (p.name === builtin.variadic ? `${p.name}...` : parameter(p)));
  return `${builtin.name}(${[...params, ...(builtin.open ? ['name = ...'] : [])].join(', ')})`;
}

function parameter(param: BuiltinParam): string {
  if (param.defaultText !== undefined) return `${param.name} = ${param.defaultText}`;
  return param.default === undefined ? param.name : `${param.name} = ${param.default === null ? 'none' : JSON.stringify(param.default)}`;
}

function library(): string {
  const files = readdirSync('zoo/std').filter((name) => name.endsWith('.vit')).sort();
  return files.map((name) => {
    const source = { path: `std/${name}`, text: readFileSync(`zoo/std/${name}`, 'utf8') };
    const { value } = parse(source);
    const entries = value.items.flatMap((item) => (item.kind !== 'import' && item.doc ? [`- \`${head(item)}\`: ${item.doc.replaceAll('\n', ' ')}`] : []));
    return `### std/${name.replace('.vit', '')}\n\n${value.doc?.replaceAll('\n', ' ') ?? ''}\n\n${entries.join('\n')}\n`;
  }).join('\n');
}

/** A declaration without its body. */
function head(item: Exclude<Item, { kind: 'import' }>): string {
  const text = item.span.source.text.slice(item.span.start, item.span.end);
  const end = item.kind === 'let' || item.kind === 'preset' ? text.length
    : item.kind === 'function' && item.expressionBody ? text.slice(0, item.body[0].span.start - item.span.start).lastIndexOf('=')
    : text.indexOf('{');
  return text.slice(0, end).replace(/\s+/g, ' ').replace(/([([]) /g, '$1').replace(/,? ([)\]])/g, '$1').trim();
}
