/** Files and places that the command line was not made for: other encodings, other kinds, links, full disks, closed streams. */
import { spawnSync, type SpawnSyncOptions } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CliError } from '../../src/cli/errors.ts';
import { writeFolder, writeWhole } from '../../src/cli/outputs.ts';
import { decodeText } from '../../src/cli/utf8.ts';
import { testDevice } from '../helpers/device.ts';

const CLI = resolve('dist/cli.js');
const folder = mkdtempSync(join(tmpdir(), 'vitc-files-'));
// Another user than root may look into it.
chmodSync(folder, 0o711);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);
function vitc(args: readonly string[], options: SpawnSyncOptions = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { cwd: folder, ...options, encoding: 'utf8' });
  return { status, stdout, stderr };
}
const shell = (command: string) => spawnSync('bash', ['-c', `vitc() { "${process.execPath}" "${CLI}" "$@"; }; ${command}`], { cwd: folder, encoding: 'utf8', timeout: 60_000 });
const isRoot = process.getuid?.() === 0;

const TINY = 'model Tiny(size = 4) {\n  input x: [B, size]\n  param w: [3, size]\n  output y = einsum("b i, o i -> b o", x, w)\n}\n';
writeFileSync(at('tiny.vit'), TINY);

function refused(run: () => unknown): string {
  try {
    run();
  } catch (cause) {
    if (cause instanceof CliError) return `${cause.diagnostics[0].code} ${cause.message}`;
    throw cause;
  }
  return 'taken';
}

describe('text that is no UTF-8', () => {
  const wide = (text: string, swapped: boolean, mark: boolean): Buffer => {
    const bytes = Buffer.from(`${mark ? '\ufeff' : ''}${text}`, 'utf16le');
    return swapped ? bytes.swap16() : bytes;
  };

  test('is named by its encoding, with a mark or without', () => {
    for (const swapped of [false, true]) for (const mark of [false, true]) expect(refused(() => decodeText(wide(TINY, swapped, mark), 'a.vit'))).toBe('E0901 a.vit is UTF-16');
    const quads = Buffer.concat([...`\ufeff${TINY}`].map((c) => { const quad = Buffer.alloc(4); quad.writeUInt32LE(c.codePointAt(0)!); return quad; }));
    expect(refused(() => decodeText(quads, 'a.vit'))).toBe('E0901 a.vit is UTF-32');
    expect(refused(() => decodeText(quads.swap32(), 'a.vit'))).toBe('E0901 a.vit is UTF-32');
  });

  test.each([
    ['a byte of Latin-1', Buffer.from('// caf\xe9\n', 'latin1'), 'line 1 has the byte 0xE9, at offset 6'],
    ['after a U+FFFD that is meant, and others', Buffer.concat([Buffer.from('\ufeff// \ufffd ü\n\n"\ufffd'), Buffer.of(0xff)]), 'line 3 has the byte 0xFF, at offset 18'],
    ['cut short', Buffer.from('ä€').subarray(0, 4), 'line 1 has the byte 0xE2, at offset 2'],
    ['a surrogate', Buffer.of(0x61, 0x0a, 0xed, 0xa0, 0x80), 'line 2 has the byte 0xED, at offset 2'],
    ['a longer form of a character', Buffer.of(0xc0, 0xaf), 'line 1 has the byte 0xC0, at offset 0'],
  ])('is told by its first wrong byte: %s', (_, bytes, where) => {
    expect(refused(() => decodeText(bytes, 'a.vit'))).toBe(`E0901 a.vit is not UTF-8: ${where}`);
  });

  test('any other text is taken as it is', () => {
    for (const text of ['', 'a', '\0', 'a\0b', '\ufffd', '𝒳 // \u2028']) expect(decodeText(Buffer.from(text), 'a.vit')).toBe(text);
    expect(decodeText(Buffer.from('\ufefflet a = 1'), 'a.vit')).toBe('let a = 1');
  });

  test('ends commands with one error, for imports and tuning files too', () => {
    writeFileSync(at('wide.vit'), wide(TINY, false, true));
    writeFileSync(at('latin.vit'), Buffer.from(`// caf\xe9\n${TINY}`, 'latin1'));
    writeFileSync(at('imports.vit'), 'import { Tiny } from "./latin"\n');
    writeFileSync(at('wide.json'), wide('{}', false, true));
    const help = '\n  = help: save it as UTF-8\n\n';
    for (const command of ['check', 'fmt']) expect(vitc([command, 'wide.vit'])).toEqual({ status: 1, stdout: '', stderr: `error[E0901]: wide.vit is UTF-16${help}` });
    for (const file of ['latin.vit', 'imports.vit']) expect(vitc(['check', file])).toEqual({ status: 1, stdout: '', stderr: `error[E0901]: latin.vit is not UTF-8: line 1 has the byte 0xE9, at offset 6${help}` });
    expect(vitc(['compile', 'tiny.vit', '-o', 'wide', '--tuning', 'wide.json'])).toEqual({ status: 1, stdout: '', stderr: `error[E0901]: wide.json is UTF-16${help}` });
  });
});

