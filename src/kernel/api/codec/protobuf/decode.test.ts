import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '#kernel/base/failures.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { decodeBody } from '../body.ts';
import { PROTOBUF_TYPE, decodeProtobuf } from './decode.ts';

const LIMITS = { valuesMax: 1_000, membersMax: 100, itemsMax: 1_000 };
const decode = (body: Uint8Array) => decodeProtobuf(body, LIMITS);

/**
 * Bodies of kubectl 1.33 in protobuf, beside those of kubectl 1.31 in JSON for the same command: create namespace,
 * configmap, secret, serviceaccount, token, role, clusterrole (twice), rolebinding, clusterrolebinding; auth can-i (of a
 * resource and of a path), can-i --list, whoami. Nulls are left out of the JSON, and the empty status of questions.
 */
const KUBECTL_BODIES: readonly (readonly [json: string, base64: string])[] = [
  [
    `{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "team-a"}, "spec": {}, "status": {}}`,
    'azhzAAoPCgJ2MRIJTmFtZXNwYWNlEh4KFgoGdGVhbS1hEgAaACIAKgAyADgAQgASABoCCgAaACIA',
  ],
  [
    `{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "greeting"}, "data": {"empty": "", "text": "héllo €"}, "binaryData": {"blob": "AP+AYmlu"}}`,
    'azhzAAoPCgJ2MRIJQ29uZmlnTWFwEkkKGAoIZ3JlZXRpbmcSABoAIgAqADIAOABCABIJCgVlbXB0eRIAEhIKBHRleHQSCmjDqWxsbyDigqwaDgoEYmxvYhIGAP+AYmluGgAiAA==',
  ],
  [
    `{"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "keys"}, "data": {"blob": "AP+AYmlu", "password": "czNjcmV0"}}`,
    'azhzAAoMCgJ2MRIGU2VjcmV0EjwKFAoEa2V5cxIAGgAiACoAMgA4AEIAEg4KBGJsb2ISBgD/gGJpbhISCghwYXNzd29yZBIGczNjcmV0GgAaACIA',
  ],
  [
    `{"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "robot"}}`,
    'azhzAAoUCgJ2MRIOU2VydmljZUFjY291bnQSFwoVCgVyb2JvdBIAGgAiACoAMgA4AEIAGgAiAA==',
  ],
  [
    `{"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": {"audiences": ["a", "b"], "expirationSeconds": 3600, "boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "keys", "uid": "u1"}}}`,
    'azhzAAooChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESDFRva2VuUmVxdWVzdBI7ChAKABIAGgAiACoAMgA4AEIAEiEKAWEKAWIaFgoGU2VjcmV0EgJ2MRoEa2V5cyICdTEgkBwaBAoAEgAaACIA',
  ],
  [
    `{"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "reader"}, "rules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["x"]}]}`,
    'azhzAAokChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgRSb2xlEjYKFgoGcmVhZGVyEgAaACIAKgAyADgAQgASHAoDZ2V0CgRsaXN0EgAaCmNvbmZpZ21hcHMiAXgaACIA',
  ],
  [
    `{"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "urls"}, "rules": [{"verbs": ["get"], "nonResourceURLs": ["/metrics"]}]}`,
    'azhzAAorChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgtDbHVzdGVyUm9sZRInChQKBHVybHMSABoAIgAqADIAOABCABIPCgNnZXQqCC9tZXRyaWNzGgAiAA==',
  ],
  [
    `{"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "agg"}, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"rbac.example/aggregate": "true"}}]}}`,
    'azhzAAorChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgtDbHVzdGVyUm9sZRI5ChMKA2FnZxIAGgAiACoAMgA4AEIAGiIKIAoeChZyYmFjLmV4YW1wbGUvYWdncmVnYXRlEgR0cnVlGgAiAA==',
  ],
  [
    `{"kind": "RoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "rb"}, "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jo"}, {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "ops"}, {"kind": "ServiceAccount", "name": "robot", "namespace": "default"}], "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}}`,
    'azhzAAorChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgtSb2xlQmluZGluZxK3AQoSCgJyYhIAGgAiACoAMgA4AEIAEicKBFVzZXISGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8aAmpvIgASKQoFR3JvdXASGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8aA29wcyIAEiIKDlNlcnZpY2VBY2NvdW50EgAaBXJvYm90IgdkZWZhdWx0GikKGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8SBFJvbGUaBnJlYWRlchoAIgA=',
  ],
  [
    `{"kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "crb"}, "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jo"}], "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "urls"}}`,
    'azhzAAoyChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEhJDbHVzdGVyUm9sZUJpbmRpbmcSbgoTCgNjcmISABoAIgAqADIAOABCABInCgRVc2VyEhlyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvGgJqbyIAGi4KGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8SC0NsdXN0ZXJSb2xlGgR1cmxzGgAiAA==',
  ],
  [
    `{"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": {"resourceAttributes": {"namespace": "default", "verb": "create", "resource": "configmaps", "subresource": "x", "name": "status"}}}`,
    'azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSTAoQCgASABoAIgAqADIAOABCABIuCiwKB2RlZmF1bHQSBmNyZWF0ZRoAIgAqCmNvbmZpZ21hcHMyAXg6BnN0YXR1cxoICAASABoAIAAaACIA',
  ],
  [
    `{"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}}}`,
    'azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSLwoQCgASABoAIgAqADIAOABCABIREg8KCC9tZXRyaWNzEgNnZXQaCAgAEgAaACAAGgAiAA==',
  ],
  [
    `{"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": {"namespace": "default"}}`,
    'azhzAAoxChdhdXRob3JpemF0aW9uLms4cy5pby92MRIWU2VsZlN1YmplY3RSdWxlc1JldmlldxIjChAKABIAGgAiACoAMgA4AEIAEgkKB2RlZmF1bHQaBBgAIgAaACIA',
  ],
  [
    `{"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {}}`,
    'azhzAAotChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESEVNlbGZTdWJqZWN0UmV2aWV3EhoKEAoAEgAaACIAKgAyADgAQgASBgoECgASABoAIgA=',
  ],
];

