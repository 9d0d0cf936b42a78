import { fieldChanges } from '#kernel/base/field-changes.ts';
import { fieldPath, type Problem } from '#kernel/base/failures.ts';
import type { ResourceObject, World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { liveCondition, releasedStatus } from '#kernel/kinds/released-status.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Entry, Outcome, Reader, Store } from '#kernel/store/contract.ts';
import { selectionIn } from '../advice.ts';
import { Freeze } from '../kinds/freeze.ts';
import { RELEASE_POLICY, policySpec } from '../kinds/release-policy.ts';
import { selectionText } from '../rules/selection.ts';
import { isObserved } from '../wait-until-released.ts';
import type { ChangeResult } from '../kinds/change-answer.ts';
import type { ChangeSetItem } from './change-set-items.ts';

/** The state of an item before its write. */
export interface ItemBefore {
  readonly item: ChangeSetItem;
  /** The base of the plan: the live spec of a released kind, otherwise the declared content. */
  readonly content: unknown;
  /** The declared labels of a released object, and its live labels. */
  readonly labels: readonly unknown[];
}

export interface DeclaredItem extends ItemBefore {
  readonly outcome: Outcome;
}

export function readBefore(item: ChangeSetItem, read: Pick<Reader, 'get'>, live: LiveObjects): ItemBefore {
  const { kind, namespace, name, liveAs } = item;
  const declared = read.get(kind, namespace, name);
  if (!kind.released) {
    return { item, content: declared === undefined ? undefined : contentOf(declared.object()), labels: [] };
  }
  const liveNow = live.get(kind.id, liveAs);
  return { item, content: liveNow?.spec, labels: [declared?.labels, liveNow?.labels] };
}

/** Result of one item, or its forecast. */
export function resultOf(
  { item, outcome: { did, entry, warnings = [] }, content: before }: DeclaredItem,
  problems: readonly Problem[],
  world: World,
  now: Temporal.Instant,
): ChangeResult {
  const { kind, name, namespace, liveAs } = item;
  const object = entry.object();
  const fields = kind.released
    ? fieldChanges({ spec: before }, { spec: object.spec })
    : fieldChanges(before, contentOf(object));
  const sentences =
    fields.length === 0 ? [] : (kind.describe?.(liveAs, { before, after: object.spec }, { world, now }) ?? []);
  return {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    ...(kind.namespaced ? { namespace } : {}),
    name,
    action: did === 'created' ? 'created' : did === 'nothing' ? 'unchanged' : 'configured',
    fields: kind.confidential === true ? fields.map(({ path }) => ({ path })) : fields,
    sentences: [...sentences],
    warnings: [...warnings],
    problems: problems.map(({ path, detail }) => ({ path: fieldPath(path), message: detail })),
  };
}

/** The present selection of a declared policy or freeze; empty for other items. */
export function selectedText(
  { item: { kind }, outcome: { entry, did } }: DeclaredItem,
  written: readonly Entry[],
  { store, kinds }: { readonly store: Pick<Store<never>, 'find' | 'get' | 'list'>; readonly kinds: KindRegistry },
): readonly string[] {
  if (did === 'nothing' || (kind.id !== RELEASE_POLICY && kind !== Freeze)) return [];
  const { selector } = kind === Freeze ? Freeze.spec(entry.object()) : policySpec(entry.object());
  if (selector === undefined) return [];
  return [`It selects ${selectionText(selectionIn(selector, { store, kinds, written }))} at present.`];
}

/** The engine's view of an item: its release, or the reason that holds it where the live objects do not. */
export function standingOf(
  { kind, namespace, name }: ChangeSetItem,
  { problems }: ChangeResult,
  read: Pick<Reader, 'get'>,
): Partial<ChangeResult> {
  const entry = kind.released ? read.get(kind, namespace, name) : undefined;
  if (entry === undefined) return {};
  const { release } = releasedStatus(entry.object());
  const live = liveCondition(entry.object());
  if (live?.status !== 'False') return {};
  if (live.reason === 'InRelease') return release === undefined ? {} : { release };
  return problems.length > 0 || !isObserved(entry) ? {} : { problems: [{ path: '', message: live.message }] };
}

/** The declared content, without fields that the server manages. */
export function contentOf({
  status: _status,
  metadata,
  apiVersion: _apiVersion,
  kind: _kind,
  ...fields
}: ResourceObject): object {
  const { labels, annotations } = metadata;
  return {
    ...fields,
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
