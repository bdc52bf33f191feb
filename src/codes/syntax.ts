/** E01xx: text and syntax. */
import type { CodeInfo } from '../codes.ts';

/** A text that has the finding, and the text mended. */
function example(wrong: string, mended: string): string {
  return `\n\n\`\`\`vit\n${wrong}\n\`\`\`\n\nMended:\n\n\`\`\`vit\n${mended}\n\`\`\``;
}

export const SYNTAX_CODES = {
  E0101: {
    title: 'unexpected character',
    explanation:
      'The text holds a character that begins no word, number, string or operator: one that belongs to no ' +
      'program, one that only looks like another (a curly quote, a multiplication sign, a no-break space), or a ' +
      'letter outside a to z in a name. Inside strings and comments every character is allowed.' +
      example(
        'let area = width × height',
        'let area = width * height',
      ),
  },
  E0102: {
    title: 'malformed string',
    explanation:
      'A string stands in double quotes and ends on the line it began on. A line break inside it is written ' +
      '`\\n`, a quote `\\"`.' +
      example(
        'import { Linear } from "std/layers',
        'import { Linear } from "std/layers"',
      ),
  },
  E0103: {
    title: 'unknown escape in a string',
    explanation:
      'A backslash in a string begins an escape. There are `\\n` (line break), `\\t` (tab), `\\r` (carriage ' +
      'return), `\\"`, `\\\\` and `\\u{1F600}` (a character by its hexadecimal number). A backslash itself is ' +
      'written twice.' +
      example(
        'let separator = "\\p"',
        'let separator = "\\\\p"',
      ),
  },
  E0104: {
    title: 'malformed number',
    explanation:
      'A number is digits, then perhaps a fraction and an exponent: `12`, `0.5`, `1e-6`. Digits stand on both ' +
      'sides of the point; there are no separators, prefixes or suffixes. Integers are exact up to 2**53 - 1.' +
      example(
        'let classes = 1_000',
        'let classes = 1000',
      ),
  },
  E0105: {
    title: 'unexpected token',
    explanation:
      'The grammar expects something else here. The message says what; a label shows the bracket or word that ' +
      'the place belongs to. Often a comma is missing, or the line above is not finished.' +
      example(
        'let sizes = [1 2]',
        'let sizes = [1, 2]',
      ),
  },
  E0106: {
    title: 'bracket never closed',
    explanation:
      'A bracket is open where its line or its file ends. Lines may break inside brackets after a comma, so ' +
      'that the place where the closing one is missing can only be guessed: from the next line that begins a ' +
      'statement, or, for braces, from the indentation.' +
      example(
        'block Twice()(x) {\n  y = sum(x, 0\n  return y\n}',
        'block Twice()(x) {\n  y = sum(x, 0)\n  return y\n}',
      ),
  },
  E0107: {
    title: 'closing bracket without an opening one',
    explanation:
      'There is one closing bracket more than opening ones, or its opening one is of another kind.' +
      example(
        'let sizes = [1, 2]]',
        'let sizes = [1, 2]',
      ),
  },
  E0108: {
    title: 'nested too deeply',
    explanation:
      'Brackets, bodies and expressions may nest 100 deep, one expression may hold about 1000 operators, calls ' +
      'and brackets on one path, and an `if` 200 `else if` branches. No text that people write comes near; a ' +
      'generated one is better written with names for its parts, with lists and with loops.',
  },
  E0109: {
    title: 'file too long',
    explanation:
      'A file holds at most 4 MiB (4,194,304 UTF-16 units). Data of that size belongs into weights, not into a ' +
      'description.',
  },
  E0110: {
    title: 'unknown keyword',
    explanation:
      'A line begins with a word where a declaration (`import`, `let`, `fn`, `block`, `model`, `preset`) or a ' +
      'statement (`param`, `input`, `output`, `for`, `if`, `return`, `assert`, `weights`, or a name and `=`) is ' +
      'expected, and the word is none of them.' +
      example(
        'block Same()(x) {\n  retrun x\n}',
        'block Same()(x) {\n  return x\n}',
      ),
  },
  E0111: {
    title: 'operator of another language',
    explanation:
      'The operator exists elsewhere under this spelling. Here `and`, `or` and `not` are words, a power is ' +
      '`**`, names are given values by `=` alone, and every assignment is written out.' +
      example(
        'fn inside(x, n) = x >= 0 && x < n',
        'fn inside(x, n) = x >= 0 and x < n',
      ),
  },
  E0112: {
    title: 'comment of another language',
    explanation:
      'A comment begins with `//` and ends with its line. `///` above a declaration documents it, `//!` at the ' +
      'top documents the file.' +
      example(
        '# Numbers of classes.\nlet classes = 1000',
        '// Numbers of classes.\nlet classes = 1000',
      ),
  },
  E0113: {
    title: 'misplaced declaration or statement',
    explanation:
      'Declarations stand at the top of a file; statements stand in the bodies of blocks, models and functions. ' +
      'At the top a name is given its value by `let`, in a body without it.' +
      example(
        'block Twice()(x) {\n  let factor = 2\n  return factor * x\n}',
        'block Twice()(x) {\n  factor = 2\n  return factor * x\n}',
      ),
  },
  E0114: {
    title: 'operators that do not chain',
    explanation:
      '`a < b < c` would compare the outcome of `a < b` with `c`, which is never meant; two `..` make no range. ' +
      'Parentheses say so where it is meant.' +
      example(
        'fn inside(x, n) = 0 <= x < n',
        'fn inside(x, n) = 0 <= x and x < n',
      ),
  },
  E0115: {
    title: 'parentheses needed',
    explanation:
      'An `if` or `fn` expression reaches as far to the right as it can, `not` binds looser than comparisons ' +
      'and arithmetic, and a label names one call. Inside a larger expression each stands in parentheses.' +
      example(
        'fn offset(a, b) = 1 + if a then b else 0',
        'fn offset(a, b) = 1 + (if a then b else 0)',
      ),
  },
  E0116: {
    title: 'expression expected',
    explanation:
      'A value is missing: after `=` or an operator, between two commas, or after a word such as `return`.' +
      example(
        'let depth =\nlet width = 3',
        'let depth = 2\nlet width = 3',
      ),
  },
  E0117: {
    title: 'keyword used as a name',
    explanation:
      'The word has a meaning in the language and cannot name a value. It can name a part of a weight path: ' +
      'after a `.`, and in a label.' +
      example(
        'block Scale(output = 1)(x) { return x }',
        'block Scale(factor = 1)(x) { return x }',
      ),
  },
  E0118: {
    title: 'more findings',
    explanation:
      'A file has more than 50 findings; the first 50 are told and the rest are counted. Later ones often ' +
      'follow from earlier ones.',
  },
  E0119: {
    title: 'expression without use',
    explanation:
      'A line holds an expression whose value nothing takes. There are no side effects, so that such a line ' +
      'does nothing: the value wants a name, or to be returned. A `name: [shape]` that should declare a weight ' +
      'begins with `param`; parts of a value are never assigned to.' +
      example(
        'block Twice()(x) {\n  y == 2 * x\n  return y\n}',
        'block Twice()(x) {\n  y = 2 * x\n  return y\n}',
      ),
  },
  E0120: {
    title: 'unnamed argument after a named one',
    explanation:
      'Arguments are given by position first, then by name.' +
      example(
        'let y = pool(x, stride = 2, 3)',
        'let y = pool(x, 3, stride = 2)',
      ),
  },
  E0121: {
    title: 'unknown type',
    explanation:
      'A parameter of a block, model or function has one of the types int, number, bool, string, list, block, ' +
      'function, tensor, any, or none given. A tensor\'s shape may follow one of f32, i32 and bool; half ' +
      'precision is a choice of the compilation (`--dtype f16`), not of the description.' +
      example(
        'fn twice(n: integer) = 2 * n',
        'fn twice(n: int) = 2 * n',
      ),
  },
  W0101: {
    title: 'documentation of nothing',
    explanation:
      'Lines that begin with `///` document the declaration below them: a `let`, `fn`, `block`, `model`, ' +
      '`preset`, `param`, `input` or `output`. Lines that begin with `//!` document the file and stand at its ' +
      'top. Elsewhere they say nothing to any tool; a plain comment begins with `//`.' +
      example(
        '/// The standard library.\nimport { Linear } from "std/layers"',
        '//! Uses the standard library.\nimport { Linear } from "std/layers"',
      ),
  },
} as const satisfies Record<string, CodeInfo>;
