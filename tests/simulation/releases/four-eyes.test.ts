import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import { Freeze } from '#kernel/releases/kinds/freeze.ts';
import { GROUP_LABEL } from '#kernel/releases/kinds/identity.ts';
import { STOP_NAME, Stop } from '#kernel/releases/kinds/stop.ts';
import { Node } from '#kernel/releases/testing/node.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { drop, put } from './schedule.ts';
import { ReleasePolicy } from './world.ts';
import { GUARDED, MINUTE, node, policy, startStory, underWay } from './story.ts';

const AGREED = { approvals: { required: 1 }, stages: [] };

/** The last release by a policy, or that takes one back. */
function last(story: Pick<ReturnType<typeof startStory>, 'releases'>) {
  const release = story.releases().at(-1);
  assert.ok(release !== undefined);
  return release;
}

function policyFor(name: string, label: string, more: object): Operation {
  return put(ReleasePolicy, name, { selector: { matchLabels: { [label]: '1' } }, stages: [], ...more });
}

test('I5: authors of changes that a later release includes may not approve it, even if another person wrote last', async () => {
  const story = await underWay(AGREED);
  story.declare([node('x', 2, { policy: 'p', typo: 'fixed' })], 'bob');
  await story.run(1_000);
  const { name, spec } = last(story);
  assert.deepEqual(spec.authors, ['ann', 'bob']);
  for (const author of ['ann', 'bob']) {
    await assert.rejects(story.ask('approve', name, author), new RegExp(`${author} made the change`));
  }
  await story.ask('approve', name, 'cyd');
  await story.run(1_000);
  assert.equal(story.liveValue('x'), 2);
});

test('two writes within one look have two authors', async () => {
  const story = startStory();
  story.declare([node('x', 1)]);
  await story.run(1_000);
  story.declare([policy(AGREED)]);
  story.declare([node('x', 2)], 'ann');
  story.declare([node('x', 2, { policy: 'p', typo: 'fixed' })], 'bob');
  await story.run(1_000);
  assert.deepEqual(last(story).spec.authors, ['ann', 'bob']);
});

test('an object edited back to its live spec has no authors any more', async () => {
  const story = await underWay(AGREED);
  story.declare([node('x', 1)], 'bob');
  await story.run(1_000);
  story.declare([node('x', 3)], 'bob');
  await story.run(1_000);
  const { name, spec } = last(story);
  assert.deepEqual(spec.authors, ['bob']);
  await story.ask('approve', name, 'ann');
  await story.run(1_000);
  assert.equal(story.liveValue('x'), 3);
});

test('a change back that waits behind a release takes none of its authors away', async () => {
  const story = startStory();
  story.declare([node('x', 1)]);
  await story.run(1_000);
  story.declare([policy({ ...AGREED, queue: 'queue' })]);
  story.declare([node('x', 2)], 'ann');
  story.declare([node('x', 2, { policy: 'p', typo: 'fixed' })], 'bob');
  await story.run(1_000);
  story.declare([node('x', 1)], 'cyd');
  await story.run(1_000);
  const [first] = story.releases();
  assert.deepEqual([story.phases(), first?.spec.authors], [['AwaitingApproval'], ['ann', 'bob']]);
});

test('the authors of a group are all who wrote one of its objects, also after the engine began anew', async () => {
  const story = startStory();
  story.declare([policy(AGREED)]);
  const labels = { policy: 'p', [GROUP_LABEL]: 'tier' };
  story.declare([node('x', 1, labels)], 'ann');
  await story.run(1_000);
  story.world.kill();
  story.declare([node('y', 1, labels)], 'bob');
  story.declare([node('y', 2, labels)], 'cyd');
  story.world.start();
  await story.run(1_000);
  const { name, spec } = last(story);
  assert.deepEqual(spec.authors, ['ann', 'bob', 'cyd']);
  await story.ask('seal', name, 'ann');
  await assert.rejects(story.ask('approve', name, 'bob'), /bob made the change/);
});

