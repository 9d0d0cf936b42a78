/**
 * Translates a JavaScript regular expression without flags, as GrowthBook runs it, to RE2 syntax. Both match
 * the same texts, with two exceptions. A character beyond U+FFFF is one for RE2 and two for JavaScript.
 * Case-insensitive RE2 equates U+017F with s and U+212A with k.
 */
export type Re2Pattern = { readonly pattern: string } | { readonly cannot: string };

/** `\s` of JavaScript; that of RE2 is smaller. */
const SPACE = String.raw`\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`;
const LINE_ENDS = String.raw`\n\r\x{2028}\x{2029}`;
const CONTROLS: ReadonlyMap<string, string> = new Map(['f', 'n', 'r', 't', 'v'].map((char) => [char, `\\${char}`]));

class Untranslatable extends Error {}

/** @param source a valid expression of JavaScript */
export function re2Pattern(source: string): Re2Pattern {
  try {
    return { pattern: new Translator(source).pattern() };
  } catch (error) {
    if (error instanceof Untranslatable) return { cannot: error.message };
    throw error;
  }
}

/** Reads an expression from left to right, and gives each part in RE2 syntax. */
class Translator {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  pattern(): string {
    let pattern = '';
    while (this.#at < this.#source.length) pattern += this.#outsideClass();
    return pattern;
  }

  #outsideClass(): string {
    const char = this.#source[this.#at] ?? '';
    this.#at += 1;
    if (char === '.') return `[^${LINE_ENDS}]`;
    if (char === '[') return this.#characterClass();
    if (char === '(') {
      if (/^\?<?[=!]/.test(this.#source.slice(this.#at, this.#at + 3)))
        throw new Untranslatable('RE2 has no look-around');
      return char;
    }
    if (char !== '\\') return char;
    const next = this.#source[this.#at] ?? '';
    if (next === 's' || next === 'S') {
      this.#at += 1;
      return `[${next === 'S' ? '^' : ''}${SPACE}]`;
    }
    if ('dDwWbB'.includes(next)) {
      this.#at += 1;
      return `\\${next}`;
    }
    return this.#escapedChar();
  }

  #characterClass(): string {
    const negated = this.#source[this.#at] === '^';
    if (negated) this.#at += 1;
    if (this.#source[this.#at] === ']') {
      this.#at += 1;
      return negated ? '(?s:.)' : String.raw`[^\x00-\x{10ffff}]`;
    }
    let members = '';
    while (this.#source[this.#at] !== ']') members += this.#classMember();
    this.#at += 1;
    return `[${negated ? '^' : ''}${members}]`;
  }

  #classMember(): string {
    const char = this.#source[this.#at] ?? '';
    this.#at += 1;
    if (char === '[') return '\\[';
    if (char === '-' && /^\\[sSdDwW]/.test(this.#source.slice(this.#at, this.#at + 2))) return '\\-';
    if (char !== '\\') return char;
    const next = this.#source[this.#at] ?? '';
    if (next === 'S')
      throw new Untranslatable(String.raw`RE2 has another \S, and none in a class that could replace it`);
    if ('sdDwW'.includes(next)) {
      this.#at += 1;
      const set = next === 's' ? SPACE : `\\${next}`;
      if (this.#source[this.#at] !== '-' || this.#source[this.#at + 1] === ']') return set;
      this.#at += 1;
      return `${set}\\-`;
    }
    if (next === 'b') {
      this.#at += 1;
      return String.raw`\x08`;
    }
    return this.#escapedChar();
  }

  /** Reads the character after a backslash. */
  #escapedChar(): string {
    const char = this.#source[this.#at] ?? '';
    this.#at += 1;
    const control = CONTROLS.get(char);
    if (control !== undefined) return control;
    const [, hex] =
      (char === 'x' ? /^([\da-f]{2})/i : /^([\da-f]{4})/i).exec(this.#source.slice(this.#at, this.#at + 4)) ?? [];
    if ((char === 'x' || char === 'u') && hex !== undefined) {
      this.#at += hex.length;
      if (/^d[89a-f]/i.test(hex) && char === 'u') throw new Untranslatable('RE2 has no halves of characters');
      return `\\x{${hex}}`;
    }
    if (char === '0' && !/\d/.test(this.#source[this.#at] ?? '')) return String.raw`\x00`;
    if (/[1-9k]/.test(char)) throw new Untranslatable('RE2 has no back-references');
    if (/[0c]/.test(char)) throw new Untranslatable(`RE2 has no \\${char}`);
    return /[\w\u0080-\uffff]/.test(char) ? char : `\\${char}`;
  }
}
