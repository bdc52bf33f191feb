/** Tuning files for commands: reading them, and finding the schedule that one has for a kernel. */
import { statSync } from 'node:fs';
import { generateKernel } from '../codegen/generate.ts';
import { error, warning, type Diagnostic } from '../diagnostics.ts';
import type { Kernel } from '../kernel.ts';
import type { Schedule } from '../schedule.ts';
import { candidates, scheduleKey } from '../schedule/candidates.ts';
import { kernelDigest } from '../schedule/kernel-key.ts';
import type { Target } from '../targets.ts';
import { MOST_TUNING_BYTES, readTuning, type Tuning } from '../tuning.ts';
import { CliError, EXIT } from './errors.ts';
import { readText } from './files.ts';

/** A file that was read, with its name for messages. */
export interface TuningFile {
  readonly file: string;
  readonly tuning: Tuning;
}

/** The file's content; E0830 where it is no tuning, undefined where no file is named. */
export function openTuning(file: string | undefined): TuningFile | undefined {
  if (file === undefined) return undefined;
  const wrong = (what: string): CliError => new CliError(error('E0830', `${file} is no tuning file: ${what}`, undefined, { help: '`vitc tune MODEL -o FILE.json` writes one' }), EXIT.usage);
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MOST_TUNING_BYTES) throw wrong(`it has ${size} bytes, more than one may (${MOST_TUNING_BYTES})`);
  const tuning = readTuning(readText(file));
  if (typeof tuning === 'string') throw wrong(tuning);
  return { file, tuning };
}

/** E0905 where a tuning file is named for what has no schedules left to choose. */
export function refuseTuning(file: string | undefined, why: string, help?: string): void {
  if (file !== undefined) throw new CliError(error('E0905', `--tuning ${file} cannot apply: ${why}`, undefined, help === undefined ? {} : { help }), EXIT.usage);
}

/** Why the evaluator takes none. */
export function refuseTuningOnCpu(file: string | undefined): void {
  refuseTuning(file, 'the reference evaluator has no schedules', 'run on a device: `--device gpu` or `--device software`');
}

export interface TunedChoice {
  /** The file's schedule of a kernel; undefined where the rules choose. */
  readonly schedule: (kernel: Kernel) => Schedule | undefined;
  /** What to say once all kernels were asked for. */
  readonly diagnostics: () => Diagnostic[];
}

/**
 * Takes from the file what this compiler would itself have measured for the kernel and the target, and nothing else: an
 * entry of another version, of a larger device, or made up, leaves the choice to the rules, with a warning.
 */
export function tunedChoice({ file, tuning }: TuningFile, target: Target): TunedChoice {
  const entries = new Map(tuning.kernels.map((k) => [k.key, k]));
  const refused = new Map<string, string>();
  let used = 0;
  const schedule = (kernel: Kernel): Schedule | undefined => {
    const entry = entries.get(kernelDigest(kernel));
    if (!entry) return undefined;
    const key = scheduleKey(entry.schedule as unknown as Schedule);
    const found = candidates(kernel, target).find((s) => scheduleKey(s) === key);
    if (!found || !generates(kernel, found, target)) {
      refused.set(entry.key, kernel.name);
      return undefined;
    }
    used++;
    return found;
  };
  const diagnostics = (): Diagnostic[] => {
    const list: Diagnostic[] = [];
    if (refused.size > 0) {
      const names = [...new Set(refused.values())].slice(0, 3).join(', ');
      list.push(warning('W0831', `${file} has ${refused.size} ${refused.size === 1 ? 'schedule' : 'schedules'} that no kernel for target '${target.name}' may have (${names}): the rules choose instead`, undefined, { help: 'tune again: `vitc tune MODEL -o FILE.json`' }));
    }
    if (used === 0 && refused.size === 0) list.push(warning('W0832', `${file} has no kernel of this model, shape and dtype: the rules choose all schedules`, undefined, { help: `it was measured on ${tuning.device}; \`vitc tune MODEL -o FILE.json\` with the same --batch, --dtype and --inputs adds this model` }));
    return list;
  };
  return { schedule, diagnostics };
}

/** Code generation has conditions of its own, which throw. */
function generates(kernel: Kernel, schedule: Schedule, target: Target): boolean {
  try {
    generateKernel({ kernel, spaces: kernel.params.map(() => 'arena' as const), schedule }, target);
    return true;
  } catch {
    return false;
  }
}
