/** A position in the text of an expression, in UTF-16 units. */
type Position = number;

export type Constant = null | boolean | bigint | number | string | Uint8Array;

/** Kinds of constants: numbers alone do not say whether they are `int`, `uint` or `double`. */
export type ConstantType = 'null' | 'bool' | 'int' | 'uint' | 'double' | 'string' | 'bytes';

interface At {
  readonly at: Position;
}

/** An expression as it was written, with its macros recognised. */
export type Expr =
  | ConstantExpr
  | IdentExpr
  | SelectExpr
  | CallExpr
  | ListExpr
  | MapExpr
  | MessageExpr
  | LogicExpr
  | ConditionalExpr
  | LoopExpr
  | BindExpr
  | PresentExpr;

export interface ConstantExpr extends At {
  readonly is: 'constant';
  readonly type: ConstantType;
  readonly value: Constant;
}

/** A name; with a dot before it, one that no container or loop shadows. */
export interface IdentExpr extends At {
  readonly is: 'ident';
  readonly name: string;
  readonly isRoot: boolean;
}

export interface SelectExpr extends At {
  readonly is: 'select';
  readonly operand: Expr;
  readonly field: string;
  /** `has(operand.field)`: whether it is there. */
  readonly isTest: boolean;
  /** `operand.?field`: an optional. */
  readonly isOptional: boolean;
}

/** A function, an operator (by the names of CEL's standard, like `_+_`), or a method of `target`. */
export interface CallExpr extends At {
  readonly is: 'call';
  readonly name: string;
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
  readonly isRoot: boolean;
}

export interface ListExpr extends At {
  readonly is: 'list';
  readonly items: readonly { readonly value: Expr; readonly isOptional: boolean }[];
}

export interface MapExpr extends At {
  readonly is: 'map';
  readonly entries: readonly { readonly key: Expr; readonly value: Expr; readonly isOptional: boolean }[];
}

/** `Type{field: value}`. No message types are known: it is read to be refused by name. */
interface MessageExpr extends At {
  readonly is: 'message';
  readonly type: string;
}

/** `a && b && …` or `a || b || …`, as one. */
export interface LogicExpr extends At {
  readonly is: 'logic';
  readonly operator: '&&' | '||';
  readonly terms: readonly Expr[];
}

export interface ConditionalExpr extends At {
  readonly is: 'conditional';
  readonly condition: Expr;
  readonly consequence: Expr;
  readonly alternative: Expr;
}

export type LoopKind =
  | 'all'
  | 'exists'
  | 'existsOne'
  | 'map'
  | 'filter'
  | 'transformList'
  | 'transformMap'
  | 'transformMapEntry';

/** A macro over a list or a map. */
export interface LoopExpr extends At {
  readonly is: 'loop';
  readonly kind: LoopKind;
  readonly range: Expr;
  /** One name: of elements, or keys. Two: of indexes and elements, or keys and values. */
  readonly names: readonly [string] | readonly [string, string];
  /** Which of them are taken; undefined: all. */
  readonly filter: Expr | undefined;
  /** Makes a value of each; of `all`, `exists`, `existsOne`, `filter` the condition. */
  readonly body: Expr;
}

/** `cel.bind(name, value, body)`. */
export interface BindExpr extends At {
  readonly is: 'bind';
  readonly name: string;
  readonly value: Expr;
  readonly body: Expr;
}

/** `optional.optMap(name, body)` and `optFlatMap`. */
export interface PresentExpr extends At {
  readonly is: 'present';
  readonly optional: Expr;
  readonly name: string;
  readonly body: Expr;
  /** The body gives an optional. */
  readonly isFlat: boolean;
}
