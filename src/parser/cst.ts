/** The concrete syntax tree's types. Generated from the grammar: `BLESS=1 npx vitest run tests/parser-cst.test.ts`. */
import type { CstNodeLocation, IToken } from 'chevrotain';

interface Node<Name extends string, Children> {
  readonly name: Name;
  /** Absent parts of a node whose reading failed are absent here too, whatever the type says. */
  readonly children: Children;
  readonly location?: CstNodeLocation;
}

export type ExpressionCst = Node<'expression', {
  conditional?: ConditionalCst[];
  lambda?: LambdaCst[];
  operand?: OperandCst[];
  BinaryOperator?: IToken[];
}>;
export type ConditionalCst = Node<'conditional', {
  If: IToken[];
  expression: ExpressionCst[];
  Then: IToken[];
  Else: IToken[];
}>;
export type LambdaCst = Node<'lambda', {
  Fn: IToken[];
  configParams: ConfigParamsCst[];
  FatArrow: IToken[];
  expression: ExpressionCst[];
}>;
export type OperandCst = Node<'operand', {
  PrefixOperator?: IToken[];
  label?: LabelCst[];
  Numeral?: IToken[];
  StringLiteral?: IToken[];
  True?: IToken[];
  False?: IToken[];
  None?: IToken[];
  Identifier?: IToken[];
  list?: ListCst[];
  parens?: ParensCst[];
  args?: ArgsCst[];
  subscript?: SubscriptCst[];
  member?: MemberCst[];
}>;
export type LabelCst = Node<'label', { LabelWord: IToken[]; labelPart?: LabelPartCst[]; Colon: IToken[] }>;
export type LabelPartCst = Node<'labelPart', {
  Dot?: IToken[];
  AnyName?: IToken[];
  LSquare?: IToken[];
  expression?: ExpressionCst[];
  RSquare?: IToken[];
}>;
export type MemberCst = Node<'member', { Dot: IToken[]; AnyName: IToken[] }>;
export type ArgsCst = Node<'args', { LParen: IToken[]; argument?: ArgumentCst[]; Comma?: IToken[]; RParen: IToken[] }>;
export type ArgumentCst = Node<'argument', { Identifier?: IToken[]; Equals?: IToken[]; expression?: ExpressionCst[] }>;
export type SubscriptCst = Node<'subscript', {
  LSquare: IToken[];
  subscriptItem: SubscriptItemCst[];
  Comma?: IToken[];
  RSquare: IToken[];
}>;
export type SubscriptItemCst = Node<'subscriptItem', {
  Ellipsis?: IToken[];
  expression?: ExpressionCst[];
  sliceRest?: SliceRestCst[];
}>;
export type SliceRestCst = Node<'sliceRest', { Colon: IToken[]; stop?: ExpressionCst[]; step?: ExpressionCst[] }>;
export type ListCst = Node<'list', {
  LSquare: IToken[];
  expression?: ExpressionCst[];
  comprehension?: ComprehensionCst[];
  Comma?: IToken[];
  RSquare: IToken[];
}>;
export type ComprehensionCst = Node<'comprehension', {
  For: IToken[];
  names: NamesCst[];
  In: IToken[];
  expression: ExpressionCst[];
  If?: IToken[];
}>;
export type NamesCst = Node<'names', { Identifier: IToken[]; Comma?: IToken[] }>;
export type ParensCst = Node<'parens', {
  LParen: IToken[];
  expression: ExpressionCst[];
  Comma?: IToken[];
  RParen: IToken[];
}>;
export type ConfigParamsCst = Node<'configParams', {
  LParen: IToken[];
  configParam?: ConfigParamCst[];
  Comma?: IToken[];
  RParen: IToken[];
}>;
export type ConfigParamCst = Node<'configParam', {
  AnyName: IToken[];
  Colon?: IToken[];
  configType?: ConfigTypeCst[];
  Equals?: IToken[];
  expression?: ExpressionCst[];
}>;
export type ConfigTypeCst = Node<'configType', { Identifier?: IToken[]; Block?: IToken[] }>;
export type TensorTypeCst = Node<'tensorType', {
  Identifier?: IToken[];
  LSquare: IToken[];
  dim?: DimCst[];
  Comma?: IToken[];
  RSquare: IToken[];
}>;
export type DimCst = Node<'dim', { Ellipsis?: IToken[]; Identifier?: IToken[]; expression?: ExpressionCst[] }>;
export type AttributeCst = Node<'attribute', { At: IToken[]; AnyName: IToken[]; args?: ArgsCst[] }>;
export type BodyCst = Node<'body', {
  LCurly: IToken[];
  statement?: StatementCst[];
  Semicolon?: IToken[];
  RCurly: IToken[];
}>;
export type StatementCst = Node<'statement', {
  assign?: AssignCst[];
  paramDecl?: ParamDeclCst[];
  inputDecl?: InputDeclCst[];
  outputDecl?: OutputDeclCst[];
  forStatement?: ForStatementCst[];
  ifStatement?: IfStatementCst[];
  returnStatement?: ReturnStatementCst[];
  assertStatement?: AssertStatementCst[];
  weightRules?: WeightRulesCst[];
}>;
export type AssignCst = Node<'assign', { names: NamesCst[]; Equals: IToken[]; expression: ExpressionCst[] }>;
export type ParamDeclCst = Node<'paramDecl', {
  Param: IToken[];
  Identifier: IToken[];
  Colon: IToken[];
  tensorType: TensorTypeCst[];
  attribute?: AttributeCst[];
}>;
export type InputDeclCst = Node<'inputDecl', {
  Input: IToken[];
  Identifier: IToken[];
  Colon: IToken[];
  tensorType: TensorTypeCst[];
  attribute?: AttributeCst[];
}>;
export type OutputDeclCst = Node<'outputDecl', {
  Output: IToken[];
  Identifier: IToken[];
  Colon?: IToken[];
  tensorType?: TensorTypeCst[];
  Equals: IToken[];
  expression: ExpressionCst[];
  attribute?: AttributeCst[];
}>;
export type ForStatementCst = Node<'forStatement', {
  For: IToken[];
  names: NamesCst[];
  In: IToken[];
  expression: ExpressionCst[];
  body: BodyCst[];
}>;
export type IfStatementCst = Node<'ifStatement', {
  If: IToken[];
  expression: ExpressionCst[];
  body: BodyCst[];
  elseIf?: ElseIfCst[];
  Else?: IToken[];
  elseBody?: BodyCst[];
}>;
export type ElseIfCst = Node<'elseIf', { Else: IToken[]; If: IToken[]; expression: ExpressionCst[]; body: BodyCst[] }>;
export type ReturnStatementCst = Node<'returnStatement', {
  Return: IToken[];
  expression: ExpressionCst[];
  Comma?: IToken[];
}>;
export type AssertStatementCst = Node<'assertStatement', {
  Assert: IToken[];
  expression: ExpressionCst[];
  Comma?: IToken[];
}>;
export type WeightRulesCst = Node<'weightRules', {
  Weights: IToken[];
  LCurly: IToken[];
  weightRule?: WeightRuleCst[];
  Semicolon?: IToken[];
  RCurly: IToken[];
}>;
export type WeightRuleCst = Node<'weightRule', {
  StringLiteral?: IToken[];
  Equals?: IToken[];
  expression?: ExpressionCst[];
  Ignore?: IToken[];
}>;
export type FileCst = Node<'file', { item?: ItemCst[]; Semicolon?: IToken[] }>;
export type ItemCst = Node<'item', {
  importItem?: ImportItemCst[];
  letItem?: LetItemCst[];
  functionItem?: FunctionItemCst[];
  blockItem?: BlockItemCst[];
  modelItem?: ModelItemCst[];
  presetItem?: PresetItemCst[];
}>;
export type ImportItemCst = Node<'importItem', {
  Import: IToken[];
  LCurly: IToken[];
  importName: ImportNameCst[];
  Comma?: IToken[];
  RCurly: IToken[];
  From: IToken[];
  StringLiteral: IToken[];
}>;
export type ImportNameCst = Node<'importName', { Identifier: IToken[]; As?: IToken[] }>;
export type LetItemCst = Node<'letItem', {
  Let: IToken[];
  Identifier: IToken[];
  Equals: IToken[];
  expression: ExpressionCst[];
}>;
export type FunctionItemCst = Node<'functionItem', {
  Fn: IToken[];
  Identifier: IToken[];
  configParams: ConfigParamsCst[];
  Equals?: IToken[];
  expression?: ExpressionCst[];
  body?: BodyCst[];
}>;
export type BlockItemCst = Node<'blockItem', {
  Block: IToken[];
  Identifier: IToken[];
  configParams: ConfigParamsCst[];
  tensorParams: TensorParamsCst[];
  Arrow?: IToken[];
  tensorType?: TensorTypeCst[];
  Comma?: IToken[];
  body: BodyCst[];
}>;
export type ModelItemCst = Node<'modelItem', {
  Model: IToken[];
  Identifier: IToken[];
  configParams: ConfigParamsCst[];
  body: BodyCst[];
}>;
export type PresetItemCst = Node<'presetItem', {
  Preset: IToken[];
  Identifier: IToken[];
  Equals: IToken[];
  args: ArgsCst[];
  attribute?: AttributeCst[];
}>;
export type TensorParamsCst = Node<'tensorParams', {
  LParen: IToken[];
  tensorParam?: TensorParamCst[];
  Comma?: IToken[];
  RParen: IToken[];
}>;
export type TensorParamCst = Node<'tensorParam', {
  AnyName: IToken[];
  Colon?: IToken[];
  tensorType?: TensorTypeCst[];
  Equals?: IToken[];
  expression?: ExpressionCst[];
}>;
