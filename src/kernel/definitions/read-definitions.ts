import type { Log } from '#kernel/base/log.ts';
import { eachOf, inTurns } from '#kernel/base/turns.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import { definedKind, type DefinedKind } from './follow-definitions.ts';
import { CustomResourceDefinition } from './kinds/custom-resource-definition.ts';
import { digestIn, isEstablished } from './rules/digest.ts';

/**
 * Registers the kinds of established definitions before the store is opened, so that it reads their objects with all others.
 * Returns them by the names of their definitions.
 */
export async function readDefinitions(
  database: Queryable,
  kinds: KindRegistry,
  log: Log,
): Promise<ReadonlyMap<string, DefinedKind>> {
  const rows = await database.query<{ readonly body: string }>({
    text: `
      select c.body
      from backline.objects o join backline.changes c on c.version = o.version where o.kind = $1 order by o.name`,
    values: [CustomResourceDefinition.id],
  });
  const found = new Map<string, DefinedKind>();
  await inTurns(eachOf(rows, register));
  return found;

  function register({ body: text }: { readonly body: string }): void {
    const object: ResourceObject = JSON.parse(text);
    const digest = digestIn(object);
    if (!isEstablished(digest)) return;
    const defined = definedKind({ text, object: () => object });
    if (kinds.isKnown(defined.kind.id)) {
      log.error({ definition: digest.name }, 'definitions: cannot serve the kind, the program has one of its name');
      return;
    }
    kinds.add(defined.kind);
    found.set(digest.name, defined);
  }
}
