/** The state of one elaboration: the graph so far, what is being evaluated, limits, findings. */
import type { Block, Expr, Function } from '../ast.ts';
import type { Code } from '../codes.ts';
import { DiagnosticError, error } from '../diagnostics.ts';
import type { Diagnostic, DiagnosticParts, Label } from '../diagnostics.ts';
import { GraphBuilder } from '../graph-builder.ts';
import type { CallSite, GraphInput, GraphOutput, NodeId, Origin, WeightRule } from '../graph.ts';
import type { OpAttrs, OpName } from '../ops/types.ts';
import type { Span } from '../source.ts';
import type { ParamScope, Sharing } from './params.ts';
import type { Dim, TensorValue, Value } from './values.ts';

/** Bounds on what one elaboration may take, so that any input ends soon. */
export const LIMITS = { turns: 1_000_000, nodes: 50_000, depth: 200, nesting: 1_000, steps: 5_000_000, text: 1_000_000, path: 10_000, errors: 50 } as const;

/** What a call takes beside its body: names are bound, arguments matched. */
const CALL_STEPS = 50;

/** What a failure takes: a message is written, statements are left. Those that use a failed value only leave them. */
const FAILURE_STEPS = { reported: 1_000, silent: 10 };

/** Unwinds to the nearest statement that can be skipped; what went wrong has been reported. */
export class Poisoned extends Error {}
const POISONED = new Poisoned('a reported failure was used');

/** A call that is being evaluated. */
export interface Frame {
  /** The block, function or lambda; nothing for the model's body. */
  readonly declaration?: Block | Function | (Expr & { readonly kind: 'lambda' });
  readonly name: string;
  /** Where the call stands. */
  readonly call?: Span;
  readonly scope: ParamScope;
  readonly block: string;
  readonly sharing?: Sharing;
  /** Inside a prelude function, nodes belong to the place that called it. */
  readonly originSpan?: Span;
  /** Whether a failing statement is skipped, its names poisoned, and the next one tried. */
  readonly recovers: boolean;
  readonly depth: number;
  readonly parent?: Frame;
}

export class Context {
  readonly builder = new GraphBuilder();
  readonly diagnostics: Diagnostic[] = [];
  readonly inputs: GraphInput[] = [];
  readonly outputs: GraphOutput[] = [];
  readonly weightRules: WeightRule[] = [];
  /** Where each input and output was declared. */
  readonly declared = new Map<string, Span>();
  readonly root: ParamScope;
  frame: Frame;
  /** Above zero while the right side of a weight rule is evaluated. */
  inWeights = 0;
  #steps = 0;
  #nesting = 0;
  readonly #reported = new Set<string>();

  constructor(root: ParamScope, name: string) {
    this.root = root;
    this.frame = { name, scope: root, block: name, recovers: true, depth: 0 };
  }

  /** Counts work; every evaluation, list element, axis of an operation and character that is looked at is a step. */
  step(span: Span, count = 1): void {
    this.#steps += count;
    if (this.#steps > LIMITS.steps) {
      this.fail('E0704', `evaluation takes more than ${LIMITS.steps.toLocaleString('en')} steps`, span, { help: 'make loops and lists smaller' });
    }
  }

  /** Counts the work of a failure that evaluation goes on after. */
  failed(span: Span, kind: keyof typeof FAILURE_STEPS): void {
    this.step(span, FAILURE_STEPS[kind]);
  }

  /** Enters one more level of nested expressions; the caller leaves it again. */
  enter(span: Span): void {
    if (++this.#nesting > LIMITS.nesting) {
      this.fail('E0706', `expressions and calls are nested more than ${LIMITS.nesting} deep here`, span, { help: 'give parts of the expression a name' });
    }
  }

  leave(): void {
    this.#nesting--;
  }

  /** Runs inside a call. */
  within<T>(frame: Omit<Frame, 'parent' | 'depth'>, run: () => T): T {
    const parent = this.frame;
    const depth = parent.depth + 1;
    if (frame.call) this.step(frame.call, CALL_STEPS);
    if (depth > LIMITS.depth) this.#tooDeep(frame);
    this.frame = { ...frame, parent, depth };
    try {
      return run();
    } finally {
      this.frame = parent;
    }
  }

  /**
   * A diagnostic with the chain of calls that led here, innermost first. Inside a prelude function the place that
   * called it is to blame.
   */
  diagnose(code: Code, message: string, span: Span, parts: DiagnosticParts = {}): Diagnostic {
    const blamed = this.frame.originSpan;
    const labels: Label[] = blamed ? [{ span, message: `here, in ${this.frame.name}` }] : [...(parts.labels ?? [])];
    const calls: Label[] = [];
    let more = 0;
    for (let frame: Frame | undefined = this.frame; frame?.call; frame = frame.parent) {
      const { call } = frame;
      if (frame.originSpan || calls.some((c) => c.span.start === call.start && c.span.source === call.source)) continue;
      if (calls.length === 4) more++;
      else calls.push({ span: call, message: `in ${nameOf(frame)}, called here` });
    }
    const notes = more > 0 ? [...(parts.notes ?? []), `${more} further ${more === 1 ? 'call leads' : 'calls lead'} here`] : parts.notes;
    return error(code, message, blamed ?? span, { ...parts, ...(blamed && { primaryLabel: undefined }), labels: [...labels, ...calls], ...(notes && { notes }) });
  }

