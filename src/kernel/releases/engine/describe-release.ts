import { isDeepStrictEqual } from 'node:util';
import type { World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { Overlay, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { RELEASE_SENTENCES, type ReleaseSpec } from '../kinds/release-spec.ts';
import type { PlannedRelease } from '../kinds/target.ts';
import type { PendingChange, Look } from './form.ts';

/**
 * Adds the sentences of a plan to a release, so that approvers can review it without the right to read the objects. A large release
 * has the first objects, and the number of the others.
 */
export function withSentences(
  { name, spec }: PlannedRelease,
  look: Look,
  { live, kinds }: { readonly live: LiveObjects; readonly kinds: KindRegistry },
  now: Temporal.Instant,
): ReleaseSpec {
  const changed = spec.objects.map(look);
  const world = new Overlay(live, kinds);
  for (const one of changed) world.put(one.kind.id, one.name, one.wanted?.object);
  // The last sentence counts the omitted objects.
  const most = RELEASE_SENTENCES.most - 1;
  const sentences: string[] = [];
  let whole = 0;
  for (const one of changed) {
    const sentencesOfOne = sentencesOf(one, world, now);
    if (sentences.length + sentencesOfOne.length > most) {
      if (sentences.length === 0) sentences.push(...sentencesOfOne.slice(0, most));
      break;
    }
    sentences.push(...sentencesOfOne);
    whole += 1;
  }
  const more = changed.length - whole;
  const rest = more === 0 ? [] : [moreText(more, name)];
  return { ...spec, sentences: [...sentences, ...rest] };
}

function moreText(more: number, name: string): string {
  return `And ${more} more ${more === 1 ? 'object' : 'objects'}: backline release show ${name} --all`;
}

/** Sentences on one object, each prefixed with its kind and name. */
export function sentencesOf(changed: PendingChange, world: World, now: Temporal.Instant): readonly string[] {
  const { kind, name, live: before, wanted } = changed;
  const side = wanted?.object ?? before?.object;
  // The live name may contain it already.
  const namespace =
    side === undefined || side.namespace === '' || kind.names === 'namespace' ? '' : `${side.namespace}/`;
  const sentencesOfOne = describeSafely(() =>
    kind.describe?.(name, { before: before?.object.spec, after: wanted?.object.spec }, { world, now }),
  );
  return [...metadataTexts(changed), ...(sentencesOfOne.length === 0 ? bareTexts(changed) : sentencesOfOne)].map(
    (text) => cut(`${kind.kind} ${namespace}${name}: ${text}`),
  );
}

function metadataTexts({ live: before, wanted }: PendingChange): readonly string[] {
  if (before === undefined || wanted === undefined) return [];
  const [a, b] = [before.object, wanted.object];
  return [
    ...(a.namespace === b.namespace ? [] : [`It moves from namespace ${a.namespace}.`]),
    ...(isDeepStrictEqual(a.labels, b.labels) ? [] : ['Its labels change.']),
  ];
}

/** For kinds without a description: no change is omitted. */
function bareTexts({ live: before, wanted }: PendingChange): readonly string[] {
  if (wanted === undefined) return ['It is deleted.'];
  if (before === undefined) return ['It is new.'];
  return before.object.revision === wanted.object.revision ? [] : ['Its spec changes.'];
}

function cut(text: string): string {
  return text.length <= RELEASE_SENTENCES.charsMax ? text : `${text.slice(0, RELEASE_SENTENCES.charsMax - 1)}…`;
}

/** Descriptions are for readers: an error in one does not hold a release. */
function describeSafely(say: () => readonly string[] | undefined): readonly string[] {
  try {
    return say() ?? [];
  } catch {
    return [];
  }
}
