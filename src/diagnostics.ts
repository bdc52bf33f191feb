/** Diagnostics: facts first, rendered elsewhere. */
import type { Code } from './codes.ts';
import type { Span } from './source.ts';

export type Severity = 'error' | 'warning';

/** Another place that matters, with what it says there. */
export interface Label {
  readonly span: Span;
  readonly message: string;
}

/**
 * One finding. `message` states facts; `help` says what to do. `primary` is where the caret goes and is
 * absent only where no source is involved (a target's limit without a node, a command line).
 */
export interface Diagnostic {
  readonly code: Code;
  readonly severity: Severity;
  readonly message: string;
  readonly primary?: Span;
  /** What the caret's place itself says, after the caret. */
  readonly primaryLabel?: string;
  readonly labels: readonly Label[];
  readonly notes: readonly string[];
  readonly help?: string;
}

/** A value that may be incomplete, with what was found on the way. A result with an error has no use for codegen. */
export interface Result<T> {
  readonly value: T;
  readonly diagnostics: readonly Diagnostic[];
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((d) => d.severity === 'error');
}

export interface DiagnosticParts {
  readonly primaryLabel?: string;
  readonly labels?: readonly Label[];
  readonly notes?: readonly string[];
  readonly help?: string;
}

export function error(code: Code, message: string, primary?: Span, parts: DiagnosticParts = {}): Diagnostic {
  return { code, severity: 'error', message, primary, labels: [], notes: [], ...parts };
}

export function warning(code: Code, message: string, primary?: Span, parts: DiagnosticParts = {}): Diagnostic {
  return { ...error(code, message, primary, parts), severity: 'warning' };
}

/** Thrown where control must unwind to the nearest recovery point; always caught inside the compiler. */
export class DiagnosticError extends Error {
  constructor(readonly diagnostic: Diagnostic) {
    super(diagnostic.message);
    this.name = 'DiagnosticError';
  }
}
