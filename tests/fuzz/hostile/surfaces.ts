/**
 * Everything that reads what others wrote, each with cases made from a seed. A case that returns was taken or refused
 * as it should be; one that throws has found something.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InvalidArgumentError } from 'commander';
import { CliError } from '../../../src/cli/errors.ts';
import { openSafetensors, Project, ZOO } from '../../../src/cli/files.ts';
import { inputsFor, openGolden } from '../../../src/cli/goldens.ts';
import { parseHubName } from '../../../src/cli/hub.ts';
import { findPictures } from '../../../src/cli/images.ts';
import { setting } from '../../../src/cli/options.ts';
import { findProfile } from '../../../src/cli/reports.ts';
import { VitcError } from '../../../src/codegen/runtime/errors.ts';
import { loadModel } from '../../../src/codegen/runtime/load.ts';
import type { PackagePlan } from '../../../src/codegen/runtime/plan.ts';
import { packagePlan, weightsManifest } from '../../../src/codegen/package-plan.ts';
import { buildGraph, checkSource, compileGraph, Sources, targetsOf } from '../../../src/compile.ts';
import { hasErrors, type Diagnostic } from '../../../src/diagnostics.ts';
import type { Graph } from '../../../src/graph.ts';
import { printGraph, readGraph } from '../../../src/graph-text.ts';
import { readProgram } from '../../../src/kernel-read.ts';
import { printProgram } from '../../../src/kernel-text.ts';
import { lower } from '../../../src/lower/lower.ts';
import { format, sameTree } from '../../../src/parser/format.ts';
import { parse } from '../../../src/parser/parse.ts';
import { readPlan } from '../../../src/plan-read.ts';
import { printPlan } from '../../../src/plan-text.ts';
import { render } from '../../../src/render.ts';
import { WEB } from '../../../src/targets.ts';
import { verifyProgram } from '../../../src/verify-kernel.ts';
import { verifyGraph } from '../../../src/verify.ts';
import { WeightsError, decodeTensor, readHeader, writeSafetensors } from '../../../src/weights/safetensors.ts';
import { elaborateText } from '../../helpers/elaborate.ts';
import { exampleSource } from '../../helpers/example-source.ts';
import { randomGraph } from '../../helpers/random-graph.ts';
import { Random } from '../../helpers/random.ts';
import { TINY, tinyGraph } from '../../helpers/tiny-zoo.ts';
import { jsonText, mutateAsBytes, mutateBytes, mutateJson, mutateText, NASTY, NUMBERS } from './mutate.ts';
import { Sentences, soundModel } from './programs.ts';

export interface Surface {
  readonly name: string;
  /** Its share of all cases. */
  readonly share: number;
  /** Makes what all cases share, so that none is held to account for it. */
  readonly prepare?: () => unknown;
  /** Runs one case, and says whether it was accepted; throws, with the case in the message, what should not happen. */
  run(random: Random): boolean | Promise<boolean>;
}

const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/;

function fail(what: string, shown: unknown): never {
  throw new Error(`${what}\n${typeof shown === 'string' ? shown : JSON.stringify(shown)}`);
}

/** Runs, and lets only errors of these classes pass. */
async function refusing(classes: readonly (abstract new (...args: never[]) => Error)[], shown: () => unknown, run: () => unknown): Promise<boolean> {
  try {
    await run();
    return true;
  } catch (cause) {
    if (!classes.some((type) => cause instanceof type)) fail(`threw ${(cause as Error)?.stack ?? cause}`, shown());
    const messages = cause instanceof CliError ? cause.diagnostics.map((d) => render(d)) : [];
    for (const message of messages) if (CONTROLS.test(message)) fail('a message holds what a terminal acts on', message);
    if ((cause as Error).message.includes('bug:')) fail((cause as Error).message, shown());
    return false;
  }
}

