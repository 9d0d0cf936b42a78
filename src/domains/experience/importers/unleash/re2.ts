/*
 * Regular expressions of RE2, in which Unleash writes them, as those of our conditions. Only whether there is a match
 * anywhere in a text counts, so what may be repeated at either end is left out.
 */

/** The pattern can be written otherwise, or is none at all, so that it never matches; or it cannot, and why. */
export type Translated = { readonly pattern: string } | { readonly invalid: true } | { readonly cannot: string };

interface Flags {
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
}
type Node =
  | { readonly kind: 'text'; readonly source: string }
  | { readonly kind: 'edge'; readonly source: '^' | '$' | '\\b' | '\\B' }
  | { readonly kind: 'line'; readonly end: boolean }
  | { readonly kind: 'group'; readonly choices: readonly Sequence[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly least: number; readonly most: number };
type Sequence = readonly Node[];

class Invalid extends Error {}
class Cannot extends Error {}

const REPEATS_MAX = 1_000;
/** As members of a class. `\s` of RE2 is smaller than that of JavaScript. */
const SETS: Readonly<Record<string, string>> = { d: '0-9', w: '0-9A-Za-z_', s: '\\t\\n\\f\\r ' };
const CONTRARY_SETS: Readonly<Record<string, string>> = {
  D: '\\0-\\/:-\\u{10FFFF}',
  W: '\\0-\\/:-@\\[-\\^`\\{-\\u{10FFFF}',
  S: '\\0-\\x08\\x0B\\x0E-\\x1F!-\\u{10FFFF}',
};
/** `\W` without the letters that are, but for case, a letter of ASCII. */
const CONTRARY_WORD_FOLDED = '\\0-\\/:-@\\[-\\^`\\{-\\u017E\\u0180-\\u2129\\u212B-\\u{10FFFF}';
const POSIX: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\0-\\x7F',
  blank: '\\t ',
  cntrl: '\\0-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};
const CONTROLS: Readonly<Record<string, string>> = {
  a: '\x07',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

export function translateRe2(pattern: string, ignoreCase: boolean): Translated {
  try {
    const choices = parse(pattern, { i: ignoreCase, m: false, s: false });
    return { pattern: write(choices) };
  } catch (error) {
    if (error instanceof Invalid) return { invalid: true };
    if (error instanceof Cannot) return { cannot: error.message };
    throw error;
  }
}

function parse(pattern: string, initial: Flags): readonly Sequence[] {
  const chars = Array.from(pattern);
  let at = 0;
  const named = new Set<string>();
  const whole = alternatives(initial);
  if (at < chars.length) throw new Invalid();
  return whole;

  function alternatives(flags: Flags): readonly Sequence[] {
    const choices: Node[][] = [[]];
    let now = flags;
    while (at < chars.length && chars[at] !== ')') {
      if (chars[at] === '|') {
        choices.push([]);
        at += 1;
        continue;
      }
      const changed = flagChange(now);
      if (changed !== undefined) {
        now = changed;
        continue;
      }
      choices.at(-1)?.push(repeated(atom(now)));
    }
    return choices;
  }

  /** `(?im-s)`: flags from here to the end of the group. */
  function flagChange(flags: Flags): Flags | undefined {
    const found = /^\(\?([imsU]*)(?:-([imsU]+))?\)/.exec(chars.slice(at, at + 12).join(''));
    if (found === null) return undefined;
    at += found[0].length;
    return withFlags(flags, found[1], found[2]);
  }

  function withFlags(flags: Flags, on = '', off = ''): Flags {
    const is = (flag: 'i' | 'm' | 's') => !off.includes(flag) && (on.includes(flag) || flags[flag]);
    return { i: is('i'), m: is('m'), s: is('s') };
  }

  function atom(flags: Flags): Node {
    if (repetition() !== undefined) throw new Cannot('it repeats nothing');
    const char = chars[at] ?? '';
    at += 1;
    switch (char) {
      case '(':
        return group(flags);
      case '[':
        return text(characterClass(flags));
      case '.':
        return text(flags.s ? '[^]' : '[^\\n]');
      case '^':
        return flags.m ? { kind: 'line', end: false } : { kind: 'edge', source: '^' };
      case '$':
        return flags.m ? { kind: 'line', end: true } : { kind: 'edge', source: '$' };
      case '\\':
        return escaped(flags);
      default:
        return text(literal(char, flags));
    }
  }

  function group(flags: Flags): Node {
    const rest = chars.slice(at, at + 200).join('');
    const opening = /^\?(?:P?<([A-Za-z_]\w*)>|([imsU]*)(?:-([imsU]+))?:)/.exec(rest);
    if (opening === null && rest.startsWith('?')) throw new Invalid();
    const [whole = '', name, on, off] = opening ?? [];
    // No two groups have one name.
    if (name !== undefined && named.has(name)) throw new Invalid();
    if (name !== undefined) named.add(name);
    at += whole.length;
    const choices = alternatives(withFlags(flags, on, off));
    if (chars[at] !== ')') throw new Invalid();
    at += 1;
    return { kind: 'group', choices };
  }

  function escaped(flags: Flags): Node {
    const char = chars[at] ?? '';
    const set = SETS[char];
    const contrary = contrarySet(char, flags);
    if (set !== undefined || contrary !== undefined) {
      at += 1;
      return text(`[${contrary ?? folded(set ?? '', flags)}]`);
    }
    if (char === 'b' || char === 'B') {
      at += 1;
      return { kind: 'edge', source: `\\${char}` };
    }
    if (char === 'A' || char === 'z') {
      at += 1;
      return { kind: 'edge', source: char === 'A' ? '^' : '$' };
    }
    return text(literal(escapedChar(), flags));
  }

  /** One character that is written with a backslash, which has been read. */
  function escapedChar(): string {
    const char = chars[at] ?? '';
    at += 1;
    if (char === '' || /[1-9]/.test(char)) throw new Invalid();
    const control = CONTROLS[char];
    if (control !== undefined) return control;
    if (!/[A-Za-z0-9]/.test(char) && char < '\u0080') return char;
    throw new Cannot(`it has \\${char}, which this importer does not know`);
  }

  function characterClass(flags: Flags): string {
    const negated = chars[at] === '^';
    if (negated) at += 1;
    let members = '';
    let fixed = '';
    for (let first = true; first || chars[at] !== ']'; first = false) {
      if (at >= chars.length) throw new Invalid();
      const posix = /^\[:(\^?)([a-z]+):\]/.exec(chars.slice(at, at + 12).join(''));
      if (posix !== null) {
        const set = POSIX[posix[2] ?? ''];
        if (set === undefined) throw new Invalid();
        if (posix[1] === '^') throw new Cannot('it has a negated class within a class');
        members += set;
        at += posix[0].length;
        continue;
      }
      const set = chars[at] === '\\' ? SETS[chars[at + 1] ?? ''] : undefined;
      const contrary = chars[at] === '\\' ? contrarySet(chars[at + 1] ?? '', flags) : undefined;
      if (set !== undefined || contrary !== undefined) {
        members += set ?? '';
        fixed += contrary ?? '';
        at += 2;
        continue;
      }
      const from = classChar();
      if (chars[at] !== '-' || chars[at + 1] === ']' || chars[at + 1] === undefined) {
        members += inClass(from);
        continue;
      }
      at += 1;
      const until = classChar();
      if ((until.codePointAt(0) ?? 0) < (from.codePointAt(0) ?? 0)) throw new Invalid();
      members += `${inClass(from)}-${inClass(until)}`;
    }
    at += 1;
    return `[${negated ? '^' : ''}${folded(members, flags)}${fixed}]`;
  }

  function classChar(): string {
    const char = chars[at] ?? '';
    at += 1;
    return char === '\\' ? escapedChar() : char;
  }

  function repeated(of: Node): Node {
    const [least, most] = repetition() ?? [1, 1];
    if (least === 1 && most === 1) return of;
    if (/^[*+?]/.test(chars[at] ?? '') || repetition() !== undefined) throw new Cannot('it repeats a repetition');
    if (of.kind === 'edge' || of.kind === 'line') throw new Cannot('it repeats a place rather than characters');
    return { kind: 'repeat', of, least, most };
  }

  function repetition(): [number, number] | undefined {
    const char = chars[at];
    const braces = /^\{(\d{1,5})(,?)(\d{0,5})\}/.exec(chars.slice(at, at + 14).join(''));
    if (braces === null && char !== '*' && char !== '+' && char !== '?') return undefined;
    at += braces?.[0].length ?? 1;
    if (chars[at] === '?') at += 1;
    if (braces === null) return [char === '+' ? 1 : 0, char === '?' ? 1 : Infinity];
    const least = Number(braces[1]);
    const most = braces[2] === '' ? least : braces[3] === '' ? Infinity : Number(braces[3]);
    if (least > REPEATS_MAX || (most !== Infinity && most > REPEATS_MAX) || most < least) throw new Invalid();
    return [least, most];
  }
}

function text(source: string): Node {
  return { kind: 'text', source };
}

/** Letters that are one when case does not count, beside the two of ASCII. */
const KIN: Readonly<Record<string, string>> = { k: '\u212a', s: '\u017f' };

function literal(char: string, { i }: Flags): string {
  const lower = char.toLowerCase();
  if (!i || lower === char.toUpperCase()) return /[\^$\\.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char;
  if (!/^[a-z]$/.test(lower) || char > 'z') throw new Cannot(`it has "${char}", without regard to case`);
  return `[${lower}${lower.toUpperCase()}${KIN[lower] ?? ''}]`;
}

function inClass(char: string): string {
  return /[\^\\\]\-[]/.test(char) ? `\\${char}` : char;
}

function contrarySet(char: string, { i }: Flags): string | undefined {
  return i && char === 'W' ? CONTRARY_WORD_FOLDED : CONTRARY_SETS[char];
}

/** The members of a class, and those that differ from one of them only in case. */
function folded(members: string, { i }: Flags): string {
  if (!i || members === '') return members;
  if (/[^ -~]/.test(members)) throw new Cannot('it has letters beyond ASCII in a class, without regard to case');
  const matches = new RegExp(`[${members}]`, 'u');
  let more = '';
  for (const lower of 'abcdefghijklmnopqrstuvwxyz') {
    const all = Array.from(lower + lower.toUpperCase() + (KIN[lower] ?? ''));
    if (all.some((char) => matches.test(char))) more += all.filter((char) => !matches.test(char)).join('');
  }
  return members + more;
}

/** Only whether there is a match counts: what may be repeated at an end is there as often as it must be. */
function write(choices: readonly Sequence[]): string {
  return choices.map((sequence) => writeSequence(trimmed(sequence), true, true)).join('|');
}

function trimmed(sequence: Sequence): Sequence {
  const least = (node: Node): readonly Node[] => {
    if (node.kind !== 'repeat') return [node];
    return node.least === 0 ? [] : [{ ...node, most: node.least }];
  };
  const [first, ...others] = sequence;
  if (first === undefined) return [];
  const begun = [...least(first), ...others];
  if (begun.length < sequence.length) return trimmed(begun);
  const last = begun.at(-1);
  const ended = last === undefined ? [] : [...begun.slice(0, -1), ...least(last)];
  return ended.length < begun.length ? trimmed(ended) : ended;
}

/** @param first whether nothing is matched before it, @param last whether nothing is matched after it */
function writeSequence(sequence: Sequence, first: boolean, last: boolean): string {
  return sequence
    .map((node, index) => writeNode(node, first && index === 0, last && index === sequence.length - 1))
    .join('');
}

function writeNode(node: Node, first: boolean, last: boolean): string {
  switch (node.kind) {
    case 'text':
    case 'edge':
      return node.source;
    case 'line':
      // The line break may be matched along, as nothing else is matched on that side.
      if (node.end ? !last : !first) throw new Cannot('it has the end of a line in the middle, with the flag m');
      return node.end ? '(?:$|\\n)' : '(?:^|\\n)';
    case 'group':
      return `(?:${node.choices.map((choice) => writeSequence(choice, first, last)).join('|')})`;
    case 'repeat': {
      const inside = writeNode(node.of, false, false);
      const { least, most } = node;
      if (least === most) return least === 1 ? inside : `${inside}{${least}}`;
      if (most === Infinity) return least === 0 ? `${inside}*` : least === 1 ? `${inside}+` : `${inside}{${least},}`;
      return least === 0 && most === 1 ? `${inside}?` : `${inside}{${least},${most}}`;
    }
    default:
      return node satisfies never;
  }
}
