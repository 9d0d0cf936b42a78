import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldsWithoutEffect } from '#kernel/kinds/testing/field-effects.ts';
import { healthOf, wantedIn } from '../rules/wanted-tracks.ts';
import { digestOf } from '../rules/cluster-state.ts';
import { planTracks } from '../rules/plan-tracks.ts';
import { Cluster } from './cluster.ts';
import { Component } from './component.ts';

const NAME = 'aria/player';
const LABELS = [{ region: 'eu', ring: 'first' }, { region: 'us' }];

/** The desired state of clusters with some labels, and the health of a replica that is not ready for a while. */
function observeComponent(stored: unknown): unknown {
  const everyone = Component.spec({ spec: stored });
  return LABELS.map((labels) => {
    const wanted = wantedIn({ name: NAME, everyone, candidate: undefined }, { name: 'a', labels });
    const { waits: _waits, ...plan } = planTracks(wanted.tracks, { tracks: [], weights: {} });
    const { hosts, stickyHeader } = wanted;
    const sticky = stickyHeader === undefined ? {} : { stickyHeader };
    const tracks = plan.tracks.map(({ revision }) => ({
      revision,
      replicas: 2,
      ready: 1,
      restarts: 0,
      failures: 0,
      unreadySeconds: 100,
    }));
    return {
      digest: digestOf({ name: NAME, fence: 1, hosts, ...sticky, ...plan }),
      health: healthOf(wanted, { tracks, weights: {} }),
    };
  });
}

test('every field of Component shows', async () => {
  const service = {
    title: 'Player API',
    workload: 'service',
    command: ['node', 'a.mjs'],
    env: { LEVEL: 'info' },
    files: { 'a.mjs': '//' },
    replicas: 2,
    hosts: ['player.example.com'],
    stickyHeader: 'x-listener',
    readinessPath: '/ready',
    livenessPath: '/live',
    progressSeconds: 100,
    clusters: {
      matchLabels: { region: 'eu' },
      matchExpressions: [{ key: 'ring', operator: 'In', values: ['first'] }],
    },
  };
  const worker = { workload: 'worker', command: ['node', 'a.mjs'] };
  const effects = { kind: Component, bases: [service, worker], informational: ['title'], observe: observeComponent };
  assert.deepEqual(await fieldsWithoutEffect(effects), []);
});

test('every field of Cluster shows', async () => {
  // The agent of a cluster is ended and started again where its port changes: see the journey of local clusters.
  const observe = (stored: unknown) => Cluster.spec({ spec: stored }).local.port;
  const effects = { kind: Cluster, bases: [{ local: { port: 8101 } }], informational: [], observe };
  assert.deepEqual(await fieldsWithoutEffect(effects), []);
});
