/** The parser's messages: what rules of the grammar expect, in words. */

/** What the lists of a rule hold. */
export const ENTRIES: Readonly<Record<string, string>> = { args: 'an argument', configParams: 'a parameter', tensorParams: 'a tensor', importItem: 'a name', tensorType: 'a dimension' };

export const STATEMENT_FORMS = 'a statement is `x = ...`, or begins with `param`, `input`, `output`, `for`, `if`, `return`, `assert` or `weights`';

/** Kinds of tokens. */
export const NAMES: Readonly<Record<string, string>> = { AnyName: 'a name', Numeral: 'a number', BinaryOperator: 'an operator', LabelWord: 'a name' };

/** What a rule begins with, where several tokens would do. */
export const RULES: Readonly<Record<string, string>> = {
  functionItem: '`=` or `{`',
  configType: 'a type',
  weightRule: 'a rule',
  subscriptItem: 'an index or a slice',
  dim: 'a dimension',
  labelPart: 'a part of a label',
  list: '`,`, `for` or `]`',
};

/** What a rule expects at a token of this name, where the token alone says too little. */
export const EXPECTATIONS: Readonly<Record<string, string>> = {
  'body.LCurly': '`{` and a body',
  'blockItem.Identifier': "the block's name",
  'modelItem.Identifier': "the model's name",
  'functionItem.Identifier': "the function's name",
  'tensorParams.LParen': '`(` and the list of tensors',
  'configParams.LParen': '`(` and the list of parameters',
  'importItem.StringLiteral': 'the path of a file as a string',
  'tensorType.LSquare': 'a shape such as `[B, N, D]`',
  'member.AnyName': 'a name after `.`',
  'conditional.Then': '`then`',
};

/** What to do, by rule and expected token, or by rule. */
export const HINTS: Readonly<Record<string, string>> = {
  'tensorParams.LParen': 'a block has two lists: configuration, then tensors, as in `block Scale(factor = 1)(x) { ... }`',
  'conditional.Then': 'a choice between values is `if c then a else b`',
  'conditional.Else': 'a choice gives both values: `if c then a else b`',
  configType: 'a default is given by `=`',
  'importItem.LCurly': 'names stand in braces: `import { Linear } from "std/layers"`',
  'importItem.From': 'write `import { A, B } from "path"`',
  'forStatement.In': 'write `for i in 0..n { ... }`',
  'comprehension.In': 'write `[e for x in list]`',
  'paramDecl.Colon': 'a weight has a shape: `param w: [O, I]`',
  'inputDecl.Colon': 'an input has a shape: `input image: [B, 3, size, size]`',
  'outputDecl.Equals': 'write `output name = value`',
  'presetItem.Equals': 'write `preset name = Model(argument = value)`',
  'args.RParen': 'arguments stand between commas',
  'subscript.RSquare': 'a label inside a subscript needs parentheses, since `:` makes a slice there',
  'weightRules.RCurly': 'rules stand side by side, without commas: `"a" = "b"  ignore "c"`',
  weightRule: 'a rule is `"parameter" = "tensor"` or `ignore "tensor"`',
};

/** Declarations of other languages. */
export const FOREIGN_ITEMS: ReadonlyMap<string, string> = new Map(Object.entries({
  def: 'fn', func: 'fn', function: 'fn', class: 'block', module: 'block', layer: 'block', struct: 'block',
  const: 'let', var: 'let', use: 'import', from: 'import', include: 'import', network: 'model', config: 'preset',
}));
/** Statements of other languages. */
export const FOREIGN_STATEMENTS: ReadonlyMap<string, string> = new Map(Object.entries({
  elif: 'else if', elseif: 'else if', while: 'for', foreach: 'for', loop: 'for', weight: 'param', parameter: 'param', buffer: 'param', yield: 'return',
}));
