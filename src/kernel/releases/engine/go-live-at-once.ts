import { findEntry } from '#kernel/store/find-entry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { LiveKey } from '#kernel/snapshots/live-objects.ts';
import { STOP_NAME, Stop } from '../kinds/stop.ts';
import { isOverSeveralTargets } from '../kinds/targets.ts';
import { shownBy } from '../live.ts';
import type { Candidate, HoldReasons } from '../settle.ts';
import type { ReleaseStep } from './advance.ts';
import { keyOf, type QueuedObject } from './change-queue.ts';
import { decideGoLive, holdReasons, type GoLiveDecision } from './decide-go-live.ts';
import { isPassing } from './engine-errors.ts';
import { findFailingItems } from './find-failing-items.ts';
import { releaseItemOf, isLive, specOf, type PendingChange } from './form.ts';
import { headOperation, type ObjectStatus } from './go-live.ts';
import { groupByWrite } from './group-by-write.ts';
import { pinOn } from './guard.ts';
import { footprintOf } from './open-releases.ts';
import { createRelease, freeReleaseName, releaseName } from './release-writes.ts';
import { DISPATCH_AUTHOR, type DispatchPass } from './dispatch-state.ts';
import { chunks, statusOf, writeStatuses } from './write-statuses.ts';

/** Name of the claim of changes without a policy, while they are written. */
const AT_ONCE = ' at once';

/** A change that is tried, with its queued object. */
interface TriedChange {
  readonly queued: QueuedObject;
  readonly changed: PendingChange;
}

type TrialSet = ReadonlyMap<LiveKey, TriedChange>;

/**
 * Makes changes that no policy selects live for everyone, together with held ones, as far as all references and checks hold: in one
 * write, with a Release for each write as the record. Then updates the status of each object.
 */
export async function goLiveAtOnce(pass: DispatchPass, objects: readonly QueuedObject[]): Promise<void> {
  // Objects that fail by themselves back off and the others are retried: fewer each time.
  for (;;) {
    const tried = changesToTry(pass, objects);
    if (tried.size === 0) return;
    const decision = await decideFor(pass, tried, new Set(objects.map(keyOf)));
    if (decision === undefined || !(await writeHeads(pass, tried, decision))) continue;
    noteOutcome(pass, tried, decision);
    return writeStatuses(pass, statusesOf(pass, tried, decision));
  }
}

/** These and the held objects. Objects that need a release by now go to the next pass. */
function changesToTry({ view, held, backOff, queue }: DispatchPass, objects: readonly QueuedObject[]): TrialSet {
  const asked = new Map([...held, ...objects.map((one) => [keyOf(one), one] as const)]);
  const tried = new Map<LiveKey, TriedChange>();
  for (const [key, queued] of asked) {
    const changed = view.look(queued);
    if (backOff.isWaiting(queued) || !view.needsRelease(changed)) {
      tried.set(key, { queued, changed });
      continue;
    }
    held.delete(key);
    queue.add(queued);
  }
  return tried;
}

/** undefined when some changes failed by themselves and back off now. */
async function decideFor(
  pass: DispatchPass,
  tried: TrialSet,
  handed: ReadonlySet<LiveKey>,
): Promise<GoLiveDecision | undefined> {
  const changes = [...tried.values()].filter(({ changed }) => !isLive(changed));
  const held = new Map<LiveKey, HoldReasons>();
  const beside = new Set<string>();
  for (const { queued, changed } of changes) {
    const key = keyOf(queued);
    const { reasons, besides } = holdOf(pass, changed, handed.has(key));
    if (reasons !== undefined) held.set(key, reasons);
    else for (const release of besides) beside.add(release);
  }
  const { store, kinds, open } = pass;
  const shown = [...beside].flatMap((name) => shownBy(store, kinds, name, open.get(name)?.spec.objects ?? []));
  const decide = (some: readonly TriedChange[]) => decideGoLive(some.map(candidateOf), held, shown, pass);
  try {
    return decide(changes);
  } catch (error) {
    const free = changes.filter(({ queued }) => !held.has(keyOf(queued)));
    if (await backOffFailing(pass, free, decide)) return undefined;
    throw error;
  }
}

