import { onePage } from '#kernel/api/client/pages.ts';
import { publishedBatches } from '#kernel/api/client/published-batches.ts';
import { eachOf, type Steps } from '#kernel/base/turns.ts';
import { Head, placeIn } from '#kernel/kinds/builtin/head.ts';
import { labelSet } from '#kernel/kinds/label-set.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Change, Entry, Store } from '#kernel/store/contract.ts';
import { findEntry } from '#kernel/store/find-entry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { followedKinds, goneState, isSameLive, stateOf, type HeadSource, type HeadState } from './head-state.ts';
import { CompactObject, EntryObject } from './compact-object.ts';
import { liveKey, LiveObjects, type LiveKey } from './live-objects.ts';

/** The live objects of a store, kept up to date. */
export interface LiveHeads<Filled> {
  readonly live: LiveObjects;
  /** When all that there was at the start is in it. */
  readonly filled: Filled;
  /** The same for those who follow it in this process: what it has need not be read again. */
  readonly source: HeadSource;
  readonly stop: () => void;
}

/**
 * The live objects by the store's Heads at this moment, in whatever process they were written.
 *
 * @param run reads what there is, at once or in turns: it is all there when `filled` has come
 */
export function followLive<Filled>(
  store: Store<Operation>,
  kinds: KindRegistry,
  run: (work: Steps<void>) => Filled,
): LiveHeads<Filled> {
  const live = new LiveObjects(kinds);
  const declared: DeclaredLookup = (kind, name) =>
    kinds.isKnown(kind) ? findEntry(store, kinds.byId(kind), name) : undefined;
  /** Heads of kinds that this program does not know, by name: another version wrote them, or the kind comes later. */
  const unknown = new Map<string, Entry>();
  /** The Heads that may say more than what everybody gets: few. They are read by who wants to know. */
  const exposing = new Map<LiveKey, Entry>();
  const stopHeads = store.subscribe((changes) => {
    for (const change of changes.filter(isFollowed)) {
      const { type, entry } = change;
      if (entry.kind.direct) take(entry, directStateIn(change), undefined);
      else if (type === 'DELETED') take(entry, goneState(entry.outline()), undefined);
      else show(entry);
    }
  });
  const stopKinds = kinds.subscribe(() => [...unknown.values()].forEach(show));
  const listedAt = store.version();
  const filled = run(
    eachOf(
      followedKinds(kinds.all).flatMap((kind) => [...store.list(kind)]),
      (entry) => {
        const { kind, namespace, name } = entry;
        // An entry that changed since the list is shown already, or gone.
        const now = store.version() === listedAt ? entry : store.get(kind, namespace, name);
        if (now === undefined) return;
        if (kind.direct) take(now, directStateIn({ type: 'ADDED', entry: now }), undefined);
        else show(now);
      },
    ),
  );
  const source: HeadSource = {
    list: async () => {
      await store.fresh();
      const objects: LiveObject[] = [];
      for (const { id } of kinds.all) for (const object of live.list(id)) objects.push(object);
      return { version: String(store.version()), pages: onePage(statesOf(objects, new Map(exposing), declared)) };
    },
    watch: async function* (from, signal) {
      for await (const { version, changes } of publishedBatches(store, followedKinds(kinds.all), from, signal)) {
        yield { version: String(version), changes: statesAfter(changes, live, declared) };
      }
    },
  };
  const stop = (): void => {
    stopHeads();
    stopKinds();
  };
  return { live, filled, source, stop };

  function show(head: Entry): void {
    const usual = usualHead(head, declared);
    if (usual !== undefined) take(head, usual.everyone, usual.isAll ? undefined : head);
    else {
      const state = parsedHead(head, declared);
      take(head, state, state.candidate === undefined ? undefined : head);
    }
  }

  function take(head: Entry, { kind, name, everyone }: HeadState, exposed: Entry | undefined): void {
    if (unknown.size > 0) unknown.delete(head.name);
    if (everyone === undefined) live.delete(kind, name);
    else if (kinds.isKnown(kind)) live.set(everyone);
    else unknown.set(head.name, head);
    if (exposed !== undefined) exposing.set(liveKey(kind, name), exposed);
    else if (exposing.size > 0) exposing.delete(liveKey(kind, name));
  }
}

