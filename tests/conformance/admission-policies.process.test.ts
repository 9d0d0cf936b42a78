import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';
import { startWorld, type Answer } from '../support/backline.ts';

const POLICIES = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
const BINDINGS = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings';
const MAPS = '/api/v1/namespaces/default/configmaps';

const ALL_MAPS = {
  resourceRules: [
    { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE', 'DELETE'], resources: ['configmaps'] },
  ],
};

/** A server, and ways to declare policies and ConfigMaps there. */
async function startDesk(t: TestContext) {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const declare = async (path: string, body: object): Promise<Answer> => {
    const answer = await call('POST', path, { body });
    assert.equal(answer.status, 201, answer.text);
    return answer;
  };
  return {
    ...world,
    policy: (name: string, spec: object) =>
      declare(POLICIES, { metadata: { name }, spec: { matchConstraints: ALL_MAPS, ...spec } }),
    bind: (name: string, spec: object = {}) =>
      declare(BINDINGS, { metadata: { name }, spec: { policyName: name, validationActions: ['Deny'], ...spec } }),
    create: (name: string, data: object, more: object = {}) =>
      call('POST', MAPS, { body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...more }, data } }),
    edit: (name: string, patch: object) =>
      call('PATCH', `${MAPS}/${name}`, {
        body: patch,
        headers: { 'content-type': 'application/merge-patch+json' },
      }),
    remove: (name: string) => call('DELETE', `${MAPS}/${name}`),
  };
}

test('a bound policy denies what does not hold, says why, and writes nothing', async (t) => {
  await using desk = await startDesk(t);
  const { create, edit, remove, call } = desk;
  await desk.policy('few', {
    variables: [{ name: 'count', expression: 'size(object.data)' }],
    validations: [
      {
        expression: "request.operation == 'DELETE' || variables.count <= 2",
        messageExpression: "'%d entries; 2 are allowed'.format([variables.count])",
      },
      {
        expression: "request.operation != 'DELETE' || !has(oldObject.data.keep)",
        message: 'It has an entry to keep.',
        reason: 'Forbidden',
      },
      {
        expression: "request.operation != 'UPDATE' || object.data.size() >= oldObject.data.size()",
        message: 'Shrinks.',
      },
    ],
  });
  assert.equal(
    (await create('before', { a: '1', b: '2', c: '3' })).status,
    201,
    'without a binding it is in force nowhere',
  );
  await desk.bind('few');
  const refused = await create('large', { a: '1', b: '2', c: '3' });
  assert.equal(refused.status, 422);
  assert.match(
    refused.json.message,
    /^ValidatingAdmissionPolicy 'few' with binding 'few' denied request: 3 entries; 2 are allowed$/,
  );
  assert.equal((await call('GET', `${MAPS}/large`)).status, 404);
  assert.equal((await create('small', { keep: '1', b: '2' })).status, 201);
  assert.match((await edit('small', { data: { b: null } })).json.message, /Shrinks\./);
  const kept = await remove('small');
  assert.deepEqual([kept.status, kept.json.reason], [403, 'Forbidden']);
  assert.match(kept.json.message, /It has an entry to keep/);
  const together = await call('POST', CHANGE_SETS, {
    body: changeSet(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' }, data: {} },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'two' }, data: { a: '1', b: '2', c: '3' } },
    ),
  });
  assert.equal(together.status, 422, together.text);
  assert.equal((await call('GET', `${MAPS}/one`)).status, 404, 'a change set is written as a whole or not at all');
  assert.equal(
    (await call('POST', `${MAPS}?dryRun=All`, { body: { metadata: { name: 'x' }, data: { a: '', b: '', c: '' } } }))
      .status,
    422,
  );
});

test('Warn writes and warns; a binding may be for some namespaces, labels and names', async (t) => {
  await using desk = await startDesk(t);
  const { create, call } = desk;
  await desk.policy('owned', { validations: [{ expression: 'has(object.data.owner)', message: 'It has no owner.' }] });
  await desk.bind('owned', { validationActions: ['Warn'] });
  const warned = await create('a', {});
  assert.equal(warned.status, 201);
  assert.match(
    String(warned.headers['warning']),
    /299 .*Validation failed for ValidatingAdmissionPolicy 'owned' with binding 'owned': It has no owner\./,
  );
  await call('DELETE', `${BINDINGS}/owned`);
  await desk.bind('selected', {
    policyName: 'owned',
    matchResources: {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } },
      objectSelector: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['gold'] }] },
      excludeResourceRules: [{ ...ALL_MAPS.resourceRules[0], resourceNames: ['free'] }],
    },
  });
  assert.equal((await create('b', {})).status, 201, 'it has no such label');
  assert.equal((await create('c', {}, { labels: { tier: 'gold' } })).status, 422);
  assert.equal((await create('free', {}, { labels: { tier: 'gold' } })).status, 201);
});

