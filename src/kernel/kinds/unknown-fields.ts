import type { Path, Problem } from '#kernel/base/failures.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import type { SchemaNode } from './schema/schema-node.ts';
import type { CompiledSchema } from './structure.ts';

/** Most known fields that a message lists. */
const FIELDS_NAMED_MAX = 25;

/** Unknown fields as problems, with a suggestion or the known fields. */
export function unknownFieldProblems({ structure }: CompiledSchema, unknown: readonly Path[]): readonly Problem[] {
  return unknown.map((path): Problem => {
    const known = [...nodeAt(structure, path.slice(0, -1)).properties.keys()];
    const near = didYouMean(nearSpellings(String(path.at(-1)), known));
    const isShort = known.length > 0 && known.length <= FIELDS_NAMED_MAX;
    const hint = near === '' && isShort ? `; there are ${known.join(', ')}` : near;
    return { path, reason: 'FieldValueNotSupported', detail: `unknown field${hint}` };
  });
}

function nodeAt(node: SchemaNode, path: Path): SchemaNode {
  let at = node;
  for (const segment of path) {
    const next = typeof segment === 'number' ? at.items : (at.properties.get(segment) ?? at.additional);
    if (next === undefined) return at;
    at = next;
  }
  return at;
}
