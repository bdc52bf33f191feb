/** The tokens of a `.vit` text, in the order the lexer tries them. */
import { createToken, Lexer } from 'chevrotain';
import type { ITokenConfig, TokenType } from 'chevrotain';

/** Words that are no names. After a `.`, in a label and as an attribute's name they are plain words again. */
export const KEYWORDS = [
  'import', 'let', 'fn', 'block', 'model', 'preset',
  'param', 'input', 'output', 'for', 'in', 'if', 'then', 'else', 'return', 'assert', 'weights',
  'and', 'or', 'not', 'true', 'false', 'none', 'by',
] as const;
export type Keyword = (typeof KEYWORDS)[number];

/** Words with a meaning in one place only, and names everywhere else. */
export const SOFT_KEYWORDS = ['from', 'as', 'ignore'] as const;

/** Keywords that begin a declaration of a file. */
export const ITEM_KEYWORDS = ['import', 'let', 'fn', 'block', 'model', 'preset'] as const;
/** Keywords that begin a statement of a body. */
export const STATEMENT_KEYWORDS = ['param', 'input', 'output', 'for', 'if', 'return', 'assert', 'weights'] as const;

const category = (name: string): TokenType => createToken({ name, pattern: Lexer.NA });

// Categories: what the grammar asks for where several tokens will do.
export const AnyName = category('AnyName');
export const BinaryOperator = category('BinaryOperator');
export const PrefixOperator = category('PrefixOperator');
export const Numeral = category('Numeral');
/** A name, or a keyword that may begin a label, as in `output: Linear(dim)(x)`. */
export const LabelWord = category('LabelWord');

// Comments and blanks do not reach the parser; comments are kept aside for the formatter and the documentation.
export const COMMENT_GROUP = 'comments';
const Blank = createToken({ name: 'Blank', pattern: /[ \t\r\n\uFEFF]+/, group: Lexer.SKIPPED, line_breaks: true });
const Comment = createToken({ name: 'Comment', pattern: /\/\/[^\n\r]*/, group: COMMENT_GROUP });

export const Identifier = createToken({ name: 'Identifier', pattern: /[A-Za-z_][A-Za-z0-9_]*/, label: 'a name', categories: [AnyName, LabelWord] });

function word(text: string, categories: TokenType[]): TokenType {
  const name = text[0].toUpperCase() + text.slice(1);
  return createToken({ name, pattern: new RegExp(text), longer_alt: Identifier, categories, label: `\`${text}\`` });
}

const WORD_CATEGORIES: Partial<Record<Keyword, TokenType[]>> = {
  import: [LabelWord],
  let: [LabelWord],
  block: [LabelWord],
  model: [LabelWord],
  preset: [LabelWord],
  param: [LabelWord],
  input: [LabelWord],
  output: [LabelWord],
  weights: [LabelWord],
  and: [BinaryOperator],
  or: [BinaryOperator],
  by: [BinaryOperator],
  not: [PrefixOperator],
};

const keywordTokens = Object.fromEntries(
  KEYWORDS.map((text) => [text, word(text, [AnyName, ...(WORD_CATEGORIES[text] ?? [])])]),
) as Record<Keyword, TokenType>;

export const Import = keywordTokens.import;
export const Let = keywordTokens.let;
export const Fn = keywordTokens.fn;
export const BlockWord = keywordTokens.block;
export const ModelWord = keywordTokens.model;
export const PresetWord = keywordTokens.preset;
export const Param = keywordTokens.param;
export const Input = keywordTokens.input;
export const Output = keywordTokens.output;
export const For = keywordTokens.for;
export const In = keywordTokens.in;
export const If = keywordTokens.if;
export const Then = keywordTokens.then;
export const Else = keywordTokens.else;
export const Return = keywordTokens.return;
export const AssertWord = keywordTokens.assert;
export const Weights = keywordTokens.weights;
export const And = keywordTokens.and;
export const Or = keywordTokens.or;
export const Not = keywordTokens.not;
export const True = keywordTokens.true;
export const False = keywordTokens.false;
export const None = keywordTokens.none;
export const By = keywordTokens.by;

export const From = word('from', [Identifier]);
export const As = word('as', [Identifier]);
export const Ignore = word('ignore', [Identifier]);

