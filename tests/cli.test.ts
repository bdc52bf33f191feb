/** The command line as a user meets it: output, errors, exit codes. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors } from '../src/cli/files.ts';
import { writeSafetensors } from '../src/weights/safetensors.ts';

const CLI = resolve('dist/cli.js');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vitc-cli-'));
  writeFileSync(
    join(folder, 'tiny.vit'),
    `/// A linear classifier of pictures.
model Tiny(size = 4, classes = 3) {
  input image: [B, 3, size, size] @image(mean = 0.5, std = 0.5)
  param weight: [classes, 3 * size * size]
  output logits = einsum("b i, c i -> b c", reshape(image, [B, 3 * size * size]), weight) @labels(["red", "green", "blue"])
}
`,
  );
  writeFileSync(join(folder, 'wrong.vit'), 'model Wrong() {\n  input x: [B, 4]\n  output y = x + undefned\n}\n');
});

afterAll(() => rmSync(folder, { recursive: true }));

function vitc(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { cwd: folder, encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe('vitc', () => {
  it('tells how it is used', () => {
    const help = vitc('--help');
    expect(help.status).toBe(0);
    for (const command of ['check', 'fmt', 'compile', 'run', 'verify', 'bench', 'emit', 'zoo', 'weights', 'explain']) expect(help.stdout).toContain(command);
  });

  it.each(['2>&1 | head -1', '| head -1', '2>&1 >/dev/null | true'])('ends well where its reader has seen enough: %s', (rest) => {
    const file = join(folder, 'many.safetensors');
    writeFileSync(file, writeSafetensors(new Map(Array.from({ length: 4000 }, (_, i) => [`t${i}`, { shape: [1], data: new Float32Array(1) }]))));
    const { stdout } = spawnSync('bash', ['-c', `"${process.execPath}" "${CLI}" weights list "${file}" ${rest}; echo "\${PIPESTATUS[0]}"`], { encoding: 'utf8' });
    expect(stdout.trim().split('\n').at(-1)).toBe('0');
  });

  it('ends with 2 where it is used wrongly', () => {
    expect(vitc('chekc', 'tiny.vit').status).toBe(2);
    expect(vitc('compile', 'tiny.vit').status).toBe(2);
    expect(vitc('run', 'tiny.vit', '--top', 'many').stderr).toContain('a positive integer is wanted');
    expect(vitc('check', 'vit_tiny_patch16_22').stderr).toContain('did you mean vit_tiny_patch16_224?');
  });

  it('takes inputs in half precision where tensors are, and nowhere else', () => {
    const wrong = 'error[E0905]: --inputs f16 is taken with --dtype f16 only, and the dtype is f32';
    for (const command of [['compile', 'tiny.vit', '-o', 'halves'], ['run', 'tiny.vit', '--seed', '1'], ['emit', 'tiny.vit', '--stage', 'plan'], ['verify', 'tiny.vit', '--golden', 'g.json'], ['report', 'tiny.vit'], ['tune', 'tiny.vit'], ['sweep', 'tiny.vit', '--set', 'size=4,8']]) {
      expect([command[0], vitc(...command, '--inputs', 'f16')]).toEqual([command[0], { status: 2, stdout: '', stderr: expect.stringContaining(wrong) }]);
    }
    expect(existsSync(join(folder, 'halves'))).toBe(false);
    expect(vitc('emit', 'tiny.vit', '--stage', 'kernels', '--dtype', 'f16', '--inputs', 'f16').stdout).toContain('image: f32[1, 3, 4, 4] as f16 input');
    expect(JSON.parse(vitc('report', 'tiny.vit', '--dtype', 'f16', '--inputs', 'f16', '--json').stdout)).toMatchObject({ dtype: 'f16', inputs: 'f16' });
    expect(vitc('report', 'tiny.vit', '--compare', '@dtype=f16,inputs=f16').status).toBe(0);
    const made = vitc('compile', 'tiny.vit', '-o', 'halves', '--seed', '1', '--dtype', 'f16', '--inputs', 'f16');
    expect([made.status, readFileSync(join(folder, 'halves/README.md'), 'utf8')]).toEqual([0, expect.stringContaining('| input | `image` | `f16[1, 3, 4, 4]` |')]);
    expect(vitc('run', 'halves', '--inputs', 'f16')).toMatchObject({ status: 2, stderr: expect.stringContaining('halves is a package, whose inputs were chosen when it was compiled') });
  });

  it('checks files', () => {
    const good = vitc('check', 'tiny.vit');
    expect([good.status, good.stderr]).toEqual([0, '']);
    expect(good.stdout).toMatch(/^ok {2}Tiny {2}144 parameters, \d+ operations\n$/);
    const bad = vitc('check', 'wrong.vit');
    expect([bad.status, bad.stdout]).toEqual([1, '']);
    expect(bad.stderr).toContain('wrong.vit:3:18');
    const json = JSON.parse(vitc('check', '--json', 'wrong.vit').stdout);
    expect(json.ok).toBe(false);
    expect(json.diagnostics[0].at.start).toEqual({ line: 3, column: 18 });
    writeFileSync(join(folder, 'parts.vit'), 'fn twice(x) = 2 * y\n');
    const parts = vitc('check', 'parts.vit');
    expect([parts.status, parts.stderr.includes('there is no `y` here')]).toEqual([1, true]);
    writeFileSync(join(folder, 'parts.vit'), 'fn twice(x) = 2 * x\n');
    expect(vitc('check', 'parts.vit')).toMatchObject({ status: 0, stdout: 'ok  parts.vit  no model to elaborate; names and syntax checked\n' });
    expect(vitc('check', 'nowhere.vit').stderr).toContain('nowhere.vit');
  });

  it('explains codes', () => {
    expect(vitc('explain', 'e0802').stdout).toContain('weights do not fit the model');
    expect(vitc('explain', 'E9999')).toMatchObject({ status: 2 });
  });

  it('formats in place, and only what needs it', () => {
    writeFileSync(join(folder, 'messy.vit'), 'let   a=1 // one\n');
    expect(vitc('fmt', '--check', 'messy.vit')).toMatchObject({ status: 1, stdout: 'messy.vit is not formatted\n' });
    expect(vitc('fmt', 'messy.vit')).toMatchObject({ status: 0, stdout: 'formatted messy.vit\n' });
    expect(vitc('fmt', '--check', 'messy.vit')).toMatchObject({ status: 0, stdout: '' });
    expect(readFileSync(join(folder, 'messy.vit'), 'utf8')).toBe('let a = 1  // one\n');
  });

  it('emits every level', () => {
    for (const stage of ['ast', 'graph', 'optimized', 'weights', 'kernels', 'plan', 'wgsl']) {
      const { status, stdout } = vitc('emit', 'tiny.vit', '--stage', stage);
      expect([stage, status]).toEqual([stage, 0]);
      expect(stdout.length).toBeGreaterThan(100);
    }
  });

  it('writes a package whole, and leaves what is not its own alone', () => {
    expect(vitc('compile', 'tiny.vit', '-o', 'out/tiny', '--seed', '1').status).toBe(0);
    expect(readdirSync(join(folder, 'out'))).toEqual(['tiny']);
    const before = readFileSync(join(folder, 'out/tiny/plan.js'), 'utf8');
    expect(vitc('compile', 'wrong.vit', '-o', 'out/tiny').status).toBe(1);
    expect(readFileSync(join(folder, 'out/tiny/plan.js'), 'utf8')).toBe(before);
    expect(vitc('compile', 'tiny.vit', '-o', 'out/tiny', '--seed', '2').status).toBe(0);
    mkdirSync(join(folder, 'mine'));
    writeFileSync(join(folder, 'mine/thesis.txt'), 'years of work');
    expect(vitc('compile', 'tiny.vit', '-o', 'mine').stderr).toContain('no package that vitc wrote');
    expect(existsSync(join(folder, 'mine/thesis.txt'))).toBe(true);
  });

  it('runs on the evaluator, names what cannot be read, and says which weights are missing', () => {
    mkdirSync(join(folder, 'pictures'));
    writeFileSync(join(folder, 'pictures/broken.png'), 'no picture');
    // The smallest PNG: one black pixel.
    const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC', 'base64');
    writeFileSync(join(folder, 'pictures/black.png'), png);
    const run = vitc('run', 'tiny.vit', '--image', 'pictures', '--seed', '1', '--device', 'cpu', '--output', 'logits.safetensors');
    expect(run.status).toBe(1);
    expect(run.stdout).toMatch(/^black\.png {2}(red|green|blue) {2}\d+\.\d%\n$/);
    expect(run.stderr).toContain('broken.png cannot be decoded');
    const listed = JSON.parse(vitc('weights', 'list', 'logits.safetensors', '--json').stdout);
    expect(listed).toEqual([{ name: 'logits', dtype: 'F32', shape: [1, 3] }]);
    const unfit = vitc('run', 'tiny.vit', '--image', 'pictures/black.png', '--weights', 'logits.safetensors', '--device', 'cpu');
    expect(unfit.status).toBe(1);
    expect(unfit.stderr).toContain('missing: weight [3, 48]');
    expect(unfit.stderr).toContain('unexpected: logits [1, 3]');
    expect(vitc('run', 'tiny.vit', '--image', 'pictures/black.png', '--device', 'cpu').stderr).toContain('--seed 1');
  });

  it('takes tensors by input, integers too, and writes every output', () => {
    writeFileSync(
      join(folder, 'words.vit'),
      `model Words() {
  input ids: i32[B, 3] @range(below = 5)
  input x: [B, 3, 2]
  param table: [5, 2]
  vectors = gather(table, ids, axis = 0)
  output sum = vectors + x
  output next = ids + 1
}
`,
    );
    writeFileSync(join(folder, 'ids.safetensors'), writeSafetensors(new Map([['ids', { shape: [1, 3], data: Int32Array.of(4, 0, 4) }]])));
    writeFileSync(join(folder, 'x.safetensors'), writeSafetensors(new Map([['features', { shape: [1, 3, 2], data: Float32Array.of(0, 0, 0, 0, 8, 16) }]])));
    const run = vitc('run', 'words.vit', '--input', 'ids=ids.safetensors', '--input', 'x=x.safetensors', '--seed', '1', '--device', 'cpu', '--output', 'words.safetensors');
    expect([run.status, run.stderr]).toEqual([0, expect.stringContaining('wrote words.safetensors')]);
    const outputs = openSafetensors(join(folder, 'words.safetensors'));
    expect(Object.fromEntries(outputs.shapes)).toEqual({ sum: [1, 3, 2], next: [1, 3] });
    expect(outputs.read('next')).toEqual(Int32Array.of(5, 1, 5));
    const sum = outputs.read('sum');
    expect([sum[4], sum[5]]).toEqual([Math.fround(sum[0] + 8), Math.fround(sum[1] + 16)]);
    expect([sum[2], sum[3]]).not.toEqual([sum[0], sum[1]]);
    writeFileSync(join(folder, 'floats.safetensors'), writeSafetensors(new Map([['ids', { shape: [1, 3], data: Float32Array.of(4, 0, 4) }]])));
    const floats = vitc('run', 'words.vit', '--input', 'ids=floats.safetensors', '--input', 'x=x.safetensors', '--seed', '1', '--device', 'cpu');
    expect([floats.status, floats.stderr]).toEqual([1, expect.stringContaining('input ids is i32, but')]);
  });
});
