import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#kernel/base/clock.ts';
import { systemTime } from '#kernel/base/time.ts';
import { CustomResourceDefinition } from '#kernel/definitions/kinds/custom-resource-definition.ts';
import { digestIn } from '#kernel/definitions/rules/digest.ts';
import { RELEASED_CONDITION } from '#kernel/definitions/rules/released-annotation.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import type { Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { keepReleasedKinds } from './keep-released-kinds.ts';

test('a definition under release whose kind is not served yet is tried again', async () => {
  const { apiVersion, kind, example } = CustomResourceDefinition;
  const conditions = [{ type: RELEASED_CONDITION, status: 'True' }];
  const metadata = { name: 'widgets.stock.example', uid: 'u', generation: 1 };
  const keep = keepReleasedKinds({
    store: {} as Store<Operation>,
    kinds: kindRegistry([]),
    clock: systemClock,
    time: systemTime,
    caughtUp: async () => {},
  });
  const context = { waitFor: () => {}, signal: new AbortController().signal };
  const of = (status: object) => digestIn({ apiVersion, kind, metadata, spec: example?.spec, status });
  await assert.rejects(keep(of({ conditions }), context), { message: 'stock.example/Widget is not served yet' });
  await keep(of({}), context);
});
