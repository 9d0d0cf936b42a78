import assert from 'node:assert/strict';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { contextProblems } from '#kernel/audiences/check-context.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { fieldPath } from '#kernel/base/failures.ts';
import type { CheckContext, LiveObject, ResourceObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { validateMetadata } from '#kernel/kinds/metadata.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { compile } from '../decisions/compile.ts';
import type { ExperienceTable, Outcome } from '../decisions/table.ts';
import { experienceKinds } from '../module.ts';

const kinds = kindRegistry([...audienceKinds, ...experienceKinds]);

/**
 * The table of objects declared in this order, validated like the resource API: JSON transport, schema,
 * unknown fields, defaults, kind rules, references.
 */
export function declaredTable(objects: readonly ResourceObject[]): ExperienceTable {
  const accepted: ResourceObject[] = [];
  const world = new LiveObjects(kinds);
  const context: CheckContext = {
    now: Temporal.Instant.fromEpochMilliseconds(0),
    find: (kind, index, value) =>
      world.find(kind, index, value).map((live) => {
        const found = accepted.find((object) => object.metadata.name === live.name && idOf(object) === live.kind);
        assert.ok(found !== undefined);
        return found;
      }),
  };
  for (const sent of JSON.parse(JSON.stringify(objects)) as ResourceObject[]) {
    const kind = kinds.byApiVersion(sent.apiVersion, sent.kind);
    assert.ok(kind !== undefined, sent.kind);
    const structure = structureOf(kind);
    const { value, unknown } = structure.prune(sent);
    assert.deepEqual(unknown, []);
    const object = structure.applyDefaults(value) as ResourceObject;
    const { name } = object.metadata;
    const problems = [
      ...structure.validate(object),
      ...validateMetadata(kind, { ...object.metadata, namespace: 'default' }),
      ...(kind.validate?.(object.spec, { ...context, name }) ?? []),
    ];
    const lines = problems.map(({ path, detail }) => `${kind.kind} ${name}: ${fieldPath(path)}: ${detail}`);
    assert.deepEqual(lines, []);
    accepted.push(object);
    world.set(live(kind.id, object));
  }
  for (const object of accepted) {
    const kind = kinds.byId(idOf(object));
    const { name } = object.metadata;
    assert.deepEqual(kind.check?.(object.spec, world, name) ?? [], []);
    for (const ref of kind.refs?.(object.spec, 'default') ?? [])
      assert.ok(world.get(ref.kind, ref.name) !== undefined, `${name} → ${ref.kind} ${ref.name}`);
  }
  return compile(world);
}

function idOf({ apiVersion, kind }: ResourceObject): string {
  const found = kinds.byApiVersion(apiVersion, kind);
  assert.ok(found !== undefined);
  return found.id;
}

function live(kind: string, { metadata, spec }: ResourceObject): LiveObject {
  return { kind, namespace: 'default', name: metadata.name, labels: {}, spec, revision: contentHash(spec) };
}

/** The outcome of a flag for a context of declared types; undefined without such a flag. */
export function decideFlag(
  table: ExperienceTable,
  key: string,
  context: Context,
  { nowMs = 0, random = () => 0 }: { readonly nowMs?: number; readonly random?: () => number } = {},
): Outcome | undefined {
  assert.deepEqual(contextProblems(context, table.audiences.attributes), []);
  return table.flags.get(key)?.decide({ context, nowMs, random, kept: new Map() }, table.flags);
}
