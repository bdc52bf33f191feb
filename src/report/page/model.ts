/** What the page is given. */
import type { Comparison } from '../compare.ts';
import type { Sweep } from '../sweep.ts';
import type { Report, Totals } from '../types.ts';

export type { Sweep, SweepPoint } from '../sweep.ts';

export type { Profile } from '../../profiles.ts';
export type { BlockRow, Bound, KernelRow, LineRow, Place, Report, Saving, StepRow, Sums } from '../types.ts';

export interface PageData {
  readonly report: Report;
  readonly findings: readonly string[];
  readonly sources: readonly { readonly path: string; readonly text: string }[];
  /** WGSL by index of the kernel. */
  readonly wgsl: readonly string[];
  readonly comparison?: PageComparison;
}

/** A comparison with the totals of its reports alone. */
export type PageComparison = Omit<Comparison, 'reports'> & {
  readonly reports: readonly { readonly after: Totals; readonly before: Totals; readonly batch: number; readonly profile: string; readonly parameters: number }[];
};

export interface SweepPageData {
  readonly sweep: Sweep;
}
