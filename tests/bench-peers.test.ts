/** `vitc bench --peers`: ratios like against like, and peers that answer, refuse, end, hang or are not there. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { comparisonMarkdown, comparisonTable, geometricMeans, medianTiming, milliseconds, ratioOf, type CaseResult } from '../src/cli/comparison.ts';
import { PeerProcess } from '../src/cli/peer-process.ts';
import { testDevice } from './helpers/device.ts';

const gpu = await testDevice();
const folder = mkdtempSync(join(tmpdir(), 'vitc-peers-'));

afterAll(() => rmSync(folder, { recursive: true }));

const timing = (median: number) => ({ median, samples: 3 });
const result = (model: string, whole: number, peer: CaseResult['peers'][string], rest: Partial<CaseResult> = {}): CaseResult => ({
  model, dtype: 'f32', inputs: 'f32', batch: 1, ours: { runsOn: 'gpu', whole: timing(whole), device: timing(whole / 2) }, peers: { peer }, ...rest,
});

describe('comparisons', () => {
  it('take the median', () => {
    expect(medianTiming([5, 1, 9])).toEqual({ median: 5, samples: 3 });
    expect([0.9312, 18.66, 166.4].map(milliseconds)).toEqual(['0.931', '18.7', '166']);
  });

  it('divide like by like only', () => {
    expect(ratioOf(result('a', 2, { runsOn: 'gpu', whole: timing(3) }), 'peer', 'whole')).toBe(1.5);
    expect(ratioOf(result('a', 2, { runsOn: 'gpu', whole: timing(3) }), 'peer', 'device')).toBeUndefined();
    expect(ratioOf(result('a', 2, { runsOn: 'cpu', whole: timing(3) }), 'peer', 'whole')).toBeUndefined();
    expect(ratioOf(result('a', 2, { error: 'gone' }), 'peer', 'whole')).toBeUndefined();
    expect(ratioOf(result('a', 2, {}), 'other', 'whole')).toBeUndefined();
  });

  it('average by dtype and batch, geometrically', () => {
    const results = [
      result('a', 1, { runsOn: 'gpu', whole: timing(2) }),
      result('b', 1, { runsOn: 'gpu', whole: timing(8) }),
      result('a', 1, { runsOn: 'gpu', whole: timing(3) }, { batch: 64 }),
      result('b', 1, { error: 'out of memory' }, { batch: 64 }),
    ];
    const means = geometricMeans(results);
    expect(means).toEqual([
      { dtype: 'f32', inputs: 'f32', batch: 1, peer: 'peer', place: 'whole', ratio: expect.closeTo(4, 12), models: 2 },
      { dtype: 'f32', inputs: 'f32', batch: 64, peer: 'peer', place: 'whole', ratio: expect.closeTo(3, 12), models: 1 },
    ]);
    expect(comparisonTable(results)).toBe(
      `
model  dtype  inputs  batch  whole, ms          peer  device, ms
a      f32    f32         1       1.00  2.00 (2.00x)       0.500
b      f32    f32         1       1.00  8.00 (8.00x)       0.500
a      f32    f32        64       1.00  3.00 (3.00x)       0.500
b      f32    f32        64       1.00             -       0.500

f32, batch 1, whole: peer takes 4.00 times as long (geometric mean of 2)
f32, batch 64, whole: peer takes 3.00 times as long (geometric mean of 1)

b, f32, batch 64: peer: out of memory`.slice(1),
    );
    const head = { format: 'vitc-peers', version: 1, device: 'D', date: '2026-01-02T03:04:05Z', command: 'vitc bench a b', versions: { vitc: '0' }, seconds: 1 } as const;
    const markdown = comparisonMarkdown(head, results);
    expect(markdown).toContain('D, 2026-01-02; vitc 0. `vitc bench a b`');
    expect(markdown).toContain('| a | f32 | f32 | 64 | 1.00 | 3.00 (3.00x) | 0.500 |');
  });
});

describe('a peer process', () => {
  const program = `
for await (const line of (await import('node:readline')).createInterface({ input: process.stdin })) {
  const { id, op } = JSON.parse(line);
  if (op === 'end') { console.error('out of luck'); process.exit(7); }
  if (op === 'hang') continue;
  console.log('a library says hello');
  console.log(JSON.stringify(op === 'refuse' ? { id, error: 'not today' } : { id, op }));
}`;
  const start = (seconds = 20): PeerProcess => new PeerProcess(process.execPath, ['--input-type=module', '-e', program], seconds);

  it('answers, refuses, and is started again where it ended', async () => {
    const peer = start();
    expect(await Promise.all([peer.ask('one'), peer.ask('two')])).toMatchObject([{ op: 'one' }, { op: 'two' }]);
    await expect(peer.ask('refuse')).rejects.toThrow('not today');
    await expect(peer.ask('end')).rejects.toThrow('ended (7): out of luck');
    expect(await peer.ask('three')).toMatchObject({ op: 'three' });
    peer.close();
  });

  it('is given up where it hangs or does not start', async () => {
    const peer = start(1);
    await expect(peer.ask('hang')).rejects.toThrow('gave no answer to hang in 1 s');
    peer.close();
    await expect(new PeerProcess('no-such-program', [], 5).ask('hello')).rejects.toThrow('there is no program no-such-program');
  });
});

/** Stands for a Python with PyTorch: says what it would, in the time it is given. */
const PYTHON = (weights: number) => `#!${process.execPath}
const { writeFileSync } = require('node:fs');
const known = (m) => m === 'Tiny';
const operations = {
  hello: () => ({ torch: '9.9', timm: '9.8', cuda: null, device: 'a double', runsOn: 'cpu' }),
  export: ({ model, file, shape, dtype }) => (known(model) ? (writeFileSync(file, JSON.stringify({ shape, dtype })), { bytes: 1 }) : { error: 'timm has no model ' + model }),
  open: ({ model, shape, ways }) => (known(model) ? { weights: ${weights}, output: [shape[0], 3], refused: ways.includes('graph') ? { graph: 'CUDA graphs need a CUDA device' } : {} } : { error: 'timm has no model ' + model }),
  time: ({ where }) => ({ samples: where === 'whole' ? [4e6, 5e6, 6e6] : [2e6] }),
  close: () => ({}),
};
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line);
  console.log(JSON.stringify({ id: request.id, ...operations[request.op](request) }));
});
`;

