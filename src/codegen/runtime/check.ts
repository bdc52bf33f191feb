/** Whether a package's tables are as the compiler writes them: a file that was cut short, altered or mixed up is named here, before anything reaches the GPU. */
import { VitcError } from './errors.ts';
import type { ImageSpec, PackagePlan, PackageReport, Port, WeightsManifest } from './plan.ts';
import { sizeOf } from './plan.ts';

type Test = (value: unknown) => boolean;

const isCount: Test = (v) => Number.isSafeInteger(v) && (v as number) >= 0;
const isNumber: Test = (v) => Number.isFinite(v);
const isText: Test = (v) => typeof v === 'string';
const isBoolean: Test = (v) => typeof v === 'boolean';
const isOneOf = (...words: string[]): Test => (v) => words.includes(v as string);
const isMissingOr = (test: Test): Test => (v) => v === undefined || test(v);
const isList = (test: Test, length?: number): Test => (v) => Array.isArray(v) && (length === undefined || v.length === length) && v.every((item) => test(item));
const isObject: Test = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);
const isRecord = (fields: Readonly<Record<string, Test>>): Test => (v) => isObject(v) && Object.entries(fields).every(([name, test]) => test((v as Record<string, unknown>)[name]));

const isImage = isRecord({
  mean: isList(isNumber), std: isList(isNumber), crop: isNumber, antialias: isBoolean, native: isMissingOr(isCount),
  resample: isOneOf('nearest', 'bilinear', 'bicubic' satisfies ImageSpec['resample']), resize: isOneOf('shortest', 'squash' satisfies ImageSpec['resize']),
} satisfies Record<keyof ImageSpec, Test>);
const isPort = isRecord({ name: isText, dtype: isOneOf('f32', 'i32', 'bool'), shape: isList(isCount), offset: isCount, image: isMissingOr(isImage), below: isMissingOr(isCount) });

const FIELDS: Record<keyof PackagePlan, Test> = {
  format: (v) => v === 1,
  name: isText,
  fingerprint: isText,
  features: isList(isText),
  limits: (v) => isObject(v) && Object.values(v as object).every(isNumber),
  subgroupSizes: isMissingOr(isList(isCount, 2)),
  arenaBytes: isCount,
  shards: isList(isCount),
  inputs: isList(isPort),
  outputs: isList(isPort),
  buffers: isList(isList(isCount, 3)),
  kernels: isList(isRecord({ id: (v) => isText(v) && /^\w+$/.test(v as string), access: (v) => isText(v) && /^[rs]*$/.test(v as string), workgroups: isList((v) => isCount(v) && v !== 0, 3) })),
  steps: isList(isList(isCount)),
};

/** Throws 'bad-package', which names the part of plan.js that is wrong. */
export function checkPlan(plan: PackagePlan): void {
  const fail = (what: string): never => {
    throw new VitcError('bad-package', `plan.js is not as the compiler wrote it (${what}): compile the model again, or copy its package again`);
  };
  if (!isObject(plan)) fail('it is no object');
  for (const [name, test] of Object.entries(FIELDS)) if (!test(plan[name as keyof PackagePlan])) fail(name);
  const { arenaBytes, shards, buffers, kernels, steps } = plan;
  const spaces = [arenaBytes, ...shards];
  const fits = ({ shape, offset }: Port): boolean => offset + 4 * sizeOf(shape) <= arenaBytes;
  if (!plan.inputs.every(fits) || !plan.outputs.every(fits)) fail('a tensor lies outside of the arena');
  if (!buffers.every(([space, offset, bytes]) => offset + bytes <= spaces[space])) fail('a buffer lies outside of its space');
  if (!steps.every(([kernel, ...args]) => args.length === kernels[kernel]?.access.length && args.every((i) => i < buffers.length))) fail('a step has no kernel or buffer');
}

const isManifest = isRecord({
  fingerprint: isText,
  // Names of files beside weights.json: not of other places.
  shards: isList(isRecord({ file: (v) => isText(v) && /^\w[\w.-]*$/.test(v as string), bytes: isCount, sha256: isMissingOr(isText) })),
});

/** Throws 'bad-weights' where weights.json, read from `place`, is not of the form that the compiler writes. */
export function checkManifest(manifest: WeightsManifest, place: string): void {
  if (!isManifest(manifest)) throw new VitcError('bad-weights', `${place} is not as the compiler wrote it; compile or pack the weights again`);
}

/** The steps of report.json; throws 'bad-package' where it is of another plan or damaged. */
export function checkReport(report: PackageReport, steps: number): PackageReport {
  if (!isRecord({ steps: isList(isObject, steps) })(report)) throw new VitcError('bad-package', 'report.json is not of this package: compile the model again, or copy its package again');
  return report;
}
