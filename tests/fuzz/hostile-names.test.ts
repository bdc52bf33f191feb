/** Names and texts that come from files never act: not in WGSL, JavaScript, types, JSON, Markdown, HTML, paths or a terminal. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CliError } from '../../src/cli/errors.ts';
import { openSafetensors, Project, readText } from '../../src/cli/files.ts';
import { findPictures } from '../../src/cli/images.ts';
import { setting } from '../../src/cli/options.ts';
import { packageFiles } from '../../src/cli/packages.ts';
import { pageScripts } from '../../src/cli/page-files.ts';
import { makeReport } from '../../src/cli/reports.ts';
import { guarded } from '../../src/cli/terminal.ts';
import { buildGraph, checkSource, compileGraph, packWeights, Sources } from '../../src/compile.ts';
import { printModule } from '../../src/codegen/wgsl-print.ts';
import type { Graph } from '../../src/graph.ts';
import { profileNamed, type Profile } from '../../src/profiles.ts';
import { compareReports } from '../../src/report/compare.ts';
import { reportHtml } from '../../src/report/html.ts';
import { WEB } from '../../src/targets.ts';
import { writeSafetensors } from '../../src/weights/safetensors.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { testDevice } from '../helpers/device.ts';

const CLI = resolve('dist/cli.js');

const HOSTILE = [
  '</script><script>window.pwned=1</script>', '<img src=x onerror="window.pwned=1">', '"; window.pwned=1; "', "'; globalThis.pwned=1; '", '`${globalThis.pwned=1}`', '${globalThis.pwned=1}', '*/ globalThis.pwned=1; /*',
  '--><!--', 'a\nb\r\nc', '\u2028globalThis.pwned=1\u2029', '../../escape', 'con', '\\', '%00', '\u0000', '\u001b[2J\u001b]0;title\u0007', '\u009b31m', '\u202egnp.exe', '__proto__', 'x'.repeat(5000), '@group(0) @binding(9) var<storage> evil: u32;', '|a|b|', '](javascript:alert(1))',
];
/** As the language writes a text. */
const quoted = (text: string): string => `"${[...text].map((c) => (/[\w ]/.test(c) ? c : `\\u{${c.codePointAt(0)!.toString(16)}}`)).join('')}"`;
const documented = (text: string): string => text.split(/[\r\n]+/).map((line) => `/// ${line}`).join('\n');

/** What `vitc` may write to a terminal. */
// eslint-disable-next-line no-control-regex
const ACTS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

/** Names that other languages keep for themselves. */
const KEPT = ['constructor', 'toString', 'hasOwnProperty', 'valueOf', 'then_', 'default', 'class', 'await', 'enum', 'main', 'array', 'f32', 'struct', 'switch', 'con', 'aux', 'NaN', 'arguments', 'undefined', 'x'.repeat(300)];

const source = `//! ${HOSTILE[0]} ${HOSTILE[6]}
block Scale(out: int)(x: [B, N]) -> [B, out] {
  param default: [out, N]
  return linear(x, default)
}

${HOSTILE.map(documented).join('\n///\n')}
model constructor() {
  ${documented(HOSTILE[6])}
  input image: [B, 3, 2, 2] @image(mean = 0, std = 1)
  /// ${HOSTILE[4]} */ declare const evil: 1; /**
  input constructor_: [B, 4]
  y_constructor = class: Scale(4)(constructor_)
${KEPT.map((name, i) => `  output ${name} = ${name.slice(0, 40)}${i}: Scale(${HOSTILE.length})(constructor_) @labels([${HOSTILE.map(quoted).join(', ')}])`).join('\n')}
  output scores = reshape(y_constructor, [B, 4])
  output boxes = reshape(sum(image, axis = 1), [B, 4]) @boxes(format = ${quoted(HOSTILE[2])}, scores = ${quoted('scores')}, background = 0)
  weights { ${HOSTILE.filter((h) => !/[{}]/.test(h)).map((h) => `ignore ${quoted(h)}`).join(' ')} }
}
`;

const folder = mkdtempSync(join(tmpdir(), 'vitc-names-'));
const FILE = join(folder, `a <img src=x onerror=window.pwned=1>'"\`\${x}\u001b[31m\u2028.vit`);
let graph: Graph;
let files: ReadonlyMap<string, string | Uint8Array>;

