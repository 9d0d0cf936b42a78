import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { startWorld } from '../support/backline.ts';
import { changeSet, CHANGE_SETS, flag } from '../support/flags.ts';

const Campaign = defineKind({
  group: 'adverts.example',
  version: 'v1',
  kind: 'Campaign',
  plural: 'campaigns',
  scope: 'Namespaced',
  description: 'What an account wants to be shown.',
  spec: Type.Object({
    account: Type.String(),
    budget: Type.Integer({ default: 1 }),
    slot: Type.Optional(Type.String()),
  }),
  status: Type.Object({ spent: Type.Optional(Type.Integer()) }),
  validate: ({ slot }, { name, find }) =>
    slot === undefined
      ? []
      : find('adverts.example/Campaign', 'slot', slot)
          .filter(({ metadata }) => metadata.name !== name)
          .map((other) => ({
            path: ['spec', 'slot'],
            reason: 'FieldValueDuplicate' as const,
            detail: `Campaign "${other.metadata.name}" has this slot`,
            about: {
              kind: 'adverts.example/Campaign',
              name: other.metadata.name,
              instead: 'another Campaign has this slot',
            },
          })),
  selectableFields: { 'spec.account': ['spec', 'account'], 'spec.budget': ['spec', 'budget'] },
  fieldIndexes: { 'spec.account': 'account' },
  indexes: { account: ({ account }) => [account], slot: ({ slot }) => (slot === undefined ? [] : [slot]) },
});

const CAMPAIGNS = '/apis/adverts.example/v1/namespaces/default/campaigns';
const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const campaign = (name: string, account: string, more: object = {}) => ({
  apiVersion: Campaign.apiVersion,
  kind: Campaign.kind,
  metadata: { name },
  spec: { account, ...more },
});

