import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { openLog } from '#kernel/base/log.ts';
import { decisionOpenApi } from '#kernel/snapshots/openapi.ts';
import { declaredPaths, describedModules, OTHER_PATHS } from './parts/catalogue.ts';
import { MODULES } from './modules.ts';

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema?: object }>> }>>;
}

const modules = describedModules(MODULES, openLog('silent'));
const document = decisionOpenApi(modules, OTHER_PATHS, '1') as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).flatMap(([method, operation]) => (method === 'parameters' ? [] : [{ path, method, operation }])),
);

test('the document is valid OpenAPI', async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors ?? '').slice(0, 2_000));
});

test('every path that applications may use is in it, each operation with an id of its own', () => {
  const documented = Object.keys(document.paths).map((path) => path.replace(/\{\w+\}/, '*'));
  assert.deepEqual(documented.sort(), [...new Set(declaredPaths(modules).map(({ path }) => path))].sort());
  const ids = operations.map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(
    ['getCheck', 'postCheck', 'postSubscriptionsPlan', 'postOfrepEvaluateFlagsKey', 'postEvents'].every((id) =>
      ids.includes(id),
    ),
    ids.join(' '),
  );
});

test('every template of a path is a declared parameter', () => {
  for (const [path, item] of Object.entries(document.paths)) {
    const declared = ((item as { parameters?: readonly { name: string; in: string }[] }).parameters ?? [])
      .filter((one) => one.in === 'path')
      .map(({ name }) => name);
    assert.deepEqual(
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      declared,
      path,
    );
  }
});

test('every answer has a type: no object without members', () => {
  const untyped = operations.filter(({ operation }) =>
    Object.values(operation.responses['200']?.content ?? {}).some(({ schema }) => isUntyped(schema ?? {})),
  );
  assert.deepEqual(
    untyped.map(({ method, path }) => `${method} ${path}`),
    [],
  );
});

function isUntyped(schema: object): boolean {
  const { type, properties = {}, allOf } = schema as { type?: string; properties?: object; allOf?: readonly object[] };
  if (allOf !== undefined) return isUntyped(allOf[0] ?? {});
  return (type === undefined || type === 'object') && Object.keys(properties).length === 0;
}