for (const [json, base64] of KUBECTL_BODIES) {
  const expected: unknown = JSON.parse(json);
  const { kind } = expected as { kind: string };
  test(`the protobuf of kubectl is the object that it used to send as JSON: ${kind}`, () => {
    assert.deepEqual(atOnce(decodeBody(PROTOBUF_TYPE, Buffer.from(base64, 'base64'), LIMITS)), {
      value: expected,
      duplicates: [],
    });
  });
}

// An encoder of its own, with the numbers written down a second time: the oracle of the reader.

function varint(value: bigint | number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}
const number = (field: number, value: bigint | number) => [...varint(field << 3), ...varint(value)];
const bytes = (field: number, value: Iterable<number>) => {
  const content = [...value];
  return [...varint((field << 3) | 2), ...varint(content.length), ...content];
};
const text = (field: number, value: string) => bytes(field, Buffer.from(value));
const envelope = (apiVersion: string, kind: string, raw: Iterable<number>) =>
  Buffer.from([...Buffer.from('k8s\0'), ...bytes(1, [...text(1, apiVersion), ...text(2, kind)]), ...bytes(2, raw)]);

const optionally = <Value>(given: Value | undefined, encode: (value: Value) => number[]) =>
  given === undefined ? [] : encode(given);
const textMap = (field: number, map: Record<string, string>) =>
  Object.entries(map).flatMap(([key, value]) => bytes(field, [...text(1, key), ...text(2, value)]));
const secondsOf = (time: string) => Math.floor(Date.parse(time) / 1000);
const timeAt = (field: number, time: string) => bytes(field, [...number(1, secondsOf(time)), ...number(2, 0)]);
const microTimeAt = (field: number, time: string) =>
  bytes(field, [...number(1, secondsOf(time)), ...number(2, Number(/\.(\d{6})Z$/.exec(time)?.[1] ?? 0) * 1000)]);

const plain = { noNullPrototype: true };
const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 });
const labels = fc.dictionary(word, fc.string({ unit: 'grapheme', maxLength: 8 }), { minKeys: 1, maxKeys: 4, ...plain });
const instant = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T00:00:00Z'),
  noInvalidDate: true,
});
const time = instant.map((date) => `${date.toISOString().slice(0, 19)}Z`);
const microTime = instant.map((date) => `${date.toISOString().slice(0, 19)}.000120Z`);
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const optional = { requiredKeys: [], ...plain };