test('the person who minted the token is an author as well, and so is the one who minted that token', async () => {
  const story = await underWay(AGREED);
  story.declare([node('x', 3)], 'system:serviceaccount:a:robot', ['ann', 'bob']);
  await story.run(1_000);
  const { name } = last(story);
  for (const author of ['ann', 'bob', 'system:serviceaccount:a:robot']) {
    await assert.rejects(story.ask('approve', name, author), /made the change/);
  }
  await assert.rejects(
    story.ask('approve', name, 'system:serviceaccount:a:other', {}, { mintedBy: ['ann'] }),
    /ann made the change/,
  );
});

test('one person with two accounts approves once', async () => {
  const story = await underWay({ approvals: { required: 2 }, stages: [] });
  await story.ask('approve', story.release, 'bob');
  const robot = 'system:serviceaccount:a:robot';
  await assert.rejects(
    story.ask('approve', story.release, robot, {}, { mintedBy: ['bob'] }),
    /the person behind .*robot has approved it already/,
  );
  await story.ask('approve', story.release, robot, {}, { mintedBy: ['cyd'] });
  await story.run(1_000);
  assert.equal(story.liveValue('x'), 2);
});

test('a deletion by the program whose author is unknown needs one approval more', async () => {
  const story = startStory();
  story.declare([node('x', 1)]);
  await story.run(1_000);
  story.declare([policy(AGREED)]);
  await story.run(1_000);
  // The garbage collector deletes an object whose owner is gone.
  story.world.store.commit([drop(Node, 'x')], { user: 'system:controllers', requestId: 'gc' });
  await story.run(1_000);
  const { name, status } = last(story);
  assert.match(status.message, /Waits for 2 approvals/);
  await story.ask('approve', name, 'bob');
  await story.run(MINUTE);
  assert.equal(story.liveValue('x'), 1);
  await story.ask('approve', name, 'cyd');
  await story.run(1_000);
  assert.equal(story.liveValue('x'), undefined);
});

/** The node with a finalizer, and the write that takes the finalizer off. */
const nodeWithFinalizer = (): Operation => {
  const operation = node('x', 1);
  const { object } = operation as { object: ResourceObject };
  const metadata = { ...object.metadata, finalizers: ['ops.example/clean'] };
  return { ...operation, object: { ...object, metadata } } as Operation;
};
const letGo: Operation = {
  verb: 'patch',
  kind: Node.id,
  namespace: '',
  name: 'x',
  part: 'main',
  patchType: 'merge',
  patch: { metadata: { finalizers: null } },
  fieldValidation: 'Ignore',
};
const CLEANER = 'system:serviceaccount:ops:cleaner';

test('the person who deleted an object with a finalizer is an author of its deletion, whichever user takes the finalizer off', async () => {
  for (const moment of ['at once', 'later', 'while the engine is away', 'after an edit of something else']) {
    const story = startStory();
    story.declare([nodeWithFinalizer()], 'cyd');
    await story.run(1_000);
    story.declare([policy(AGREED)]);
    await story.run(1_000);
    if (moment === 'while the engine is away') story.world.kill();
    story.declare([drop(Node, 'x')], 'ann');
    if (moment === 'later') await story.run(1_000);
    if (moment.startsWith('after'))
      story.declare([{ ...letGo, patch: { metadata: { annotations: { a: 'b' } } } }], 'dan');
    story.declare([letGo], CLEANER);
    if (!story.world.isRunning) story.world.start();
    await story.run(1_000);
    const { name, spec } = last(story);
    assert.deepEqual([spec.authors, spec.unattended], [['ann', CLEANER], undefined], moment);
    await assert.rejects(story.ask('approve', name, 'ann'), /ann made the change/);
    await story.ask('approve', name, 'cyd');
    await story.run(1_000);
    assert.equal(story.liveValue('x'), undefined);
  }
});

test('a deletion by an unknown author needs one approval more, whichever user takes the finalizer off', async () => {
  const story = startStory();
  story.declare([nodeWithFinalizer()]);
  await story.run(1_000);
  story.declare([policy(AGREED)]);
  await story.run(1_000);
  story.world.store.commit([drop(Node, 'x')], { user: 'system:controllers', requestId: 'gc' });
  await story.run(1_000);
  story.declare([letGo], CLEANER);
  await story.run(1_000);
  assert.deepEqual([last(story).spec.authors, last(story).spec.unattended], [['system:controllers', CLEANER], true]);
  assert.match(last(story).status.message, /Waits for 2 approvals/);
});

