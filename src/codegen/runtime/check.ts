/** Whether a package's tables are as the compiler writes them: what was cut short, altered or mixed up is named. */
import { VitcError } from './errors.ts';
import type { InputPort, PackagePlan, PackageReport, Port, WeightsManifest } from './plan.ts';
import { bytesOf } from './plan.ts';

type Test = (value: unknown) => boolean;

const count: Test = (v) => Number.isSafeInteger(v) && (v as number) >= 0;
const matches = (pattern: RegExp): Test => (v) => typeof v === 'string' && pattern.test(v);
const text = matches(/^/);
const maybe = (test: Test): Test => (v) => v === undefined || test(v);
const list = (test: Test, length?: number): Test => (v) => Array.isArray(v) && v.length === (length ?? v.length) && v.every((item) => test(item));
/** An object: its values by their names, or all of them. */
const record = (fields: Readonly<Record<string, Test>> | Test): Test => (v) =>
  typeof v === 'object' && v !== null && (typeof fields === 'function' ? Object.values(v).every(fields) : Object.entries(fields).every(([name, test]) => test((v as Record<string, unknown>)[name])));

const numbers = list(Number.isFinite);
const image = record({ mean: numbers, std: numbers, crop: Number.isFinite, native: maybe(count), resample: matches(/^(nearest|bilinear|bicubic)$/), resize: matches(/^(shortest|squash)$/) });
const port = { name: text, dtype: matches(/^(f32|i32|bool)$/), shape: list(count), offset: count };
const halves: Test = (v) => v === 'f16';
const isInput = record({ ...port, storage: maybe(halves), image: maybe(image), below: maybe(count) });
const inputs = list((v) => isInput(v) && ((v as InputPort).storage === undefined || (v as InputPort).dtype === 'f32'));
const outputs = list(record({ ...port, storage: (v) => v === undefined }));

const PLAN: Record<keyof PackagePlan, Test> = {
  format: (v) => v === 1,
  name: text,
  fingerprint: text,
  features: list(text),
  limits: record(Number.isFinite),
  subgroupSizes: maybe(list(count, 2)),
  arenaBytes: count,
  shards: list(count),
  inputs,
  outputs,
  buffers: list(list(count, 3)),
  kernels: list(record({ id: matches(/^\w+$/), access: matches(/^[rs]*$/), workgroups: list(count, 3) })),
  steps: list(list(count)),
  parts: list(count),
};

/** Throws 'bad-package', which names the part of plan.js that is wrong. */
export function checkPlan(plan: PackagePlan): void {
  const check = (holds: boolean | undefined, what: string): void => {
    if (!holds) throw new VitcError('bad-package', `plan.js is not as the compiler wrote it (${what}): copy or compile the package again`);
  };
  for (const [name, test] of Object.entries(PLAN)) check(test(plan?.[name as keyof PackagePlan]), name);
  const { arenaBytes, shards, buffers, kernels } = plan;
  const fits = (port: Port): boolean => port.offset + bytesOf(port) <= arenaBytes;
  check([...plan.inputs, ...plan.outputs].every(fits), 'a tensor lies outside of the arena');
  check(buffers.every(([space, offset, bytes]) => offset + bytes <= [arenaBytes, ...shards][space]), 'a buffer lies outside of its space');
  check(plan.steps.every(([kernel, ...args]) => args.length === kernels[kernel]?.access.length && args.every((i) => i < buffers.length)), 'a step has no kernel or buffer');
  check(plan.parts.reduce((sum, steps) => sum + steps, 0) === plan.steps.length, 'its parts are not all of its steps');
}

// Shards are files beside weights.json, not of other places.
const isManifest = record({ fingerprint: text, shards: list(record({ file: matches(/^\w[\w.-]*$/), bytes: count, sha256: maybe(text) })) });

/** Throws 'bad-weights' where weights.json, read from `place`, is not of the form that the compiler writes. */
export function checkManifest(manifest: WeightsManifest, place: string): void {
  if (!isManifest(manifest)) throw new VitcError('bad-weights', `${place} is not as the compiler wrote it; compile or pack the weights again`);
}

/** Throws 'bad-package' where report.json is not of a plan with so many steps. */
export function checkReport(report: PackageReport, steps: number): PackageReport {
  if (record({ steps: list(record({}), steps) })(report)) return report;
  throw new VitcError('bad-package', 'report.json is not of this package: copy or compile the package again');
}