describe('arguments of another kind', () => {
  mkdirSync(at('folder.vit'));
  mkdirSync(at('plain'));
  writeFileSync(at('report.json'), '{}');
  test.each([
    ['folder.vit', 'folder.vit is a folder, no source'],
    ['plain', 'plain is a folder, no source'],
    ['report.json', 'report.json is no source: its name does not end in .vit'],
    ['kept', 'kept is a package, compiled before'],
  ])('%s is told what it is', (argument, message) => {
    if (argument === 'kept') writeFolder(at('kept'), new Map([['plan.js', '']]));
    for (const command of [['check', argument], ['report', 'tiny.vit', '--compare', argument]]) expect(vitc(command)).toEqual({ status: 2, stdout: '', stderr: expect.stringContaining(`error[E0904]: ${message}\n`) });
  });

  test('a folder does not hide the preset of its name', () => {
    mkdirSync(at('vit_tiny_patch16_224'));
    expect(vitc(['check', 'vit_tiny_patch16_224'])).toMatchObject({ status: 0, stdout: expect.stringContaining('vit_tiny_patch16_224') });
  });

  test.each([
    ['', '--compare names nothing'],
    ['@set.', 'name=value is wanted'],
    ['@set.size', 'name=value is wanted'],
    ['@profile=report.json', 'report.json is no device profile'],
  ])('report --compare %j says what is wrong', (spec, wrong) => {
    expect(vitc(['report', 'tiny.vit', '--compare', spec])).toEqual({ status: 2, stdout: '', stderr: expect.stringContaining(wrong) });
  });
});

test.skipIf(!(await testDevice()))('a package names the options that it has no use for, and says when its code is damaged', () => {
  expect(vitc(['compile', 'tiny.vit', '--seed', '1', '-o', 'tiny']).status).toBe(0);
  const options = { set: 'size=8', batch: '2', dtype: 'f32', target: 'native', weights: 'w.safetensors', seed: '1', keep: 'other' };
  for (const command of ['run', 'bench'])
    for (const [name, value] of Object.entries(options)) {
      if (command === 'bench' && name === 'keep') continue;
      const { status, stdout, stderr } = vitc([command, 'tiny', '--device', 'software', `--${name}`, value]);
      expect([command, name, status, stdout]).toEqual([command, name, 2, '']);
      expect(stderr).toMatch(new RegExp(`^error\\[E0905\\]: --${name} cannot apply: tiny is a package`));
    }
  const both = vitc(['run', 'tiny', '--device', 'software', '--batch', '2', '--seed', '1']).stderr;
  expect([both.includes('--batch cannot apply'), both.includes('--seed cannot apply')]).toEqual([true, true]);
  for (const [file, text, why] of [['plan.js', 'nonsense(', 'Unexpected end of input'], ['index.js', 'export const x = 1;', 'it exports no `load`']]) {
    writeFileSync(at(`tiny/${file}`), text);
    for (const command of ['run', 'bench']) expect(vitc([command, 'tiny', '--device', 'software'])).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining(`error[E0901]: the code of the package tiny does not load: ${why}\n`) });
  }
}, 120_000);

