import type { PlainMap, Value } from '#kernel/cel/values.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';

/** The object for expressions; of a Secret only its name: a message could tell its values. */
export function visible({ confidential }: Kind, object: ResourceObject | undefined): Value {
  if (object === undefined) return null;
  const { apiVersion, kind, metadata } = object;
  return (confidential === true ? { apiVersion, kind, metadata } : object) as unknown as PlainMap;
}