test('a release that needs more approvals than its users can give is blocked, and says what to do', async () => {
  const approvals = { required: 1, users: ['bob'] };
  const story = startStory();
  story.declare([node('x', 1)]);
  await story.run(1_000);
  story.declare([policy({ approvals, stages: [] })]);
  await story.run(1_000);
  story.world.store.commit([drop(Node, 'x')], { user: 'system:controllers', requestId: 'gc' });
  await story.run(1_000);
  assert.deepEqual(
    [last(story).status.phase, last(story).status.message],
    [
      'Blocked',
      'Policy p needs 2 approvals, one of them because Backline itself declared a part of it, and only bob may give one. ' +
        'Add users to the policy, or abort the release and let somebody else make the change.',
    ],
  );
  story.declare([policy({ approvals: { required: 1, users: ['bob', 'cyd'] }, stages: [] })], 'dan');
  await story.run(1_000);
  assert.equal(last(story).status.phase, 'AwaitingApproval');
  for (const user of ['bob', 'cyd']) await story.ask('approve', last(story).name, user);
  await story.run(1_000);
  assert.equal(story.liveValue('x'), undefined);

  const own = await underWay({ approvals: { required: 1, users: ['ann'] }, stages: [] });
  assert.match(last(own).status.message, /^Policy p needs 1 approvals?, and all users that it names are authors\./);
});

test('a force that was given before a guardrail failed does not count after it', async () => {
  const stages = [{ name: 'half', listeners: { percent: 50 }, soak: 'PT5M' }];
  const story = await underWay({ ...GUARDED, stages, onFailure: 'halt' }, (ms) =>
    ms > 2 * MINUTE && ms < 60 * MINUTE ? 'fail' : undefined,
  );
  // The engine sees both at once: the switch holds what is forced.
  await story.ask('promote', story.release, 'bob', { force: true, reason: 'No evidence will come.' });
  story.declare([put(Stop, STOP_NAME, { reason: 'An incident.' })]);
  await story.run(4 * MINUTE);
  assert.match(last(story).status.standing.paused?.because ?? '', /It is fail/);
  story.declare([drop(Stop, STOP_NAME)]);
  await story.run(1_000);
  await story.ask('resume', story.release, 'ann');
  await story.run(30 * MINUTE);
  assert.deepEqual(story.phases(), ['Progressing']);
  assert.equal(story.liveValue('x'), 1);
  await assert.rejects(story.ask('promote', story.release, 'bob', { force: true }), /force needs a reason/);
  await story.ask('promote', story.release, 'bob', { force: true, reason: 'It was seen.' });
  await story.run(1_000);
  assert.equal(story.liveValue('x'), 2);
});

test('I4: nobody forces what they wrote a part of', async () => {
  const stages = [{ name: 'few', listeners: { percent: 1 }, soak: 'PT0S' }];
  const story = await underWay({ ...GUARDED, stages, onFailure: 'halt' }, () => 'fail');
  story.declare([node('x', 2, { policy: 'p', typo: 'fixed' })], 'bob');
  await story.run(2_000);
  const { name, status } = last(story);
  assert.equal(status.phase, 'Paused');
  await story.ask('resume', name, 'ann');
  const force = { force: true, reason: 'It is needed.' };
  await assert.rejects(story.ask('promote', name, 'ann', force), /ann made the change/);
  await story.ask('promote', name, 'cyd', force);
  await story.run(1_000);
  assert.equal(story.liveValue('x'), 2);
});

test('changes with the same request id are changes of two people, each with a release', async () => {
  const story = startStory();
  story.declare([policy(AGREED)]);
  const caller = { groups: [], address: '', userAgent: '', verb: 'update' };
  // While the engine is busy with this one, the others wait, and it looks at them together.
  story.declare([node('first', 1, {})]);
  story.world.store.commit([node('x', 1), node('z', 1, {})], { user: 'ann', requestId: 'build-1', caller });
  story.world.store.commit([node('y', 1)], { user: 'bob', requestId: 'build-1', caller });
  await story.run(1_000);
  assert.deepEqual(
    story.releases().map(({ objects, spec }) => [objects, spec.authors]),
    [
      [['x', 'z'], ['ann']],
      [['y'], ['bob']],
    ],
  );
});

