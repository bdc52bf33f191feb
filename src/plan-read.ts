/** Reads the text form of plans (plan-text.ts). Never throws; every line with an error is told of. */
import type { Buffer } from './kernel.ts';
import { readProgram } from './kernel-read.ts';
import type { KernelTextError, ReadResult } from './kernel-read.ts';
import type { Plan, PlannedBuffer, PlannedKernel, Space } from './plan.ts';
import type { Family, Schedule } from './schedule.ts';
import { WEB_LIMITS } from './targets.ts';
import type { Target } from './targets.ts';
import { boolean, checked, integer, LineReader, list, oneOf, record, string, TextError } from './text-value.ts';
import type { Check } from './text-value.ts';

const SPACE = oneOf('arena', 'weights' satisfies Space);
const COMPONENT = oneOf('f32', 'f16', 'u32', 'i32', 'u8', 'i8');

const TARGET = record(
  {
    name: string,
    limits: record(Object.fromEntries(Object.keys(WEB_LIMITS).map((name) => [name, integer]))),
    shaderF16: boolean,
    subgroupMatrix: list(record({ M: integer, N: integer, K: integer, componentType: COMPONENT, resultComponentType: COMPONENT })),
    software: boolean,
  },
  { subgroups: record({ minSize: integer, maxSize: integer }) },
);
const MEMORY = record({ arenaBytes: integer, livenessBound: integer, weightShards: list(integer) });
const PLACE = record({ bytes: integer, offset: integer, shard: integer, live: list(integer) });

/** The entries of each family's schedule: those that it must have, those that it may. */
type Entries<S> = readonly [
  must: { readonly [K in keyof Omit<S, 'family'> as undefined extends S[K] ? never : K]: Check },
  may: { readonly [K in keyof Omit<S, 'family'> as undefined extends S[K] ? K : never]-?: Check },
];
const vector: Check = (v) => (v === 1 || v === 2 || v === 4 ? undefined : '1, 2 or 4');
const SCHEDULES: { readonly [F in Family]: Entries<Extract<Schedule, { family: F }>> } = {
  generic: [{ vector, workgroup: integer }, {}],
  row: [{ threads: integer, rows: integer, vector, cache: boolean }, {}],
  contraction: [{ threadM: integer, threadN: integer, groupM: integer, groupN: integer, tileK: integer, splitK: integer, vector }, { prefetch: boolean }],
  subgroupMatrix: [{ M: integer, N: integer, K: integer, fragmentsM: integer, fragmentsN: integer, subgroupsM: integer, subgroupsN: integer, subgroupSize: integer, tileK: integer, prefetch: boolean }, { split: boolean }],
  window: [{ stripH: integer, stripW: integer, workgroup: integer }, {}],
  chain: [{ split: integer, workgroup: integer }, {}],
  attention: [{ rows: integer, columns: vector, threads: integer }, {}],
  attentionTiles: [{ threadM: integer, threadN: integer, groupM: integer, groupN: integer, tileK: integer, tileV: integer, keep: boolean, dots: boolean }, { prefetch: boolean }],
  attentionMatrix: [{ fragments: integer, subgroups: integer, subgroupSize: integer, keys: integer, keep: boolean }, {}],
};

type Memory = Pick<Plan, 'arenaBytes' | 'livenessBound' | 'weightShards'>;
type Place = Omit<PlannedBuffer, 'buffer'>;

interface Scheduled {
  readonly id: string;
  readonly name: string;
  readonly spaces: readonly Space[];
  readonly schedule: Schedule;
}

/** The lines before the program's. */
class Header {
  name?: string;
  target?: Target;
  memory?: Memory;
  readonly places = new Map<string, Place>();
  readonly scheduled: Scheduled[] = [];

  /** Whether the line was one of these. */
  take(line: LineReader): boolean {
    if (line.take('plan ')) this.name = line.string('a name').value;
    else if (line.take('target ')) this.target = checked('the target', line.value(), TARGET);
    else if (line.take('memory ')) this.memory = checked('the memory', line.fields(), MEMORY);
    else if (line.take('place ')) this.place(line);
    else if (line.take('schedule ')) this.schedule(line);
    else return false;
    if (!line.atEnd) line.fail('the end of the line');
    return true;
  }

  private place(line: LineReader): void {
    const id = line.word('a buffer');
    const space = checked<Space>('the space', line.string('a space').value, SPACE);
    const { live, ...place } = checked<{ bytes: number; offset: number; shard: number; live: number[] }>('the place', line.fields(), PLACE);
    if (live.length !== 2) throw new TextError('live: expected two steps');
    this.places.set(id, { ...place, space, live: [live[0], live[1]] });
  }

  private schedule(line: LineReader): void {
    const id = line.string('a kernel').value;
    const name = line.take('of ') ? line.string('a name').value : id;
    const spaces = checked<Space[]>('the spaces', line.value(), list(SPACE));
    const { family, ...entries } = line.fields();
    const known = checked<Family>('family', family ?? '', oneOf(...Object.keys(SCHEDULES)));
    const [must, may]: readonly [Readonly<Record<string, Check>>, Readonly<Record<string, Check>>] = SCHEDULES[known];
    const schedule = { family: known, ...checked<object>(`schedule ${known}`, entries, record(must, may)) } as Schedule;
    this.scheduled.push({ id, name, spaces, schedule });
  }
}

export function readPlan(text: string): ReadResult<Plan> {
  const header = new Header();
  const errors: KernelTextError[] = [];
  const rest = text.split('\n').map((line, i) => {
    try {
      return header.take(new LineReader(line)) ? '' : line;
    } catch (e) {
      if (!(e instanceof TextError)) throw e;
      errors.push({ line: i + 1, message: e.message });
      return '';
    }
  });
  const { value: program, errors: inProgram } = readProgram(rest.join('\n'));
  errors.push(...inProgram);
  const fail = (message: string): ReadResult<Plan> => ({ errors: [...errors, { line: 1, message }] });
  if (errors.length > 0 || !program) return { errors };
  const { name, target, memory, places, scheduled } = header;
  if (name === undefined || !target || !memory) return fail('expected lines plan, target and memory');

  const buffers: PlannedBuffer[] = [];
  for (const buffer of program.buffers) {
    const place = places.get(buffer.id);
    if (!place) return fail(`buffer ${buffer.id} has no place`);
    buffers.push({ buffer: buffer satisfies Buffer, ...place });
  }
  const kernels: PlannedKernel[] = [];
  for (const { id, name: own, spaces, schedule } of scheduled) {
    const kernel = program.calls.find((c) => c.kernel.name === id)?.kernel;
    if (!kernel) return fail(`kernel ${id} is scheduled and not called`);
    kernels.push({ id, kernel: { ...kernel, name: own }, spaces, schedule });
  }
  const indexOf = new Map(scheduled.map((s, i) => [s.id, i]));
  const unscheduled = program.calls.find((c) => !indexOf.has(c.kernel.name));
  if (unscheduled) return fail(`kernel ${unscheduled.kernel.name} has no schedule`);
  const steps = program.calls.map((call) => {
    const kernel = indexOf.get(call.kernel.name)!;
    return { kernel, args: call.args, call: { ...call, kernel: kernels[kernel].kernel } };
  });
  return { value: { name, target, kernels, steps, buffers, ...memory }, errors };
}
