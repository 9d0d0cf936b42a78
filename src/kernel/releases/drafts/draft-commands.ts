import type { VirtualKind } from '#kernel/api/virtual.ts';
import type { Path, Problem, Refusal } from '#kernel/base/failures.ts';
import { type PlaceLimits, Places } from '#kernel/http/places.ts';
import type { Entry } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { notFoundRefusal } from '#kernel/store/rules/write.ts';
import { Draft } from '../kinds/draft.ts';
import { DraftPublication, type DraftProblem, type PublicationRecord } from '../kinds/draft-answer.ts';
import { releaseRefusal } from '../refusals.ts';
import { waitUntilReleased } from '../wait-until-released.ts';
import { readPublication, type DraftName } from './publication.ts';
import { isOvertaken, reviewDraft, type DraftReview, type ReviewParts } from './review-draft.ts';

/** Reviews of one publication, where other writes come between a review and its write. */
const TRIES_MAX = 10;
/** Causes of one refusal. */
const CAUSES_MAX = 100;

/** Reviews at once: each takes up to a second of CPU time, in steps. */
const REVIEW_PLACES: PlaceLimits = {
  of: 'reviews of drafts',
  runningMax: 4,
  waitingMax: 100,
  runningOfUserMax: 1,
  waitingOfUserMax: 20,
};
const NEVER = new AbortController().signal;

/** Reviews a draft for the author of a request, when it is their turn. */
type Review = (draft: Entry, call: Parameters<VirtualKind>[1]) => Promise<DraftReview>;

/** Handles what is posted below drafts, by `Kind.id/subresource`. */
export function draftCommands(parts: ReviewParts): ReadonlyMap<string, VirtualKind> {
  const places = new Places(REVIEW_PLACES);
  const review: Review = (draft, { author, limit }) =>
    places.take(author.user, limit?.signal ?? NEVER, () => reviewDraft(parts, draft.object(), author));
  return new Map([
    [`${Draft.id}/validate`, validation(parts, review)],
    [`${Draft.id}/publish`, publication(parts, review)],
  ]);
}

function validation({ store }: ReviewParts, review: Review): VirtualKind {
  return async (given, call) => {
    const { namespace = '', name = '' } = call;
    const entry = store.get(Draft, namespace, name);
    if (entry === undefined) throw notFoundRefusal(Draft, name);
    const { operations: _operations, unavailable: _unavailable, ...found } = await review(entry, call);
    return { ...given, status: { valid: found.problems.length === 0, ...found } };
  };
}

function publication(parts: ReviewParts, review: Review): VirtualKind {
  const { store } = parts;
  return async (given, call) => {
    const { author, dryRun, limit, namespace = '', name = '', requireObject } = call;
    const place = { namespace, name };
    const meant = DraftPublication.spec(given);
    for (let tries = 1; ; tries += 1) {
      await store.fresh();
      const entry = store.get(Draft, namespace, name);
      if (entry?.uid !== meant.uid) {
        const done = await readPublication(store, place, meant.uid);
        requireObject?.(done?.draft ?? entry);
        if (done?.answer.by === author.user) return { ...given, status: done.answer };
        throw done === undefined ? notThatDraft(entry, name) : publishedBefore(name, done.answer);
      }
      requireObject?.(entry);
      if (meant.resourceVersion !== undefined && meant.resourceVersion !== String(entry.version)) {
        throw releaseRefusal('draft-changed', await savedAgainText(parts, place, meant.resourceVersion));
      }
      const reviewed = await review(entry, call);
      // Published or saved meanwhile, it may only seem to be outdated: the publication itself changed its objects.
      if (store.get(Draft, namespace, name)?.version !== entry.version && tries < TRIES_MAX) continue;
      if (reviewed.unavailable !== undefined) throw reviewed.unavailable;
      if (reviewed.problems.length > 0) throw refusalOf(entry, reviewed.problems);
      const published = { by: author.user, results: publishedObjects(reviewed) };
      const operations = [...reviewed.operations, endOf(entry, published)];
      try {
        const outcomes = await store.write(operations, author, { dryRun, limit });
        if (dryRun)
          return { ...given, status: { ...published, at: parts.clock().toString(), version: String(store.version()) } };
        await waitUntilReleased(store, outcomes, () => true);
        const done = await readPublication(store, place, meant.uid);
        return { ...given, status: done?.answer };
      } catch (error) {
        // Another write came between: the next review names it.
        if (!isOvertaken(error) || tries >= TRIES_MAX) throw error;
      }
    }
  };
}

/** Deletes the draft in the write that publishes it, and leaves what that did. */
function endOf({ namespace, name, uid, version }: Entry, published: PublicationRecord): Operation {
  const versionExpected = String(version);
  const by = { part: 'publish', status: { published } };
  return { verb: 'delete', kind: Draft.id, namespace, name, uidExpected: uid, versionExpected, by };
}

function publishedObjects({ results }: DraftReview): PublicationRecord['results'] {
  return results.map(({ apiVersion, kind, namespace, name, action }) => ({
    apiVersion,
    kind,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    action,
  }));
}

function notThatDraft(entry: Entry | undefined, name: string): Refusal {
  if (entry === undefined) return notFoundRefusal(Draft, name);
  return releaseRefusal('draft-changed', `Draft "${name}" is another one than the request means: it was created anew.`);
}

function publishedBefore(name: string, { by, at, version }: { by: string; at: string; version: string }): Refusal {
  return releaseRefusal('draft-published', `Draft "${name}" was published by ${by} at ${at}, as version ${version}.`);
}

async function savedAgainText({ store }: ReviewParts, { namespace, name }: DraftName, meant: string): Promise<string> {
  const { items } = await store.history(Draft, namespace, name, { limit: 1, bytesMax: 1 });
  const [last] = items;
  const by = last === undefined ? '' : ` by ${last.user} at ${last.at}`;
  return `Draft "${name}" was saved again${by}, after version ${meant}: nothing was written.`;
}

/** Conflicts with others come first: what else is wrong may be different once the draft is up to date. */
function refusalOf({ name }: Entry, problems: readonly DraftProblem[]): Refusal {
  const outdated = problems.filter((problem) => problem.outdated === true);
  const shown = outdated.length > 0 ? outdated : problems;
  const causes = shown.slice(0, CAUSES_MAX).map(causeOf);
  const others = shown.length === 1 ? '' : `, and ${shown.length - 1} more`;
  const [first] = shown;
  const text = first === undefined ? '' : `${first.kind} "${first.name}": ${first.message.replace(/\.$/, '')}`;
  const message = `Draft "${name}": ${text}${others}: nothing was written.`;
  const code = outdated.length > 0 ? 'draft-outdated' : 'draft-invalid';
  return releaseRefusal(code, message, { problems: causes, subject: name });
}

function causeOf({ position, kind, name, field, message, remedy }: DraftProblem): Problem {
  return {
    path: ['spec', 'objects', position, ...segmentsOf(field)],
    reason: 'FieldValueInvalid',
    detail: `${kind} "${name}": ${message}${remedy === undefined ? '' : ` ${remedy}`}`,
  };
}

/** `spec.timeline[0].labels[a/b]` → its segments. */
function segmentsOf(field: string): Path {
  return [...field.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(([, inBrackets, plain = '']) =>
    inBrackets === undefined ? plain : /^\d+$/.test(inBrackets) ? Number(inBrackets) : inBrackets,
  );
}
