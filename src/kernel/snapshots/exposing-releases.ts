import { canonicalJson, contentHash } from '#kernel/base/ids.ts';
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

  /** By name. */
  list(): readonly ExposingRelease[] {
    if (this.#known !== undefined) return this.#known;
    this.#forgetCohorts();
    const byRelease = Map.groupBy(this.#candidates.values(), ({ release }) => release);
    this.#known = [...byRelease]
      .flatMap(([name, candidates]): ExposingRelease[] => {
        const [first] = candidates;
        if (first === undefined) return [];
        const digests = candidates.map(({ digest }) => digest).toSorted();
        const revision = contentHash(digests).slice(0, REVISION_CHARS);
        return [{ name, revision, stage: first.stage, cohort: first.cohort, candidates }];
      })
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return this.#known;
  }

  #forgetCohorts(): void {
    const used = new Set(Array.from(this.#candidates.values(), ({ cohort }) => cohort));
    for (const [text, cohort] of this.#cohorts) if (!used.has(cohort)) this.#cohorts.delete(text);
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