test('Audit writes, and the audit record has the violation; audit annotations are on every write that a policy is for', async (t) => {
  await using desk = await startDesk(t);
  const { create, call } = desk;
  await desk.policy('owned', {
    validations: [{ expression: 'has(object.data.owner)', message: 'It has no owner.' }],
    auditAnnotations: [
      { key: 'size', valueExpression: "'%d entries'.format([size(object.data)])" },
      { key: 'none', valueExpression: "size(object.data) > 5 ? dyn('many') : null" },
    ],
  });
  await desk.bind('owned', { validationActions: ['Audit'] });
  const written = await create('a', { x: '1' });
  assert.deepEqual([written.status, written.headers['warning']], [201, undefined]);
  assert.equal((await create('b', { owner: 'ann' })).status, 201);
  const records = await call('GET', '/apis/audit.backline.dev/v1/auditrecords?fieldSelector=resource=configmaps');
  const [b, a] = records.json.items.map(({ spec }: { spec: { annotations: object } }) => spec.annotations);
  assert.deepEqual(b, { 'owned/size': '1 entries' });
  const failure = JSON.stringify([
    { message: 'It has no owner.', policy: 'owned', binding: 'owned', validationActions: ['Audit'] },
  ]);
  assert.deepEqual(a, {
    'owned/size': '1 entries',
    'validation.policy.admission.k8s.io/validation_failure': failure,
  });
  const none = await call('POST', POLICIES, {
    body: { metadata: { name: 'n' }, spec: { matchConstraints: ALL_MAPS } },
  });
  assert.match(
    none.text,
    /spec\.validations.*validations or auditAnnotations must be there|must be there.*spec\.validations/,
  );
  const binding = { policyName: 'owned', validationActions: ['Deny', 'Warn'] };
  const both = await call('POST', BINDINGS, { body: { metadata: { name: 'n' }, spec: binding } });
  assert.match(both.text, /Deny and Warn exclude each other/);
});

test('parameters come from an object; without it, and where an expression fails, failurePolicy decides', async (t) => {
  await using desk = await startDesk(t);
  const { create, edit, call } = desk;
  const spec = {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    matchConstraints: {
      ...ALL_MAPS,
      excludeResourceRules: [{ ...ALL_MAPS.resourceRules[0], resourceNames: ['limits'] }],
    },
    matchConditions: [{ name: 'not free', expression: "object == null || object.metadata.name != 'free'" }],
    validations: [{ expression: 'size(object.data) <= int(params.data.most)', message: 'Too many.' }],
  };
  await desk.policy('limited', spec);
  await desk.bind('limited', { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } });
  assert.match((await create('a', {})).json.message, /there is no ConfigMap "limits" with its parameters/);
  assert.equal((await create('limits', { most: '1' })).status, 201);
  assert.equal((await create('a', { x: '' })).status, 201);
  assert.equal((await create('free', { x: '', y: '' })).status, 201);
  assert.match((await create('b', { x: '', y: '' })).json.message, /Too many/);
  await edit('limits', { data: { most: '2' } });
  assert.equal((await create('b', { x: '', y: '' })).status, 201, 'the parameters of now count');
  await edit('limits', { data: { most: 'many' } });
  assert.match((await create('c', {})).json.message, /expression 'size\(object.data\)[^']*': "many" is no int/);
  const current = (await call('GET', `${POLICIES}/limited`)).json;
  await call('PUT', `${POLICIES}/limited`, {
    body: { ...current, spec: { ...current.spec, failurePolicy: 'Ignore' } },
  });
  assert.equal((await create('c', {})).status, 201);
});

