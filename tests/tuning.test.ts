/** Tuning: files that are none or fit no kernel, schedules from a file that are really used, and the search on a device. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildGraph, compileGraph, Sources } from '../src/compile.ts';
import { packageExecutor } from '../src/cli/executor.ts';
import { Project } from '../src/cli/files.ts';
import { differenceOf } from '../src/cli/kernel-timing.ts';
import { randomInputs } from '../src/cli/measuring.ts';
import { tuneKernels, type KernelResult } from '../src/cli/tuner.ts';
import { tunedChoice } from '../src/cli/tuning.ts';
import type { Graph } from '../src/graph.ts';
import { printPlan } from '../src/plan-text.ts';
import { evaluateGraph } from '../src/reference/graph.ts';
import { candidates, scheduleKey } from '../src/schedule/candidates.ts';
import { kernelDigest } from '../src/schedule/kernel-key.ts';
import type { Schedule } from '../src/schedule.ts';
import { WEB } from '../src/targets.ts';
import { readTuning, recordOf, type TunedKernel, type Tuning } from '../src/tuning.ts';
import { writeSafetensors } from '../src/weights/safetensors.ts';
import { seededInput, seededWeight } from '../src/weights/seeded.ts';
import { testDevice } from './helpers/device.ts';
import { misfits, schemaOf } from './helpers/json-schema.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';

const gpu = await testDevice();
const SCHEMA = 'docs/tuning.schema.json';
const graph = tinyGraph(TINY.find((t) => t.name === 'ViT')!);

const folder = mkdtempSync(join(tmpdir(), 'vitc-tuning-'));
afterAll(() => rmSync(folder, { recursive: true }));

const entry = (rest: Partial<TunedKernel> = {}): TunedKernel => ({
  key: '0123456789abcdef', kernel: 'matmul', schedule: { family: 'generic', vector: 1, workgroup: 64 }, microseconds: 1, rulesMicroseconds: 2, measured: 3, date: '2026-01-01T00:00:00.000Z', ...rest,
});
const tuning = (kernels: readonly unknown[], rest: object = {}): Tuning => ({ format: 'vitc-tuning', version: 1, compiler: '0', device: 'D', kernels: kernels as TunedKernel[], ...rest });

describe('tuning files', () => {
  it('read back, and fit the published schema', () => {
    const schema = schemaOf('src/tuning.ts', 'Tuning', 'vitc tune, version 1');
    const text = `${JSON.stringify(schema, null, 2)}\n`;
    if (process.env.BLESS === '1') writeFileSync(SCHEMA, text);
    expect(existsSync(SCHEMA) && readFileSync(SCHEMA, 'utf8'), 'BLESS=1 npx vitest run tests/tuning.test.ts writes it').toBe(text);
    const written = tuning([entry(), entry({ key: 'f'.repeat(16) })]);
    expect(readTuning(JSON.stringify(written))).toEqual(written);
    expect(misfits(JSON.parse(JSON.stringify({ ...written, kernels: [] })), schema)).toEqual([]);
  });

  it.each([
    ['', 'it is no JSON'],
    ['[]', 'it is no JSON object'],
    ['null', 'it is no JSON object'],
    ['{"format":"vitc-report"}', 'its format is not "vitc-tuning"'],
    [JSON.stringify(tuning([], { version: 2 })), 'its version is 2, this compiler reads 1'],
    [JSON.stringify(tuning([], { version: 'x'.repeat(9999) })), `its version is "${'x'.repeat(39)}..., this compiler reads 1`],
    [JSON.stringify(tuning([], { device: 7 })), 'compiler and device are not strings'],
    [JSON.stringify({ ...tuning([]), kernels: {} }), 'kernels is no list'],
    [JSON.stringify(tuning([7])), 'kernels[0]: it is no object'],
    [JSON.stringify(tuning([entry(), entry({ key: '../../etc' })])), 'kernels[1]: the key "../../etc" is not 16 hexadecimal digits'],
    [JSON.stringify(tuning([entry(), entry()])), 'kernels[1]: the key 0123456789abcdef is there twice'],
    [JSON.stringify(tuning([entry({ microseconds: -1 })])), 'kernels[0]: microseconds is -1, no time or count'],
    [JSON.stringify(tuning([{ ...entry(), measured: null }])), 'kernels[0]: measured is null, no time or count'],
    [JSON.stringify(tuning([{ ...entry(), schedule: ['generic'] }])), 'kernels[0]: schedule is no schedule'],
    [JSON.stringify(tuning([{ ...entry(), schedule: { family: { toString: 'x' } } }])), 'kernels[0]: schedule.family is {"toString":"x"}, no plain value'],
    [`{"format":"vitc-tuning","version":1,"compiler":"0","device":"D","kernels":[{"__proto__":{"key":"0123456789abcdef"}}]}`, 'kernels[0]: the key missing is not 16 hexadecimal digits'],
  ])('are refused with what is wrong: %.60s', (text, wrong) => {
    expect(readTuning(text)).toBe(wrong);
  });

  it('change nothing where a schedule is none that would be measured', () => {
    const plain = compileGraph(graph, { target: WEB, dtype: 'f32' }).value!;
    const { kernel, schedule } = plain.plan.kernels.find((k) => k.schedule.family === 'contraction')!;
    const hostile: Record<string, unknown>[] = [
      { ...schedule, threadM: 1e9 }, { ...schedule, groupM: -4 }, { ...schedule, threadM: 3 }, { ...schedule, splitK: '8; DROP' }, { ...schedule, extra: 1 },
      { family: 'subgroupMatrix', M: 16, N: 16, K: 16, fragmentsM: 1, fragmentsN: 1, subgroupsM: 1, subgroupsN: 1, subgroupSize: 32 }, { family: 'nonsense' }, {},
    ];
    for (const bad of hostile) {
      const choice = tunedChoice({ file: 't.json', tuning: tuning([entry({ key: kernelDigest(kernel), schedule: bad as TunedKernel['schedule'] })]) }, WEB);
      const { value } = compileGraph(graph, { target: WEB, dtype: 'f32', schedule: choice.schedule });
      expect(value!.plan.kernels.map((k) => k.schedule)).toEqual(plain.plan.kernels.map((k) => k.schedule));
      expect(choice.diagnostics().map((d) => d.code)).toEqual(['W0831']);
    }
    const other = tunedChoice({ file: 't.json', tuning: tuning([entry()]) }, WEB);
    compileGraph(graph, { target: WEB, dtype: 'f32', schedule: other.schedule });
    expect(other.diagnostics().map((d) => d.code)).toEqual(['W0832']);
  });
});

it('differences count what is missing, and no NaN that both have', () => {
  const f = (...values: number[]) => [Float32Array.from(values)];
  expect(differenceOf(f(1, 2, NaN), f(1, 2, NaN))).toBe(0);
  expect(differenceOf(f(1, 2.5), f(1, 2))).toBe(0.25);
  expect(differenceOf(f(1, NaN), f(1, 2))).toBe(Infinity);
  expect(differenceOf(f(1, 2), f(1, NaN))).toBe(Infinity);
  expect(differenceOf(f(1, Infinity), f(1, -Infinity))).toBe(Infinity);
});

/** A model, a golden of it, and a tuning file of its kernels with web's limits: of each the last candidate. */
function tunable(): { readonly graph: Graph; readonly file: Tuning } {
  writeFileSync(join(folder, 'pair.vit'), 'model Pair(dim = 8) {\n  input x: [B, 16]\n  param w: [dim, 16]\n  param v: [4, dim]\n  output y = einsum("b i, o i -> b o", relu(einsum("b i, o i -> b o", x, w)), v)\n}\n');
  const project = new Project(join(folder, 'pair.vit'));
  const { value: pair } = buildGraph(new Sources(project), { entry: project.entry, target: 'Pair', batch: 2 });
  const golden = { name: 'pair', inputs: { x: { dtype: 'f32', shape: [2, 16] } }, outputs: { y: [2, 4] }, parameters: [['w', [8, 16]], ['v', [4, 8]]] };
  writeFileSync(join(folder, 'pair.json'), JSON.stringify(golden));
  const x = { dtype: 'f32' as const, shape: [2, 16], data: seededInput('x', [2, 16], 1) };
  const outputs = evaluateGraph(pair!, { inputs: { x }, params: (name, shape) => ({ dtype: 'f32', shape, data: seededWeight(name, shape) }) }, { precision: 'f64' });
  writeFileSync(join(folder, 'pair.safetensors'), writeSafetensors(new Map([['y', { shape: [2, 4], data: Float32Array.from(outputs.y.data) }]])));
  const { plan } = compileGraph(pair!, { target: WEB, dtype: 'f32' }).value!;
  const file = tuning(plan.kernels.map(({ kernel }) => entry({ key: kernelDigest(kernel), schedule: recordOf(candidates(kernel, WEB).at(-1)!) })));
  writeFileSync(join(folder, 'web.json'), JSON.stringify(file));
  writeFileSync(join(folder, 'foreign.json'), JSON.stringify(tuning([entry()])));
  return { graph: pair!, file };
}

