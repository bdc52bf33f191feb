/** What a report says: the shape of `vitc report --json`, published as docs/report.schema.json. */
import type { Effort } from '../effort.ts';
import type { Profile } from '../profiles.ts';
import type { Schedule } from '../schedule.ts';

export const REPORT_FORMAT = 'vitc-report';
/** Grows when a field changes its meaning or goes away; new fields leave it as it is. */
export const REPORT_VERSION = 2;

/** What a dispatch mostly is, told by the form of its kernel. */
export const KINDS = ['contraction', 'softmax', 'normalization', 'reduction', 'order', 'elementwise', 'movement'] as const;
export type Kind = (typeof KINDS)[number];

/** What takes longest: moving bytes, computing, waiting with too little else to do, or being started. */
export const BOUNDS = ['memory', 'arithmetic', 'latency', 'dispatch'] as const;
export type Bound = (typeof BOUNDS)[number];

/** Sums over dispatches. Bytes are bytes, times are seconds. */
export interface Sums {
  dispatches: number;
  /** Floating-point operations, a multiply-add counted as two. */
  flops: number;
  /** Each distinct byte that a dispatch reads or writes, once a dispatch. */
  leastBytes: number;
  /** Bytes that the dispatches' loads and stores ask for; exact. */
  issuedBytes: number;
  /** Predicted. */
  seconds: number;
  /** Of these seconds, what starting dispatches takes. */
  dispatchSeconds: number;
  /** Measured, where the report was asked to. */
  measuredSeconds?: number;
}

/** A whole plan. */
export interface Totals extends Sums {
  /** Distinct kernels. */
  kernels: number;
  /** Multiply-adds of matrix products and convolutions alone. */
  multiplyAdds: number;
  /** Inputs, weights and outputs, each byte once: what no plan can do without. */
  floorBytes: number;
  /** flops / leastBytes. */
  intensity: number;
  arenaBytes: number;
  livenessBound: number;
  weightBytes: number;
}

/** Why one plan is cheaper than another. */
export interface Saving {
  /** `folding`, or the kind of dispatch whose share went down. */
  readonly cause: 'folding' | Kind;
  /** For people. */
  readonly label: string;
  readonly leastBytes: number;
  readonly issuedBytes: number;
  readonly seconds: number;
  readonly dispatches: number;
}

export interface Place {
  readonly path: string;
  readonly line: number;
}

export interface StepRow {
  readonly index: number;
  /** Index into `kernels`. */
  readonly kernel: number;
  readonly kind: Kind;
  /** Label path and block of the operation that the dispatch is mostly for. */
  readonly scope: string;
  readonly block: string;
  readonly place?: Place;
  /** The lines of the calls around it, innermost first. */
  readonly callers: readonly Place[];
  /** Operations of the graph that it computes, as `add x2`. */
  readonly ops: string;
  readonly flops: number;
  /** Weight elements that it reads. */
  readonly parameters: number;
  readonly leastLoadBytes: number;
  readonly leastStoreBytes: number;
  readonly issuedLoadBytes: number;
  readonly issuedStoreBytes: number;
  /** Of the least bytes, those that memory rather than the cache must serve. */
  readonly memoryBytes: number;
  /** flops / least bytes. */
  readonly intensity: number;
  readonly bound: Bound;
  /** Share of the cores that its workgroups keep busy, at most 1. */
  readonly fill: number;
  readonly seconds: number;
  readonly measuredSeconds?: number;
}

export interface KernelRow {
  readonly id: string;
  readonly kind: Kind;
  readonly schedule: Schedule;
  readonly workgroups: readonly [number, number, number];
  readonly workgroupSize: readonly [number, number, number];
  /** What its code makes a subgroup execute. */
  readonly effort: Effort;
  readonly calls: number;
  /** Of all calls. */
  readonly sums: Sums;
}

export interface BlockRow {
  /** Label path; '' is the whole model. */
  readonly scope: string;
  /** The block's name in the source. */
  readonly block: string;
  readonly parameters: number;
  readonly weightBytes: number;
  /** Everything below the path. */
  readonly after: Sums;
  readonly before: Sums;
}

/** All places of one block of the source together. */
export interface BlockTypeRow {
  readonly block: string;
  /** Label paths that it has. */
  readonly places: number;
  /** What it computes itself, without the blocks below it. */
  readonly self: Sums;
  readonly after: Sums;
  readonly before: Sums;
}

export interface LineRow extends Place {
  readonly text: string;
  /** What the line itself computes. */
  readonly self: Sums;
  /** With everything that is called from it. */
  readonly after: Sums;
  readonly before: Sums;
  /** Dispatches that the line itself gives rise to. */
  readonly steps: readonly number[];
}

export interface TensorRow {
  readonly name: string;
  readonly kind: 'input' | 'output' | 'temp';
  readonly shape: readonly number[];
  readonly storage: string;
  readonly bytes: number;
  readonly offset: number;
  /** First and last step that need it; -1 before the first, `steps` after the last. */
  readonly live: readonly [number, number];
}

export interface MemoryPart {
  readonly arenaBytes: number;
  /** The most bytes live at once; the arena cannot be smaller. */
  readonly livenessBound: number;
  readonly weightBytes: number;
  /** Bytes live at each step. */
  readonly timeline: readonly number[];
  readonly peak: { readonly step: number; readonly bytes: number };
  readonly tensors: readonly TensorRow[];
}

export interface Share {
  readonly kind: Kind;
  readonly before: Sums;
  readonly after: Sums;
}

export interface Report {
  readonly format: typeof REPORT_FORMAT;
  readonly version: typeof REPORT_VERSION;
  readonly model: string;
  readonly doc?: string;
  readonly batch: number;
  readonly dtype: 'f32' | 'f16';
  /** How float inputs are given, where not f32. */
  readonly inputs?: 'f16';
  readonly target: string;
  readonly profile: Profile;
  readonly parameters: number;
  /** The plan as it is compiled. */
  readonly after: Totals;
  /** Every operation of the source a dispatch of its own. */
  readonly before: Totals;
  /** Sums to the difference of the two. */
  readonly savings: readonly Saving[];
  readonly shares: readonly Share[];
  /** Dispatches and time by what binds them. */
  readonly bounds: Readonly<Record<Bound, { readonly dispatches: number; readonly seconds: number; readonly leastBytes: number }>>;
  readonly blocks: readonly BlockRow[];
  readonly blockTypes: readonly BlockTypeRow[];
  readonly lines: readonly LineRow[];
  readonly memory: MemoryPart;
  readonly kernels: readonly KernelRow[];
  readonly steps: readonly StepRow[];
  readonly measurement?: { readonly device: string; readonly seconds: number; readonly wholeSeconds: number };
}
