import { isDeepStrictEqual } from 'node:util';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import type { ChangeSetItem } from '../api/change-set-items.ts';
import { contentOf } from '../api/change-results.ts';
import { lastChangeText, namedVersion, type MayRead } from '../api/require-versions.ts';

/** Versions of an object that are looked through for the one that a draft builds on. */
const HISTORY = { limit: 20, bytesMax: 1024 * 1024 } as const;

/** The version that an object of a draft builds on. */
export interface DraftBase {
  /** The version that there is, readable or not; undefined: there is no object. */
  readonly stored: number | undefined;
  /** The same of an object that the author may read. */
  readonly present: number | undefined;
  /** The draft names no version. */
  readonly isUnnamed: boolean;
  /** Why the object is refused where it names no version, is there already, and would be changed. */
  readonly unnamedText: OutdatedText;
  /** Another version is there than the one that the draft names. */
  readonly outdated?: OutdatedText;
}

interface OutdatedText {
  readonly message: string;
  readonly remedy: string;
}

export interface BaseVersions {
  readonly store: Pick<Store<never>, 'get' | 'history'>;
  readonly mayRead: MayRead;
}

/**
 * Compares the version that an object of a draft names with the present one. A change of the status alone does not count. An
 * object that the author may not read, and one that is not there, are the same.
 *
 * @param mayLookUp whether its history may be read, for who changed it and what
 */
export async function baseOf(item: ChangeSetItem, versions: BaseVersions, mayLookUp: boolean): Promise<DraftBase> {
  const { kind, namespace, name } = item;
  const { store, mayRead } = versions;
  const named = namedVersion(item);
  const stored = store.get(kind, namespace, name);
  const entry = stored !== undefined && mayRead(stored) ? stored : undefined;
  const base = {
    stored: stored?.version,
    present: entry?.version,
    isUnnamed: named === undefined,
    unnamedText: {
      message:
        'It is declared already, otherwise than here, and the draft does not name the version that it builds on.',
      remedy: `Compare it with what is declared; then set metadata.resourceVersion to "${entry?.version ?? ''}", or save the draft with --rebase.`,
    },
  };
  if (named === undefined || String(entry?.version) === named) return base;
  if (entry !== undefined && mayLookUp && (await isSameContent(item, entry, versions))) return base;
  const change = mayLookUp ? await lastChangeText(item, versions) : 'is another version, or is not there';
  return {
    ...base,
    outdated: {
      message: `It ${change}; the draft builds on version ${named}.`,
      remedy: 'Look at it, bring the draft up to date, and save it with --rebase.',
    },
  };
}

/** Whether the named version of an object declares the same as the present one. */
async function isSameContent(item: ChangeSetItem, entry: Entry, { store }: BaseVersions): Promise<boolean> {
  const { kind, namespace, name } = item;
  if (!kind.hasStatus) return false;
  const { items } = await store.history(kind, namespace, name, HISTORY);
  const named = items.find(({ version }) => String(version) === namedVersion(item));
  if (named === undefined || named.type === 'DELETED') return false;
  const before: ResourceObject = JSON.parse(named.text);
  const now = entry.object();
  return before.metadata.uid === now.metadata.uid && isDeepStrictEqual(contentOf(before), contentOf(now));
}
