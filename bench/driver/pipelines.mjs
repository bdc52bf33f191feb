// What a Vulkan driver makes of a package's kernels: registers, bytes of code, and with NVIDIA's the code itself.
// Usage: npm run build && node bench/driver/pipelines.mjs PACKAGE [--layer FOLDER] [--code FOLDER]
//
// Needs a C compiler and Vulkan's headers (Debian: libvulkan-dev) to build layer.c beside this file, or with --layer a
// folder where it was built before; on a machine without them, build it with `--layer FOLDER --build` elsewhere and copy
// the folder. --code writes each kernel's machine code, out of the driver's shader cache, as FOLDER/NAME.nvuc, and, where
// nvdisasm is on the PATH, FOLDER/NAME.sass; it needs the program zstd.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const args = process.argv.slice(2);
const option = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
const LAYER = 'VK_LAYER_VITC_pipelines';
const LIBRARY = 'libvitc-pipelines.so';

function buildLayer(folder) {
  mkdirSync(folder, { recursive: true });
  const source = fileURLToPath(new URL('layer.c', import.meta.url));
  const { status, error } = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', join(folder, LIBRARY), source], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`layer.c was not built${error ? `: ${error.message}` : ''}; it needs a C compiler and Vulkan's headers`);
  const layer = { name: LAYER, type: 'GLOBAL', library_path: `./${LIBRARY}`, api_version: '1.3.0', implementation_version: '1', description: 'what the driver tells of compute pipelines' };
  writeFileSync(join(folder, 'layer.json'), JSON.stringify({ file_format_version: '1.1.0', layer }));
}

/** In a process of its own, as the loader and the driver read their environment once: makes the pipelines one after the other. */
async function makePipelines(folder) {
  const { openDevice } = await import(new URL('../../dist/cli/devices.js', import.meta.url));
  const { plan } = await import(pathToFileURL(join(folder, 'plan.js')).href);
  const { device } = await openDevice('gpu');
  for (const { id } of plan.kernels) {
    const code = readFileSync(join(folder, 'kernels', `${id}.wgsl`), 'utf8');
    await device.createComputePipelineAsync({ layout: 'auto', compute: { module: device.createShaderModule({ code }), entryPoint: 'main' } });
  }
  process.exit(0);
}

/** Objects in NVIDIA's shader cache, in the order in which they were made: zstd frames, their sizes in the eight bytes before. */
function objectsIn(cache) {
  const files = readdirSync(cache, { recursive: true }).filter((f) => f.endsWith('.bin'));
  return files.flatMap((file) => {
    const bytes = readFileSync(join(cache, file));
    const found = [];
    for (let at = bytes.indexOf('28b52ffd', 0, 'hex'); at >= 0; at = bytes.indexOf('28b52ffd', at + 4, 'hex')) {
      const { stdout, error } = spawnSync('zstd', ['-d', '-c'], { input: bytes.subarray(at, at + bytes.readUInt32LE(at - 8)), maxBuffer: 1 << 28 });
      if (error) throw new Error(`zstd does not run: ${error.message}`);
      if (stdout.subarray(0, 8).toString('latin1') === 'NVDANVVM') found.push(stdout.subarray(8));
    }
    return found;
  });
}

if (args.includes('--build')) {
  buildLayer(resolve(option('--layer')));
  process.exit(0);
}
const folder = args[0] && resolve(args[0]);
if (!folder || !existsSync(join(folder, 'plan.js'))) throw new Error('usage: node bench/driver/pipelines.mjs PACKAGE [--layer FOLDER] [--code FOLDER]');
if (process.env.VITC_PIPELINES) await makePipelines(folder);

const work = mkdtempSync(join(tmpdir(), 'vitc-pipelines-'));
try {
  const layer = option('--layer') ? resolve(option('--layer')) : join(work, 'layer');
  if (!existsSync(join(layer, 'layer.json'))) buildLayer(layer);
  const lines = join(work, 'lines');
  const cache = join(work, 'cache');
  mkdirSync(cache);
  const env = { ...process.env, VITC_PIPELINES: lines, VK_LAYER_PATH: layer, VK_INSTANCE_LAYERS: LAYER, __GL_SHADER_DISK_CACHE: '1', __GL_SHADER_DISK_CACHE_PATH: cache };
  const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), folder], { env, stdio: 'inherit' });
  if (status !== 0) throw new Error('the pipelines were not made');
  if (!existsSync(lines)) throw new Error('the driver tells nothing of pipelines: it has no VK_KHR_pipeline_executable_properties');
  const { plan } = await import(pathToFileURL(join(folder, 'plan.js')).href);
  const told = readFileSync(lines, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  console.log(`${'kernel'.padEnd(48)}steps registers    bytes workgroup`);
  plan.kernels.forEach(({ id }, k) => {
    const steps = plan.steps.filter(([kernel]) => kernel === k).length;
    const figures = ['Register Count', 'Binary Size', 'Shared Memory Size'].map((name) => String(told[k]?.[name] ?? '-'));
    console.log(`${id.padEnd(48)}${String(steps).padStart(5)}${figures[0].padStart(10)}${figures[1].padStart(9)}${figures[2].padStart(10)}`);
  });
  const code = option('--code');
  if (code) {
    mkdirSync(code, { recursive: true });
    objectsIn(cache).forEach((object, k) => {
      const path = join(code, plan.kernels[k]?.id ?? `other${k}`);
      writeFileSync(`${path}.nvuc`, object);
      const { stdout, error } = spawnSync('nvdisasm', [`${path}.nvuc`], { maxBuffer: 1 << 28 });
      if (!error) writeFileSync(`${path}.sass`, stdout);
    });
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exit(0);
