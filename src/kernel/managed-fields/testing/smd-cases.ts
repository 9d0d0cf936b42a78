import { parse } from 'yaml';
import { isRecord } from '#kernel/base/is-record.ts';
import {
  parseFieldsV1,
  pathText,
  fieldsOf,
  writeFieldsV1,
  differenceBelow,
  setOfPaths,
  EMPTY,
  type FieldSet,
} from '../field-set.ts';
import { ANY, LEAF, type FieldType } from '../field-type.ts';
import { applyObject, updateManagers, type Managers, type Versions } from '../transitions.ts';

/** Transitions that were recorded from the tests of Kubernetes' structured-merge-diff. */
export interface RecordedCases {
  /** YAML. */
  readonly schemas: readonly string[];
  readonly cases: readonly RecordedCase[];
}

export interface RecordedCase {
  /** The test that it was recorded from. */
  readonly test: string;
  readonly op: 'apply' | 'update';
  readonly force: boolean;
  /** Place of its schema. */
  readonly schema: number;
  /** YAML: the name of the type of the object. */
  readonly typeRef: string;
  readonly version: string;
  readonly manager: string;
  readonly object: unknown;
  readonly liveBefore: unknown;
  readonly managersBefore: Readonly<Record<string, RecordedManager>>;
  readonly live: unknown;
  readonly managers: Readonly<Record<string, RecordedManager>>;
  readonly conflicts?: readonly string[];
  readonly error?: string;
}

interface RecordedManager {
  readonly apiVersion: string;
  readonly applied: boolean;
  readonly fields: unknown;
}

/** The state after a transition. */
export interface Transition {
  readonly live: unknown;
  readonly managers: Readonly<Record<string, RecordedManager>>;
  readonly conflicts?: readonly string[];
  readonly error?: string;
}

/**
 * Carries out the operation of a case. The recorder's converters, the fields that it ignores and its unions are no part of
 * the data; they are rebuilt here by the name of the test. `ordinal` is the place of the case among those of its test.
 */
export function runCase({ schemas }: RecordedCases, recorded: RecordedCase, ordinal: number): Transition {
  const { op, version, manager, force, managersBefore } = recorded;
  const types = readTypes(schemas[recorded.schema] ?? '');
  const { typeName, convert, isServed } = converterOf(recorded);
  const versions: Versions = {
    typeOf: (asked) => (isServed(asked) ? types(typeName(asked)) : undefined),
    convert,
  };
  const unchanged = { live: recorded.liveBefore, managers: managersBefore };
  const before = recorded.liveBefore ?? {};
  const live = convert(before, '', version);
  let object = recorded.object;
  try {
    if (recorded.test.includes('TestUnion')) object = normalizeUnions(object);
  } catch (error) {
    return { ...unchanged, error: (error as Error).message };
  }
  const write = { live, object, version, manager, managers: readManagers(managersBefore) };
  const ignored = ignoredFields(recorded, ordinal);
  if (op === 'update') {
    return { live: object, managers: writeManagers(updateManagers(write, versions).managers, manager, ignored) };
  }
  const result = applyObject(write, force, versions);
  if ('object' in result) return { live: result.object, managers: writeManagers(result.managers, manager, ignored) };
  const conflicts = result.conflicts.flatMap(({ manager: other, fields }) =>
    [...fieldsOf(fields)].map((path) => [other, pathText(path)] as const),
  );
  return {
    ...unchanged,
    conflicts: conflicts.map(([other, path]) => `${other} ${path}`),
    error: conflictText(conflicts),
  };
}

function conflictText(conflicts: readonly (readonly [string, string])[]): string {
  const [[manager, path] = ['', '']] = conflicts;
  if (conflicts.length === 1) return `conflict with "${manager}": ${path}`;
  const managers = [...new Set(conflicts.map(([other]) => other))].toSorted();
  return managers
    .flatMap((other) => [
      `conflicts with "${other}":`,
      ...conflicts.filter(([owner]) => owner === other).map(([, field]) => `- ${field}`),
    ])
    .join('\n');
}

function readManagers(recorded: RecordedCase['managers']): Managers {
  return new Map(
    Object.entries(recorded).map(([id, { apiVersion, applied, fields }]) => [
      id,
      { version: apiVersion, isApplier: applied, fields: parseFieldsV1(fields) },
    ]),
  );
}

function writeManagers(managers: Managers, manager: string, ignored: FieldSet): RecordedCase['managers'] {
  return Object.fromEntries(
    [...managers].map(([id, { version, isApplier, fields }]) => {
      const kept = id === manager ? differenceBelow(fields, ignored) : fields;
      return [id, { apiVersion: version, applied: isApplier, fields: writeFieldsV1(kept) }];
    }),
  );
}

/** The fields that the writer of a case does not own although it writes them. */
function ignoredFields({ test, version }: RecordedCase, ordinal: number): FieldSet {
  if (test.includes('.TestIgnoredFields.')) return setOfPaths([['f:string'], ['f:obj']]);
  if (!test.includes('.TestIgnoredFieldsUsesVersions.')) return EMPTY;
  const names: Readonly<Record<string, string>> =
    ordinal < 4 ? { v2: 'c' } : { v1: 'c', v2: 'cc', v3: 'ccc', v4: 'cccc' };
  const name = names[version];
  return name === undefined ? EMPTY : setOfPaths([['f:mapOfMapsRecursive', `f:${name}`]]);
}

interface Converter {
  readonly typeName: (version: string) => string;
  readonly convert: (object: unknown, from: string, to: string) => unknown;
  readonly isServed: (version: string) => boolean;
}

