/** The value of a string literal. */
import type { IToken } from 'chevrotain';
import { error } from '../diagnostics.ts';
import type { Diagnostic } from '../diagnostics.ts';
import type { Source } from '../source.ts';
import { FOREIGN } from './tokens.ts';

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '"': '"', "'": "'", '\\': '\\' };

/** The text between the quotes with escapes replaced; an unknown escape is reported and stands for its letter. */
export function stringValue(source: Source, token: IToken, report: (d: Diagnostic) => void): string {
  const { image, startOffset, tokenType } = token;
  // Malformed strings were reported with the tokens.
  if (tokenType === FOREIGN.unterminated || tokenType === FOREIGN.singleQuoted) return image.slice(1).replace(/'$/, '');
  const text = image.slice(1, -1);
  if (!text.includes('\\')) return text;
  return text.replace(/\\(?:u\{([^}]*)\}|([^]))/g, (all, hex: string | undefined, letter: string, at: number) => {
    const value = hex === undefined ? ESCAPES[letter] : codePoint(hex);
    if (value !== undefined) return value;
    const start = startOffset + 1 + at;
    report(error('E0103', `\`${all}\` is no escape`, { source, start, end: start + all.length }, {
      help: 'the escapes are `\\n`, `\\t`, `\\r`, `\\"`, `\\\\` and `\\u{1F600}`',
    }));
    return letter ?? '';
  });
}

function codePoint(hex: string): string | undefined {
  const value = /^[0-9A-Fa-f]{1,6}$/.test(hex) ? parseInt(hex, 16) : Infinity;
  return value <= 0x10ffff ? String.fromCodePoint(value) : undefined;
}
