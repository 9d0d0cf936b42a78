import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import type { Attempt } from '#kernel/api/authority.ts';
import { startDatabase } from '#tests/support/database.ts';
import { attemptLog } from './attempts.ts';

const caller = { groups: [], address: '10.0.0.1', userAgent: 'curl', verb: 'create' };
const author = { user: 'ed', requestId: 'r', caller };
const refused: Attempt = {
  kind: Namespace,
  part: '',
  namespace: '',
  name: 'a',
  dryRun: false,
  code: 403,
  reason: 'access/forbidden',
};

test('equal attempts of a day are one row; of a user a limited number is named, and the rest is counted', async () => {
  await using db = await startDatabase();
  let now = Temporal.Instant.from('2026-05-01T12:00:00Z');
  const clock = () => now;
  const rows = (user: string) =>
    db.database.query({
      text: `select name, reason, times from backline.attempts where author = $1 order by number`,
      values: [user],
    });
  const { keep } = attemptLog(db.database, clock, openLog('silent'), { namedMax: 3 });
  await Promise.all(Array.from({ length: 600 }, () => keep(author, refused)));
  await keep(author, refused);
  const forbidden = { reason: 'access/forbidden' };
  assert.deepEqual(await rows('ed'), [{ ...forbidden, name: 'a', times: 601 }]);
  for (const name of ['b', 'c', 'd', 'e', 'd', 'a']) await keep(author, { ...refused, name });
  await Promise.all(['f', 'g', 'b'].map((name) => keep(author, { ...refused, name })));
  const ofEd = [
    { ...forbidden, name: 'a', times: 602 },
    { ...forbidden, name: 'b', times: 2 },
    { ...forbidden, name: 'c', times: 1 },
    { reason: 'audit/not-named', name: '', times: 5 },
  ];
  assert.deepEqual(await rows('ed'), ofEd);
  await keep({ ...author, user: 'ann' }, refused);
  assert.deepEqual(await rows('ann'), [{ ...forbidden, name: 'a', times: 1 }], 'other users keep their rows');
  const token = { ...refused, code: 201, reason: '' };
  await Promise.all(Array.from({ length: 5 }, () => keep(author, token)));
  assert.deepEqual((await rows('ed')).length, ofEd.length + 5, 'an attempt with an effect has a row of its own');
  now = now.add({ hours: 12 });
  await keep(author, refused);
  assert.deepEqual((await rows('ed')).at(-1), { ...forbidden, name: 'a', times: 1 }, 'the next day starts from zero');
});

test('one batch of different attempts stays within the limit as well', async () => {
  await using db = await startDatabase();
  const clock = () => Temporal.Instant.from('2026-05-01T12:00:00Z');
  const { keep } = attemptLog(db.database, clock, openLog('silent'), { namedMax: 10 });
  await Promise.all(Array.from({ length: 2_000 }, (_, index) => keep(author, { ...refused, name: `n${index}` })));
  const counted = 'select count(*)::int as rows, sum(times)::int as times from backline.attempts';
  assert.deepEqual(await db.database.query(counted), [{ rows: 11, times: 2_000 }]);
});
