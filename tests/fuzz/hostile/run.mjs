#!/usr/bin/env node
/**
 * Fuzzes every reader of the compiler in child processes with a memory limit and a watchdog:
 *
 *   node tests/fuzz/hostile/run.mjs --count 100000 --seed 1 [--surface NUMBER] [--index NUMBER] [--output FILE.json]
 *
 * The sources are compiled into out/fuzz first. A case fails where it throws what is no error of ours, takes more than
 * 2 s of processor time or 512 MiB. A case that failed by time or memory runs again alone, so that what came before it
 * is not held against it. Exit code 1 where anything failed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const BUILT = join(ROOT, 'out', 'fuzz');
const MOST_MILLISECONDS = 2000;
const MOST_BYTES = 512 * 2 ** 20;
/** Without a word for so long, a child is taken to hang, however busy the machine. */
const PATIENCE = 30_000;

const { values } = parseArgs({
  options: { count: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' }, surface: { type: 'string' }, index: { type: 'string' }, output: { type: 'string' } },
});
const seed = Number(values.seed);

function build() {
  mkdirSync(BUILT, { recursive: true });
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', join(ROOT, 'tests', 'fuzz', 'hostile', 'tsconfig.json')], { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the sources do not compile:\n${stdout}`);
  // What the compiled sources look for beside them.
  for (const name of ['zoo', 'dist', 'package.json', 'tests/golden']) {
    const link = join(BUILT, name);
    mkdirSync(dirname(link), { recursive: true });
    if (!existsSync(link)) symlinkSync(join(ROOT, name), link);
  }
}

/** Runs `count` cases from `from`; `onCase` is told of each as it ends. Resolves to the first index not run. */
function runChild(surface, from, count, onCase) {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['--max-old-space-size=256', join(BUILT, 'tests', 'fuzz', 'hostile', 'worker.js'), String(surface), String(seed), String(from), String(count)], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      cwd: ROOT,
    });
    let at = -1;
    let found;
    let watchdog;
    let errors = '';
    let ended = false;
    const arm = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    };
    arm();
    child.stderr.on('data', (text) => (errors = (errors + text).slice(-4000)));
    createInterface({ input: child.stdio[3] }).on('line', (line) => {
      arm();
      if (line.startsWith('> ')) at = Number(line.slice(2));
      else if (line.startsWith('! ')) found = JSON.parse(line.slice(2));
      else if (line.startsWith('< ')) {
        const [milliseconds, bytes, accepted] = line.slice(2).split(' ').map(Number);
        onCase({ index: at, milliseconds, bytes, accepted, ...(found !== undefined && { kind: 'error', text: found }) });
        found = undefined;
        at = -1;
      } else if (line === '.') ended = true;
    });
    child.on('close', (code, signal) => {
      clearTimeout(watchdog);
      if (ended) return done(from + count);
      const index = at >= 0 ? at : from;
      onCase({ index, milliseconds: 0, bytes: 0, kind: signal === 'SIGKILL' ? 'hang' : 'crash', text: `${signal ?? `exit ${code}`}\n${errors}` });
      done(index + 1);
    });
  });
}

const keyOf = (f) => `${f.surface} ${f.kind} ${f.text.split('\n').filter((line, i) => i === 0 || /^ +at /.test(line)).slice(0, 2).join(' ')}`;
const isOver = (c) => c.kind === undefined && (c.milliseconds > MOST_MILLISECONDS || c.bytes > MOST_BYTES);

build();
const { SURFACES, shares } = await import(join(BUILT, 'tests', 'fuzz', 'hostile', 'surfaces.js'));
const counts = shares(Number(values.count));
const report = [];
const failures = [];
const started = Date.now();
for (const [surface, { name }] of SURFACES.entries()) {
  if (values.surface !== undefined && Number(values.surface) !== surface) continue;
  const only = values.index === undefined ? undefined : Number(values.index);
  const end = only === undefined ? counts[surface] : only + 1;
  const entry = { surface, name, cases: 0, accepted: 0, failed: 0, slowestMilliseconds: 0, slowest: -1, mostBytes: 0 };
  const suspects = [];
  // Fresh processes now and then: memory is measured from a known start.
  for (let from = only ?? 0; from < end; ) {
    from = await runChild(surface, from, Math.min(4000, end - from), (c) => {
      entry.cases++;
      entry.accepted += c.accepted ?? 0;
      if (c.kind) {
        entry.failed++;
        failures.push({ surface, name, ...c });
      } else if (isOver(c)) suspects.push(c);
      else {
        if (c.milliseconds > entry.slowestMilliseconds) [entry.slowestMilliseconds, entry.slowest] = [c.milliseconds, c.index];
        entry.mostBytes = Math.max(entry.mostBytes, c.bytes);
      }
    });
  }
  for (const { index } of suspects) {
    await runChild(surface, index, 1, (c) => {
      if (isOver(c)) c.kind = c.bytes > MOST_BYTES ? 'memory' : 'time';
      if (c.kind) {
        entry.failed++;
        failures.push({ surface, name, ...c, text: c.text ?? `${c.milliseconds} ms, ${(c.bytes / 2 ** 20).toFixed(0)} MiB` });
      } else if (c.milliseconds > entry.slowestMilliseconds) [entry.slowestMilliseconds, entry.slowest] = [c.milliseconds, c.index];
    });
  }
  report.push(entry);
  console.log(`${String(surface).padStart(2)} ${name.padEnd(54)} ${String(entry.cases).padStart(6)} cases  ${String(entry.accepted).padStart(6)} accepted  ${entry.failed} failed  slowest ${entry.slowestMilliseconds.toFixed(0)} ms (${entry.slowest})  at most ${(entry.mostBytes / 2 ** 20).toFixed(0)} MiB`);
}
const cases = report.reduce((sum, r) => sum + r.cases, 0);
console.log(`seed ${seed}: ${cases} cases in ${((Date.now() - started) / 1000).toFixed(0)} s, ${failures.length} failed`);
// Alike ones once: by what was thrown, and where.
const groups = failures.reduce((map, f) => map.set(keyOf(f), [...(map.get(keyOf(f)) ?? []), f]), new Map());
for (const [, [f, ...more]] of groups) console.log(`\n--- surface ${f.surface} (${f.name}), index ${f.index}: ${f.kind}${more.length > 0 ? `, and ${more.length} like it` : ''}\n${f.text.slice(0, 1500)}`);
if (values.output) writeFileSync(values.output, JSON.stringify({ seed, cases, surfaces: report, failures }, null, 2));
process.exit(failures.length > 0 ? 1 : 0);
