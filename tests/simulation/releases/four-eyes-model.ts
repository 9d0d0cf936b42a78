import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { Flag } from '#domains/experience/kinds/flag.ts';
import { seedRandom } from '#kernel/base/chance.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { GROUP_LABEL } from '#kernel/releases/kinds/identity.ts';
import { durationMs } from '#kernel/kinds/schema/duration.ts';
import type { Answer, World } from '#tests/support/backline.ts';

const PEOPLE = ['ann', 'bob', 'cyd', 'dan', 'eve'];
const LEADS = ['cyd', 'dan'];
export const TOKENS = PEOPLE.map((name) => `${name}-token-1234,${name},,${LEADS.includes(name) ? '"leads"' : ''}`).join(
  '\n',
);

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const RELEASES_API = '/apis/releases.backline.dev/v1';
const NAMESPACES = ['n1', 'n2'];
const FLAGS = ['f0', 'f1', 'f2', 'f3'];
const ROBOTS = ['robot', 'second'];
const YEAR_SECONDS = 31_536_000;
const SETTLE_POLLS_MAX = 400;
const POLL_MS = 5;

/** An action of a person, under one of their accounts. */
interface Act {
  readonly person: string;
  readonly user: string;
  readonly after: number;
  readonly upTo: number;
}

interface OpenRelease {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly planHash: string };
}

/** A row of the record of changes. */
interface Row {
  readonly version: number;
  readonly atMs: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly kind: string;
  readonly name: string;
  readonly user: string;
  readonly isOurs: boolean;
  // The objects of several kinds are looked into.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly object: any;
}

/**
 * Five people, two service accounts and everybody's ways around each other, over HTTP: the steps follow from the seed.
 * Says what happened, by name, and holds the whole record against the oracle.
 */
