import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { Experiment } from './kinds/experiment.ts';
import { experienceKinds } from './module.ts';
import { runningAdvisor } from './running-advice.ts';

test('a change of an audience names the running experiments that use it, as far as the author may see them', () => {
  const live = (kind: Kind, name: string, spec: object, namespace = 'n'): LiveObject => {
    return { kind: kind.id, namespace, name, labels: {}, spec, revision: '1' };
  };
  const experiment = { flag: 'f', state: 'running', iteration: 1, split: [{ variant: 'a', weight: 1 }] };
  const world = new LiveObjects(kindRegistry([...audienceKinds, ...experienceKinds]), [
    live(Audience, 'below', { members: { include: ['u'] } }),
    live(Audience, 'above', { anyOf: [{ allOf: [{ audience: 'below' }] }] }),
    live(Experiment, 'direct', { ...experiment, audience: 'below' }),
    live(Experiment, 'over', { ...experiment, audience: 'above' }, 'elsewhere'),
    live(Experiment, 'over-by-rule', { ...experiment, when: { anyOf: [{ allOf: [{ audience: 'above' }] }] } }),
    live(Experiment, 'for-all', experiment),
    live(Experiment, 'over-and-ended', { ...experiment, state: 'ended', audience: 'below' }),
  ]);
  const { apiVersion, kind } = Audience;
  const advice = (name: string) =>
    runningAdvisor(world).advise({ apiVersion, kind, metadata: { name, namespace: 'n' } }, []);
  assert.deepEqual(advice('below'), [
    'Running experiment "direct" uses it: listeners who no longer match leave it.',
    'Running experiment "over-by-rule" uses it: listeners who no longer match leave it.',
    'Running experiments of other namespaces use it (1): listeners who no longer match leave them.',
  ]);
  assert.deepEqual(advice('other'), []);
});
