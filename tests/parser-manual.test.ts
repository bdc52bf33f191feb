/** Every block of code in the manual is read, formatted and, where it is a whole file, elaborated. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { format } from '../src/parser/format.ts';
import { render } from '../src/render.ts';
import { elaborateText } from './helpers/elaborate.ts';
import { withGenerated } from './helpers/manual.ts';

const PATH = 'grammar/README.md';
const manual = readFileSync(PATH, 'utf8');
const blocks = [...manual.matchAll(/```vit( \w+)?\n([^`]*)```/g)].map(([, kind, text], i) => ({ kind: kind?.trim() ?? 'file', text, name: `block ${i + 1}: ${text.split('\n')[0]}` }));

describe('code in the manual', () => {
  for (const { kind, text, name } of blocks) {
    test(name, () => {
      const file = kind === 'body' ? `model Manual() {\n${text}  input image: [B, 3]\n  output same = image\n}\n` : text;
      const { value: graph, diagnostics } = elaborateText(file, /^preset/m.test(file) ? { target: /^preset (\w+)/m.exec(file)![1] } : {});
      const errors = diagnostics.filter((d) => d.severity === 'error');
      // A file without a model is checked, and has no graph.
      expect(errors.filter((d) => /^model/m.test(file) || d.code !== 'E0601').map((d) => render(d)).join('\n\n')).toBe('');
      if (/^model/m.test(file)) expect(graph).toBeDefined();
    });
  }
  test('whole files stand as `vitc fmt` writes them, but for the columns of their comments', () => {
    const loose = (text: string): string => text.replace(/ +(?=\/\/)/g, '  ');
    for (const { kind, text } of blocks) if (kind !== 'body') expect(format({ path: 'manual.vit', text }).value).toBe(loose(text));
  });
});

test('the lists of functions and of the standard library are generated', () => {
  const made = withGenerated(manual);
  if (process.env.BLESS) writeFileSync(PATH, made);
  expect(readFileSync(PATH, 'utf8'), 'to regenerate: BLESS=1 npx vitest run tests/parser-manual.test.ts').toBe(made);
});

test('links inside the manual lead somewhere', () => {
  const anchors = [...manual.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'));
  for (const [, target] of manual.matchAll(/\]\(#([^)]*)\)/g)) expect(anchors).toContain(target);
});
