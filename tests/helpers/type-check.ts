/** What the TypeScript compiler says of programs that use packages. */
import { writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import ts from 'typescript';

/** Writes programs by name into a folder, checks them strictly with the usual libraries or those named, and gives `name.mts: message` of every error, sorted. */
export function typeErrors(folder: string, programs: Readonly<Record<string, string>>, libraries?: readonly string[]): string[] {
  const paths = Object.entries(programs).map(([name, text]) => {
    const path = join(folder, `${name}.mts`);
    writeFileSync(path, text);
    return path;
  });
  const program = ts.createProgram(paths, {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    ...(libraries && { lib: libraries.map((name) => `lib.${name}.d.ts`) }),
    strict: true,
    noEmit: true,
    skipDefaultLibCheck: true,
    types: ['@webgpu/types'],
    typeRoots: [resolve('node_modules')],
  });
  return ts
    .getPreEmitDiagnostics(program)
    .map((d) => `${d.file && basename(d.file.fileName)}: ${ts.flattenDiagnosticMessageText(d.messageText, '\n').split('\n')[0]}`)
    .sort();
}