const objectMeta = fc.record(
  {
    name: word,
    generateName: word,
    resourceVersion: word,
    generation: fc.maxSafeInteger().filter((value) => value !== 0),
    creationTimestamp: time,
    deletionGracePeriodSeconds: fc.maxSafeInteger(),
    labels,
    finalizers: fc.array(fc.string({ maxLength: 5 }), { minLength: 1, maxLength: 3 }),
    ownerReferences: fc.array(
      fc.record(
        { apiVersion: word, kind: word, name: fc.string(), uid: word, controller: fc.boolean() },
        { ...plain, requiredKeys: ['apiVersion', 'kind', 'name', 'uid'] },
      ),
      { minLength: 1, maxLength: 3 },
    ),
    managedFields: fc.array(
      fc.record({ manager: word, time, fieldsV1: fc.constant({ 'f:data': { '.': {} } }) }, plain),
      {
        minLength: 1,
        maxLength: 2,
      },
    ),
  },
  optional,
);
type Meta = ReturnType<typeof objectMeta.generate>['value'];

function encodeMeta(meta: Meta): number[] {
  return bytes(1, [
    ...optionally(meta.name, (value) => text(1, value)),
    ...optionally(meta.generateName, (value) => text(2, value)),
    ...text(3, ''),
    ...optionally(meta.resourceVersion, (value) => text(6, value)),
    ...optionally(meta.generation, (value) => number(7, value)),
    ...optionally(meta.creationTimestamp, (value) => timeAt(8, value)),
    ...optionally(meta.deletionGracePeriodSeconds, (value) => number(10, value)),
    ...optionally(meta.labels, (value) => textMap(11, value)),
    ...(meta.ownerReferences ?? []).flatMap((owner) =>
      bytes(13, [
        ...text(1, owner.kind),
        ...text(3, owner.name),
        ...text(4, owner.uid),
        ...text(5, owner.apiVersion),
        ...optionally(owner.controller, (value) => number(6, Number(value))),
      ]),
    ),
    ...(meta.finalizers ?? []).flatMap((value) => text(14, value)),
    ...(meta.managedFields ?? []).flatMap(({ manager, time, fieldsV1 }) =>
      bytes(17, [...text(1, manager), ...timeAt(4, time), ...bytes(7, text(1, JSON.stringify(fieldsV1)))]),
    ),
  ]);
}

const event = fc.record(
  {
    metadata: objectMeta,
    involvedObject: fc.record({ kind: word, namespace: word, name: word, uid: word, fieldPath: word }, optional),
    reason: word,
    message: word,
    source: fc.record({ component: word, host: word }, optional),
    firstTimestamp: time,
    count: int32.filter((value) => value !== 0),
    eventTime: microTime,
    series: fc.record({ count: fc.constant(7), lastObservedTime: microTime }, optional),
    reportingComponent: word,
  },
  { ...plain, requiredKeys: ['metadata', 'involvedObject', 'source'] },
);

test('an event in protobuf is the event that was encoded', () => {
  fc.assert(
    fc.property(event, (given) => {
      const { involvedObject: about } = given;
      const raw = [
        ...encodeMeta(given.metadata),
        ...bytes(2, [
          ...optionally(about.kind, (value) => text(1, value)),
          ...optionally(about.namespace, (value) => text(2, value)),
          ...optionally(about.name, (value) => text(3, value)),
          ...optionally(about.uid, (value) => text(4, value)),
          ...optionally(about.fieldPath, (value) => text(7, value)),
        ]),
        ...optionally(given.reason, (value) => text(3, value)),
        ...optionally(given.message, (value) => text(4, value)),
        ...bytes(5, [
          ...optionally(given.source.component, (value) => text(1, value)),
          ...optionally(given.source.host, (value) => text(2, value)),
        ]),
        ...optionally(given.firstTimestamp, (value) => timeAt(6, value)),
        ...bytes(7, []),
        ...optionally(given.count, (value) => number(8, value)),
        ...optionally(given.eventTime, (value) => microTimeAt(10, value)),
        ...optionally(given.series, ({ count, lastObservedTime }) =>
          bytes(11, [
            ...optionally(count, (value) => number(1, value)),
            ...optionally(lastObservedTime, (value) => microTimeAt(2, value)),
          ]),
        ),
        ...text(9, ''),
        ...optionally(given.reportingComponent, (value) => text(14, value)),
      ];
      assert.deepEqual(decode(envelope('v1', 'Event', raw)).value, {
        kind: 'Event',
        apiVersion: 'v1',
        ...given,
      });
    }),
  );
});

const configMap = fc.record(
  {
    metadata: objectMeta,
    data: labels,
    binaryData: fc.dictionary(word, fc.uint8Array({ maxLength: 8 }), { minKeys: 1, maxKeys: 3, ...plain }),
    immutable: fc.boolean(),
  },
  { ...plain, requiredKeys: ['metadata'] },
);

