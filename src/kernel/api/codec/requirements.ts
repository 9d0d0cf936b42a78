/**
 * The one meaning of selectors: what list and watch filter by, what access rules are held against, what aggregation and
 * release policies choose by.
 */
export type Requirement =
  | { readonly key: string; readonly operator: 'In' | 'NotIn'; readonly values: ReadonlySet<string> }
  | { readonly key: string; readonly operator: 'Exists' | 'DoesNotExist' }
  | { readonly key: string; readonly operator: 'Gt' | 'Lt'; readonly bound: number };

/** The value under a key; undefined where there is none. */
export type ValueOf = (key: string) => string | undefined;

/** Whether all hold. As in Kubernetes, `NotIn` also holds for what lacks the key. */
export function holdAll(requirements: readonly Requirement[], valueOf: ValueOf): boolean {
  return requirements.every((requirement) => holds(requirement, valueOf(requirement.key)));
}

function holds(requirement: Requirement, value: string | undefined): boolean {
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && requirement.values.has(value);
    case 'NotIn':
      return value === undefined || !requirement.values.has(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const number = integerOf(value);
      if (number === undefined) return false;
      return requirement.operator === 'Gt' ? number > requirement.bound : number < requirement.bound;
    }
    default:
      return requirement satisfies never;
  }
}

/**
 * Whether everything that `given` selects is selected by `wanted` too. May say no where it takes two requirements of
 * `given` with bounds to see it; never says yes wrongly.
 */
export function implies(given: readonly Requirement[], wanted: readonly Requirement[]): boolean {
  return wanted.every((one) => {
    const ofKey = given.filter(({ key }) => key === one.key);
    const values = possibleValues(ofKey);
    if (values !== undefined) return values.every((value) => holds(one, value));
    return ofKey.some((known) => impliesOne(known, one));
  });
}

/** The values that a key can have, where an `In` says so; otherwise undefined. */
function possibleValues(ofKey: readonly Requirement[]): readonly string[] | undefined {
  const named = ofKey.find(({ operator }) => operator === 'In');
  if (named === undefined || !('values' in named)) return undefined;
  return [...named.values].filter((value) => ofKey.every((requirement) => holds(requirement, value)));
}

function impliesOne(known: Requirement, wanted: Requirement): boolean {
  switch (wanted.operator) {
    case 'In':
      return false;
    case 'NotIn':
      if (known.operator === 'DoesNotExist') return true;
      if (known.operator === 'NotIn') return wanted.values.isSubsetOf(known.values);
      return isBound(known) && [...wanted.values].every((value) => !holds(known, value));
    case 'Exists':
      return known.operator === 'Exists' || isBound(known);
    case 'DoesNotExist':
      return known.operator === 'DoesNotExist';
    case 'Gt':
      return known.operator === 'Gt' && known.bound >= wanted.bound;
    case 'Lt':
      return known.operator === 'Lt' && known.bound <= wanted.bound;
    default:
      return wanted satisfies never;
  }
}

function isBound({ operator }: Requirement): boolean {
  return operator === 'Gt' || operator === 'Lt';
}

function integerOf(value: string | undefined): number | undefined {
  return value !== undefined && /^-?\d{1,15}$/.test(value) ? Number(value) : undefined;
}

/** A selector as objects of Kubernetes have it. */
export interface ObjectSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    readonly values?: readonly string[];
  }[];
}

export function requirementsOf({ matchLabels = {}, matchExpressions = [] }: ObjectSelector): readonly Requirement[] {
  return [
    ...Object.entries(matchLabels).map(([key, value]) => equals(key, value)),
    ...matchExpressions.map(({ key, operator, values = [] }): Requirement =>
      operator === 'In' || operator === 'NotIn' ? { key, operator, values: new Set(values) } : { key, operator },
    ),
  ];
}

export function equals(key: string, value: string): Requirement {
  return { key, operator: 'In', values: new Set([value]) };
}
