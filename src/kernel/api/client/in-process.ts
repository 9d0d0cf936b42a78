import { randomUUID } from 'node:crypto';
import { createNamed, requireMatch } from '../body.ts';
import { requireVerb } from '../request.ts';
import { inTurns, type Steps } from '#kernel/base/turns.ts';
import { eventFor, selectionOf, type SelectionQuery } from '../selection.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Entry, Outcome, Store } from '#kernel/store/contract.ts';
import type { Batch, ResourceClient, SelectOptions } from './contract.ts';
import { onePage } from './pages.ts';
import { placeOf } from './place.ts';
import { publishedBatches } from './published-batches.ts';

const STRICT = 'Strict';

/** Entries that are selected in one step: a millisecond. */
const SELECTED_AT_ONCE = 100;

/** Reads and writes the store of this process, as the given user. */
export function inProcessClient(store: Store<Operation>, user: string): ResourceClient {
  return { ...readsOf(store), ...writesOf(store, user) };
}

function readsOf(store: Store<Operation>): Pick<ResourceClient, 'list' | 'watch' | 'get'> {
  return {
    list: async (kind, selected = {}) => {
      requireVerb(kind, 'list');
      await store.fresh();
      const namespace = namespaceOf(kind, selected);
      const { matches, everything } = selectionOf(kind, queryOf(selected));
      const version = String(store.version());
      const all = [...store.list(kind, { namespace })];
      const entries = everything ? all : await inTurns(selectFrom(all, matches));
      return { pages: onePage(objectsOf(entries, selected)), version };
    },
    watch: async function* (kind, from, signal, selected = {}) {
      requireVerb(kind, 'watch');
      const selection = selectionOf(kind, queryOf(selected));
      const namespace = namespaceOf(kind, selected);
      const inScope = (entry: Entry) =>
        (namespace === undefined || entry.namespace === namespace) && selection.matches(entry);
      for await (const { version, changes } of publishedBatches(store, [kind], from, signal)) {
        const shown = changes.flatMap((change): readonly Batch['changes'][number][] => {
          const event = change.entry.kind.id === kind.id ? eventFor(change, inScope) : undefined;
          return event === undefined ? [] : [{ type: event.type, object: objectOf(event.entry, selected) }];
        });
        yield { version: String(version), changes: shown };
      }
    },
    get: async (kind, at) => {
      requireVerb(kind, 'get');
      await store.fresh();
      const { namespace, name } = placeOf(kind, at);
      return store.get(kind, namespace, name)?.object();
    },
  };
}

/** A selector may read each of many objects. */
function* selectFrom(entries: readonly Entry[], matches: (entry: Entry) => boolean): Steps<readonly Entry[]> {
  const selected: Entry[] = [];
  for (const [index, entry] of entries.entries()) {
    if (index % SELECTED_AT_ONCE === SELECTED_AT_ONCE - 1) yield;
    if (matches(entry)) selected.push(entry);
  }
  return selected;
}

function writesOf(store: Store<Operation>, user: string): Omit<ResourceClient, 'list' | 'watch' | 'get'> {
  return {
    create: async (kind, given) => {
      requireVerb(kind, 'create');
      const object = copyAsJson(given);
      const { namespace } = placeOf(kind, object.metadata);
      requireMatch(object, { kind, namespace, name: undefined, part: 'main' });
      const { entry } = await createNamed(kind, object, (name) =>
        write({
          verb: 'create',
          kind: kind.id,
          namespace,
          name,
          object,
          uid: randomUUID(),
          fieldValidation: STRICT,
        }),
      );
      return entry.object();
    },
    update: async (kind, given, part = 'main') => {
      if (part === 'main') requireVerb(kind, 'update');
      const object = copyAsJson(given);
      const place = placeOf(kind, object.metadata);
      const { entry } = await write({
        verb: 'update',
        kind: kind.id,
        ...place,
        part,
        object,
        fieldValidation: STRICT,
      });
      return entry.object();
    },
    mergePatch: async (kind, at, patch) => {
      requireVerb(kind, 'patch');
      const { entry } = await merge(kind, placeOf(kind, at), 'main', patch);
      return entry.object();
    },
    patchStatus: async (kind, at, status) => {
      const { entry } = await merge(kind, placeOf(kind, at), 'status', { status });
      return entry.object();
    },
    delete: async (kind, at, { uid, resourceVersion, propagation } = {}) => {
      requireVerb(kind, 'delete');
      const { did, entry } = await write({
        verb: 'delete',
        kind: kind.id,
        ...placeOf(kind, at),
        uidExpected: uid,
        versionExpected: resourceVersion,
        propagation,
      });
      return did === 'removed' ? undefined : entry.object();
    },
  };

  function merge(
    kind: Kind,
    place: { readonly namespace: string; readonly name: string },
    part: 'main' | 'status',
    patch: object,
  ): Promise<Outcome> {
    return write({
      verb: 'patch',
      kind: kind.id,
      ...place,
      part,
      patchType: 'merge',
      patch: copyAsJson(patch),
      fieldValidation: STRICT,
    });
  }

  async function write(operation: Operation): Promise<Outcome> {
    const [outcome] = await store.write([operation], { user, requestId: randomUUID() });
    if (outcome === undefined) throw new Error('the store gave no outcome for an operation');
    return outcome;
  }
}

function* objectsOf(entries: readonly Entry[], selected: SelectOptions): Iterable<ResourceObject> {
  for (const entry of entries) yield objectOf(entry, selected);
}

function objectOf(entry: Entry, { metadataOnly = false }: SelectOptions): ResourceObject {
  return metadataOnly ? entry.identity() : entry.object();
}

function namespaceOf(kind: Kind, { namespace }: SelectOptions): string | undefined {
  return kind.namespaced ? namespace : undefined;
}

function queryOf({ labelSelector = '', fieldSelector = '' }: SelectOptions): SelectionQuery {
  return { labelSelector, fieldSelector };
}

/** A copy, as the wire would make one: the caller may go on changing its object. */
function copyAsJson<Given extends object>(given: Given): Given {
  return JSON.parse(JSON.stringify(given));
}
