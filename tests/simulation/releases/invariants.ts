import assert from 'node:assert/strict';
import { isBegun, isFinished } from '#kernel/releases/engine/advance.ts';
import { countApprovals } from '#kernel/releases/engine/approvals.ts';
import { sameSide } from '#kernel/releases/engine/same-side.ts';
import { ROLLBACK_USER } from '#kernel/releases/engine/guard.ts';
import { Freeze } from '#kernel/releases/kinds/freeze.ts';
import { Pin } from '#kernel/releases/kinds/pin.ts';
import { Release } from '#kernel/releases/kinds/release.ts';
import type { ReleaseSpec } from '#kernel/releases/kinds/release-spec.ts';
import type { ReleaseState } from '#kernel/releases/kinds/release-status.ts';
import { Stop } from '#kernel/releases/kinds/stop.ts';
import { wantedLive } from '#kernel/releases/live.ts';
import { Head, candidateOf, everyoneOf, headName, type LiveCandidate } from '#kernel/kinds/builtin/head.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { liveNameOf } from '#kernel/kinds/live-name.ts';
import type { Change } from '#kernel/store/contract.ts';
import { parseCohort, type Cohort } from '#kernel/snapshots/cohort.ts';
import { partsOf } from '#kernel/releases/kinds/targets.ts';
import type { MemoryStore } from './memory-store.ts';
import { GAUGE, KINDS, type World } from './world.ts';
import { Node, Tenant, Workload, neededBy, type NodeSpec } from '#kernel/releases/testing/node.ts';

/** How long the write of a decided step may take; commands in this time come too late for it. */
const LANDING_MS = 6_000;

/** The kinds that schedules release. */
const RELEASED: readonly Kind[] = [Node, Workload, Tenant, KINDS.byId(GAUGE)];

/** Invariants that hold after every write, by the engine or by people. */
export class Invariants {
  readonly #store: MemoryStore;
  readonly #nowMs: () => number;
  /** Time that passes, whatever clocks show. */
  readonly #passedMs: () => number;
  readonly #ended = new Map<string, ReleaseState['at']>();
  readonly #cohorts = new Map<string, { readonly stage: number; readonly slices: Cohort['slices'] }>();
  readonly #forced = new Set<string>();
  #broken: unknown;
  #stoppedSinceMs: number | undefined;
  /** Releases that do harm, which only somebody's word may promote. */
  readonly #isBad: (release: string) => boolean;

  /** The clusters, as they really are. */
  readonly #world: Pick<World, 'clusters' | 'targets' | 'gauges'>;

  constructor(
    store: MemoryStore,
    nowMs: () => number,
    passedMs: () => number,
    isBad: (release: string) => boolean,
    world: Pick<World, 'clusters' | 'targets' | 'gauges'>,
  ) {
    this.#world = world;
    this.#store = store;
    this.#nowMs = nowMs;
    this.#passedMs = passedMs;
    this.#isBad = isBad;
    store.subscribe((changes) => {
      try {
        this.#after(changes);
      } catch (error) {
        // Thrown here, it would only fail the write of the caller.
        this.#broken ??= error;
      }
    });
  }

  /** Throws what was broken first. */
  check(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }

