import { exact, list, map, message, one, type Message } from './message.ts';
import { LabelSelector, LabelSelectorRequirement, MicroTime, ObjectMeta, Time } from './meta.ts';

/** The kinds that clients send as protobuf, with the numbers of k8s.io/api's .proto files. */

const metadata = { 1: one('metadata', ObjectMeta) };

const ObjectReference = message({
  1: one('kind'),
  2: one('namespace'),
  3: one('name'),
  4: one('uid'),
  5: one('apiVersion'),
  6: one('resourceVersion'),
  7: one('fieldPath'),
});

const NamespaceCondition = message({
  1: exact('type'),
  2: exact('status'),
  4: one('lastTransitionTime', Time),
  5: one('reason'),
  6: one('message'),
});

const CORE = {
  Namespace: message({
    ...metadata,
    2: one('spec', message({ 1: list('finalizers') })),
    3: one('status', message({ 1: one('phase'), 2: list('conditions', NamespaceCondition) })),
  }),
  ConfigMap: message({
    ...metadata,
    2: map('data'),
    3: map('binaryData', 'bytes'),
    4: exact('immutable', 'bool'),
  }),
  Secret: message({
    ...metadata,
    2: map('data', 'bytes'),
    3: one('type'),
    4: map('stringData'),
    5: exact('immutable', 'bool'),
  }),
  ServiceAccount: message({
    ...metadata,
    2: list('secrets', ObjectReference),
    3: list('imagePullSecrets', message({ 1: one('name') })),
    4: exact('automountServiceAccountToken', 'bool'),
  }),
  Event: message({
    ...metadata,
    2: one('involvedObject', ObjectReference),
    3: one('reason'),
    4: one('message'),
    5: one('source', message({ 1: one('component'), 2: one('host') })),
    6: one('firstTimestamp', Time),
    7: one('lastTimestamp', Time),
    8: one('count', 'int32'),
    9: one('type'),
    10: one('eventTime', MicroTime),
    11: one('series', message({ 1: one('count', 'int32'), 2: one('lastObservedTime', MicroTime) })),
    12: one('action'),
    13: one('related', ObjectReference),
    14: one('reportingComponent'),
    15: one('reportingInstance'),
  }),
};

const EVENTS = {
  Event: message({
    ...metadata,
    2: one('eventTime', MicroTime),
    3: one('series', message({ 1: one('count', 'int32'), 2: one('lastObservedTime', MicroTime) })),
    4: one('reportingController'),
    5: one('reportingInstance'),
    6: one('action'),
    7: one('reason'),
    8: one('regarding', ObjectReference),
    9: one('related', ObjectReference),
    10: one('note'),
    11: one('type'),
    12: one('deprecatedSource', message({ 1: one('component'), 2: one('host') })),
    13: one('deprecatedFirstTimestamp', Time),
    14: one('deprecatedLastTimestamp', Time),
    15: one('deprecatedCount', 'int32'),
  }),
};

const COORDINATION = {
  Lease: message({
    ...metadata,
    2: one(
      'spec',
      message({
        1: exact('holderIdentity'),
        2: exact('leaseDurationSeconds', 'int32'),
        3: one('acquireTime', MicroTime),
        4: one('renewTime', MicroTime),
        5: exact('leaseTransitions', 'int32'),
        6: exact('strategy'),
        7: exact('preferredHolder'),
      }),
    ),
  }),
};

const rules = list(
  'rules',
  message({
    1: list('verbs'),
    2: list('apiGroups'),
    3: list('resources'),
    4: list('resourceNames'),
    5: list('nonResourceURLs'),
  }),
);
const Role = message({ ...metadata, 2: rules });
const Subject = message({ 1: exact('kind'), 2: one('apiGroup'), 3: exact('name'), 4: one('namespace') });
const RoleBinding = message({
  ...metadata,
  2: list('subjects', Subject),
  3: one('roleRef', message({ 1: exact('apiGroup'), 2: exact('kind'), 3: exact('name') })),
});

const RBAC = {
  Role,
  ClusterRole: message({
    ...metadata,
    2: rules,
    3: one('aggregationRule', message({ 1: list('clusterRoleSelectors', LabelSelector) })),
  }),
  RoleBinding,
  ClusterRoleBinding: RoleBinding,
};

/** A list of texts that may be null, which protobuf has no other way to say. */
const Texts = message({ 1: list('items') }, ({ items = [] }) => items);

const FieldSelectorRequirement = LabelSelectorRequirement;
const resourceAttributes = one(
  'resourceAttributes',
  message({
    1: one('namespace'),
    2: one('verb'),
    3: one('group'),
    4: one('version'),
    5: one('resource'),
    6: one('subresource'),
    7: one('name'),
    8: one('fieldSelector', message({ 1: one('rawSelector'), 2: list('requirements', FieldSelectorRequirement) })),
    9: one('labelSelector', message({ 1: one('rawSelector'), 2: list('requirements', LabelSelectorRequirement) })),
  }),
);
const nonResourceAttributes = one('nonResourceAttributes', message({ 1: one('path'), 2: one('verb') }));

const SubjectAccessReview = message({
  ...metadata,
  2: one(
    'spec',
    message({
      1: resourceAttributes,
      2: nonResourceAttributes,
      3: one('user'),
      4: list('groups'),
      5: map('extra', Texts),
      6: one('uid'),
    }),
  ),
});

/** Of questions, only what is asked: their status is the server's to say. */
const AUTHORIZATION = {
  SelfSubjectAccessReview: message({
    ...metadata,
    2: one('spec', message({ 1: resourceAttributes, 2: nonResourceAttributes })),
  }),
  SubjectAccessReview,
  LocalSubjectAccessReview: SubjectAccessReview,
  SelfSubjectRulesReview: message({ ...metadata, 2: one('spec', message({ 1: one('namespace') })) }),
};

const AUTHENTICATION = {
  SelfSubjectReview: message(metadata),
  TokenRequest: message({
    ...metadata,
    2: one(
      'spec',
      message({
        1: list('audiences'),
        3: one('boundObjectRef', message({ 1: one('kind'), 2: one('apiVersion'), 3: one('name'), 4: one('uid') })),
        4: exact('expirationSeconds', 'int64'),
      }),
    ),
  }),
};

/** Messages by `apiVersion/kind`. */
export const MESSAGE_OF_KIND: ReadonlyMap<string, Message> = new Map(
  Object.entries({
    v1: CORE,
    'events.k8s.io/v1': EVENTS,
    'coordination.k8s.io/v1': COORDINATION,
    'rbac.authorization.k8s.io/v1': RBAC,
    'authorization.k8s.io/v1': AUTHORIZATION,
    'authentication.k8s.io/v1': AUTHENTICATION,
  }).flatMap(([apiVersion, kinds]) =>
    Object.entries<Message>(kinds).map(([kind, fields]): [string, Message] => [`${apiVersion}/${kind}`, fields]),
  ),
);
