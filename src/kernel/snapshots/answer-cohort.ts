import { Refusal } from '#kernel/base/failures.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import type { RequestContext } from '#kernel/http/router.ts';
import type { CohortSubject } from './cohort-membership.ts';
import type { DecisionParts } from './decision-parts.ts';
import { explainReleases, releasesMember } from './name-releases.ts';
import type { ReadyRoute } from './question-input.ts';
import type { Snapshot } from './snapshot.ts';
import { resultOfStatus, type Result } from './witness.ts';
import type { ReleaseView } from './worlds.ts';

/** A question that was let through; its input fits the schema of the route. */
export interface CheckedQuestion {
  readonly input: unknown;
  /** As in `AdmittedQuestion`. */
  readonly by: string;
  readonly isTrusted: boolean;
}

/** An answer and what the plane adds to it. */
interface CohortAnswer {
  readonly answer: object;
  readonly version: string;
  /** As `releasesMember`. */
  readonly releases: string;
}

/**
 * Answers while releases are under way: what the subject sees of them is found once, and all is answered from that. Notes
 * what its tracks were answered.
 */
export async function answerCohort(
  { follower, clock, witness, facts }: DecisionParts,
  { module, route }: ReadyRoute,
  { input, by, isTrusted }: CheckedQuestion,
  { exchange, limit }: { readonly exchange: Exchange; readonly limit: RequestContext },
): Promise<CohortAnswer> {
  const { tables } = follower.snapshot();
  const everyones = facts.of(module, (name) => tables.get(name));
  const subject = await subjectIn(exchange, () => module.subjectOf?.(tables.get(module.name), input, everyones));
  limit.signal.throwIfAborted();
  const names = facts.sourcesOf(module);
  let now = clock();
  // The snapshot of now: records may have been read meanwhile.
  let snapshot = follower.snapshot();
  let views = viewsOf(snapshot, names, subject, now);
  while (views instanceof Promise) {
    await views;
    limit.signal.throwIfAborted();
    now = clock();
    snapshot = follower.snapshot();
    views = viewsOf(snapshot, names, subject, now);
  }
  const byModule = views;
  const tableOf = (name: string): unknown => byModule.get(name)?.table;
  const seen = together([...byModule.values()]);
  const note = (result: Result): void => {
    if (subject !== undefined && route.explains !== true) witness.saw(seen, subject, result, now);
  };
  let answer: object;
  try {
    const context = {
      table: tableOf(module.name),
      facts: facts.of(module, tableOf),
      now,
      snapshotAgeMs: follower.ageMs,
      by,
      isTrusted,
      limit,
    };
    answer = await route.handle(input, context);
  } catch (error) {
    note(error instanceof Refusal ? resultOfStatus(error.status) : 'failed');
    throw error;
  }
  note(module.isDenial?.(answer) === true ? 'denied' : 'given');
  return {
    answer: route.explains === true ? { ...answer, ...explainReleases(seen) } : answer,
    version: snapshot.version,
    releases: releasesMember(seen.releases),
  };
}

/** The subject of a question; undefined when it cannot be resolved, and the world of everyone answers. */
async function subjectIn(
  exchange: Exchange,
  find: () => CohortSubject | Promise<CohortSubject> | undefined,
): Promise<CohortSubject | undefined> {
  try {
    return await find();
  } catch (error) {
    // A refusal concerns the question itself: the answer will be the same one.
    if (!(error instanceof Refusal))
      exchange.log.warn({ err: error }, 'decisions: cannot resolve the subject of a question');
    return undefined;
  }
}

/** The views that a subject has of several modules, by name; a promise while one of them is compiled. */
function viewsOf(
  { tables, worlds }: Snapshot,
  names: readonly string[],
  subject: CohortSubject | undefined,
  now: Temporal.Instant,
): ReadonlyMap<string, ReleaseView<unknown>> | Promise<void> {
  const views = new Map<string, ReleaseView<unknown>>();
  for (const name of names) {
    const exposed = subject === undefined ? undefined : worlds.get(name);
    const seen =
      subject === undefined || exposed === undefined
        ? { table: tables.get(name), releases: [], tracks: [], isBroken: false }
        : exposed.see(subject, now.epochMilliseconds);
    if (seen instanceof Promise) return seen;
    views.set(name, seen);
  }
  return views;
}

/** The releases and tracks of a subject over several modules. A release with objects of several modules counts once. */
function together(all: readonly ReleaseView<unknown>[]): Omit<ReleaseView<unknown>, 'table'> {
  const [one] = all;
  if (all.length === 1 && one !== undefined) return one;
  return {
    releases: [...new Map(all.flatMap(({ releases }) => releases.map((release) => [release.name, release]))).values()],
    tracks: [...new Map(all.flatMap(({ tracks }) => tracks.map((track) => [track.release.name, track]))).values()],
    isBroken: all.some(({ isBroken }) => isBroken),
  };
}
