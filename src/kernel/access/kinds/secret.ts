import { Type } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { immutableWhenAsked } from '#kernel/resources/builtin/immutable.ts';
import { defineKind } from '#kernel/resources/define-kind.ts';
import type { ResourceObject } from '#kernel/resources/kind.ts';
import { isObject } from '#kernel/resources/schema/own.ts';

/** As Kubernetes: all values of one Secret together, decoded. */
const SECRET_BYTES_MAX = 1024 * 1024;
const KEY = /^[-._a-zA-Z0-9]{1,253}$/;

const staysAsItIs = immutableWhenAsked(['data', 'immutable']);

export const Secret = defineKind({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  scope: 'Namespaced',
  description: 'Passwords, keys and tokens, for programs to read. Sealed in the database.',
  confidential: true,
  fields: {
    data: Type.Optional(
      Type.Record(Type.String(), Type.String({ format: 'byte' }), {
        nullable: true,
        description: 'Bytes by key, in base64.',
      }),
    ),
    stringData: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        nullable: true,
        description: 'Texts by key, to write only: they are kept in data.',
      }),
    ),
    type: Type.Optional(Type.String({ default: 'Opaque', description: 'What the keys mean. Cannot be changed.' })),
    immutable: Type.Optional(Type.Boolean({ description: 'When true, data can no longer change.' })),
  },
  prepare: withStringData,
  validateObject: (object, before) => [...secretProblems(object, before), ...staysAsItIs(object, before)],
  columns: [
    {
      name: 'Type',
      type: 'string',
      description: 'What the keys mean.',
      value: ({ type }) => type as string | undefined,
    },
    {
      name: 'Data',
      type: 'integer',
      description: 'How many keys it has.',
      value: ({ data }) => Object.keys(data ?? {}).length,
    },
  ],
  example: { name: 'store-keys', fields: { stringData: { apple: 'example' } } },
});

/** Moves `stringData` into `data`; leaves what has the wrong shape to the schema. */
function withStringData(object: ResourceObject): ResourceObject {
  const { stringData, ...kept } = object;
  if (stringData === undefined || stringData === null) return kept;
  const data = kept['data'] ?? {};
  if (!isObject(stringData) || !isObject(data)) return object;
  const texts = Object.entries(stringData);
  if (!texts.every((entry): entry is [string, string] => typeof entry[1] === 'string')) return object;
  const encoded = texts.map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return { ...kept, data: { ...data, ...Object.fromEntries(encoded) } };
}

function secretProblems(object: ResourceObject, before: ResourceObject | undefined): Problem[] {
  const data = (object['data'] ?? {}) as Readonly<Record<string, string>>;
  const problems: Problem[] = Object.keys(data)
    .filter((key) => !KEY.test(key))
    .map((key) => ({
      path: ['data', key],
      reason: 'FieldValueInvalid',
      detail: 'a key consists of letters, digits, "-", "_" and "."',
    }));
  const bytes = Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0);
  if (bytes > SECRET_BYTES_MAX) {
    problems.push({
      path: ['data'],
      reason: 'FieldValueTooLong',
      detail: `Too long: at most ${SECRET_BYTES_MAX} bytes`,
    });
  }
  if (before !== undefined && before['type'] !== object['type']) {
    problems.push({ path: ['type'], reason: 'FieldValueInvalid', detail: 'Invalid value: field is immutable' });
  }
  return problems;
}
