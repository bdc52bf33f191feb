/** A package's files from a compilation: what the pure emitter needs from disk is read here. */
import { createHash } from 'node:crypto';
import type { Compilation } from '../compile.ts';
import { emitPackage, type PackageFiles } from '../codegen/package.ts';
import { labelSet } from './labels.ts';
import { findProfile, predictedSteps } from './reports.ts';
import { runtimeFiles } from './runtime-files.ts';

/** All files of a package; without shards, a package whose weights are packed later. Times are predicted for the default profile. */
export function packageFiles(compilation: Compilation, shards?: readonly Uint8Array[]): PackageFiles {
  const { graph, plan, kernels } = compilation;
  const weights = shards?.map((bytes) => ({ bytes, sha256: createHash('sha256').update(bytes).digest('hex') }));
  const profile = findProfile();
  const predicted = { device: profile.name, milliseconds: predictedSteps(compilation, profile).map((s) => Number((1000 * s).toPrecision(4))) };
  return emitPackage({ graph, plan, kernels, runtime: runtimeFiles(), weights, labelSet, predicted });
}
