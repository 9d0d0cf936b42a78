import type { KindRegistry } from '#kernel/resources/registry.ts';
import { Overlay, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { RELEASE_SENTENCES, type ReleaseSpec } from '../kinds/release-spec.ts';
import type { Changed } from './form.ts';

/**
 * The same release with what it means, in the sentences of a plan: whoever approves reads what they approve, also
 * without the right to read the objects.
 */
export function withSentences(
  spec: ReleaseSpec,
  look: (kind: string, name: string) => Changed,
  live: LiveObjects,
  kinds: KindRegistry,
  now: Temporal.Instant,
): ReleaseSpec {
  const changed = spec.objects.map(({ kind, name }) => look(kind, name));
  const world = new Overlay(live, kinds);
  for (const { kind, name, wanted } of changed) world.put(kind.id, name, wanted?.object);
  const sentences: string[] = [];
  for (const { kind, name, live: before, wanted } of changed) {
    if (sentences.length >= RELEASE_SENTENCES.most) break;
    sentences.push(...described(() => kind.describe?.(name, before?.object.spec, wanted?.object.spec, world, now)));
  }
  const { sentences: _before, ...rest } = spec;
  if (sentences.length === 0) return rest;
  const cut = sentences.slice(0, RELEASE_SENTENCES.most).map((one) => one.slice(0, RELEASE_SENTENCES.charsMax));
  return { ...rest, sentences: cut };
}

/** What a kind says is for readers: an error in it holds up no release. */
function described(say: () => readonly string[] | undefined): readonly string[] {
  try {
    return say() ?? [];
  } catch {
    return [];
  }
}
