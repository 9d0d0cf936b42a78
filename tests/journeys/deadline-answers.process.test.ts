import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorld } from '../support/backline.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const UNDONE = /Nothing was done/;
const MAYBE_DONE = /A write may have been done/;

test('an answer says that nothing was done of a write that never happens, and of no other one', async (t) => {
  const { call, database } = await startWorld(t, { roles: ['api'] });
  const post = (name: string, ms: number) =>
    call('POST', CONFIG_MAPS, { body: { metadata: { name } }, headers: { 'x-request-timeout-ms': String(ms) } });
  const statusOf = async (name: string) => (await call('GET', `${CONFIG_MAPS}/${name}`)).status;
  const answers = new Map<string, string>();
  let last: ReturnType<typeof post> | undefined;
  await database.transaction(async ({ query }) => {
    // Nothing can be committed meanwhile: the first write is taken from the queue, and those after it wait there.
    await query('select from backline.writer for update');
    for (const name of ['taken', 'queued-1', 'queued-2']) {
      const { status, text } = await post(name, 100);
      assert.equal(status, 504, text);
      answers.set(name, text);
    }
    last = post('last', 30_000);
  });
  assert.equal((await last)?.status, 201);
  assert.match(answers.get('taken') ?? '', MAYBE_DONE);
  assert.equal(await statusOf('taken'), 200);
  for (const name of ['queued-1', 'queued-2']) {
    assert.match(answers.get(name) ?? '', UNDONE);
    assert.equal(await statusOf(name), 404, `${name} was reported as not done`);
  }
});
