import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorld, type Answer } from '../support/backline.ts';
import { feature } from '../support/catalogue.ts';
import { until } from '../support/installation.ts';

const FEATURE = '/apis/products.backline.dev/v1/namespaces/default/features/hifi';
const RELEASES = '/apis/releases.backline.dev/v1/releases';

test('a value that a rollback takes back is not declared again by the next apply', async (t) => {
  await using world = await startWorld(t);
  const { call, running } = world;
  const apply = (title: string): Promise<Answer> =>
    call('PATCH', `${FEATURE}?fieldManager=gitops`, {
      body: feature('hifi', { title }),
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
  assert.equal((await apply('Good')).status, 201);
  await running.control?.releases()?.caughtUp();
  const policy = await call('POST', '/apis/releases.backline.dev/v1/releasepolicies', {
    body: {
      metadata: { name: 'features' },
      spec: {
        selector: { kinds: ['Feature'] },
        stages: [{ name: 'few', listeners: { percent: 5 }, soak: 'PT1H' }],
      },
    },
  });
  assert.equal(policy.status, 201, policy.text);
  assert.equal((await apply('Bad')).status, 200);
  const name = await until(
    async () => (await call('GET', FEATURE)).json.status.release as string | undefined,
    () => 'a release of it',
    20,
  );
  const answer = await call('POST', `${RELEASES}/${name}/rollback`, {
    body: {
      apiVersion: 'releases.backline.dev/v1',
      kind: 'ReleaseCommand',
      metadata: {},
      spec: { reason: 'It is bad.' },
    },
  });
  assert.ok(answer.status < 300, answer.text);
  const after = await until(
    async () => {
      const found = await call('GET', FEATURE);
      return found.json.spec.title === 'Good' ? found : undefined;
    },
    () => 'the title to be as before',
    20,
  );
  const owners = after.json.metadata.managedFields.map((entry: { operation: string; manager: string }) => [
    entry.operation,
    entry.manager,
  ]);
  assert.deepEqual(owners, [
    ['Apply', 'gitops'],
    ['Update', 'backline-rollback'],
  ]);
  const again = await apply('Bad');
  assert.equal(again.status, 409, again.text);
  assert.equal(
    again.json.message,
    'Apply failed with 1 conflict: conflict with "backline-rollback" using products.backline.dev/v1: .spec.title',
  );
  assert.equal((await apply('Good')).status, 200, 'who agrees with the rollback shares the field');
});
