import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import { structureOf } from '#kernel/kinds/structure.ts';

/**
 * The check of a defined kind: whether its schema and rules of now accept a spec. It may be older than the schema, in a Head or in a
 * Release. Metadata and status are no part of a spec.
 */
export function checkLiveSpec(kindOf: () => Kind): NonNullable<Kind['check']> {
  return (spec, _world, live) => {
    const kind = kindOf();
    const { validate, applyDefaults } = structureOf(kind);
    const { apiVersion, kind: title } = kind;
    const metadata = { name: readLiveName(kind, live).name };
    const object = applyDefaults({ apiVersion, kind: title, metadata, spec }) as ResourceObject;
    const wrong = validate(object).filter(({ path: [root] }) => root === 'spec');
    return wrong.length > 0 ? wrong : (kind.validateObject?.(object, undefined) ?? []);
  };
}
