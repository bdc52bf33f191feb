/** A package's files from a compilation: what the pure emitter needs from disk is read here. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Compilation } from '../compile.ts';
import { emitPackage, type PackageFiles } from '../codegen/package.ts';
import { PACKAGE_ROOT } from './files.ts';
import { labelSet } from './labels.ts';

/** The runtime as it ships: compiled JavaScript and its declarations, by file name. */
function runtimeFiles(): ReadonlyMap<string, string> {
  const folder = join(PACKAGE_ROOT, 'dist', 'codegen', 'runtime');
  if (!existsSync(folder)) throw new Error(`bug: the runtime is not built; \`npm run build\` makes it`);
  const files = readdirSync(folder).filter((f) => f.endsWith('.js') || f.endsWith('.d.ts'));
  return new Map(files.map((f) => [f, readFileSync(join(folder, f), 'utf8')]));
}

/** All files of a package; without shards, a package whose weights are packed later. */
export function packageFiles(compilation: Compilation, shards?: readonly Uint8Array[], predicted?: readonly number[]): PackageFiles {
  const { graph, plan, kernels } = compilation;
  const weights = shards?.map((bytes) => ({ bytes, sha256: createHash('sha256').update(bytes).digest('hex') }));
  return emitPackage({ graph, plan, kernels, runtime: runtimeFiles(), weights, labelSet, predicted });
}