test('a folder that is no package is said to be none', () => {
  mkdirSync(at('none'));
  for (const command of ['run', 'bench']) expect(vitc([command, 'none', '--device', 'software', '--seed', '1'])).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('error[E0904]: none is a folder, but no package') });
});

describe('outputs', () => {
  test('behind links go where the links lead, and the links stay', () => {
    const file = at('linked');
    mkdirSync(join(file, 'there'), { recursive: true });
    writeFileSync(join(file, 'there/old'), 'old');
    symlinkSync('there/old', join(file, 'link'));
    symlinkSync('there/new', join(file, 'dangling'));
    symlinkSync('link', join(file, 'twice'));
    writeWhole(join(file, 'twice'), 'fresh');
    writeWhole(join(file, 'dangling'), 'made');
    expect([readFileSync(join(file, 'there/old'), 'utf8'), readFileSync(join(file, 'there/new'), 'utf8')]).toEqual(['fresh', 'made']);
    for (const name of ['package', 'version']) symlinkSync('there/package', join(file, name));
    for (const plan of ['1', '2']) writeFolder(join(file, 'version'), new Map([['plan.js', plan]]));
    expect(readFileSync(join(file, 'there/package/plan.js'), 'utf8')).toBe('2');
    for (const name of ['link', 'dangling', 'twice', 'version']) expect([name, lstatSync(join(file, name)).isSymbolicLink()]).toEqual([name, true]);
    expect(readdirSync(join(file, 'there')).sort()).toEqual(['new', 'old', 'package']);
    symlinkSync('circle', join(file, 'circle'));
    for (const write of [() => writeWhole(join(file, 'circle'), ''), () => writeFolder(join(file, 'circle'), new Map())]) expect(refused(write)).toMatch(/^E0902 cannot write .*circle: its links lead in a circle$/);
    expect(refused(() => writeWhole('', ''))).toBe('E0902 cannot write : it has no name');
  });

  test('a pipe or a device is written to, and stays one', () => {
    expect(spawnSync('mkfifo', [at('pipe')]).status).toBe(0);
    // The reader has an output of its own: Node makes a pipe that it shares with others non-blocking, for these too.
    const { stdout } = shell('cat pipe >copy & vitc report tiny.vit --html pipe; wait; cat copy');
    expect(stdout).toContain('</html>');
    expect(lstatSync(at('pipe')).isFIFO()).toBe(true);
  });

  test('leave what is no package alone', () => {
    mkdirSync(at('mine'));
    writeFileSync(at('mine/thesis.txt'), 'years of work');
    writeFileSync(at('file'), 'mine');
    symlinkSync('mine', at('link-to-mine'));
    for (const output of ['mine', 'file', 'link-to-mine', '.', '..']) expect(vitc(['compile', 'tiny.vit', '--seed', '1', '-o', output])).toEqual({ status: 1, stdout: '', stderr: expect.stringContaining(`error[E0902]: ${output} exists and is no package that vitc wrote`) });
    expect([readFileSync(at('mine/thesis.txt'), 'utf8'), readFileSync(at('file'), 'utf8')]).toEqual(['years of work', 'mine']);
  });

  test('in folders of others are refused, and sources of others are told of', () => {
    const open = at('open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    mkdirSync(join(open, 'read-only'));
    writeFolder(join(open, 'package'), new Map([['plan.js', 'old']]));
    for (const path of ['read-only', 'package']) chmodSync(join(open, path), 0o555);
    writeFileSync(join(open, 'secret.vit'), TINY);
    chmodSync(join(open, 'secret.vit'), 0);
    const user = isRoot ? { uid: 65534, gid: 65534 } : {};
    // The other user may not be let into the checkout itself.
    if (spawnSync(process.execPath, [CLI, '--version'], { ...user, cwd: open }).status !== 0) return;
    for (const output of ['read-only/x', 'read-only', 'package']) expect(vitc(['compile', '../tiny.vit', '--seed', '1', '-o', output], { ...user, cwd: open })).toEqual({ status: 1, stdout: '', stderr: `error[E0902]: cannot write ${output}: permission denied\n\n` });
    expect(vitc(['check', 'secret.vit'], { ...user, cwd: open })).toEqual({ status: 1, stdout: '', stderr: 'error[E0901]: cannot read secret.vit: permission denied\n\n' });
    expect(readdirSync(open).sort()).toEqual(['package', 'read-only', 'secret.vit']);
    chmodSync(join(open, 'read-only'), 0o755);
    chmodSync(join(open, 'package'), 0o755);
  });

  const mounts = 'unshare -rm bash -c \'mount -t tmpfs -o size=300k tmpfs disk && ';
  mkdirSync(at('disk'));
  test.skipIf(shell(`${mounts} true'`).status !== 0)('on a full disk are the old ones, and nothing is left beside them', () => {
    // Room for one package of some 110 kB and the page of no report.
    const compile = (seed: number): string => `"${process.execPath}" "${CLI}" compile tiny.vit --seed ${seed} -o disk/package; echo "rc $?"; cat disk/package/weights.bin | md5sum; ls -A disk`;
    const { stdout, stderr } = shell(`${mounts} ${compile(1)}; head -c 250000 /dev/zero > disk/ballast 2>/dev/null; ${compile(2)}; "${process.execPath}" "${CLI}" report tiny.vit --html disk/page.html; echo "rc $?"; ls -A disk; "${process.execPath}" "${CLI}" check tiny.vit > disk/out; echo "rc $?"'`);
    const [first, second, page, out] = [...stdout.matchAll(/rc (\d)\n((?:(?!rc).*\n)*)/g)].map(([, status, text]) => ({ status, text }));
    expect([first.status, second.status, page.status, out.status]).toEqual(['0', '1', '1', '1']);
    // The same weights as before, and beside them only what filled the disk.
    expect(second.text.split('\n')[0]).toBe(first.text.split('\n')[0]);
    expect([second.text, page.text].map((text) => text.split('\n').filter((line) => /^[a-z.]+$/.test(line)))).toEqual([['ballast', 'package'], ['ballast', 'package']]);
    expect(stderr.match(/E0902\]: cannot write (disk\/package|disk\/page\.html|to standard output): the disk is full/g)).toHaveLength(3);
  });
});