beforeAll(() => {
  writeFileSync(FILE, source);
  const project = new Project(FILE);
  const { value, diagnostics } = buildGraph(new Sources(project), { entry: project.entry });
  expect(diagnostics.filter((d) => d.severity === 'error').map((d) => d.message)).toEqual([]);
  graph = value!;
  const { value: compilation } = compileGraph(graph, { target: WEB, dtype: 'f32' });
  files = packageFiles(compilation!, packWeights(compilation!, (_, shape) => new Float32Array(shape.reduce((a, b) => a * b, 1))));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const textOf = (name: string): string => files.get(name) as string;

describe('a package of hostile names', () => {
  test('has plain file names', () => {
    for (const name of files.keys()) expect(name).toMatch(/^((kernels|runtime)\/)?[\w.-]{1,120}$/);
  });

  test('is JavaScript and types that say no more than they should', () => {
    for (const [name, content] of files) {
      if (!/\.(js|d\.ts)$/.test(name)) continue;
      const parsed = ts.createSourceFile(name, content as string, ts.ScriptTarget.ES2022, true) as ts.SourceFile & { parseDiagnostics: readonly ts.Diagnostic[] };
      expect(parsed.parseDiagnostics.map((d) => `${name}: ${ts.flattenDiagnosticMessageText(d.messageText, ' ')}`)).toEqual([]);
      const walk = (node: ts.Node): void => {
        // In texts and comments, not as code.
        if (ts.isIdentifier(node)) expect(['pwned', 'evil', 'alert'], name).not.toContain(node.text);
        ts.forEachChild(node, walk);
      };
      walk(parsed);
    }
  });

  test('keeps its labels as they were', async () => {
    writeFileSync(join(folder, 'labels.mjs'), textOf('labels.js'));
    const { labels } = (await import(pathToFileURL(join(folder, 'labels.mjs')).href)) as { labels: Record<string, string[]> };
    expect(Object.keys(labels).sort()).toEqual([...KEPT].sort());
    for (const name of KEPT) expect(labels[name]).toEqual(HOSTILE);
    expect('pwned' in globalThis).toBe(false);
  });

  test('is sound JSON with a name that npm takes', () => {
    const { name, description } = JSON.parse(textOf('package.json')) as { name: string; description: string };
    expect(name).toMatch(/^[a-z0-9][a-z0-9.~-]{0,213}$/);
    expect(description).toContain('constructor');
    for (const file of ['report.json', 'weights.json']) JSON.parse(textOf(file));
  });

  test('says nothing in HTML in its README', () => {
    expect(textOf('README.md')).not.toMatch(/<(script|img|!--)/i);
  });

  test('has kernels that Dawn takes', async () => {
    const gpu = await testDevice();
    if (!gpu) return;
    for (const [name, code] of files) {
      if (!name.endsWith('.wgsl')) continue;
      expect(code as string).not.toMatch(/pwned|evil|script/);
      const { messages } = await gpu.device.createShaderModule({ code: code as string }).getCompilationInfo();
      expect(messages.filter((m) => m.type === 'error').map((m) => `${name}: ${m.message}`)).toEqual([]);
    }
  });
});

const launched = await launchBrowser();
if (typeof launched === 'string') console.warn(`skipped: ${launched}`);

describe.skipIf(typeof launched === 'string')('a report of hostile names', () => {
  afterAll(() => (launched as Browser).close());

  test('runs nothing and says nothing', async () => {
    const all = HOSTILE.join(' ');
    const figures = profileNamed('apple-m2')!;
    const profile: Profile = { ...figures, name: all, description: all, sources: Object.fromEntries(Object.keys(figures.sources).map((key) => [key, all])) as unknown as Profile['sources'] };
    const { report, sources, compilation } = makeReport({ graph, target: WEB, dtype: 'f32', profile });
    expect(sources.some((s) => s.path.includes('onerror'))).toBe(true);
    const rename = (value: unknown): unknown =>
      typeof value === 'string' && /^(y_|_?constructor|class)/.test(value) ? `${value} ${all}` : Array.isArray(value) ? value.map(rename) : typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, rename(v)])) : value;
    const named = rename({ ...report, model: all, doc: all }) as typeof report;
    const html = reportHtml({ report: named, sources, wgsl: compilation.kernels.map((k) => printModule(k.module)), comparison: compareReports([{ label: all, report: named }, { label: `${all} 2`, report }]) }, pageScripts());
    const path = join(folder, 'report.html');
    writeFileSync(path, html);
    const page = await (launched as Browser).newPage();
    const said: string[] = [];
    page.on('dialog', (d) => void said.push(`dialog: ${d.message()}`));
    page.on('console', (m) => void (m.type() === 'error' && said.push(m.text())));
    page.on('pageerror', (e) => void said.push(e.message));
    page.on('request', (r) => void (r.url() !== pathToFileURL(path).href && said.push(`request: ${r.url()}`)));
    await page.goto(pathToFileURL(path).href);
    await page.waitForSelector('#memory svg');
    expect(await page.evaluate('[typeof window.pwned, document.querySelectorAll("script").length, document.querySelectorAll("img").length]')).toEqual(['undefined', 4, 0]);
    expect(said).toEqual([]);
  });
});