export async function playFourEyes(
  world: World,
  seed: number,
  steps: number,
  pass: (ms: number) => void,
): Promise<ReadonlyMap<string, number>> {
  const chance = seedRandom(seed);
  const below = (count: number): number => Math.floor(chance() * count);
  const pick = <Item>(items: readonly Item[]): Item =>
    items[below(items.length)] ?? assert.fail('nothing to pick from');
  const { call, running } = world;
  const control = running.control ?? assert.fail('there is no control plane');
  const counts = new Map<string, number>();
  const note = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const acts: Act[] = [];
  const minted = new Map<string, string>();

  const require = (answer: Answer): Answer => {
    assert.ok(answer.status < 300, answer.text);
    return answer;
  };
  const settle = async (): Promise<void> => {
    let seen = -1;
    for (let still = 0, polls = 0; still < 3; polls += 1) {
      assert.ok(polls < SETTLE_POLLS_MAX, 'the engine does not come to rest');
      await control.releases()?.caughtUp();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      const version = control.store.version();
      still = version === seen ? still + 1 : 0;
      seen = version;
    }
  };
  /** Does something as a person, and notes which versions came of it. */
  const act = async (person: string, user: string, what: () => Promise<Answer>): Promise<Answer> => {
    const after = control.store.version();
    const answer = await what();
    assert.ok(answer.status < 500, answer.text);
    acts.push({ person, user, after, upTo: control.store.version() });
    return answer;
  };
  /** The person, or a service account by a token that they minted, or by one that was minted with that. */
  const account = async (person: string, often = 3): Promise<{ user: string; token: string }> => {
    const own = { user: person, token: `${person}-token-1234` };
    if (below(often) > 0) return own;
    const mint = async (robot: string, token: string): Promise<string> => {
      const key = `${robot} ${token}`;
      const known = minted.get(key);
      if (known !== undefined) return known;
      const path = `/api/v1/namespaces/n1/serviceaccounts/${robot}/token`;
      const body = { spec: { expirationSeconds: YEAR_SECONDS } };
      const made: string = require(await call('POST', path, { body, token })).json.status.token;
      minted.set(key, made);
      return made;
    };
    note('with a minted token');
    const first = await mint('robot', own.token);
    if (below(2) === 0) return { user: 'system:serviceaccount:n1:robot', token: first };
    return { user: 'system:serviceaccount:n1:second', token: await mint('second', first) };
  };
  const placeOf = (name: string): string => control.store.find(Flag, 'name', name)[0]?.namespace ?? pick(NAMESPACES);
  const flag = (name: string) => ({
    apiVersion: 'experience.backline.dev/v1',
    kind: 'Flag',
    metadata: {
      name,
      namespace: below(6) === 0 ? pick(NAMESPACES) : placeOf(name),
      labels: {
        ...(below(2) === 0 ? { a: '1' } : {}),
        ...(below(3) === 0 ? { b: '1' } : {}),
        ...(below(12) === 0 ? { [GROUP_LABEL]: 'g' } : {}),
      },
    },
    spec: {
      title: pick(['One', 'Two']),
      type: 'boolean',
      variants: [
        { name: 'on', value: true },
        { name: 'off', value: false },
      ],
      default: pick(['on', 'off']),
    },
  });
  const applyFlags = (token: string, names: readonly string[], headers: Record<string, string> = {}) => {
    const spec = { objects: [...new Set(names)].map(flag) };
    const body = { apiVersion: 'releases.backline.dev/v1', kind: 'ChangeSet', metadata: { name: 's' }, spec };
    return call('POST', `${RELEASES_API}/changesets`, { body, token, headers });
  };
  const flagPath = (name: string): string =>
    `/apis/experience.backline.dev/v1/namespaces/${placeOf(name)}/flags/${name}`;
  const policy = async (name: string): Promise<void> => {
    const selector = {
      'by-namespace': { kinds: ['Flag'], namespaces: ['n1'] },
      'by-label': { matchLabels: { a: '1' } },
      lax: { matchLabels: { b: '1' } },
    }[name];
    const asked = pick([{}, {}, {}, { users: ['bob', 'cyd', 'dan'] }, { groups: ['leads'] }]);
    const approvals = { required: pick([1, 1, 2]), ...asked, expireAfter: pick(['PT1H', 'P7D']) };
    const spec = {
      selector,
      priority: name === 'lax' ? 1 : 0,
      queue: pick(['supersede', 'supersede', 'supersede', 'supersede', 'queue']),
      stages:
        below(12) === 0
          ? [{ name: 'half', listeners: { unit: pick(['household', 'listener']), percent: 50 }, soak: 'PT0S' }]
          : [],
      ...(name === 'lax' && below(2) === 0 ? {} : { approvals }),
    };
    const body = { apiVersion: 'releases.backline.dev/v1', kind: 'ReleasePolicy', metadata: { name }, spec };
    const changes = { apiVersion: 'releases.backline.dev/v1', kind: 'ChangeSet', metadata: { name: 'p' } };
    require(await call('POST', `${RELEASES_API}/changesets`, { body: { ...changes, spec: { objects: [body] } } }));
  };
  const bind = async (name: string, role: string, subject: object): Promise<void> => {
    const body = { metadata: { name }, roleRef: { kind: 'ClusterRole', name: role }, subjects: [subject] };
    require(await call('POST', `${RBAC}/clusterrolebindings`, { body }));
  };
  const openReleases = async (): Promise<OpenRelease[]> =>
    require(await call('GET', `${RELEASES_API}/releases?fieldSelector=spec.open%3Dtrue`)).json.items;
  const order = async (verb: string, name: string, token: string, spec: object = {}): Promise<Answer> =>
    call('POST', `${RELEASES_API}/releases/${name}/${verb}`, {
      body: { apiVersion: 'releases.backline.dev/v1', kind: 'ReleaseCommand', spec },
      token,
    });

  const approveBy = async (people: readonly string[], { metadata, spec }: OpenRelease): Promise<void> => {
    const planHash = pick([{}, { planHash: spec.planHash.slice(0, 8) }]);
    for (const one of people) {
      const { user, token } = await account(one, 8);
      const { status } = await act(one, user, () => order('approve', metadata.name, token, planHash));
      note(status < 300 ? 'approved' : 'approval refused');
    }
  };

  for (const name of NAMESPACES) require(await call('POST', '/api/v1/namespaces', { body: { metadata: { name } } }));
  for (const name of ROBOTS) {
    require(await call('POST', '/api/v1/namespaces/n1/serviceaccounts', { body: { metadata: { name } } }));
  }
  const rules = [
    { apiGroups: ['experience.backline.dev'], resources: ['flags'], verbs: ['*'] },
    { apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] },
    {
      apiGroups: ['releases.backline.dev'],
      resources: ['releases/abort', 'releases/seal', 'releases/resume'],
      verbs: ['create'],
    },
  ];
  const approving = [{ apiGroups: ['releases.backline.dev'], resources: ['releases/approve'], verbs: ['create'] }];
  require(await call('POST', `${RBAC}/clusterroles`, { body: { metadata: { name: 'writer' }, rules } }));
  require(await call('POST', `${RBAC}/clusterroles`, { body: { metadata: { name: 'approver' }, rules: approving } }));
  const robots = { kind: 'Group', name: 'system:serviceaccounts' };
  await bind('writer-robots', 'writer', robots);
  await bind('robots-approve', 'approver', robots);
  for (const name of PEOPLE) {
    await bind(`writer-${name}`, 'writer', { kind: 'User', name });
    await bind(`approver-${name}`, 'approver', { kind: 'User', name });
  }
  for (const name of ['by-namespace', 'by-label', 'lax']) await policy(name);
  const after = control.store.version();

  for (let step = 0; step < steps; step += 1) {
    const dice = below(100);
    // Two people write most, so that others are left to approve.
    const person = dice < 45 && below(4) > 0 ? pick(PEOPLE.slice(0, 2)) : pick(PEOPLE);
    if (dice < 26) {
      const { user, token } = await account(person);
      const names = Array.from({ length: 1 + below(2) }, () => pick(FLAGS));
      const { status } = await act(person, user, () => applyFlags(token, names));
      note(status < 300 ? 'applied' : 'apply refused');
    } else if (dice < 31) {
      const other = pick(PEOPLE.filter((one) => one !== person));
      const headers = { 'x-request-id': 'build-1' };
      await Promise.all(
        [person, other].map((one) => act(one, one, () => applyFlags(`${one}-token-1234`, [pick(FLAGS)], headers))),
      );
      note('two at once');
    } else if (dice < 40) {
      const { user, token } = await account(person);
      const labels = pick([{ a: null }, { a: '1' }, { b: '1', a: null }, { typo: String(step) }]);
      const { status } = await act(person, user, () =>
        call('PATCH', flagPath(pick(FLAGS)), {
          body: { metadata: { labels } },
          token,
          headers: { 'content-type': 'application/merge-patch+json' },
        }),
      );
      if (status < 300) note('relabelled');
    } else if (dice < 45) {
      const { user, token } = await account(person);
      const { status } = await act(person, user, () => call('DELETE', flagPath(pick(FLAGS)), { token }));
      if (status < 300) note('deleted');
    } else if (dice < 78) {
      const releases = await openReleases();
      if (releases.length > 0) await approveBy([person, ...PEOPLE.filter(() => below(3) === 0)], pick(releases));
    } else if (dice < 88) {
      const releases = await openReleases();
      const verb = pick(['abort', 'abort', 'abort', 'seal', 'resume']);
      if (releases.length > 0) {
        const { status } = await order(verb, pick(releases).metadata.name, `${person}-token-1234`);
        if (status < 300) note(verb);
      }
    } else if (dice < 94) {
      // Half of the time a role changes between two approvals.
      const releases = await openReleases();
      const release = releases.length > 0 && below(2) === 0 ? pick(releases) : undefined;
      if (release !== undefined) await approveBy([person], release);
      await settle();
      const name = `approver-${person}`;
      const gone = await call('DELETE', `${RBAC}/clusterrolebindings/${name}`);
      if (gone.status === 404) await bind(name, 'approver', { kind: 'User', name: person });
      note('role changed');
      if (release !== undefined)
        await approveBy(
          PEOPLE.filter(() => below(2) === 0),
          release,
        );
    } else if (dice < 97) {
      await policy(pick(['by-namespace', 'by-label', 'lax']));
      note('policy changed');
    } else pass(2 * 60 * 60_000);
    await settle();
  }
  for (const [what, count] of auditFourEyes(await rowsOf(world), acts, after)) counts.set(what, count);
  return counts;
}