test('rights by selector: a user of one account sees and writes what is of that account, and nothing else', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backline-tokens-'));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, 'ann-token-1234,ann,1,\nbob-token-1234,bob,2,\n');
  const world = await startWorld(t, { roles: ['api'], access: { tokenFile } });
  await world.running.control?.kinds.add(Campaign);
  const { call } = world;
  const ANN = { token: 'ann-token-1234' };
  const post = (path: string, body: object, as: object = {}) => call('POST', path, { body, ...as });
  const create = async (path: string, body: object) => {
    const answer = await post(path, body);
    assert.equal(answer.status, 201, answer.text);
    return answer.json;
  };
  const role = (name: string, rules: readonly object[]) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name },
    rules,
  });
  const rule = (more: object) => ({ apiGroups: ['adverts.example'], resources: ['campaigns'], verbs: ['*'], ...more });
  const bind = (name: string, user: string) =>
    create(`${RBAC}/rolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name },
      subjects: [{ kind: 'User', name: user }],
      roleRef: { kind: 'Role', name },
    });
  const patch = (name: string, spec: object, as: object = ANN) =>
    call('PATCH', `${CAMPAIGNS}/${name}`, { body: { spec }, headers: MERGE, ...as });

  await create(`${RBAC}/roles`, role('of-a', [rule({ fieldSelector: 'spec.account=a' })]));
  await bind('of-a', 'ann');
  await create(CAMPAIGNS, campaign('mine', 'a'));
  await create(CAMPAIGNS, campaign('theirs', 'b'));

  await t.test('a list, watch or deletion of many is narrowed to what the rule selects, and says so', async () => {
    const namesOf = (answer: Awaited<ReturnType<typeof call>>): readonly string[] => {
      assert.equal(answer.status, 200, answer.text);
      return answer.json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
    };
    const narrowed = /^299 - "you may reach campaigns only with fieldSelector=spec\.account=a: /;
    const all = await call('GET', CAMPAIGNS, ANN);
    assert.deepEqual(namesOf(all), ['mine']);
    assert.match(String(all.headers['warning']), narrowed);
    assert.equal(all.json.metadata.remainingItemCount, undefined);
    for (const selector of ['spec.account=a', 'spec.account=a,spec.budget!=9', 'spec.budget=1,spec.account==a']) {
      const listed = await call('GET', `${CAMPAIGNS}?fieldSelector=${encodeURIComponent(selector)}`, ANN);
      assert.deepEqual(namesOf(listed), ['mine'], selector);
      assert.equal(listed.headers['warning'], undefined, 'it selects no others itself');
    }
    for (const selector of ['spec.account=b', 'spec.budget=9', 'metadata.name=theirs', 'spec.account!=a']) {
      const path = `${CAMPAIGNS}?fieldSelector=${encodeURIComponent(selector)}`;
      assert.deepEqual(namesOf(await call('GET', path, ANN)), [], selector);
      assert.deepEqual(namesOf(await call('DELETE', path, ANN)), [], selector);
    }
    const past = await call('GET', `${CAMPAIGNS}?asOf=${all.json.metadata.resourceVersion}`, ANN);
    assert.deepEqual(namesOf(past), ['mine'], 'as it was then');
    const watched = await call('GET', `${CAMPAIGNS}?watch=1&timeoutSeconds=1`, ANN);
    assert.match(String(watched.headers['warning']), narrowed);
    const shown = watched.text.trim().split('\n');
    assert.deepEqual(
      shown.map((line) => JSON.parse(line).object.metadata.name),
      ['mine'],
    );
    assert.equal((await call('GET', `${CAMPAIGNS}/theirs`)).status, 200, 'nothing of others was deleted');
    const wrong = await call('GET', `${CAMPAIGNS}?fieldSelector=spec.colour=red`);
    assert.equal(wrong.status, 400);
    assert.match(wrong.json.message, /not supported: spec\.colour\. Select by .*, spec\.account, spec\.budget/);
  });

  await t.test('one object is read where it is selected; the answer does not reveal whether others exist', async () => {
    assert.equal((await call('GET', `${CAMPAIGNS}/mine`, ANN)).status, 200);
    const theirs = await call('GET', `${CAMPAIGNS}/theirs`, ANN);
    const nothing = await call('GET', `${CAMPAIGNS}/nothing`, ANN);
    assert.deepEqual([theirs.status, nothing.status], [404, 404]);
    assert.equal(theirs.json.message.replace('theirs', 'nothing'), nothing.json.message);
    assert.match(theirs.json.message, /"theirs" not found among those with fieldSelector=spec\.account=a$/);
    assert.equal((await call('GET', `${CAMPAIGNS}/mine/history`, ANN)).status, 403);
  });

  await t.test('a write is held against the object before and after it', async () => {
    assert.equal((await post(CAMPAIGNS, campaign('new', 'a'), ANN)).status, 201);
    assert.equal((await post(CAMPAIGNS, campaign('foreign', 'b'), ANN)).status, 403);
    assert.equal((await patch('mine', { budget: 5 })).status, 200);
    assert.equal((await patch('theirs', { budget: 5 })).status, 404);
    assert.equal((await patch('nothing', { budget: 5 })).status, 404);
    assert.equal((await patch('mine', { account: 'b' })).status, 403, 'it may not give it away');
    assert.equal((await patch('theirs', { account: 'a' })).status, 404, 'nor take one');
    const status = (name: string) =>
      call('PATCH', `${CAMPAIGNS}/${name}/status`, { body: { status: { spent: 1 } }, headers: MERGE, ...ANN });
    assert.deepEqual([(await status('mine')).status, (await status('theirs')).status], [403, 403], 'no such right');
    assert.equal((await call('DELETE', `${CAMPAIGNS}/theirs`, ANN)).status, 404);
    assert.equal((await call('DELETE', `${CAMPAIGNS}/new`, ANN)).status, 200);
    const changes = {
      apiVersion: 'releases.backline.dev/v1',
      kind: 'ChangeSet',
      metadata: { name: 'both' },
      spec: { objects: [campaign('one', 'a'), campaign('two', 'b')] },
    };
    const set = await post('/apis/releases.backline.dev/v1/changesets', changes, ANN);
    assert.equal(set.status, 403, 'all or nothing');
    assert.equal((await call('GET', `${CAMPAIGNS}/one`)).status, 404);
  });

  await t.test(
    'a conflict with another object is reported only for a write that the selector allows, and names only readable ones',
    async () => {
      await create(CAMPAIGNS, campaign('slot-of-a', 'a', { slot: '1' }));
      await create(CAMPAIGNS, campaign('slot-of-b', 'b', { slot: '2' }));
      for (const slot of ['1', '2', '3']) {
        const outside = await post(`${CAMPAIGNS}?dryRun=All`, campaign('probe', 'b', { slot }), ANN);
        assert.equal(outside.status, 403, outside.text);
        assert.equal((await patch('mine', { account: 'b', slot })).status, 403);
      }
      const inside = (slot: string) => post(`${CAMPAIGNS}?dryRun=All`, campaign('probe', 'a', { slot }), ANN);
      const [named, unnamed] = [await inside('1'), await inside('2')];
      assert.deepEqual([named.status, unnamed.status], [422, 422]);
      assert.match(named.text, /Campaign \\"slot-of-a\\" has this slot/);
      assert.match(unnamed.text, /another Campaign has this slot/);
      assert.doesNotMatch(unnamed.text, /slot-of-b/);
      for (const name of ['slot-of-a', 'slot-of-b']) await call('DELETE', `${CAMPAIGNS}/${name}`);
    },
  );

  await t.test(
    'a posted kind that is not stored needs a rule without a selector: its labels are chosen by the caller',
    async () => {
      const apiGroups = ['authorization.k8s.io', 'releases.backline.dev'];
      const resources = ['subjectaccessreviews', 'changesets'];
      await create(`${RBAC.replace('/namespaces/default', '')}/clusterroles`, {
        ...role('asks', [{ apiGroups, resources, verbs: ['create'], labelSelector: 'team=x' }]),
        kind: 'ClusterRole',
      });
      await create(`${RBAC.replace('/namespaces/default', '')}/clusterrolebindings`, {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: 'asks' },
        subjects: [{ kind: 'User', name: 'bob' }],
        roleRef: { kind: 'ClusterRole', name: 'asks' },
      });
      const ask = (labels: object | undefined) =>
        post(
          '/apis/authorization.k8s.io/v1/subjectaccessreviews',
          {
            apiVersion: 'authorization.k8s.io/v1',
            kind: 'SubjectAccessReview',
            ...(labels === undefined ? {} : { metadata: { labels } }),
            spec: { user: 'ann', resourceAttributes: { verb: 'list', resource: 'secrets', namespace: 'default' } },
          },
          { token: 'bob-token-1234' },
        );
      for (const labels of [undefined, {}, { team: 'y' }, { team: 'x' }]) {
        const refused = await ask(labels);
        assert.equal(refused.status, 403, refused.text);
        assert.match(
          refused.json.message,
          /labelSelector=team=x applies to stored objects, and this one is not stored/,
        );
      }
    },
  );

  await t.test('an object that moves into the allowed set comes as ADDED, and one that leaves as DELETED', async () => {
    const { metadata } = (await call('GET', CAMPAIGNS)).json;
    const watching = call(
      'GET',
      `${CAMPAIGNS}?fieldSelector=spec.account%3Da&watch=1&timeoutSeconds=2&resourceVersion=${metadata.resourceVersion}`,
      ANN,
    );
    await patch('theirs', { account: 'a' }, {});
    assert.equal((await patch('theirs', { budget: 7 })).status, 200, 'it is theirs now');
    await patch('theirs', { account: 'b', budget: 8 }, {});
    assert.equal((await patch('theirs', { budget: 9 })).status, 404, 'and no longer');
    const events = (await watching).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      events.map(({ type, object }) => [type, object.metadata.name, object.spec.account, object.spec.budget]),
      [
        ['ADDED', 'theirs', 'a', 1],
        ['MODIFIED', 'theirs', 'a', 7],
        ['DELETED', 'theirs', 'a', 7],
      ],
    );
  });

  await t.test('one that leaves with the change that removes it is shown as it was before', async () => {
    const { metadata } = (await call('GET', CAMPAIGNS)).json;
    const held = campaign('held', 'a');
    await create(CAMPAIGNS, { ...held, metadata: { ...held.metadata, finalizers: ['adverts.example/hold'] } });
    await call('DELETE', `${CAMPAIGNS}/held`);
    const removal = { metadata: { finalizers: null }, spec: { account: 'b', budget: 9 } };
    assert.equal((await call('PATCH', `${CAMPAIGNS}/held`, { body: removal, headers: MERGE })).status, 200);
    const watched = await call(
      'GET',
      `${CAMPAIGNS}?fieldSelector=spec.account%3Da&watch=1&timeoutSeconds=1&resourceVersion=${metadata.resourceVersion}`,
      ANN,
    );
    const events = watched.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      events.map(({ type, object }) => [type, object.spec.account, object.spec.budget]),
      [
        ['ADDED', 'a', 1],
        ['MODIFIED', 'a', 1],
        ['DELETED', 'a', 1],
      ],
    );
  });

  await t.test('a deletion of many leaves what is no longer selected, whichever version it names', async () => {
    await create(
      `${RBAC}/roles`,
      role('cleans-a', [rule({ verbs: ['deletecollection'], fieldSelector: 'spec.account=a' })]),
    );
    await bind('cleans-a', 'bob');
    await create(CAMPAIGNS, campaign('left', 'a'));
    const { metadata } = await create(CAMPAIGNS, campaign('stays', 'a'));
    assert.equal((await patch('left', { account: 'b' }, {})).status, 200);
    const moment = `resourceVersion=${metadata.resourceVersion}&resourceVersionMatch=Exact`;
    const selector = 'fieldSelector=spec.account%3Da,metadata.name!%3Dmine,metadata.name!%3Dnew';
    const removed = await call('DELETE', `${CAMPAIGNS}?${selector}&${moment}`, { token: 'bob-token-1234' });
    assert.deepEqual(
      removed.json.items.map((item: { metadata: { name: string } }) => item.metadata.name),
      ['stays'],
    );
    assert.equal((await call('GET', `${CAMPAIGNS}/left`)).status, 200);
  });

  await t.test('reviews understand selectors as Kubernetes does', async () => {
    const ask = async (fieldSelector: object | undefined, verb = 'list') => {
      const answer = await post(
        '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
        {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SelfSubjectAccessReview',
          spec: {
            resourceAttributes: {
              verb,
              group: 'adverts.example',
              resource: 'campaigns',
              namespace: 'default',
              ...(fieldSelector === undefined ? {} : { fieldSelector }),
            },
          },
        },
        ANN,
      );
      assert.equal(answer.status, 201, answer.text);
      return answer.json.status;
    };
    assert.equal((await ask({ rawSelector: 'spec.account=a' })).allowed, true);
    const selectorFor = (values: string[]) => ({ requirements: [{ key: 'spec.account', operator: 'In', values }] });
    assert.equal((await ask(selectorFor(['a']))).allowed, true);
    assert.equal((await ask(selectorFor(['a', 'b']))).allowed, false);
    const without = await ask(undefined);
    assert.deepEqual([without.allowed, without.reason], [false, 'allowed only with fieldSelector=spec.account=a']);
  });

  await t.test(
    'a selector is handed on only where it is held, and one that selects by nothing is refused',
    async () => {
      const typo = await post(`${RBAC}/roles`, role('typo', [rule({ fieldSelector: 'spec.acount!=x' })]), {});
      assert.equal(typo.status, 422, typo.text);
      assert.match(typo.text, /campaigns are not selected by spec\.acount, but by .*spec\.account/);
      const broken = await post(`${RBAC}/roles`, role('broken', [rule({ labelSelector: 'a in' })]), {});
      assert.equal(broken.status, 422, broken.text);
      for (const [more, why] of [
        [{ fieldSelector: ',' }, /It selects every object\. Select some, like spec\.market=de/],
        [{ labelSelector: ' ' }, /It selects every object\. Select some, like team=growth/],
        [{ fieldSelector: 'spec.account=a', verbs: ['get', 'refer'] }, /refer cannot be limited to selected objects/],
        [{ labelSelector: 'team=x', verbs: ['bind', 'escalate'] }, /bind, escalate cannot be limited to selected/],
        [
          { labelSelector: 'team=x', resources: ['campaigns/history'] },
          /campaigns\/history cannot be limited to selected/,
        ],
        [{ fieldSelector: 'spec.acount=a', resources: ['campaigns/status'] }, /are not selected by spec\.acount/],
      ] as const) {
        const refused = await post(`${RBAC}/roles`, role('useless', [rule(more)]), {});
        assert.equal(refused.status, 422, refused.text);
        assert.match(refused.text, why);
      }
      await create(
        `${RBAC}/roles`,
        role('grants', [
          { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['create', 'update'] },
        ]),
      );
      await bind('grants', 'ann');
      const narrower = rule({ fieldSelector: 'spec.account=a,spec.budget=1', verbs: ['get'] });
      assert.equal((await post(`${RBAC}/roles`, role('narrower', [narrower]), ANN)).status, 201);
      for (const wider of [rule({ verbs: ['get'] }), rule({ fieldSelector: 'spec.account!=c', verbs: ['get'] })]) {
        const refused = await post(`${RBAC}/roles`, role('wider', [wider]), ANN);
        assert.equal(refused.status, 403, refused.text);
      }
    },
  );

  await t.test('a rule for a subresource alone selects by the fields of its object', async () => {
    const spends = rule({ fieldSelector: 'spec.account=a', resources: ['campaigns/status'], verbs: ['patch'] });
    await create(`${RBAC}/roles`, role('spends', [spends]));
    await bind('spends', 'ann');
    const status = (name: string) =>
      call('PATCH', `${CAMPAIGNS}/${name}/status`, { body: { status: { spent: 1 } }, headers: MERGE, ...ANN });
    assert.deepEqual([(await status('mine')).status, (await status('theirs')).status], [200, 404]);
  });

  await t.test('a review of all rules says that some are for some objects only', async () => {
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectRulesReview',
      spec: { namespace: 'default' },
    };
    const rulesFor = async (as: object) =>
      (await post('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', review, as)).json.status;
    const { incomplete, evaluationError } = await rulesFor(ANN);
    assert.equal(incomplete, true);
    assert.match(
      evaluationError,
      /these rules are for some objects only: campaigns \[\*\] with fieldSelector=spec\.account=a; /,
    );
    assert.equal((await rulesFor({})).incomplete, false);
  });

  await t.test('labels select as fields do', async () => {
    await create(`${RBAC}/roles`, role('of-team', [rule({ labelSelector: 'team in (x,y)', verbs: ['get', 'list'] })]));
    await bind('of-team', 'bob');
    const BOB = { token: 'bob-token-1234' };
    await call('PATCH', `${CAMPAIGNS}/mine`, { body: { metadata: { labels: { team: 'x' } } }, headers: MERGE });
    assert.equal((await call('GET', `${CAMPAIGNS}/mine`, BOB)).status, 200);
    assert.equal((await call('GET', `${CAMPAIGNS}/theirs`, BOB)).status, 404);
    assert.equal((await call('GET', `${CAMPAIGNS}?labelSelector=team%3Dx`, BOB)).json.items.length, 1);
    assert.equal((await call('GET', `${CAMPAIGNS}?labelSelector=team`, BOB)).json.items.length, 1);
  });
});

test('a rule for objects with a label reads nothing beside them: no path, query, trace, history or record', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backline-tokens-'));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, 'ann-token-1234,ann,1,\n');
  const world = await startWorld(t, { access: { tokenFile } });
  const { call } = world;
  const create = async (path: string, body: object): Promise<void> => {
    const answer = await call('POST', path, { body });
    assert.ok(answer.status < 300, answer.text);
  };
  const everywhere = RBAC.replace('/namespaces/default', '');
  const rules = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'], labelSelector: 'team=x' }];
  await create(`${everywhere}/clusterroles`, { metadata: { name: 'of-x' }, rules });
  await create(`${everywhere}/clusterrolebindings`, {
    metadata: { name: 'of-x' },
    subjects: [{ kind: 'User', name: 'ann' }],
    roleRef: { kind: 'ClusterRole', name: 'of-x' },
  });
  const [mine, theirs] = [flag('mine'), flag('theirs')] as { readonly metadata: object }[];
  const labels = { team: 'x' };
  await create(CHANGE_SETS, changeSet({ ...mine, metadata: { ...mine?.metadata, labels } }, theirs ?? {}));
  const ANN = { token: 'ann-token-1234' };
  const FLAGS = '/apis/experience.backline.dev/v1/namespaces/default/flags';
  const RELEASES = '/apis/releases.backline.dev/v1/releases';
  const bodyOf = (apiVersion: string, kind: string, spec: object) => ({
    body: { apiVersion, kind, metadata: { labels }, spec },
    ...ANN,
  });
  const [release] = (await call('GET', RELEASES)).json.items;
  const closed: readonly (readonly [method: string, path: string, more?: object])[] = [
    ['GET', `${FLAGS}/theirs`],
    ['GET', `${FLAGS}/mine/history`],
    ['GET', `${RELEASES}/${release.metadata.name}`],
    ['POST', `${RELEASES}/${release.metadata.name}/changes`, bodyOf('releases.backline.dev/v1', 'ReleaseChanges', {})],
    [
      'POST',
      '/apis/events.backline.dev/v1/queries',
      bodyOf('events.backline.dev/v1', 'Query', { sql: 'select * from watermarks' }),
    ],
    ['GET', '/v1/explain?plan=free&market=de'],
    ['GET', '/v1/flags/explain?flag=theirs'],
    ['GET', '/v1/prices?market=de'],
    ['GET', '/v1/snapshot'],
    ['GET', '/v1/subjects?listener=ann'],
    ['POST', '/v1/consume', { body: { listener: 'ann', feature: 'f', amount: 1, key: 'k' } }],
    ['POST', '/ofrep/v1/evaluate/flags/theirs', { body: { context: { targetingKey: 'u' } } }],
  ];
  for (const [method, path, more] of closed) {
    const answer = await call(method, path, { ...ANN, ...more });
    assert.ok([403, 404].includes(answer.status), `${method} ${path}: ${answer.text}`);
  }
  const namesOf = async (path: string): Promise<readonly string[]> => {
    const { json, text, status } = await call('GET', `${path}?labelSelector=team%3Dx`, ANN);
    assert.equal(status, 200, text);
    return json.items.map(({ metadata }: { readonly metadata: { readonly name: string } }) => metadata.name);
  };
  assert.deepEqual(await namesOf(FLAGS), ['mine']);
  assert.equal((await call('GET', FLAGS, ANN)).json.items.length, 1);
  // Lists from elsewhere are not narrowed: their pages would tell of what they leave out.
  const records = await call('GET', '/apis/audit.backline.dev/v1/auditrecords', ANN);
  assert.match(records.json.message, /it is allowed with labelSelector=team=x; add it to the request/);
  for (const path of [
    RELEASES,
    '/apis/releases.backline.dev/v1/heads',
    '/apis/audit.backline.dev/v1/auditrecords',
    '/apis/audit.backline.dev/v1/recordreads',
    '/apis/events.backline.dev/v1/quarantinedevents',
    '/apis/events.backline.dev/v1/erasures',
  ]) {
    assert.deepEqual(await namesOf(path), [], path);
  }
});