test('objects declared together are released together, also when the engine was away', async () => {
  const story = startStory();
  story.declare([policy(AGREED)]);
  await story.run(1_000);
  story.world.kill();
  story.declare([node('x', 1), node('free', 1, {})], 'ann');
  story.world.start();
  await story.run(1_000);
  assert.deepEqual(last(story).objects, ['free', 'x']);
  assert.equal(story.liveValue('free'), undefined);
});

test('taking the label off leads past no policy: what is live counts as well', async () => {
  const story = await underWay(AGREED);
  await story.ask('approve', story.release, 'bob');
  await story.run(1_000);
  story.declare([node('x', 3, {})]);
  await story.run(MINUTE);
  assert.equal(last(story).status.phase, 'AwaitingApproval');
  assert.equal(story.liveValue('x'), 2);
});

test('a release that replaces another one follows its policy as well, though neither side has its label', async () => {
  const story = startStory();
  story.declare([node('x', 1, {})]);
  await story.run(1_000);
  story.declare([
    policy({ approvals: { required: 1 }, stages: [{ name: 'few', listeners: { percent: 1 }, soak: 'PT10M' }] }),
  ]);
  story.declare([node('x', 2)]);
  await story.run(1_000);
  await story.ask('approve', last(story).name, 'bob');
  await story.run(1_000);
  assert.equal(last(story).status.phase, 'Progressing');
  story.declare([node('x', 2, {})]);
  await story.run(MINUTE);
  assert.deepEqual(story.phases(), ['Superseded', 'AwaitingApproval']);
  assert.equal(story.liveValue('x'), 1);
});

test('taking the label off leads past no freeze', async () => {
  const story = startStory();
  story.declare([node('x', 1)]);
  await story.run(1_000);
  const selector = { matchLabels: { policy: 'p' } };
  const span = { timeZone: 'UTC', start: '2026-03-28T00:00', end: '2026-04-28T00:00' };
  story.declare([policy({ stages: [] }), put(Freeze, 'quiet', { ...span, selector, reason: 'Quiet.', owner: 'ops' })]);
  story.declare([node('x', 2, {})]);
  await story.run(MINUTE);
  assert.match(last(story).status.held ?? '', /Freeze quiet holds/);
  assert.equal(story.liveValue('x'), 1);
});

test('a label that is put on and taken off before the engine looks counts as one that it saw', async () => {
  const story = startStory();
  story.declare([node('x', 1, {})]);
  await story.run(1_000);
  story.declare([policy(AGREED)]);
  // While the engine is busy with this one, the others wait, and it looks at them together.
  story.declare([node('first', 1, {})]);
  story.declare([node('x', 2)], 'ann');
  story.declare([node('x', 2, {})], 'bob');
  await story.run(1_000);
  assert.deepEqual([last(story).status.phase, last(story).spec.authors], ['AwaitingApproval', ['ann', 'bob']]);
  assert.equal(story.liveValue('x'), 1);
});

test('I5: each policy needs its approvals, and one person may count for both', async () => {
  const story = startStory();
  story.declare([
    policyFor('strict', 'strict', { approvals: { required: 2, users: ['bob', 'cyd'] } }),
    policyFor('lax', 'lax', { priority: 1, approvals: { required: 1, users: ['cyd', 'dan'] } }),
  ]);
  story.declare([node('x', 1, { strict: '1' }), node('y', 1, { lax: '1' })], 'ann');
  await story.run(1_000);
  const { name, spec } = last(story);
  assert.deepEqual([spec.policy?.name, spec.otherPolicies?.map((one) => one.name)], ['lax', ['strict']]);
  await assert.rejects(story.ask('approve', name, 'eve'), /eve is not an approver/);
  await story.ask('approve', name, 'dan');
  await story.run(1_000);
  assert.match(last(story).status.message, /Waits for 2 approvals by policy strict of plan/);
  await story.ask('approve', name, 'cyd');
  await story.run(1_000);
  assert.equal(story.liveValue('x'), undefined);
  await story.ask('approve', name, 'bob');
  await story.run(1_000);
  assert.equal(story.liveValue('x'), 1);
});