async function rowsOf({ database }: World): Promise<readonly Row[]> {
  const rows = await database.query<{
    version: number;
    at: Temporal.Instant;
    type: Row['type'];
    kind: string;
    name: string;
    user: string;
    caller: string;
    body: string;
  }>(`
    select version, at, type, kind, name, author as "user", caller, body from backline.changes
    where kind in ('experience.backline.dev/Flag', 'releases.backline.dev/Head', 'releases.backline.dev/Release',
      'releases.backline.dev/ReleasePolicy', 'rbac.authorization.k8s.io/ClusterRoleBinding')
    order by version`);
  return rows.map(({ at, caller, body, ...row }) => ({
    ...row,
    atMs: at.epochMilliseconds,
    isOurs: caller === '',
    object: JSON.parse(body),
  }));
}

interface State {
  readonly revision: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface PolicySpec {
  readonly selector: {
    readonly kinds?: readonly string[];
    readonly namespaces?: readonly string[];
    readonly matchLabels?: Readonly<Record<string, string>>;
  };
  readonly approvals?: {
    readonly required: number;
    readonly users?: readonly string[];
    readonly groups?: readonly string[];
    readonly expireAfter: string;
  };
}

/** An approval that was accepted: its person, its release and the policies then in force. */
interface AcceptedApproval {
  readonly release: string;
  readonly person: string;
  readonly user: string;
  readonly atMs: number;
  readonly policies: ReadonlyMap<string, PolicySpec>;
}

/**
 * The oracle. Reads the record from its beginning, and wherever anybody gets something new it asks: who declared it since
 * what they had, which policies select anything on that way, and did others approve it for each of them. Knows people,
 * not accounts. Says how often it asked.
 */
function auditFourEyes(rows: readonly Row[], acts: readonly Act[], since: number): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const note = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const declared = new Map<string, { person: string | undefined; state: State | undefined }[]>();
  const heads = new Map<
    string,
    { everyone: State | undefined; cohort: State | undefined; release: string | undefined }
  >();
  /** Releases that bring something to people now: what each brings. */
  const begun = new Map<string, readonly { readonly name: string; readonly to?: Partial<State> }[]>();
  const given = new Map<string, string>();
  const policies = new Map<string, PolicySpec>();
  const mayApprove = new Set<string>();
  const approved: AcceptedApproval[] = [];
  const personOf = ({ version, user }: Row): string | undefined =>
    acts.find((one) => one.user === user && one.after < version && version <= one.upTo)?.person;
  const same = (a: State | undefined, b: State | undefined): boolean => isDeepStrictEqual(a, b);
  const selects = ({ selector }: PolicySpec, { namespace, labels }: State): boolean =>
    (selector.namespaces?.includes(namespace) ?? true) &&
    Object.entries(selector.matchLabels ?? {}).every(([label, value]) => labels[label] === value);

