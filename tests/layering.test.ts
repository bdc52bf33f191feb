/** The rules of ARCHITECTURE.md that a machine can check. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { Node, Project, SyntaxKind } from 'ts-morph';
import { describe, expect, it } from 'vitest';

const SRC = resolve('src');
const files = (readdirSync(SRC, { recursive: true }) as string[]).filter((f) => f.endsWith('.ts')).map((f) => f.split(sep).join('/')).sort();

/** Folders that hold nouns: several files of one idea. */
const NOUN_FOLDERS = new Set(['ops', 'codes']);

function roomOf(file: string): string {
  if (file === 'cli.ts' || file.startsWith('cli/')) return 'cli';
  if (file === 'compile.ts') return 'compile';
  if (file.startsWith('codegen/runtime/')) return 'runtime';
  const folder = file.includes('/') ? file.slice(0, file.indexOf('/')) : '';
  return folder === '' || NOUN_FOLDERS.has(folder) ? 'noun' : folder;
}

interface Edge {
  readonly from: string;
  readonly to: string;
  /** Erased when compiled: `import type`, or types only in braces. */
  readonly typeOnly: boolean;
}

const project = new Project({ skipAddingFilesFromTsConfig: true, skipFileDependencyResolution: true });
const edges: Edge[] = project.addSourceFilesAtPaths(`${SRC}/**/*.ts`).flatMap((file) => {
  const from = relative(SRC, file.getFilePath()).split(sep).join('/');
  const target = (to: string) => (to.startsWith('.') ? relative(SRC, resolve(SRC, dirname(from), to)).split(sep).join('/') : to);
  const declared = [...file.getImportDeclarations(), ...file.getExportDeclarations()].flatMap((declaration) => {
    const to = declaration.getModuleSpecifierValue();
    const named = Node.isImportDeclaration(declaration) ? declaration.getNamedImports() : declaration.getNamedExports();
    const typeOnly = declaration.isTypeOnly() || (named.length > 0 && named.every((name) => name.isTypeOnly()));
    return to === undefined ? [] : [{ from, to: target(to), typeOnly }];
  });
  const dynamic = file.getDescendantsOfKind(SyntaxKind.CallExpression).filter((call) => call.getExpression().getKind() === SyntaxKind.ImportKeyword);
  return [...declared, ...dynamic.map((call) => ({ from, to: target(call.getArguments()[0].getText().replace(/^['"`]|['"`]$/g, '')), typeOnly: false }))];
});

function breaking(rule: (from: string, to: string, edge: Edge) => boolean): string[] {
  return edges.filter((e) => files.includes(e.to) && !rule(roomOf(e.from), roomOf(e.to), e)).map((e) => `${e.from} imports ${e.to}`);
}

describe('layers', () => {
  it('nouns import only nouns', () => {
    expect(breaking((from, to) => from !== 'noun' || to === 'noun')).toEqual([]);
  });

  // Code generation writes the tables that the runtime reads, so it shares their types.
  it('a folder imports nouns and itself, never another folder', () => {
    const free = new Set(['noun', 'compile', 'cli']);
    expect(breaking((from, to) => free.has(from) || to === 'noun' || to === from || (from === 'codegen' && to === 'runtime'))).toEqual([]);
  });

  it('nothing but the command line imports the command line, and nothing but it imports compile.ts', () => {
    expect(breaking((from, to) => from === 'cli' || (to !== 'cli' && to !== 'compile'))).toEqual([]);
  });

  it('the runtime that ships in packages imports nothing but itself', () => {
    // Node's files, by a name that bundlers do not follow.
    const reading = (e: Edge) => e.from === 'codegen/runtime/fetch.ts' && e.to === 'module';
    const outside = edges.filter((e) => roomOf(e.from) === 'runtime' && !e.to.startsWith('codegen/runtime/') && !reading(e));
    expect(outside).toEqual([]);
  });

  it('only the command line touches files and the process', () => {
    const touching = files.filter((f) => roomOf(f) !== 'cli' && roomOf(f) !== 'runtime').filter((f) => /'node:|\bprocess\./.test(readFileSync(join(SRC, f), 'utf8')));
    expect(touching).toEqual([]);
  });

  it('nouns do not import each other in circles', () => {
    const next = new Map<string, string[]>();
    for (const { from, to, typeOnly } of edges) {
      // Types may refer to each other; values may not.
      if (roomOf(from) === 'noun' && files.includes(to) && !typeOnly) next.set(from, [...(next.get(from) ?? []), to]);
    }
    const circles: string[] = [];
    const state = new Map<string, 'open' | 'done'>();
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') {
        circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
        return;
      }
      state.set(file, 'open');
      for (const to of next.get(file) ?? []) visit(to, [...path, file]);
      state.set(file, 'done');
    };
    for (const file of next.keys()) visit(file, []);
    expect(circles).toEqual([]);
  });
});

describe('files', () => {
  it('have a few hundred lines', () => {
    const long = files.map((f) => [f, readFileSync(join(SRC, f), 'utf8').split('\n').length] as const).filter(([, n]) => n > 420);
    expect(long).toEqual([]);
  });

  it('know no architecture by name', () => {
    // Words that mean something else too (`clip`, `mixer`, the ending `.vit`) count in the architecture's own spelling only.
    const plain = readdirSync('zoo').filter((f) => f.endsWith('.vit')).map((f) => f.slice(0, -4)).filter((f) => !['vit', 'clip', 'mixer', 'mae'].includes(f));
    const names = new RegExp(`\\b(${[...plain, 'deit', 'dino', 'dinov2'].join('|')}|vit_\\w+)\\b`, 'i');
    const spelled = /\b(ViT|CLIP|MAE|MLP-?Mixer)\b/;
    const hits = files.flatMap((f) =>
      readFileSync(join(SRC, f), 'utf8')
        .split('\n')
        .map((line, i) => ({ line, at: `${f}:${i + 1}` }))
        .filter(({ line }) => names.test(line) || spelled.test(line))
        .map(({ at, line }) => `${at}: ${line.trim()}`),
    );
    expect(hits).toEqual([]);
  });
});
