/** The syntax tree of a `.vit` file: discriminated unions, each node with its span. */
import type { Span } from './source.ts';

export interface Name {
  readonly text: string;
  readonly span: Span;
}

export interface File {
  readonly kind: 'file';
  readonly span: Span;
  /** `//!` lines at the top of the file, without the marker. */
  readonly doc?: string;
  readonly items: readonly Item[];
}

export type Item = Import | Let | Function | Block | Model | Preset;

interface Documented {
  readonly span: Span;
  /** The `///` lines above, without the marker, joined by newlines. */
  readonly doc?: string;
}

/** `import { A, B as C } from "std/layers"` */
export interface Import {
  readonly kind: 'import';
  readonly span: Span;
  readonly names: readonly { readonly name: Name; readonly as?: Name }[];
  readonly from: { readonly value: string; readonly span: Span };
}

/** `let NAME = expr` at the top of a file. */
export interface Let extends Documented {
  readonly kind: 'let';
  readonly name: Name;
  readonly value: Expr;
}

/** `fn name(a, b = 1) = expr` or `fn name(a) { ... return expr }`. No parameters (weights) inside. */
export interface Function extends Documented {
  readonly kind: 'function';
  readonly name: Name;
  readonly params: readonly ConfigParam[];
  /** An expression body is one `return`. */
  readonly body: readonly Statement[];
  readonly expressionBody: boolean;
}

/** `block Name(config)(tensors) -> [shape], [shape] { ... }` */
export interface Block extends Documented {
  readonly kind: 'block';
  readonly name: Name;
  readonly config: readonly ConfigParam[];
  readonly tensors: readonly TensorParam[];
  readonly results: readonly TensorType[];
  readonly body: readonly Statement[];
}

/** `model Name(config) { ... }` */
export interface Model extends Documented {
  readonly kind: 'model';
  readonly name: Name;
  readonly config: readonly ConfigParam[];
  readonly body: readonly Statement[];
}

/** `preset name = Model(args)` or `preset name = other_preset(args)`, which overrides that preset's arguments. */
export interface Preset extends Documented {
  readonly kind: 'preset';
  readonly name: Name;
  readonly model: Name;
  readonly args: readonly Argument[];
  readonly attributes: readonly Attribute[];
}

export type ConfigType = 'int' | 'number' | 'bool' | 'string' | 'list' | 'block' | 'function' | 'tensor' | 'any';

/** `heads`, `bias = true`, `mixer: block`, `n: int = 1`. */
export interface ConfigParam {
  readonly name: Name;
  readonly type?: { readonly value: ConfigType; readonly span: Span };
  readonly default?: Expr;
  readonly span: Span;
}

/** `x: [B, N, D]`, `ids: i32[B, N]`, `mask = none` (optional, any shape), `mask: [B, N] = none`. */
export interface TensorParam {
  readonly name: Name;
  readonly type?: TensorType;
  readonly default?: Expr;
  readonly span: Span;
}

export type DTypeName = 'f32' | 'i32' | 'bool';

export interface TensorType {
  readonly dtype?: { readonly value: DTypeName; readonly span: Span };
  readonly dims: readonly DimPattern[];
  readonly span: Span;
}

/** One entry of a shape: `...`, `...S` (any number of dimensions), `_` (any one), or an expression; a bare unbound name binds. */
export type DimPattern =
  | { readonly kind: 'rest'; readonly name?: Name; readonly span: Span }
  | { readonly kind: 'any'; readonly span: Span }
  | { readonly kind: 'dim'; readonly value: Expr; readonly span: Span };

/** `@image(mean = 0.5)` on inputs, outputs, parameters and presets. */
export interface Attribute {
  readonly name: Name;
  readonly args: readonly Argument[];
  readonly span: Span;
}

export interface Argument {
  readonly name?: Name;
  readonly value: Expr;
  readonly span: Span;
}

export type Statement = Assign | ParamDecl | InputDecl | OutputDecl | For | If | Return | Assert | WeightRules | ErrorStatement;

/** `x = e`, `a, b, _ = e`. */
export interface Assign {
  readonly kind: 'assign';
  readonly span: Span;
  readonly targets: readonly Name[];
  readonly value: Expr;
}

/** `param pos_embed: [1, N + 1, dim] @name("...")`; attributes: `name` (path relative to the scope), `buffer`. */
export interface ParamDecl {
  readonly kind: 'param';
  readonly span: Span;
  readonly doc?: string;
  readonly name: Name;
  readonly type: TensorType;
  readonly attributes: readonly Attribute[];
}

export interface InputDecl {
  readonly kind: 'input';
  readonly span: Span;
  readonly doc?: string;
  readonly name: Name;
  readonly type: TensorType;
  readonly attributes: readonly Attribute[];
}

