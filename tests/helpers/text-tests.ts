/**
 * Text tests: a file holds an input and, after a marker, the text that a function makes of it.
 *
 *     block A(x { return x }
 *     //= expect
 *     // error[E0105]: ...
 *
 * An input of several files names each by a line `//= file NAME`; the text before the first one belongs to the file
 * named as the test's own. The expectation stands in comments at the end, or, where the input should be all of the
 * file, beside it in `NAME.expected`. `BLESS=1` rewrites expectations.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Source } from '../../src/source.ts';

export interface TextTests {
  /** The folder below tests/files. */
  readonly folder: string;
  /** File names that end so are tests; `.vit` unless told. */
  readonly extension?: string;
  /** What begins a comment line in these files; `//` unless told. */
  readonly comment?: string;
  /** Where expectations stand: `inside`, unless a file NAME.expected lies beside the test. */
  readonly expectations?: 'inside' | 'beside';
  /** Makes the text that the test pins; the first source is the test's own. */
  readonly run: (sources: readonly [Source, ...Source[]]) => string | Promise<string>;
}

const ROOT = join(import.meta.dirname, '..', 'files');

/** Declares one test for each file of a folder. */
export function textTests({ folder, extension = '.vit', comment = '//', expectations, run }: TextTests): void {
  const at = join(ROOT, folder);
  const names = readdirSync(at).filter((name) => name.endsWith(extension)).sort();
  describe(folder, () => {
    test('has tests', () => expect(names).not.toEqual([]));
    for (const name of names) {
      test(name, async () => {
        const path = join(at, name);
        const beside = expectations === 'beside' || (!expectations && existsSync(`${path}.expected`));
        const whole = readFileSync(path, 'utf8');
        const marker = `${comment}= expect`;
        const cut = beside ? -1 : ('\n' + whole).lastIndexOf(`\n${marker}\n`);
        const input = cut < 0 ? whole : whole.slice(0, cut);

        const actual = (await run(sourcesOf(name, input, comment))).trimEnd();
        const text = beside ? `${actual}\n` : [marker, ...actual.split('\n').map((line) => `${comment} ${line}`.trimEnd())].join('\n') + '\n';
        const file = beside ? `${path}.expected` : path;
        if (process.env.BLESS) {
          const gap = input === '' || input.endsWith('\n') ? '' : '\n';
          writeFileSync(file, beside ? text : input + gap + text);
          return;
        }
        const expected = beside ? (existsSync(file) ? readFileSync(file, 'utf8') : '') : cut < 0 ? '' : whole.slice(cut);
        const test = relative(process.cwd(), expect.getState().testPath ?? '');
        expect(text, `${relative(process.cwd(), file)} expects other text; to accept this one: BLESS=1 npx vitest run ${test}`).toBe(expected);
      });
    }
  });
}

/** The files of an input: `//= file NAME` begins each but the first. */
export function sourcesOf(name: string, input: string, comment = '//'): [Source, ...Source[]] {
  const parts = input.split(new RegExp(`^${comment}= file (\\S+)\\n`, 'gm'));
  const own: Source = { path: basename(name), text: parts[0] };
  const others: Source[] = [];
  for (let i = 1; i < parts.length; i += 2) others.push({ path: parts[i], text: parts[i + 1] });
  return [own, ...others];
}