test('a config map in protobuf keeps its texts, its bytes and what is false on purpose', () => {
  fc.assert(
    fc.property(configMap, ({ binaryData, ...given }) => {
      const raw = [
        ...encodeMeta(given.metadata),
        ...optionally(given.data, (value) => textMap(2, value)),
        ...Object.entries(binaryData ?? {}).flatMap(([key, value]) => bytes(3, [...text(1, key), ...bytes(2, value)])),
        ...optionally(given.immutable, (value) => number(4, Number(value))),
      ];
      const base64 = Object.entries(binaryData ?? {}).map(([key, value]) => [
        key,
        Buffer.from(value).toString('base64'),
      ]);
      assert.deepEqual(decode(envelope('v1', 'ConfigMap', raw)).value, {
        kind: 'ConfigMap',
        apiVersion: 'v1',
        ...given,
        ...(binaryData === undefined ? {} : { binaryData: Object.fromEntries(base64) }),
      });
    }),
  );
});

test('a lease and the options of a deletion in protobuf: zero differs from absent', () => {
  const lease = [...bytes(1, text(1, 'l')), ...bytes(2, [...text(1, ''), ...number(2, 15), ...number(5, 0)])];
  assert.deepEqual(decode(envelope('coordination.k8s.io/v1', 'Lease', lease)).value, {
    kind: 'Lease',
    apiVersion: 'coordination.k8s.io/v1',
    metadata: { name: 'l' },
    spec: { holderIdentity: '', leaseDurationSeconds: 15, leaseTransitions: 0 },
  });
  const options = [...number(1, 0), ...bytes(2, text(1, 'u')), ...text(4, 'Orphan'), ...text(5, 'All')];
  assert.deepEqual(decode(envelope('products.backline.dev/v1', 'DeleteOptions', options)).value, {
    kind: 'DeleteOptions',
    apiVersion: 'products.backline.dev/v1',
    gracePeriodSeconds: 0,
    preconditions: { uid: 'u' },
    propagationPolicy: 'Orphan',
    dryRun: ['All'],
  });
});

test('a map of lists in protobuf, an empty one included', () => {
  const extra = [
    ...bytes(5, [...text(1, 'scopes'), ...bytes(2, [...text(1, 'a'), ...text(1, 'b')])]),
    ...bytes(5, text(1, 'none')),
  ];
  const review = decode(
    envelope('authorization.k8s.io/v1', 'SubjectAccessReview', bytes(2, [...text(3, 'jo'), ...extra])),
  );
  assert.deepEqual((review.value as { spec: unknown }).spec, { user: 'jo', extra: { scopes: ['a', 'b'], none: [] } });
});

test('everything that protobuf allows is read: unknown fields, groups, parts of a message, the last of several values', () => {
  const group = [...varint((30 << 3) | 3), ...number(1, 5), ...varint((30 << 3) | 4)];
  const raw = [
    ...number(99, 2n ** 64n - 1n),
    ...group,
    ...bytes(98, [1, 2, 3]),
    ...bytes(1, [...text(1, 'first'), ...text(2, 'made-')]),
    ...bytes(1, [...text(1, 'last'), ...bytes(11, text(1, 'bare'))]),
  ];
  assert.deepEqual(decode(envelope('v1', 'ConfigMap', raw)).value, {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'last', generateName: 'made-', labels: { bare: '' } },
  });
});