test('a policy without stages does not carry what another one stages, nor without its guardrails', async () => {
  const stages = [{ name: 'few', listeners: { percent: 1 } }];
  for (const [strict, lax, sentence] of [
    [{ stages }, {}, 'policy strict stages this, policy lax does not: apply them separately'],
    [
      { stages, ...GUARDED },
      { stages },
      'policy strict guards this by harm, policy lax does not: apply them separately',
    ],
  ] as const) {
    const story = startStory();
    story.declare([policyFor('strict', 'strict', strict), policyFor('lax', 'lax', { priority: 1, ...lax })]);
    story.declare([node('x', 1, { strict: '1' }), node('y', 1, { lax: '1' })]);
    await story.run(MINUTE);
    const { status } = last(story);
    assert.deepEqual([status.phase, status.message], ['Blocked', sentence]);
    assert.deepEqual([story.liveValue('x'), story.liveValue('y')], [undefined, undefined]);
    story.declare([drop(Node, 'y')]);
    await story.run(5 * MINUTE);
    assert.equal(story.liveValue('x'), 1, 'alone it goes');
  }
});

test('an approver without the right when the release begins does not count, and is shown as such', async () => {
  const approvals = { required: 2, users: ['bob', 'cyd'] };
  const story = await underWay({ approvals, stages: [] });
  await story.ask('approve', story.release, 'bob');
  story.world.withoutRight.add('bob');
  await story.ask('approve', story.release, 'cyd');
  await story.run(1_000);
  assert.match(
    last(story).status.message,
    /^Waits for 1 approval of plan .* The approval of bob does not count: bob no longer has the right to approve\.$/,
  );
  assert.deepEqual(
    last(story).status.approvals?.given.map(({ user, counts }) => [user, counts]),
    [
      ['bob', false],
      ['cyd', true],
    ],
  );
  story.world.withoutRight.clear();
  story.declare([node('free', 1, {})]);
  await story.run(1_000);
  assert.equal(story.liveValue('x'), 2, 'with the right it counts again');
});

test('an approver who is off the list when the release begins does not count', async () => {
  const story = await underWay({ approvals: { required: 2, users: ['bob', 'cyd'] }, stages: [] });
  await story.ask('approve', story.release, 'bob');
  story.declare([policy({ approvals: { required: 2, users: ['cyd', 'dan'] }, stages: [] })]);
  await story.run(1_000);
  await story.ask('approve', story.release, 'cyd');
  await story.run(MINUTE);
  assert.equal(last(story).status.phase, 'AwaitingApproval');
  await story.ask('approve', story.release, 'dan');
  await story.run(1_000);
  assert.equal(story.liveValue('x'), 2);
});

test('I2: approvals bind to everything of each policy but who is notified', async () => {
  const base = { approvals: { required: 2 }, stages: [{ name: 'few', listeners: { percent: 1 } }] };
  for (const [edit, holds] of [
    [{ stages: [{ name: 'few', listeners: { percent: 1, unit: 'member' } }] }, false],
    [{ onFailure: 'halt' }, false],
    [{ queue: 'queue' }, false],
    [{ pinFor: 'PT1H' }, false],
    [{ notify: [{ type: 'webhook', url: 'http://127.0.0.1/', on: ['started'] }] }, true],
  ] as const) {
    const story = await underWay(base);
    await story.ask('approve', story.release, 'bob', { planHash: last(story).spec.planHash.slice(0, 32) });
    story.declare([policy({ ...base, ...edit })]);
    await story.run(1_000);
    await story.ask('approve', story.release, 'cyd');
    await story.run(1_000);
    assert.equal(last(story).status.phase === 'AwaitingApproval', !holds, JSON.stringify(edit));
  }
});

