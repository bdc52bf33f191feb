/** What the page is given. */
import type { Report } from '../types.ts';

export type { Profile } from '../../profiles.ts';
export type { BlockRow, Bound, KernelRow, LineRow, Place, Report, Saving, StepRow, Sums } from '../types.ts';

export interface PageData {
  readonly report: Report;
  readonly findings: readonly string[];
  readonly sources: readonly { readonly path: string; readonly text: string }[];
  /** WGSL by index of the kernel. */
  readonly wgsl: readonly string[];
}