const MalformedNumber = createToken({ name: 'MalformedNumber', pattern: /\d[A-Za-z0-9_]*(?:\.\d[A-Za-z0-9_]*|\.(?![.A-Za-z_]))?|\.\d+(?:[eE][+-]?\d+)?/, categories: [Numeral] });
export const NumberLiteral = createToken({ name: 'NumberLiteral', pattern: /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/, longer_alt: MalformedNumber, categories: [Numeral] });
export const StringLiteral = createToken({ name: 'StringLiteral', pattern: /"[^"\\\n\r]*(?:\\[^\n\r][^"\\\n\r]*)*"/, label: 'a string' });

function mark(name: string, text: string, extra: Partial<ITokenConfig> = {}): TokenType {
  return createToken({ name, pattern: text, label: `\`${text}\``, ...extra });
}

const binary = { categories: [BinaryOperator] };
export const Arrow = mark('Arrow', '->');
export const FatArrow = mark('FatArrow', '=>');
export const Ellipsis = mark('Ellipsis', '...');
export const Range = mark('Range', '..', binary);
export const Dot = mark('Dot', '.');
export const Comma = mark('Comma', ',');
export const Colon = mark('Colon', ':');
export const Semicolon = mark('Semicolon', ';');
export const At = mark('At', '@');
export const LParen = mark('LParen', '(');
export const RParen = mark('RParen', ')');
export const LSquare = mark('LSquare', '[');
export const RSquare = mark('RSquare', ']');
export const LCurly = mark('LCurly', '{');
export const RCurly = mark('RCurly', '}');
export const Equals = mark('Equals', '=');
const operators = [
  mark('EqualEqual', '==', binary),
  mark('NotEqual', '!=', binary),
  mark('LessEqual', '<=', binary),
  mark('GreaterEqual', '>=', binary),
  mark('Less', '<', binary),
  mark('Greater', '>', binary),
  mark('Plus', '+', binary),
  mark('Power', '**', binary),
  mark('Star', '*', binary),
  mark('Slash', '/', binary),
  mark('Percent', '%', binary),
];
const Minus = mark('Minus', '-', { categories: [BinaryOperator, PrefixOperator] });

/**
 * Text that other languages use. Each stands in for the token it was meant to be, so that parsing goes on,
 * and the lexer's caller reports it.
 */
function foreign(name: string, pattern: ITokenConfig['pattern'], meant: TokenType[], extra: Partial<ITokenConfig> = {}): TokenType {
  return createToken({ name, pattern, categories: meant, ...extra });
}
function matchBlockComment(text: string, offset: number): [string] | null {
  if (!text.startsWith('/*', offset)) return null;
  const end = text.indexOf('*/', offset + 2);
  return [text.slice(offset, end < 0 ? text.length : end + 2)];
}
export const FOREIGN = {
  unterminated: foreign('UnterminatedString', /"[^"\\\n\r]*(?:\\[^\n\r][^"\\\n\r]*)*\\?/, [StringLiteral]),
  singleQuoted: foreign('SingleQuotedString', /'[^'\\\n\r]*(?:\\[^\n\r][^'\\\n\r]*)*'?/, [StringLiteral]),
  number: MalformedNumber,
  doubleAnd: foreign('DoubleAnd', '&&', [And, BinaryOperator]),
  doubleOr: foreign('DoubleOr', '||', [Or, BinaryOperator]),
  bang: foreign('Bang', '!', [Not, PrefixOperator]),
  binary: foreign('OtherBinary', /[\^&|]/, [BinaryOperator]),
  tilde: foreign('Tilde', '~', [PrefixOperator]),
  walrus: foreign('ColonEquals', ':=', [Equals]),
  update: foreign('UpdateEquals', /(?:\*\*|[-+*/%])=/, [Equals]),
  hash: foreign('HashComment', /#[^\n\r]*/, [], { group: COMMENT_GROUP }),
  blockComment: foreign('BlockComment', { exec: matchBlockComment }, [], { group: COMMENT_GROUP, line_breaks: true, start_chars_hint: ['/'] }),
} as const;

/** Order matters: of two that match, the first wins. */
export const TOKENS: TokenType[] = [
  Blank, Comment, FOREIGN.blockComment, FOREIGN.hash,
  ...Object.values(keywordTokens), From, As, Ignore, Identifier,
  NumberLiteral, FOREIGN.number, StringLiteral, FOREIGN.unterminated, FOREIGN.singleQuoted,
  FOREIGN.walrus, FOREIGN.update, FOREIGN.doubleAnd, FOREIGN.doubleOr, FOREIGN.binary, FOREIGN.tilde,
  Arrow, FatArrow, Ellipsis, Range, Dot, Comma, Colon, Semicolon, At,
  LParen, RParen, LSquare, RSquare, LCurly, RCurly,
  ...operators, FOREIGN.bang, Equals, Minus,
  AnyName, BinaryOperator, PrefixOperator, Numeral, LabelWord,
];
