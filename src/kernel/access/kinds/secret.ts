import { Type } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { immutableWhenAsked } from '#kernel/kinds/builtin/immutable.ts';
import { keyProblems, sizeProblems } from '#kernel/kinds/builtin/keyed-data.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { isObject } from '#kernel/kinds/schema/own.ts';

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
        description: 'Texts by key, write-only: they are stored in data.',
      }),
    ),
    type: Type.Optional(Type.String({ default: 'Opaque', description: 'The type of the content. Cannot be changed.' })),
    immutable: Type.Optional(Type.Boolean({ description: 'When true, data can no longer change.' })),
  },
  prepare: withStringData,
  selectableFields: { type: ['type'] },
  validateObject: (object, before) => [...secretProblems(object, before), ...staysAsItIs(object, before)],
  columns: [
    {
      name: 'Type',
      type: 'string',
      description: 'The type of the content.',
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

/** Moves `stringData` into `data`; the schema refuses wrong shapes. */
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
  const bytes = Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0);
  const problems = [...keyProblems('data', data), ...sizeProblems(['data'], bytes), ...typeProblems(object, data)];
  if (before !== undefined && before['type'] !== object['type']) {
    problems.push({ path: ['type'], reason: 'FieldValueInvalid', detail: 'Invalid value: field is immutable' });
  }
  return problems;
}

const SERVICE_ACCOUNT_NAME = 'kubernetes.io/service-account.name';

/** Required content of a Secret of a type that Kubernetes defines. */
function typeProblems({ type, metadata }: ResourceObject, data: Readonly<Record<string, string>>): Problem[] {
  switch (type) {
    case 'kubernetes.io/tls':
      return missing(data, 'tls.crt', 'tls.key');
    case 'kubernetes.io/dockerconfigjson':
      return jsonProblems(data, '.dockerconfigjson');
    case 'kubernetes.io/dockercfg':
      return jsonProblems(data, '.dockercfg');
    case 'kubernetes.io/basic-auth':
      return 'username' in data || 'password' in data ? [] : missing(data, 'username', 'password');
    case 'kubernetes.io/ssh-auth':
      return missing(data, 'ssh-privatekey');
    case 'kubernetes.io/service-account-token':
      return (metadata.annotations?.[SERVICE_ACCOUNT_NAME] ?? '') === ''
        ? [{ path: ['metadata', 'annotations', SERVICE_ACCOUNT_NAME], ...REQUIRED }]
        : [];
    default:
      return [];
  }
}

const REQUIRED = { reason: 'FieldValueRequired', detail: 'Required value' } as const;

function missing(data: Readonly<Record<string, string>>, ...keys: readonly string[]): Problem[] {
  return keys.filter((key) => !(key in data)).map((key) => ({ path: ['data', key], ...REQUIRED }));
}

function jsonProblems(data: Readonly<Record<string, string>>, key: string): Problem[] {
  const lacking = missing(data, key);
  if (lacking.length > 0) return lacking;
  try {
    JSON.parse(Buffer.from(data[key] ?? '', 'base64').toString());
    return [];
  } catch {
    return [{ path: ['data', key], reason: 'FieldValueInvalid', detail: 'Invalid value: it is not JSON' }];
  }
}
