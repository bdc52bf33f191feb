/** The runtime that goes into packages, as tsc built it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from './files.ts';

/** The runtime's .js and .d.ts files by name. They are built with the compiler, so a missing folder is a broken installation. */
export function runtimeFiles(): Map<string, string> {
  const folder = join(PACKAGE_ROOT, 'dist', 'codegen', 'runtime');
  if (!existsSync(folder)) throw new Error(`bug: ${folder} is missing: the compiler has not been built (npm run build)`);
  const names = readdirSync(folder).filter((name) => name.endsWith('.js') || name.endsWith('.d.ts'));
  return new Map(names.sort().map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}