describe('a terminal', () => {
  const vitc = (...args: string[]) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [CLI, ...args], { cwd: folder, encoding: 'utf8', env: { ...process.env, FORCE_COLOR: undefined } });
    return { status, said: stdout + stderr };
  };

  test('gets no escapes from the names of files, tensors, options and settings', () => {
    const tensors = new Map(HOSTILE.map((name) => [name, { shape: [1], data: new Float32Array(1) }]));
    writeFileSync(join(folder, 'w\u001b[31m\u009b.safetensors'), writeSafetensors(tensors));
    const file = FILE.slice(folder.length + 1);
    for (const args of [
      ['weights', 'list', 'w\u001b[31m\u009b.safetensors'],
      ['weights', 'list', '--json', 'w\u001b[31m\u009b.safetensors'],
      ['check', file],
      ['check', '--json', file],
      ['check', '\u001b[2J\u009b.vit'],
      ['compile', file, '-o', 'p\u001b[1m\u0007', '--weights', 'w\u001b[31m\u009b.safetensors'],
      ['compile', file, '-o', 'p\u001b[1m\u0007'],
      ['emit', '--stage', 'plan', file],
      ['run', file, '--seed', '1', '--device', 'cpu', '--image', '\u001b[2J.png'],
      ['explain', '\u001b[2J'],
      ['fmt', '--check', file],
      [`--\u001b[2J`],
    ]) {
      const { said } = vitc(...args);
      expect(said, args.join(' ')).not.toBe('');
      expect(ACTS.exec(said)?.[0], args.join(' ')).toBe(undefined);
      expect(said, args.join(' ')).not.toContain('bug');
    }
    const list = JSON.parse(vitc('weights', 'list', '--json', 'w\u001b[31m\u009b.safetensors').said) as { name: string }[];
    expect(list.map((t) => t.name).sort()).toEqual([...HOSTILE].sort());
  });

  test('keeps its own styles where there are any', () => {
    expect(guarded('\u001b[1mok\u001b[22m \u001b[2J\u009b \t\n', true)).toBe('\u001b[1mok\u001b[22m \\u001b[2J\\u009b \t\n');
    expect(guarded('\u001b[1mok', false)).toBe('\\u001b[1mok');
    expect(JSON.parse(guarded(JSON.stringify({ a: '\u009b\u202e\u{e0001}' }), false))).toEqual({ a: '\u009b\u202e\u{e0001}' });
  });
});

