import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';

/** Names an object of any kind in a work queue. */
export function objectKey(kind: Kind, { metadata }: ResourceObject): string {
  return JSON.stringify([kind.id, metadata.namespace ?? '', metadata.name]);
}

/** The parts of an `objectKey`. */
export function parseObjectKey(key: string): {
  readonly kindId: string;
  readonly namespace: string;
  readonly name: string;
} {
  const [kindId, namespace, name] = JSON.parse(key) as [string, string, string];
  return { kindId, namespace, name };
}