export interface OutputDecl {
  readonly kind: 'output';
  readonly span: Span;
  readonly doc?: string;
  readonly name: Name;
  readonly type?: TensorType;
  readonly value: Expr;
  readonly attributes: readonly Attribute[];
}

/** `for a, b in list { ... }`: rebinding an outer name carries it to the next turn; new names stay inside. */
export interface For {
  readonly kind: 'for';
  readonly span: Span;
  readonly targets: readonly Name[];
  readonly iterable: Expr;
  readonly body: readonly Statement[];
}

/** `if c { } else if d { } else { }`, decided at compile time; names assigned inside stay visible after it. */
export interface If {
  readonly kind: 'if';
  readonly span: Span;
  readonly condition: Expr;
  readonly then: readonly Statement[];
  readonly else?: readonly Statement[];
}

export interface Return {
  readonly kind: 'return';
  readonly span: Span;
  readonly values: readonly Expr[];
}

/** `assert D % heads == 0, "message"`. */
export interface Assert {
  readonly kind: 'assert';
  readonly span: Span;
  readonly condition: Expr;
  readonly message?: Expr;
}

/** `weights { "blocks.{i}.qkv.weight" = concat(["h.{i}.q", "h.{i}.k"], axis = 0)  ignore "*.position_ids" }` */
export interface WeightRules {
  readonly kind: 'weights';
  readonly span: Span;
  readonly rules: readonly WeightRule[];
}

export type WeightRule =
  | { readonly kind: 'map'; readonly span: Span; readonly pattern: Name; readonly value: Expr }
  | { readonly kind: 'ignore'; readonly span: Span; readonly pattern: Name };

/** What the parser could not read; a diagnostic tells of it. */
export interface ErrorStatement {
  readonly kind: 'errorStatement';
  readonly span: Span;
}

export type UnaryOperator = '-' | 'not';
export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '**' | '==' | '!=' | '<' | '<=' | '>' | '>=' | 'and' | 'or' | '..';

export type Expr =
  | { readonly kind: 'number'; readonly span: Span; readonly value: number; readonly isInteger: boolean }
  | { readonly kind: 'string'; readonly span: Span; readonly value: string }
  | { readonly kind: 'bool'; readonly span: Span; readonly value: boolean }
  | { readonly kind: 'none'; readonly span: Span }
  | { readonly kind: 'name'; readonly span: Span; readonly text: string }
  | { readonly kind: 'list'; readonly span: Span; readonly items: readonly Expr[] }
  | Comprehension
  | { readonly kind: 'unary'; readonly span: Span; readonly operator: UnaryOperator; readonly operand: Expr }
  | { readonly kind: 'binary'; readonly span: Span; readonly operator: BinaryOperator; readonly operatorSpan: Span; readonly left: Expr; readonly right: Expr; readonly step?: Expr }
  | { readonly kind: 'conditional'; readonly span: Span; readonly condition: Expr; readonly then: Expr; readonly else: Expr }
  | { readonly kind: 'call'; readonly span: Span; readonly callee: Expr; readonly args: readonly Argument[] }
  | { readonly kind: 'subscript'; readonly span: Span; readonly object: Expr; readonly items: readonly SubscriptItem[] }
  | { readonly kind: 'member'; readonly span: Span; readonly object: Expr; readonly name: Name }
  | { readonly kind: 'lambda'; readonly span: Span; readonly params: readonly ConfigParam[]; readonly body: Expr }
  | Labelled
  | { readonly kind: 'errorExpr'; readonly span: Span };

/** `[e for i, x in list if cond]` */
export interface Comprehension {
  readonly kind: 'comprehension';
  readonly span: Span;
  readonly value: Expr;
  readonly targets: readonly Name[];
  readonly iterable: Expr;
  readonly condition?: Expr;
}

/** `x[1]`, `x[:, 0]`, `x[a:b:step]`, `x[..., 0]`, `x[none, :]` (a new axis). */
export type SubscriptItem =
  | { readonly kind: 'index'; readonly value: Expr; readonly span: Span }
  | { readonly kind: 'slice'; readonly start?: Expr; readonly stop?: Expr; readonly step?: Expr; readonly span: Span }
  | { readonly kind: 'ellipsis'; readonly span: Span };

/** `blocks[i].attn: Attention(dim, heads)(x)`; `_` as the first part adds nothing to the path, `_[0]` only the index. */
export interface Labelled {
  readonly kind: 'labelled';
  readonly span: Span;
  readonly label: readonly LabelPart[];
  readonly value: Expr;
}

export type LabelPart =
  | { readonly kind: 'name'; readonly text: string; readonly span: Span }
  | { readonly kind: 'index'; readonly value: Expr; readonly span: Span };