  fail(code: Code, message: string, span: Span, parts: DiagnosticParts = {}): never {
    throw new DiagnosticError(this.diagnose(code, message, span, parts));
  }

  poisoned(): never {
    throw POISONED;
  }

  /** Keeps a finding, once for a code and place: a block called twelve times is wrong once. */
  report(diagnostic: Diagnostic): void {
    const at = diagnostic.primary;
    // A name that was found wrong before evaluation has no value when it comes to that.
    const code = UNKNOWN_NAME.includes(diagnostic.code) ? 'name' : diagnostic.code;
    // Of two calls that declare one parameter, the calls matter and not the declaration.
    const calls = code.startsWith('E05') ? diagnostic.labels.map((l) => l.span.start).join(' ') : '';
    const key = at ? `${code} ${at.source.path} ${at.start} ${calls}` : `${code} ${diagnostic.message}`;
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.diagnostics.push(diagnostic);
  }

  origin(span: Span): Origin {
    const { originSpan, scope, block } = this.frame;
    const caller = siteOf(this.frame);
    return { span: originSpan ?? span, scope: scope.path, block, ...(caller && { caller }) };
  }

  /** Appends a node; a misfit is reported at `span` under `code`. */
  emit<K extends OpName>(op: K, args: readonly TensorValue[], attrs: OpAttrs[K], span: Span, code: Code = 'E0414', dims?: readonly (Dim | undefined)[]): TensorValue {
    if (this.builder.size >= LIMITS.nodes) {
      this.fail('E0702', `the graph grows over ${LIMITS.nodes.toLocaleString('en')} operations`, span, { help: 'make loops smaller, or compute on whole tensors instead of their parts' });
    }
    this.step(span, args.reduce((steps, a) => steps + 1 + a.shape.length, 1));
    const ids: NodeId[] = args.map((a) => a.id);
    const added = this.builder.add(op, ids, attrs, this.origin(span));
    // The fact without the operation's name, which the place shows.
    if (!added.ok) this.fail(code, added.message.replace(/^\w+(?: '[^']*')?: /, ''), span);
    const { shape, dtype } = this.builder.type(added.id);
    this.step(span, shape.length);
    return { kind: 'tensor', id: added.id, shape, dtype, ...(dims && { dims }) };
  }

  #tooDeep(last: Omit<Frame, 'parent' | 'depth'>): never {
    const cycle = [last.name];
    for (let frame: Frame | undefined = this.frame; frame; frame = frame.parent) {
      cycle.unshift(frame.name);
      if (frame.declaration === last.declaration) break;
    }
    const recursive = cycle.length > 1 && cycle[0] === last.name;
    const message = recursive ? `calls are more than ${LIMITS.depth} deep: ${cycle.length > 6 ? [...cycle.slice(0, 3), '...', ...cycle.slice(-2)].join(' → ') : cycle.join(' → ')}` : `calls are more than ${LIMITS.depth} deep`;
    this.fail('E0703', message, last.call ?? last.declaration!.span, {
      help: recursive ? `${last.name} calls itself without an end; a condition that stops it must not depend on tensors` : 'flatten the chain of calls',
    });
  }
}

const sites = new WeakMap<Frame, CallSite>();

/** The calls around a frame's nodes, one object a frame; calls inside prelude functions are left out. */
function siteOf(frame: Frame): CallSite | undefined {
  let outer: Frame | undefined = frame;
  while (outer?.originSpan) outer = outer.parent;
  if (!outer?.call) return undefined;
  let site = sites.get(outer);
  if (!site) {
    const caller = outer.parent && siteOf(outer.parent);
    sites.set(outer, (site = { span: outer.call, ...(caller && { caller }) }));
  }
  return site;
}

const UNKNOWN_NAME: readonly Code[] = ['E0201', 'E0207', 'E0606'];

/** `blocks.3.attn (Attention)`, long paths cut in the middle. */
function nameOf({ scope, name, declaration }: Frame): string {
  if (!scope.path || declaration?.kind !== 'block') return name;
  const { path } = scope;
  return `${path.length > 60 ? `${path.slice(0, 25)}...${path.slice(-25)}` : path} (${name})`;
}

/** What is wrong with all of an expression is shown at its operator or function, so that its operands can be labelled. */
export function narrowed<T>(whole: Span, at: Span, run: () => T): T {
  try {
    return run();
  } catch (e) {
    if (e instanceof DiagnosticError && e.diagnostic.primary === whole) throw new DiagnosticError({ ...e.diagnostic, primary: at });
    throw e;
  }
}

/** Kept for values that failed: using one unwinds without a second report. */
export function live(context: Context, value: Value): Value {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && (value as { kind: string }).kind === 'poison') context.poisoned();
  return value;
}
