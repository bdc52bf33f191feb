/**
 * The diagnostic codes, each with what `vitc explain` prints. A code is never reused for another meaning.
 * E01xx text and syntax, E02xx names and imports, E03xx configuration values, E04xx shapes and dtypes,
 * E05xx parameters and weight paths, E06xx models, inputs and outputs, E07xx limits of evaluation and targets,
 * E08xx weights, pictures and goldens, E09xx packages, devices and the command line; W in place of E for warnings.
 */
import { COMMAND_CODES } from './codes/command.ts';
import { DATA_CODES } from './codes/data.ts';
import { SEMANTIC_CODES } from './codes/semantics.ts';
import { SYNTAX_CODES } from './codes/syntax.ts';
import { TARGET_CODES } from './codes/target.ts';

export interface CodeInfo {
  readonly title: string;
  /** Markdown: what it means, an example that shows it, how to mend it. */
  readonly explanation: string;
}

export const CODES = { ...SYNTAX_CODES, ...SEMANTIC_CODES, ...TARGET_CODES, ...DATA_CODES, ...COMMAND_CODES };

export type Code = keyof typeof CODES;
