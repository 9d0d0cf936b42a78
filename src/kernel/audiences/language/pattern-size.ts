/** Upper bounds of the work that compiling an expression takes, computed from its text. */
export interface PatternSize {
  /** Instructions with each repetition written out: it compiles to at most twice as many, and ten. */
  readonly instructions: number;
  /** Ranges of characters that are combined: each range of `\p{L}`, and without regard to case each character. */
  readonly characters: number;
}

/** Ranges of the largest category, and those that case folding adds. */
const CATEGORY_CHARACTERS = 600;
const FOLDED_CATEGORY_CHARACTERS = 2_200;
/** A range around all characters that have a case is not iterated. */
const FIRST_WITH_CASE = 0x41;
const LAST_WITH_CASE = 0x1e943;

/** One character in a class or outside of one, in its notation. */
const TOKEN = /\\[pP](?:\{[^}]*\}|.)|\\x\{([\da-fA-F]+)\}|\\x([\da-fA-F]{2})|\\([0-7]{1,3})|\\(.)|(.)/suy;
const CLASS_NAME = /\[:\^?\w+:\]/y;
const REPEAT = /\{(\d{1,4})(,(\d{0,4}))?\}/y;
const GROUP = /\((?:\?(?:P?<\w*>|[a-zA-Z-]*:?\)?))?/y;
const FOLDS = /\(\?[a-zA-Z-]*i/;

/**
 * Half of an upper bound, in time linear in the expression. An invalid expression has a size too; compiling refuses it.
 */
export function patternSize(pattern: string, ignoreCase: boolean): PatternSize {
  const isFolded = ignoreCase || FOLDS.test(pattern);
  const open: number[] = [];
  let size = 0;
  /** The size of the repeated part. */
  let atom = 0;
  let characters = 0;
  let at = 0;
  const add = (instructions: number): void => {
    atom = instructions;
    size += instructions;
  };
  const next = (form: RegExp): RegExpExecArray | null => {
    form.lastIndex = at;
    const found = form.exec(pattern);
    if (found !== null) at = form.lastIndex;
    return found;
  };
  while (at < pattern.length) {
    const char = pattern[at];
    if (pattern.startsWith('\\Q', at)) {
      const end = pattern.indexOf('\\E', at);
      add(Math.max(1, (end === -1 ? pattern.length : end) - at));
      at = end === -1 ? pattern.length : end + 2;
    } else if (char === '[') {
      at += 1;
      addClass();
    } else if (char === '(') {
      const flagsOnly = next(GROUP)?.[0].endsWith(')') === true;
      if (!flagsOnly) {
        open.push(size);
        size = 0;
        add(3);
      }
    } else if (char === ')') {
      at += 1;
      const inner = size;
      size = open.pop() ?? 0;
      add(inner);
    } else if (char === '{') {
      const found = next(REPEAT);
      if (found === null) {
        at += 1;
        add(1);
      } else {
        const [, least = '0', isOpen, most = ''] = found;
        const from = Number(least);
        const until = isOpen === undefined ? from : most === '' ? from + 1 : Number(most);
        size -= atom;
        add(Math.max(1, atom * from + (atom + 1) * Math.max(0, until - from)));
      }
    } else if (char === '|') {
      at += 1;
      add(2);
    } else if (char === '*' || char === '+' || char === '?') {
      at += 1;
      size -= atom;
      add(atom + 2);
    } else {
      const [token = ''] = next(TOKEN) ?? [];
      if (token === '') at += 1;
      if (isCategory(token)) addCategory();
      add(1);
    }
  }
  return { instructions: open.reduce((all, before) => all + before, size), characters };

  function addCategory(): void {
    characters += isFolded ? FOLDED_CATEGORY_CHARACTERS : CATEGORY_CHARACTERS;
  }

  /** After `[`: the ranges until `]`. */
  function addClass(): void {
    if (pattern[at] === '^') at += 1;
    const start = at;
    let low: number | undefined;
    while (at < pattern.length && (pattern[at] !== ']' || at === start)) {
      characters += 1;
      const found = next(CLASS_NAME) ?? next(TOKEN);
      if (found === null) break;
      if (isCategory(found[0])) addCategory();
      if (found[0] !== '-' || low === undefined || at >= pattern.length || pattern[at] === ']') {
        low = codeOf(found);
        continue;
      }
      const high = codeOf(next(TOKEN) ?? found);
      const isWhole = low <= FIRST_WITH_CASE && high >= LAST_WITH_CASE;
      if (isFolded && !isWhole) characters += Math.max(0, high - low);
      low = undefined;
    }
    at += 1;
    add(1);
  }
}

function isCategory(token: string): boolean {
  return token.startsWith('\\p') || token.startsWith('\\P');
}

function codeOf([, hex, twoHex, octal, escaped, plain]: RegExpExecArray): number {
  if (hex !== undefined || twoHex !== undefined) return Number.parseInt(hex ?? twoHex ?? '', 16);
  if (octal !== undefined) return Number.parseInt(octal, 8);
  return (escaped ?? plain ?? '').codePointAt(0) ?? 0;
}
