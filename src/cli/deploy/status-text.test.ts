import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusText } from './status-text.ts';

const instance = (cluster: string, state: string, message?: string) => ({
  metadata: { namespace: 'aria', name: `player.${cluster}` },
  spec: { component: 'player', cluster },
  status: {
    state,
    observed: 'aaaaaaaaaa 100% ×2',
    ...(message === undefined ? {} : { message }),
    tracks: [{ revision: 'aaaaaaaaaa', weight: 100, replicas: 2, ready: 1, restarts: 3 }],
  },
});

test('a component has a row for each cluster, and the release that changes it', () => {
  const release = {
    metadata: { name: 'aria-player-7' },
    spec: { objects: [{ kind: 'deploy.backline.dev/Component', name: 'aria/player' }] },
    status: { phase: 'Progressing', message: 'Going live in this stage.' },
  };
  const other = { ...release, spec: { objects: [{ kind: 'deploy.backline.dev/Component', name: 'aria/search' }] } };
  const clusters = [
    { metadata: { name: 'lund' }, status: { state: 'ready' } },
    { metadata: { name: 'tokyo' }, status: { state: 'unreachable', message: 'it does not run' } },
  ];
  const text = statusText([instance('tokyo', 'healthy'), instance('lund', 'progressing', 'no data')], clusters, [
    release,
    other,
  ]);
  const lines = text.split('\n').map((line) => line.split(/\s{2,}/).filter((cell) => cell !== ''));
  assert.deepEqual(lines[0], ['aria/player']);
  assert.deepEqual(lines[2]?.slice(0, 5), ['lund', 'progressing', 'aaaaaaaaaa 100%', '1/2', '3']);
  assert.deepEqual(lines[3], ['tokyo', 'unknown', 'aaaaaaaaaa 100%', '1/2', '3', 'it does not run']);
  assert.deepEqual(lines[4], ['release aria-player-7: Progressing. Going live in this stage.']);
  assert.equal(lines.length, 5);
});
