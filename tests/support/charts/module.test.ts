import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { decideWith } from '#kernel/store/rules/write.ts';
import { MemoryStore } from '../../simulation/releases/memory-store.ts';
import { charts } from './module.ts';

const [Venue] = charts.kinds ?? [];
const [venues] = charts.targets ?? [];
const clock = () => Temporal.Instant.fromEpochMilliseconds(0);
const BERLIN = { cities: ['berlin'] };

test('venues: a stage that is taken back is shown where the stage before it was, and one that came since waits', () => {
  assert.ok(Venue !== undefined && venues !== undefined);
  const kinds = kindRegistry([Venue]);
  const store = new MemoryStore(kinds.all, decideWith(kinds), clock);
  const open = (name: string, city: string): void => {
    const { id, apiVersion, kind } = Venue;
    const object = { apiVersion, kind, metadata: { name }, spec: { city } };
    const made: Operation = {
      verb: 'create',
      kind: id,
      namespace: '',
      name,
      object,
      uid: name,
      fieldValidation: 'Strict',
    };
    store.commit([made], { user: 'ann', requestId: name });
  };
  const { aim } = venues.open({ store: store.reads(), kinds, clock });
  open('arena', 'berlin');
  open('hall', 'oslo');
  const first = aim('r', [BERLIN], undefined);
  assert.deepEqual(first, { parts: 1, venues: ['arena'] });
  open('club', 'berlin');
  assert.deepEqual(
    aim('r', [BERLIN, BERLIN], first),
    { parts: 2, venues: ['arena', 'club'] },
    'a later stage includes it',
  );
  const second = aim('r', [BERLIN, { cities: ['oslo'] }], first);
  assert.deepEqual(second, { parts: 2, venues: ['arena', 'hall'] });
  assert.deepEqual(aim('r', [BERLIN], second), first);
});
