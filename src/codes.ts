/**
 * The diagnostic codes, each with what `vitc explain` prints. A code is never reused for another meaning.
 * E01xx text and syntax, E02xx names and imports, E03xx configuration values, E04xx shapes and dtypes,
 * E05xx parameters and weight paths, E06xx models, inputs and outputs, E07xx limits of evaluation and targets,
 * E08xx weights, pictures and goldens, E09xx packages and devices, W.... warnings.
 */
export interface CodeInfo {
  readonly title: string;
  /** Markdown: what it means, an example that shows it, how to mend it. */
  readonly explanation: string;
}

export const CODES = {
  E0101: { title: 'unexpected character', explanation: 'The text holds a character that no token begins with.' },
} as const satisfies Record<string, CodeInfo>;

export type Code = keyof typeof CODES;
