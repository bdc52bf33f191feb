/** E02xx to E06xx: names, values, shapes, parameters, models; E070x: limits of evaluation. */
import type { CodeInfo } from '../codes.ts';

export const SEMANTIC_CODES = {
  E0201: { title: 'unknown name', explanation: 'The name is declared nowhere that this place can see.' },
} as const satisfies Record<string, CodeInfo>;
