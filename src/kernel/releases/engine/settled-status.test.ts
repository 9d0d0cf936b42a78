import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { stampEntry } from '#kernel/store/entry.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { Node } from '../testing/node.ts';
import { isSettled, statusOperation } from './go-live.ts';

const revision = 'f'.repeat(40);
const spec = { needs: [], value: 1, neighbourMax: 1 };
const live = { kind: Node.id, namespace: '', name: 'a', labels: {}, spec, revision };
const LIVE = { status: 'True', reason: 'Released' };

function declaredObject(status: object | undefined, metadata: object = {}): ResourceObject {
  const { apiVersion, kind } = Node;
  const object = { apiVersion, kind, metadata: { name: 'a', generation: 3, ...metadata }, spec };
  return status === undefined ? object : { ...object, status };
}

function conditionOf(more: object) {
  return {
    type: 'Live',
    ...LIVE,
    message: 'x',
    observedGeneration: 3,
    lastTransitionTime: '2026-01-01T00:00:00Z',
    ...more,
  };
}

test('the status that the engine gives a live object is known without parsing it', () => {
  const entry = stampEntry(Node, declaredObject(undefined), 1);
  const [operation] = statusOperation(entry, live, { is: 'live' }, Temporal.Instant.fromEpochMilliseconds(0));
  assert.ok(operation?.verb === 'patch');
  const { status } = operation.patch as { status: object };
  const stamped = stampEntry(Node, declaredObject(status), 2);
  stamped.outline = () => assert.fail('it is parsed');
  assert.equal(isSettled(stamped, live), true);
  assert.equal(isSettled(stamped, { ...live, revision: 'e' }), false);
});

test('whatever an object says of itself, its text is read as it is parsed', () => {
  const generation = fc.constantFrom(3, 4);
  const status = fc.record(
    {
      liveRevision: fc.constantFrom(revision, 'e'),
      observedGeneration: generation,
      conditions: fc.array(
        fc
          .record(
            {
              type: fc.constantFrom('Live', 'Other'),
              status: fc.constantFrom('True', 'False'),
              reason: fc.constantFrom('Released', 'Held'),
              message: fc.constantFrom('x', '"type":"Live","status":"True"', '{'),
            },
            { requiredKeys: [] },
          )
          .map(conditionOf),
        { minLength: 0, maxLength: 2 },
      ),
      release: fc.constant('r'),
    },
    { requiredKeys: [] },
  );
  const metadata = fc.record(
    {
      generation,
      annotations: fc.dictionary(fc.constantFrom('generation', '"generation":4'), fc.constantFrom('"generation":4')),
    },
    { requiredKeys: ['generation'] },
  );
  let standing = 0;
  fc.assert(
    fc.property(fc.option(status, { nil: undefined }), metadata, (stamped, given) => {
      const object = declaredObject(stamped, given);
      const parsed = isSettled(textEntry(Node, object, 1), live);
      standing += Number(parsed);
      assert.equal(isSettled(stampEntry(Node, object, 1), live), parsed);
    }),
    { numRuns: 3_000 },
  );
  assert.ok(standing > 20);
});
