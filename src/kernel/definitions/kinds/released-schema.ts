import type { Path, Problem } from '#kernel/base/failures.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { LIVE_CONDITION, RELEASED_STATUS, type ReleasedStatus } from '#kernel/kinds/released-status.ts';
import { getOwn, isObject, type JsonObject } from '#kernel/kinds/schema/own.ts';
import { forbiddenProblem, requiredProblem } from '#kernel/kinds/schema/problems.ts';
import { SchemaError } from '#kernel/kinds/schema/schema-node.ts';
import { compileSchema } from '#kernel/kinds/structure.ts';
import { CustomResourceDefinition } from './custom-resource-definition.ts';
import type { DefinitionSpec, VersionSpec } from './definition-spec.ts';

/** Fields of an object whose content is no part of a release. */
const AROUND_SPEC = new Set(['apiVersion', 'kind', 'metadata', 'spec', 'status']);

/** The schema of a version whose objects are released: its status has the standard fields beside its own. */
export function withReleasedStatus(schema: JsonObject): JsonObject {
  const properties = fieldsOf(schema, 'properties');
  const status = fieldsOf(properties, 'status');
  const fields = { ...RELEASED_STATUS.properties, ...fieldsOf(status, 'properties') };
  return { ...schema, properties: { ...properties, status: { type: 'object', ...status, properties: fields } } };
}

function fieldsOf(schema: JsonObject, field: string): JsonObject {
  const value = getOwn(schema, field);
  return isObject(value) ? value : {};
}

/**
 * Problems of a definition whose objects are to be released. A Head and a Release have the spec of an object and nothing else of it,
 * and the condition `Live` has to have its place.
 */
export function releasedProblems(object: ResourceObject): readonly Problem[] {
  const spec = CustomResourceDefinition.spec(object);
  return [
    ...spec.versions.flatMap((version, index) => versionProblems(version, ['spec', 'versions', index])),
    ...conversionProblems(spec, CustomResourceDefinition.status(object)?.storedVersions ?? []),
  ];
}

function versionProblems({ schema, subresources }: VersionSpec, path: Path): readonly Problem[] {
  const root = schema.openAPIV3Schema;
  const at = [...path, 'schema', 'openAPIV3Schema'];
  const { required } = root;
  const properties = fieldsOf(root, 'properties');
  const spec = fieldsOf(properties, 'spec');
  const others = Object.keys(properties).filter((field) => !AROUND_SPEC.has(field));
  return [
    ...(spec['type'] === 'object' && spec['nullable'] !== true
      ? []
      : [requiredProblem([...at, 'properties', 'spec'], 'an object that is no null: a release carries the spec')]),
    ...(Array.isArray(required) && required.includes('spec')
      ? []
      : [requiredProblem([...at, 'required'], 'must have "spec": a release carries the spec')]),
    ...others.map((field) => forbiddenProblem([...at, 'properties', field], 'only spec is released: move it there')),
    ...(root['x-kubernetes-preserve-unknown-fields'] === true
      ? [forbiddenProblem([...at, 'x-kubernetes-preserve-unknown-fields'], 'only spec is released: set it there')]
      : []),
    ...(subresources?.status === undefined
      ? [
          requiredProblem(
            [...path, 'subresources', 'status'],
            'the condition Live of released objects is there: add {}',
          ),
        ]
      : statusProblems(root, [...at, 'properties', 'status'])),
  ];
}

/** Statuses as the server writes them. */
const WRITTEN: readonly ReleasedStatus[] = (['True', 'False', 'Unknown'] as const).map((status) => ({
  observedGeneration: 1,
  liveRevision: 'f'.repeat(40),
  release: 'r-1-example',
  conditions: [
    {
      type: LIVE_CONDITION,
      status,
      reason: 'NoLongerAccepted',
      message: 'A sentence: spec.size is wrong.',
      observedGeneration: 1,
      lastTransitionTime: '2026-01-01T00:00:00Z',
    },
  ],
}));

/** Fields of its own that leave no room for the standard ones. */
function statusProblems(root: JsonObject, path: Path): readonly Problem[] {
  try {
    const { validate, prune } = compileSchema(fieldsOf(fieldsOf(withReleasedStatus(root), 'properties'), 'status'));
    const [unknown] = WRITTEN.flatMap((status) => prune(status).unknown);
    const [wrong] = WRITTEN.flatMap((status) => validate(status));
    if (unknown === undefined && wrong === undefined) return [];
    const field = unknown ?? wrong?.path ?? [];
    const why = wrong === undefined ? 'it would be pruned' : wrong.detail;
    const text = `the server writes observedGeneration, liveRevision, release and the condition ${LIVE_CONDITION} into it: ${why}`;
    return [forbiddenProblem([...path, ...field], text)];
  } catch (error) {
    // Another check names what is wrong with the schema.
    if (error instanceof SchemaError) return [];
    throw error;
  }
}

/** A webhook gives a spec of another version another hash: Heads and Releases would name what nobody wrote. */
function conversionProblems({ conversion, versions }: DefinitionSpec, stored: readonly string[]): readonly Problem[] {
  const storage = versions.find((version) => version.storage)?.name ?? '';
  const others = stored.filter((version) => version !== storage);
  if (conversion?.strategy !== 'Webhook' || others.length === 0) return [];
  const text = `with a webhook the storage version of released objects stays as it is: live specs and objects are stored in ${others.join(', ')}, and would be of ${storage}`;
  return [forbiddenProblem(['spec', 'conversion', 'strategy'], text)];
}
