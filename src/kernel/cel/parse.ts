import { CelSyntaxError } from './cel-error.ts';
import { lex, type Token } from './lex.ts';
import type { Expr, ListExpr, LoopExpr, LoopKind, MapExpr } from './syntax.ts';

/** Characters of an expression, parentheses within each other, and nodes one below the other. */
const SYNTAX_LIMITS = { charsMax: 20_000, nestingMax: 250, depthMax: 1_000 } as const;

/** Names that the language keeps for later. */
const RESERVED = new Set(
  'as break const continue else for function if import let loop package namespace return var void while'.split(' '),
);
const KEYWORDS = new Set(['true', 'false', 'null', 'in']);

const RELATIONS = new Set(['<', '<=', '>', '>=', '==', '!=']);
const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;

/**
 * Reads an expression of the Common Expression Language, with the macros of its standard and of the extensions that Kubernetes
 * has (two variables, optionals, `cel.bind`).
 *
 * @throws CelSyntaxError
 */
export function parse(text: string): Expr {
  if (text.length > SYNTAX_LIMITS.charsMax) {
    throw new CelSyntaxError(`the expression has more than ${SYNTAX_LIMITS.charsMax} characters`, 0);
  }
  return new Parser(lex(text)).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #nesting = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Expr {
    const expr = this.#expression();
    if (this.#peek().is !== 'end') throw this.#unexpected('an operator or the end');
    return expr;
  }

  #expression(): Expr {
    this.#nesting += 1;
    if (this.#nesting > SYNTAX_LIMITS.nestingMax) {
      throw new CelSyntaxError(`more than ${SYNTAX_LIMITS.nestingMax} levels within each other`, this.#peek().at);
    }
    const condition = this.#logic('||');
    const expr = this.#isSymbol('?') ? this.#conditional(condition) : condition;
    this.#nesting -= 1;
    return expr;
  }

  #conditional(condition: Expr): Expr {
    const { at } = this.#take();
    const consequence = this.#logic('||');
    this.#expect(':');
    return { is: 'conditional', condition, consequence, alternative: this.#expression(), at };
  }

  #logic(operator: '&&' | '||'): Expr {
    const term = (): Expr => (operator === '||' ? this.#logic('&&') : this.#relation());
    const first = term();
    if (!this.#isSymbol(operator)) return first;
    const { at } = this.#peek();
    const terms = [first];
    while (this.#isSymbol(operator)) {
      this.#take();
      terms.push(term());
    }
    return { is: 'logic', operator, terms, at };
  }

  #relation(): Expr {
    return this.#binary(
      () => this.#binary(() => this.#binary(() => this.#unary(), isProduct, operatorName), isSum, operatorName),
      (token) => (token.is === 'symbol' && RELATIONS.has(token.text)) || isNamed(token, 'in'),
      (name) => (name === 'in' ? '@in' : operatorName(name)),
    );
  }

  #binary(operand: () => Expr, isOperator: (token: Token) => boolean, nameOf: (operator: string) => string): Expr {
    let left = operand();
    for (let depth = 1; isOperator(this.#peek()); depth += 1) {
      const token = this.#take();
      if (depth > SYNTAX_LIMITS.depthMax) {
        throw new CelSyntaxError(`more than ${SYNTAX_LIMITS.depthMax} operators in a row`, token.at);
      }
      const name = token.is === 'symbol' || token.is === 'name' ? nameOf(token.text) : '';
      left = { is: 'call', name, target: undefined, args: [left, operand()], isRoot: false, at: token.at };
    }
    return left;
  }

  #unary(): Expr {
    const signs: Token[] = [];
    const sign = this.#peek();
    while (this.#isSymbol('!') || this.#isSymbol('-')) {
      const token = this.#take();
      if (sign.is === 'symbol' && token.is === 'symbol' && token.text !== sign.text) {
        throw new CelSyntaxError('write parentheses between ! and -', token.at);
      }
      signs.push(token);
      if (signs.length > SYNTAX_LIMITS.nestingMax) {
        throw new CelSyntaxError(`more than ${SYNTAX_LIMITS.nestingMax} signs`, token.at);
      }
    }
    const isMinus = sign.is === 'symbol' && sign.text === '-';
    const next = this.#peek();
    // The sign is part of the number: 2^63 is too large without.
    const isSigned =
      isMinus && signs.length > 0 && next.is === 'constant' && (next.type === 'int' || next.type === 'double');
    if (isSigned) signs.pop();
    let expr = this.#member(isSigned);
    // Two signs take each other back.
    if (signs.length % 2 === 1) {
      expr = { is: 'call', name: isMinus ? '-_' : '!_', target: undefined, args: [expr], isRoot: false, at: sign.at };
    }
    return expr;
  }

  #member(isNegative: boolean): Expr {
    let expr = this.#primary(isNegative);
    for (let depth = 1; ; depth += 1) {
      if (depth > SYNTAX_LIMITS.depthMax) {
        throw new CelSyntaxError(`more than ${SYNTAX_LIMITS.depthMax} fields in a row`, this.#peek().at);
      }
      if (this.#isSymbol('.')) expr = this.#field(expr);
      else if (this.#isSymbol('[')) expr = this.#index(expr);
      else if (this.#isSymbol('{') && typeNameOf(expr) !== undefined) expr = this.#message(typeNameOf(expr) ?? '');
      else return expr;
    }
  }

  #field(operand: Expr): Expr {
    this.#take();
    const isOptional = this.#skip('?');
    const token = this.#take();
    if (token.is !== 'name' || (KEYWORDS.has(token.text) && !token.isQuoted)) {
      throw new CelSyntaxError('a name is missing behind the dot', token.at);
    }
    if (isOptional || token.isQuoted || !this.#isSymbol('(')) {
      return { is: 'select', operand, field: token.text, isTest: false, isOptional, at: token.at };
    }
    const args = this.#arguments();
    return (
      this.#receiverMacro(operand, token.text, args, token.at) ?? {
        is: 'call',
        name: token.text,
        target: operand,
        args,
        isRoot: false,
        at: token.at,
      }
    );
  }

  #index(operand: Expr): Expr {
    const { at } = this.#take();
    const isOptional = this.#skip('?');
    const key = this.#expression();
    this.#expect(']');
    return {
      is: 'call',
      name: isOptional ? '_[?_]' : '_[_]',
      target: undefined,
      args: [operand, key],
      isRoot: false,
      at,
    };
  }

  /** Reads the fields only to find the end. */
  #message(type: string): Expr {
    const { at } = this.#take();
    while (!this.#isSymbol('}')) {
      this.#skip('?');
      if (this.#take().is !== 'name') throw this.#unexpected('the name of a field');
      this.#expect(':');
      this.#expression();
      if (!this.#skip(',')) break;
    }
    this.#expect('}');
    return { is: 'message', type, at };
  }

  #primary(isNegative: boolean): Expr {
    const token = this.#peek();
    if (token.is === 'constant') return this.#constant(isNegative);
    if (token.is === 'name' && !token.isQuoted) return this.#name(false);
    if (this.#isSymbol('.')) {
      this.#take();
      if (this.#peek().is !== 'name') throw this.#unexpected('a name');
      return this.#name(true);
    }
    if (this.#isSymbol('(')) {
      this.#take();
      const expr = this.#expression();
      this.#expect(')');
      return expr;
    }
    if (this.#isSymbol('[')) return this.#list();
    if (this.#isSymbol('{')) return this.#map();
    throw this.#unexpected('a value');
  }

  #constant(isNegative: boolean): Expr {
    const token = this.#take();
    if (token.is !== 'constant') throw this.#unexpected('a value');
    const { type, value, at } = token;
    if (typeof value === 'bigint' && type === 'int') {
      const signed = isNegative ? -value : value;
      if (signed < INT_MIN || signed > INT_MAX) throw new CelSyntaxError(`${signed} is no int of 64 bits`, at);
      return { is: 'constant', type, value: signed, at };
    }
    return { is: 'constant', type, value: isNegative && typeof value === 'number' ? -value : value, at };
  }

  #name(isRoot: boolean): Expr {
    const token = this.#take();
    if (token.is !== 'name') throw this.#unexpected('a name');
    const { text, at } = token;
    if (text === 'true' || text === 'false') return { is: 'constant', type: 'bool', value: text === 'true', at };
    if (text === 'null') return { is: 'constant', type: 'null', value: null, at };
    if (KEYWORDS.has(text) || RESERVED.has(text)) throw new CelSyntaxError(`"${text}" is reserved: it is no name`, at);
    if (!this.#isSymbol('(')) return { is: 'ident', name: text, isRoot, at };
    const args = this.#arguments();
    if (text === 'has' && !isRoot) return hasMacro(args, at);
    return { is: 'call', name: text, target: undefined, args, isRoot, at };
  }

  #list(): ListExpr {
    const { at } = this.#take();
    const items: { value: Expr; isOptional: boolean }[] = [];
    while (!this.#isSymbol(']')) {
      const isOptional = this.#skip('?');
      items.push({ value: this.#expression(), isOptional });
      if (!this.#skip(',')) break;
    }
    this.#expect(']');
    return { is: 'list', items, at };
  }

  #map(): MapExpr {
    const { at } = this.#take();
    const entries: { key: Expr; value: Expr; isOptional: boolean }[] = [];
    while (!this.#isSymbol('}')) {
      const isOptional = this.#skip('?');
      const key = this.#expression();
      this.#expect(':');
      entries.push({ key, value: this.#expression(), isOptional });
      if (!this.#skip(',')) break;
    }
    this.#expect('}');
    return { is: 'map', entries, at };
  }

  #arguments(): readonly Expr[] {
    this.#expect('(');
    const args: Expr[] = [];
    while (!this.#isSymbol(')')) {
      args.push(this.#expression());
      if (this.#isSymbol(')')) break;
      this.#expect(',');
      if (this.#isSymbol(')')) throw this.#unexpected('a value');
    }
    this.#expect(')');
    return args;
  }

  #receiverMacro(target: Expr, name: string, args: readonly Expr[], at: number): Expr | undefined {
    if (isNamespace(target, 'cel') && name === 'bind' && args.length === 3) {
      const [variable, value, body] = args as [Expr, Expr, Expr];
      return { is: 'bind', name: variableIn(variable), value, body, at };
    }
    const internal = isNamespace(target, 'cel') ? blockMacro(name, args, at) : undefined;
    if (internal !== undefined) return internal;
    if ((name === 'optMap' || name === 'optFlatMap') && args.length === 2) {
      const [variable, body] = args as [Expr, Expr];
      return { is: 'present', optional: target, name: variableIn(variable), body, isFlat: name === 'optFlatMap', at };
    }
    return loopMacro(target, name, args, at);
  }

  #peek(): Token {
    return this.#tokens[this.#next] as Token;
  }

  #take(): Token {
    const token = this.#peek();
    if (token.is !== 'end') this.#next += 1;
    return token;
  }

  #isSymbol(text: string): boolean {
    const token = this.#peek();
    return token.is === 'symbol' && token.text === text;
  }

  #skip(text: string): boolean {
    const is = this.#isSymbol(text);
    if (is) this.#take();
    return is;
  }

  #expect(text: string): void {
    if (!this.#skip(text)) throw this.#unexpected(text);
  }

  #unexpected(expected: string): CelSyntaxError {
    const token = this.#peek();
    const found =
      token.is === 'end' ? 'the end' : token.is === 'constant' ? `a ${token.type}` : JSON.stringify(token.text);
    return new CelSyntaxError(`found ${found} where ${expected} is expected`, token.at);
  }
}

function isNamed(token: Token, name: string): boolean {
  return token.is === 'name' && token.text === name && !token.isQuoted;
}

function isSum(token: Token): boolean {
  return token.is === 'symbol' && (token.text === '+' || token.text === '-');
}

function isProduct(token: Token): boolean {
  return token.is === 'symbol' && (token.text === '*' || token.text === '/' || token.text === '%');
}

function operatorName(operator: string): string {
  return `_${operator}_`;
}

/** `a.b.C`, where an expression is only names. */
export function typeNameOf(expr: Expr): string | undefined {
  if (expr.is === 'ident') return expr.isRoot ? `.${expr.name}` : expr.name;
  if (expr.is !== 'select' || expr.isTest || expr.isOptional) return undefined;
  const operand = typeNameOf(expr.operand);
  return operand === undefined ? undefined : `${operand}.${expr.field}`;
}

function isNamespace(expr: Expr, name: string): boolean {
  return expr.is === 'ident' && expr.name === name;
}

function hasMacro(args: readonly Expr[], at: number): Expr {
  const [argument] = args;
  if (args.length !== 1 || argument?.is !== 'select' || argument.isOptional || argument.isTest) {
    throw new CelSyntaxError('has() takes one field, like has(object.spec.replicas)', at);
  }
  return { is: 'select', operand: argument.operand, field: argument.field, isTest: true, isOptional: false, at };
}

/** The kind of loop, by the name of the macro and how many variables there are. */
const LOOPS: Readonly<
  Record<string, { readonly kind: LoopKind; readonly names: readonly (1 | 2)[]; readonly mayFilter: boolean }>
> = {
  all: { kind: 'all', names: [1, 2], mayFilter: false },
  exists: { kind: 'exists', names: [1, 2], mayFilter: false },
  exists_one: { kind: 'existsOne', names: [1, 2], mayFilter: false },
  existsOne: { kind: 'existsOne', names: [1, 2], mayFilter: false },
  map: { kind: 'map', names: [1], mayFilter: true },
  filter: { kind: 'filter', names: [1], mayFilter: false },
  transformList: { kind: 'transformList', names: [2], mayFilter: true },
  transformMap: { kind: 'transformMap', names: [2], mayFilter: true },
  transformMapEntry: { kind: 'transformMapEntry', names: [2], mayFilter: true },
};

/** The form in which compilers write what stands in an expression several times; no other name can be one of these. */
function blockMacro(name: string, args: readonly Expr[], at: number): Expr | undefined {
  const numbers = args.map((arg) => (arg.is === 'constant' && arg.type === 'int' ? String(arg.value) : undefined));
  if ((name === 'index' || name === 'iterVar') && !numbers.includes(undefined)) {
    return { is: 'ident', name: `@${name}:${numbers.join(':')}`, isRoot: false, at };
  }
  const [values, body] = args;
  if (name !== 'block' || values?.is !== 'list' || body === undefined) return undefined;
  return values.items.reduceRight<Expr>(
    (inner, { value }, index) => ({ is: 'bind', name: `@index:${index}`, value, body: inner, at }),
    body,
  );
}

function loopMacro(range: Expr, name: string, args: readonly Expr[], at: number): LoopExpr | undefined {
  const loop = Object.hasOwn(LOOPS, name) ? LOOPS[name] : undefined;
  if (loop === undefined) return undefined;
  const { kind, mayFilter } = loop;
  const count = loop.names.find((names) => args.length === names + 1 || (mayFilter && args.length === names + 2));
  if (count === undefined) return undefined;
  const [first, second = ''] = args.slice(0, count).map(variableIn);
  if (first === undefined) return undefined;
  if (first === second) throw new CelSyntaxError(`the variables of ${name} have the same name, ${first}`, at);
  const rest = args.slice(count);
  const body = rest.at(-1) as Expr;
  const filter = rest.length === 2 ? rest[0] : undefined;
  return { is: 'loop', kind, range, names: count === 1 ? [first] : [first, second], filter, body, at };
}

function variableIn(expr: Expr): string {
  if (expr.is === 'ident' && !expr.isRoot) return expr.name;
  throw new CelSyntaxError('a macro takes a simple name for its variable', expr.at);
}
