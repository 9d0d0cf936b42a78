import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authenticateWith } from './authenticate.ts';

test('a user whose name is too long for the audit record is not authenticated', async () => {
  const authenticate = authenticateWith([(token) => ({ name: token, groups: [] })]);
  const as = (name: string) => authenticate({ headers: { authorization: `Bearer ${name}` } });
  assert.equal((await as('u'.repeat(400)))?.name.length, 400);
  await assert.rejects(as('u'.repeat(401)), { code: 'access/unauthorized' });
});
