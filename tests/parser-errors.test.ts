/** Syntax errors, each with the full text that people see. */
import { parse } from '../src/parser/parse.ts';
import { render } from '../src/render.ts';
import { textTests } from './helpers/text-tests.ts';

textTests({
  folder: 'syntax',
  run: ([source]) => {
    const { diagnostics } = parse(source);
    return diagnostics.length ? diagnostics.map((d) => render(d)).join('\n\n') : 'no findings';
  },
});