describe('streams', () => {
  test.skipIf(!existsSync('/dev/full'))('that are full are told of; remarks that cannot be told change nothing', () => {
    const { status, stderr } = shell('vitc check tiny.vit > /dev/full');
    expect([status, stderr]).toEqual([1, 'error[E0902]: cannot write to standard output: the disk is full\n\n']);
    expect(shell('vitc check tiny.vit 2> /dev/full')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^ok {2}Tiny/) });
  });

  test.each(['>&-', '<&-', '2>&-', '<&- >&- 2>&-'])('that are closed are done without: %s', (closed) => {
    const name = `closed${['>&-', '<&-', '2>&-'].indexOf(closed)}`;
    expect(shell(`vitc compile tiny.vit --seed 1 -o ${name} ${closed}`).status).toBe(0);
    expect(readFileSync(at(`${name}/plan.js`), 'utf8')).toContain('export');
  });
});

test('names that differ only in case stay apart, in files too', () => {
  writeFileSync(at('case.vit'), 'model Case(D = 4, d = 3) {\n  input X: [B, D]\n  input x: [B, d]\n  param W: [d, D]\n  param w: [D, d]\n  output Y = einsum("b i, o i -> b o", X, W)\n  output y = einsum("b i, o i -> b o", x, w)\n}\npreset CASE = Case(D = 5)\npreset case = Case(D = 6)\n');
  expect(vitc(['check', 'case.vit'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/Case.*\n.*CASE.*\n.*case/) });
  expect(vitc(['compile', 'case.vit#case', '--seed', '1', '-o', 'cases']).status).toBe(0);
  const names = readdirSync(at('cases'), { recursive: true, encoding: 'utf8' }).map((name) => name.toLowerCase());
  expect(new Set(names).size).toBe(names.length);
  const { tensors } = JSON.parse(readFileSync(at('cases/weights.json'), 'utf8')) as { tensors: { name: string }[] };
  expect(tensors.map((t) => t.name).sort()).toEqual(['W', 'w']);
});
