import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliasAdvisor } from './alias-advice.ts';
import { EventType } from './kinds/event-type.ts';
import { eventTypes } from './testing/table.ts';

test('an alias type that stores the other id of a person in the clear gets a warning', () => {
  const advice = (previousId: object, call = 'alias') => {
    const schema = { properties: { previousId }, required: [] };
    const spec = { ...eventTypes.play, schema, segment: { call } };
    return aliasAdvisor.advise(
      { apiVersion: EventType.apiVersion, kind: EventType.kind, metadata: { name: 'alias' }, spec },
      [],
    );
  };
  assert.match(advice({ type: 'string' }).join(), /^previousId is another id .* make it sensitive\.$/);
  assert.deepEqual(advice({ type: 'string', sensitive: true }), []);
  assert.deepEqual(advice({ type: 'string' }, 'page'), []);
});
