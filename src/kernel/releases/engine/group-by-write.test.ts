import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Origin } from './form.ts';
import { groupByWrite, type DeclaredItem, type Origins } from './group-by-write.ts';

const origin = (write: number, version = write): Origin => ({ write, version, user: `user-${version}` });

function declaredItem(item: string, first: number, ...others: number[]): DeclaredItem<string> {
  return { item, origins: [origin(first), ...others.map((write) => origin(write))] };
}

const TABLE: readonly (readonly [title: string, items: readonly DeclaredItem<string>[], groups: readonly string[]])[] =
  [
    ['nothing', [], []],
    ['each by itself', [declaredItem('a', 1), declaredItem('b', 2)], ['a', 'b']],
    ['one write', [declaredItem('a', 1), declaredItem('b', 1), declaredItem('c', 1)], ['abc']],
    ['two writes, in turn', [declaredItem('a', 1), declaredItem('b', 2), declaredItem('c', 1)], ['ac', 'b']],
    [
      'joined by an object that both writes declared',
      [declaredItem('a', 1), declaredItem('b', 2), declaredItem('c', 1, 2)],
      ['abc'],
    ],
    [
      'joined in a chain',
      [declaredItem('a', 1, 2), declaredItem('b', 3, 4), declaredItem('c', 5), declaredItem('d', 2, 3)],
      ['abd', 'c'],
    ],
  ];

for (const [title, items, groups] of TABLE) {
  test(`what shares a write is one group: ${title}`, () => {
    assert.deepEqual(
      groupByWrite(items).map((group) => group.items.join('')),
      groups,
    );
  });
}

test('a group is of the latest of the last writes, and knows all its writes', () => {
  const items = [
    { item: 'a', origins: [origin(3, 5)] as const },
    { item: 'b', origins: [origin(3), origin(7, 8)] as const },
    { item: 'c', origins: [origin(3, 6)] as const },
  ];
  const [group] = groupByWrite(items);
  assert.deepEqual(group?.origin, origin(7, 8));
  assert.deepEqual([...(group?.writes ?? [])], [3, 7]);
});

test('groups are what a naive search reaches from each item by shared writes', () => {
  const origins = fc
    .array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 })
    .map((writes) => writes.map((write) => origin(write)) as unknown as Origins);
  fc.assert(
    fc.property(fc.array(origins, { maxLength: 12 }), (all) => {
      const items = all.map((each, item) => ({ item, origins: each }));
      const groups = groupByWrite(items);
      assert.deepEqual(
        groups.map((group) => group.items),
        reachableGroups(items),
      );
      for (const group of groups) {
        const own = group.items.flatMap((item) => items[item]?.origins ?? []);
        assert.deepEqual(group.writes, new Set(own.map(({ write }) => write)));
      }
    }),
  );
});

/** The oracle: from each item not yet reached, everything that shares a write with what is reached, until nothing does. */
function reachableGroups(items: readonly DeclaredItem<number>[]): number[][] {
  const groups: number[][] = [];
  for (const one of items) {
    if (groups.some((group) => group.includes(one.item))) continue;
    let group = [one];
    for (let before = 0; before !== group.length;) {
      before = group.length;
      const writes = group.flatMap(({ origins }) => origins.map(({ write }) => write));
      group = items.filter(({ origins }) => origins.some(({ write }) => writes.includes(write)));
    }
    groups.push(group.map(({ item }) => item));
  }
  return groups;
}
