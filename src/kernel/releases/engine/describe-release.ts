import { isDeepStrictEqual } from 'node:util';
import type { World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { Overlay, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { RELEASE_SENTENCES, type ReleaseSpec } from '../kinds/release-spec.ts';
import type { PlannedRelease } from '../kinds/target.ts';
import type { Changed, Look } from './form.ts';

/**
 * The same release with what it means, in the sentences of a plan: whoever approves reads what they approve, also
 * without the right to read the objects. Of a large one the first objects, and how many more there are.
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
  // The last sentence is for how many more there are.
  const most = RELEASE_SENTENCES.most - 1;
  const sentences: string[] = [];
  let whole = 0;
  for (const one of changed) {
    const said = sentencesOf(one, world, now);
    if (sentences.length + said.length > most) {
      if (sentences.length === 0) sentences.push(...said.slice(0, most));
      break;
    }
    sentences.push(...said);
    whole += 1;
  }
  const more = changed.length - whole;
  const rest = more === 0 ? [] : [moreText(more, name)];
  return { ...spec, sentences: [...sentences, ...rest] };
}

function moreText(more: number, name: string): string {
  return `And ${more} more ${more === 1 ? 'object' : 'objects'}: backline release show ${name} --all`;
}

/** What becomes of one object, each sentence led by its kind and name: titles are what the author wrote. */
export function sentencesOf(changed: Changed, world: World, now: Temporal.Instant): readonly string[] {
  const { kind, name, live: before, wanted } = changed;
  const side = wanted?.object ?? before?.object;
  // A live name may say it already.
  const namespace =
    side === undefined || side.namespace === '' || kind.names === 'namespace' ? '' : `${side.namespace}/`;
  const said = described(() => kind.describe?.(name, before?.object.spec, wanted?.object.spec, world, now));
  return [...metadataTexts(changed), ...(said.length === 0 ? bareTexts(changed) : said)].map((text) =>
    cut(`${kind.kind} ${namespace}${name}: ${text}`),
  );
}

function metadataTexts({ live: before, wanted }: Changed): readonly string[] {
  if (before === undefined || wanted === undefined) return [];
  const [a, b] = [before.object, wanted.object];
  return [
    ...(a.namespace === b.namespace ? [] : [`It moves from namespace ${a.namespace}.`]),
    ...(isDeepStrictEqual(a.labels, b.labels) ? [] : ['Its labels change.']),
  ];
}

/** Of what a kind says nothing about: no change is left out. */
function bareTexts({ live: before, wanted }: Changed): readonly string[] {
  if (wanted === undefined) return ['It is deleted.'];
  if (before === undefined) return ['It is new.'];
  return before.object.revision === wanted.object.revision ? [] : ['Its spec changes.'];
}

function cut(text: string): string {
  return text.length <= RELEASE_SENTENCES.charsMax ? text : `${text.slice(0, RELEASE_SENTENCES.charsMax - 1)}…`;
}

/** What a kind says is for readers: an error in it holds up no release. */
function described(say: () => readonly string[] | undefined): readonly string[] {
  try {
    return say() ?? [];
  } catch {
    return [];
  }
}
