import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Entry } from '../contract.ts';

/** An entry of what no store has: an object that is made up for an answer, or shown otherwise than it is stored. */
export function textEntry(kind: Kind, object: ResourceObject, version: number): Entry {
  const { namespace = '', name, uid = '', labels = {} } = object.metadata;
  const text = JSON.stringify(object);
  const parse = (): ResourceObject => JSON.parse(text);
  return {
    kind,
    namespace,
    name,
    uid,
    version,
    labels,
    indexKeys: [],
    text,
    object: parse,
    outline: parse,
    identity: parse,
    specText: () => undefined,
    aroundSpec: () => undefined,
  };
}
