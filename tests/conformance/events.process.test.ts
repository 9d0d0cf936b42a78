import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventsV1Api, KubeConfig, V1MicroTime } from '@kubernetes/client-node';
import type { Clock } from '#kernel/base/clock.ts';
import { tidyEvents } from '#kernel/controllers/tidy-events.ts';
import { startWorld } from '../support/backline.ts';
import { findKubectls, openShell } from '../support/kubectl.ts';

const CORE = '/api/v1/namespaces/default/events';
const GROUP = '/apis/events.k8s.io/v1/namespaces/default/events';

const MODERN = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name: 'modern', namespace: 'default' },
  eventTime: '2026-05-01T12:00:00.123456Z',
  reportingController: 'example.com/watcher',
  reportingInstance: 'watcher-0',
  action: 'Watch',
  reason: 'Watched',
  regarding: { apiVersion: 'v1', kind: 'ConfigMap', name: 'settings', namespace: 'default' },
  related: { kind: 'Secret', name: 'key', namespace: 'default' },
  note: 'The settings were read.',
  type: 'Normal',
};
const LEGACY = {
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'legacy', namespace: 'default' },
  involvedObject: { apiVersion: 'v1', kind: 'ConfigMap', name: 'settings', namespace: 'default' },
  reason: 'Read',
  message: 'The settings were read.',
  source: { component: 'reader', host: 'h1' },
  firstTimestamp: '2026-05-01T12:00:00Z',
  lastTimestamp: '2026-05-01T12:05:00Z',
  count: 3,
  type: 'Warning',
};

test('an event of either group is shown by both, with the names of its group', async (t) => {
  const { call } = await startWorld(t, { roles: ['api'] });
  assert.equal((await call('POST', GROUP, { body: MODERN })).status, 201);
  assert.equal((await call('POST', CORE, { body: LEGACY })).status, 201);
  const { json: modern } = await call('GET', `${CORE}/modern`);
  const { involvedObject, message, reportingComponent, apiVersion, related, ...others } = modern;
  assert.deepEqual(
    { involvedObject, message, reportingComponent, apiVersion, related },
    {
      involvedObject: MODERN.regarding,
      message: MODERN.note,
      reportingComponent: MODERN.reportingController,
      apiVersion: 'v1',
      related: MODERN.related,
    },
  );
  assert.ok(!('note' in others) && !('regarding' in others));
  const { json: legacy } = await call('GET', `${GROUP}/legacy`);
  assert.equal(legacy.apiVersion, 'events.k8s.io/v1');
  assert.deepEqual(
    [legacy.regarding, legacy.note, legacy.deprecatedSource, legacy.deprecatedCount, legacy.deprecatedFirstTimestamp],
    [LEGACY.involvedObject, LEGACY.message, LEGACY.source, 3, LEGACY.firstTimestamp],
  );
  assert.equal(legacy.metadata.uid, (await call('GET', `${CORE}/legacy`)).json.metadata.uid);
  const list = (await call('GET', GROUP)).json;
  assert.deepEqual(
    [list.kind, list.apiVersion, list.items.map(({ note }: { note: string }) => note)],
    ['EventList', 'events.k8s.io/v1', [LEGACY.message, MODERN.note]],
  );
  const countOf = async (path: string, selector: string) =>
    (await call('GET', `${path}?fieldSelector=${encodeURIComponent(selector)}`)).json.items?.length;
  assert.equal(await countOf(GROUP, 'regarding.name=settings,reportingController=example.com/watcher'), 1);
  assert.equal(await countOf(CORE, 'involvedObject.name=settings,reason=Read'), 1);
  assert.equal((await call('GET', `${GROUP}?fieldSelector=involvedObject.name%3Dsettings`)).status, 400);
});

