import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldsOf, firstAt, parseJsonPath } from './json-path.ts';

const VALUE = {
  spec: { size: 3, 'a.b/c': 'dotted', list: [{ name: 'x' }, { name: 'y' }] },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Other', status: 'False' },
    ],
  },
};

function at(text: string): unknown {
  const path = parseJsonPath(text);
  assert.ok(!('problem' in path), JSON.stringify(path));
  return firstAt(path, VALUE);
}

test('a path leads to a value as in kubectl', () => {
  const cases: Record<string, unknown> = {
    '.spec.size': 3,
    '.spec.none.of': undefined,
    ".spec['a.b/c']": 'dotted',
    '.spec.a\\.b/c': 'dotted',
    '.spec.list[1].name': 'y',
    '.spec.list[-1].name': 'y',
    '.spec.list[*].name': 'x',
    '.status.conditions[?(@.type=="Ready")].status': 'True',
    ".status.conditions[?(@.type!='Ready')].status": 'False',
  };
  for (const [text, value] of Object.entries(cases)) assert.deepEqual(at(text), value, text);
});

test('a text that is no path is refused with a place', () => {
  for (const text of ['', 'spec', '.spec.', '.a[', '.a[?(@.x > 1)]', '{.spec.size}', '.a'.repeat(51)]) {
    assert.ok('problem' in parseJsonPath(text), text);
  }
});

test('only a path of fields has fields', () => {
  const fields = (text: string) => {
    const path = parseJsonPath(text);
    return 'problem' in path ? undefined : fieldsOf(path);
  };
  assert.deepEqual(fields('.spec.replicas'), ['spec', 'replicas']);
  assert.equal(fields('.spec.list[0]'), undefined);
});