describe('commands that compile', () => {
  const cli = resolve('dist/cli.js');
  const vitc = (...args: string[]) => spawnSync(process.execPath, [cli, ...args], { cwd: folder, encoding: 'utf8' });
  const { graph: pair, file } = tunable();

  it.each([
    ['emit', 'pair.vit', '--batch', '2', '--stage', 'plan'],
    ['sweep', 'pair.vit', '--batch', '2', '--set', 'dim=8,12'],
    ['report', 'pair.vit', '--batch', '2'],
  ])('%s takes a file\'s schedules, and tells of one that knows no kernel', (...args) => {
    const [plain, tuned, foreign] = [vitc(...args), vitc(...args, '--tuning', 'web.json'), vitc(...args, '--tuning', 'foreign.json')];
    expect([plain.status, tuned.status, foreign.status]).toEqual([0, 0, 0]);
    expect(tuned.stderr).not.toContain('W083');
    expect(tuned.stdout).not.toBe(plain.stdout);
    expect(foreign.stdout).toBe(plain.stdout);
    expect(foreign.stderr).toContain('W0832');
  });

  it('emit prints the file\'s schedules', () => {
    const chosen = tunedChoice({ file: 'web.json', tuning: file }, WEB);
    expect(vitc('emit', 'pair.vit', '--batch', '2', '--stage', 'plan', '--tuning', 'web.json').stdout.trim()).toBe(printPlan(compileGraph(pair, { target: WEB, dtype: 'f32', schedule: chosen.schedule }).value!.plan).trim());
  });

  it.each([
    [['emit', 'pair.vit', '--stage', 'kernels'], 'kernels comes before schedules are chosen'],
    [['verify', 'pair.vit', '--golden', 'pair.json', '--device', 'cpu'], 'the reference evaluator has no schedules'],
    [['run', 'pair.vit', '--seed', '1', '--device', 'cpu'], 'the reference evaluator has no schedules'],
    [['report', 'pair.vit', '--no-fuse'], 'every operation is a kernel of its own'],
  ])('%j cannot take one', (args, why) => {
    const { status, stderr, stdout } = vitc(...args, '--tuning', 'web.json');
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain('E0905');
    expect(stderr).toContain(why);
  });

  it.skipIf(!gpu)('verify runs them, and a package refuses them', () => {
    const verify = (tuned: string) => vitc('verify', 'pair.vit', '--golden', 'pair.json', '--target', 'web', '--device', 'software', '--tuning', tuned);
    expect(verify('web.json')).toMatchObject({ status: 0, stdout: expect.stringContaining('pass'), stderr: expect.not.stringContaining('W083') });
    expect(verify('foreign.json')).toMatchObject({ status: 0, stdout: expect.stringContaining('pass'), stderr: expect.stringContaining('W0832') });
    expect(vitc('compile', 'pair.vit', '--seed', '1', '-o', 'pair').status).toBe(0);
    for (const command of ['run', 'bench']) expect(vitc(command, 'pair', '--device', 'software', '--tuning', 'web.json')).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('pair is a package, whose schedules were chosen when it was compiled') });
  });
});

