import { Refusal, type Problem } from '#kernel/base/failures.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { problemWithoutValues } from '#kernel/kinds/confidential.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { refuseTooHeavy } from '#kernel/kinds/schema/weight.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { atPosition, objectLimits, shapeProblems } from '#kernel/store/rules/write.ts';
import { ChangeSet } from './change-set.ts';

/** Problems in one refusal. */
export const PROBLEMS_MAX = 100;

/** One object of a change set. */
export interface ChangeSetItem {
  readonly position: number;
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  /** Its live name. */
  readonly liveAs: string;
  readonly object: ResourceObject;
}

export function operationOf({ kind, namespace, name, object, position }: ChangeSetItem): Operation {
  return { verb: 'apply', kind: kind.id, namespace, name, object, uid: crypto.randomUUID(), position };
}

interface NamedItems {
  readonly items: readonly ChangeSetItem[];
  readonly problems: readonly Problem[];
}

/** Reads the items by kind and name alone. Pure. */
export function itemsIn(given: Pick<ResourceObject, 'spec'>, kinds: KindRegistry): NamedItems {
  const { objects, defaultNamespace } = ChangeSet.spec(given);
  const problems: Problem[] = [];
  const seen = new Map<string, number>();
  const items: ChangeSetItem[] = [];
  for (const [position, value] of objects.entries()) {
    const object = value as unknown as ResourceObject;
    const at = ['objects', position];
    const { apiVersion, kind: kindName, metadata } = object;
    const kind = kinds.byApiVersion(String(apiVersion), String(kindName));
    const name = metadata?.name;
    if (kind === undefined || kind.id === ChangeSet.id || !kind.verbs.includes('create')) {
      problems.push({
        path: at,
        reason: 'FieldValueNotSupported',
        detail: `no kind "${kindName}" in version "${apiVersion}" can be declared here`,
      });
    } else if (typeof name !== 'string' || name === '') {
      problems.push({ path: [...at, 'metadata', 'name'], reason: 'FieldValueRequired', detail: 'Required value' });
    } else {
      const namespace = kind.namespaced ? String(metadata.namespace ?? defaultNamespace) : '';
      const key = `${kind.id} ${namespace}/${name}`;
      const first = seen.get(key);
      if (first !== undefined) {
        problems.push({
          path: at,
          reason: 'FieldValueDuplicate',
          detail: `${kind.kind} "${name}" is declared twice: also as objects[${first}]`,
        });
      }
      seen.set(key, position);
      const placed = kind.namespaced ? { ...object, metadata: { ...metadata, namespace } } : object;
      items.push({ position, kind, namespace, name, liveAs: liveName(kind, namespace, name), object: placed });
    }
  }
  return { items, problems };
}

/** Adds the problems of an item's content, up to the maximum. */
export function addProblems({ position, kind, object }: ChangeSetItem, problems: Problem[]): void {
  if (problems.length >= PROBLEMS_MAX) return;
  try {
    refuseTooHeavy(object, objectLimits(kind));
  } catch (error) {
    throw error instanceof Refusal ? atPosition(error, position) : error;
  }
  const at = ['objects', position];
  const found = shapeProblems(kind, object).map((problem) => ({ ...problem, path: [...at, ...problem.path] }));
  problems.push(...(kind.confidential === true ? found.map(problemWithoutValues) : found));
}

/** Sorts items so that each write finds its prerequisites: namespaces first, then the order of the kinds. Pure. */
export function inOrder(items: readonly ChangeSetItem[], kinds: KindRegistry): readonly ChangeSetItem[] {
  const ranks = new Map(kinds.all.map((kind, index) => [kind.id, kind === Namespace ? -1 : index]));
  const rankOf = ({ kind }: ChangeSetItem) => ranks.get(kind.id) ?? 0;
  return items.toSorted((a, b) => rankOf(a) - rankOf(b));
}