  #after(changes: readonly Change[]): void {
    if (changes.some(({ entry: { kind } }) => kind === Head)) {
      this.#wholeWorlds();
      this.#inOrder(changes);
    }
    if (changes.some(({ entry: { kind } }) => kind === Release)) this.#apart();
    for (const change of changes) {
      if (RELEASED.some(({ id }) => id === change.entry.kind.id) && change.author?.user === ROLLBACK_USER)
        this.#writesBack(change);
      if (change.entry.kind === Release && change.type !== 'DELETED') this.#release(change);
      if (change.entry.kind === Head) this.#head(change);
      if (change.entry.kind === Stop) {
        this.#stoppedSinceMs = change.type === 'DELETED' ? undefined : (this.#stoppedSinceMs ?? this.#passedMs());
      }
    }
  }

  /** The world of everybody is whole, and so is that of each cohort, alone and with any other. */
  #wholeWorlds(): void {
    const everyone = new Map<string, LiveObject>();
    const candidates = new Map<string, Map<string, LiveObject | undefined>>();
    for (const entry of this.#store.memory.list(Head)) {
      const head = entry.object();
      const live = everyoneOf(head)?.object;
      if (live !== undefined) everyone.set(live.name, live);
      const candidate = candidateOf(head);
      if (candidate === undefined) continue;
      const { name } = (head.spec as { object: { name: string } }).object;
      const known = candidates.get(candidate.release) ?? new Map<string, LiveObject | undefined>();
      candidates.set(candidate.release, known.set(name, candidate.object));
    }
    requireWhole(everyone, 'everybody');
    const sets = [...candidates];
    for (const [index, [name, shown]] of sets.entries()) {
      const alone = overlaid(everyone, shown);
      requireWhole(alone, name);
      for (const [other, more] of sets.slice(index + 1)) requireWhole(overlaid(alone, more), `${name} and ${other}`);
    }
  }

  /**
   * Each write of Heads brings one target of a release from step to step, or everything to everybody; targets go out one after
   * the other, and back the other way round.
   */
  #inOrder(changes: readonly Change[]): void {
    const moved = new Set<string>();
    for (const { entry, before, type } of changes) {
      if (entry.kind !== Head) continue;
      for (const head of [before?.object(), type === 'DELETED' ? undefined : entry.object()]) {
        const release = head === undefined ? undefined : candidateOf(head)?.release;
        if (release !== undefined) moved.add(release);
      }
    }
    for (const name of moved) {
      const object = this.#store.memory.get(Release, '', name)?.object();
      if (object === undefined) continue;
      const spec = Release.spec(object);
      const parts = partsOf(spec, KINDS, this.#world.targets);
      const steps = parts.map(({ target, objects }) => {
        const entries = new Set(objects.map((one) => this.#entryOf(name, one)));
        assert.ok(entries.size === 1, `${name} is at ${[...entries].join(' and at ')} of ${target.name}`);
        return [...entries][0];
      });
      assert.ok(!isOutOfOrder(steps), `${name} is out of order: ${steps.join(', ')}`);
    }
  }

  /** The entry of a release in the Head of an object. */
  #entryOf(release: string, { kind, name }: { readonly kind: string; readonly name: string }): string {
    const head = this.#store.memory.get(Head, '', headName(KINDS.byId(kind), name))?.object();
    const candidate = head === undefined ? undefined : candidateOf(head);
    return candidate?.release === release ? `stage ${candidate.stage} ${JSON.stringify(candidate.where)}` : 'none';
  }

  /** Releases that somebody has never change the same object, nor what another relies on. */
  #apart(): void {
    const holders = new Map<string, string>();
    for (const entry of this.#store.memory.find(Release, 'open', 'true')) {
      const object = entry.object();
      const state = Release.status(object)?.standing.state;
      if (state === undefined || !isBegun(state)) continue;
      for (const { name } of Release.spec(object).objects) {
        assert.equal(holders.get(name), undefined, `${entry.name} and ${holders.get(name)} both change ${name}`);
        holders.set(name, entry.name);
      }
    }
  }

  #release({ entry, before }: Change): void {
    const object = entry.object();
    const spec = Release.spec(object);
    const standing = Release.status(object)?.standing;
    if (standing === undefined) return;
    const { state, goOn } = standing;
    const { name } = entry;
    const ended = this.#ended.get(name);
    if (ended !== undefined) assert.equal(state.at, ended, `${name} had come to its end`);
    if (goOn?.force === true) this.#forced.add(name);
    const was = before === undefined ? undefined : Release.status(before.object())?.standing.state;
    if (isBegun(state) && was?.at === 'waiting' && state.at !== 'retracting') {
      const now = { nowMs: this.#nowMs(), withoutRight: new Set<string>() };
      assert.ok(countApprovals(spec, standing.approvals, now).isComplete, `${name} began without its approvals`);
    }
    if (was?.at === 'retracting' && !isFinished(state))
      assert.equal(state.at, 'retracting', `${name} stopped being taken back`);
    if (was?.at === 'exposing' && state.at === 'exposing' && state.stage < was.stage) {
      const isPaused = standing.paused !== undefined && state.stage === was.stage - 1;
      assert.ok(isPaused && this.#mayGoBack(spec), `${name} went back a stage`);
    }
    if (!isFinished(state)) return;
    this.#ended.set(name, state.at);
    if (state.at === 'promoted' && (spec.policy?.spec.guardrails.length ?? 0) > 0) {
      assert.ok(!this.#isBad(name) || this.#forced.has(name), `${name} does harm and was promoted`);
    }
    for (const { kind, name: one } of spec.objects) {
      const head = this.#store.memory.get(Head, '', headName(KINDS.byId(kind), one))?.object();
      assert.notEqual(
        head === undefined ? undefined : candidateOf(head)?.release,
        name,
        `${name} has ended and somebody has ${kind} ${one} of it`,
      );
    }
  }

  #mayGoBack({ policy }: ReleaseSpec): boolean {
    const { onFailure, onUndecided } = policy?.spec ?? {};
    return onFailure === 'rollBackStage' || onUndecided === 'rollBackStage';
  }

  #head({ entry, before, type, author }: Change): void {
    this.#cohort(
      before === undefined ? undefined : candidateOf(before.object()),
      type === 'DELETED' ? undefined : candidateOf(entry.object()),
    );
    const after = type === 'DELETED' ? undefined : everyoneOf(entry.object())?.object;
    const was = before === undefined ? undefined : everyoneOf(before.object())?.object;
    const shown = after ?? was;
    if (shown === undefined) return;
    if (after?.revision === was?.revision) return;
    for (const found of this.#store.memory.find(Pin, 'object', `${shown.kind} ${shown.name}`)) {
      const { refuses, until } = Pin.spec(found.object());
      // A pin refuses no change that was under way before it; a rollback with the pin takes that change back now.
      const isNew = found.version > (before?.version ?? 0);
      if (isNew || (until !== undefined && Date.parse(until) <= this.#nowMs())) continue;
      assert.ok(
        refuses === undefined || !refuses.includes(after?.revision ?? 'absent'),
        `${shown.name} came back although it is pinned, by ${author?.requestId}`,
      );
    }
    this.#isAccepted(after);
    this.#reachesSomebody(`${shown.name} goes to everybody`);
  }

  /** A spec that goes to everybody is valid by the definition of its kind, unless that has just changed. */
  #isAccepted(object: LiveObject | undefined): void {
    const { valueMax, sinceMs } = this.#world.gauges;
    if (object?.kind !== GAUGE || this.#passedMs() - sinceMs < LANDING_MS) return;
    const { value } = object.spec as NodeSpec;
    assert.ok(value <= valueMax, `${object.name} goes to everybody with ${value}, and may have ${valueMax}`);
  }

  /** A rollback only restores specs over changes of its own release: no other person's change is overwritten. */
  #writesBack({ entry, before }: Change): void {
    const was = before === undefined ? undefined : wantedLive(before);
    const isOurs = [...this.#store.memory.list(Release)].some((found) => {
      const object = found.object();
      const state = Release.status(object)?.standing.state;
      if (state?.at !== 'retracting' && Release.spec(object).rollbackOf === undefined) return false;
      return Release.spec(object).objects.some(({ name, to }) => name === liveNameOf(entry) && sameSide(to, was));
    });
    assert.ok(isOurs, `${entry.name} was written over`);
  }

  /** A cohort only grows until it is gone, unless a stage of it is rolled back. */
  #cohort(was: LiveCandidate | undefined, now: LiveCandidate | undefined): void {
    if (was !== undefined && was.release !== now?.release) this.#cohorts.delete(was.release);
    const cohort = parseCohort(now?.where);
    if (now === undefined || cohort === undefined) return;
    const { release, stage } = now;
    const before = this.#cohorts.get(release);
    this.#cohorts.set(release, { stage, slices: cohort.slices });
    if (before !== undefined && stage < before.stage) {
      const found = this.#store.memory.get(Release, '', release);
      assert.ok(found !== undefined && this.#mayGoBack(Release.spec(found.object())), `${release} moved somebody back`);
      return;
    }
    const old = before?.slices ?? [];
    assert.deepEqual(cohort.slices.slice(0, old.length), old, `${release} moved somebody back`);
    if (cohort.slices.length > old.length) this.#reachesSomebody(`${release} reaches more`);
  }

  /** While everything is stopped nothing reaches anybody new but what is taken back. */
  #reachesSomebody(what: string): void {
    if (this.#stoppedSinceMs === undefined || this.#passedMs() - this.#stoppedSinceMs < LANDING_MS) return;
    const takesBack = [...this.#store.memory.list(Release)].some((entry) => {
      const object = entry.object();
      const state = Release.status(object)?.standing.state;
      return state?.at === 'retracting' || Release.spec(object).rollbackOf !== undefined;
    });
    assert.ok(takesBack, `${what} although everything is stopped`);
  }

  /**
   * In the end, with nothing going wrong and nobody holding anything: every release has ended or says what it waits for,
   * and what is declared is live, carried by a release, or held with its reason. Nothing is lost.
   */
  requireSettled(): void {
    this.check();
    const { memory } = this.#store;
    const open = [...memory.find(Release, 'open', 'true')].map((entry) => entry.object());
    for (const object of open) {
      const status = Release.status(object);
      assert.ok(status !== undefined);
      const { state } = status.standing;
      const isBlocked = state.at === 'waiting' && (state.for === 'world' || state.for === 'turn');
      assert.ok(isBlocked, `${object.metadata.name} is still ${status.phase}: ${status.message}`);
    }
    const carried = new Set(open.flatMap((object) => Release.spec(object).objects.map(({ name }) => name)));
    const declared = new Map(
      RELEASED.flatMap((kind) => [...memory.list(kind)]).map((entry) => [liveNameOf(entry), entry] as const),
    );
    for (const [name, entry] of declared) {
      const head = memory.get(Head, '', headName(entry.kind, name))?.object();
      const live = head === undefined ? undefined : everyoneOf(head)?.object;
      if (sameSide(wantedLive(entry), live)) continue;
      const conditions =
        (entry.object().status as { conditions?: { status: string; message: string }[] } | undefined)?.conditions ?? [];
      assert.ok(
        carried.has(name) || conditions[0]?.status === 'False',
        `${name} is declared, not live, and nothing says why`,
      );
      assert.ok(
        carried.has(name) || !(conditions[0]?.message ?? '').startsWith('Included in release '),
        `the status of ${name} names a release that does not include it`,
      );
    }
    for (const entry of memory.list(Head)) {
      const object = everyoneOf(entry.object())?.object;
      if (
        object === undefined ||
        !RELEASED.some(({ id }) => id === object.kind) ||
        declared.has(object.name) ||
        carried.has(object.name)
      )
        continue;
      const held = (entry.object().status as { held?: string } | undefined)?.held;
      assert.ok(held !== undefined, `${object.name} was deleted, is live, and nothing says why`);
    }
    assert.equal([...memory.list(Freeze)].length, 0);
    for (const name of this.#world.clusters.clusters.keys()) {
      for (const { name: object } of memory.list(Workload)) {
        const head = memory.get(Head, '', headName(Workload, object))?.object();
        assert.ok(
          this.#world.clusters.hasWanted(name, object, head),
          `${name} has not come to what is wanted of ${object}`,
        );
      }
    }
  }
}

/** Whether a later target has something that an earlier one has not. */
function isOutOfOrder(steps: readonly (string | undefined)[]): boolean {
  return steps.some((one, index) => one !== 'none' && steps.slice(0, index).includes('none'));
}

function overlaid(
  world: ReadonlyMap<string, LiveObject>,
  shown: ReadonlyMap<string, LiveObject | undefined>,
): Map<string, LiveObject> {
  const result = new Map(world);
  for (const [name, object] of shown) {
    if (object === undefined) result.delete(name);
    else result.set(name, object);
  }
  return result;
}

/** The oracle of wholeness: looks at every object, with no index and no order. */
function requireWhole(world: ReadonlyMap<string, LiveObject>, whose: string): void {
  for (const [name, object] of world) {
    const { needs, neighbourMax } = object.spec as NodeSpec;
    for (const other of needs.map((need) => neededBy(object, need))) {
      const found = world.get(other)?.spec as NodeSpec | undefined;
      assert.ok(found !== undefined, `${name} needs ${other}, which is not in the world of ${whose}`);
      assert.ok(found.value <= neighbourMax, `${other} is above what ${name} stands in the world of ${whose}`);
    }
  }
}
