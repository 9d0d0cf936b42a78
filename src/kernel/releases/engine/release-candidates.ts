import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { liveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Store } from '#kernel/store/contract.ts';
import { findEntry } from '#kernel/store/find-entry.ts';
import { allot } from '../allot.ts';
import type { ReleaseItem, Side } from '../kinds/release-spec.ts';
import type { PlannedRelease } from '../kinds/target.ts';
import { wantedLive } from '../live.ts';
import type { Candidate } from '../settle.ts';
import type { HeadStates } from './head-states.ts';
import { readSide } from './look.ts';
import type { ObjectRef } from './object-ref.ts';
import { sameSide } from './same-side.ts';

export interface CandidateParts {
  readonly store: Store<Operation>;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly heads: HeadStates;
}

/** The state of an object after a release. */
export interface ReleaseCandidate {
  readonly kind: Kind;
  readonly name: string;
  /** undefined: deleted, or its revision is lost. */
  readonly object: LiveObject | undefined;
  readonly generation: number;
  /** Its revision is no longer stored. */
  readonly isLost: boolean;
}

/** The states of objects after a release. */
export function findCandidates(
  parts: CandidateParts,
  release: string,
  objects: readonly ReleaseItem[],
): Promise<readonly ReleaseCandidate[]> {
  return Promise.all(
    objects.map(async ({ kind: kindId, name, to }): Promise<ReleaseCandidate> => {
      const kind = parts.kinds.byId(kindId);
      if (to === undefined) return { kind, name, object: undefined, generation: 0, isLost: false };
      const object =
        seenSide(parts, release, { kind, name }, to) ?? (await readSide(parts.store, kind, name, to))?.object;
      return { kind, name, object, generation: to.generation, isLost: object === undefined };
    }),
  );
}

/**
 * The same with allotments: those of the first exposure, as too little may be left by now.
 *
 * @throws when a revision is lost, or an allotment fails
 */
export async function findAllottedCandidates(
  parts: CandidateParts,
  { name: release, spec }: PlannedRelease,
  objects: readonly ReleaseItem[],
): Promise<readonly ReleaseCandidate[]> {
  const found = await findCandidates(parts, release, objects);
  const lost = found.find(({ isLost }) => isLost);
  if (lost !== undefined) throw new Error(`the revision of ${lost.kind.kind} "${lost.name}" is not kept`);
  const isAllotted = ({ kind, object }: ReleaseCandidate) =>
    kind.allot === undefined || object?.allotment !== undefined;
  if (found.every(isAllotted)) return found;
  const all = await findCandidates(parts, release, spec.objects);
  const { allotted, short } = allot(parts.live, all.map(asCandidate), new Map(), parts.kinds);
  const [first] = short.keys();
  if (first !== undefined) throw new Error(`there is not enough for ${first}`);
  return found.map((one) => ({ ...one, object: allotted.get(liveKey(one.kind.id, one.name)) ?? one.object }));
}

export function asCandidate({ kind, name, object }: ReleaseCandidate): Candidate {
  return { kind: kind.id, name, wanted: object };
}

/** A side that is available without the database: in the release, live, or declared. */
function seenSide(
  { store, heads }: CandidateParts,
  release: string,
  { kind, name }: ObjectRef,
  side: Side,
): LiveObject | undefined {
  const { everyone, candidate } = heads.content({ kind: kind.id, name });
  if (candidate?.release === release && sameSide(side, candidate.object)) return candidate.object;
  if (sameSide(side, everyone?.object)) return everyone?.object;
  const entry = findEntry(store, kind, name);
  const declared = entry === undefined ? undefined : wantedLive(entry);
  return sameSide(side, declared) ? declared : undefined;
}