function converterOf({ test, typeRef }: RecordedCase): Converter {
  const { namedType } = parse(typeRef) as { namedType: string };
  const identity: Converter = { typeName: () => namedType, convert: (object) => object, isServed: () => true };
  const renames = { ...identity, typeName: (version: string) => version };
  if (/TestMultipleAppliersRealConversion|TestIgnoredFieldsUsesVersions/.test(test)) {
    return { ...identity, convert: (object, _from, to) => repeatKeys(object, Number(to.slice(1))) };
  }
  if (/FieldUnsetting|FieldRename/.test(test)) {
    return { ...renames, convert: (object, _from, to) => mapKeys(object, (key) => key.replace(/_v\d+$/, `_${to}`)) };
  }
  if (test.includes('ReliantFields')) return { ...renames, convert: (object, _from, to) => convertReliant(object, to) };
  if (/TestObsoleteVersions:68|TestApplyObsoleteVersion:122/.test(test)) {
    return { ...identity, isServed: (version) => version !== 'v1' };
  }
  return identity;
}

/** In version N the keys of maps below the first level have their letter N times. */
function repeatKeys(object: unknown, times: number): unknown {
  if (!isRecord(object)) return object;
  const entries = Object.entries(object).map(([name, value]) => [
    name,
    mapKeys(value, (key) => key.slice(0, 1).repeat(times)),
  ]);
  return Object.fromEntries(entries);
}

function mapKeys(value: unknown, rename: (key: string) => string): unknown {
  if (!isRecord(value)) return value;
  // Of two keys with one new name the last by its old name stays.
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, below]) => [rename(key), mapKeys(below, rename)]));
}

/** A field of v2 is required there, and follows from another one of v1. */
function convertReliant(object: unknown, to: string): unknown {
  const [from, into] =
    to === 'v1' ? ['required_field_bar', 'field_foo_rely_on_bar'] : ['field_foo_rely_on_bar', 'required_field_bar'];
  return mapKeys(object, (key) => (key === from ? into : key));
}

interface SchemaType {
  readonly namedType?: string;
  readonly scalar?: string;
  readonly list?: {
    readonly elementType: SchemaType;
    readonly elementRelationship?: string;
    readonly keys?: readonly string[];
  };
  readonly map?: {
    readonly fields?: readonly { readonly name: string; readonly type: SchemaType; readonly default?: unknown }[];
    readonly elementType?: SchemaType;
    readonly elementRelationship?: string;
  };
  readonly elementRelationship?: string;
}

/** The types of a schema by name. */
function readTypes(schema: string): (name: string) => FieldType {
  const { types } = parse(schema) as { types: readonly (SchemaType & { readonly name: string })[] };
  const known = new Map<string, FieldType>();
  return typeNamed;

  function typeNamed(name: string): FieldType {
    if (name === '__untyped_deduced_') return ANY;
    if (name === '__untyped_atomic_') return LEAF;
    const found = types.find((type) => type.name === name);
    if (found === undefined) throw new Error(`the schema has no type ${name}`);
    return readType(found, name);
  }

  function readType({ namedType, scalar, list, map, elementRelationship }: SchemaType, name?: string): FieldType {
    if (namedType !== undefined) {
      return elementRelationship === undefined
        ? (known.get(namedType) ?? typeNamed(namedType))
        : readOverridden(namedType);
    }
    if (scalar !== undefined) return LEAF;
    const relationship = elementRelationship ?? list?.elementRelationship ?? map?.elementRelationship;
    if (relationship === 'atomic') return LEAF;
    if (list !== undefined) {
      const items = readType(list.elementType);
      const fields = list.elementType.map?.fields ?? [];
      const keys = (list.keys ?? []).map((key) => ({
        name: key,
        initial: fields.find((field) => field.name === key)?.default,
      }));
      return { form: 'list', keys, items, nullable: true };
    }
    const fields = new Map<string, FieldType>();
    const type: {
      -readonly [Key in keyof Extract<FieldType, { form: 'map' }>]: Extract<FieldType, { form: 'map' }>[Key];
    } = {
      form: 'map',
      fields,
      nullable: true,
    };
    // A type may have itself below it.
    if (name !== undefined) known.set(name, type);
    for (const field of map?.fields ?? []) fields.set(field.name, readType(field.type));
    if (map?.elementType !== undefined) type.others = readType(map.elementType);
    return type;

    function readOverridden(overridden: string): FieldType {
      const found = types.find((other) => other.name === overridden);
      return readType({ ...found, elementRelationship: elementRelationship ?? '' });
    }
  }
}

const UNIONS = [
  { discriminator: 'type', fields: { numeric: 'Numeric', string: 'String' } },
  { discriminator: undefined, fields: { fieldA: 'FieldA', fieldB: 'FieldB' } },
] as const;

/** Unions, which Kubernetes never came to have: one field of each, and its name in a discriminator. */
function normalizeUnions(object: unknown): unknown {
  const normalized = { ...(object as Record<string, unknown>) };
  for (const { discriminator, fields } of UNIONS) {
    const set = Object.keys(fields).filter((field) => (normalized[field] ?? null) !== null);
    if (set.length > 1) throw new Error(`more than one field of union applied: ${set.toSorted().join(', ')}`);
    for (const field of Object.keys(fields)) if (normalized[field] === null) delete normalized[field];
    const [field] = set;
    if (field === undefined || discriminator === undefined) continue;
    const value: string = Object.entries(fields).find(([name]) => name === field)?.[1] ?? '';
    const given = normalized[discriminator] ?? value;
    if (given !== value)
      throw new Error(`applied discriminator (${String(given)}) doesn't match applied field (${field})`);
    normalized[discriminator] = value;
  }
  return normalized;
}
