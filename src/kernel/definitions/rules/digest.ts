import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { CustomResourceDefinition } from '../kinds/custom-resource-definition.ts';
import type { DefinitionCondition, DefinitionSpec, DefinitionStatus } from '../kinds/definition-spec.ts';
import { RELEASED_CONDITION, targetIn } from './released-annotation.ts';

/** A definition without its schemas, which are large. */
export interface DefinitionDigest {
  readonly name: string;
  readonly generation: number;
  readonly createdAt: string;
  readonly isTerminating: boolean;
  readonly finalizers: readonly string[];
  readonly group: string;
  readonly names: DefinitionSpec['names'];
  readonly storageVersion: string;
  /** The target that its annotation asks for; undefined: its objects are not to be released. */
  readonly target: string | undefined;
  readonly status: DefinitionStatus;
}

const DIGESTS = new WeakMap<Entry, DefinitionDigest>();

/** The digest of a stored definition. Made once for each version of it. */
export function digestOf(entry: Entry): DefinitionDigest {
  const known = DIGESTS.get(entry);
  if (known !== undefined) return known;
  const digest = digestIn(entry.object());
  DIGESTS.set(entry, digest);
  return digest;
}

export function digestIn(object: ResourceObject): DefinitionDigest {
  const { group, names, versions } = CustomResourceDefinition.spec(object);
  const { name, generation = 0, creationTimestamp = '', deletionTimestamp, finalizers = [] } = object.metadata;
  return {
    name,
    generation,
    createdAt: creationTimestamp,
    isTerminating: deletionTimestamp !== undefined,
    finalizers,
    group,
    names,
    storageVersion: versions.find(({ storage }) => storage)?.name ?? '',
    target: targetIn(object.metadata),
    status: CustomResourceDefinition.status(object) ?? {},
  };
}

export function conditionOf({ status }: DefinitionDigest, type: string): DefinitionCondition | undefined {
  return status.conditions?.find((condition) => condition.type === type);
}

/** Whether the kind is served. */
export function isEstablished(digest: DefinitionDigest): boolean {
  return conditionOf(digest, 'Established')?.status === 'True';
}

/** Whether objects of the kind go live by releases. They do once all that there were have a Head. */
export function isReleased(digest: DefinitionDigest): boolean {
  const { target, isTerminating } = digest;
  return target !== undefined && !isTerminating && conditionOf(digest, RELEASED_CONDITION)?.status === 'True';
}
