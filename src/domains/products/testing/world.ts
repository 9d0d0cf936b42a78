import { Value } from 'typebox/value';
import { contentHash } from '#kernel/base/ids.ts';
import type { CheckContext, Kind, LiveObject, ResourceObject, World } from '#kernel/kinds/kind.ts';
import { productsKinds } from '../module.ts';

/** A kind's spec by the kind's short name and its own name, as tests write it. */
export function resource(
  kind: 'Feature' | 'Market' | 'Plan' | 'Price' | 'Cap' | 'AddOn',
  name: string,
  spec: unknown,
): ResourceObject {
  return { apiVersion: 'products.backline.dev/v1', kind, metadata: { name, namespace: 'test' }, spec };
}

/** A world with these objects live and schema defaults applied. */
export function worldOf(objects: readonly ResourceObject[]): World {
  const byKind = new Map<string, Map<string, LiveObject>>();
  const byIndex = new Map<string, LiveObject[]>();
  for (const object of objects) {
    const kind = kindOf(object);
    const spec = specWithDefaults(kind, object.spec);
    const { name, namespace = '', labels = {} } = object.metadata;
    const live: LiveObject = { kind: kind.id, namespace, name, labels, spec, revision: contentHash(spec) };
    const named = byKind.get(kind.id) ?? new Map<string, LiveObject>();
    byKind.set(kind.id, named.set(name, live));
    for (const key of indexKeys(kind, name, spec)) byIndex.set(key, [...(byIndex.get(key) ?? []), live]);
  }
  return {
    get: (kind, name) => byKind.get(kind)?.get(name),
    list: (kind) => byKind.get(kind)?.values() ?? [],
    find: (kind, index, value) => byIndex.get(`${kind} ${index} ${value}`) ?? [],
  };
}

/** The validation context after these objects are declared. */
export function contextOf(objects: readonly ResourceObject[], now: string): CheckContext {
  const byIndex = new Map<string, ResourceObject[]>();
  for (const object of objects) {
    const kind = kindOf(object);
    for (const key of indexKeys(kind, object.metadata.name, object.spec)) {
      byIndex.set(key, [...(byIndex.get(key) ?? []), object]);
    }
  }
  return {
    now: Temporal.Instant.from(now),
    find: (kind, index, value) => byIndex.get(`${kind} ${index} ${value}`) ?? [],
  };
}

export function kindOf(object: ResourceObject): Kind {
  const kind = productsKinds.find((candidate) => candidate.kind === object.kind);
  if (kind === undefined) throw new Error(`no kind ${object.kind} in products`);
  return kind;
}

function specWithDefaults(kind: Kind, spec: unknown): unknown {
  const complete = Value.Default(kind.schema, { spec: structuredClone(spec) }) as { spec: unknown };
  const [error] = Value.Errors(kind.schema, complete);
  if (error !== undefined)
    throw new Error(`${kind.kind} ${JSON.stringify(spec)}: ${error.instancePath} ${error.message}`);
  return complete.spec;
}

function indexKeys(kind: Kind, name: string, spec: unknown): readonly string[] {
  const declared = Object.entries(kind.indexes ?? {}).flatMap(([index, values]) =>
    values(spec, name).map((value) => `${kind.id} ${index} ${value}`),
  );
  return [`${kind.id} name ${name}`, ...declared];
}
