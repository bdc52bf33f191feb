/**
 * The packed project, installed in an empty folder, works from there. Dependencies come through npm's own configuration,
 * its cache first; where that cannot be had in time they are linked from this checkout, and the test says so.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'vitc-install-'));
const home = join(folder, 'home');
let packed: { filename: string; size: number; files: { path: string; size: number }[] };

const run = (command: string, args: readonly string[], cwd: string, timeout: number) => spawnSync(command, args, { cwd, encoding: 'utf8', timeout });

/** npm's, or the tarball unpacked with this checkout's dependencies beside it. */
function install(tarball: string): string {
  const { status } = run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock', tarball], home, 40_000);
  if (status === 0 && existsSync(join(home, 'node_modules', 'vitc', 'dist', 'cli.js'))) return 'by npm';
  rmSync(join(home, 'node_modules'), { recursive: true, force: true });
  const own = join(home, 'node_modules', 'vitc');
  mkdirSync(own, { recursive: true });
  expect(run('tar', ['-xzf', tarball, '--strip-components=1', '-C', own], home, 30_000).status).toBe(0);
  // Only what the package declares, directly or not, is linked: what it uses without declaring it stays missing.
  const modules = join(ROOT, 'node_modules');
  const { stdout } = run('npm', ['ls', '--omit=dev', '--all', '--parseable', '--offline'], ROOT, 60_000);
  for (const path of stdout.split('\n').filter((p) => p.includes('node_modules'))) {
    const name = path.slice(path.indexOf('node_modules') + 'node_modules'.length + 1);
    const link = join(home, 'node_modules', name);
    if (name.includes('node_modules') || existsSync(link)) continue;
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(modules, name), link);
  }
  return 'with linked dependencies';
}

beforeAll(() => {
  mkdirSync(home);
  writeFileSync(join(home, 'package.json'), '{ "name": "home", "version": "1.0.0" }\n');
  const pack = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], ROOT, 60_000);
  [packed] = JSON.parse(pack.stdout.slice(pack.stdout.indexOf('['))) as (typeof packed)[];
  console.info(`installed ${install(join(folder, packed.filename))}`);
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const vitc = (...args: string[]) => run(process.execPath, [join(home, 'node_modules', 'vitc', 'dist', 'cli.js'), ...args], home, 60_000);

describe('the packed project', () => {
  test('holds what is needed and nothing else', () => {
    const paths = packed.files.map((f) => f.path);
    for (const needed of ['package.json', 'README.md', 'LICENSE', 'dist/cli.js', 'dist/codegen/runtime/load.js', 'dist/codegen/runtime/load.d.ts', 'zoo/std/prelude.vit', 'zoo/vit.vit', 'zoo/labels/imagenet-1k.txt', 'zoo/pictures/chelsea.png', 'grammar/README.md'])
      expect(paths).toContain(needed);
    expect(paths.filter((path) => !/^(package\.json|README\.md|LICENSE|dist\/.*\.(js|d\.ts)|zoo\/.*\.(vit|md|txt|png|safetensors)|grammar\/.*|bench\/peers\/.*)$/.test(path))).toEqual([]);
    // Three presets come with trained weights, which are nearly all of it.
    const weights = packed.files.filter((f) => f.path.endsWith('.safetensors')).reduce((sum, f) => sum + f.size, 0);
    expect(packed.size - weights).toBeLessThan(2e6);
    expect(packed.size).toBeLessThan(12e6);
  });

  test('checks a model of another folder', () => {
    writeFileSync(join(home, 'm.vit'), 'import { Linear } from "std/layers"\nmodel M() {\n  input x: [B, 4]\n  output y = head: Linear(3)(x)\n}\n');
    const { status, stdout, stderr } = vitc('check', 'm.vit');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('M  15 parameters');
  });

  test('compiles it', () => {
    const { status, stderr } = vitc('compile', 'm.vit', '-o', 'package', '--seed', '1');
    expect([status, stderr]).toEqual([0, '']);
    expect(readdirSync(join(home, 'package'))).toEqual(expect.arrayContaining(['index.js', 'kernels', 'package.json', 'plan.js', 'runtime', 'weights.bin', 'weights.json']));
  });

  test('lists the zoo', () => {
    const { status, stdout } = vitc('zoo', 'mixer');
    expect(status).toBe(0);
    expect(stdout).toContain('mixer');
  });
});
