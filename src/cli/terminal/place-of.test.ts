import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placeOf } from './place-of.ts';

const usual = { namespace: 'default' };

test('a name is in the namespace of the option, or that of the connection, or in the one before its slash', () => {
  assert.deepEqual(placeOf('acme', {}, usual), { namespace: 'default', name: 'acme' });
  assert.deepEqual(placeOf('acme', { namespace: 'aria' }, usual), { namespace: 'aria', name: 'acme' });
  assert.deepEqual(placeOf('aria/acme.s', {}, usual), { namespace: 'aria', name: 'acme.s' });
  assert.deepEqual(placeOf('aria/acme', { namespace: 'aria' }, usual), { namespace: 'aria', name: 'acme' });
});

test('a name with a slash too many, or in another namespace than the option names, is refused', () => {
  for (const wrong of ['/acme', 'aria/', 'a/b/c']) assert.throws(() => placeOf(wrong, {}, usual), /is no name/);
  assert.throws(
    () => placeOf('aria/acme', { namespace: 'default' }, usual),
    /in the namespace aria, and -n names default/,
  );
});
