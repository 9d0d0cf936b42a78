import { publishedBatches } from '#kernel/api/client/published-batches.ts';
import { eachOf, type Steps } from '#kernel/base/turns.ts';
import { Head, placeIn } from '#kernel/kinds/builtin/head.ts';
import { labelSet } from '#kernel/kinds/label-set.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Change, Entry, Store } from '#kernel/store/contract.ts';
import { entryNamed } from '#kernel/store/entry-named.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { goneState, isSameLive, stateOf, type HeadSource, type HeadState } from './head-state.ts';
import { KeptObject } from './kept-object.ts';
import { liveKey, LiveObjects, type LiveKey } from './live-objects.ts';

/** What is live in a store, kept up to date. */
export interface LiveHeads<Filled> {
  readonly live: LiveObjects;
  /** When all that there was at the start is in it. */
  readonly filled: Filled;
  /** The same for those who follow it in this process: what it has need not be read again. */
  readonly source: HeadSource;
  readonly stop: () => void;
}

/**
 * What is live, as the store's Heads say it at this moment, in whatever process they were written.
 *
 * @param run reads what there is, at once or in turns: it is all there when `filled` has come
 */
export function followLive<Filled>(
  store: Store<Operation>,
  kinds: KindRegistry,
  run: (work: Steps<void>) => Filled,
): LiveHeads<Filled> {
  const live = new LiveObjects(kinds);
  const declared: Declared = (kind, name) => entryNamed(store, kinds.byId(kind), name);
  /** The Heads that say more than what everybody gets: few. */
  const exposing = new Map<LiveKey, HeadState>();
  const stop = store.subscribe((changes) =>
    changes.filter(isOfHead).forEach((change) => show(stateAfter(change, declared))),
  );
  const listedAt = store.version();
  const filled = run(
    eachOf([...store.list(Head)], (head) => {
      // What was written since it was listed is shown already, or gone.
      const now = store.version() === listedAt ? head : store.get(Head, '', head.name);
      if (now !== undefined) show(stateIn(now, declared));
    }),
  );
  const source: HeadSource = {
    list: async () => {
      await store.fresh();
      const objects = kinds.all.flatMap(({ id }) => [...live.list(id)]);
      return { version: String(store.version()), heads: statesOf(objects, new Map(exposing)) };
    },
    watch: async function* (from, signal) {
      for await (const { version, changes } of publishedBatches(store, Head, from, signal)) {
        yield { version: String(version), changes: statesAfter(changes, live, declared) };
      }
    },
  };
  return { live, filled, source, stop };

  function show(state: HeadState): void {
    const { kind, name, everyone, candidate } = state;
    if (everyone === undefined) live.delete(kind, name);
    else live.set(everyone);
    if (candidate !== undefined) exposing.set(liveKey(kind, name), state);
    else if (exposing.size > 0) exposing.delete(liveKey(kind, name));
  }
}

function* statesOf(objects: Iterable<HeadState['everyone'] & object>, exposing: Map<LiveKey, HeadState>) {
  for (const everyone of objects) {
    const { kind, name } = everyone;
    if (exposing.size === 0 || !exposing.has(liveKey(kind, name))) yield { kind, name, everyone, candidate: undefined };
  }
  yield* exposing.values();
}

/** What is kept already is not kept twice. */
function* statesAfter(changes: readonly Change[], live: LiveObjects, declared: Declared): Iterable<HeadState> {
  for (const change of changes.filter(isOfHead)) {
    const state = stateAfter(change, declared);
    const same = live.get(state.kind, state.name);
    yield isSameLive(state.everyone, same) ? { ...state, everyone: same } : state;
  }
}

function isOfHead({ entry }: Change): boolean {
  return entry.kind === Head;
}

type Declared = (kindId: string, name: string) => Entry | undefined;

function stateAfter({ type, entry }: Change, declared: Declared): HeadState {
  return type === 'DELETED' ? goneState(entry.outline()) : stateIn(entry, declared);
}

/**
 * What a Head says. Mostly what is live is what is declared: what that is found by is known then. Nearly all Heads have the
 * form that `headOf` writes for everybody alone, which is read in a third of the time that parsing takes.
 */
export function stateIn(entry: Entry, declared: Declared): HeadState {
  const text = entry.specText();
  const { before = '', after = '' } = entry.aroundSpec() ?? {};
  const [, kind = '', namespace = '', name = '', labels = '', revision = ''] =
    (EVERYBODYS_END.test(after) ? EVERYBODYS.exec(before) : undefined) ?? [];
  if (text === undefined || revision === '') return stateOfParsed(entry, declared);
  const same = sameSpec(declared(kind, name), { namespace, text });
  const object = { kind, namespace, labels: labelSet(labels), revision, spec: null };
  const kept = new KeptObject({ ...object, name: same?.name === name ? same.name : name }, text, same?.indexKeys);
  return { kind: kept.kind, name: kept.name, everyone: kept, candidate: undefined };
}

const EVERYBODYS =
  /"spec":\{"object":\{"kind":"([^"\\]+)","namespace":"([^"\\]*)","name":"([^"\\]+)"\},"labels":(\{[^{}]*\}),"live":\[\{"revision":"(\w+)","spec":$/;
const EVERYBODYS_END = /^,"generation":\d+\}\]\}\}$/;

function stateOfParsed(entry: Entry, declared: Declared): HeadState {
  const head = entry.outline();
  const text = entry.specText();
  const { kind, namespace, name } = placeIn(head);
  const same = sameSpec(declared(kind, name), { namespace, text });
  return stateOf(head, { text, indexKeys: same?.indexKeys });
}

function sameSpec(
  declared: Entry | undefined,
  { namespace, text }: { readonly namespace: string; readonly text: string | undefined },
): Entry | undefined {
  return declared?.namespace === namespace && declared.specText() === text ? declared : undefined;
}
