import { isDeepStrictEqual } from 'node:util';
import { candidateOf, Head, liveObjectOf, placeIn, type LiveCandidate } from '#kernel/kinds/builtin/head.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { Kind, LiveObject, ResourceObject } from '#kernel/kinds/kind.ts';
import { CompactObject, directRevision } from './compact-object.ts';

/** The kinds that say what is live. */
export function followedKinds(all: readonly Kind[]): readonly Kind[] {
  return [Head, ...all.filter(({ direct }) => direct)];
}

/** The live state of one object: by its Head, or, of a direct kind, by itself. Without either it is empty. */
export interface HeadState {
  readonly kind: string;
  readonly name: string;
  /** The object that everyone gets. */
  readonly everyone: LiveObject | undefined;
  /** The object that the cohort of a release gets. */
  readonly candidate: LiveCandidate | undefined;
}

/** Changes that belong together: never show a part of them. */
export interface HeadBatch {
  /** The version up to which the follower then knows everything. */
  readonly version: string;
  /** Each made as it is taken: to be read once. */
  readonly changes: Iterable<HeadState>;
}

/** Where a follower has from what is live. Fails as a ResourceClient does. */
export interface HeadSource {
  /** All as of one version, page by page, each made as it is taken: to be read once. */
  readonly list: () => Promise<{ readonly version: string; readonly pages: AsyncIterable<Iterable<HeadState>> }>;
  /** Batches of changes after `from`, as `ResourceClient.watch` gives them. */
  readonly watch: (from: string, signal: AbortSignal) => AsyncIterable<HeadBatch>;
}

/** A spec that a Head has, and what an object with it is found by, where that is known. */
export interface HeadSpec {
  readonly text: string | undefined;
  readonly indexKeys: readonly string[] | undefined;
}

/** @param spec in whose place the Head has null */
export function stateOf(head: ResourceObject, spec?: HeadSpec): HeadState {
  const { kind, name } = placeIn(head);
  const everyone = liveObjectOf(head);
  const candidate = candidateOf(head);
  const candidates = everyone?.spec === null ? undefined : spec;
  return {
    kind,
    name,
    everyone: everyone && compactObject(everyone, spec),
    candidate: candidate && { ...candidate, object: candidate.object && compactObject(candidate.object, candidates) },
  };
}

/** The state of an object of a direct kind: its write is live at once, until it is being deleted. */
export function directState(kind: Kind, { metadata, spec }: ResourceObject): HeadState {
  const { namespace = '', labels = {}, deletionTimestamp } = metadata;
  const name = liveName(kind, namespace, metadata.name);
  if (deletionTimestamp !== undefined) return { kind: kind.id, name, everyone: undefined, candidate: undefined };
  const object = { kind: kind.id, namespace, name, labels, revision: directRevision(metadata), spec };
  return { kind: kind.id, name, everyone: new CompactObject(object), candidate: undefined };
}

/** The state after the Head was deleted. */
export function goneState(head: ResourceObject): HeadState {
  const { kind, name } = placeIn(head);
  return { kind, name, everyone: undefined, candidate: undefined };
}

/** Whether both are answered alike. */
export function isSameLive(a: LiveObject | undefined, b: LiveObject | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.revision !== b.revision || a.namespace !== b.namespace) return false;
  return isDeepStrictEqual([a.labels, a.allotment], [b.labels, b.allotment]);
}

function compactObject(object: LiveObject, { text, indexKeys }: Partial<HeadSpec> = {}): CompactObject {
  return object.spec !== null || text === undefined
    ? new CompactObject(object)
    : new CompactObject(object, text, indexKeys);
}
