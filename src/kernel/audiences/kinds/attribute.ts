import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { CheckContext, World } from '#kernel/kinds/kind.ts';
import {
  ATTRIBUTE_NAME_PATTERN,
  attributeObjectName,
  BUILT_IN_ATTRIBUTES,
  declarationOf,
  type AttributeDeclaration,
  type AttributeLookup,
} from '../language/attributes.ts';
import { plainValue, type Plain } from '../language/values.ts';
import { ATTRIBUTE, GROUP, VERSION } from '../language/identity.ts';

const TEXT_LENGTH_MAX = 200;
/** A closed list of values is one that people choose from. */
const VALUES_MAX = 1_000;
/** The one value of an index that finds all attributes, for near spellings. */
const EVERY = 'attribute';

const AttributeSpecSchema = Type.Object(
  {
    name: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        pattern: ATTRIBUTE_NAME_PATTERN,
        description:
          'The name in contexts and conditions, like appVersion, for the object app-version; absent: the name of the object. With dots it also finds nested values.',
      }),
    ),
    type: Type.Enum(['string', 'number', 'boolean', 'semver', 'timestamp', 'ip'], {
      description: 'The type of its values. A timestamp is RFC 3339 text or epoch milliseconds. Immutable.',
    }),
    multiValued: Type.Optional(
      Type.Boolean({ description: 'A context gives a set of values, like genres. Immutable.' }),
    ),
    loose: Type.Optional(
      Type.Boolean({
        description:
          'Of a string: contexts may also give numbers and true/false, which count as their text. Immutable.',
      }),
    ),
    sensitive: Type.Optional(
      Type.Boolean({ description: 'Its values are personal or secret: no answer and no message shows them.' }),
    ),
    values: Type.Optional(
      Type.Array(
        Type.Unknown({ 'x-kubernetes-preserve-unknown-fields': true, description: 'One value, of the type.' }),
        {
          minItems: 1,
          maxItems: VALUES_MAX,
          description: 'The allowed values: conditions may name no others.',
        },
      ),
    ),
    title: Type.Optional(
      Type.String({ minLength: 1, maxLength: TEXT_LENGTH_MAX, description: 'What it is, for people.' }),
    ),
    owner: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: TEXT_LENGTH_MAX,
        description: 'The team that is responsible for apps sending it.',
      }),
    ),
  },
  { description: 'A property of listeners.' },
);

export type AttributeSpec = Static<typeof AttributeSpecSchema>;

export const Attribute = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Attribute',
  plural: 'attributes',
  shortNames: ['attr'],
  categories: ['targeting'],
  scope: 'Namespaced',
  released: true,
  // Contexts of all apps are checked against its type, whatever namespace declares it.
  actsEverywhere: () => true,
  description: 'An attribute is a property of listeners that audiences use.',
  spec: AttributeSpecSchema,
  columns: [
    {
      name: 'Attribute',
      type: 'string',
      description: 'The name in contexts.',
      value: ({ spec, metadata }) => declarationOf(metadata.name, spec).name,
    },
    {
      name: 'Type',
      type: 'string',
      description: 'The type of its values.',
      value: ({ spec }) => spec.type,
    },
    {
      name: 'Multi-Valued',
      type: 'boolean',
      description: 'Whether it is a set of values.',
      value: ({ spec }) => spec.multiValued ?? false,
    },
    {
      name: 'Owner',
      type: 'string',
      description: 'The responsible team.',
      priority: 1,
      value: ({ spec }) => spec.owner,
    },
  ],
  indexes: { every: () => [EVERY] },
  validate: (spec, { name, before }) => [
    ...nameProblems(spec, name),
    ...looseProblems(spec),
    ...valueProblems(spec),
    ...(before === undefined ? [] : changeProblems(before, spec, name)),
  ],
  describe: (name, { before, after }) => {
    const called = declarationOf(name, after ?? before ?? { type: 'string' }).name;
    if (after === undefined) return [`Attribute ${called} is removed.`];
    if (before === undefined) {
      const right = `${after.multiValued === true ? 'set of ' : ''}${after.type}`;
      return [`New attribute: ${called} (${right}); flags that use it fail for contexts with another type.`];
    }
    const sentences: string[] = [];
    if (JSON.stringify(before.values) !== JSON.stringify(after.values)) {
      sentences.push(`The values that attribute ${called} may have change.`);
    }
    if (before.sensitive !== after.sensitive) {
      sentences.push(`Attribute ${called} is ${after.sensitive === true ? 'now' : 'no longer'} kept out of messages.`);
    }
    return sentences;
  },
  example: {
    name: 'app-version',
    spec: { name: 'appVersion', type: 'semver', title: 'Version of the app', owner: 'app-platform' },
  },
});

