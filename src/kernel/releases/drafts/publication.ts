import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { HistoryItem, Store } from '#kernel/store/contract.ts';
import type { SelectableObject } from '#kernel/api/authority.ts';
import { Draft } from '../kinds/draft.ts';
import type { DraftPublicationStatus } from '../kinds/draft-answer.ts';
import { Release } from '../kinds/release.ts';

export interface DraftName {
  readonly namespace: string;
  readonly name: string;
}

export interface Publication {
  /** The draft as it was published. */
  readonly draft: SelectableObject;
  readonly answer: DraftPublicationStatus;
}

/** The publication of a draft, from the record of its deletion: the write that published it is the one that deleted it. */
export async function readPublication(
  store: Pick<Store<never>, 'find' | 'findDeletion'>,
  { namespace, name }: DraftName,
  uid: string,
): Promise<Publication | undefined> {
  const item = await store.findDeletion(Draft, namespace, name, uid);
  return item === undefined ? undefined : publicationIn(item, uid, store);
}

function publicationIn(
  { version, at, user, text }: HistoryItem,
  uid: string,
  store: Pick<Store<never>, 'find'>,
): Publication | undefined {
  const object: ResourceObject = JSON.parse(text);
  const { namespace = '', name, labels = {} } = object.metadata;
  const published = Draft.status(object)?.published;
  if (object.metadata.uid !== uid || published === undefined) return undefined;
  // A write numbers its changes one after the other, and the deletion is its last.
  const first = version - published.results.filter(({ action }) => action !== 'unchanged').length;
  const release = store.find(Release, 'changeSet', String(first)).at(-1)?.name;
  return {
    draft: { kind: Draft, namespace, name, labels, object: () => object },
    answer: {
      ...published,
      by: user,
      at,
      version: String(version),
      ...(release === undefined ? {} : { release }),
    },
  };
}
