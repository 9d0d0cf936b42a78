import type { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { getOwn, isObject } from '#kernel/kinds/schema/own.ts';
import { equals, holdAll, type Requirement } from './requirements.ts';
import { labelValueProblems, qualifiedNameProblems } from '#kernel/kinds/schema/names.ts';

/** Characters of one selector. */
const selectorCharsMax = 32 * 1024;
/** Each object of a list is held against each of them; what `in` and `notin` name is one look-up. */
const selectorTermsMax = 50;

export type Labels = Readonly<Record<string, string>>;

/** A selector that was read: what it requires, and whether something meets it. */
export interface Selector<Item> {
  readonly requirements: readonly Requirement[];
  readonly matches: (item: Item) => boolean;
}

/**
 * Reads a label selector as Kubernetes writes it: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`,
 * `a>1`, `a<1`, joined by commas (AND). `!=` and `notin` also hold for objects without the key. An empty selector holds
 * for all. Throws a Refusal that says where it went wrong.
 */
export function parseLabelSelector(text: string): Selector<Labels> {
  const requirements = new LabelParser(text).requirements();
  return { requirements, matches: (labels) => labelsMeet(requirements, labels) };
}

export function labelsMeet(requirements: readonly Requirement[], labels: Labels): boolean {
  return holdAll(requirements, (key) => (Object.hasOwn(labels, key) ? labels[key] : undefined));
}

/** Reads the terms of a label selector, from left to right. */
class LabelParser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenize(text);
  }

  requirements(): readonly Requirement[] {
    const requirements: Requirement[] = [];
    if (this.#tokens.length === 0) return requirements;
    for (;;) {
      requirements.push(this.#takeRequirement());
      if (requirements.length > selectorTermsMax) throw tooManyTerms('label');
      const end = this.#take();
      if (end.text === '') return requirements;
      if (end.text !== ',') throw this.#wrong(end, '","');
    }
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { text: '', at: this.#text.length };
  }

  #take(): Token {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  #wrong(token: Token, expected: string): Refusal {
    return wrongSelector('label', this.#text, { at: token.at, expected, found: token.text });
  }

  #takeKey(): string {
    const token = this.#take();
    if (token.text === '' || isSymbol(token.text)) throw this.#wrong(token, 'a label key');
    const [problem] = qualifiedNameProblems(token.text);
    if (problem !== undefined) throw this.#wrong(token, `a label key, whose ${problem}`);
    return token.text;
  }

  #takeValue(): string {
    // `a=` asks for an empty value.
    const { text } = this.#peek();
    if (text === '' || text === ',' || text === ')') return '';
    const token = this.#take();
    const [problem] = isSymbol(token.text) ? [''] : labelValueProblems(token.text);
    if (problem !== undefined) throw this.#wrong(token, problem === '' ? 'a label value' : problem);
    return token.text;
  }

  #takeValues(): ReadonlySet<string> {
    const open = this.#take();
    if (open.text !== '(') throw this.#wrong(open, '"(" and values');
    const values = new Set([this.#takeValue()]);
    for (;;) {
      const token = this.#take();
      if (token.text === ')') return values;
      if (token.text !== ',') throw this.#wrong(token, '"," or ")"');
      values.add(this.#takeValue());
    }
  }

  #takeNumber(): number {
    const token = this.#take();
    if (!/^-?\d{1,15}$/.test(token.text)) throw this.#wrong(token, 'an integer');
    return Number(token.text);
  }

  #takeRequirement(): Requirement {
    if (this.#peek().text === '!') {
      this.#take();
      return { key: this.#takeKey(), operator: 'DoesNotExist' };
    }
    const key = this.#takeKey();
    const operator = this.#peek();
    if (operator.text === '' || operator.text === ',') return { key, operator: 'Exists' };
    this.#take();
    return this.#takeComparison(key, operator);
  }

  #takeComparison(key: string, operator: Token): Requirement {
    switch (operator.text) {
      case '=':
      case '==':
        return equals(key, this.#takeValue());
      case '!=':
        return { key, operator: 'NotIn', values: new Set([this.#takeValue()]) };
      case 'in':
        return { key, operator: 'In', values: this.#takeValues() };
      case 'notin':
        return { key, operator: 'NotIn', values: this.#takeValues() };
      case '>':
      case '<':
        return { key, operator: operator.text === '>' ? 'Gt' : 'Lt', bound: this.#takeNumber() };
      default:
        throw this.#wrong(operator, 'one of =, ==, !=, in, notin, <, > or ","');
    }
  }
}

interface Token {
  readonly text: string;
  readonly at: number;
}

const TOKEN = /\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)/y;

function isSymbol(text: string): boolean {
  return /^[=!<>(),]/.test(text);
}

function tokenize(text: string): Token[] {
  refuseLong(text, 'label');
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const token = match[1] ?? '';
    tokens.push({ text: token, at: match.index + match[0].length - token.length });
  }
  return tokens;
}

/** The fields of an object that a field selector reads. */
export interface Selectable {
  readonly namespace: string;
  readonly name: string;
  readonly object: () => unknown;
}

/**
 * Reads a field selector: `metadata.name=a`, `type!=Normal`, joined by commas (AND); `\,`, `\=` and `\\` stand for
 * themselves. `fields` says where in the object the selectable fields of the kind are, besides metadata.name and
 * metadata.namespace; a field that is absent counts as empty. Throws a Refusal for any other field.
 */
export function parseFieldSelector(text: string, fields: SelectableFields): Selector<Selectable> {
  const requirements = parseFieldRequirements(text);
  for (const { key } of requirements) requireSelectable(key, fields);
  return { requirements, matches: (item) => fieldsMeet(requirements, item, fields) };
}

/** The requirements of a field selector, for any kind. */
export function parseFieldRequirements(text: string): readonly Requirement[] {
  refuseLong(text, 'field');
  const requirements: Requirement[] = [];
  const terms = splitTerms(text);
  if (terms.length > selectorTermsMax) throw tooManyTerms('field');
  for (const { text: term, at } of terms) {
    const match = /^([^=!\\]+)(==|=|!=)(.*)$/s.exec(term);
    if (match === null)
      throw wrongSelector('field', text, { at, expected: 'FIELD=VALUE, FIELD==VALUE or FIELD!=VALUE', found: term });
    const [, label = '', operator, escaped = ''] = match;
    const key = label.trim();
    const value = unescape(escaped, text, at + term.length - escaped.length);
    requirements.push({ key, operator: operator === '!=' ? 'NotIn' : 'In', values: new Set([value]) });
  }
  return requirements;
}

/** Where the selectable fields of a kind are, by the labels that selectors name them by. */
export type SelectableFields = Readonly<Record<string, readonly string[]>>;

const OF_EVERY_KIND = ['metadata.name', 'metadata.namespace'];

export function isSelectable(label: string, fields: SelectableFields): boolean {
  return OF_EVERY_KIND.includes(label) || Object.hasOwn(fields, label);
}

function requireSelectable(label: string, fields: SelectableFields): void {
  if (!isSelectable(label, fields)) {
    throw resourceRefusal('field-not-selectable', `field label not supported: ${label}`, {
      remedy: `Select by ${[...OF_EVERY_KIND, ...Object.keys(fields)].join(', ')}.`,
    });
  }
}

/** A field that is absent counts as empty. */
export function fieldsMeet(requirements: readonly Requirement[], item: Selectable, fields: SelectableFields): boolean {
  let object: unknown;
  return holdAll(requirements, (label) => {
    if (label === 'metadata.name') return item.name;
    if (label === 'metadata.namespace') return item.namespace;
    let value = (object ??= item.object());
    for (const name of fields[label] ?? []) value = isObject(value) ? getOwn(value, name) : undefined;
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
  });
}

/** The parts between unescaped commas; empty ones are left out, as Kubernetes does. */
function splitTerms(text: string): Token[] {
  const terms: Token[] = [];
  let start = 0;
  for (let at = 0; at <= text.length; at++) {
    if (text[at] === '\\') at++;
    else if (at === text.length || text[at] === ',') {
      if (at > start) terms.push({ text: text.slice(start, at), at: start });
      start = at + 1;
    }
  }
  if (start < text.length) terms.push({ text: text.slice(start), at: start });
  return terms;
}

function unescape(escaped: string, text: string, at: number): string {
  const wrong = /\\([^\\,=]|$)|=/.exec(escaped.replaceAll(/\\[\\,=]/g, '--'));
  if (wrong !== null)
    throw wrongSelector('field', text, {
      at: at + wrong.index,
      expected: 'a value, with \\ before each \\ , and =',
      found: wrong[0],
    });
  return escaped.replaceAll(/\\([\\,=])/g, '$1');
}

function refuseLong(text: string, which: 'label' | 'field'): void {
  if (text.length <= selectorCharsMax) return;
  throw resourceRefusal('selector-too-long', `The ${which} selector has ${text.length} characters.`, {
    remedy: `Selectors have at most ${selectorCharsMax} characters.`,
  });
}

function tooManyTerms(which: 'label' | 'field'): Refusal {
  return resourceRefusal('selector-too-long', `The ${which} selector has more than ${selectorTermsMax} terms.`);
}

function wrongSelector(
  which: 'label' | 'field',
  text: string,
  { at, expected, found }: { readonly at: number; readonly expected: string; readonly found: string },
): Refusal {
  return resourceRefusal(
    `invalid-${which}-selector`,
    `unable to parse the ${which} selector ${JSON.stringify(text)}: at position ${at + 1}, found ` +
      `${found === '' ? 'the end' : JSON.stringify(found)}, expected ${expected}`,
  );
}
