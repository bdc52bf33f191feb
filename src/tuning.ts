/** Tuning files: schedules that were measured to be faster than the rules' choice, by kernel. */
import type { Schedule } from './schedule.ts';

export const TUNING_FORMAT = 'vitc-tuning';
export const TUNING_VERSION = 1;

/** What `vitc tune` writes and `--tuning` reads. */
export interface Tuning {
  readonly format: typeof TUNING_FORMAT;
  readonly version: typeof TUNING_VERSION;
  /** The compiler's version, for people: an entry holds for the kernels that its key names, whichever version makes them. */
  readonly compiler: string;
  /** Where it was measured. */
  readonly device: string;
  readonly kernels: readonly TunedKernel[];
}

/** One kernel, whatever model it is of. */
export interface TunedKernel {
  /** 16 hexadecimal digits of all that makes kernels equal: extents, types and expressions. */
  readonly key: string;
  /** The kernel's name, for people. */
  readonly kernel: string;
  /** The fastest schedule found; the fields are those of its family. */
  readonly schedule: Readonly<Record<string, string | number | boolean>>;
  /** Microseconds of a dispatch. */
  readonly microseconds: number;
  /** The same of what the rules choose. */
  readonly rulesMicroseconds: number;
  /** Schedules that were measured. */
  readonly measured: number;
  /** ISO 8601, UTC. */
  readonly date: string;
}

/** More is no tuning file. */
export const MOST_TUNING_BYTES = 16 << 20;
/** Fields that a schedule may have: all of them are plain values. */
const MOST_FIELDS = 32;

export function recordOf(schedule: Schedule): TunedKernel['schedule'] {
  return Object.fromEntries(Object.entries(schedule).filter(([, value]) => value !== undefined)) as TunedKernel['schedule'];
}

/** A tuning from JSON, or what is wrong with it. Schedules are plain records still: whether they fit a kernel shows when it is compiled. */
export function readTuning(text: string): Tuning | string {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return 'it is no JSON';
  }
  if (!isRecord(data)) return 'it is no JSON object';
  if (data.format !== TUNING_FORMAT) return `its format is not "${TUNING_FORMAT}"`;
  if (data.version !== TUNING_VERSION) return `its version is ${shown(data.version)}, this compiler reads ${TUNING_VERSION}`;
  const { compiler, device, kernels } = data;
  if (typeof compiler !== 'string' || typeof device !== 'string') return 'compiler and device are not strings';
  if (!Array.isArray(kernels)) return 'kernels is no list';
  const keys = new Set<string>();
  const read: TunedKernel[] = [];
  for (const [i, entry] of kernels.entries()) {
    const found = readKernel(entry);
    if (typeof found === 'string') return `kernels[${i}]: ${found}`;
    if (keys.has(found.key)) return `kernels[${i}]: the key ${found.key} is there twice`;
    keys.add(found.key);
    read.push(found);
  }
  return { format: TUNING_FORMAT, version: TUNING_VERSION, compiler, device, kernels: read };
}

function readKernel(entry: unknown): TunedKernel | string {
  if (!isRecord(entry)) return 'it is no object';
  const { key, kernel, schedule, microseconds, rulesMicroseconds, measured, date } = entry;
  if (typeof key !== 'string' || !/^[0-9a-f]{16}$/.test(key)) return `the key ${shown(key)} is not 16 hexadecimal digits`;
  if (typeof kernel !== 'string' || typeof date !== 'string') return 'kernel and date are not strings';
  for (const [name, value] of Object.entries({ microseconds, rulesMicroseconds, measured })) {
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return `${name} is ${shown(value)}, no time or count`;
  }
  if (!isRecord(schedule) || Object.keys(schedule).length > MOST_FIELDS) return 'schedule is no schedule';
  const plain: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(schedule)) {
    if (!['string', 'number', 'boolean'].includes(typeof value)) return `schedule.${name.slice(0, 40)} is ${shown(value)}, no plain value`;
    plain[name] = value as string | number | boolean;
  }
  return { key, kernel, schedule: plain, microseconds: microseconds as number, rulesMicroseconds: rulesMicroseconds as number, measured: measured as number, date };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value in a message: short, whatever it is. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}
