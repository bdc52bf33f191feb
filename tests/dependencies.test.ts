/** docs/DEPENDENCIES.md lists what is installed with the package; `BLESS=1 npx vitest run tests/dependencies.test.ts` writes the lists anew. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const PAGE = join(ROOT, 'docs', 'DEPENDENCIES.md');

interface Locked {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> };
const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
/** What `npm install vitc` installs, by its place below node_modules. */
const installed = Object.entries(lock.packages).filter(([path, p]) => path !== '' && !p.dev && !p.devOptional);

const nameOf = (path: string): string => path.replace(/^.*node_modules\//, '');

function byLicence(): string[] {
  const groups = new Map<string, string[]>();
  for (const [path, { license = 'none given' }] of installed) groups.set(license, [...(groups.get(license) ?? []), nameOf(path)]);
  return [...groups].sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1)).map(([licence, names]) => `| ${licence} | ${names.length} | ${[...new Set(names)].sort().join(', ')} |`);
}

function lists(): string {
  const optional = installed.filter(([, p]) => p.optional).length;
  return [
    `${Object.keys(dependencies).length} direct dependencies bring ${installed.length} packages in all, ${optional} of them optional: builds for other platforms, of which npm installs the one that fits.`,
    '',
    '| dependency | version | licence |',
    '| --- | --- | --- |',
    ...Object.keys(dependencies).sort().map((name) => `| ${name} | ${lock.packages[`node_modules/${name}`].version} | ${lock.packages[`node_modules/${name}`].license} |`),
    '',
    '| licence | packages | |',
    '| --- | --- | --- |',
    ...byLicence(),
  ].join('\n');
}

const BEGIN = '<!-- lists: begin -->';
const END = '<!-- lists: end -->';

describe('dependencies', () => {
  test('are listed as they are locked', () => {
    const page = readFileSync(PAGE, 'utf8');
    const [before, rest] = page.split(BEGIN);
    const [, after] = rest.split(END);
    const fresh = `${before}${BEGIN}\n${lists()}\n${END}${after}`;
    if (process.env.BLESS) writeFileSync(PAGE, fresh);
    else expect(page, 'the page is stale: BLESS=1 npx vitest run tests/dependencies.test.ts').toBe(fresh);
  });

  test('are each explained', () => {
    const page = readFileSync(PAGE, 'utf8');
    for (const name of Object.keys(dependencies)) expect(page).toContain(`\n### ${name}\n`);
    expect([...page.matchAll(/^### (\S+)$/gm)].map((m) => m[1]).sort()).toEqual(Object.keys(dependencies).sort());
  });

  test('are locked by content, and one runs a script when it is installed', () => {
    for (const [path, { integrity }] of Object.entries(lock.packages)) if (path !== '') expect(integrity, path).toMatch(/^sha512-/);
    // Its script takes macOS's quarantine mark off Dawn's binary.
    expect(installed.filter(([, p]) => p.hasInstallScript).map(([path]) => nameOf(path))).toEqual(['webgpu']);
  });

  test('have licences that a library may be used under', () => {
    const taken = new Set(['Apache-2.0', 'MIT', 'ISC', 'BSD-3-Clause', 'BSD-2-Clause', '0BSD', 'Unlicense', 'LGPL-3.0-or-later']);
    for (const [path, { license = '' }] of installed) for (const part of license.split(' AND ')) expect(taken.has(part), `${path}: ${license}`).toBe(true);
  });

  test('call nothing of lodash-es that advisories are about', () => {
    const users = installed.filter(([, p]) => p.dependencies?.['lodash-es']).map(([path]) => path);
    expect(users.every((path) => path.includes('chevrotain')), users.join()).toBe(true);
    const sources = users.flatMap((path) => {
      const folder = join(ROOT, path, 'lib', 'src');
      return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js')).map((name) => readFileSync(join(folder, name), 'utf8'));
    });
    const taken = sources.flatMap((text) => [...text.matchAll(/import ([^;]*?) from ["']lodash-es["']/g)].map(([, names]) => names));
    expect(taken.length).toBeGreaterThan(20);
    // By name each, so that the names say all.
    for (const names of taken) expect(names).toMatch(/^\{[^*]*\}$/);
    expect(taken.join().match(/\b(template|unset|omit|omitBy|pullAt)\b/g)).toBe(null);
  });
});
