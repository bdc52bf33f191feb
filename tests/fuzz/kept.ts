/**
 * Programs that failed once, small enough to read: tests/files/fuzz/. The first line says how the program was compiled and
 * which program it was before it was made small.
 */
import type { Variant } from './check.ts';

export interface Kept {
  readonly seed: number;
  readonly variant: Variant;
}

const HEAD = /^\/\/ fuzz: (\{.*\})\n/;

export function writeKept({ seed, variant }: Kept, text: string): string {
  return `// fuzz: ${JSON.stringify({ seed, variant })}\n${text}`;
}

export function readKept(text: string): Kept {
  const head = HEAD.exec(text);
  if (!head) throw new Error('the first line of a kept program is `// fuzz: {"seed": ..., "variant": ...}`');
  return JSON.parse(head[1]) as Kept;
}
