/** Elaborates sources in memory, beside the standard library of zoo/std. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { File } from '../../src/ast.ts';
import type { Result } from '../../src/diagnostics.ts';
import { elaborate } from '../../src/elaborate/elaborate.ts';
import type { ElaborateRequest } from '../../src/elaborate/elaborate.ts';
import type { Graph } from '../../src/graph.ts';
import { parse } from '../../src/parser/parse.ts';
import type { Source } from '../../src/source.ts';

const STD = join(import.meta.dirname, '..', '..', 'zoo');
const library = new Map<string, Result<File> | undefined>();

/** `std/NAME`, parsed once for all tests. */
export function loadStd(path: string): Result<File> | undefined {
  if (!library.has(path)) {
    const file = join(STD, `${path}.vit`);
    library.set(path, existsSync(file) ? parse({ path: `${path}.vit`, text: readFileSync(file, 'utf8') }) : undefined);
  }
  return library.get(path);
}

/** The part of a request that a test may set. */
export type Options = Partial<Pick<ElaborateRequest, 'target' | 'settings' | 'batch'>>;

/**
 * The first source's graph; the others can be imported by their names. A line `// elaborate: {"target": "m"}` in the
 * first sets options. Syntax errors come first.
 */
export function elaborateSources(sources: readonly [Source, ...Source[]], options: Options = {}): Result<Graph | undefined> {
  const [entry] = sources;
  const directive = /^\/\/ elaborate: (.*)$/m.exec(entry.text);
  const { value: file, diagnostics } = parse(entry);
  const result = elaborate({
    file,
    settings: {},
    batch: 1,
    ...(directive && (JSON.parse(directive[1]) as Options)),
    ...options,
    load: (path) => {
      if (path.startsWith('std/')) return loadStd(path);
      const source = sources.find((s) => s.path === `${path}.vit`);
      return source && parse(source);
    },
  });
  return { value: result.value, diagnostics: [...diagnostics, ...result.diagnostics] };
}

/** As `elaborateSources`, of one text. */
export function elaborateText(text: string, options: Options = {}): Result<Graph | undefined> {
  return elaborateSources([{ path: 'test.vit', text }], options);
}
