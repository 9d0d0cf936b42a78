import { contentHash } from '#kernel/base/ids.ts';
import { fieldPath } from '#kernel/base/failures.ts';
import { Head, candidateOf, everyoneOf, headName, headOf, type LiveCandidate } from '#kernel/resources/builtin/head.ts';
import type { Kind, LiveObject, ResourceObject } from '#kernel/resources/kind.ts';
import type { Operation } from '#kernel/resources/operation.ts';
import type { KindRegistry } from '#kernel/resources/registry.ts';
import type { Author, Store } from '#kernel/resources/store-contract.ts';
import { parseCohort, RELEASE, SHARE_TOTAL, type Cohort } from '#kernel/snapshots/cohort.ts';
import { liveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { allot } from '../allot.ts';
import type { Exposure } from '../engine/advance.ts';
import { oncePerEntry } from '../engine/once-per-entry.ts';
import { sameSide, type State } from '../engine/same-side.ts';
import { keptSide, requireKeptSide } from '../engine/look.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseSpec, Side } from '../kinds/release-spec.ts';
import { stagesOf } from '../kinds/stages-of.ts';
import { shownBy, wantedLive } from '../live.ts';
import { settle, type Candidate } from '../settle.ts';
import type { CarriedRelease, PlannedRelease, Target } from '../target.ts';

const AUTHOR: Author = { user: 'system:releases', requestId: 'release' };

interface Everyone {
  readonly object: LiveObject;
  readonly generation: number;
}

/** What a Head says, without what that is worth: who gets which state, and how many stages a cohort has. */
interface Shown {
  readonly everyone: State | undefined;
  readonly candidate?: { readonly release: string; readonly state: State | undefined };
  readonly slices: number;
}

const NOTHING_SHOWN: Shown = { everyone: undefined, slices: 0 };

/**
 * The decision plane as a target: a cohort sees a change because the Heads of its objects say so, and who is in the cohort
 * because the Head under the name of the release does. Each step is one atomic write, made only while the release is as it
 * was when the step was decided.
 */
export function decisionPlane(parts: {
  readonly store: Store<Operation>;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
}): Target {
  const { store, live, kinds } = parts;
  // Each look at a release asks who has it: states without their specs, which are kept as long as the Heads.
  const shownIn = oncePerEntry((head): Shown => shown(head.object()));
  return {
    plan: async (release, beside) => {
      const found = await candidatesOf(release);
      const lost = found.filter(({ isLost }) => isLost);
      if (lost.length > 0)
        return lost.map(({ kind, name }) => `${titleOf(kind.id, name)}: its revision is no longer kept.`);
      const mine = found.map(({ kind, name, object }): Candidate => ({ kind: kind.id, name, wanted: object }));
      const theirs = beside.flatMap((other) => shownBy(store, kinds, other.name, other.spec.objects));
      const candidates = [...mine, ...theirs];
      const held = settle(live, candidates, kinds);
      const { short } = allot(live, mine, held, kinds);
      return [...held, ...short].map(([key, problems]) => {
        const [kind = '', object = ''] = key.split(' ');
        const said = problems.map(({ path, detail }) => (path.length === 0 ? detail : `${fieldPath(path)}: ${detail}`));
        return `${titleOf(kind, object)}: ${said.join('; ')}`;
      });
    },

    observe: ({ name, spec }) => {
      const { slices } = shownNow(Release, name);
      const seen = spec.objects.map((one) => {
        const { everyone, candidate } = shownNow(kinds.byId(one.kind), one.name);
        if (candidate?.release === name && sameSide(one.to, candidate.state)) return 'candidate';
        if (candidate?.release === name) return 'mixed';
        return sameSide(one.to, everyone) ? 'everyone' : 'not';
      });
      const all = (what: string) => seen.every((one) => one === what);
      if (all('candidate') && slices > 0) return { at: 'stage', stage: slices - 1 };
      if (all('everyone') && slices === 0) return { at: 'everybody' };
      if (all('not') && slices === 0) return { at: 'nobody' };
      return { at: 'mixed' } satisfies Exposure;
    },

    expose: async (release, to) => {
      const candidates = await allottedOf(release);
      const operations = candidates.flatMap(({ kind, name, object, generation }): Operation[] => {
        const { everyone, candidate } = headNow(kind.id, name);
        if (to === 'everybody') {
          if (object === undefined) return everyone === undefined && candidate === undefined ? [] : [gone(kind, name)];
          return [put(kind, name, { object, generation })];
        }
        const isThere = candidate?.release === release.name && sameSide(candidate.object, object);
        return isThere ? [] : [put(kind, name, everyone, { release: release.name, object, generation })];
      });
      const cohort = to === 'everybody' ? cohortGone(release.name) : [putCohort(release, to.stage)];
      await write(release, [...operations, ...cohort]);
    },

    retract: async (release) => {
      const operations: Operation[] = [];
      for (const one of release.spec.objects) {
        const kind = kinds.byId(one.kind);
        const { everyone, candidate } = headNow(one.kind, one.name);
        const hasAll = sameSide(one.to, everyone?.object) && !sameSide(one.from, everyone?.object);
        if (!hasAll && candidate?.release !== release.name) continue;
        const back = hasAll ? await requireKeptSide(store, kind, one.name, one.from) : everyone;
        operations.push(back === undefined ? gone(kind, one.name) : put(kind, one.name, back));
      }
      await write(release, [...operations, ...cohortGone(release.name)]);
    },
  };

  /** All of it, or nothing when the release has changed since. */
  async function write({ object }: CarriedRelease, operations: readonly Operation[]): Promise<void> {
    const fence: Operation = {
      verb: 'update',
      kind: Release.id,
      namespace: '',
      name: object.metadata.name,
      part: 'status',
      object,
      fieldValidation: 'Ignore',
    };
    await store.write([fence, ...operations], AUTHOR);
  }

  function headNow(kindId: string, name: string): { everyone?: Everyone; candidate?: LiveCandidate } {
    const head = store.get(Head, '', headName(kinds.byId(kindId), name))?.object();
    if (head === undefined) return {};
    const everyone = everyoneOf(head);
    const candidate = candidateOf(head);
    return { ...(everyone === undefined ? {} : { everyone }), ...(candidate === undefined ? {} : { candidate }) };
  }

  function shownNow(kind: Kind, name: string): Shown {
    const head = store.get(Head, '', headName(kind, name));
    return head === undefined ? NOTHING_SHOWN : shownIn(head);
  }

  function cohortGone(name: string): Operation[] {
    return store.get(Head, '', headName(Release, name)) === undefined ? [] : [gone(Release, name)];
  }

  /** What the objects become. */
  async function candidatesOf({ name: release, spec }: PlannedRelease) {
    return Promise.all(
      spec.objects.map(async ({ kind: kindId, name, to }) => {
        const kind = kinds.byId(kindId);
        const shown = to === undefined ? undefined : seenNow(release, kindId, name, to);
        const kept = to === undefined || shown !== undefined ? undefined : await keptSide(store, kind, name, to);
        const object = shown ?? kept?.object;
        return {
          kind,
          name,
          object,
          generation: to?.generation ?? 0,
          isLost: to !== undefined && object === undefined,
        };
      }),
    );
  }

  /** The same with what is allotted to each: as it was at the first exposure, for it may be short by now. */
  async function allottedOf(release: CarriedRelease) {
    const found = await candidatesOf(release);
    const lost = found.find(({ isLost }) => isLost);
    if (lost !== undefined) throw new Error(`the revision of ${titleOf(lost.kind.id, lost.name)} is not kept`);
    if (found.every(({ kind, object }) => kind.allot === undefined || object?.allotment !== undefined)) return found;
    const candidates = found.map(({ kind, name, object }): Candidate => ({ kind: kind.id, name, wanted: object }));
    const { allotted, short } = allot(live, candidates, new Map(), kinds);
    const [first] = short.keys();
    if (first !== undefined) throw new Error(`there is not enough for ${first}`);
    return found.map((one) => ({ ...one, object: allotted.get(liveKey(one.kind.id, one.name)) ?? one.object }));
  }

  /** The state of that side where it can be seen without asking the database: with the release, live, or declared. */
  function seenNow(release: string, kindId: string, name: string, side: Side): LiveObject | undefined {
    const { everyone, candidate } = headNow(kindId, name);
    if (candidate?.release === release && sameSide(side, candidate.object)) return candidate.object;
    if (sameSide(side, everyone?.object)) return everyone?.object;
    const [entry] = store.find(kinds.byId(kindId), 'name', name);
    const declared = entry === undefined ? undefined : wantedLive(entry);
    return sameSide(side, declared) ? declared : undefined;
  }

  function put(kind: Kind, name: string, everyone: Everyone | undefined, candidate?: LiveCandidate): Operation {
    const object = headOf(kind, name, everyone, candidate);
    return {
      verb: 'apply',
      kind: Head.id,
      namespace: '',
      name: headName(kind, name),
      object,
      uid: crypto.randomUUID(),
    };
  }

  function gone(kind: Kind, name: string): Operation {
    return { verb: 'delete', kind: Head.id, namespace: '', name: headName(kind, name) };
  }

  function putCohort({ name, spec }: CarriedRelease, stage: number): Operation {
    const cohort = cohortAt(name, spec, stage);
    const object: LiveObject = {
      kind: Release.id,
      namespace: '',
      name,
      labels: {},
      spec: cohort,
      revision: contentHash(cohort),
    };
    return put(Release, name, { object, generation: stage + 1 });
  }

  function titleOf(kindId: string, name: string): string {
    return `${kinds.byId(kindId).kind} "${name}"`;
  }
}

function shown(head: ResourceObject): Shown {
  const everyone = everyoneOf(head)?.object;
  const candidate = candidateOf(head);
  return {
    everyone: stateOf(everyone),
    ...(candidate === undefined ? {} : { candidate: { release: candidate.release, state: stateOf(candidate.object) } }),
    slices: everyone?.kind === RELEASE ? (parseCohort(everyone.spec)?.slices.length ?? 0) : 0,
  };
}

function stateOf(object: LiveObject | undefined): State | undefined {
  if (object === undefined) return undefined;
  const { revision, namespace, labels } = object;
  return { revision, namespace, labels };
}

/** Who has it in a stage: whoever got it in the stages before keeps it. */
function cohortAt(name: string, { policy }: ReleaseSpec, stage: number): Cohort {
  if (policy === undefined) throw new Error(`release ${name} has no stages`);
  return {
    unit: policy.spec.unit,
    salt: name,
    slices: stagesOf(policy.spec)
      .slice(0, stage + 1)
      .map(({ audience, markets, percent }) => ({
        ...(audience === undefined ? {} : { audience }),
        ...(markets === undefined ? {} : { markets }),
        share: Math.round((percent / 100) * SHARE_TOTAL),
      })),
  };
}
