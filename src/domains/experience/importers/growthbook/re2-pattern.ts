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
  let at = 0;
  let pattern = '';
  try {
    while (at < source.length) pattern += outsideClass();
    return { pattern };
  } catch (error) {
    if (error instanceof Untranslatable) return { cannot: error.message };
    throw error;
  }

  function outsideClass(): string {
    const char = source[at] ?? '';
    at += 1;
    if (char === '.') return `[^${LINE_ENDS}]`;
    if (char === '[') return characterClass();
    if (char === '(') {
      if (/^\?<?[=!]/.test(source.slice(at, at + 3))) throw new Untranslatable('RE2 has no look-around');
      return char;
    }
    if (char !== '\\') return char;
    const next = source[at] ?? '';
    if (next === 's' || next === 'S') {
      at += 1;
      return `[${next === 'S' ? '^' : ''}${SPACE}]`;
    }
    if ('dDwWbB'.includes(next)) {
      at += 1;
      return `\\${next}`;
    }
    return escapedChar();
  }

  function characterClass(): string {
    const negated = source[at] === '^';
    if (negated) at += 1;
    if (source[at] === ']') {
      at += 1;
      return negated ? '(?s:.)' : String.raw`[^\x00-\x{10ffff}]`;
    }
    let members = '';
    while (source[at] !== ']') members += classMember();
    at += 1;
    return `[${negated ? '^' : ''}${members}]`;
  }

  function classMember(): string {
    const char = source[at] ?? '';
    at += 1;
    if (char === '[') return '\\[';
    if (char === '-' && /^\\[sSdDwW]/.test(source.slice(at, at + 2))) return '\\-';
    if (char !== '\\') return char;
    const next = source[at] ?? '';
    if (next === 'S')
      throw new Untranslatable(String.raw`RE2 has another \S, and none in a class that could replace it`);
    if ('sdDwW'.includes(next)) {
      at += 1;
      const set = next === 's' ? SPACE : `\\${next}`;
      if (source[at] !== '-' || source[at + 1] === ']') return set;
      at += 1;
      return `${set}\\-`;
    }
    if (next === 'b') {
      at += 1;
      return String.raw`\x08`;
    }
    return escapedChar();
  }

  /** Reads the character after a backslash. */
  function escapedChar(): string {
    const char = source[at] ?? '';
    at += 1;
    const control = CONTROLS.get(char);
    if (control !== undefined) return control;
    const [, hex] = (char === 'x' ? /^([\da-f]{2})/i : /^([\da-f]{4})/i).exec(source.slice(at, at + 4)) ?? [];
    if ((char === 'x' || char === 'u') && hex !== undefined) {
      at += hex.length;
      if (/^d[89a-f]/i.test(hex) && char === 'u') throw new Untranslatable('RE2 has no halves of characters');
      return `\\x{${hex}}`;
    }
    if (char === '0' && !/\d/.test(source[at] ?? '')) return String.raw`\x00`;
    if (/[1-9k]/.test(char)) throw new Untranslatable('RE2 has no back-references');
    if (/[0c]/.test(char)) throw new Untranslatable(`RE2 has no \\${char}`);
    return /[\w\u0080-\uffff]/.test(char) ? char : `\\${char}`;
  }
}
