/** What a value is. The types say which tests there are, see `check-rule.ts`. */
export type AttributeType = 'string' | 'number' | 'boolean' | 'semver' | 'timestamp' | 'ip';

/** An attribute as conditions and contexts know it. */
export interface AttributeDeclaration {
  readonly name: string;
  readonly type: AttributeType;
  /** Its value is a set of such values. */
  readonly multiValued: boolean;
  /** Numbers and true/false count as their text. */
  readonly loose?: boolean;
  /** Its values are shown to nobody. */
  readonly sensitive?: boolean;
  /** The only values that there are, where they are known. */
  readonly values?: readonly (string | number | boolean)[];
}

/** The attributes that there are, by name. */
export interface AttributeLookup {
  readonly get: (name: string) => AttributeDeclaration | undefined;
  /** All of them, for near spellings. */
  readonly names: () => readonly string[];
}

/** The attribute that every context has: the id of who is asked about. */
export const TARGETING_KEY = 'targetingKey';
/** The IANA zone of the listener, which time windows may go by. */
export const TIME_ZONE = 'timeZone';

/** Attributes that are always there and cannot be declared. */
export const BUILT_IN_ATTRIBUTES: readonly AttributeDeclaration[] = [
  { name: TARGETING_KEY, type: 'string', multiValued: false },
  { name: TIME_ZONE, type: 'string', multiValued: false },
];

/** What the name of an attribute looks like. */
export const ATTRIBUTE_NAME_PATTERN = '^[A-Za-z][A-Za-z0-9]*([_.-][A-Za-z0-9]+)*$';

/**
 * The name of the Attribute object that declares an attribute: `appVersion` → `app-version`. As it follows from the
 * attribute's name, a condition refers to the object, and nobody takes an attribute away that is in use.
 */
export function attributeObjectName(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase();
}

/** An attribute as the object of this name declares it. */
export function declarationOf(
  objectName: string,
  spec: Partial<Pick<AttributeDeclaration, 'name' | 'multiValued' | 'loose' | 'sensitive'>> & {
    readonly type: AttributeType;
    readonly values?: readonly unknown[];
  },
): AttributeDeclaration {
  const { name = objectName, type, multiValued = false, loose = false, sensitive = false, values } = spec;
  return {
    name,
    type,
    multiValued,
    ...(loose ? { loose } : {}),
    ...(sensitive ? { sensitive } : {}),
    ...(values === undefined ? {} : { values: values as (string | number | boolean)[] }),
  };
}

/** All attributes of a world. */
export interface AttributeTable extends AttributeLookup {
  readonly all: readonly AttributeDeclaration[];
}

/** These attributes, and those that are always there. */
export function attributeTable(declared: readonly AttributeDeclaration[]): AttributeTable {
  const all = [...BUILT_IN_ATTRIBUTES, ...declared];
  const byName = new Map(all.map((attribute) => [attribute.name, attribute]));
  return { all, get: (name) => byName.get(name), names: () => [...byName.keys()] };
}
