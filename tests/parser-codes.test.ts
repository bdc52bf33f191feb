/** The examples of `vitc explain` show what they say. */
import { describe, expect, test } from 'vitest';
import { SYNTAX_CODES } from '../src/codes/syntax.ts';
import { parse } from '../src/parser/parse.ts';

/** Codes of texts too long for an example. */
const WITHOUT_EXAMPLE = ['E0108', 'E0109', 'E0118'];

describe('every syntax code has an example and its mending', () => {
  for (const [code, { explanation }] of Object.entries(SYNTAX_CODES)) {
    test(code, () => {
      const examples = [...explanation.matchAll(/```vit\n([^`]*)\n```/g)].map(([, text]) => text);
      const found = examples.map((text) => parse({ path: 'example.vit', text }).diagnostics.map((d) => d.code));
      expect(found).toEqual(WITHOUT_EXAMPLE.includes(code) ? [] : [[code], []]);
    });
  }
});
