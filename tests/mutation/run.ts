/**
 * Mutation tests: each fault of mutations.ts is put into a copy of the sources, and the fuzzer must find it.
 *
 *     npm run mutate [-- --only REGEX] [--count 150] [--seed 1000] [--device software|gpu] [--out tests/mutation/RESULTS.md]
 *
 * First the sources as they are must pass, with as many programs. Ends with 1 where a fault is not found, or where its text
 * no longer stands in the sources.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { MUTATIONS, type Mutation } from './mutations.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    count: { type: 'string', default: '150' },
    seed: { type: 'string', default: '1000' },
    device: { type: 'string', default: 'software' },
    out: { type: 'string' },
  },
});
const root = process.cwd();
const copy = mkdtempSync(join(tmpdir(), 'vitc-mutation-'));

interface Found {
  readonly mutation: Mutation;
  /** Absent: not found. */
  readonly level?: string;
  readonly programs: number;
  readonly seconds: number;
  readonly message: string;
}

function bundle(): void {
  const made = spawnSync(process.execPath, [join(root, 'node_modules', 'rolldown', 'bin', 'cli.mjs'), 'tests/fuzz/programs.ts', '--platform', 'node', '--format', 'esm', '--external', 'webgpu', '--file', 'out/programs.mjs'], { cwd: copy, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`the copy does not bundle:\n${made.stdout}${made.stderr}`);
}

/** What the fuzzer says of the copy, in programs about something where the fault needs it. */
function fuzz(about: string, device: string): { level?: string; programs: number; message: string } {
  const args = ['out/programs.mjs', '--count', options.count, '--seed', options.seed, '--device', device, `--about=${about}`, '--first-failure'];
  const run = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if ((run.status !== 0 && run.status !== 1) || run.stdout === '') return { level: 'crash', programs: 0, message: run.stderr.slice(-500) };
  const summary = JSON.parse(run.stdout) as { programs: number; failures: { level: string; message: string }[] };
  const [failure] = summary.failures;
  return { ...(failure && { level: failure.level }), programs: summary.programs, message: failure?.message.split('\n')[0].slice(0, 160) ?? '' };
}

function attempt(mutation: Mutation): Found {
  const file = join(copy, mutation.file);
  const text = readFileSync(file, 'utf8');
  if (text.split(mutation.find).length !== 2) throw new Error(`${mutation.file} does not have this text once: ${mutation.find}`);
  writeFileSync(file, text.replace(mutation.find, () => mutation.replace));
  const start = performance.now();
  try {
    bundle();
    // Only numbers tell of most faults of generated code; the others show without a device, which is faster.
    const numbers = mutation.file.startsWith('src/codegen/') && !mutation.find.includes('barrier');
    const early = numbers ? undefined : fuzz(mutation.about ?? '', 'cpu');
    return { mutation, ...(early?.level ? early : fuzz(mutation.about ?? '', options.device)), seconds: (performance.now() - start) / 1000 };
  } finally {
    writeFileSync(file, text);
  }
}

function table(found: readonly Found[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const rows = found.map(({ mutation, level, programs, message }) => `| ${mutation.name} | \`${mutation.file.slice(4)}\` | ${level ?? 'not found'} | ${programs} | ${cell(message)} |`);
  return ['| fault | in | found at | programs tried | as |', '| --- | --- | --- | --- | --- |', ...rows, ''].join('\n');
}

const found: Found[] = [];
try {
  for (const part of ['src', 'tests/fuzz', 'tests/helpers', 'zoo', 'package.json']) cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(resolve(root, 'node_modules'), join(copy, 'node_modules'));
  if (options.only === '') {
    bundle();
    const plain = fuzz('', options.device);
    if (plain.level) throw new Error(`without any fault, a program fails at ${plain.level}: ${plain.message}`);
    process.stderr.write(`without any fault ${plain.programs} programs pass\n`);
  }
  for (const mutation of MUTATIONS.filter((m) => new RegExp(options.only).test(m.name))) {
    const result = attempt(mutation);
    found.push(result);
    process.stderr.write(`${result.level ? `found at ${result.level}` : 'NOT FOUND'} after ${result.programs} programs, ${result.seconds.toFixed(0)} s: ${mutation.name}\n`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
process.stdout.write(table(found));
if (options.out) {
  writeFileSync(`${options.out}.tmp`, table(found));
  renameSync(`${options.out}.tmp`, options.out);
}
process.exit(found.every((f) => f.level) ? 0 : 1);