test('a plan is named by enough of its hash', async () => {
  const story = await underWay(AGREED);
  const { planHash } = last(story).spec;
  for (const short of [planHash.slice(0, 1), planHash.slice(0, 31)]) {
    await assert.rejects(story.ask('approve', story.release, 'bob', { planHash: short }), /too short/);
  }
  await assert.rejects(story.ask('approve', story.release, 'bob', { planHash: `${planHash}0` }), /its plan is/);
  await story.ask('approve', story.release, 'bob', { planHash });
});

test('the hash of an earlier plan approves nothing, whole or its beginning', async () => {
  const story = await underWay(AGREED);
  const { planHash: earlier } = last(story).spec;
  story.declare([policy({ ...AGREED, pinFor: 'PT1H' })]);
  await story.run(1_000);
  const { planHash } = last(story).spec;
  assert.notEqual(planHash, earlier);
  for (const given of [earlier, earlier.slice(0, 32), planHash.slice(0, 31) + (planHash[31] === '0' ? '1' : '0')]) {
    await assert.rejects(story.ask('approve', story.release, 'bob', { planHash: given }), /its plan is .*, not/);
  }
  await story.run(1_000);
  assert.deepEqual(story.phases(), ['AwaitingApproval']);
  await story.ask('approve', story.release, 'bob', { planHash: planHash.slice(0, 32) });
  await story.run(1_000);
  assert.deepEqual(
    last(story).status.standing.approvals.map((one) => one.planHash),
    [planHash],
  );
  assert.deepEqual(story.phases(), ['Promoted']);
});

/** A change of something else than the value, on top of the value. */
const onTop = (value: number, labels: Record<string, string> = { policy: 'p' }) =>
  put(Node, 'x', { needs: [], value, neighbourMax: 8 }, labels);

const SENTENCE = /^Node "x" was changed on top of release x-\d+, which cyd rolled back: Complaints\. Resume it/;