/** The reasons that hold one change by itself; else the releases beside which it would go live. */
function holdOf(
  { store, kinds, open, clock, backOff }: DispatchPass,
  changed: PendingChange,
  isHanded: boolean,
): { readonly reasons: HoldReasons | undefined; readonly besides: readonly string[] } {
  const { kind, name, wanted } = changed;
  const { certain, possible } = open.begun.inTheWay(AT_ONCE, footprintOf({ objects: [releaseItemOf(changed)] }));
  const stop = store.get(Stop, '', STOP_NAME);
  const isByTarget = (release: string) => isOverSeveralTargets(open.get(release)?.spec ?? { objects: [] }, kinds);
  const reasons = holdReasons({
    // An object in back-off is retried after it has been processed as a whole, history included.
    failed: backOff.problemsOf(keyOf({ kind: kind.id, name }), isHanded),
    pinned: pinOn(store, changed, wanted?.object, clock())?.because,
    stopped: stop === undefined ? undefined : Stop.spec(stop.object()).reason,
    inTheWay: certain,
    byTarget: possible.filter(isByTarget),
  });
  return { reasons, besides: possible };
}

/** One write for all. False when some objects were refused by themselves and back off now. */
async function writeHeads(pass: DispatchPass, tried: TrialSet, { going }: GoLiveDecision): Promise<boolean> {
  const { store, open } = pass;
  const changes = [...tried].flatMap(([key, one]) => (going.has(key) ? [one] : []));
  const headOf = ({ queued, changed: { kind, name } }: TriedChange): Operation => {
    return headOperation(kind, name, going.get(keyOf(queued)), findEntry(store, kind, name));
  };
  open.begun.claim(AT_ONCE, footprintOf({ objects: changes.map(({ changed }) => releaseItemOf(changed)) }));
  try {
    const operations = [...changes.map(headOf), ...recordsOf(pass, changes)];
    for (const some of chunks(operations)) await store.write(some, DISPATCH_AUTHOR);
    return true;
  } catch (error) {
    const tryAlone = (some: readonly TriedChange[]) => store.write(some.map(headOf), DISPATCH_AUTHOR, { dryRun: true });
    if (isPassing(error) || !(await backOffFailing(pass, changes, tryAlone))) throw error;
    return false;
  } finally {
    open.begun.free(AT_ONCE);
  }
}

/** A Release for each write, as the record of changes that went live at once. */
function recordsOf({ store, view, clock }: DispatchPass, changes: readonly TriedChange[]): Operation[] {
  const declared = changes.map((item) => ({ item, origins: view.origins(item.queued) }));
  const nowMs = clock().epochMilliseconds;
  return groupByWrite(declared).flatMap(({ origin, items }) => {
    const objects = items.map(({ changed }) => releaseItemOf(changed));
    const spec = { ...specOf(origin, objects, { ...view.world(), policies: [] }), open: false };
    const name = freeReleaseName(store, releaseName(spec));
    return createRelease({ name, spec }, promotedAt(nowMs), { nowMs, by: origin.user });
  });
}

function promotedAt(atMs: number): ReleaseStep {
  return {
    standing: { state: { at: 'promoted', atMs }, approvals: [] },
    effects: [],
    tell: [],
    phase: 'Promoted',
    message: 'Live for everyone: no policy selects this change.',
  };
}

function noteOutcome(
  { view, held, backOff, declarations }: DispatchPass,
  tried: TrialSet,
  decision: GoLiveDecision,
): void {
  for (const [key, { queued }] of tried) {
    if (decision.held.has(key)) held.set(key, queued);
    else held.delete(key);
    if (!backOff.isWaiting(queued)) backOff.clear(key);
    if (decision.going.has(key) && isLive(view.look(queued))) declarations.forget(queued.kind, queued.name);
  }
}

function statusesOf(pass: DispatchPass, tried: TrialSet, { going, held }: GoLiveDecision): Operation[] {
  return [...tried].flatMap(([key, { queued, changed }]) => {
    // A newer declaration is processed next: its status must not come from the older one.
    if (pass.view.look(queued).wanted?.generation !== changed.wanted?.generation) return [];
    const live = (going.has(key) ? changed.wanted : changed.live)?.object;
    const reasons = held.get(key);
    const fault = pass.faults.get(key);
    const isFaulty = fault !== undefined && fault.revision === live?.revision;
    const liveStatus: ObjectStatus = isFaulty ? { is: 'live', problems: fault.problems } : { is: 'live' };
    return statusOf(pass, changed, live, reasons === undefined ? liveStatus : { is: 'held', reasons });
  });
}

/** Puts changes that fail by themselves into back-off. @returns true when there are some */
async function backOffFailing(
  { backOff }: DispatchPass,
  changes: readonly TriedChange[],
  attempt: (some: readonly TriedChange[]) => unknown,
): Promise<boolean> {
  const failing = await findFailingItems(changes, attempt, isPassing);
  for (const [{ queued }, error] of failing) backOff.fail(queued, error);
  return failing.size > 0;
}

function candidateOf({ changed: { kind, name, wanted } }: TriedChange): Candidate {
  return { kind: kind.id, name, wanted: wanted?.object };
}