describe.skipIf(!gpu)('on a device', () => {
  const outputsOf = async (choice?: ReturnType<typeof tunedChoice>, file?: Tuning) => {
    const executor = await packageExecutor({ graph, read: (name, shape) => seededWeight(name, shape), dtype: 'f32', opened: gpu!, ...(file && { tuning: { file: 't.json', tuning: file } }) });
    const outputs = await executor.run(randomInputs(executor.inputs));
    executor.close();
    return { schedules: executor.compilation.plan.kernels.map((k) => k.schedule), values: Object.values(outputs).map((o) => Float32Array.from(o.data)), choice };
  };

  it('a file\'s schedules are those that run, and compute the same', async () => {
    const plain = await outputsOf();
    const { plan } = compileGraph(graph, { target: gpu!.target, dtype: 'f32' }).value!;
    // Of every kernel the candidate furthest down the list: never the rules' choice where there is another.
    const chosen = plan.kernels.map(({ kernel }) => candidates(kernel, gpu!.target).at(-1)!);
    const file = tuning(plan.kernels.map(({ kernel }, i) => entry({ key: kernelDigest(kernel), schedule: recordOf(chosen[i]) })));
    const tuned = await outputsOf(undefined, JSON.parse(JSON.stringify(file)) as Tuning);
    expect(tuned.schedules).toEqual(chosen);
    expect(tuned.schedules.filter((s, i) => scheduleKey(s) !== scheduleKey(plain.schedules[i])).length).toBeGreaterThan(plan.kernels.length / 2);
    expect(differenceOf(tuned.values, plain.values)).toBeLessThan(1e-5);
  });

  it('a search measures beside the rules\' choice and keeps what fits', async () => {
    const { plan } = compileGraph(graph, { target: gpu!.target, dtype: 'f32' }).value!;
    const planned = plan.kernels.find((k) => k.schedule.family === 'row')!;
    const results: KernelResult[] = [];
    let most = 6;
    const returned = await tuneKernels([{ planned, calls: 2 }, { planned, calls: 1 }], { opened: gpu!, seconds: 60, stopped: () => most <= 0, onMeasured: () => most--, onKernel: (r) => results.push(r) });
    expect(results).toEqual(returned);
    const [{ key, schedule, microseconds, rulesMicroseconds, measured, calls, wrong }] = results;
    expect([results.length, key, measured, calls, wrong]).toEqual([1, kernelDigest(planned.kernel), 6, 3, []]);
    expect(candidates(planned.kernel, gpu!.target).map(scheduleKey)).toContain(scheduleKey(schedule as unknown as Schedule));
    expect(microseconds).toBeGreaterThan(0);
    expect(microseconds).toBeLessThanOrEqual(rulesMicroseconds);
  });

  it('the command keeps what was found when it is stopped, adds to its file, and compile takes it', { timeout: 240_000 }, async () => {
    writeFileSync(join(folder, 'tiny.vit'), 'model Tiny() {\n  input x: [B, 16]\n  param w: [8, 16]\n  param v: [4, 8]\n  output y = einsum("b i, o i -> b o", relu(einsum("b i, o i -> b o", x, w)), v)\n}\n');
    const cli = resolve('dist/cli.js');
    const child = spawn(process.execPath, [cli, 'tune', 'tiny.vit', '--device', 'software', '--seconds', '600', '-o', 'tuning.json'], { cwd: folder });
    const ended = new Promise<number | null>((done) => child.on('close', done));
    for (const end = Date.now() + 200_000; !existsSync(join(folder, 'tuning.json')) && Date.now() < end; ) await new Promise((done) => setTimeout(done, 100));
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    const found = readTuning(readFileSync(join(folder, 'tuning.json'), 'utf8')) as Tuning;
    expect(found.kernels.length).toBeGreaterThan(0);
    const vitc = (...args: string[]) => spawnSync(process.execPath, [cli, ...args], { cwd: folder, encoding: 'utf8' });
    const compiled = vitc('compile', 'tiny.vit', '--target', 'native', '--seed', '1', '-o', 'out', '--tuning', 'tuning.json');
    expect([compiled.status, compiled.stderr]).toEqual([0, '']);
    writeFileSync(join(folder, 'wrong.json'), '{"format": "other"}');
    expect(vitc('compile', 'tiny.vit', '-o', 'out', '--tuning', 'wrong.json')).toMatchObject({ status: 2, stderr: expect.stringContaining('E0830') });
    expect(vitc('tune', 'tiny.vit', '--device', 'software', '-o', 'wrong.json')).toMatchObject({ status: 2, stderr: expect.stringContaining('wrong.json is no tuning file') });
    writeFileSync(join(folder, 'other.json'), JSON.stringify({ ...found, device: 'Other' }));
    expect(vitc('tune', 'tiny.vit', '--device', 'software', '-o', 'other.json')).toMatchObject({ status: 2, stderr: expect.stringContaining('other.json was measured on Other') });
  });
});