test('a policy must hold with every object that paramRef.selector selects', async (t) => {
  await using desk = await startDesk(t);
  const { create, edit, call } = desk;
  await desk.policy('limited', {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    matchConstraints: {
      ...ALL_MAPS,
      objectSelector: { matchExpressions: [{ key: 'for', operator: 'DoesNotExist' }] },
    },
    validations: [
      {
        expression: 'size(object.data) <= int(params.data.most)',
        messageExpression: "params.metadata.name + ': at most ' + params.data.most",
      },
    ],
    auditAnnotations: [{ key: 'most', valueExpression: 'params.data.most' }],
  });
  const refused = await call('POST', BINDINGS, {
    body: {
      metadata: { name: 'bad' },
      spec: {
        policyName: 'limited',
        validationActions: ['Deny'],
        paramRef: { name: 'a', selector: {}, parameterNotFoundAction: 'Deny' },
      },
    },
  });
  assert.match(refused.json.message, /spec\.paramRef\.name: Forbidden: name and selector are mutually exclusive/);
  const selector = { matchLabels: { for: 'all' } };
  await desk.bind('limited', { paramRef: { selector, parameterNotFoundAction: 'Deny' } });
  assert.match((await create('a', {})).json.message, /there is no ConfigMap that the selector selects/);
  const limits = (name: string, most: string) => create(name, { most }, { labels: { for: 'all' } });
  for (const [name, most] of Object.entries({ four: '4', two: '2', three: '3' }))
    assert.equal((await limits(name, most)).status, 201);
  assert.equal((await create('a', { x: '', y: '' })).status, 201);
  assert.match(
    (await create('b', { x: '', y: '', z: '' })).json.message,
    /'limited' denied request: two: at most 2$/,
    'the first two hold',
  );
  assert.match((await create('b', { v: '', w: '', x: '', y: '' })).json.message, /three: at most 3; two: at most 2$/);
  assert.equal((await edit('two', { metadata: { labels: { for: 'none' } } })).status, 200);
  const made = await create('b', { x: '', y: '', z: '' });
  assert.equal(made.status, 201, made.text);
  const audit = await call('GET', '/apis/audit.backline.dev/v1/auditrecords?fieldSelector=resource=configmaps');
  assert.deepEqual(audit.json.items[0].spec.annotations, { 'limited/most': '4, 3' });
  for (let n = 0; n < 100; n += 1) await limits(`many-${n}`, '9');
  assert.match((await create('c', {})).json.message, /its selector selects more than 100 configmaps/);
});