function nameProblems({ name }: AttributeSpec, objectName: string): readonly Problem[] {
  const called = name ?? objectName;
  const builtIn = BUILT_IN_ATTRIBUTES.find((one) => attributeObjectName(one.name) === attributeObjectName(called));
  if (builtIn !== undefined) {
    const detail = `${builtIn.name} is always there and cannot be declared`;
    return [{ path: ['spec', 'name'], reason: 'FieldValueForbidden', detail }];
  }
  const wanted = attributeObjectName(called);
  if (wanted === objectName) return [];
  const detail = `the object that declares the attribute "${called}" has the name "${wanted}", not "${objectName}": conditions refer to it by that`;
  return [{ path: ['metadata', 'name'], reason: 'FieldValueInvalid', detail }];
}

function looseProblems({ loose, type }: AttributeSpec): readonly Problem[] {
  if (loose === undefined || type === 'string') return [];
  const detail = `only texts can be loose, and this is a ${type}`;
  return [{ path: ['spec', 'loose'], reason: 'FieldValueForbidden', detail }];
}

function valueProblems({ type, values = [] }: AttributeSpec): readonly Problem[] {
  const seen = new Set<Plain>();
  return values.flatMap((value, index): Problem[] => {
    const path = ['spec', 'values', index];
    const plain = plainValue(type, value);
    if (plain === undefined) {
      return [{ path, reason: 'FieldValueTypeInvalid', detail: `${JSON.stringify(value)} is no ${type}` }];
    }
    if (seen.has(plain))
      return [{ path, reason: 'FieldValueDuplicate', detail: `${JSON.stringify(value)} is there twice` }];
    seen.add(plain);
    return [];
  });
}

/** Conditions and contexts everywhere rely on the type of an attribute. */
function changeProblems(before: AttributeSpec, after: AttributeSpec, objectName: string): readonly Problem[] {
  const [was, is] = [declarationOf(objectName, before), declarationOf(objectName, after)];
  return (['name', 'type', 'multiValued', 'loose'] as const).flatMap((field): Problem[] => {
    const [old = false, wanted = false] = [was[field], is[field]];
    if (old === wanted) return [];
    const detail = `${field} was ${String(old)} and cannot become ${String(wanted)}: conditions rely on it; declare another attribute`;
    return [{ path: ['spec', field], reason: 'FieldValueForbidden', detail }];
  });
}

/** The declared attributes at this moment, for checks of writes. Suggests those that the author may read. */
export function attributeLookup({
  find,
  mayRead = () => true,
}: Pick<CheckContext, 'find' | 'mayRead'>): AttributeLookup {
  return lookup(
    (objectName) => find(ATTRIBUTE, 'name', objectName)[0],
    () =>
      find(ATTRIBUTE, 'every', EVERY)
        .filter((object) => mayRead(ATTRIBUTE, object))
        .map((object) => declarationOf(object.metadata.name, Attribute.spec(object))),
  );
}

/** The attributes of a world, for checks before it goes live. */
export function liveAttributeLookup(world: World): AttributeLookup {
  return lookup(
    (objectName) => world.get(ATTRIBUTE, objectName),
    () => [...world.list(ATTRIBUTE)].map((object) => declarationOf(object.name, Attribute.spec(object))),
  );
}

function lookup(
  find: (objectName: string) => { readonly spec?: unknown } | undefined,
  all: () => readonly AttributeDeclaration[],
): AttributeLookup {
  return {
    get: (name) => {
      const builtIn = BUILT_IN_ATTRIBUTES.find((one) => one.name === name);
      if (builtIn !== undefined) return builtIn;
      const objectName = attributeObjectName(name);
      const object = find(objectName);
      const declaration = object === undefined ? undefined : declarationOf(objectName, Attribute.spec(object));
      return declaration?.name === name ? declaration : undefined;
    },
    names: () => [...BUILT_IN_ATTRIBUTES, ...all()].map(({ name }) => name),
  };
}
