import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandQuery, hasDefault, namesTrack } from './expand-query.ts';

const ASKED = { release: 'cap-1', track: 'candidate', windowMs: 30_000 } as const;

test('a query has its release, track and window, and everything else in it stays', () => {
  const cases: readonly [query: string, expanded: string][] = [
    [
      'sum(increase(errors{release="$release",track="$track"}[$window]))',
      'sum(increase(errors{release="cap-1",track="candidate"}[30s]))',
    ],
    ['label_replace(up, "a", "$1", "b", "(.*)$")', 'label_replace(up, "a", "$1", "b", "(.*)$")'],
    ['x{a="$tracks",b="$releases"}', 'x{a="$tracks",b="$releases"}'],
  ];
  for (const [query, expanded] of cases) assert.equal(expandQuery(query, ASKED), expanded);
  assert.deepEqual([hasDefault('x or vector (0)'), hasDefault('vectors'), hasDefault('x')], [true, false, false]);
  assert.deepEqual([namesTrack('x{t="$track"}'), namesTrack('x{t="$tracks"}')], [true, false]);
});

test('no name of a release leaves the quotes that it stands in', () => {
  const release = 'a"} or b{c="\\\n';
  const query = expandQuery('errors{release="$release"}', { ...ASKED, release });
  assert.equal(query, String.raw`errors{release="a\"} or b{c=\"\\\n"}`);
  assert.equal(JSON.parse(/"(?:[^"\\]|\\.)*"/.exec(query)?.[0] ?? ''), release);
});
