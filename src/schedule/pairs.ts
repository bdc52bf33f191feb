/** Which contractions of f32 are to have their operands in pairs (pair.ts). */
import { sizeOf } from '../graph.ts';
import { contractionProblem, linearDepth } from '../kernel-contraction.ts';
import { arePairs, FRAGMENT } from '../kernel-fragments.ts';
import type { Kernel } from '../kernel.ts';
import type { Target } from '../targets.ts';
import { dividedNanoseconds } from './depth.ts';

/** The share of the time that has to be left at most: what makes the operands, and their scales, take some of what is gained. */
const WORTH = 0.9;
const MOST_PARTS = 32;

/** The parameters of a contraction's operands, and the contraction with these in pairs; undefined where they are f32 no more, or computed. */
export function withPairs(kernel: Kernel): { readonly operands: readonly string[]; readonly paired: Kernel } | undefined {
  const problem = contractionProblem(kernel);
  if (!problem || problem.prologue || problem.left.kind !== 'load' || problem.right.kind !== 'load') return undefined;
  const operands = [problem.left.buffer, problem.right.buffer];
  if (kernel.params.some((p) => operands.includes(p.name) && p.storage !== 'f32')) return undefined;
  const paired: Kernel = { ...kernel, params: kernel.params.map((p) => (operands.includes(p.name) ? { ...p, storage: 'pair' } : p)) };
  return arePairs(paired, linearDepth(problem)) ? { operands, paired } : undefined;
}

/** The parameters of both operands, where the contraction is predicted to take less time with these in pairs, else undefined. */
export function prefersPairs(kernel: Kernel, target: Target): readonly string[] | undefined {
  const found = withPairs(kernel);
  if (!found) return undefined;
  const depth = sizeOf(contractionProblem(kernel)!.depth);
  const offered = Array.from({ length: MOST_PARTS - 1 }, (_, i) => i + 2).filter((n) => depth % (n * FRAGMENT) === 0);
  const [before, after] = [kernel, found.paired].map((k) => dividedNanoseconds(k, offered, target)?.nanoseconds);
  return before !== undefined && after !== undefined && after < WORTH * before ? found.operands : undefined;
}