describe('imports', () => {
  const project = join(folder, 'project');
  const model = (path: string): string => `import { f } from ${quoted(path)}\nmodel M() {\n  input x: [B]\n  output y = f(x)\n}\n`;

  beforeAll(() => {
    mkdirSync(join(project, 'inner'), { recursive: true });
    writeFileSync(join(folder, 'outside.vit'), 'fn f(x) = x\n');
    writeFileSync(join(project, 'inner', 'inside.vit'), 'fn f(x) = x\n');
    symlinkSync(join(folder, 'outside.vit'), join(project, 'link.vit'));
    symlinkSync(folder, join(project, 'up'));
    symlinkSync(join(project, 'inner'), join(project, 'down'));
    symlinkSync(join(project, 'loop.vit'), join(project, 'loop.vit'));
  });

  function codes(path: string): string[] {
    writeFileSync(join(project, 'main.vit'), model(path));
    const opened = new Project(join(project, 'main.vit'));
    try {
      return checkSource(new Sources(opened), opened.entry).filter((d) => d.severity === 'error').map((d) => d.code);
    } catch (failure) {
      if (failure instanceof CliError) return failure.diagnostics.map((d) => d.code);
      throw failure;
    }
  }

  test.each(['./inner/inside', './down/inside', './inner/../inner/inside'])('reach %s', (path) => expect(codes(path)).toEqual([]));

  test.each([
    './link', './up/outside', '../outside', './inner/../../outside', '/etc/passwd', 'file:///etc/passwd', 'https://example.org/x', 'C:/x', '..\\outside', './inner\\inside', './inner/inside\u0000', 'std/../outside', 'std/../../package',
    './loop', '//outside', './..', '.', './', `./${'a/'.repeat(3000)}b`, `./${'x'.repeat(10_000)}`,
  ])('do not reach %s', (path) => {
    const found = codes(path);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^E020[34]$/);
  });

  test('and neither do the weights that a preset names', () => {
    writeFileSync(join(project, 'main.vit'), model('./inner/inside'));
    const opened = new Project(join(project, 'main.vit'));
    expect(opened.beside('inner/w.safetensors')).toBe(join(project, 'inner', 'w.safetensors'));
    for (const name of ['../w.safetensors', '/etc/passwd', 'up/outside.vit', 'link.vit', 'a\u0000b']) expect(opened.beside(name)).toBe(undefined);
  });
});

describe('files that are not what they say', () => {
  const refused = (run: () => unknown): string => {
    try {
      run();
    } catch (failure) {
      if (failure instanceof CliError) return `${failure.diagnostics[0].code} ${failure.message}`;
      throw failure;
    }
    return 'taken';
  };

  test('are refused by name', async () => {
    const path = join(folder, 'x.safetensors');
    writeFileSync(path, writeSafetensors(new Map([['w', { shape: [2], data: new Float32Array(2) }]])));
    expect(refused(() => openSafetensors(path).read('__proto__'))).toMatch(/^E0801 .*x\.safetensors has no tensor "__proto__"$/);
    expect(refused(() => openSafetensors(folder))).toMatch(/^E0901 cannot read .*: it is a folder$/);
    // A file cut while it is open.
    const open = openSafetensors(path);
    writeFileSync(path, readFileSync(path).subarray(0, -4));
    expect(refused(() => open.read('w'))).toMatch(/^E0801 .* ended while it was read$/);
    writeFileSync(join(folder, 'latin.vit'), Uint8Array.of(0x2f, 0x2f, 0xe9, 0x0a));
    expect(refused(() => readText(join(folder, 'latin.vit')))).toMatch(/^E0901 .*latin\.vit is not UTF-8: line \d+ has the byte 0x[0-9A-F]{2}, at offset \d+$/);
    if (existsSync('/dev/zero')) expect(refused(() => readText('/dev/zero'))).toMatch(/^E0901 .* it has more than \d+ bytes$/);
  });

  test.each([
    ['a drawing', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/hostname"/></svg>'],
    ['a document', '%PDF-1.4'],
    ['nothing', ''],
    // A header that promises 65535 x 65535 pixels.
    ['a picture that is too large', Buffer.from('/9j/4AAQSkZJRgABAQAAAQABAAD/wAARCP////8DASIAAhEBAxEB/9k=', 'base64')],
  ])('%s is no picture', async (_, content) => {
    const path = join(folder, 'p.png');
    writeFileSync(path, content);
    await expect(findPictures(path)[0].decode()).rejects.toThrow(/p\.png cannot be decoded: /);
  });

  test('settings nest no deeper than anyone needs', () => {
    expect(() => setting(`a=${'['.repeat(50_000)}${']'.repeat(50_000)}`)).toThrow('lists may be nested 16 deep');
  });

  test('nothing was written beside', () => {
    expect(readdirSync(folder).filter((name) => /escape|\.tmp/.test(name))).toEqual([]);
  });
});