function rendered(text: string, diagnostics: readonly Diagnostic[]): void {
  for (const d of diagnostics) {
    const shown = render(d);
    if (!shown.includes(d.code) || CONTROLS.test(shown)) fail(`a rendering is not fit for a terminal: ${JSON.stringify(shown)}`, text);
    // What a table keyed by words of the text says of `toString`.
    if (/\[native code\]|\[object /.test(`${d.message} ${d.help ?? ''} ${d.notes.join(' ')}`)) fail(`a message tells of an object's insides: ${d.message} ${d.help}`, text);
    for (const span of [...(d.primary ? [d.primary] : []), ...d.labels.map((l) => l.span)])
      if (!(span.start >= 0 && span.start <= span.end && span.end <= span.source.text.length)) fail(`a span of ${d.code} leaves the text`, text);
  }
}

/** The formatted text, where the text parses: stable, and of the same tree. */
function formatted(text: string): string | undefined {
  const source = { path: 'fuzz.vit', text };
  const { value, diagnostics } = parse(source);
  rendered(text, diagnostics);
  const once = format(source);
  if (hasErrors(diagnostics)) {
    if (once.value !== text) fail('a text with errors was formatted', text);
    return undefined;
  }
  const again = parse({ path: 'fuzz.vit', text: once.value });
  if (!sameTree(value, again.value)) fail('formatting changes the tree', text);
  const twice = format({ path: 'fuzz.vit', text: once.value }).value;
  if (twice !== once.value) fail('formatting twice differs from once', text);
  return once.value;
}

const graphText = (graph: Graph): string => printGraph(graph).replace(/ # [^\n]*/g, '');

/** Elaborates; where that works, its formatted text must give the same graph. */
function elaborated(text: string): boolean {
  const { value, diagnostics } = elaborateText(text);
  rendered(text, diagnostics);
  if (hasErrors(diagnostics)) return false;
  const wrong = verifyGraph(value!);
  if (wrong.length > 0) fail(`an accepted program's graph is wrong: ${wrong[0]}`, text);
  const other = formatted(text);
  if (other === undefined) return fail('an accepted program does not parse', text);
  const after = elaborateText(other);
  if (hasErrors(after.diagnostics) || graphText(after.value!) !== graphText(value!)) fail('formatting changes the graph', text);
  return true;
}

const vitFiles = readdirSync(ZOO, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.vit')).sort();
const SOURCES = vitFiles.map((name) => readFileSync(join(ZOO, name), 'utf8'));
/** One to three declarations of a real source. */
function declaration(random: Random): string {
  const parts = random.pick(SOURCES).split(/(?<=\n\}\n)|\n\n/);
  const at = random.integer(0, parts.length - 1);
  return parts.slice(at, at + random.integer(1, 2)).join('\n\n').slice(0, 3000);
}

const WORDS = [
  'import', 'let', 'fn', 'block', 'model', 'preset', 'param', 'input', 'output', 'for', 'in', 'if', 'then', 'else', 'return', 'assert', 'weights', 'and', 'or', 'not', 'true', 'false', 'none', 'by',
  'x', 'B', 'D', '(', ')', '[', ']', '{', '}', ',', ':', ';', '.', '..', '...', '@', '=', '==', '->', '=>', '*', '**', '/', '%', '-', '+', '// c\n', '/// d\n', '//! e\n', '/*', '#', '&&', "'", '"',
  'softmax', 'iota(3)', 'x[0]', 'x[:, 0]', 'blocks[i]', '@labels("coco")', '@image(mean = 0)', '9999999999', '-1', '0.5', '1e9', '"b n -> n"', 'rearrange(x, "b n -> n b")', 'einsum("a b -> b", x)',
];

const SOUND = `${exampleSource('import { Linear } from "std/layers"')}preset p = M(size = 16) @weights("../w.safetensors")
`;

/** Made once, when first asked for. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

const graphs = once((): Graph[] => [...TINY.filter(({ file }) => ['vit', 'mixer', 'resnet', 'whisper'].includes(file)).map((tiny) => tinyGraph(tiny)), ...[1, 2, 3, 4, 5, 6].map((seed) => randomGraph(seed, { steps: 3, maxElements: 200 }))]);
const graphTexts = once(() => graphs().map(printGraph));
const shorter = (texts: string[]): string[] => texts.filter((t) => t.length < 40_000);
const programTexts = once(() => shorter(graphs().map((graph) => printProgram(lower(graph, { fuse: true, target: WEB, storage: 'f32' })))));
const planTexts = once(() => shorter(graphs().map((graph) => printPlan(compileGraph(graph, { target: WEB, dtype: 'f32' }).value!.plan))));
const IR_WORDS = ['%0', '%1', 'f32[2, 3]', 'i32', 'bool', 'input', 'output', 'rule', 'kernel', 'call', 'buffer', 'op', 'store', 'read', 'write', 'place', 'schedule', 'memory', 'target', 'inf', '-inf', '{', '}', '[', ']', '(', ')', '=', ':', '@', '#', '/0', '%0', '*0', ',', '"'];

/** What a reader of IR text makes of a mutant: errors, or a value that prints and reads back the same. */
function readsBack<T>(text: string, read: (text: string) => { value?: T; errors: readonly unknown[] }, print: (value: T) => string, verify?: (value: T) => readonly string[]): boolean {
  const { value, errors } = read(text);
  if (value === undefined) {
    if (errors.length === 0) fail('neither a value nor an error', text);
    return false;
  }
  verify?.(value);
  const printed = print(value);
  const again = read(printed);
  if (again.value === undefined || print(again.value) !== printed) fail(`what was read does not print and read back the same: ${JSON.stringify(again.errors)}`, text);
  return true;
}

function mutantLine(random: Random, text: string): string {
  const lines = text.split('\n');
  for (let n = random.integer(1, 2); n > 0; n--) {
    const at = random.integer(0, lines.length - 1);
    const kind = random.integer(0, 9);
    if (kind === 0) lines.splice(at, 1);
    else if (kind === 1) lines.splice(at, 0, random.pick(lines));
    else lines[at] = random.chance(0.8) ? mutateText(random, lines[at], IR_WORDS) : mutateAsBytes(random, lines[at]);
  }
  return lines.join('\n');
}

let scratch: string | undefined;

/** A file of the worker's own with this content. */
function scratchFile(name: string, content: string | Uint8Array): string {
  scratch ??= mkdtempSync(join(tmpdir(), 'vitc-fuzz-'));
  const path = join(scratch, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

export function removeScratch(): void {
  if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
  scratch = undefined;
}

const DTYPES = ['F64', 'F32', 'F16', 'BF16', 'I64', 'I32', 'I16', 'I8', 'U8', 'U16', 'U32', 'U64', 'BOOL'] as const;
const WIDTH: Record<string, number> = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, U16: 2, U32: 4, U64: 8, BOOL: 1 };

/** A safetensors file that is sound but for what is done to it. */
function hostileSafetensors(random: Random): Uint8Array {
  const header: [string, unknown][] = [];
  let offset = 0;
  for (let i = random.integer(0, 4); i > 0; i--) {
    const dtype = random.pick(DTYPES);
    const shape = Array.from({ length: random.integer(0, 3) }, () => random.integer(0, 4));
    const bytes = shape.reduce((a, b) => a * b, 1) * WIDTH[dtype];
    header.push([random.chance(0.3) ? random.pick(NASTY) : `t${i}`, { dtype, shape, data_offsets: [offset, offset + bytes] }]);
    offset += bytes;
  }
  if (random.chance(0.2)) header.push(['__metadata__', { format: 'pt' }]);
  let value: unknown = header;
  if (random.chance(0.8)) value = mutateJson(random, header);

  const pairs = Array.isArray(value) ? value.filter((p): p is [unknown, unknown] => Array.isArray(p)) : [];
  // Written by hand, so that names may stand twice.
  let text = Array.isArray(value) ? `{${pairs.map(([k, v]) => `${JSON.stringify(typeof k === 'string' ? k : 'k')}:${jsonText(random, v)}`).join(',')}}` : jsonText(random, value);
  if (random.chance(0.1)) text = mutateText(random, text, ['{', '}', '[', ']', 'NaN', 'Infinity', '1e999', '"F32"', 'null', ',']);
  if (random.chance(0.02)) text = `{"a":${'['.repeat(random.pick([10, 1000, 200_000]))}`;
  const json = new TextEncoder().encode(text);
  const file = new Uint8Array(8 + json.length + Math.max(0, offset + random.pick([0, 0, 0, -1, 1, 100])));
  const length = random.chance(0.1) ? random.pick([0, json.length - 1, json.length + 1, 2 ** 31, 2 ** 32, 2 ** 53]) : json.length;
  new DataView(file.buffer).setBigUint64(0, BigInt(Math.max(0, length)), true);
  file.set(json, 8);
  for (let i = 8 + json.length; i < file.length; i++) file[i] = random.integer(0, 255);
  return random.chance(0.15) ? mutateBytes(random, file) : file;
}

const golden = {
  name: 'g', source: 's', seed: 1,
  inputs: { image: { dtype: 'f32', shape: [1, 3, 4, 4] }, ids: { dtype: 'i32', shape: [2, 2], values: [[1, 2], [3, 4]] }, words: { dtype: 'i32', shape: [3], rule: 'floor((v + 1) / 2 * 40)' } },
  outputs: { logits: [1, 10] }, parameters: [['w', [2, 3]], ['scale', []], ['b', [3]]], tied: [['w', 'v']], overridden: ['b'],
  trace: { 'blocks.0': { shape: [1, 4], mean: 0.5, std: 1, first: [1, 2] } },
};

const profile = {
  name: 'p', description: 'd', bandwidth: 1e11, cache: { bytes: 1e6, bandwidth: 1e11, direct: 1e11 }, rates: { f32: 1e12, f16: 2e12 }, dispatch: 1e-6, cores: { count: 8, invocations: 128 }, latency: 1e-6,
  sources: { bandwidth: 'measured' },
};

const pictureSeeds = once(async (): Promise<Uint8Array[]> => {
  const { default: sharp } = await import('sharp');
  const pixels = Uint8Array.from({ length: 12 * 9 * 4 }, (_, i) => (i * 37) % 256);
  const made = (channels: 3 | 4) => sharp(pixels.subarray(0, 12 * 9 * channels), { raw: { width: 12, height: 9, channels } });
  return Promise.all([
    made(3).png().toBuffer(), made(4).png({ palette: true }).toBuffer(), made(3).jpeg().toBuffer(), made(3).jpeg({ progressive: true, chromaSubsampling: '4:4:4' }).toBuffer(),
    made(3).webp().toBuffer(), made(4).webp({ lossless: true }).toBuffer(), made(3).gif().toBuffer(), made(3).tiff({ compression: 'lzw' }).toBuffer(), made(3).grayscale().png().toBuffer(), made(3).toColourspace('cmyk').jpeg().toBuffer(),
    made(3).avif({ effort: 0 }).toBuffer(),
    Promise.resolve(new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/hostname" width="9" height="9"/></svg>')),
  ]);
});

/** The plan and weights.json of a package of two kernels, and a folder that holds the rest. */
const tiny = once(() => {
  const graph = elaborateText('model T() {\n input x: [2, 3]\n param w: [4, 3]\n output y = relu(matmul(x, transpose(w, [1, 0])))\n output z = argsort(x)\n}').value!;
  const { plan, kernels } = compileGraph(graph, { target: WEB, dtype: 'f32' }).value!;
  const shards = plan.weightShards.map((bytes) => new Uint8Array(bytes));
  const weights = shards.map((bytes) => ({ bytes, sha256: createHash('sha256').update(bytes).digest('hex') }));
  const manifest = weightsManifest(plan, weights);
  const table = JSON.parse(JSON.stringify(packagePlan(graph, plan, kernels))) as PackagePlan;
  let folder = '';
  for (const { id } of table.kernels) folder = scratchFile(`package/kernels/${id}.wgsl`, 'wgsl');
  folder = dirname(dirname(folder));
  manifest.shards.forEach(({ file }, i) => scratchFile(`package/${file}`, shards[i]));
  return { table, manifest, folder };
});

/** A device that takes anything: what the package's own checks must catch, nothing behind them catches here. */
const credulous = (): GPUDevice => {
  const thing = (): object => new Proxy({}, { get: (_, key) => (key === 'then' ? undefined : () => thing()) });
  const fixed: Record<string, unknown> = {
    features: new Set(), adapterInfo: {}, lost: new Promise(() => {}), queue: thing(), destroy: () => {},
    limits: new Proxy({}, { get: () => 2 ** 40 }), popErrorScope: async () => null, createComputePipelineAsync: async () => thing(),
  };
  return new Proxy({}, { get: (_, key) => fixed[key as string] ?? (key === 'then' ? undefined : () => thing()) }) as GPUDevice;
};

function loads(random: Random, plan: PackagePlan, manifestText: string): Promise<boolean> {
  const { folder } = tiny();
  scratchFile('package/weights.json', manifestText);
  return refusing([VitcError], () => [plan, manifestText], async () => {
    const model = await loadModel<Record<string, unknown>, unknown>(plan, pathToFileURL(join(folder, 'index.js')).href, { device: credulous(), verify: random.chance(0.5) });
    model.destroy();
  });
}

export const SURFACES: readonly Surface[] = [
  { name: 'parser and formatter: sentences of the grammar', share: 12, prepare: () => formatted(SOUND), run: (r) => undefined !== formatted(new Sentences(r).file()) },
  {
    name: 'parser and formatter: real sources, tokens changed', share: 8,
    run: (r) => {
      return undefined !== formatted(mutateText(r, declaration(r), WORDS));
    },
  },
  {
    name: 'parser and formatter: real sources, bytes changed', share: 6,
    run: (r) => {
      const text = declaration(r);
      return undefined !== formatted(mutateAsBytes(r, r.chance(0.8) ? text : text.slice(r.integer(0, text.length))));
    },
  },
  { name: 'parser and formatter: random bytes', share: 16, prepare: () => formatted(SOUND), run: (r) => undefined !== formatted(new TextDecoder().decode(Uint8Array.from({ length: r.integer(0, 120) }, () => (r.chance(0.7) ? r.integer(32, 126) : r.integer(0, 255))))) },
  { name: 'elaborator: sound models', share: 2, prepare: () => elaborated(SOUND), run: (r) => elaborated(soundModel(r)) },
  { name: 'elaborator: models with tokens changed', share: 4, prepare: () => elaborated(SOUND), run: (r) => elaborated(mutateText(r, r.chance(0.5) ? SOUND : soundModel(r), WORDS)) },
  { name: 'elaborator: sentences of the grammar', share: 4, prepare: () => elaborated(SOUND), run: (r) => elaborated(new Sentences(r).file()) },
  { name: 'elaborator: settings', share: 2, run: (r) => refusing([InvalidArgumentError], () => 'settings', () => settings(r)) },
  { name: 'graph text', share: 6, prepare: graphTexts, run: (r) => readsBack(mutantLine(r, r.pick(graphTexts())), readGraph, printGraph, verifyGraph) },
  { name: 'kernel text', share: 6, prepare: programTexts, run: (r) => readsBack(mutantLine(r, r.pick(programTexts())), readProgram, printProgram, verifyProgram) },
  { name: 'plan text', share: 3, prepare: planTexts, run: (r) => readsBack(mutantLine(r, r.pick(planTexts())), readPlan, printPlan) },
  {
    name: 'safetensors headers', share: 14,
    run: (r) => {
      const bytes = hostileSafetensors(r);
      return refusing([WeightsError], () => Buffer.from(bytes).toString('latin1'), () => {
        const { entries } = readHeader(bytes, bytes.length, 'f.safetensors');
        for (const entry of entries.values()) decodeTensor(entry, bytes.subarray(entry.start, entry.end));
      });
    },
  },
  {
    name: 'safetensors files', share: 4,
    run: (r) => {
      const bytes = hostileSafetensors(r);
      return refusing([CliError], () => Buffer.from(bytes).toString('latin1'), async () => {
        const file = openSafetensors(scratchFile('w.safetensors', bytes));
        for (const name of file.shapes.keys()) file.read(name);
        for (const name of NASTY) if (!file.shapes.has(name) && (await refusing([CliError], () => name, () => file.read(name)))) fail('a tensor that is not there was read', name);
      });
    },
  },
  {
    name: 'golden JSON', share: 4, prepare: graphs,
    run: (r) => {
      const text = r.chance(0.85) ? jsonText(r, mutateJson(r, golden)) : mutateAsBytes(r, JSON.stringify(golden));
      const path = scratchFile('g.json', text);
      scratchFile('g.safetensors', writeSafetensors(new Map([['logits', { shape: [1, 10], data: new Float32Array(10) }], ['weights:b', { shape: [3], data: new Float32Array(3) }]])));
      return refusing([CliError], () => text, async () => {
        const opened = openGolden(path);
        for (const [name] of opened.golden.outputs) opened.output(name);
        for (const [name, shape] of opened.golden.parameters) if (shape.reduce((a, b) => a * b, 1) < 1e6) opened.weights(name, shape);
        await refusing([CliError], () => text, () => inputsFor(graphs()[0], opened.golden));
      });
    },
  },
  {
    name: 'device profile JSON', share: 3,
    run: (r) => {
      const text = r.chance(0.85) ? jsonText(r, mutateJson(r, profile)) : mutateAsBytes(r, JSON.stringify(profile));
      return refusing([CliError], () => text, () => {
        const read = findProfile(scratchFile('p.json', text));
        for (const value of [read.bandwidth, read.cache.bytes, read.rates.f32, read.dispatch, read.fetch, ...Object.values(read.latency), ...Object.values(read.cores)]) if (!(Number.isFinite(value) && value > 0)) fail('a figure that is no figure', text);
      });
    },
  },
  { name: "a package's plan", share: 2, prepare: tiny, run: (r) => loads(r, mutateJson(r, tiny().table) as PackagePlan, JSON.stringify(tiny().manifest)) },
  { name: "a package's weights.json", share: 1, prepare: tiny, run: (r) => loads(r, tiny().table, r.chance(0.85) ? jsonText(r, mutateJson(r, tiny().manifest)) : mutateAsBytes(r, JSON.stringify(tiny().manifest))) },
  {
    name: 'pictures', share: 1, prepare: pictureSeeds,
    run: async (r) => {
      const bytes = mutateBytes(r, r.pick(await pictureSeeds()));
      return refusing([CliError], () => Buffer.from(bytes).toString('base64'), async () => {
        const { data, width, height } = await findPictures(scratchFile('p.png', bytes))[0].decode();
        if (data.length !== 3 * width * height) fail(`${data.length} bytes for ${width} x ${height}`, Buffer.from(bytes).toString('base64'));
      });
    },
  },
  { name: 'names of files, hubs and imports', share: 2, run: names },
];

/** `--set` as it is written, then given to a model. */
function settings(random: Random): void {
  const values = ['0', '-1', '1e308', '', 'true', '[]', '[1, 2]', '[[1], [', `${'['.repeat(random.pick([1, 50, 30_000]))}${']'.repeat(random.pick([1, 50, 30_000]))}`, '"x"', 'none', 'NaN', 'Infinity', '0x10', ...NASTY];
  const names = ['size', 'dim', 'depth', 'classes', 'nothing', ...NASTY];
  let given: ReturnType<typeof setting> = {};
  for (let n = random.integer(1, 3); n > 0; n--) given = setting(`${random.pick(names)}=${random.chance(0.2) ? random.pick(NUMBERS) : random.pick(values)}`, given);
  const sources = new Sources({ read: (path) => (path === 'm.vit' ? SOUND.replace(/^import.*\n/, 'block Linear(out: int)(x: [...S, I]) -> [...S, out] { param weight: [out, I]; return linear(x, weight) }\n') : path.startsWith('std/') ? readFileSync(join(ZOO, path), 'utf8') : undefined) });
  const { value, diagnostics } = buildGraph(sources, { entry: 'm.vit', target: 'M', settings: given, batch: random.pick([1, 2, 2 ** 31, 2 ** 53 - 1]) });
  rendered('settings', diagnostics);
  if (!hasErrors(diagnostics) && value && verifyGraph(value).length > 0) fail('an accepted setting gives a wrong graph', given);
}

async function names(random: Random): Promise<boolean> {
  const part = () => (random.chance(0.5) ? random.pick(NASTY) : random.pick(['a', 'b.c', '..', '.', 'std', 'x.vit', 'layers', '%2e%2e', 'a@b']));
  const text = Array.from({ length: random.integer(1, 4) }, part).join(random.pick(['/', '\\', '//', '@']));
  const project = new Project(scratchFile('project/main.vit', `import { a } from ${JSON.stringify(text)}\nmodel M() { input x: [1]; output y = x }\n`));
  const sources = new Sources(project);
  const allowed = await refusing([CliError], () => text, () => {
    rendered(text, checkSource(sources, project.entry));
    targetsOf(sources, project.entry);
  });
  const read = project.read(text);
  if (read !== undefined && (/^([/\\]|[A-Za-z]:)/.test(text) || text.split('/').includes('..'))) fail('read outside of the project', text);
  const isHub = await refusing([CliError], () => text, () => {
    const hub = parseHubName(`hf:${text}`)!;
    if (/(^|\/)\.\.?(\/|$)|[\\\s\u0000-\u001f]/.test([hub.owner, hub.name, hub.revision, hub.file ?? 'x'].join('/'))) fail('a hub name that leaves its folder', text);
  });
  return allowed && isHub;
}

/** The same seed, surface and number give the same case. */
export function caseRandom(seed: number, surface: number, index: number): Random {
  let hash = 0x811c9dc5;
  for (const part of [seed, surface, index]) for (let i = 0; i < 4; i++) hash = Math.imul(hash ^ ((part >>> (8 * i)) & 255), 0x01000193);
  return new Random(hash >>> 1);
}

/** How many of `count` cases each surface gets. */
export function shares(count: number): number[] {
  const total = SURFACES.reduce((sum, s) => sum + s.share, 0);
  const counts = SURFACES.map((s) => Math.floor((count * s.share) / total));
  counts[0] += count - counts.reduce((a, b) => a + b, 0);
  return counts;
}