test('expressions ask the rules in force with authorizer, for the author, a service account, paths and selectors', async (t) => {
  await using desk = await startDesk(t);
  const { call, bind, policy } = desk;
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const grant = async (name: string, subject: object, rules: object[]) => {
    const head = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name } };
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
    const made = [
      await call('POST', `${rbac}/clusterroles`, { body: { ...head, kind: 'ClusterRole', rules } }),
      await call('POST', `${rbac}/clusterrolebindings`, {
        body: { ...head, kind: 'ClusterRoleBinding', roleRef, subjects: [subject] },
      }),
    ];
    for (const { status, text } of made) assert.equal(status, 201, text);
  };
  const maps = { apiGroups: [''], resources: ['configmaps'] };
  await grant('ann', { kind: 'User', name: 'ann' }, [
    { ...maps, verbs: ['create', 'update', 'patch'] },
    { ...maps, verbs: ['list'], labelSelector: 'tier=gold', fieldSelector: 'metadata.namespace=default' },
    { nonResourceURLs: ['/metrics'], verbs: ['get'] },
  ]);
  await grant('robot', { kind: 'ServiceAccount', namespace: 'default', name: 'robot' }, [
    { ...maps, verbs: ['delete'] },
  ]);
  const inConfigMaps = "authorizer.group('').resource('configmaps')";
  const answers = {
    mayCreate: `${inConfigMaps}.namespace('default').check('create').allowed()`,
    mayDelete: `${inConfigMaps}.check('delete').allowed()`,
    itself: "authorizer.requestResource.check('create').allowed()",
    itsDeletion: "authorizer.requestResource.check('delete').allowed()",
    robot: "authorizer.serviceAccount('default', 'robot').requestResource",
    robotDeletes:
      "authorizer.serviceAccount('default', 'robot').group('').resource('configmaps').check('delete').allowed()",
    path: "authorizer.path('/metrics').check('get').allowed()",
    otherPath: "authorizer.path('/livez2').check('get').allowed()",
    ofGold: `${inConfigMaps}.namespace('default').labelSelector('tier=gold').fieldSelector('metadata.namespace=default').check('list').allowed()`,
    ofAll: `${inConfigMaps}.namespace('default').check('list').allowed()`,
    ofNonsense: `${inConfigMaps}.labelSelector('((').check('list').allowed()`,
    status: `${inConfigMaps}.subresource('status').name('x').check('update').allowed()`,
    reason: `${inConfigMaps}.check('create').reason().contains('ClusterRole "ann"')`,
    errored: `${inConfigMaps}.check('create').errored() || ${inConfigMaps}.check('create').error() != ''`,
  };
  const { robot, ...fine } = answers;
  const wrong = await call('POST', POLICIES, {
    body: { metadata: { name: 'bad' }, spec: { matchConstraints: ALL_MAPS, validations: [{ expression: robot }] } },
  });
  assert.equal(wrong.status, 422, wrong.text);
  await policy('asks', {
    auditAnnotations: Object.entries(fine).map(([key, expression]) => ({
      key,
      valueExpression: `${expression} ? 'yes' : 'no'`,
    })),
  });
  await bind('asks', { validationActions: ['Audit'] });
  const write = (name: string) =>
    call('POST', MAPS, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } },
      headers: { 'impersonate-user': 'ann' },
    });
  const written = await write('a');
  assert.equal(written.status, 201, written.text);
  const audit = await call('GET', '/apis/audit.backline.dev/v1/auditrecords?fieldSelector=resource=configmaps');
  assert.deepEqual(
    audit.json.items[0].spec.annotations,
    Object.fromEntries(
      Object.keys(fine).map((key) => {
        const isAllowed = ['mayCreate', 'itself', 'robotDeletes', 'path', 'ofGold', 'reason'].includes(key);
        return [`asks/${key}`, isAllowed ? 'yes' : 'no'];
      }),
    ),
  );
  await policy('deleters', {
    validations: [
      { expression: `${inConfigMaps}.check('delete').allowed()`, message: 'Only for those who may delete.' },
    ],
  });
  await bind('deleters');
  assert.match((await write('b')).json.message, /Only for those who may delete/);
  assert.equal((await desk.create('b', {})).status, 201);
});

test('two authorization checks fit into an expression, as in Kubernetes, and messages have none', async (t) => {
  await using desk = await startDesk(t);
  const check = "authorizer.group('').resource('configmaps').check('get').allowed()";
  const policyWith = (expression: string, more: object = {}) => ({
    body: {
      metadata: { name: 'checks' },
      spec: { matchConstraints: ALL_MAPS, validations: [{ expression, ...more }] },
    },
  });
  const inMessage = await desk.call('POST', POLICIES, policyWith('true', { messageExpression: `string(${check})` }));
  assert.match(inMessage.json.message, /messageExpression.*undeclared reference to 'authorizer'/);
  await desk.policy('two', { validations: [{ expression: `${check} && ${check}` }] });
  await desk.bind('two');
  assert.equal((await desk.create('a', {})).status, 201);
  await desk.policy('three', { validations: [{ expression: `${check} && ${check} && ${check}` }] });
  await desk.bind('three');
  assert.match((await desk.create('b', {})).json.message, /it cost more than 1000000 units/);
});

test('an expression that does not compile is refused with its place; one that costs too much fails', async (t) => {
  await using desk = await startDesk(t);
  const { call, create } = desk;
  const refusal = async (spec: object): Promise<string> => {
    const answer = await call('POST', POLICIES, {
      body: { metadata: { name: 'bad' }, spec: { matchConstraints: ALL_MAPS, ...spec } },
    });
    assert.equal(answer.status, 422, answer.text);
    return JSON.stringify(answer.json.details.causes);
  };
  assert.match(
    await refusal({ validations: [{ expression: 'object.x >' }] }),
    /1:11: found the end.*spec\.validations\[0\]\.expression/s,
  );
  assert.match(await refusal({ validations: [{ expression: 'objekt.x' }] }), /undeclared reference to 'objekt'/);
  assert.match(await refusal({ validations: [{ expression: "'text'" }] }), /it is string, and must be bool/);
  assert.match(
    await refusal({
      variables: [
        { name: 'a', expression: 'variables.b' },
        { name: 'b', expression: '1' },
      ],
      validations: [{ expression: 'variables.a == 1' }],
    }),
    /undefined field 'b'/,
  );
  assert.match(
    await refusal({ validations: [{ expression: 'request.nosuch' }] }),
    /undefined field 'nosuch': request has kind/,
  );
  const ten = '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]';
  const bomb = Array.from({ length: 8 }, (_, level) => `x${level}`).reduceRight(
    (body, name) => `${ten}.all(${name}, ${body})`,
    'true',
  );
  await desk.policy('bomb', { validations: [{ expression: bomb }] });
  await desk.bind('bomb');
  assert.match((await create('a', {})).json.message, /it cost more than \d+ units/);
});

