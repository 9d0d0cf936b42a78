import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';

/** Objects that the sentence names. */
const NAMED_MAX = 3;

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
