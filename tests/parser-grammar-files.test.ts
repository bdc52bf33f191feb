/** What is made from the grammar follows it: the diagrams and the editor's colours. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ITEM_KEYWORDS, KEYWORDS, SOFT_KEYWORDS, STATEMENT_KEYWORDS } from '../src/parser/tokens.ts';
import { railroadPage } from './helpers/railroad.ts';
import { scopesOf } from './helpers/textmate.ts';

test('the railroad diagrams are drawn from the grammar', () => {
  const path = 'grammar/railroad.html';
  const page = railroadPage();
  if (process.env.BLESS) writeFileSync(path, page);
  expect(readFileSync(path, 'utf8') === page, 'to redraw: BLESS=1 npx vitest run tests/parser-grammar-files.test.ts').toBe(true);
  expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
  for (const [, target] of page.matchAll(/href="#([^"]*)"/g)) expect(page).toContain(`id="${target}"`);
});

describe('the TextMate grammar', () => {
  const scope = (line: string, word: string): string | undefined => scopesOf(line).find(({ text }) => text === word)?.scope;

  test('colours every keyword, and no name', () => {
    for (const word of KEYWORDS) expect(scope(`${word} `, word), word).toMatch(/^(keyword|storage|constant)\./);
    for (const word of ['inputs', 'forward', 'blocks', 'import_', 'x_if', 'notes']) expect(scope(`${word} = 1`, word) ?? '', word).not.toMatch(/^(keyword|storage|constant)\./);
    expect([...ITEM_KEYWORDS, ...STATEMENT_KEYWORDS].every((word) => (KEYWORDS as readonly string[]).includes(word))).toBe(true);
    for (const word of SOFT_KEYWORDS) expect(scope(`import { a as b } from "c" ignore "d"`, word), word).toMatch(/^keyword\./);
  });

  test('colours an example', () => {
    const scopes = (line: string): string[] => scopesOf(line).filter(({ scope: s }) => s).map(({ text, scope: s }) => `${text} ${s}`);
    expect(scopes('  x = blocks[i].attn: Attention(dim, heads = 3)(x) * 0.5 // done')).toEqual([
      '= keyword.operator.vit', 'blocks entity.name.label.vit', 'i entity.name.label.vit', 'attn entity.name.label.vit',
      'Attention entity.name.type.vit', 'heads variable.parameter.vit', '= keyword.operator.vit', '3 constant.numeric.vit',
      '* keyword.operator.vit', '0.5 constant.numeric.vit', '// done comment.line.double-slash.vit',
    ].filter((entry) => entry !== 'i entity.name.label.vit'));
    expect(scopes('/// Doc.')).toEqual(['/// Doc. comment.line.documentation.vit']);
    expect(scopes('output y = f("a\\n") @labels("b")')).toEqual([
      'output storage.type.vit', '= keyword.operator.vit', 'f entity.name.function.vit', '"a string.quoted.double.vit', '\\n constant.character.escape.vit', '" string.quoted.double.vit',
      '@labels entity.name.tag.vit', '"b" string.quoted.double.vit',
    ]);
    expect(scopes('x.input.for')).toEqual([]);
  });

  test('reads the whole zoo: every character once, strings and comments as they are', () => {
    for (const name of readdirSync('zoo', { recursive: true, encoding: 'utf8' }).filter((n) => n.endsWith('.vit'))) {
      for (const line of readFileSync(`zoo/${name}`, 'utf8').split('\n')) {
        const parts = scopesOf(line);
        expect(parts.map(({ text }) => text).join('')).toBe(line);
        const comment = parts.find(({ scope: s }) => s?.startsWith('comment.'));
        if (comment) expect(line.endsWith(comment.text)).toBe(true);
      }
    }
  });
});
