import type { Clock } from '#kernel/base/clock.ts';
import { Refusal, Unavailable } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import { logSeldom } from '#kernel/base/log-seldom.ts';
import type { Time } from '#kernel/base/time.ts';
import { atOnce, inTurns, type Steps } from '#kernel/base/turns.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Author, Change, Store } from '#kernel/store/contract.ts';
import { liveKey, type LiveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { allot } from '../allot.ts';
import { Release } from '../kinds/release.ts';
import { pinOn } from './guard.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import { STOP_NAME, Stop } from '../kinds/stop.ts';
import { shownBy } from '../live.ts';
import { settle, type Candidate, type Held } from '../settle.ts';
import { partsOf, type Targets } from '../kinds/targets.ts';
import { ENGINE, displacing, type Step } from './advance.ts';
import { policiesIn, selects } from '../rules/choose-policy.ts';
import { withSentences } from './describe-release.ts';
import { failingAlone } from './failing-alone.ts';
import { bringsBack } from './brings-back.ts';
import type { Declarations, Trail } from './declarations.ts';
import {
  carriedOf,
  formRelease,
  groupOf,
  isLive,
  specOf,
  type Changed,
  type Look,
  type OpenRelease,
  type Origin,
  type World,
} from './form.ts';
import { checkLive, type LiveFault } from './check-live.ts';
import { headOperation, heldOperation, stands, statusOperation, textOf, type Standing } from './go-live.ts';
import { lookAt } from './look.ts';
import { footprintOf, type OpenReleases } from './open-releases.ts';
import { createRelease, releaseName, writeStep } from './release-writes.ts';
import { sameSide } from './same-side.ts';

const AUTHOR: Author = { user: ENGINE, requestId: 'spread-changes' };
const RETRY_MS = 200;
/** What cannot be done with one object is tried again after this, and after twice as long each time, up to the most. */
const PARKED_MS = { first: 500, max: 10_000 } as const;
/** Operations in one write: what a change set may hold at most goes live in one step, with its record. */
const WRITE_MAX = 10_100;
/** Conflicts in a row that come of writers who are at work at the same time. */
const CONFLICTS_USUAL = 5;
/** Writes of one object that are taken together when they come faster than they are looked at. */
const ORIGINS_MAX = 1_000;
/** Live objects that are no longer accepted which the log names; the status of each says so. */
const FAULTS_NAMED_MAX = 20;
/** So many objects are looked at in one go at the start: some milliseconds. */
const AT_ONCE_MAX = 500;
/** What changes without a policy claim while they are written. */
const AT_ONCE = ' at once';

interface Noted {
  readonly kind: string;
  readonly name: string;
  /** The writes that it was noted for, the latest last; none of what was written before this engine began. */
  readonly origins: readonly Origin[];
}

/** An object that the engine failed with, kept apart so that it holds no other. */
interface Parked {
  readonly reasons: Held;
  readonly tries: number;
  /** True when it may be tried again. */
  readonly isDue: boolean;
  readonly cancel: () => void;
}

export interface Spreading {
  /** Looks at an object again. */
  readonly note: (kind: string, name: string) => void;
  /** Looks again at what is held. */
  readonly again: () => void;
  /** Resolves when every write so far is live, carried by a release, or held, also by an error of its own. */
  readonly caughtUp: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/**
 * Brings each change of what is declared on its way: what a policy selects into a Release, everything else to everybody at
 * once, as far as the world stays whole, with a Release as the record of it. Says in the status of each object where it
 * stands. Follows the store: the write comes first.
 */
export function spreadChanges(options: {
  readonly store: Store<Operation>;
  /** What is live, kept up to date by the Heads. */
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly open: OpenReleases;
  readonly declarations: Declarations;
  readonly clock: Clock;
  readonly time: Time;
  readonly log: Log;
}): Spreading {
  const { store, live, kinds, targets, open, declarations, clock, time, log } = options;
  const released = kinds.all.filter((kind) => kind.released);
  const pending = new Map<LiveKey, Noted>();
  const held = new Map<LiveKey, Noted>();
  const parked = new Map<LiveKey, Parked>();
  const logError = logSeldom(log, time.nowMs);
  /** New for each pass: what one has looked at is not kept beyond it. */
  let look: Look = lookAt(store, kinds);
  let faults: ReadonlyMap<LiveKey, LiveFault> = new Map();
  let stopping = false;
  let working: Promise<void> | undefined;

  const unsubscribe = store.subscribe(follow);
  const count = released.reduce((sum, kind) => sum + store.count(kind), 0);
  if (count > AT_ONCE_MAX) working = inTurns(noteAll()).then(worked);
  else {
    atOnce(noteAll());
    work();
  }
  // Nothing waits for it: what is live is served, whatever is said of it.
  void inTurns(checkLive(live, kinds, () => !stopping)).then(tellFaults);

  return {
    note: (kind, name) => {
      noteNow(kind, name, []);
      work();
    },
    again: () => {
      for (const { kind, name, origins } of held.values()) noteNow(kind, name, origins);
      work();
    },
    caughtUp: async () => {
      while (working !== undefined) await working;
    },
    stop: async () => {
      stopping = true;
      unsubscribe();
      for (const key of parked.keys()) unpark(key);
      await working;
    },
  };

  /** Notes everything at the start but what stands as it is: of very many objects nearly all do. */
  function* noteAll(): Steps<void> {
    for (const kind of released) {
      for (const entry of store.list(kind)) {
        if (stopping) return;
        const carriers = open.carriersOf(kind.id, entry.name);
        if (carriers.length > 0 || !stands(entry, live.get(kind.id, entry.name))) noteNow(kind.id, entry.name, []);
        yield;
      }
    }
    // What is live and no longer declared is to go.
    for (const kind of released) {
      for (const { name } of live.list(kind.id)) {
        if (stopping) return;
        if (store.find(kind, 'name', name).length === 0) noteNow(kind.id, name, []);
        yield;
      }
    }
  }

  function worked(): void {
    working = undefined;
    work();
  }

  function follow(changes: readonly Change[]): void {
    let isNews = false;
    for (const { entry, version, write = version, author, before } of changes) {
      if (!entry.kind.released) continue;
      // What we say of an object ourselves is no news of it.
      if (author?.user === ENGINE && author.caller === undefined && before !== undefined) continue;
      unpark(liveKey(entry.kind.id, entry.name));
      noteNow(entry.kind.id, entry.name, author === undefined ? [] : [{ write, user: author.user, version }]);
      isNews = true;
    }
    if (isNews) work();
  }

  function tellFaults(found: typeof faults): void {
    if (stopping || found.size === 0) return;
    faults = found;
    const named = [...found.values()].slice(0, FAULTS_NAMED_MAX);
    for (const { kind, name, problems } of named) {
      log.error({ kind, name, problems: textOf(problems) }, 'what is live is no longer accepted; it has to be changed');
    }
    if (found.size > named.length) log.error({ more: found.size - named.length }, 'more is no longer accepted');
    for (const { kind, name } of found.values()) noteNow(kind, name, []);
    work();
  }

  function noteNow(kind: string, name: string, origins: readonly Origin[]): void {
    const key = liveKey(kind, name);
    // Written again before it was looked at, it still belongs to what it was declared with first.
    const before = pending.get(key)?.origins ?? [];
    const news = origins.filter(({ version }) => !before.some((one) => one.version === version));
    pending.set(key, { kind, name, origins: [...before, ...news].slice(-ORIGINS_MAX) });
  }

  function work(): void {
    if (working !== undefined || stopping || pending.size === 0) return;
    working = drain().then(worked);
  }

  async function drain(): Promise<void> {
    let failures = 0;
    while (pending.size > 0 && !stopping) {
      const taken = [...pending.values()];
      pending.clear();
      try {
        await spread(taken);
        failures = 0;
      } catch (error) {
        failures += 1;
        // An object changed under our hands, or the database is away: look again.
        for (const { kind, name, origins } of taken) noteNow(kind, name, origins);
        const isUsual = error instanceof Refusal && error.reason === 'Conflict' && failures < CONFLICTS_USUAL;
        if (!isUsual) logError(error, 'changes could not be spread; trying again');
        await new Promise<void>((resolve) => void time.after(RETRY_MS, resolve));
      } finally {
        look = lookAt(store, kinds);
      }
    }
  }

  async function spread(taken: readonly Noted[]): Promise<void> {
    const atOnce: Noted[] = [];
    const formed: Noted[] = [];
    for (const noted of taken) {
      try {
        const before = look(noted);
        if (!isLive(before)) await loadTrail(before);
      } catch (error) {
        if (isPassing(error)) throw error;
        park(noted, error);
      }
      const changed = look(noted);
      if (!isFormed(changed) || isParked(noted)) {
        if (isLive(changed)) declarations.forget(noted.kind, noted.name);
        atOnce.push(noted);
        continue;
      }
      // Any change can be what a held object waited for, and a release that carries it now ends its waiting.
      held.delete(liveKey(noted.kind, noted.name));
      formed.push(noted);
    }
    // What was declared together is released together, also what no policy is about.
    const groups = together(formed);
    const byWrite = new Map(
      groups.flatMap(({ noted }) => noted.flatMap(writesOf).map((write) => [write, noted] as const)),
    );
    const alone = atOnce.filter((noted) => {
      if (isParked(noted) || isLive(look(noted))) return true;
      const group = writesOf(noted).find((write) => byWrite.has(write));
      if (group !== undefined) byWrite.get(group)?.push(noted);
      return group === undefined;
    });
    // What fails with one write holds up no other.
    const failures: unknown[] = [];
    for (const { origin, noted } of groups) {
      try {
        await form(origin, noted);
      } catch (error) {
        if (isPassing(error)) failures.push(error);
        else for (const one of noted) park(one, error);
        alone.push(...noted.filter(isParked));
      }
    }
    await goLive(alone);
    if (failures.length > 0) throw failures[0];
  }

  /** Keeps an object apart for a while, with the error as the reason why it is held. */
  function park(noted: Noted, error: unknown): void {
    const { kind, name } = noted;
    const key = liveKey(kind, name);
    const tries = (parked.get(key)?.tries ?? 0) + 1;
    const reasons = reasonsOf(error);
    const afterMs = Math.min(PARKED_MS.first * 2 ** Math.min(tries - 1, 30), PARKED_MS.max);
    const cancel = time.after(afterMs, () => {
      parked.set(key, { reasons, tries, isDue: true, cancel: () => {} });
      noteNow(kind, name, noted.origins);
      work();
    });
    parked.set(key, { reasons, tries, isDue: false, cancel });
    logError(error, 'an object cannot be released; trying again', { kind, name });
  }

  function unpark(key: LiveKey): void {
    parked.get(key)?.cancel();
    parked.delete(key);
  }

  function isParked({ kind, name }: Pick<Noted, 'kind' | 'name'>): boolean {
    return parked.get(liveKey(kind, name))?.isDue === false;
  }

  /** Those of the changes that fail by themselves are kept apart. @returns true when there are some. */
  async function parkFailing(
    changed: readonly Changed[],
    asked: ReadonlyMap<LiveKey, Noted>,
    attempt: (some: readonly Changed[]) => unknown,
  ): Promise<boolean> {
    const failing = await failingAlone(changed, attempt, isPassing);
    for (const [{ kind, name }, error] of failing) {
      park(asked.get(liveKey(kind.id, name)) ?? { kind: kind.id, name, origins: [] }, error);
    }
    return failing.size > 0;
  }

  /** Writes that stand each for itself: what one is refused for holds up no other. */
  async function writeEach(operations: readonly Operation[]): Promise<void> {
    for (const some of chunks(operations)) {
      const failing = await failingAlone(some, (part) => store.write(part, AUTHOR), isPassing);
      for (const [operation, error] of failing) {
        // What has gone or changed meanwhile is news of its own.
        const isNews = error instanceof Refusal && (error.reason === 'NotFound' || error.reason === 'Conflict');
        if (!isNews) logError(error, 'where an object stands could not be written', { kind: operation.kind });
      }
    }
  }

  /** What shares a write, directly or through an object that two writes declared. */
  function together(noted: readonly Noted[]): { readonly origin: Origin; readonly noted: Noted[] }[] {
    const groups = new Set<{ noted: Noted[]; writes: Set<number> }>();
    const byWrite = new Map<number, { noted: Noted[]; writes: Set<number> }>();
    for (const one of noted) {
      const group = { noted: [one], writes: new Set(writesOf(one)) };
      for (const write of writesOf(one)) {
        const other = byWrite.get(write);
        if (other === undefined || !groups.delete(other)) continue;
        group.noted.unshift(...other.noted);
        for (const more of other.writes) group.writes.add(more);
      }
      groups.add(group);
      for (const write of group.writes) byWrite.set(write, group);
    }
    return [...groups].map((group) => {
      const origins = group.noted.map(originOf);
      return { origin: origins.reduce((a, b) => (b.version > a.version ? b : a)), noted: group.noted };
    });
  }

  function writesOf(noted: Noted): readonly number[] {
    return noted.origins.length === 0 ? [originOf(noted).write] : noted.origins.map(({ write }) => write);
  }

  /** The write that declared an object as it is: as it was noted, or as the record of changes has it. */
  function originOf(noted: Noted): Origin {
    const latest = noted.origins.at(-1);
    if (latest !== undefined) return latest;
    const last = trailOf(look(noted)).steps.at(-1);
    if (last !== undefined) return { write: last.write, user: last.user, version: last.version };
    const version = store.version();
    return { write: version, user: 'unknown', version };
  }

  async function loadTrail({ kind, name, live: now, wanted }: Changed): Promise<void> {
    await declarations.load(kind, name, now?.object, wanted?.object);
  }

  function trailOf({ kind, name, live: now, wanted }: Changed): Trail {
    return declarations.between(kind.id, name, now?.object, wanted?.object);
  }

  /**
   * Whether a change goes by a release: a policy selects what is live, what is declared or a state in between, it belongs
   * to a group, a release carries it already, or it brings back what was rolled back.
   */
  function isFormed(changed: Changed): boolean {
    const { kind, name, wanted, live: now } = changed;
    const carriers = open.carriersOf(kind.id, name);
    const isBack = isLive(changed);
    if (carriers.length > 0) return !isBack || carriers.some(({ standing }) => standing.state.at !== 'retracting');
    if (isBack) return false;
    const trail = trailOf(changed);
    if (groupOf(changed, trail) !== undefined) return true;
    const policies = policiesIn(store, kinds);
    const states = [now?.object, wanted?.object, ...trail.steps.map(({ state }) => state)];
    const isSelected = states.some((state) => {
      if (state === undefined) return false;
      const { namespace, labels } = state;
      return policies.some(({ spec }) => selects(spec.selector, { kind, namespace, labels }));
    });
    return isSelected || bringsBack(store, kind, name, wanted?.object, trail).length > 0;
  }

  async function form(origin: Origin, noted: readonly Noted[]): Promise<void> {
    await loadCarriedBeside(noted);
    const changed = noted.map(look);
    const fresh = changed.filter((one) => !isCarriedAsIs(one));
    if (fresh.length > 0) {
      const touched = new Map<string, OpenRelease>();
      for (const { kind, name } of fresh) {
        for (const release of open.carriersOf(kind.id, name)) touched.set(release.name, release);
      }
      const group = fresh.map((one) => groupOf(one, trailOf(one))).find((one) => one !== undefined);
      for (const collector of open.collectorsOf(group?.name)) touched.set(collector.name, collector);
      const formed = formRelease(origin, fresh, [...touched.values()], worldNow());
      const nowMs = clock().epochMilliseconds;
      const operations: Operation[] = [];
      const name = formed.begin === undefined ? undefined : freeName(releaseName(formed.begin.spec));
      if (formed.begin !== undefined && name !== undefined) {
        operations.push(
          ...createRelease(name, told(name, formed.begin.spec), beginning(formed.begin.collects), nowMs, origin.user),
        );
      }
      for (const { name: other, standing } of formed.displaced) {
        const because = name === undefined ? 'What is live was declared again.' : `Release ${name} takes its place.`;
        operations.push(
          ...writeStep(objectOf(other), displacing(standing, because, origin.user), new Map(), nowMs, origin.user),
        );
      }
      for (const { name: other, spec } of formed.collecting) {
        const object = { ...objectOf(other), spec: told(other, spec) };
        operations.push({
          ...releaseTarget(other),
          verb: 'update',
          part: 'main',
          object,
          fieldValidation: 'Ignore',
        });
      }
      if (operations.length > 0) await store.write(operations, AUTHOR);
    }
    await sayWhere(noted);
  }

  /** What the carriers of these carry besides may be taken along. */
  async function loadCarriedBeside(noted: readonly Noted[]): Promise<void> {
    const carriers = new Set(noted.flatMap(({ kind, name }) => open.carriersOf(kind, name)));
    for (const one of [...carriers].flatMap(({ spec }) => spec.objects)) {
      await loadTrail(look(one));
    }
  }

  /** With the sentences that say what it means. */
  function told(name: string, spec: ReleaseSpec): ReleaseSpec {
    return withSentences(name, spec, look, live, kinds, clock());
  }

  function worldNow(): World {
    const trail: World['trail'] = ({ kind, name, live: now }, to) =>
      declarations.between(kind.id, name, now?.object, to);
    return { kinds, targets, policies: policiesIn(store, kinds), look, trail };
  }

  /** Whether the latest release of an object carries just what is declared. */
  function isCarriedAsIs({ kind, name, wanted }: Changed): boolean {
    const latest = open.carriersOf(kind.id, name).toSorted((a, b) => b.spec.number - a.spec.number)[0];
    if (latest === undefined) return false;
    // What is taken back is soon declared otherwise; what another takes the place of is carried by that one.
    const { state } = latest.standing;
    if (state.at === 'retracting' && state.end === 'superseded') return false;
    const carried = latest.spec.objects.find((one) => one.kind === kind.id && one.name === name);
    return carried !== undefined && sameSide(carried.to, wanted?.object);
  }

  async function sayWhere(noted: readonly Noted[]): Promise<void> {
    const statuses = noted.flatMap((one) => {
      const changed = look(one);
      const { kind, name, live: now } = changed;
      const carriers = open.carriersOf(kind.id, name);
      const carrier = carriers.at(-1);
      if (carrier === undefined) return [];
      const isBack = isLive(changed) && !isCarriedAsIs(changed);
      const standing: Standing = isBack
        ? { is: 'held', reasons: [problem(backText(carriers.map((release) => release.name)))] }
        : { is: 'carried', release: carrier.name };
      return statusOf(kind, name, now?.object, standing);
    });
    await writeEach(statuses);
  }

  function statusOf(
    kind: Kind,
    name: string,
    liveNow: Parameters<typeof statusOperation>[2],
    standing: Standing,
  ): Operation[] {
    const [entry] = store.find(kind, 'name', name);
    if (entry === undefined) return heldOperation(store, kind, name, standing, clock());
    return statusOperation(kind, entry, liveNow, standing, clock());
  }

  async function goLive(noted: readonly Noted[]): Promise<void> {
    const asked = new Map([...held, ...noted.map((one) => [liveKey(one.kind, one.name), one] as const)]);
    // What has come under a policy meanwhile goes by a release, at the next look.
    for (const [key, one] of asked) {
      if (isParked(one) || !isFormed(look(one))) continue;
      asked.delete(key);
      held.delete(key);
      pending.set(key, one);
    }
    if (asked.size === 0) return;
    const handed = new Set(noted.map(({ kind, name }) => liveKey(kind, name)));
    const looked = new Map([...asked].map(([key, one]) => [key, look(one)] as const));
    const changing = [...looked.values()].filter((one) => !isLive(one)).map(candidateIn);
    const waiting = new Map<LiveKey, Held>();
    const beside = new Set<string>();
    const stop = store.get(Stop, '', STOP_NAME);
    for (const { kind, name } of changing) {
      const key = liveKey(kind, name);
      const one = looked.get(key);
      if (one === undefined) continue;
      const footprint = footprintOf({ objects: [carriedOf(one)] });
      const { certain, possible } = open.begun.inTheWay(AT_ONCE, footprint);
      const mixed = possible.filter(
        (other) => partsOf(open.get(other)?.spec ?? { objects: [] }, kinds, targets).length > 1,
      );
      const pinned = pinOn(store, one.kind, name, one.wanted?.object, clock());
      const kept = parked.get(key);
      // What was kept apart is tried when it has been looked at as a whole, history included.
      if (kept !== undefined && !(kept.isDue && handed.has(key))) waiting.set(key, kept.reasons);
      else if (pinned !== undefined) waiting.set(key, [problem(pinned.because)]);
      else if (stop !== undefined)
        waiting.set(key, [problem(`Every release is stopped: ${Stop.spec(stop.object()).reason}`)]);
      else if (certain.length > 0) {
        waiting.set(key, [problem(`release ${certain.join(', ')} is under way with it, or with what it relies on`)]);
      } else if (mixed.length > 0) {
        waiting.set(key, [
          problem(`release ${mixed.join(', ')} is under way with what relies on the same, target by target`),
        ]);
      } else for (const other of possible) beside.add(other);
    }
    const free = changing.filter(({ kind, name }) => !waiting.has(liveKey(kind, name)));
    const shown = [...beside].flatMap((name) => shownBy(store, kinds, name, open.get(name)?.spec.objects ?? []));
    const settled = (some: readonly Candidate[]) => {
      const unsettled = settle(live, [...some, ...shown], kinds);
      return { unsettled, ...allot(live, some, unsettled, kinds) };
    };
    let outcome: ReturnType<typeof settled>;
    try {
      outcome = settled(free);
    } catch (error) {
      const looking = free.flatMap(({ kind, name }) => looked.get(liveKey(kind, name)) ?? []);
      if (!(await parkFailing(looking, asked, (some) => settled(some.map(candidateIn))))) throw error;
      return goLive(noted);
    }
    const { unsettled, allotted, short } = outcome;
    const problems = new Map([...unsettled, ...short, ...waiting]);

    const going = free.filter(({ kind, name }) => !problems.has(liveKey(kind, name)));
    const headOf = ({ kind, name, wanted }: Candidate): Operation => {
      const [entry] = store.find(kinds.byId(kind), 'name', name);
      return headOperation(kinds.byId(kind), name, allotted.get(liveKey(kind, name)) ?? wanted, entry);
    };
    const heads = going.map(headOf);
    const goingNow = going.flatMap(({ kind, name }) => looked.get(liveKey(kind, name)) ?? []);
    open.begun.claim(AT_ONCE, footprintOf({ objects: goingNow.map(carriedOf) }));
    try {
      const records = recordsOf(goingNow, asked);
      // What goes live goes live in one step; only then is it said in the objects' status.
      for (const some of chunks([...heads, ...records])) await store.write(some, AUTHOR);
    } catch (error) {
      const dryRun = (some: readonly Changed[]) =>
        store.write(some.map(candidateIn).map(headOf), AUTHOR, { dryRun: true });
      if (isPassing(error) || !(await parkFailing(goingNow, asked, dryRun))) throw error;
      return await goLive(noted);
    } finally {
      open.begun.free(AT_ONCE);
    }
    for (const [key, one] of asked) {
      if (problems.has(key)) held.set(key, one);
      else held.delete(key);
      if (!isParked(one)) unpark(key);
    }
    const goes = new Set(going.map(({ kind, name }) => liveKey(kind, name)));
    for (const { kind, name } of going) if (isLive(look({ kind, name }))) declarations.forget(kind, name);
    const statuses = [...looked].flatMap(([key, { kind, name, wanted, live: before }]) => {
      // What was declared meanwhile is looked at next: nothing is said of it by what was looked at.
      if (look({ kind: kind.id, name }).wanted?.generation !== wanted?.generation) return [];
      const reasons = problems.get(key);
      const now = goes.has(key) ? wanted?.object : before?.object;
      const fault = faults.get(key);
      const isFaulty = fault !== undefined && fault.revision === now?.revision;
      const isLiveNow: Standing = isFaulty ? { is: 'live', problems: fault.problems } : { is: 'live' };
      return statusOf(kind, name, now, reasons === undefined ? isLiveNow : { is: 'held', reasons });
    });
    await writeEach(statuses);
  }

  /** A Release for each write, as the record of what went live at once. */
  function recordsOf(going: readonly Changed[], asked: ReadonlyMap<LiveKey, Noted>): Operation[] {
    const groups = together(
      going.map(({ kind, name }) => asked.get(liveKey(kind.id, name)) ?? { kind: kind.id, name, origins: [] }),
    );
    const carried = new Map(going.map((one) => [liveKey(one.kind.id, one.name), carriedOf(one)] as const));
    const nowMs = clock().epochMilliseconds;
    return groups.flatMap(({ origin, noted }) => {
      const objects = noted.flatMap(({ kind, name }) => carried.get(liveKey(kind, name)) ?? []);
      const spec = { ...specOf(origin, objects, undefined, { ...worldNow(), policies: [] }, []), open: false };
      const state = { at: 'promoted', atMs: nowMs } as const;
      const step: Step = {
        standing: { state, approvals: [] },
        effects: [],
        tell: [],
        phase: 'Promoted',
        message: 'Everybody gets it: no policy is about it.',
      };
      return createRelease(freeName(releaseName(spec)), spec, step, nowMs, origin.user);
    });
  }

  /** One write may go live in parts, when some of it is held: each has its record. */
  function freeName(name: string): string {
    for (let part = 1; ; part += 1) {
      const free = part === 1 ? name : `${name}-${part}`;
      if (store.get(Release, '', free) === undefined) return free;
    }
  }

  function objectOf(name: string) {
    const entry = store.get(Release, '', name);
    if (entry === undefined) throw new Error(`release ${name} is gone`);
    return entry.object();
  }
}

function releaseTarget(name: string) {
  return { kind: Release.id, namespace: '', name };
}

function beginning(collects: boolean): Step {
  const state = collects ? ({ at: 'collecting' } as const) : ({ at: 'waiting', for: 'turn' } as const);
  const message = collects ? 'Collects its group until it is sealed.' : 'Has just begun.';
  return {
    standing: { state, approvals: [] },
    effects: [],
    tell: [],
    phase: collects ? 'Collecting' : 'Waiting',
    message,
  };
}

/** Of what is declared as it is live, while releases that were declared before change it. */
function backText(releases: readonly string[]): string {
  const names = releases.join(', ');
  return `it is declared as it is live, and was declared otherwise before: ${names} goes first, unless somebody aborts it, and then this is released`;
}

function candidateIn({ kind, name, wanted }: Changed): Candidate {
  return { kind: kind.id, name, wanted: wanted?.object };
}

/** Whether an error is about the moment, and not about what was to be written. */
function isPassing(error: unknown): boolean {
  return error instanceof Unavailable || (error instanceof Refusal && PASSING.has(error.reason));
}

const PASSING: ReadonlySet<Refusal['reason']> = new Set([
  'Conflict',
  'TooManyRequests',
  'ServiceUnavailable',
  'Timeout',
]);

function reasonsOf(error: unknown): Held {
  if (error instanceof Refusal) return error.problems.length > 0 ? error.problems : [problem(error.message)];
  return [problem(`an error of the program keeps it: ${error instanceof Error ? error.message : String(error)}`)];
}

function problem(detail: string): Held[number] {
  return { path: [], reason: 'FieldValueInvalid', detail };
}

function* chunks(operations: readonly Operation[]): Iterable<readonly Operation[]> {
  for (let from = 0; from < operations.length; from += WRITE_MAX) yield operations.slice(from, from + WRITE_MAX);
}
