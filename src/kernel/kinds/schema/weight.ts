import { fieldPath, type Path, type Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { refuseTooDeep } from './depth.ts';

/** Limits of a document. Each item of a list, each member of an object, and the whole count as one value. */
export interface DocumentLimits {
  readonly valuesMax: number;
  /** Of one object: members of large objects take ten times as long as others. */
  readonly membersMax: number;
  /** Of one list. */
  readonly itemsMax: number;
}

export const MEMBERS_MAX = 5_000;
/** The length of the longest lists of our own kinds. */
export const ITEMS_MAX = 10_000;

/** Limits of an object, from any source. */
export interface ObjectLimits extends DocumentLimits {
  /** Of its texts and names together. */
  readonly charsMax: number;
}

/** Refuses a value that is nested too deep or holds too much, before other work on it. */
export function refuseTooHeavy(value: unknown, limits: ObjectLimits): void {
  refuseTooDeep(value);
  const weight = { values: 0, chars: 0 };
  const path: (string | number)[] = [];
  weigh(value);

  function weigh(part: unknown): void {
    weight.values += 1;
    if (weight.values > limits.valuesMax) throw tooManyValues(limits.valuesMax);
    if (typeof part === 'string') return addChars(part);
    if (typeof part !== 'object' || part === null) return;
    const names = Array.isArray(part) ? undefined : Object.keys(part);
    if (names === undefined) {
      const items = part as readonly unknown[];
      if (items.length > limits.itemsMax) throw tooManyItems(path, limits.itemsMax);
      return items.forEach((item, index) => below(index, item));
    }
    if (names.length > limits.membersMax) throw tooManyMembers(path, limits.membersMax);
    for (const name of names) {
      addChars(name);
      below(name, (part as Record<string, unknown>)[name]);
    }
  }

  function below(segment: string | number, part: unknown): void {
    path.push(segment);
    weigh(part);
    path.pop();
  }

  function addChars(text: string): void {
    weight.chars += text.length;
    if (weight.chars > limits.charsMax) throw tooManyCharacters(limits.charsMax);
  }
}

/** The values and characters of a value, as limits count them. */
export function weightOf(value: unknown): { readonly values: number; readonly chars: number } {
  if (typeof value === 'string') return { values: 1, chars: value.length };
  if (typeof value !== 'object' || value === null) return { values: 1, chars: 0 };
  const names = Array.isArray(value) ? [] : Object.keys(value);
  const parts = Object.values(value).map(weightOf);
  return {
    values: parts.reduce((sum, { values }) => sum + values, 1),
    chars: parts.reduce((sum, { chars }) => sum + chars, names.join('').length),
  };
}

export function tooManyValues(valuesMax: number): Refusal {
  return resourceRefusal(
    'too-many-values',
    `The object holds more than ${valuesMax} values; each item of a list and each member of an object is one.`,
    { remedy: 'Spread it over several objects, or keep what is only stored as one text.' },
  );
}

export function tooManyMembers(path: Path, membersMax: number): Refusal {
  return tooMany(path, membersMax, 'members');
}

export function tooManyItems(path: Path, itemsMax: number): Refusal {
  return tooMany(path, itemsMax, 'items');
}

function tooMany(path: Path, most: number, what: 'members' | 'items'): Refusal {
  return resourceRefusal(`too-many-${what}`, `${fieldPath(path) || 'The object'} has more than ${most} ${what}.`, {
    problems: [{ path: [...path], reason: 'FieldValueTooMany', detail: `Too many: at most ${most} ${what}` }],
    remedy: 'Spread them over several objects, or keep what is only stored as one text.',
  });
}

function tooManyCharacters(charsMax: number): Refusal {
  return resourceRefusal('object-too-large', `The object has more than ${charsMax} characters.`);
}
