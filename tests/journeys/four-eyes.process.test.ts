import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Release as ReleaseKind } from '#kernel/releases/kinds/release.ts';
import { startWorld, type Answer } from '../support/backline.ts';
import { changeSet, CHANGE_SETS, flag } from '../support/flags.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const RELEASES = '/apis/releases.backline.dev/v1/releases';
const FLAGS = (namespace: string) => `/apis/experience.backline.dev/v1/namespaces/${namespace}/flags`;
const PEOPLE = ['ann', 'bob', 'cyd'];
/** May nothing by herself. */
const EVE = 'eve';
const WAIT_MS_MAX = 10_000;

interface Release {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly authors: readonly string[];
    readonly objects: readonly { readonly name: string }[];
    readonly open: boolean;
  };
  readonly status: {
    readonly phase: string;
    readonly message: string;
    readonly approvals?: { readonly given: readonly { readonly user: string; readonly counts: boolean }[] };
  };
}

/** An installation with three people who edit everything and approve, and Eve. */
async function startOffice(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'backline-four-eyes-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const tokenFile = join(directory, 'tokens.csv');
  await writeFile(tokenFile, [...PEOPLE, EVE].map((name) => `${name}-token-1234,${name},,`).join('\n'));
  const world = await startWorld(t, { access: { tokenFile } });
  const { call } = world;
  const requireDone = (answer: Answer): Answer => {
    assert.ok(answer.status < 300, answer.text);
    return answer;
  };
  const bind = async (name: string) => {
    const body = {
      metadata: { name: `${name}-edits` },
      roleRef: { kind: 'ClusterRole', name: 'edit' },
      subjects: [{ kind: 'User', name }],
    };
    requireDone(await call('POST', `${RBAC}/clusterrolebindings`, { body }));
  };
  for (const name of PEOPLE) await bind(name);
  for (const name of ['team-a', 'team-c']) {
    requireDone(await call('POST', '/api/v1/namespaces', { body: { metadata: { name } } }));
  }
  const tokenOf = (name: string): string => `${name}-token-1234`;
  const releases = async (): Promise<readonly Release[]> => requireDone(await call('GET', RELEASES)).json.items;
  return {
    ...world,
    call,
    requireDone,
    bind,
    tokenOf,
    releases,
    policy: async (spec: object) => {
      const kind = { apiVersion: 'releases.backline.dev/v1', kind: 'ReleasePolicy', metadata: { name: 'agreed' } };
      requireDone(await call('POST', CHANGE_SETS, { body: changeSet({ ...kind, spec: { stages: [], ...spec } }) }));
    },
    /** Declares flags; the answer names the release. */
    declare: async (token: string, ...objects: object[]): Promise<string> => {
      const { json } = requireDone(await call('POST', CHANGE_SETS, { body: changeSet(...objects), token }));
      return json.status.release;
    },
    approve: (name: string, token: string) =>
      call('POST', `${RELEASES}/${name}/approve`, {
        body: { apiVersion: 'releases.backline.dev/v1', kind: 'ReleaseCommand' },
        token,
      }),
    until: async (isSo: (all: readonly Release[]) => boolean): Promise<readonly Release[]> => {
      for (const endMs = performance.now() + WAIT_MS_MAX; ;) {
        const all = await releases();
        if (isSo(all)) return all;
        assert.ok(
          performance.now() < endMs,
          JSON.stringify(all.map(({ metadata, status }) => [metadata.name, status])),
        );
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    valueOf: async (name: string): Promise<unknown> =>
      (await call('POST', `/ofrep/v1/evaluate/flags/${name}`, { body: { context: { targetingKey: 'u' } } })).json.value,
  };
}

const inNamespace = (namespace: string, name: string, spec: object = {}): object => {
  const object = flag(name, spec) as { readonly metadata: object };
  return { ...object, metadata: { ...object.metadata, namespace } };
};

test('the person who minted a token of a service account may not approve changes made with it', async (t) => {
  const office = await startOffice(t);
  const { call, requireDone, tokenOf } = office;
  await office.policy({ selector: { kinds: ['Flag'] }, approvals: { required: 1 } });
  const accounts = '/api/v1/namespaces/team-a/serviceaccounts';
  requireDone(await call('POST', accounts, { body: { metadata: { name: 'pricing' } } }));
  const subject = { kind: 'ServiceAccount', name: 'pricing', namespace: 'team-a' };
  const binding = {
    metadata: { name: 'pricing' },
    roleRef: { kind: 'ClusterRole', name: 'edit' },
    subjects: [subject],
  };
  requireDone(await call('POST', `${RBAC}/clusterrolebindings`, { body: binding }));
  const mint = async (name: string): Promise<string> =>
    requireDone(await call('POST', `${accounts}/pricing/token`, { body: { spec: {} }, token: tokenOf(name) })).json
      .status.token;
  const token = await mint('ann');
  const name = await office.declare(token, inNamespace('team-a', 'fd'));
  const [release] = await office.until((all) => all.some(({ status }) => status.phase === 'AwaitingApproval'));
  assert.deepEqual(release?.spec.authors, ['ann', 'system:serviceaccount:team-a:pricing']);
  for (const own of [tokenOf('ann'), token, await mint('bob')]) {
    const refused = await office.approve(name, own);
    assert.equal(refused.status, 409, refused.text);
    assert.match(refused.json.message, /made the change/);
  }
  assert.equal((await office.approve(name, tokenOf('bob'))).status, 201);
  await office.until(([one]) => one?.status.phase === 'Promoted');
});

test('authors are those of the record, also after the process began anew', async (t) => {
  const office = await startOffice(t);
  const { call, requireDone, tokenOf } = office;
  await office.declare(tokenOf('cyd'), inNamespace('team-a', 'shown'), inNamespace('team-a', 'free'));
  await office.policy({ selector: { kinds: ['Flag'], matchLabels: { agreed: '1' } }, approvals: { required: 1 } });
  const flagWithLabel = (spec: object): object => {
    const object = inNamespace('team-a', 'shown', spec) as { readonly metadata: object };
    return { ...object, metadata: { ...object.metadata, labels: { agreed: '1' } } };
  };
  await office.declare(
    tokenOf('ann'),
    flagWithLabel({ default: 'b' }),
    inNamespace('team-a', 'free', { default: 'b' }),
  );
  await office.restart();
  const headers = { 'content-type': 'application/merge-patch+json' };
  const body = { metadata: { labels: { agreed: null } } };
  requireDone(await call('PATCH', `${FLAGS('team-a')}/shown`, { body, headers, token: tokenOf('bob') }));
  const all = await office.until((found) => found.some(({ status }) => status.phase === 'Superseded'));
  const release = all.find(({ spec }) => spec.open);
  assert.deepEqual(
    [release?.spec.authors, release?.spec.objects.map(({ name }) => name)],
    [
      ['ann', 'bob'],
      ['free', 'shown'],
    ],
  );
  assert.equal((await office.approve(release?.metadata.name ?? '', tokenOf('ann'))).status, 409);
  assert.equal(await office.valueOf('shown'), 'A');
});

test('a request id of the caller makes nobody the author of what others declared', async (t) => {
  const office = await startOffice(t);
  await office.policy({ selector: { kinds: ['Flag'] }, approvals: { required: 1 } });
  const headers = { 'x-request-id': 'build-1' };
  const pairs = Array.from({ length: 20 }, (_, index) => index).flatMap((index) =>
    ['ann', 'bob'].map((name) => ({ name, flag: `${name}-${index}` })),
  );
  await Promise.all(
    pairs.map(async ({ name, flag: one }) => {
      const body = changeSet(inNamespace('team-a', one));
      office.requireDone(await office.call('POST', CHANGE_SETS, { body, headers, token: office.tokenOf(name) }));
    }),
  );
  const all = await office.until((found) => found.length >= pairs.length);
  assert.equal(all.length, pairs.length);
  for (const { spec } of all) {
    assert.equal(spec.objects.length, 1);
    assert.deepEqual(spec.authors, [spec.objects[0]?.name.split('-')[0]]);
  }
});

test('neither another namespace nor a label that is taken off leads past the policy of what is live', async (t) => {
  const office = await startOffice(t);
  const { call, tokenOf, requireDone } = office;
  await office.declare(tokenOf('ann'), inNamespace('team-a', 'shown'));
  await office.until((all) => all.every(({ status }) => status.phase === 'Promoted'));
  assert.equal(await office.valueOf('shown'), 'A');
  await office.policy({ selector: { kinds: ['Flag'], namespaces: ['team-a'] }, approvals: { required: 2 } });
  requireDone(await call('DELETE', `${FLAGS('team-a')}/shown`, { token: tokenOf('ann') }));
  await office.until((all) => all.at(-1)?.status.phase === 'AwaitingApproval');
  await office.declare(tokenOf('ann'), inNamespace('team-c', 'shown', { default: 'b' }));
  const waiting = await office.until(
    (all) => all.some(({ status }) => status.phase === 'Superseded') && all.some(({ spec }) => spec.open),
  );
  const release = waiting.find(({ spec }) => spec.open);
  assert.equal(release?.status.phase, 'AwaitingApproval');
  assert.equal(await office.valueOf('shown'), 'A');
  for (const name of ['bob', 'cyd']) {
    assert.equal((await office.approve(release?.metadata.name ?? '', tokenOf(name))).status, 201);
  }
  await office.until((all) => all.every(({ spec }) => !spec.open));
  assert.equal(await office.valueOf('shown'), 'B');
});

test('the approval of a service account that is gone does not count, nor by another one of its name', async (t) => {
  const office = await startOffice(t);
  const { call, requireDone, tokenOf } = office;
  await office.policy({ selector: { kinds: ['Flag'] }, approvals: { required: 2 } });
  const accounts = '/api/v1/namespaces/team-a/serviceaccounts';
  const subject = { kind: 'ServiceAccount', name: 'robot', namespace: 'team-a' };
  const roleRef = { kind: 'ClusterRole', name: 'release-approver' };
  const binding = { metadata: { name: 'robot' }, roleRef, subjects: [subject] };
  requireDone(await call('POST', `${RBAC}/clusterrolebindings`, { body: binding }));
  const make = async (): Promise<string> => {
    requireDone(await call('POST', accounts, { body: { metadata: { name: 'robot' } } }));
    return requireDone(await call('POST', `${accounts}/robot/token`, { body: { spec: {} }, token: tokenOf('cyd') }))
      .json.status.token;
  };
  const drop = async () => requireDone(await call('DELETE', `${accounts}/robot`));
  const name = await office.declare(tokenOf('ann'), inNamespace('team-a', 'fd'));
  await office.until((all) => all.some(({ status }) => status.phase === 'AwaitingApproval'));
  assert.equal((await office.approve(name, await make())).status, 201);
  await drop();
  const GONE = /The approval of system:serviceaccount:team-a:robot does not count/;
  const isGone = (all: readonly Release[]) => all.some(({ status }) => GONE.test(status.message));
  await office.until(isGone);
  const token = await make();
  requireDone(await office.approve(name, tokenOf('bob')));
  const [release] = await office.until((all) => all.some(({ status }) => GONE.test(status.message)));
  assert.deepEqual(
    release?.status.approvals?.given.map(({ user, counts }) => [user, counts]),
    [
      ['system:serviceaccount:team-a:robot', false],
      ['bob', true],
    ],
  );
  requireDone(await office.approve(name, token));
  await office.until(([one]) => one?.status.phase === 'Promoted');
});

test('an approver of Releases with a label may approve no other, and no longer counts when the label is gone', async (t) => {
  const office = await startOffice(t);
  const { call, requireDone, tokenOf } = office;
  await office.policy({ selector: { kinds: ['Flag'] }, approvals: { required: 2 } });
  const rule = { apiGroups: ['releases.backline.dev'], resources: ['releases/approve'], verbs: ['create'] };
  const rules = [{ ...rule, labelSelector: 'desk=eve' }];
  requireDone(await call('POST', `${RBAC}/clusterroles`, { body: { metadata: { name: 'desk' }, rules } }));
  const binding = {
    metadata: { name: 'desk' },
    roleRef: { kind: 'ClusterRole', name: 'desk' },
    subjects: [{ kind: 'User', name: EVE }],
  };
  requireDone(await call('POST', `${RBAC}/clusterrolebindings`, { body: binding }));
  /** Writes as a part of this program, because people may not label Releases. */
  const label = async (name: string, desk: string | null) => {
    const patch = { metadata: { labels: { desk } } };
    const place = { kind: ReleaseKind.id, namespace: '', name } as const;
    const operation = {
      ...place,
      verb: 'patch',
      part: 'main',
      patchType: 'merge',
      patch,
      fieldValidation: 'Ignore',
    } as const;
    await office.running.control?.store.write([operation], { user: 'system:desk', requestId: 'label' });
  };
  const counts = (release: Release | undefined) =>
    release?.status.approvals?.given.map((one) => [one.user, one.counts]);
  const names = [];
  for (const name of ['hers', 'other']) names.push(await office.declare(tokenOf('ann'), inNamespace('team-a', name)));
  const [hers = '', other = ''] = names;
  await office.until((all) => all.filter(({ status }) => status.phase === 'AwaitingApproval').length === 2);
  await label(hers, EVE);

  const refused = await office.approve(other, tokenOf(EVE));
  // She may not read it either.
  assert.equal(refused.status, 404, refused.text);
  assert.match(refused.json.message, /not found among those with labelSelector=desk=eve/);
  requireDone(await office.approve(hers, tokenOf(EVE)));
  const find = (all: readonly Release[]) => all.find(({ metadata }) => metadata.name === hers);
  assert.deepEqual(counts(find(await office.releases())), [[EVE, true]]);

  await label(hers, null);
  const GONE = /The approval of eve does not count: eve no longer has the right/;
  await office.until((all) => GONE.test(find(all)?.status.message ?? ''));
  requireDone(await office.approve(hers, tokenOf('bob')));
  const counted = await office.until((all) => counts(find(all))?.length === 2);
  assert.deepEqual(counts(find(counted)), [
    [EVE, false],
    ['bob', true],
  ]);
  assert.equal(find(counted)?.status.phase, 'AwaitingApproval');
  await label(hers, EVE);
  await office.until((all) => find(all)?.status.phase === 'Promoted');
});

test('an approver who lost the role between two approvals no longer counts, is shown so, and counts again with it', async (t) => {
  const office = await startOffice(t);
  const { call, requireDone, tokenOf } = office;
  await office.policy({ selector: { kinds: ['Flag'] }, approvals: { required: 2 } });
  const name = await office.declare(tokenOf('ann'), inNamespace('team-a', 'shown'));
  assert.equal((await office.approve(name, tokenOf('bob'))).status, 201);
  requireDone(await call('DELETE', `${RBAC}/clusterrolebindings/bob-edits`));
  assert.equal((await office.approve(name, tokenOf('cyd'))).status, 201);
  const [release] = await office.until(([one]) => /does not count/.test(one?.status.message ?? ''));
  assert.match(release?.status.message ?? '', /The approval of bob does not count: bob no longer has the right/);
  assert.deepEqual(
    release?.status.approvals?.given.map(({ user, counts }) => [user, counts]),
    [
      ['bob', false],
      ['cyd', true],
    ],
  );
  await office.bind('bob');
  await office.until(([one]) => one?.status.phase === 'Promoted');
});
