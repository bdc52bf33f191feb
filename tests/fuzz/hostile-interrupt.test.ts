/** A compile that is ended at any moment leaves a whole package, the old one or the new, and nothing anywhere else. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CliError } from '../../src/cli/errors.ts';
import { makeFolder, restore, writeFolder, writeWhole } from '../../src/cli/outputs.ts';
import { Random } from '../helpers/random.ts';

const CLI = resolve('dist/cli.js');
const ROUNDS = Number(process.env.INTERRUPT_ROUNDS ?? 6);
const folder = mkdtempSync(join(tmpdir(), 'vitc-interrupt-'));
const work = join(folder, 'work');

/** Enough weights that writing takes a while. */
const model = (scale: number): string => `import { Linear } from "std/layers"
model M(width = 1024, depth = 8) {
  input x: [B, width]
  for i in 0..depth { x = gelu(blocks[i]: Linear(width)(x)) * ${scale} }
  output y = x
}
`;

const compile = (cwd = work, env = process.env): ChildProcess => spawn(process.execPath, [CLI, 'compile', 'm.vit', '-o', 'package', '--seed', '1'], { cwd, env, stdio: 'ignore' });
const ended = (child: ChildProcess): Promise<string> =>
  new Promise((done) => {
    const tell = (): void => done(child.signalCode ?? String(child.exitCode));
    if (child.exitCode !== null || child.signalCode !== null) tell();
    else child.once('exit', tell);
  });

/** What a package is: every file's content. */
function fingerprint(path: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(path, { recursive: true, encoding: 'utf8' }).sort()) if (statSync(join(path, name)).isFile()) hash.update(`${name}\0`).update(readFileSync(join(path, name)));
  return hash.digest('hex');
}

beforeAll(() => mkdirSync(work));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a compile over an older package', () => {
  test('leaves the old or the new one, whenever and however it is ended', async () => {
    writeFileSync(join(work, 'm.vit'), model(2));
    expect(await ended(compile())).toBe('0');
    const old = fingerprint(join(work, 'package'));
    writeFileSync(join(work, 'm.vit'), model(3));
    cpSync(join(work, 'package'), join(folder, 'old'), { recursive: true });
    const started = performance.now();
    expect(await ended(compile())).toBe('0');
    const takes = performance.now() - started;
    const fresh = fingerprint(join(work, 'package'));
    expect(fresh).not.toBe(old);

    const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1e9);
    const random = new Random(seed);
    const outcomes: string[] = [];
    const temporary = (): boolean => readdirSync(work).some((name) => name.endsWith('.tmp'));
    /** A compile over the old package. What a round leaves must not pass for what the next one writes. */
    const begin = (): ChildProcess => {
      for (const name of readdirSync(work)) if (name !== 'm.vit') rmSync(join(work, name), { recursive: true });
      cpSync(join(folder, 'old'), join(work, 'package'), { recursive: true });
      return compile();
    };
    /** A compile that is halted while it writes, which shows as a folder beside the package. */
    const writing = async (): Promise<ChildProcess> => {
      for (let tries = 0; tries < 20; tries++) {
        const child = begin();
        const end = ended(child);
        while (child.exitCode === null && !temporary()) await new Promise((next) => setImmediate(next));
        child.kill('SIGSTOP');
        await new Promise((next) => setTimeout(next, 10));
        if (child.exitCode === null && temporary()) return child;
        // On a busy machine this process may have looked too late.
        child.kill('SIGCONT');
        await end;
      }
      throw new Error('no compile was seen writing');
    };
    for (let round = 0; round < ROUNDS; round++) {
      const signal = (['SIGKILL', 'SIGINT', 'SIGTERM'] as const)[round % 3];
      // Half of them while the package is being written, the rest at any time.
      const whileWriting = round % 2 === 0;
      const child = whileWriting ? await writing() : begin();
      if (!whileWriting) await new Promise((next) => setTimeout(next, random.next() * takes * 1.1));
      const end = ended(child);
      child.kill(signal);
      if (whileWriting) child.kill('SIGCONT');
      const how = await end;
      const target = join(work, 'package');
      const where = `seed ${seed}, round ${round}, ${signal}: ${how}`;
      if (signal !== 'SIGKILL') {
        // Nothing is left to put right: the write was not begun, or was ended first.
        expect(readdirSync(work).sort(), where).toEqual(['m.vit', 'package']);
        if (whileWriting) {
          expect(how, where).toBe(signal === 'SIGINT' ? '130' : '143');
          expect(fingerprint(target), where).toBe(fresh);
        }
      }
      // Only a kill between two renames leaves none for a moment: the next command on the folder puts it back.
      if (!existsSync(target)) restore(target);
      const is = fingerprint(target);
      expect([old, fresh], where).toContain(is);
      outcomes.push(`${signal}${whileWriting ? ' while writing' : ''} ${how} ${is === old ? 'old' : 'new'}`);
      expect(readdirSync(work).filter((name) => !/^(m\.vit|package(\.[0-9a-f]+-\d+-[0-9a-f]+\.tmp(\.old)?)?)$/.test(name))).toEqual([]);
    }
    // What was left is gone after the next compile.
    expect(await ended(compile())).toBe('0');
    expect(readdirSync(work).sort()).toEqual(['m.vit', 'package']);
    expect(fingerprint(join(work, 'package'))).toBe(fresh);
    console.info(outcomes.join(', '));
  }, 400_000);
});

