import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '#kernel/access/kinds/rbac.ts';
import { ServiceAccount } from '#kernel/access/kinds/service-account.ts';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import { Head } from '#kernel/kinds/builtin/head.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { Pin } from '../kinds/pin.ts';
import { PrometheusSource } from '../kinds/prometheus-source.ts';
import { Release } from '../kinds/release.ts';
import { releasePolicyKind } from '../kinds/release-policy.ts';
import type { ReleaseState } from '../kinds/release-status.ts';
import { Stop } from '../kinds/stop.ts';
import { concernOf, isConcerned, type Concern } from './release-concerns.ts';

const POLICY: Kind = releasePolicyKind([]);

const TABLE: readonly (readonly [kinds: readonly Kind[], concerned: Concern])[] = [
  [[], 'none'],
  [[ConfigMap, Release], 'none'],
  ...[POLICY, Head, PrometheusSource, Role, ClusterRole, RoleBinding, ClusterRoleBinding, ServiceAccount].map(
    (kind) => [[ConfigMap, kind], 'waiting'] as const,
  ),
  ...[Stop, Pin].map((kind) => [[Head, kind, ConfigMap], 'all'] as const),
];

for (const [kinds, concerned] of TABLE) {
  test(`a change of ${kinds.map(({ kind }) => kind).join(', ') || 'nothing'} concerns ${concerned} open releases`, () => {
    assert.equal(concernOf(kinds), concerned);
  });
}

test('a queued release is woken by those ahead of it', () => {
  const turn: ReleaseState = { at: 'waiting', for: 'turn' };
  const world: ReleaseState = { at: 'waiting', for: 'world' };
  const promoting: ReleaseState = { at: 'promoting' };
  const concernsOf = (state: ReleaseState) =>
    (['all', 'waiting', 'none'] as const).map((one) => isConcerned(state, one));
  assert.deepEqual(concernsOf(turn), [true, false, false]);
  assert.deepEqual(concernsOf(world), [true, true, false]);
  assert.deepEqual(concernsOf(promoting), [true, false, false]);
});