test('status says which expressions do not fit the kinds that the policy names', async (t) => {
  await using desk = await startDesk(t);
  const { call } = desk;
  const resourceRules = [
    {
      apiGroups: ['ads.backline.dev'],
      apiVersions: ['v1'],
      operations: ['CREATE'],
      resources: ['adsets', 'placements'],
    },
  ];
  await desk.policy('mixed', {
    matchConstraints: { resourceRules },
    variables: [{ name: 'account', expression: 'object.spec.account' }],
    validations: [
      { expression: "object.metadata.labels['team'] == 'a'" },
      { expression: 'object.spec.slots <= 4' },
      { expression: 'object.spec.nosuch == 1', messageExpression: "object.spec.title + '!'" },
    ],
  });
  const { status } = (await call('GET', `${POLICIES}/mixed`)).json;
  assert.equal(status.observedGeneration, 1);
  const warnings = Object.fromEntries(
    status.typeChecking.expressionWarnings.map(({ fieldRef, warning }: { fieldRef: string; warning: string }) => [
      fieldRef,
      warning.split('\n').map((line) => line.replace(/: 1:.*'(\w+)'.*/, ' $1')),
    ]),
  );
  assert.deepEqual(warnings, {
    'spec.variables[0].expression': ['ads.backline.dev/v1, Kind=Placement account'],
    'spec.validations[1].expression': ['ads.backline.dev/v1, Kind=AdSet slots'],
    'spec.validations[2].expression': [
      'ads.backline.dev/v1, Kind=Placement nosuch',
      'ads.backline.dev/v1, Kind=AdSet nosuch',
    ],
  });
});

test('nobody is locked out: no policy is for policies', async (t) => {
  await using desk = await startDesk(t);
  const { call, create } = desk;
  await desk.policy('nothing', {
    matchConstraints: {
      resourceRules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*', '*/*'] }],
    },
    validations: [{ expression: 'false', message: 'Nothing may be written.' }],
  });
  await desk.bind('nothing');
  assert.equal((await create('a', {})).status, 422);
  assert.equal((await call('POST', '/api/v1/namespaces', { body: { metadata: { name: 'n' } } })).status, 422);
  assert.equal((await call('DELETE', `${BINDINGS}/nothing`)).status, 200);
  assert.equal((await create('a', {})).status, 201);
});

test('a policy tells why it denies a Secret, and sees no value of one', async (t) => {
  await using desk = await startDesk(t);
  const { call } = desk;
  const secrets = (operation: string) => ({
    resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: [operation], resources: ['secrets'] }],
  });
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
  const seen = `string(object.metadata.annotations['${annotation}'])`;
  await desk.policy('look', {
    matchConstraints: secrets('CREATE'),
    validations: [{ expression: 'has(object.data)', messageExpression: seen }],
    auditAnnotations: [{ key: 'seen', valueExpression: seen }],
  });
  const body = {
    metadata: { name: 's', annotations: { [annotation]: '{"stringData":{"password":"hunter2"}}' } },
    stringData: { password: 'hunter2' },
  };
  const create = () => call('POST', '/api/v1/namespaces/default/secrets', { body });
  await desk.bind('look');
  const denied = await create();
  assert.equal(denied.json.message, "ValidatingAdmissionPolicy 'look' with binding 'look' denied request: (secret)");
  const patched = await call('PATCH', `${BINDINGS}/look`, {
    body: { spec: { validationActions: ['Audit'] } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(patched.status, 200, patched.text);
  assert.equal((await create()).status, 201);
  const records = (await call('GET', '/apis/audit.backline.dev/v1/auditrecords?fieldSelector=resource=secrets')).text;
  assert.match(records, /"look\/seen":"\(secret\)"/);
  assert.doesNotMatch(records, /hunter2/);
});
