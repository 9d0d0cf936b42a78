import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReleaseItem } from '../kinds/release-spec.ts';
import { intentOf, type HeadState } from './head-states.ts';
import type { Intent } from './progress.ts';

const side = (revision: string) => ({ revision, namespace: '', labels: {}, generation: 1, refs: [] });
const BEFORE = side('before');
const AFTER = side('after');
const OTHER = side('other');

const becomes = (name: string): ReleaseItem => ({ kind: 'Node', name, from: BEFORE, to: AFTER });
const inStage = (stage: number, state: HeadState['everyone'] = AFTER, release = 'r'): HeadState => {
  return { everyone: BEFORE, candidate: { release, state, stage } };
};

const TABLE: readonly (readonly [title: string, heads: readonly HeadState[], intent: Intent])[] = [
  ['no object', [], { at: 'nobody' }],
  ['what was before', [{ everyone: BEFORE }, { everyone: BEFORE }], { at: 'nobody' }],
  ['another release', [inStage(1, AFTER, 'other')], { at: 'nobody' }],
  ['the same stage', [inStage(1), inStage(1)], { at: 'stage', stage: 1 }],
  ['two stages', [inStage(1), inStage(2)], { at: 'mixed' }],
  ['a stage of one of them', [inStage(1), { everyone: BEFORE }], { at: 'mixed' }],
  ['another revision', [inStage(1, OTHER)], { at: 'mixed' }],
  ['everybody', [{ everyone: AFTER }, { everyone: AFTER }], { at: 'everybody' }],
  ['everybody of one of them', [{ everyone: AFTER }, { everyone: BEFORE }], { at: 'mixed' }],
];

for (const [title, heads, intent] of TABLE) {
  test(`the intent of a release is what all its Heads say: ${title}`, () => {
    const objects = heads.map((_, index) => becomes(`${index}`));
    assert.deepEqual(
      intentOf('r', objects, ({ name }) => heads[Number(name)] ?? { everyone: undefined }),
      intent,
    );
  });
}

test('what is deleted is with everybody when no Head says anything, and in a stage when a candidate is nothing', () => {
  const deleted: ReleaseItem = { kind: 'Node', name: 'a', from: BEFORE };
  assert.deepEqual(
    intentOf('r', [deleted], () => ({ everyone: undefined })),
    { at: 'everybody' },
  );
  const gone: HeadState = { everyone: BEFORE, candidate: { release: 'r', state: undefined, stage: 0 } };
  assert.deepEqual(
    intentOf('r', [deleted], () => gone),
    { at: 'stage', stage: 0 },
  );
});
