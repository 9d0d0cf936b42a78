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
      key: Type.String({ minLength: 1, description: 'Which of its keys.' }),
    },
    { description },
  );

const PrometheusSourceSchema = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://',
      maxLength: 2_000,
      description: 'Where it is, up to what comes before /api/v1/query.',
    }),
    timeout: durationText('How long a query may take.', { default: 'PT5S' }),
    caCertificate: Type.Optional(
      Type.String({ maxLength: 100_000, description: 'The authority that signed its certificate, in PEM.' }),
    ),
    serverName: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 253,
        description: 'The name in its certificate, if not that of the url.',
      }),
    ),
    bearerToken: Type.Optional(secretKey('The Secret that holds the token to send along.')),
    basicAuth: Type.Optional(
      Type.Object(
        {
          username: Type.String({ minLength: 1, maxLength: 253, description: 'Who asks.' }),
          password: secretKey('The Secret that holds the password.'),
        },
        { description: 'A name and a password to send along.' },
      ),
    ),
  },
  { description: 'A Prometheus, or what answers like one.' },
);

export type PrometheusSourceSpec = Static<typeof PrometheusSourceSchema>;

const ReachableConditionSchema = Type.Object({
  type: Type.String({ description: '`Reachable`: it answered when it was last asked.' }),
  status: Type.Enum(['True', 'False']),
  reason: Type.String({
    description: '`Answered`, `NoAnswer`, or `HostRefused`: the configuration of the server does not allow its host.',
  }),
  message: Type.String({ description: 'A sentence for people.' }),
  lastTransitionTime: Type.String({ format: 'date-time' }),
});

export type ReachableCondition = Static<typeof ReachableConditionSchema>;

/** Where guardrails get numbers that Backline does not count itself. Whoever writes one says where a Secret is sent. */
export const PrometheusSource = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'PrometheusSource',
  plural: 'prometheussources',
  categories: ['releasing'],
  scope: 'Cluster',
  writtenBy: 'administrators',
  description: 'A Prometheus whose numbers guardrails of releases can be about.',
  spec: PrometheusSourceSchema,
  status: Type.Object(
    {
      conditions: Type.Optional(
        Type.Array(ReachableConditionSchema, {
          description: 'What is true of it now; nothing before it is asked for the first time.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['type'],
        }),
      ),
    },
    { description: 'Whether guardrails get numbers from it.' },
  ),
  columns: [
    { name: 'Url', type: 'string', description: 'Where it is.', value: ({ spec }) => spec.url },
    {
      name: 'Auth',
      type: 'string',
      description: 'How it knows who asks.',
      value: ({ spec }) => {
        const { bearerToken, basicAuth } = spec;
        return bearerToken !== undefined ? 'token' : basicAuth !== undefined ? 'password' : 'none';
      },
    },
    {
      name: 'Reachable',
      type: 'string',
      description: 'Whether it answered when it was last asked.',
      value: ({ status }) => {
        const [reachable] = status?.conditions ?? [];
        return reachable?.status === 'False' ? `False: ${reachable.reason}` : reachable?.status;
      },
    },
    {
      name: 'Age',
      type: 'date',
      description: 'How long it has been there.',
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
    if (at === null) problems.push(say('url', 'This is no address; write it like https://prometheus.example:9090.'));
    else if (at.username !== '' || at.password !== '') problems.push(say('url', 'Who asks is said in basicAuth.'));
    else if (at.search !== '' || at.hash !== '') problems.push(say('url', 'The address ends with its path.'));
    if (caCertificate !== undefined && /PRIVATE KEY/i.test(caCertificate))
      problems.push(
        say('caCertificate', 'There is a private key in it: give the certificate alone, and replace the key.'),
      );
    else if (caCertificate !== undefined && !PEM.test(caCertificate))
      problems.push(say('caCertificate', 'This is no certificate in PEM.'));
    if (bearerToken !== undefined && basicAuth !== undefined)
      problems.push(say('basicAuth', 'It is asked with a token or with a password, not with both.'));
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
