import { canonicalJson, contentHash } from '#kernel/base/ids.ts';
import { candidateOf, liveObjectOf } from '#kernel/resources/builtin/head.ts';
import type { LiveObject, ResourceObject } from '#kernel/resources/kind.ts';
import { parseCohort, RELEASE, type Cohort } from './cohort.ts';

/** As many characters of a revision as tell revisions apart. */
const REVISION_CHARS = 12;

/** What a cohort gets under the name of one object: another object, or, without one, nothing. */
interface Candidate {
  readonly kind: string;
  readonly name: string;
  readonly object: LiveObject | undefined;
}

/** A release that is under way: what it carries, and who gets that. */
export interface ExposingRelease {
  readonly name: string;
  /** Content hash of everything that it carries. */
  readonly revision: string;
  readonly cohort: Cohort;
  readonly candidates: readonly Candidate[];
}

interface CandidateHead extends Candidate {
  readonly release: string;
  readonly digest: string;
}

/**
 * Which releases are under way, as the Heads say it: candidates stand in the Heads of their objects, the cohort in the
 * Head under the release's own name. A release without either exposes nothing.
 */
export class ExposingReleases {
  /** By name of the Head: a deletion tells only that. */
  readonly #candidates = new Map<string, CandidateHead>();
  readonly #cohorts = new Map<string, { readonly release: string; readonly cohort: Cohort }>();
  #known: readonly ExposingRelease[] | undefined;

  /** Takes what a Head says, or that it is gone; whether that changes who gets what. */
  take(headName: string, head: ResourceObject | undefined): boolean {
    const candidate = head === undefined ? undefined : candidateIn(head);
    const cohort = head === undefined ? undefined : cohortIn(head);
    const sameCandidate =
      candidate?.digest === this.#candidates.get(headName)?.digest &&
      candidate?.release === this.#candidates.get(headName)?.release;
    const sameCohort = canonicalJson(cohort) === canonicalJson(this.#cohorts.get(headName));
    if (sameCandidate && sameCohort) return false;
    put(this.#candidates, headName, candidate);
    put(this.#cohorts, headName, cohort);
    this.#known = undefined;
    return true;
  }

  /** By name. */
  list(): readonly ExposingRelease[] {
    if (this.#known !== undefined) return this.#known;
    const byRelease = Map.groupBy(this.#candidates.values(), ({ release }) => release);
    this.#known = [...this.#cohorts.values()]
      .flatMap(({ release, cohort }): ExposingRelease[] => {
        const candidates = byRelease.get(release);
        if (candidates === undefined) return [];
        const digests = candidates.map(({ digest }) => digest).toSorted();
        const revision = contentHash(digests).slice(0, REVISION_CHARS);
        return [{ name: release, revision, cohort, candidates }];
      })
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return this.#known;
  }
}

function put<Value>(map: Map<string, Value>, key: string, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function candidateIn(head: ResourceObject): CandidateHead | undefined {
  const candidate = candidateOf(head);
  if (candidate === undefined) return undefined;
  const { release, object } = candidate;
  // Taking away what nobody has changes nothing.
  const { kind, name } = object ?? liveObjectOf(head) ?? {};
  if (kind === undefined || name === undefined) return undefined;
  const { revision, namespace, labels, allotment } = object ?? {};
  return { release, kind, name, object, digest: contentHash([kind, name, revision, namespace, labels, allotment]) };
}

function cohortIn(head: ResourceObject): { release: string; cohort: Cohort } | undefined {
  const object = liveObjectOf(head);
  const cohort = object?.kind === RELEASE ? parseCohort(object.spec) : undefined;
  return object === undefined || cohort === undefined ? undefined : { release: object.name, cohort };
}