test('a change on top of what was rolled back waits for somebody, and brings nothing back by itself', async () => {
  const stages = [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1H' }];
  const story = await underWay({ queue: 'queue', stages, pinFor: 'PT10M' });
  story.declare([onTop(2)], 'bob');
  await story.run(1_000);
  await story.ask('rollback', story.release, 'cyd', { reason: 'Complaints.' });
  // It waits for a person, also when time passes and the pin ends.
  await story.run(60 * MINUTE);
  const { name, status } = last(story);
  assert.deepEqual(story.phases(), ['RolledBack', 'Paused']);
  assert.match(status.message, SENTENCE);
  assert.equal(story.liveValue('x'), 1);
  await story.ask('unpin', story.release);
  await story.run(MINUTE);
  assert.equal(last(story).status.phase, 'Paused');
  await story.ask('resume', name, 'cyd');
  await story.run(1_000);
  assert.equal(last(story).status.phase, 'Progressing');
});

test('an object declared anew from its live spec needs no approval after a rollback', async () => {
  const story = await underWay({
    queue: 'queue',
    stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1H' }],
  });
  story.declare([onTop(2)], 'bob');
  await story.run(1_000);
  await story.ask('rollback', story.release, 'cyd', { reason: 'Complaints.' });
  await story.run(1_000);
  await story.ask('abort', last(story).name, 'bob');
  await story.run(1_000);
  assert.equal(story.declaredValue('x'), 1);
  story.declare([onTop(1)], 'bob');
  await story.run(1_000);
  assert.equal(last(story).status.phase, 'Progressing');
});

test('a change made while a rollback is under way waits as well, whether or not a policy selects it', async () => {
  for (const labels of [{ policy: 'p' }, {}] as Record<string, string>[]) {
    const story = startStory();
    story.declare([node('x', 1, {})]);
    await story.run(1_000);
    story.declare([policy({ stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1H' }] })]);
    story.declare([node('x', 2)]);
    await story.run(1_000);
    const [release] = story.releases();
    await story.ask('rollback', release?.name ?? '', 'cyd', { reason: 'Complaints.' });
    story.declare([onTop(2, labels)], 'bob');
    await story.run(60 * MINUTE);
    assert.deepEqual(story.phases(), ['RolledBack', 'Paused']);
    assert.match(last(story).status.message, SENTENCE);
    assert.equal(story.liveValue('x'), 1);
  }
});

test('so does a group, and what was blocked behind the release, and what followed one that everybody had', async () => {
  const story = await underWay({
    queue: 'queue',
    stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1H' }],
  });
  story.declare([
    put(Node, 'x', { needs: ['missing'], value: 2, neighbourMax: 8 }, { policy: 'p', [GROUP_LABEL]: 'g' }),
  ]);
  await story.run(1_000);
  await story.ask('seal', last(story).name);
  await story.run(1_000);
  assert.deepEqual(story.phases(), ['Progressing', 'Blocked']);
  await story.ask('rollback', story.release, 'cyd', { reason: 'Complaints.' });
  await story.run(1_000);
  story.declare([node('missing', 1, {})]);
  await story.run(60 * MINUTE);
  assert.deepEqual(story.phases(), ['RolledBack', 'Paused']);
  assert.equal(story.liveValue('x'), 1);

  const promoted = await underWay({
    queue: 'queue',
    stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1M' }],
  });
  await promoted.run(5 * MINUTE);
  assert.equal(promoted.liveValue('x'), 2);
  promoted.declare([policy({ queue: 'queue', approvals: { required: 1 }, stages: [] })]);
  promoted.declare([onTop(2)], 'bob');
  await promoted.run(1_000);
  await promoted.ask('rollback', promoted.release, 'cyd', { reason: 'Complaints.' });
  await promoted.run(60 * MINUTE);
  assert.equal(promoted.liveValue('x'), 1);
  const waiting = promoted.releases().find(({ spec }) => spec.open);
  assert.equal(waiting?.status.phase, 'Paused');
  assert.match(waiting?.status.message ?? '', SENTENCE);
});

test('a change on top of what was aborted after somebody saw it waits as well, and brings nothing back by itself', async () => {
  const stages = [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1H' }];
  const relabelled = node('x', 2, { policy: 'p', typo: 'fixed' });
  for (const change of [onTop(2), relabelled]) {
    for (const isKilled of [false, true]) {
      const story = await underWay({ queue: 'queue', stages });
      story.declare([change], 'bob');
      await story.run(1_000);
      assert.deepEqual(story.phases(), ['Progressing', 'Queued']);
      await story.ask('abort', story.release, 'cyd', { reason: 'Complaints.' });
      if (isKilled) {
        story.world.kill();
        story.world.start();
      }
      await story.run(60 * MINUTE);
      assert.deepEqual(story.phases(), ['Aborted', 'Paused']);
      assert.match(
        last(story).status.message,
        /^Node "x" was changed on top of release x-\d+, which cyd aborted: Complaints\. Resume it/,
      );
      assert.equal(story.liveValue('x'), 1);
      await story.ask('resume', last(story).name, 'cyd');
      await story.run(1_000);
      assert.equal(last(story).status.phase, 'Progressing');
    }
  }
});

test('an object without a policy that was declared on top of an aborted release waits for a person, too', async () => {
  const story = await underWay({ stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1H' }] });
  await story.ask('abort', story.release, 'cyd', { reason: 'Complaints.' });
  story.declare([drop(ReleasePolicy, 'p')]);
  story.declare([onTop(2, {})], 'bob');
  await story.run(60 * MINUTE);
  assert.equal(story.liveValue('x'), 1);
  assert.equal(story.all().at(-1)?.status.phase, 'Paused');
});

test('after an abort the same change may be applied again, and changed further, without a question', async () => {
  const story = await underWay({
    queue: 'supersede',
    stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1H' }],
  });
  await story.ask('abort', story.release, 'cyd', { reason: 'Not now.' });
  await story.run(1_000);
  assert.equal(story.declaredValue('x'), 1);
  story.declare([node('x', 2)], 'bob');
  await story.run(1_000);
  assert.equal(last(story).status.phase, 'Progressing');
  story.declare([onTop(2)], 'bob');
  await story.run(1_000);
  assert.deepEqual(story.phases(), ['Aborted', 'Superseded', 'Progressing']);
});

test('a rename within a group is one release: what is deleted goes when what is new comes', async () => {
  const story = startStory();
  story.declare([node('old', 1, {})]);
  await story.run(1_000);
  const labels = { [GROUP_LABEL]: 'tier' };
  story.declare([node('old', 1, labels)]);
  await story.run(1_000);
  story.declare([node('new', 1, labels)]);
  await story.run(1_000);
  story.declare([drop(Node, 'old')]);
  await story.run(MINUTE);
  assert.deepEqual([story.liveValue('old'), story.liveValue('new')], [1, undefined]);
  const group = story.all().find(({ spec }) => spec.group === 'tier');
  assert.deepEqual([group?.status.phase, group?.objects], ['Collecting', ['new', 'old']]);
  await story.ask('seal', group?.name ?? '');
  await story.run(1_000);
  assert.deepEqual([story.liveValue('old'), story.liveValue('new')], [undefined, 1]);
});

test('a deletion stays with the group of what is live, and of what was declared last, also when the engine was away', async () => {
  for (const [live, declared] of [
    [{ [GROUP_LABEL]: 'tier' }, {}],
    [{}, { [GROUP_LABEL]: 'tier' }],
  ] as Record<string, string>[][]) {
    const story = startStory();
    story.declare([node('old', 1, live)]);
    await story.run(1_000);
    for (const { name } of story.all()) await story.ask('seal', name).catch(() => {});
    await story.run(1_000);
    assert.equal(story.liveValue('old'), 1);
    story.world.kill();
    story.declare([node('old', 1, declared)]);
    story.declare([drop(Node, 'old')]);
    story.world.start();
    await story.run(MINUTE);
    assert.equal(story.liveValue('old'), 1);
    assert.equal(story.all().at(-1)?.status.phase, 'Collecting');
  }
});

/** An audience of the group, in a namespace. */
function inTeam(namespace: string, name: string, startsWith: string): Operation {
  const spec = { anyOf: [{ allOf: [{ attribute: 'targetingKey', startsWith: [startsWith] }] }] };
  return { ...put(Audience, name, spec, { policy: 'p', [GROUP_LABEL]: 'tier' }), namespace };
}

function startTeams(...teams: readonly string[]) {
  const story = startStory();
  for (const name of teams) {
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    story.declare([{ kind: Namespace.id, namespace: '', name, verb: 'apply', object, uid: name }]);
  }
  story.declare([
    policy({ approvals: { required: 1 }, stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1H' }] }),
  ]);
  return story;
}

test('a group is joined from no other namespace: nobody there can bring its release down', async () => {
  for (const isFirst of [false, true]) {
    const story = startTeams('one', 'two');
    const joining = () => story.declare([inTeam('two', 'theirs', 'b')], 'mal');
    if (isFirst) joining();
    await story.run(1_000);
    story.declare([inTeam('one', 'ours', 'a')]);
    await story.run(1_000);
    if (!isFirst) joining();
    await story.run(1_000);
    const ours = story.releases().find(({ objects }) => objects.includes('ours'));
    assert.deepEqual(ours?.objects, ['ours']);
    assert.equal(ours.status.message, 'Collecting changes for group tier in namespace one until it is sealed.');
    await story.ask('seal', ours.name);
    await story.run(1_000);
    await story.ask('approve', ours.name, 'bob');
    await story.run(1_000);
    story.declare([inTeam('two', 'theirs', 'c')], 'mal');
    story.declare([inTeam('two', 'more', 'c')], 'mal');
    await story.run(MINUTE);
    const phases = story.releases().map(({ objects, status }) => [objects.join(), status.phase]);
    assert.deepEqual(phases.sort(), [
      ['more,theirs', 'Collecting'],
      ['ours', 'Progressing'],
    ]);
  }
});

test('a group is of all namespaces that were written together, and what is declared later in one of them joins it', async () => {
  const story = startTeams('one', 'two', 'three');
  story.declare([inTeam('one', 'a', 'a'), inTeam('two', 'b', 'b')]);
  await story.run(1_000);
  for (const [team, name] of [
    ['two', 'b'],
    ['one', 'c'],
    ['two', 'd'],
    ['three', 'e'],
  ] as const) {
    story.declare([inTeam(team, name, 'z')], 'bob');
    await story.run(1_000);
  }
  const groups = story.releases().map(({ objects }) => objects);
  assert.deepEqual(groups.sort(), [['a', 'b', 'c', 'd'], ['e']]);
});
