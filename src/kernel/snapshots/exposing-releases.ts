import { createHash } from 'node:crypto';
import { canonicalJson, contentHash } from '#kernel/base/ids.ts';
import { sortInSteps } from '#kernel/base/sort-in-steps.ts';
import type { Steps } from '#kernel/base/turns.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { parseCohort, type Cohort } from './cohort.ts';
import type { HeadState } from './head-state.ts';
import { liveKey, type LiveKey } from './live-objects.ts';

/** As many characters of a revision as tell revisions apart. */
const REVISION_CHARS = 12;

/** The candidate that a cohort gets under the name of one object; without one, the object is deleted for the cohort. */
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
  /** The stage that it is in. */
  readonly stage: number;
  readonly cohort: Cohort;
  readonly candidates: readonly Candidate[];
}

interface CandidateHead extends Candidate {
  readonly release: string;
  readonly stage: number;
  readonly cohort: Cohort;
  readonly digest: string;
}

/**
 * Which releases are under way, as the Heads say it: each entry of a release says what its cohort gets, and who that is. All
 * entries of one release are written at once, with one cohort. An entry for somewhere else has none and exposes nothing.
 */
export class ExposingReleases {
  readonly #candidates = new Map<LiveKey, CandidateHead>();
  /** One for all entries that say the same. */
  readonly #cohorts = new Map<string, Cohort>();
  #known: readonly ExposingRelease[] | undefined;

  /** Takes what a Head says; whether that changes who gets what. */
  take(head: HeadState): boolean {
    // Nearly always.
    if (head.candidate === undefined && this.#candidates.size === 0) return false;
    const key = liveKey(head.kind, head.name);
    const candidate = this.#candidateIn(head);
    const before = this.#candidates.get(key);
    const isSame =
      candidate?.digest === before?.digest &&
      candidate?.release === before?.release &&
      candidate?.stage === before?.stage &&
      candidate?.cohort === before?.cohort;
    if (isSame) return false;
    if (candidate === undefined) this.#candidates.delete(key);
    else this.#candidates.set(key, candidate);
    this.#known = undefined;
    return true;
  }

  /** By name. Takes steps where something has changed; nothing may be taken meanwhile. */
  *list(): Steps<readonly ExposingRelease[]> {
    if (this.#known !== undefined) return this.#known;
    const byRelease = new Map<string, CandidateHead[]>();
    const cohorts = new Set<Cohort>();
    for (const candidate of this.#candidates.values()) {
      const carried = byRelease.get(candidate.release);
      if (carried === undefined) byRelease.set(candidate.release, [candidate]);
      else carried.push(candidate);
      cohorts.add(candidate.cohort);
      yield;
    }
    for (const [text, cohort] of this.#cohorts) if (!cohorts.has(cohort)) this.#cohorts.delete(text);
    const releases: ExposingRelease[] = [];
    for (const [name, candidates] of byRelease) {
      const [first] = candidates;
      if (first === undefined) continue;
      const { stage, cohort } = first;
      releases.push({ name, revision: yield* revisionOf(candidates), stage, cohort, candidates });
    }
    this.#known = releases.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return this.#known;
  }

  #candidateIn({ kind, name, everyone, candidate }: HeadState): CandidateHead | undefined {
    const parsed = parseCohort(candidate?.where);
    if (candidate === undefined || parsed === undefined) return undefined;
    const { release, object, stage } = candidate;
    // Taking away what nobody has changes nothing.
    if (object === undefined && everyone === undefined) return undefined;
    const text = canonicalJson(parsed);
    const cohort = this.#cohorts.get(text) ?? parsed;
    this.#cohorts.set(text, cohort);
    const { revision, namespace, labels, allotment } = object ?? {};
    const digest = contentHash([kind, name, revision, namespace, labels, allotment]);
    return { release, kind, name, object, stage, cohort, digest };
  }
}

/** The content hash of their digests in order: the same on every node. */
function* revisionOf(candidates: readonly CandidateHead[]): Steps<string> {
  const digests = yield* sortInSteps(
    candidates.map(({ digest }) => digest),
    (a, b) => (a < b ? -1 : 1),
  );
  const hash = createHash('sha256');
  let before = '[';
  for (const digest of digests) {
    hash.update(`${before}"${digest}"`);
    before = ',';
    yield;
  }
  return hash.update(']').digest('hex').slice(0, REVISION_CHARS);
}