test('events.k8s.io takes events of the newer form, of which only the series changes', async (t) => {
  const { call } = await startWorld(t, { roles: ['api'] });
  const causes = async (body: object) =>
    ((await call('POST', GROUP, { body })).json.details?.causes ?? []).map(({ field }: { field: string }) => field);
  const { eventTime: _time, reportingInstance: _instance, ...bare } = MODERN;
  assert.deepEqual(await causes(bare), ['eventTime']);
  assert.deepEqual(await causes({ ...bare, eventTime: MODERN.eventTime }), ['reportingInstance']);
  assert.deepEqual(await causes({ ...MODERN, deprecatedCount: 2, type: 'Odd' }), ['type', 'deprecatedCount']);
  assert.deepEqual(await causes({ ...MODERN, note: 'x'.repeat(1_025) }), ['note']);
  assert.deepEqual(await causes({ ...MODERN, series: { count: 1 } }), ['series.count', 'series.lastObservedTime']);
  assert.equal((await call('POST', GROUP, { body: MODERN })).status, 201);
  const patch = (path: string, body: object, type = 'merge-patch') =>
    call('PATCH', path, { body, headers: { 'content-type': `application/${type}+json` } });
  const series = { count: 2, lastObservedTime: '2026-05-01T12:01:00.000001Z' };
  const again = await patch(`${GROUP}/modern`, { series });
  assert.equal(again.status, 200, again.text);
  assert.deepEqual((await call('GET', `${CORE}/modern`)).json.series, series);
  const changed = await patch(`${GROUP}/modern`, { note: 'Another.' }, 'strategic-merge-patch');
  assert.equal(changed.status, 422, changed.text);
  assert.match(changed.json.message, /note: Invalid value: "Another\.": field is immutable/);
  // As in Kubernetes the core group lets its clients count.
  assert.equal((await patch(`${CORE}/modern`, { message: 'Another.' })).status, 200);
  assert.equal((await call('GET', `${GROUP}/modern`)).json.note, 'Another.');
});

