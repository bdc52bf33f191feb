/** The grammar as pictures: grammar/railroad.html, drawn from the parser's own rules. Nothing in the page is fetched. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runInNewContext } from 'node:vm';
import {
  Alternation, NonTerminal, Option, Repetition, RepetitionMandatory, Terminal,
} from 'chevrotain';
import type { Alternative, IProduction, TokenType } from 'chevrotain';
import { VitParser } from '../../src/parser/grammar.ts';
import * as t from '../../src/parser/tokens.ts';

type Picture = { toString(): string };
interface Railroad {
  Diagram(...parts: Picture[]): Picture;
  Sequence(...parts: Picture[]): Picture;
  Choice(normal: number, ...parts: Picture[]): Picture;
  Optional(part: Picture): Picture;
  OneOrMore(part: Picture, separator?: Picture): Picture;
  ZeroOrMore(part: Picture): Picture;
  Terminal(text: string, href?: string): Picture;
  NonTerminal(text: string, href?: string): Picture;
  Skip(): Picture;
}

/** The drawing library, which comes with chevrotain as a script for browsers. */
function loadRailroad(): Railroad {
  const folder = dirname(dirname(dirname(createRequire(import.meta.url).resolve('chevrotain'))));
  const exports = {};
  runInNewContext(readFileSync(join(folder, 'diagrams/vendor/railroad-diagrams.js'), 'utf8'), { exports });
  return exports as Railroad;
}

/** What tokens that are no fixed text look like. */
const CLASSES: readonly (readonly [TokenType, string, string])[] = [
  [t.Identifier, 'name', 'letters, digits and <code>_</code>, beginning with no digit; no word of the language'],
  [t.AnyName, 'word', 'a name, or any word of the language'],
  [t.LabelWord, 'label word', `a name, or one of ${codes(t.TOKENS.filter((token) => token.CATEGORIES?.includes(t.LabelWord) && token !== t.Identifier))}`],
  [t.Numeral, 'number', '<code>12</code>, <code>0.5</code>, <code>1e-6</code>'],
  [t.StringLiteral, 'string', '<code>"text"</code> on one line'],
  [t.BinaryOperator, 'operator', codes(operators(t.BinaryOperator))],
  [t.PrefixOperator, 'prefix', codes(operators(t.PrefixOperator))],
];

function operators(category: TokenType): TokenType[] {
  const foreign = Object.values(t.FOREIGN);
  return t.TOKENS.filter((token) => token.CATEGORIES?.includes(category) && !foreign.includes(token));
}

function codes(tokens: readonly TokenType[]): string {
  return tokens.map((token) => `<code>${escape(label(token))}</code>`).join(' ');
}

function label(token: TokenType): string {
  return (token.LABEL ?? token.name).replaceAll('`', '');
}

export function railroadPage(): string {
  const railroad = loadRailroad();
  const rules = Object.values(new VitParser().getGAstProductions());
  // Each class of the grammar stands on the one before: declarations come last, and are read first.
  const at = (name: string): number => rules.findIndex((rule) => rule.name === name);
  const sorted = [...rules.slice(at('file')), ...rules.slice(at('body'), at('file')), ...rules.slice(0, at('body'))];

  const sequence = (parts: readonly IProduction[]): Picture => {
    const pictures: Picture[] = [];
    for (let i = 0; i < parts.length; i++) {
      const repeated = separated(parts[i], parts[i + 1]);
      if (repeated) i++;
      pictures.push(repeated ? railroad.OneOrMore(draw(parts[i - 1]), draw(repeated)) : draw(parts[i]));
    }
    return pictures.length === 1 ? pictures[0] : railroad.Sequence(...pictures);
  };

  const draw = (part: IProduction): Picture => {
    if (part instanceof Terminal) {
      const known = CLASSES.find(([token]) => token === part.terminalType);
      return known ? railroad.NonTerminal(known[1], '#tokens') : railroad.Terminal(label(part.terminalType));
    }
    if (part instanceof NonTerminal) return railroad.NonTerminal(title(part.nonTerminalName), `#${part.nonTerminalName}`);
    if (part instanceof Alternation) return railroad.Choice(0, ...(part.definition as Alternative[]).map((alternative) => sequence(alternative.definition)));
    const { definition } = part as Option;
    if (part instanceof Option) return railroad.Optional(sequence(definition));
    if (part instanceof Repetition) return railroad.ZeroOrMore(sequence(definition));
    if (part instanceof RepetitionMandatory) return railroad.OneOrMore(sequence(definition));
    throw new Error(`bug: no picture of ${part.constructor.name}`);
  };

  const pictures = sorted.map((rule) => `<h2 id="${rule.name}">${title(rule.name)}</h2>\n${String(railroad.Diagram(sequence(rule.definition)))}`);
  const tokens = CLASSES.map(([, name, text]) => `<tr><td>${name}</td><td>${text}</td></tr>`).join('\n');
  return `<!doctype html>
<!-- Generated from the grammar: BLESS=1 npx vitest run tests/parser-grammar-files.test.ts -->
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The grammar of .vit</title>
<style>
  :root { color-scheme: light dark; --ink: #1d2733; --paper: #fdfdfb; --word: #dcecd8; --rule: #d9e5f5; }
  @media (prefers-color-scheme: dark) { :root { --ink: #dfe6ee; --paper: #14181d; --word: #27402a; --rule: #24364f; } }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink); background: var(--paper); }
  h2 { font: bold 1rem monospace; margin: 2rem 0 0; }
  h2:target { text-decoration: underline; }
  svg { max-width: 100%; height: auto; }
  svg path { stroke: var(--ink); stroke-width: 2; fill: none; }
  svg rect { stroke: var(--ink); stroke-width: 1.5; fill: var(--word); }
  svg .non-terminal rect { fill: var(--rule); }
  svg text { font: bold 14px monospace; text-anchor: middle; fill: var(--ink); }
  td { padding: 0.2rem 1rem 0.2rem 0; vertical-align: top; }
  code { font-size: 0.9rem; margin-right: 0.3rem; }
</style>
<h1>The grammar of .vit</h1>
<p>Round boxes are text as it stands; square ones are rules below, or kinds of <a href="#tokens">words</a>. White space, line breaks and comments may stand between any two. The <a href="README.md">manual</a> says what it all means.</p>
${pictures.join('\n')}
<h2 id="tokens">words</h2>
<table>
${tokens}
</table>
</html>
`;
}

/** For \`x\` followed by any number of \`separator x\`: the separator. */
function separated(part: IProduction, next: IProduction | undefined): Terminal | undefined {
  if (!(next instanceof Repetition) || next.definition.length !== 2) return undefined;
  const [separator, again] = next.definition;
  const sameRule = part instanceof NonTerminal && again instanceof NonTerminal && part.nonTerminalName === again.nonTerminalName;
  const sameToken = part instanceof Terminal && again instanceof Terminal && part.terminalType === again.terminalType;
  return separator instanceof Terminal && (sameRule || sameToken) ? separator : undefined;
}

/** \`configParams\` is shown as "config params". */
function title(rule: string): string {
  return rule.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
