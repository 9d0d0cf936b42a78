import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '#kernel/base/clock.ts';
import { Refusal, type Problem } from '#kernel/base/failures.ts';
import { eachOf, inTurns } from '#kernel/base/turns.ts';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { Overlay, liveKey, type LiveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Author, Outcome, Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { atPosition, invalid, type Admission } from '#kernel/store/rules/write.ts';
import { unitsAdvice } from '../advice.ts';
import { allot } from '../allot.ts';
import { sameSide } from '../engine/same-side.ts';
import { Release } from '../kinds/release.ts';
import { stagesText } from '../kinds/stages-text.ts';
import type { Targets } from '../kinds/targets.ts';
import type { UnitsOnRecord } from '../units-on-record.ts';
import { wantedLive } from '../live.ts';
import { policiesIn, policyConflicts, selectPolicies } from '../rules/choose-policy.ts';
import { settle, type Candidate, type HoldReasons } from '../settle.ts';
import { waitUntilReleased } from '../wait-until-released.ts';
import type { ChangeAnswer, ChangeResult } from '../kinds/change-answer.ts';
import {
  readBefore,
  resultOf,
  selectedText,
  standingOf,
  type DeclaredItem,
  type ItemBefore,
} from './change-results.ts';
import { PROBLEMS_MAX, addProblems, inOrder, itemsIn, operationOf, type ChangeSetItem } from './change-set-items.ts';
import { ChangeSet } from './change-set.ts';
import { requireVersions, type MayRead } from './require-versions.ts';

/** Parts that change sets and drafts are checked and described by. */
export interface ChangeParts {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly live: LiveObjects;
  /** Whether the author may write an object at all, and read another; the write checks again. */
  readonly admission: Pick<Admission, 'mayAsk' | 'mayRead'>;
  readonly unitsOnRecord: UnitsOnRecord;
  readonly clock: Clock;
}

/** Handles posted change sets. */
export function changeSets(parts: ChangeParts): VirtualKind {
  const { store } = parts;
  return async (given, { author, dryRun, limit }) => {
    const items = await checkedItems(parts, given, author);
    await requireVersions(items, { store, mayRead: readerOf(parts, author) });
    const before: ItemBefore[] = [];
    await inTurns(eachOf(items, (item) => before.push(readBefore(item, store, parts.live))));
    const outcomes = await store.write(items.map(operationOf), author, { dryRun, limit });
    const declared = before.map((one, index): DeclaredItem => ({ ...one, outcome: outcomes[index] as Outcome }));
    const { candidates, held } = heldAmong(parts, declared);
    const releaseNow = () => (dryRun ? undefined : releaseOf(outcomes, store));
    if (!dryRun) {
      const isRelabelled = declared.some((one) => isOnlyRelabelled(one) && !held.has(keyOf(one)));
      await waitUntilReleased(store, outcomes, () => !isRelabelled || releaseNow() !== undefined);
    }
    const results = await resultsOf(parts, declared, { candidates, held, dryRun });
    const release = releaseNow();
    const policy = policyOf(parts, candidates);
    return {
      apiVersion: ChangeSet.apiVersion,
      kind: ChangeSet.kind,
      metadata: given.metadata,
      status: {
        version: String(store.version()),
        ...(release === undefined ? {} : { release }),
        ...(policy === undefined ? {} : { policy }),
        results,
      },
    };
  };
}

/** The items in the order of their writes. Refuses the whole set when an item is invalid. */
async function checkedItems(
  parts: ChangeParts,
  given: ResourceObject,
  author: Author,
): Promise<readonly ChangeSetItem[]> {
  const { kinds } = parts;
  const named = itemsIn(given, kinds);
  // Authorization comes before the expensive checks of content.
  await inTurns(eachOf(named.items, (item) => requireMayWrite(parts, item, author)));
  const problems: Problem[] = [...named.problems];
  await inTurns(eachOf(named.items, (item) => addProblems(item, problems)));
  if (problems.length > 0) throw invalid(ChangeSet, given.metadata.name ?? '', problems.slice(0, PROBLEMS_MAX));
  return inOrder(named.items, kinds);
}

/** Throws a Refusal for an object that the author may not write. */
export function requireMayWrite({ store, admission, clock }: ChangeParts, item: ChangeSetItem, author: Author): void {
  const { kind, namespace, name, position } = item;
  const current = store.get(kind, namespace, name);
  try {
    admission.mayAsk({ operation: operationOf(item), kind, current, author, read: store, now: clock() });
  } catch (error) {
    throw error instanceof Refusal ? atPosition(error, position) : error;
  }
}

/** Whether the author may read an object. */
export function readerOf({ admission }: Pick<ChangeParts, 'admission'>, author: Author): MayRead {
  return (object) => admission.mayRead?.(author, object) ?? true;
}

/** Describes the effect of publishing objects, of those that could be written. */
export async function describeForecast(
  parts: ChangeParts,
  declared: readonly DeclaredItem[],
): Promise<{ readonly results: readonly ChangeResult[]; readonly policy: ChangeAnswer['policy'] }> {
  const { candidates, held } = heldAmong(parts, declared);
  const results = await resultsOf(parts, declared, { candidates, held, dryRun: true });
  return { results: results.filter(() => true), policy: policyOf(parts, candidates) };
}

interface HeldCandidates {
  readonly candidates: readonly Candidate[];
  readonly held: ReadonlyMap<LiveKey, HoldReasons>;
}

function heldAmong(parts: ChangeParts, declared: readonly DeclaredItem[]): HeldCandidates {
  const candidates = declared.filter(({ item }) => item.kind.released).map(candidateOf);
  return { candidates, held: heldOf(parts, candidates) };
}

/** Reasons that hold each candidate, given the present live objects. */
function heldOf({ live, kinds }: ChangeParts, candidates: readonly Candidate[]): ReadonlyMap<LiveKey, HoldReasons> {
  const unsettled = settle(live, candidates, kinds);
  return new Map([...unsettled, ...allot(live, candidates, unsettled, kinds).short]);
}

/** Labels do not change the generation: only the release shows that they were processed. */
function isOnlyRelabelled({ labels, outcome: { did, entry } }: DeclaredItem): boolean {
  return did === 'changed' && labels.length > 0 && labels.every((other) => !isDeepStrictEqual(other, entry.labels));
}

/** In the order of the objects in the request. */
async function resultsOf(
  parts: ChangeParts,
  declared: readonly DeclaredItem[],
  { candidates, held, dryRun }: HeldCandidates & { readonly dryRun: boolean },
): Promise<readonly ChangeResult[]> {
  const { store, kinds, live, clock } = parts;
  const world = new Overlay(live, kinds);
  for (const { kind, name, wanted } of candidates) world.put(kind, name, wanted);
  const written = declared.map(({ outcome }) => outcome.entry);
  const results: ChangeResult[] = [];
  await inTurns(
    eachOf(declared, (one) => {
      const { item } = one;
      const plain = resultOf(one, held.get(keyOf(one)) ?? [], world, clock());
      const result = { ...plain, sentences: [...plain.sentences, ...selectedText(one, written, parts)] };
      results[item.position] = dryRun ? result : { ...result, ...standingOf(item, result, store) };
    }),
  );
  return results;
}

/** The policies of changes that are not live yet: both the live and the declared state of each object select. */
function policyOf(
  { store, kinds, live, targets, unitsOnRecord }: ChangeParts,
  candidates: readonly Candidate[],
): ChangeAnswer['policy'] {
  const changed = candidates.flatMap(({ kind, name, wanted }) => {
    const now = live.get(kind, name);
    if (wanted === undefined || sameSide(wanted, now)) return [];
    return [wanted, ...(now === undefined ? [] : [now])].map((side) => ({ ...side, kind: kinds.byId(kind) }));
  });
  const policies = selectPolicies(policiesIn(store, kinds), changed);
  const [policy, ...others] = policies;
  if (policy === undefined) return undefined;
  return {
    name: policy.name,
    stages: stagesText(policy.spec),
    approvals: policy.spec.approvals?.required ?? 0,
    others: others.map(({ name, spec }) => ({ name, approvals: spec.approvals?.required ?? 0 })),
    conflicts: [...policyConflicts(policies)],
    warnings: [...unitsAdvice(policy.spec, targets, unitsOnRecord)],
  };
}

/** The release of a write. */
function releaseOf(outcomes: readonly Outcome[], store: ChangeParts['store']): string | undefined {
  const versions = outcomes.flatMap(({ did, entry }) => (did === 'nothing' ? [] : [entry.version]));
  if (versions.length === 0) return undefined;
  return store.find(Release, 'changeSet', String(Math.min(...versions))).at(-1)?.name;
}

function candidateOf({ item: { kind, liveAs }, outcome: { entry } }: DeclaredItem): Candidate {
  return { kind: kind.id, name: liveAs, wanted: wantedLive(entry) };
}

function keyOf({ item: { kind, liveAs } }: DeclaredItem): LiveKey {
  return liveKey(kind.id, liveAs);
}
