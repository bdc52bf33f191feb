/** Reads a line by grammar/vit.tmLanguage.json as an editor does, as far as that grammar needs: rules, first match wins. */
import { readFileSync } from 'node:fs';

interface Rule {
  readonly include?: string;
  readonly name?: string;
  readonly match?: string;
  readonly begin?: string;
  readonly end?: string;
  readonly captures?: Readonly<Record<string, { readonly name: string }>>;
  readonly patterns?: readonly Rule[];
}

interface Grammar {
  readonly patterns: readonly Rule[];
  readonly repository: Readonly<Record<string, Rule>>;
}

export interface Scoped {
  readonly text: string;
  readonly scope?: string;
}

const grammar = JSON.parse(readFileSync('grammar/vit.tmLanguage.json', 'utf8')) as Grammar;

function flatten(rules: readonly Rule[]): Rule[] {
  return rules.flatMap((rule) => {
    if (rule.include) return flatten([grammar.repository[rule.include.slice(1)]]);
    return rule.match === undefined && rule.begin === undefined ? flatten(rule.patterns ?? []) : [rule];
  });
}

/** The pieces of one line with their innermost scopes. */
export function scopesOf(line: string): Scoped[] {
  const out: Scoped[] = [];
  let from = 0;
  let inside: Rule | undefined;
  const add = (to: number, scope?: string): void => {
    if (to > from) out.push({ text: line.slice(from, to), ...(scope && { scope }) });
    from = Math.max(from, to);
  };
  while (from < line.length) {
    const rules = inside ? flatten(inside.patterns ?? []) : flatten(grammar.patterns);
    const found = rules
      .map((rule) => ({ rule, match: search(rule.match ?? rule.begin!, line, from) }))
      .filter((f) => f.match)
      .reduce<{ rule: Rule; match: RegExpExecArray } | undefined>((best, f) => (!best || f.match!.index < best.match.index ? { rule: f.rule, match: f.match! } : best), undefined);
    const end = inside ? search(inside.end!, line, from) : undefined;
    if (inside && end && (!found || end.index <= found.match.index)) {
      add(end.index + end[0].length, inside.name);
      inside = undefined;
      continue;
    }
    if (!found) {
      add(line.length, inside?.name);
      break;
    }
    const { rule, match } = found;
    add(match.index, inside?.name);
    if (rule.begin) {
      inside = rule;
      // The opening text belongs to the same piece as what follows it.
      const close = search(rule.end!, line, match.index + match[0].length);
      const next = flatten(rule.patterns ?? []).map((r) => search(r.match ?? r.begin!, line, match.index + match[0].length)).filter((m) => m).sort((a, b) => a!.index - b!.index)[0];
      const stop = Math.min(close ? close.index + close[0].length : line.length, next ? next.index : Infinity);
      add(stop, rule.name);
      if (close && stop === close.index + close[0].length) inside = undefined;
      continue;
    }
    for (const [group, { name }] of Object.entries(rule.captures ?? {})) {
      const text = match[Number(group)];
      if (!text) continue;
      const at = line.indexOf(text, from);
      add(at, rule.name);
      add(at + text.length, name);
    }
    add(match.index + match[0].length, rule.name ?? inside?.name);
    if (match[0].length === 0) throw new Error(`bug: the rule ${rule.match} matches nothing at all`);
  }
  return out;
}

function search(pattern: string, line: string, from: number): RegExpExecArray | null {
  const regex = new RegExp(pattern, 'dg');
  regex.lastIndex = from;
  return regex.exec(line);
}
