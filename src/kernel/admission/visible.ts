import type { PlainMap, Value } from '#kernel/cel/values.ts';
import { withoutSecrets } from '#kernel/kinds/confidential.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';

/** The object for expressions; of a Secret only its metadata, and no value there: a message could tell it. */
export function visible({ confidential }: Kind, object: ResourceObject | undefined): Value {
  if (object === undefined) return null;
  if (confidential !== true) return object as unknown as PlainMap;
  const { apiVersion, kind, metadata } = withoutSecrets(object);
  return { apiVersion, kind, metadata };
}
