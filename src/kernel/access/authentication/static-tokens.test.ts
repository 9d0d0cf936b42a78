import assert from 'node:assert/strict';
import { test } from 'node:test';
import { staticTokens } from './static-tokens.ts';

test('each line of a token file is a user', () => {
  const authenticate = staticTokens(
    [
      '# people',
      'token-a,ann,7,"growth, everybody"',
      '',
      'token-b, bob ,,',
      'token-c,"O""Neil, Eve",9',
      'token-d,dan,1,solo\r',
    ].join('\n'),
  );
  assert.deepEqual(authenticate('token-a'), { name: 'ann', uid: '7', groups: ['growth', 'everybody'] });
  assert.deepEqual(authenticate('token-b'), { name: 'bob', groups: [] });
  assert.deepEqual(authenticate('token-c'), { name: 'O"Neil, Eve', uid: '9', groups: [] });
  assert.deepEqual(authenticate('token-d'), { name: 'dan', uid: '1', groups: ['solo'] });
  for (const other of ['token-', 'TOKEN-A', '# people', '']) assert.equal(authenticate(other), undefined);
});

test('an invalid line stops the start, and its token is not shown', () => {
  for (const line of ['secret', 'secret,', ',ann', 'secret,"ann', 'secret,ann"', 'sec ret,ann', 'secret,"ann"x,1']) {
    assert.throws(
      () => staticTokens(`other,bob\n${line}\n`),
      (error: Error & { code?: string }) =>
        error.code === 'access/bad-token-file' && error.message.startsWith('Line 2 ') && !/sec/.test(error.message),
      line,
    );
  }
  assert.throws(() => staticTokens('secret,ann\nsecret,bob'), /Line 2 .* another line has the same token/);
});
