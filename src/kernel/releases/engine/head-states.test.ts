import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Head, headOf } from '#kernel/kinds/builtin/head.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { stampEntry } from '#kernel/store/entry.ts';
import type { ReleaseItem } from '../kinds/release-spec.ts';
import { Node } from '../testing/node.ts';
import { HeadStates, intentOf, type HeadState } from './head-states.ts';
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

test('a deletion is with everybody when no Head says anything, and in a stage when a candidate is nothing', () => {
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

test('the Heads of a large release are read in steps, and the look that follows parses none of them', (t) => {
  const names = Array.from({ length: 1_000 }, (_, index) => `n${index}`);
  const live = (name: string, revision: string) => {
    return { kind: Node.id, namespace: '', name, labels: { a: 'b' }, spec: { revision }, revision };
  };
  const entries = new Map(
    names.map((name, index) => {
      const candidate = { release: 'r', object: live(name, 'after'), generation: 2, stage: 1, where: {} };
      const head = headOf(Node, name, { object: live(name, 'before'), generation: 1 }, candidate);
      return [head.metadata.name, stampEntry(Head, head, index + 1)];
    }),
  );
  const states = new HeadStates({ get: (_kind, _namespace, name) => entries.get(name) }, kindRegistry([Head, Node]));
  const to = { ...AFTER, labels: { a: 'b' } };
  const objects = names.map((name): ReleaseItem => ({ kind: Node.id, name, from: BEFORE, to }));
  const { mock } = t.mock.method(JSON, 'parse');
  let parsedAtOnceMax = 0;
  for (const work = states.read(objects); work.next().done !== true; mock.resetCalls()) {
    parsedAtOnceMax = Math.max(parsedAtOnceMax, mock.callCount());
  }
  assert.ok(parsedAtOnceMax > 0 && parsedAtOnceMax <= 100);
  mock.resetCalls();
  assert.deepEqual(states.intent('r', { objects }), { at: 'stage', stage: 1 });
  assert.equal(mock.callCount(), 0);
});