  const reaches = (name: string, live: State | undefined, next: State | undefined, row: Row): void => {
    const way = declared.get(name) ?? [];
    const end = way.findLastIndex(({ state }) => same(state, next));
    assert.ok(end >= 0, `${name} goes live as it was never declared, at ${row.version}`);
    const start = way.slice(0, end).findLastIndex(({ state }) => same(state, live));
    const steps = way.slice(start + 1, end + 1);
    const authors = new Set(steps.map(({ person }) => person));
    const states = [live, ...steps.map(({ state }) => state)].filter((state) => state !== undefined);
    note('reached somebody');
    const [release] =
      [...begun].find(([, objects]) => objects.some((one) => one.name === name && same(stateOf(one.to), next))) ?? [];
    for (const [policy, spec] of policies) {
      const { approvals } = spec;
      if (approvals === undefined || !states.some((state) => selects(spec, state))) continue;
      const others = approved.filter(
        (one) =>
          one.release === release &&
          isDeepStrictEqual(one.policies.get(policy), spec) &&
          !authors.has(one.person) &&
          (one.user !== one.person || mayApprove.has(one.user)) &&
          isListed(approvals, one) &&
          row.atMs < one.atMs + durationMs(approvals.expireAfter),
      );
      const people = new Set(others.map(({ person }) => person));
      assert.ok(
        people.size >= approvals.required,
        `at version ${row.version} flag ${name} by ${[...authors].join(', ')} reached somebody: policy ${policy} needs ` +
          `${approvals.required} others, and had ${[...people].join(', ') || 'none'}`,
      );
      note('with approvals');
      if (authors.size > 1) note('of several authors');
    }
  };

