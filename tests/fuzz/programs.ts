/**
 * Differential fuzzing: random programs through the whole compiler and onto a device, compared with what they mean. Bundle
 * it to one file:
 *
 *     npx rolldown tests/fuzz/programs.ts --platform node --format esm --external webgpu --file out/programs.mjs
 *     node out/programs.mjs [--count 1000] [--seed 0] [--shard 0/1] [--device software|gpu|cpu] [--seconds N]
 *                            [--out DIR] [--zoo zoo] [--show] [--about REGEX] [--first-failure]
 *
 * Program k of a run has the seed SEED + k; shard i of n takes every n-th. A failing program is made small and written to
 * DIR; the summary is a JSON object on standard output. `--show` prints the program of SEED and runs nothing. `cpu` stops
 * before the device. `--about` leaves out programs whose text does not match. `--first-failure` ends with the first program that fails, as it is. Ends with 1 where one failed.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openDevice, type GpuDevice } from '../../src/cli/devices.ts';
import { checkProgram, libraryOf, type Outcome, type Variant } from './check.ts';
import { programOf, variantsOf } from './generate.ts';
import { writeKept } from './kept.ts';
import { shrink } from './shrink.ts';

/** Programs on one device: pipelines are kept as long as it lives. */
const PER_DEVICE = 100;

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '0' },
    shard: { type: 'string', default: '0/1' },
    device: { type: 'string', default: 'software' },
    seconds: { type: 'string', default: 'Infinity' },
    out: { type: 'string', default: 'out/fuzz' },
    zoo: { type: 'string', default: 'zoo' },
    show: { type: 'boolean', default: false },
    about: { type: 'string', default: '' },
    'first-failure': { type: 'boolean', default: false },
  },
});
const first = Number(options.seed);
const [shard, shards] = options.shard.split('/').map(Number);

const library = libraryOf((path) => {
  const file = join(options.zoo, path);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
});

interface Failure {
  readonly seed: number;
  readonly variant: Variant;
  readonly level: string;
  readonly message: string;
}

class Run {
  readonly failures: Failure[] = [];
  programs = 0;
  compilations = 0;
  runs = 0;
  kernels = 0;
  worst = 0;
  compared = 0;
  readonly families: Record<string, number> = {};
  private opened: GpuDevice | undefined;

  constructor(private readonly choice: 'software' | 'gpu' | 'cpu') {}

  async machine(fresh: boolean): Promise<GpuDevice | undefined> {
    if (this.choice === 'cpu') return undefined;
    if (this.opened && !fresh) return this.opened;
    this.opened?.close();
    this.opened = (await openDevice(this.choice)) as GpuDevice;
    this.opened.device.addEventListener('uncapturederror', (event) => this.errors.push((event as GPUUncapturedErrorEvent).error.message));
    return this.opened;
  }

  /** What the device complained of beside the results. */
  readonly errors: string[] = [];

  async check(program: Parameters<typeof checkProgram>[0], variant: Variant, runs = this.choice !== 'cpu'): Promise<Outcome> {
    this.errors.length = 0;
    const outcome = await checkProgram(program, variant, library, await this.machine(false), runs);
    if (this.errors.length > 0 && !outcome.failure) return { ...outcome, failure: { level: 'device', message: this.errors[0] } };
    return outcome;
  }

  async program(seed: number): Promise<void> {
    const machine = await this.machine(this.programs % PER_DEVICE === 0);
    const program = programOf(seed);
    this.programs++;
    const variants = variantsOf(seed, machine);
    // A software adapter takes long over a pipeline: there every program runs in one of its forms, and is evaluated in all.
    const running = machine?.kind === 'software' ? seed % variants.length : undefined;
    for (const [i, variant] of variants.entries()) {
      const runs = machine !== undefined && (running ?? i) === i;
      const outcome = await this.check(program, variant, runs);
      this.compilations++;
      if (runs) this.runs++;
      this.kernels += outcome.kernels;
      this.worst = Math.max(this.worst, outcome.worst);
      this.compared += outcome.compared;
      for (const family of outcome.families) this.families[family] = (this.families[family] ?? 0) + 1;
      if (!outcome.failure) continue;
      const { level, message } = outcome.failure;
      this.failures.push({ seed, variant, level, message: message.slice(0, 2000) });
      process.stderr.write(`\nseed ${seed}, ${JSON.stringify(variant)}: ${level}: ${message.slice(0, 600)}\n`);
      if (!options['first-failure']) await this.keep(seed, program.text, variant, level);
      // One failure a program is enough.
      return;
    }
  }

  private async keep(seed: number, text: string, variant: Variant, level: string): Promise<void> {
    mkdirSync(options.out, { recursive: true });
    const file = join(options.out, `${level}-${seed}.vit`);
    const fails = async (smaller: string): Promise<boolean> => (await this.check({ text: smaller }, variant)).failure?.level === level;
    // What only the generator's graph tells apart cannot be told of another text.
    const small = (await fails(text)) ? await shrink(text, { fails, trials: 600 }) : text;
    writeFileSync(file, writeKept({ seed, variant }, small));
    process.stderr.write(`made small: ${file}\n${small}\n`);
  }
}

const choice = options.device as 'software' | 'gpu' | 'cpu';
if (!['software', 'gpu', 'cpu'].includes(choice)) throw new Error(`--device is software, gpu or cpu, not ${choice}`);
if (options.show) {
  process.stdout.write(programOf(first).text);
  process.exit(0);
}
const run = new Run(choice);
// Starts this command again where the software adapter needs it, so before anything else.
const description = (await run.machine(true))?.description ?? 'no device';
const started = performance.now();
const seconds = (): number => (performance.now() - started) / 1000;
const about = new RegExp(options.about);
const wanted = Math.ceil((Number(options.count) - shard) / shards);
for (let i = shard; run.programs < wanted && seconds() < Number(options.seconds); i += shards) {
  if (!about.test(programOf(first + i).text)) continue;
  await run.program(first + i);
  if (options['first-failure'] && run.failures.length > 0) break;
  if (run.programs % 50 === 0) process.stderr.write(`${run.programs} programs, ${run.failures.length} failed, ${seconds().toFixed(0)} s\n`);
}
const { programs, compilations, runs, kernels, worst, compared, families, failures } = run;
const summary = {
  device: description, seed: first, shard: options.shard, programs, compilations, runs, kernels, seconds: Math.round(seconds()),
  worstErrorOverBound: worst, comparedShare: compared / runs, families, failures,
};
process.stdout.write(`${JSON.stringify(summary, null, 1)}\n`);
process.exit(failures.length > 0 ? 1 : 0);
