import { InternTable } from '#kernel/base/intern.ts';
/** The type of a value. It decides the allowed tests, see `check-rule.ts`. */
export type AttributeType = 'string' | 'number' | 'boolean' | 'semver' | 'timestamp' | 'ip';

/** An attribute as conditions and contexts see it. */
export interface AttributeDeclaration {
  readonly name: string;
  readonly type: AttributeType;
  /** Its value is a set of such values. */
  readonly multiValued: boolean;
  /** Numbers and true/false count as their text. */
  readonly loose?: boolean;
  /** Its values are never shown. */
  readonly sensitive?: boolean;
  /** The allowed values, where they are declared. */
  readonly values?: readonly (string | number | boolean)[];
}

/** The attributes by name. */
export interface AttributeLookup {
  readonly get: (name: string) => AttributeDeclaration | undefined;
  /** All of them, for near spellings. */
  readonly names: () => readonly string[];
}

/** The attribute that every context has: the id of the unit. */
export const TARGETING_KEY = 'targetingKey';
/** The IANA zone of the listener, for time windows. */
export const TIME_ZONE = 'timeZone';

/** Attributes that always exist and cannot be declared. */
export const BUILT_IN_ATTRIBUTES: readonly AttributeDeclaration[] = [
  { name: TARGETING_KEY, type: 'string', multiValued: false },
  { name: TIME_ZONE, type: 'string', multiValued: false },
];

/** Pattern of attribute names. */
export const ATTRIBUTE_NAME_PATTERN = '^[A-Za-z][A-Za-z0-9]*([_.-][A-Za-z0-9]+)*$';

/**
 * The name of the Attribute object that declares an attribute: `appVersion` → `app-version`. It follows from the
 * attribute's name, so that a condition refers to the object, and an attribute in use cannot be removed.
 */
export function attributeObjectName(name: string): string {
  return objectNames.get(name);
}

/** A start asks for the same few millions of times. */
const objectNames = new InternTable((name) =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase(),
);

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

/** These attributes and the built-in ones. */
export function attributeTable(declared: readonly AttributeDeclaration[]): AttributeTable {
  const all = [...BUILT_IN_ATTRIBUTES, ...declared];
  const byName = new Map(all.map((attribute) => [attribute.name, attribute]));
  return { all, get: (name) => byName.get(name), names: () => [...byName.keys()] };
}
