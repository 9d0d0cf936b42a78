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
        'publishable: runs on listeners’ devices, and acts only for the subject of its signed token. server: runs on machines of yours, and may ask everything. partner: runs elsewhere.',
    }),
    keys: Type.Array(
      Type.Object({
        name: Type.String({ minLength: 1, maxLength: 63, description: 'Tells the keys apart.' }),
        hash: Type.String({
          pattern: '^[0-9a-f]{64}$',
          description: 'SHA-256 of the key; backline client-key makes both.',
        }),
        notAfter: Type.Optional(Type.String({ format: 'date-time', description: 'When it ends.' })),
      }),
      {
        minItems: 1,
        maxItems: KEYS_MAX,
        description: 'Any of them is good: to rotate, add the new one, and take the old one away when nobody uses it.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      },
    ),
    endpoints: Type.Optional(
      Type.Array(Type.String({ pattern: '^/(ofrep/)?v1/', description: 'A path, like /v1/check.' }), {
        minItems: 1,
        maxItems: 100,
        description: 'What it may ask; absent: everything that its type may.',
      }),
    ),
    origins: Type.Optional(
      Type.Array(Type.String({ maxLength: 200, description: 'Like https://app.example.com.' }), {
        maxItems: 50,
        description: 'Pages that may use it in a browser.',
      }),
    ),
    rate: Type.Optional(
      Type.Object(
        {
          perSecond: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Questions a second, on each node.' }),
          burst: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 1_000_000,
              description: 'At once; absent: as many as a second allows.',
            }),
          ),
        },
        { description: 'How much it may ask; absent: no limit of its own.' },
      ),
    ),
    anonymous: Type.Optional(
      Type.Boolean({
        description:
          'Whether a publishable client may ask for flags and send events without a subject token, before a login: their subject is then “anonymous:” and the id that the sender chose.',
      }),
    ),
    subjectTokens: Type.Optional(
      Type.Object(
        {
          issuer: Type.String({ minLength: 1, maxLength: 500, description: 'The iss of good tokens.' }),
          audience: Type.String({ minLength: 1, maxLength: 500, description: 'The aud of good tokens.' }),
          publicKeys: Type.Array(
            Type.Object({}, { 'x-kubernetes-preserve-unknown-fields': true, description: 'A public key as JWK.' }),
            {
              minItems: 1,
              maxItems: KEYS_MAX,
              description: 'Keys that good tokens are signed with.',
            },
          ),
        },
        { description: 'Who says on behalf of whom a publishable client asks.' },
      ),
    ),
  },
  { description: 'What an application may ask the decision plane.' },
);

export type ClientSpec = Static<typeof ClientSpec>;

/** An application that asks the decision plane. */
export const Client = defineKind({
  group: 'access.backline.dev',
  version: 'v1',
  kind: 'Client',
  plural: 'clients',
  scope: 'Namespaced',
  description: 'An application that asks the decision plane, and what it may ask.',
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
      description: 'Questions a second on each node.',
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
      detail: `a ${type} client names the listener itself`,
    });
  }
  if (type === 'publishable' && anonymous === true && rate === undefined) {
    problems.push({
      path: ['spec', 'rate'],
      reason: 'FieldValueRequired',
      detail: 'anybody can copy the key and ask without a token: say how much all of them may ask and send',
    });
  }
  if (type === 'publishable' && subjectTokens === undefined && anonymous !== true) {
    problems.push({
      path: ['spec', 'subjectTokens'],
      reason: 'FieldValueRequired',
      detail: 'a publishable client acts only for the subject of a signed token: say who signs it',
    });
  }
  if (type !== 'publishable' && subjectTokens !== undefined) {
    problems.push({
      path: ['spec', 'subjectTokens'],
      reason: 'FieldValueForbidden',
      detail: `a ${type} client names the listener itself`,
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