const HOSTILE: readonly (readonly [name: string, message: RegExp, body: Uint8Array])[] = [
  ['nothing', /begin with/, Buffer.alloc(0)],
  ['another format', /begin with/, Buffer.from('{"kind":"ConfigMap"}')],
  ['no kind', /apiVersion and kind/, Buffer.from('k8s\0')],
  ['cut off in a length', /premature EOF/, Buffer.from([...Buffer.from('k8s\0'), 0x0a, 0x80])],
  ['more announced than sent', /announced where 1/, Buffer.from([...Buffer.from('k8s\0'), 0x0a, 0x05, 0x01])],
  [
    'a length that only fits 64 bits',
    /bytes are announced/,
    envelope('v1', 'ConfigMap', [0x0a, ...varint(2n ** 32n + 1n), 0x00]),
  ],
  ['a length without end', /varint/, envelope('v1', 'ConfigMap', [0x0a, ...Array<number>(20).fill(0xff)])],
  [
    'an unknown number without end',
    /varint/,
    envelope('v1', 'ConfigMap', [0x98, 0x06, ...Array<number>(20).fill(0xff)]),
  ],
  ['field number 0', /illegal tag/, envelope('v1', 'ConfigMap', [0x02, 0x00])],
  ['a text where a message is', /wire type 0 instead of 2 in metadata/, envelope('v1', 'ConfigMap', number(1, 1))],
  [
    'a number where a text is',
    /wire type 0 instead of 2 in metadata\.name/,
    envelope('v1', 'ConfigMap', bytes(1, number(1, 1))),
  ],
  [
    'text that is not UTF-8',
    /not UTF-8 in metadata\.labels/,
    envelope('v1', 'ConfigMap', bytes(1, bytes(11, bytes(1, [0xff])))),
  ],
  [
    'groups without end',
    /recursion|premature/,
    envelope(
      'v1',
      'ConfigMap',
      Array<number[]>(5000)
        .fill(varint((30 << 3) | 3))
        .flat(),
    ),
  ],
  ['an end without a group', /skip/, envelope('v1', 'ConfigMap', varint((30 << 3) | 4))],
  [
    'a number that JSON cannot say',
    /generation.*9007199254740993/,
    envelope('v1', 'ConfigMap', bytes(1, number(7, 2n ** 53n + 1n))),
  ],
  [
    'a time beyond the calendar',
    /no time .* in metadata\.creationTimestamp/,
    envelope('v1', 'ConfigMap', bytes(1, bytes(8, number(1, 2 ** 52)))),
  ],
  ['a key that is not safe to keep', /__proto__/, envelope('v1', 'ConfigMap', bytes(2, text(1, '__proto__')))],
  [
    'managed fields that are not JSON',
    /not valid JSON/,
    envelope('v1', 'ConfigMap', bytes(1, bytes(17, bytes(7, text(1, '{'))))),
  ],
];

for (const [name, message, body] of HOSTILE) {
  test(`malformed protobuf is refused with what is wrong: ${name}`, () => {
    assert.throws(
      () => decode(body),
      (error) => error instanceof Refusal && error.status === 400 && message.test(error.message),
    );
  });
}

test('a kind that does not travel as protobuf is refused with the forms that it has', () => {
  for (const [apiVersion, kind] of [
    ['products.backline.dev/v1', 'Plan'],
    ['v1', 'Pod'],
    ['v1', 'constructor'],
  ] as const) {
    assert.throws(
      () => decode(envelope(apiVersion, kind, [])),
      (error) =>
        error instanceof Refusal &&
        error.status === 415 &&
        error.message.endsWith('application/json, application/yaml'),
    );
  }
});

test('a body in protobuf is refused as soon as it holds more than the limits', () => {
  const refusalOf = (raw: number[]): string => {
    try {
      decode(envelope('v1', 'ConfigMap', raw));
      return 'accepted';
    } catch (error) {
      return error instanceof Refusal ? `${error.status} ${error.code}` : String(error);
    }
  };
  const map = (members: number) =>
    textMap(2, Object.fromEntries(Array.from({ length: members }, (_, index) => [`k${index}`, 'v'])));
  assert.equal(refusalOf(map(LIMITS.membersMax)), 'accepted');
  assert.equal(refusalOf(map(LIMITS.membersMax + 1)), '413 resources/too-many-members');
  const finalizers = Array.from({ length: LIMITS.valuesMax }, () => text(14, 'a')).flat();
  assert.equal(refusalOf(bytes(1, finalizers)), '413 resources/too-many-values');
  const managedBody = (items: number) => bytes(1, bytes(17, bytes(7, text(1, `[${'0,'.repeat(items)}0]`))));
  assert.equal(refusalOf(managedBody(1_000)), 'accepted');
  assert.equal(refusalOf(managedBody(2_000)), '413 resources/too-many-values');
});

test('damaged bodies of kubectl are read or refused, never worse', () => {
  const body = fc.constantFrom(...KUBECTL_BODIES.map(([, base64]) => Buffer.from(base64, 'base64')));
  const damage = fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { maxLength: 6 });
  fc.assert(
    fc.property(body, damage, fc.nat(), (whole, changes, cut) => {
      const damaged = Buffer.from(whole);
      for (const { at, byte } of changes) damaged[4 + (at % (damaged.length - 4))] = byte;
      try {
        decode(damaged.subarray(0, damaged.length - (cut % 8)));
      } catch (error) {
        assert.ok(error instanceof Refusal && [400, 415].includes(error.status), String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});