  for (const row of rows) {
    const { kind, name, type, object } = row;
    const isGone = type === 'DELETED';
    const [, named = ''] = kind.split('/');
    switch (named) {
      case 'Flag': {
        const { metadata, spec } = object;
        const state = isGone
          ? undefined
          : { revision: contentHash(spec), namespace: metadata.namespace, labels: metadata.labels ?? {} };
        const way = declared.get(name) ?? [{ person: undefined, state: undefined }];
        declared.set(name, way);
        if (same(way.at(-1)?.state, state)) break;
        const person = personOf(row);
        assert.ok(row.isOurs || person !== undefined, `nobody wrote version ${row.version}`);
        way.push({ person: row.isOurs ? undefined : person, state });
        break;
      }
      case 'ReleasePolicy':
        if (isGone) policies.delete(name);
        else {
          const { notify: _notify, ...spec } = object.spec;
          policies.set(name, spec);
        }
        break;
      case 'ClusterRoleBinding':
        if (object.roleRef.name !== 'approver') break;
        if (isGone) mayApprove.delete(object.subjects[0].name);
        else mayApprove.add(object.subjects[0].name);
        break;
      case 'Release': {
        const { spec, status } = object;
        const { state = { at: '' }, approvals = [] } = status?.standing ?? {};
        if (!isGone && (state.at === 'promoting' || state.at === 'exposing')) begun.set(name, spec.objects);
        else begun.delete(name);
        const before = given.get(name) ?? '[]';
        given.set(name, JSON.stringify(approvals));
        if (before === JSON.stringify(approvals)) break;
        const person = personOf(row);
        assert.ok(person !== undefined, `nobody approved ${name} at version ${row.version}`);
        approved.push({ release: name, person, user: row.user, atMs: row.atMs, policies: new Map(policies) });
        break;
      }
      case 'Head': {
        const { object: about, live } = object.spec;
        if (!about.kind.endsWith('/Flag')) break;
        const before = heads.get(about.name) ?? { everyone: undefined, cohort: undefined, release: undefined };
        const entries: readonly HeadEntry[] = isGone ? [] : live;
        const everyone = entries.find(({ release }) => release === undefined);
        const cohort = entries.find(({ release }) => release !== undefined);
        const { namespace } = about;
        const { labels } = object.spec;
        const next = {
          everyone: everyone === undefined ? undefined : { revision: everyone.revision, namespace, labels },
          cohort:
            cohort === undefined || cohort.absent === true ? undefined : stateOf({ namespace, labels, ...cohort }),
          release: cohort?.release,
        };
        heads.set(about.name, next);
        if (row.version <= since) break;
        if (next.release !== undefined) {
          const isNew = next.release !== before.release || !same(next.cohort, before.cohort);
          if (isNew) reaches(about.name, next.everyone, next.cohort, row);
        } else if (!same(next.everyone, before.everyone)) {
          const isKnown = before.release !== undefined && same(next.everyone, before.cohort);
          if (!isKnown) reaches(about.name, before.everyone, next.everyone, row);
        }
      }
    }
  }
  return counts;
}

interface HeadEntry {
  readonly release?: string;
  readonly revision: string;
  readonly absent?: boolean;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** The fields in which two states can differ. */
function stateOf(state: Partial<State> | undefined): State | undefined {
  if (state === undefined) return undefined;
  const { revision = '', namespace = '', labels = {} } = state;
  return { revision, namespace, labels };
}

function isListed({ users, groups }: NonNullable<PolicySpec['approvals']>, { user }: AcceptedApproval): boolean {
  if (users === undefined && groups === undefined) return true;
  return users?.includes(user) === true || (groups?.includes('leads') === true && LEADS.includes(user));
}