test('a watch and a server-side apply of one group see what the other wrote', async (t) => {
  const { call, connection } = await startWorld(t, { roles: ['api'] });
  await call('POST', CORE, { body: LEGACY });
  const apply = (path: string, body: object, manager: string) =>
    call('PATCH', `${path}?fieldManager=${manager}`, {
      body,
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
  const applied = await apply(`${GROUP}/modern`, MODERN, 'one');
  assert.equal(applied.status, 201, applied.text);
  const core = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'modern' }, message: 'Other.' };
  const clash = await apply(`${CORE}/modern`, core, 'two');
  assert.equal(clash.status, 409, clash.text);
  assert.equal(clash.json.message, 'Apply failed with 1 conflict: conflict with "one": .note');
  assert.equal((await apply(`${CORE}/modern`, { ...core, message: MODERN.note }, 'two')).status, 200);
  const { metadata } = (await call('GET', GROUP)).json;
  const { server, token } = connection;
  const watching = await fetch(`${server}${GROUP}?watch=true&resourceVersion=${metadata.resourceVersion}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const reader = watching.body?.pipeThrough(new TextDecoderStream()).getReader();
  assert.ok(reader);
  await call('DELETE', `${CORE}/legacy`);
  const { value = '' } = await reader.read();
  await reader.cancel();
  const { type, object } = JSON.parse(value.split('\n')[0] ?? '');
  assert.deepEqual([type, object.apiVersion, object.note], ['DELETED', 'events.k8s.io/v1', LEGACY.message]);
});

test('rules name the group that is asked, and a policy for one group is for both', async (t) => {
  const { call } = await startWorld(t, { roles: ['api'] });
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const rules = [{ verbs: ['create', 'delete', 'get'], apiGroups: ['events.k8s.io'], resources: ['events'] }];
  await call('POST', `${rbac}/clusterroles`, {
    body: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'modern' }, rules },
  });
  await call('POST', `${rbac}/clusterrolebindings`, {
    body: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'modern' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'modern' },
      subjects: [{ kind: 'User', name: 'ann', apiGroup: 'rbac.authorization.k8s.io' }],
    },
  });
  const headers = { 'impersonate-user': 'ann' };
  assert.equal((await call('POST', CORE, { body: LEGACY, headers })).status, 403);
  assert.equal((await call('POST', GROUP, { body: MODERN, headers })).status, 201);
  assert.equal((await call('DELETE', `${CORE}/modern`, { headers })).status, 403);
  assert.equal((await call('DELETE', `${GROUP}/modern`, { headers })).status, 200);
  const admission = '/apis/admissionregistration.k8s.io/v1';
  const policy = (matchPolicy: string) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: matchPolicy.toLowerCase() },
    spec: {
      matchConstraints: {
        matchPolicy,
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['events'] }],
      },
      validations: [{ expression: `object.message != '${matchPolicy}'` }],
    },
  });
  for (const matchPolicy of ['Exact', 'Equivalent']) {
    assert.equal(
      (await call('POST', `${admission}/validatingadmissionpolicies`, { body: policy(matchPolicy) })).status,
      201,
    );
    const binding = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: matchPolicy.toLowerCase() },
      spec: { policyName: matchPolicy.toLowerCase(), validationActions: ['Deny'] },
    };
    assert.equal((await call('POST', `${admission}/validatingadmissionpolicybindings`, { body: binding })).status, 201);
  }
  assert.equal((await call('POST', GROUP, { body: { ...MODERN, note: 'Exact' } })).status, 201);
  await call('DELETE', `${GROUP}/modern`);
  const denied = await call('POST', GROUP, { body: { ...MODERN, note: 'Equivalent' } });
  assert.equal(denied.status, 422, denied.text);
  assert.match(denied.text, /object\.message != 'Equivalent'/);
});

test('events are deleted an hour after their last write, and the oldest of a full namespace', async (t) => {
  const nowMs = { value: Date.parse('2026-05-01T12:00:00Z') };
  const clock: Clock = () => Temporal.Instant.fromEpochMilliseconds(nowMs.value);
  const { call, running } = await startWorld(t, { roles: ['api'], clock });
  const store = running.control?.store ?? assert.fail('no store');
  const minutes = (count: number) => (nowMs.value += count * 60_000);
  const names = async () =>
    (await call('GET', CORE)).json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
  const make = (name: string) => call('POST', CORE, { body: { ...LEGACY, metadata: { name, namespace: 'default' } } });
  await make('old');
  await make('counted');
  minutes(40);
  await call('PATCH', `${CORE}/counted`, {
    body: { count: 4 },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  minutes(19);
  assert.equal(await tidyEvents(store, clock()), 0);
  minutes(2);
  assert.equal(await tidyEvents(store, clock()), 1);
  assert.deepEqual(await names(), ['counted']);
  for (const name of ['a', 'b', 'c']) await make(name);
  assert.equal(await tidyEvents(store, clock(), { ttlMinutes: 60, inNamespace: 2 }), 2);
  assert.deepEqual(await names(), ['b', 'c']);
  minutes(61);
  assert.equal(await tidyEvents(store, clock()), 2);
});

test('client-node writes, lists and deletes events of events.k8s.io', async (t) => {
  const { running } = await startWorld(t, { roles: ['api'] });
  const config = new KubeConfig();
  config.loadFromFile(running.kubeconfigFile);
  const api = config.makeApiClient(EventsV1Api);
  const namespace = 'default';
  const { apiVersion: _version, kind: _kind, ...body } = MODERN;
  const made = await api.createNamespacedEvent({
    namespace,
    body: { ...body, eventTime: new V1MicroTime(MODERN.eventTime) },
  });
  assert.equal(made.note, MODERN.note);
  const { items } = await api.listEventForAllNamespaces({ fieldSelector: 'regarding.kind=ConfigMap' });
  assert.deepEqual(
    items.map(({ metadata, reportingController }) => [metadata?.name, reportingController]),
    [['modern', MODERN.reportingController]],
  );
  await api.deleteNamespacedEvent({ namespace, name: 'modern' });
  assert.equal((await api.listNamespacedEvent({ namespace })).items.length, 0);
});

const kubectls = await findKubectls();
test('kubectl shows events of both groups', { skip: kubectls.length === 0 && 'there is no kubectl' }, async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  await world.call('POST', GROUP, { body: MODERN });
  await world.call('POST', CORE, { body: LEGACY });
  for (const kubectl of kubectls) {
    const { ok } = await openShell(t, world, kubectl);
    assert.match(await ok('get events.events.k8s.io'), /Watched +configmap\/settings +The settings were read\./);
    assert.match(await ok('get events.v1.events.k8s.io legacy -o yaml'), /deprecatedCount: 3/);
    assert.match(await ok('events --for configmap/settings'), /Warning +Read +ConfigMap\/settings/);
    assert.match(await ok('explain events.note --api-version=events.k8s.io/v1'), /FIELD: note/);
    assert.match(await ok('api-resources --api-group=events.k8s.io'), /events +ev +events\.k8s\.io\/v1 +true +Event/);
  }
});
