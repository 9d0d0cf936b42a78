import type { Kind } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';

/** Objects that the sentence names. */
const NAMED_MAX = 3;

type KnownKinds = Pick<KindRegistry, 'isKnown' | 'byId'>;

/** The kind of this id, where its objects are released now. */
export function releasedKind(kinds: KnownKinds, id: string): Kind | undefined {
  const kind = kinds.isKnown(id) ? kinds.byId(id) : undefined;
  return kind?.released === true ? kind : undefined;
}

/** Why a release has to end: a definition no longer has its objects released. undefined: all are. */
export function retiredKindText({ objects }: Pick<ReleaseSpec, 'objects'>, kinds: KnownKinds): string | undefined {
  const retired = objects.find(({ kind }) => kinds.isKnown(kind) && !kinds.byId(kind).released);
  return retired && `Objects of the kind ${retired.kind} are no longer released, by its CustomResourceDefinition.`;
}

/**
 * Why a release cannot be processed: it carries kinds that this program does not know. An earlier version after a downgrade has
 * fewer kinds, and a declared kind may be gone. undefined: it knows all.
 */
export function unknownKindText(
  { objects }: Pick<ReleaseSpec, 'objects'>,
  kinds: Pick<KindRegistry, 'isKnown'>,
): string | undefined {
  const unknown = objects.filter(({ kind }) => !kinds.isKnown(kind));
  if (unknown.length === 0) return undefined;
  const ids = [...new Set(unknown.map(({ kind }) => kind))].join(', ');
  const names = unknown.slice(0, NAMED_MAX).map(({ name }) => `"${name}"`);
  const more = unknown.length > names.length ? ` and ${unknown.length - names.length} more` : '';
  return `This version of Backline does not know the kind ${ids} of ${names.join(', ')}${more}. Start a version that has the kind; the release then continues where it stopped.`;
}
