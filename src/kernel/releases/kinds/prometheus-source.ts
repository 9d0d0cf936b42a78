import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { durationProblems, durationText } from '#kernel/kinds/schema/duration.ts';
import { GROUP, VERSION } from './identity.ts';

const PEM = /^\s*-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*$/;

const secretKey = (description: string) =>
  Type.Object(
    {
      namespace: Type.String({ minLength: 1, description: 'Its namespace.' }),
      name: Type.String({ minLength: 1, description: 'Its name.' }),
      key: Type.String({ minLength: 1, description: 'Key in the Secret.' }),
    },
    { description },
  );

const PrometheusSourceSchema = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://',
      maxLength: 2_000,
      description: 'Base address, without /api/v1/query.',
    }),
    timeout: durationText('Timeout of a query.', { default: 'PT5S' }),
    caCertificate: Type.Optional(Type.String({ maxLength: 100_000, description: 'CA certificate, in PEM.' })),
    serverName: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 253,
        description: 'Server name in its certificate, if not that of the url.',
      }),
    ),
    bearerToken: Type.Optional(secretKey('The Secret with the bearer token.')),
    basicAuth: Type.Optional(
      Type.Object(
        {
          username: Type.String({ minLength: 1, maxLength: 253, description: 'User name.' }),
          password: secretKey('The Secret with the password.'),
        },
        { description: 'Basic authentication.' },
      ),
    ),
  },
  { description: 'A Prometheus, or a server with its query API.' },
);

export type PrometheusSourceSpec = Static<typeof PrometheusSourceSchema>;

const ReachableConditionSchema = Type.Object({
  type: Type.String({ description: '`Reachable`: it answered the last query.' }),
  status: Type.Enum(['True', 'False']),
  reason: Type.String({
    description: '`Answered`, `NoAnswer`, or `HostRefused`: the configuration of the server does not allow its host.',
  }),
  message: Type.String({ description: 'A sentence for people.' }),
  lastTransitionTime: Type.String({ format: 'date-time' }),
});

export type ReachableCondition = Static<typeof ReachableConditionSchema>;

/** A source of numbers for guardrails. Its author decides where the named Secret is sent. */
export const PrometheusSource = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'PrometheusSource',
  plural: 'prometheussources',
  categories: ['releasing'],
  scope: 'Cluster',
  writtenBy: 'administrators',
  description: 'A Prometheus whose numbers guardrails can use.',
  spec: PrometheusSourceSchema,
  status: Type.Object(
    {
      conditions: Type.Optional(
        Type.Array(ReachableConditionSchema, {
          description: 'Present conditions; none before the first query.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['type'],
        }),
      ),
    },
    { description: 'Whether it is reachable.' },
  ),
  columns: [
    { name: 'Url', type: 'string', description: 'Base address.', value: ({ spec }) => spec.url },
    {
      name: 'Auth',
      type: 'string',
      description: 'Kind of authentication.',
      value: ({ spec }) => {
        const { bearerToken, basicAuth } = spec;
        return bearerToken !== undefined ? 'token' : basicAuth !== undefined ? 'password' : 'none';
      },
    },
    {
      name: 'Reachable',
      type: 'string',
      description: 'Whether it answered the last query.',
      value: ({ status }) => {
        const [reachable] = status?.conditions ?? [];
        return reachable?.status === 'False' ? `False: ${reachable.reason}` : reachable?.status;
      },
    },
    {
      name: 'Age',
      type: 'date',
      description: 'Age.',
      value: ({ metadata }) => metadata.creationTimestamp,
    },
  ],
  validate: ({ url, timeout, caCertificate, bearerToken, basicAuth }) => {
    const say = (field: string, detail: string): Problem => ({
      path: ['spec', field],
      reason: 'FieldValueInvalid',
      detail,
    });
    const problems: Problem[] = [...durationProblems(['spec', 'timeout'], timeout, 'PT1S', 'PT10S')];
    const at = URL.parse(url);
    if (at === null) problems.push(say('url', 'Invalid address; write it like https://prometheus.example:9090.'));
    else if (at.username !== '' || at.password !== '')
      problems.push(say('url', 'Put the user and password into basicAuth.'));
    else if (at.search !== '' || at.hash !== '') problems.push(say('url', 'The address has no query and no fragment.'));
    if (caCertificate !== undefined && /PRIVATE KEY/i.test(caCertificate))
      problems.push(
        say('caCertificate', 'There is a private key in it: give the certificate alone, and replace the key.'),
      );
    else if (caCertificate !== undefined && !PEM.test(caCertificate))
      problems.push(say('caCertificate', 'This is no certificate in PEM.'));
    if (bearerToken !== undefined && basicAuth !== undefined)
      problems.push(say('basicAuth', 'Use a token or a password, not both.'));
    return problems;
  },
  example: {
    name: 'production',
    spec: {
      url: 'https://prometheus.example:9090',
      timeout: 'PT5S',
      bearerToken: { namespace: 'default', name: 'prometheus', key: 'token' },
    },
  },
});
