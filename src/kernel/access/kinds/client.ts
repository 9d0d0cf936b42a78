import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { publicKeyFault } from './public-key.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';

const KEYS_MAX = 10;
const ORIGIN = /^https?:\/\/[a-z0-9.-]+(:\d{1,5})?$/;

const ClientSpec = Type.Object(
  {
    type: Type.Enum(['publishable', 'server', 'partner'], {
      description:
        'publishable: runs on listeners’ devices, and acts only for the subject of its signed token. server: runs on your machines, with access to every endpoint. partner: runs at another company.',
    }),
    keys: Type.Array(
      Type.Object({
        name: Type.String({ minLength: 1, maxLength: 63, description: 'The name of the key.' }),
        hash: Type.String({
          pattern: '^[0-9a-f]{64}$',
          description: 'SHA-256 of the key; backline client-key makes both.',
        }),
        notAfter: Type.Optional(Type.String({ format: 'date-time', description: 'When the key ends.' })),
      }),
      {
        minItems: 1,
        maxItems: KEYS_MAX,
        description:
          'Each of them is valid. To rotate, add the new one, and remove the old one when it is no longer in use.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      },
    ),
    endpoints: Type.Optional(
      Type.Array(Type.String({ pattern: '^/(ofrep/)?v1/', description: 'A path, like /v1/check.' }), {
        minItems: 1,
        maxItems: 100,
        description: 'The allowed endpoints; absent: all of its type.',
      }),
    ),
    origins: Type.Optional(
      Type.Array(Type.String({ maxLength: 200, description: 'Like https://app.example.com.' }), {
        maxItems: 50,
        description: 'Origins of pages that may use it in a browser.',
      }),
    ),
    rate: Type.Optional(
      Type.Object(
        {
          perSecond: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Requests a second, on each node.' }),
          burst: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 1_000_000,
              description: 'Largest burst; absent: the requests of one second.',
            }),
          ),
        },
        { description: 'The rate limit; absent: none.' },
      ),
    ),
    anonymous: Type.Optional(
      Type.Boolean({
        description:
          'Whether a publishable client may evaluate flags and send events without a subject token, before a login. Their subject is then “anonymous:” and an id that the sender chooses.',
      }),
    ),
    subjectTokens: Type.Optional(
      Type.Object(
        {
          issuer: Type.String({ minLength: 1, maxLength: 500, description: 'The required iss claim.' }),
          audience: Type.String({ minLength: 1, maxLength: 500, description: 'The required aud claim.' }),
          publicKeys: Type.Array(
            Type.Object({}, { 'x-kubernetes-preserve-unknown-fields': true, description: 'A public key as JWK.' }),
            {
              minItems: 1,
              maxItems: KEYS_MAX,
              description: 'Public keys that verify the tokens.',
            },
          ),
        },
        { description: 'The issuer of the subject tokens of a publishable client.' },
      ),
    ),
  },
  { description: 'The rights of an application on the decision plane.' },
);

export type ClientSpec = Static<typeof ClientSpec>;

/** An application that calls the decision plane. */
export const Client = defineKind({
  group: 'access.backline.dev',
  version: 'v1',
  kind: 'Client',
  plural: 'clients',
  scope: 'Namespaced',
  description: 'An application that calls the decision plane, with its keys and rights.',
  released: true,
  actsEverywhere: true,
  spec: ClientSpec,
  columns: [
    {
      name: 'Type',
      type: 'string',
      description: 'publishable, server or partner.',
      value: ({ spec }) => spec.type,
    },
    {
      name: 'Keys',
      type: 'integer',
      description: 'How many keys it has.',
      value: ({ spec }) => spec.keys.length,
    },
    {
      name: 'Rate',
      type: 'string',
      description: 'Requests a second on each node.',
      value: ({ spec }) => spec.rate?.perSecond ?? 'unlimited',
    },
  ],
  indexes: { key: ({ keys }) => keys.map(({ hash }) => hash) },
  validate: (spec, { name, find }) => [
    ...typeProblems(spec),
    ...(spec.subjectTokens?.publicKeys ?? []).flatMap((key, index): Problem[] => {
      const detail = publicKeyFault(key);
      const path = ['spec', 'subjectTokens', 'publicKeys', index];
      return detail === undefined ? [] : [{ path, reason: 'FieldValueInvalid', detail }];
    }),
    ...spec.keys.flatMap(({ hash }, index): Problem[] => {
      const other = find('access.backline.dev/Client', 'key', hash).find(({ metadata }) => metadata.name !== name);
      return other === undefined
        ? []
        : [
            {
              path: ['spec', 'keys', index, 'hash'],
              reason: 'FieldValueDuplicate',
              detail: `Client "${other.metadata.name}" has the same key; make one of its own with backline client-key`,
              about: {
                kind: 'access.backline.dev/Client',
                name: other.metadata.name,
                instead: 'another Client has the same key; make one of its own with backline client-key',
              },
            },
          ];
    }),
    ...(spec.origins ?? []).flatMap((origin, index): Problem[] =>
      ORIGIN.test(origin)
        ? []
        : [
            {
              path: ['spec', 'origins', index],
              reason: 'FieldValueInvalid',
              detail: `"${origin}" is not an origin; write it like https://app.example.com, in small letters and without a path`,
            },
          ],
    ),
  ],
  example: {
    name: 'web-player',
    spec: {
      type: 'server',
      keys: [{ name: 'first', hash: 'a'.repeat(64) }],
      rate: { perSecond: 1_000 },
    },
  },
});

function typeProblems({ type, subjectTokens, origins, anonymous, rate }: ClientSpec): Problem[] {
  const problems: Problem[] = [];
  if (type !== 'publishable' && anonymous === true) {
    problems.push({
      path: ['spec', 'anonymous'],
      reason: 'FieldValueForbidden',
      detail: `a ${type} client names the listener in each request`,
    });
  }
  if (type === 'publishable' && anonymous === true && rate === undefined) {
    problems.push({
      path: ['spec', 'rate'],
      reason: 'FieldValueRequired',
      detail: 'anyone can copy the key and send requests without a token: set a rate for all of them together',
    });
  }
  if (type === 'publishable' && subjectTokens === undefined && anonymous !== true) {
    problems.push({
      path: ['spec', 'subjectTokens'],
      reason: 'FieldValueRequired',
      detail: 'a publishable client acts only for the subject of a signed token: name its issuer',
    });
  }
  if (type !== 'publishable' && subjectTokens !== undefined) {
    problems.push({
      path: ['spec', 'subjectTokens'],
      reason: 'FieldValueForbidden',
      detail: `a ${type} client names the listener in each request`,
    });
  }
  if (type !== 'publishable' && (origins?.length ?? 0) > 0) {
    problems.push({
      path: ['spec', 'origins'],
      reason: 'FieldValueForbidden',
      detail: `the key of a ${type} client must not be in a page`,
    });
  }
  return problems;
}