/** Stands for the package: sessions of files that the Python above wrote. */
const ORT = `
const { readFileSync } = require('node:fs');
exports.env = { versions: { node: '7.7' } };
exports.Tensor = class { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } };
exports.InferenceSession = { async create(file, { executionProviders }) {
  const { shape, dtype } = JSON.parse(readFileSync(file, 'utf8'));
  if (dtype === 'f16' && executionProviders[0] === 'webgpu') throw new Error('no kernel for float16');
  return { inputMetadata: [{ name: 'image', shape, type: dtype === 'f16' ? 'float16' : 'float32' }], async run({ image }) { if (image.data.length !== shape.reduce((a, b) => a * b)) throw new Error('wrong size'); }, async release() {} };
} };
`;

describe.skipIf(!gpu)('vitc bench --peers', () => {
  beforeAll(() => {
    const model = (name: string) => `model ${name}(size = 4, classes = 3) {
  input image: [B, 3, size, size] @image(mean = 0.5, std = 0.5)
  param weight: [classes, 3 * size * size]
  output logits = einsum("b i, c i -> b c", reshape(image, [B, 3 * size * size]), weight)
}
`;
    writeFileSync(join(folder, 'models.vit'), model('Tiny') + model('Other'));
    writeFileSync(join(folder, 'python'), PYTHON(144), { mode: 0o755 });
    writeFileSync(join(folder, 'python-other'), PYTHON(145), { mode: 0o755 });
    mkdirSync(join(folder, 'modules/onnxruntime-node'), { recursive: true });
    writeFileSync(join(folder, 'modules/onnxruntime-node/index.js'), ORT);
  });

  const bench = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    spawnSync(process.execPath, [resolve('dist/cli.js'), 'bench', ...args, '--seconds', '0.05'], { cwd: folder, encoding: 'utf8', env: { ...process.env, ...env } });
  const modules = { NODE_PATH: [join(folder, 'modules'), process.env.NODE_PATH].filter(Boolean).join(delimiter) };

  it('measures ours and theirs in one run, and writes each result as it goes', () => {
    const run = bench(['models.vit#Tiny', '--batch', '1,2', '--json', '--python', './python', '--lines', 'out.jsonl', '--markdown', 'out.md', '--peers', 'torch-eager,ort-webgpu,ort-cpu'], modules);
    expect([run.status, run.stderr]).toEqual([0, expect.stringContaining('models.vit#Tiny, f32, batch 2: whole')]);
    const printed = JSON.parse(run.stdout);
    expect(printed.versions).toMatchObject({ torch: '9.9', timm: '9.8', 'onnxruntime-node': '7.7' });
    expect(printed.results.map((r: CaseResult) => [r.model, r.dtype, r.batch])).toEqual([['models.vit#Tiny', 'f32', 1], ['models.vit#Tiny', 'f32', 2]]);
    const [{ ours, peers }] = printed.results as CaseResult[];
    for (const name of ['whole', 'device'] as const) expect(ours[name]!.median).toBeGreaterThan(0);
    expect(peers['torch-eager']).toEqual({ runsOn: 'cpu', whole: { median: 5e6, samples: 9 }, device: { median: 2e6, samples: 3 } });
    expect(peers['ort-webgpu'].whole!.samples).toBeGreaterThanOrEqual(9);
    expect(peers['ort-webgpu'].device).toBeUndefined();
    expect(peers['ort-cpu'].first).toBeGreaterThan(0);
    const mean = printed.means.find((m: { peer: string; place: string; batch: number }) => m.peer === 'torch-eager' && m.place === 'device' && m.batch === 1);
    expect(mean.ratio).toBeCloseTo(2e6 / ours.device!.median, 6);
    const lines = readFileSync(join(folder, 'out.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
    expect([lines[0].format, lines.slice(1)]).toEqual(['vitc-peers', printed.results]);
    expect(readFileSync(join(folder, 'out.md'), 'utf8')).toContain('| models.vit#Tiny | f32 | f32 | 2 |');
  });

  it('says what fails and goes on with the rest', () => {
    const run = bench(['models.vit#Other', 'models.vit#Tiny', '--dtype', 'f16', '--python', './python', '--peers', 'torch-graph,torch-eager,ort-webgpu'], modules);
    expect(run.status).toBe(1);
    expect(run.stdout).toContain('models.vit#Other, f16, f16 inputs, batch 1: torch-eager: timm has no model Other');
    expect(run.stdout).toContain('models.vit#Other, f16, f16 inputs, batch 1: ort-webgpu: timm has no model Other');
    expect(run.stdout).toContain('models.vit#Tiny, f16, f16 inputs, batch 1: torch-graph: CUDA graphs need a CUDA device');
    expect(run.stdout).toContain('models.vit#Tiny, f16, f16 inputs, batch 1: ort-webgpu: no kernel for float16');
    expect(run.stdout).toMatch(/f16, f16 inputs, batch 1, whole: torch-eager takes [\d.]+ times as long \(geometric mean of 1\)/);
    const other = bench(['models.vit#Tiny', '--python', './python-other', '--peers', 'torch-eager']);
    expect([other.status, other.stdout]).toEqual([1, expect.stringContaining("timm's Tiny has 145 weights, ours 144: they are not one model")]);
  });

  it('feeds ours as the peers of each dtype are fed, unless told', () => {
    const inputs = (...args: string[]): unknown => {
      const { stdout, stderr } = bench(['models.vit#Tiny', '--dtype', 'f32,f16', '--json', '--python', './nowhere', ...args]);
      return stdout === '' ? stderr : JSON.parse(stdout).results.map((r: CaseResult) => [r.dtype, r.inputs, r.ours.error]);
    };
    expect(inputs('--peers')).toEqual([['f32', 'f32', undefined], ['f16', 'f16', undefined]]);
    expect(inputs('--peers', '--inputs', 'f32')).toEqual([['f32', 'f32', undefined], ['f16', 'f32', undefined]]);
    expect(inputs()).toEqual([['f32', 'f32', undefined], ['f16', 'f32', undefined]]);
    expect(inputs('--inputs', 'f16')).toEqual([['f32', 'f32', undefined], ['f16', 'f16', undefined]]);
    const single = bench(['models.vit#Tiny', '--dtype', 'f16', '--inputs', 'f16', '--json']);
    expect(JSON.parse(single.stdout)).toMatchObject({ dtype: 'f16', inputs: 'f16' });
    expect(bench(['models.vit#Tiny', '--inputs', 'f16'])).toMatchObject({ status: 2, stderr: expect.stringContaining('--inputs f16 is taken with --dtype f16 only, and the dtype is f32') });
  });

  it('measures ours alone where no peer is there, and takes no nonsense', () => {
    const alone = bench(['models.vit#Tiny', '--python', './nowhere', '--peers']);
    expect([alone.status, alone.stderr]).toEqual([0, expect.stringContaining('no PyTorch with timm: ./nowhere there is no program ./nowhere')]);
    expect(alone.stderr).toContain('no onnxruntime-node');
    expect(alone.stdout).toMatch(/^model +dtype +inputs +batch +whole, ms +device, ms\nmodels\.vit#Tiny +f32 +f32 +1 +[\d.]+ +[\d.]+\n$/);
    expect(bench(['models.vit#Tiny', '--peers', 'torch-eagre'])).toMatchObject({ status: 2, stderr: expect.stringContaining('did you mean torch-eager?') });
    expect(bench(['models.vit#Tiny', '--batch', '1,x'])).toMatchObject({ status: 2, stderr: expect.stringContaining('a positive integer is wanted') });
    expect(bench(['models.vit#Tiny', '--set', 'size=5', '--peers'])).toMatchObject({ status: 2, stderr: expect.stringContaining('--set is not taken') });
    expect(bench(['nowhere', 'models.vit#Tiny'])).toMatchObject({ status: 2, stderr: expect.stringContaining('nowhere') });
    expect(existsSync(join(folder, 'out'))).toBe(false);
  });
});
