import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { RefusedHost, OutboundError } from '#kernel/outbound/outbound.ts';
import { openStore } from '#kernel/store/open-store.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { decideWith } from '#kernel/store/rules/write.ts';
import { startDatabase } from '#tests/support/database.ts';
import { PrometheusSource } from '../../kinds/prometheus-source.ts';
import { noteReachable } from './reachable.ts';

test('a PrometheusSource says since when it is reached, or why it is not, and is written only when that changes', async (t) => {
  const db = await startDatabase();
  const kinds = kindRegistry([PrometheusSource]);
  const store = await openStore<Operation>({ database: db.database, kinds: kinds.all, decide: decideWith(kinds) });
  t.after(async () => {
    await store.close();
    await db[Symbol.asyncDispose]();
  });
  const { apiVersion, kind } = PrometheusSource;
  const object = { apiVersion, kind, metadata: { name: 'main' }, spec: { url: 'http://prometheus.example:9090' } };
  const place = { kind: PrometheusSource.id, namespace: '', name: 'main' };
  await store.write([{ verb: 'apply', ...place, object, uid: 'u' }], { user: 'test', requestId: 'test' });
  let seconds = 0;
  const clock = () => Temporal.Instant.fromEpochMilliseconds((seconds += 1) * 1_000);
  const note = noteReachable({ store, clock, log: openLog('silent') });
  const noteAndWait = async (failure: OutboundError | undefined) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const unsubscribe = store.subscribe(() => resolve());
    for (let times = 0; times < 3; times += 1) note('main', failure);
    await promise;
    unsubscribe();
    const [condition] =
      PrometheusSource.status(store.get(PrometheusSource, '', 'main')?.object() ?? {})?.conditions ?? [];
    return [store.version(), condition?.status, condition?.reason, condition?.message, condition?.lastTransitionTime];
  };
  const refusal =
    'Its host has an address that objects may not reach (loopback); the server allows hosts with --allow-outbound.';
  assert.deepEqual(
    [
      await noteAndWait(new RefusedHost('127.0.0.1', 'loopback')),
      await noteAndWait(new OutboundError('it cannot be reached (ECONNREFUSED)')),
      await noteAndWait(undefined),
    ],
    [
      [2, 'False', 'HostRefused', refusal, '1970-01-01T00:00:01Z'],
      [3, 'False', 'NoAnswer', 'It cannot be reached (ECONNREFUSED).', '1970-01-01T00:00:01Z'],
      [4, 'True', 'Answered', 'It answered the last query.', '1970-01-01T00:00:02Z'],
    ],
  );
  note('gone', undefined);
  await store.fresh();
  assert.equal(store.version(), 4);
});
