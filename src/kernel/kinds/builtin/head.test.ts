import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Head, headName } from './head.ts';

test('a name of a Head never excludes the kind that it is of, and mostly those of other groups', () => {
  const kinds = ['products.backline.dev', 'a.dev', 'b.a.dev', 'deploy.backline.dev'].map((group) => ({
    id: `${group}/Plan`,
    group,
    plural: 'plans',
    names: 'namespace' as const,
  }));
  const mayHave = (value: string, name: string) => Head.mayHave?.('spec.object.kind', value, name) ?? true;
  for (const kind of kinds) {
    const name = headName(kind, 'aria/premium.a.dev');
    assert.ok(mayHave(kind.id, name), kind.id);
    assert.ok(mayHave('Plan', name), 'a kind without a group');
    assert.ok(Head.mayHave?.('spec.object.namespace', 'aria', name), 'another field');
  }
  const [products] = kinds;
  assert.ok(products !== undefined);
  assert.ok(!mayHave('deploy.backline.dev/Component', headName(products, 'aria/premium')));
});
