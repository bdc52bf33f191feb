/** What ends a command early: a diagnostic and an exit code. */
import type { Diagnostic } from '../diagnostics.ts';

export const EXIT = { done: 0, no: 1, usage: 2, noDevice: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export class CliError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: Diagnostic | readonly Diagnostic[], readonly exit: ExitCode = EXIT.no) {
    const list: readonly Diagnostic[] = 'code' in diagnostics ? [diagnostics] : diagnostics;
    super(list.map((d) => d.message).join('\n'));
    this.name = 'CliError';
    this.diagnostics = list;
  }
}