function* statesOf(
  objects: Iterable<LiveObject>,
  exposing: Map<LiveKey, Entry>,
  declared: DeclaredLookup,
): Iterable<HeadState> {
  for (const everyone of objects) {
    const { kind, name } = everyone;
    const head = exposing.size === 0 ? undefined : exposing.get(liveKey(kind, name));
    if (head !== undefined) exposing.delete(liveKey(kind, name));
    yield { kind, name, everyone, candidate: head && parsedHead(head, declared).candidate };
  }
  for (const head of exposing.values()) yield parsedHead(head, declared);
}

/** An object that is kept already is not kept twice. */
function* statesAfter(changes: readonly Change[], live: LiveObjects, declared: DeclaredLookup): Iterable<HeadState> {
  for (const change of changes.filter(isFollowed)) {
    const state = change.entry.kind.direct ? directStateIn(change) : headStateIn(change, declared);
    const same = live.get(state.kind, state.name);
    yield isSameLive(state.everyone, same) ? { ...state, everyone: same } : state;
  }
}

function isFollowed({ entry: { kind } }: Change): boolean {
  return kind === Head || kind.direct;
}

function headStateIn({ type, entry }: Change, declared: DeclaredLookup): HeadState {
  return type === 'DELETED' ? goneState(entry.outline()) : stateIn(entry, declared);
}

function directStateIn({ type, entry }: Pick<Change, 'type' | 'entry'>): HeadState {
  const isGone = type === 'DELETED' || isEnding(entry);
  const object = new EntryObject(entry);
  const { name } = object;
  return { kind: entry.kind.id, name, everyone: isGone ? undefined : object, candidate: undefined };
}

/** Nearly no text has the name of the field at all. */
function isEnding(entry: Entry): boolean {
  const { before = '', after = '' } = entry.aroundSpec() ?? {};
  const mayBe = before === '' || before.includes(DELETION_FIELD) || after.includes(DELETION_FIELD);
  return mayBe && entry.identity().metadata.deletionTimestamp !== undefined;
}

const DELETION_FIELD = '"deletionTimestamp"';

type DeclaredLookup = (kindId: string, name: string) => Entry | undefined;

export function stateIn(head: Entry, declared: DeclaredLookup): HeadState {
  const usual = usualHead(head, declared);
  return usual?.isAll === true ? usual.everyone : parsedHead(head, declared);
}

/**
 * The object of everyone, read from the text: `headOf` writes nearly all Heads in this form, and parsing takes three times as
 * long. `isAll` where the Head says nothing else; undefined where it has another form. What is live mostly is what is
 * declared: what that is found by is known then.
 */
export function usualHead(
  head: Entry,
  declared: DeclaredLookup,
): { readonly everyone: HeadState; readonly isAll: boolean } | undefined {
  const text = head.specText();
  const { before = '', after = '' } = head.aroundSpec() ?? {};
  const [, kind = '', namespace = '', name = '', labels = '', revision = ''] =
    (EVERYBODYS_END.test(after) ? EVERYBODYS.exec(before) : undefined) ?? [];
  if (text === undefined || revision === '') return undefined;
  const same = sameSpec(declared(kind, name), { namespace, text });
  const object = { kind, namespace, labels: labelSet(labels), revision, spec: null };
  const kept = new CompactObject({ ...object, name: same?.name === name ? same.name : name }, text, same?.indexKeys);
  const everyone = { kind: kept.kind, name: kept.name, everyone: kept, candidate: undefined };
  return { everyone, isAll: NOTHING_ELSE.test(after) };
}

const EVERYBODYS =
  /"spec":\{"object":\{"kind":"([^"\\]+)","namespace":"([^"\\]*)","name":"([^"\\]+)"\},"labels":(\{[^{}]*\}),"live":\[\{"revision":"(\w+)","spec":$/;
const EVERYBODYS_END = /^,"generation":\d+\}/;
const NOTHING_ELSE = /^,"generation":\d+\}\]\}\}$/;

function parsedHead(head: Entry, declared: DeclaredLookup): HeadState {
  const outline = head.outline();
  const text = head.specText();
  const { kind, namespace, name } = placeIn(outline);
  const same = sameSpec(declared(kind, name), { namespace, text });
  return stateOf(outline, { text, indexKeys: same?.indexKeys });
}

function sameSpec(
  declared: Entry | undefined,
  { namespace, text }: { readonly namespace: string; readonly text: string | undefined },
): Entry | undefined {
  return declared?.namespace === namespace && declared.specText() === text ? declared : undefined;
}
