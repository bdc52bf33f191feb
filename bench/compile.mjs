// Compile time without weights, from source text to every file of the package, each in a process of its own (start-up of
// the compiler included, that of Node not). Usage: npm run build && node bench/compile.mjs [RUNS]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const DIST = new URL('../dist/', import.meta.url);

if (process.argv[2] === '--one') await one(process.argv[3], process.argv[4], JSON.parse(process.argv[5]));
else table(Number(process.argv[2] ?? 5));

async function one(file, target, set) {
  const start = performance.now();
  const { Sources, buildGraph, compileGraph } = await import(new URL('compile.js', DIST));
  const { Project } = await import(new URL('cli/files.js', DIST));
  const { packageFiles } = await import(new URL('cli/packages.js', DIST));
  const { WEB } = await import(new URL('targets.js', DIST));
  const project = new Project(file);
  const { value: graph, diagnostics } = buildGraph(new Sources(project), { entry: project.entry, target, settings: set });
  if (!graph) throw new Error(diagnostics[0].message);
  const compilation = compileGraph(graph, { target: WEB, dtype: 'f32' }).value;
  const files = packageFiles(compilation);
  const milliseconds = performance.now() - start;
  const code = [...files].filter(([name]) => /\.(js|wgsl)$/.test(name)).map(([, content]) => content).join('');
  console.log(JSON.stringify({ milliseconds, kernels: compilation.plan.kernels.length, dispatches: compilation.plan.steps.length, gzip: gzipSync(code).length }));
}

function table(runs) {
  const zoo = (name) => fileURLToPath(new URL(`../zoo/${name}.vit`, import.meta.url));
  const cases = [
    ['vit', 'vit_tiny_patch16_224', {}],
    ['vit', 'vit_base_patch16_224', {}],
    ['efficientvit', 'efficientvit_m0', {}],
    ['mobilevit', 'mobilevit_s', {}],
    ['swin', 'swin_tiny_patch4_window7_224', {}],
    ...[100, 200, 400].map((depth) => ['vit', 'vit_tiny_patch16_224', { depth }]),
  ];
  console.log(['model', 'median ms', 'least ms', 'kernels', 'dispatches', 'JS + WGSL gzipped'].join('\t'));
  for (const [file, target, set] of cases) {
    const results = Array.from({ length: runs }, () => {
      const { stdout, stderr, status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--one', zoo(file), target, JSON.stringify(set)], { encoding: 'utf8' });
      if (status !== 0) throw new Error(stderr);
      return JSON.parse(stdout);
    }).sort((a, b) => a.milliseconds - b.milliseconds);
    const name = set.depth ? `${target}, ${set.depth} blocks` : target;
    console.log([name, results[runs >> 1].milliseconds.toFixed(0), results[0].milliseconds.toFixed(0), results[0].kernels, results[0].dispatches, results[0].gzip].join('\t'));
  }
}
