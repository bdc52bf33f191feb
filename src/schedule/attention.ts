/** Schedules of attention with a row a thread: slow, but without a tensor of scores. */
import { sizeOf } from '../graph.ts';
import type { Axis, Kernel } from '../kernel.ts';
import { matchAttention } from '../kernel-attention.ts';
import type { AttentionForm } from '../kernel-attention.ts';
import type { AttentionSchedule } from '../schedule.ts';
import type { Target } from '../targets.ts';

/** Threads that keep a GPU busy. */
const BUSY = 1 << 15;
/** Keys that a thread should have at least, where several share a row. */
const KEYS_A_THREAD = 16;

const countOf = (axes: readonly Axis[]): number => sizeOf(axes.map((a) => a.extent));

/**
 * Undefined where the scores fit into memory: products and softmax as kernels of their own are then faster (2 to 3 times
 * on an H200, 3 to 5 times on SwiftShader).
 */
export function attentionSchedule(kernel: Kernel, target: Target): AttentionSchedule | undefined {
  const form = matchAttention(kernel);
  if (!form || scoresFit(form, target)) return undefined;
  const rows = countOf(form.rows);
  const keys = countOf(form.columns);
  const columns = keys >= 4 ? 4 : 1;
  const most = Math.min(128, target.limits.maxComputeInvocationsPerWorkgroup);
  // Few rows are left over at the end of the last tile.
  const waste = (tile: number): number => Math.ceil(rows / tile) * tile;
  const together = rows <= 16 ? 16 : waste(32) < waste(64) ? 32 : 64;
  let threads = 1;
  if (!target.software) {
    while (threads < 16 && 2 * threads * together <= most && countOf(form.batch) * rows * threads < BUSY && keys / (2 * threads) >= KEYS_A_THREAD) threads *= 2;
  }
  return { family: 'attention', rows: together, columns, threads };
}

/** Scores and weights live at once, beside queries, keys and values. */
function scoresFit(form: AttentionForm, { limits }: Target): boolean {
  const bytes = 4 * countOf(form.batch) * countOf(form.rows) * countOf(form.columns);
  return bytes <= Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize / 4);
}