describe('what a killed process left', () => {
  const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
  /** A process that is certainly over. */
  const dead = spawnSync(process.execPath, ['-e', '0']).pid;
  const files = new Map([['plan.js', 'export const plan = 2;\n'], ['kernels/a.wgsl', '']]);

  function leave(target: string): void {
    writeFolder(target, new Map([['plan.js', 'export const plan = 1;\n']]));
    renameSync(target, `${target}.${host}-${dead}-00000000.tmp.old`);
    writeFolder(`${target}.new`, files);
    renameSync(`${target}.new`, `${target}.${host}-${dead}-00000000.tmp`);
  }

  test('is put back between two renames', () => {
    const target = join(folder, 'between');
    leave(target);
    restore(target);
    expect(readFileSync(join(target, 'plan.js'), 'utf8')).toContain('1');
    expect(readdirSync(folder).filter((name) => name.startsWith('between'))).toEqual(['between']);
  });

  test('is put back by a command that reads the folder', () => {
    const target = join(folder, 'read');
    leave(target);
    const { stderr } = spawnSync(process.execPath, [CLI, 'run', 'read', '--device', 'cpu'], { cwd: folder, encoding: 'utf8' });
    expect(existsSync(join(target, 'plan.js')), stderr).toBe(true);
  });

  test('and is left alone where its process runs, or another machine wrote it', () => {
    const target = join(folder, 'alone');
    const others = [`${target}.${host}-${process.pid}-00000000.tmp`, `${target}.ffffffff-${dead}-00000000.tmp`, `${target}.tmp`, `${target}2`];
    for (const path of others) mkdirSync(path);
    writeFolder(target, files);
    for (const path of others) expect(existsSync(path)).toBe(true);
  });
});

describe('places that cannot be written', () => {
  const failure = (run: () => void): string => {
    try {
      run();
    } catch (cause) {
      if (cause instanceof CliError) return cause.message;
      throw cause;
    }
    return 'written';
  };
  const unusable = [join(folder, 'file', 'x'), ...(existsSync('/proc/self') ? ['/proc/vitc', '/proc/self/vitc/x'] : [])];

  test('are told of at once', () => {
    writeFileSync(join(folder, 'file'), '');
    for (const place of unusable) {
      expect(failure(() => writeWhole(join(place, 'a'), ''))).toMatch(/^cannot write .*: /);
      expect(failure(() => writeFolder(join(place, 'a'), new Map([['plan.js', '']])))).toMatch(/^cannot write .*: /);
      expect(() => makeFolder(place)).toThrow();
    }
    expect(failure(() => writeWhole(join(folder, 'x'.repeat(300)), ''))).toMatch(/its name is too long$/);
  });

  test('are no place for a cache, and a command that needs one says so', () => {
    const readOnly = join(folder, 'read-only');
    mkdirSync(readOnly);
    chmodSync(readOnly, 0o500);
    writeFileSync(join(work, 'm.vit'), model(2));
    // Root may write anywhere; for others a folder without permission is one more.
    const places = [...unusable.map((place) => resolve(place, '..')), ...(process.getuid?.() === 0 ? [] : [readOnly])];
    for (const place of places) {
      const environment = { ...process.env, XDG_CACHE_HOME: place, LD_LIBRARY_PATH: undefined, VK_DRIVER_FILES: undefined };
      const vitc = (...args: string[]) => spawnSync(process.execPath, [CLI, ...args], { cwd: work, encoding: 'utf8', env: environment, timeout: 60_000 });
      const run = vitc('run', 'm.vit', '--seed', '1', '--device', 'software');
      expect([run.status, run.signal], place).toEqual([3, null]);
      expect(run.stderr).toMatch(/error\[E0922\]: the software adapter is not available: /);
      // What needs no cache goes without.
      expect(vitc('check', 'm.vit').status).toBe(0);
    }
  });
});
