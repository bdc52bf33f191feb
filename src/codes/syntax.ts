/** E01xx: text and syntax. */
import type { CodeInfo } from '../codes.ts';

export const SYNTAX_CODES = {
  E0101: { title: 'unexpected character', explanation: 'The text holds a character that begins no token.' },
} as const satisfies Record<string, CodeInfo>;
