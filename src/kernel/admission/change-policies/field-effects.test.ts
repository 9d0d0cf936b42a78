import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#kernel/base/failures.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { ConfigMap, Namespace } from '#kernel/kinds/builtin/core.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { fieldsWithoutEffect } from '#kernel/kinds/testing/field-effects.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Change, Entry, Reader } from '#kernel/store/contract.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { ChangePolicy } from './change-policy.ts';
import { changePolicies } from './review-changes.ts';

const NOW = Temporal.Instant.from('2026-05-01T12:00:00Z');
const KINDS = kindRegistry([ConfigMap, Namespace]);
const POLICY = {
  selector: { kinds: ['ConfigMap'], namespaces: ['default'], matchLabels: { tier: 'gold' } },
  rules: [
    {
      name: 'few',
      expression: 'size(change.object.data) < 1',
      messageExpression: "'%d entries'.format([size(change.object.data)])",
      allowedBy: { groups: ['legal'], users: ['lea'] },
    },
  ],
  breakGlass: { groups: ['on-call'], users: ['ota'] },
  action: 'Deny',
  failurePolicy: 'Fail',
};
const WITH_TEXT = { ...POLICY, rules: [{ name: 'few', expression: 'false', message: 'None at all.' }] };
const FAILING = { ...POLICY, rules: [{ name: 'few', expression: 'change.object.nosuch == 1' }] };

function entryOf(kind: Kind, name: string, more: object): Entry {
  const metadata = { name, ...(kind.namespaced ? { namespace: 'default', labels: { tier: 'gold' } } : {}) };
  return textEntry(kind, { apiVersion: kind.apiVersion, kind: kind.kind, metadata, ...more }, 1);
}

/** The result of a policy for writes of several people: remarks, or the refusal. */
function results(spec: unknown): unknown {
  const policy = entryOf(ChangePolicy, 'p', { spec });
  const read: Reader = {
    get: () => undefined,
    find: (kind) => (kind === ChangePolicy ? [policy] : []),
    list: () => [],
  };
  const entry = entryOf(ConfigMap, 'one', { data: { a: '1' } });
  const changes: readonly Change[] = [{ version: 1, type: 'ADDED', entry, before: undefined }];
  const { review } = changePolicies(KINDS, () => new LiveObjects(KINDS));
  const people = [
    ['ann', []],
    ['lea', []],
    ['ota', []],
    ['bob', ['legal']],
    ['cid', ['on-call']],
  ] as const;
  return people.map(([user, groups]) => {
    const caller = { groups, address: '', userAgent: '', verb: 'create' };
    try {
      return review && atOnce(review({ changes, read, now: NOW, author: { user, requestId: 'r', caller } }));
    } catch (error) {
      assert.ok(error instanceof Refusal);
      return error.message;
    }
  });
}

test('no field of ChangePolicies without an effect', async () => {
  const without = await fieldsWithoutEffect({
    kind: ChangePolicy,
    bases: [POLICY, WITH_TEXT, FAILING],
    informational: [],
    values: {
      'rules[].name': ['others'],
      'rules[].expression': ['true'],
      'rules[].messageExpression': ["'another text'"],
    },
    observe: (spec) => results(spec),
  });
  assert.deepEqual(without, []);
});
