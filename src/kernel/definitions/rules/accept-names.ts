import { isDeepStrictEqual } from 'node:util';
import type { DefinitionCondition, DefinitionSpec, DefinitionStatus } from '../kinds/definition-spec.ts';
import { conditionOf, isEstablished, type DefinitionDigest } from './digest.ts';
import { RELEASED_CONDITION } from './released-annotation.ts';

type Names = DefinitionSpec['names'];
type AcceptedNames = NonNullable<DefinitionStatus['acceptedNames']>;

/** Names that others have taken, of resources and of kinds: those of one group. */
interface TakenNames {
  readonly resources: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
}

/**
 * The status that a definition should have, given those that have their names already. As in Kubernetes it gets each name that
 * nobody else has; it is established once it had all of them, and stays so.
 */
export function statusFor(
  digest: DefinitionDigest,
  others: readonly DefinitionDigest[],
  now: string,
): DefinitionStatus {
  const { names, status, storageVersion } = digest;
  const { accepted, conflicts } = acceptNames(names, takenBy(digest, others), status.acceptedNames ?? {});
  const [first] = conflicts;
  const isAccepted = first === undefined;
  const released = conditionOf(digest, RELEASED_CONDITION);
  const wanted: readonly Omit<DefinitionCondition, 'lastTransitionTime'>[] = [
    isAccepted
      ? { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
      : { type: 'NamesAccepted', status: 'False', reason: first.reason, message: messageOf(conflicts) },
    establishedFor(digest, isAccepted),
    // The release engine keeps it.
    ...(released === undefined ? [] : [released]),
    ...(digest.isTerminating
      ? [
          {
            type: 'Terminating',
            status: 'True',
            reason: 'InstanceDeletionInProgress',
            message: 'CustomResource deletion is in progress',
          } as const,
        ]
      : []),
  ];
  const isServed = wanted[1]?.status === 'True';
  const stored = status.storedVersions ?? [];
  return {
    conditions: wanted.map((condition) => withTime(condition, conditionOf(digest, condition.type), now)),
    acceptedNames: accepted,
    storedVersions: isServed && !stored.includes(storageVersion) ? [...stored, storageVersion] : stored,
  };
}

function establishedFor(
  digest: DefinitionDigest,
  isAccepted: boolean,
): Omit<DefinitionCondition, 'lastTransitionTime'> {
  return isAccepted || isEstablished(digest)
    ? {
        type: 'Established',
        status: 'True',
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
      }
    : { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' };
}

/** A condition that stays as it was keeps its time. */
function withTime(
  wanted: Omit<DefinitionCondition, 'lastTransitionTime'>,
  before: DefinitionCondition | undefined,
  now: string,
): DefinitionCondition {
  if (before === undefined) return { ...wanted, lastTransitionTime: now };
  const { lastTransitionTime, ...known } = before;
  if (isDeepStrictEqual(known, wanted)) return before;
  return { ...wanted, lastTransitionTime: known.status === wanted.status ? (lastTransitionTime ?? now) : now };
}

function takenBy({ name, group }: DefinitionDigest, others: readonly DefinitionDigest[]): TakenNames {
  const taken = others
    .filter((other) => other.name !== name && other.group === group)
    .map(({ status }) => status.acceptedNames ?? {});
  return {
    resources: new Set(
      taken.flatMap(({ plural, singular, shortNames = [] }) => [plural, singular, ...shortNames]).filter(isName),
    ),
    kinds: new Set(taken.flatMap(({ kind, listKind }) => [kind, listKind]).filter(isName)),
  };
}

function isName(name: string | undefined): name is string {
  return name !== undefined && name !== '';
}

/** The reason of a conflict, and the name that is kept in one. */
interface NameChoice {
  readonly reason: string;
  readonly known: string | undefined;
}

interface NameConflict {
  readonly reason: string;
  readonly name: string;
}

function acceptNames(
  { plural, singular, kind, listKind, shortNames = [], categories = [] }: Names,
  { resources, kinds }: TakenNames,
  before: AcceptedNames,
): { readonly accepted: AcceptedNames; readonly conflicts: readonly NameConflict[] } {
  const conflicts: NameConflict[] = [];
  const accept = (name: string, taken: ReadonlySet<string>, { reason, known }: NameChoice): string | undefined => {
    if (!taken.has(name)) return name;
    conflicts.push({ reason, name });
    return known;
  };
  const one = {
    plural: accept(plural, resources, { reason: 'PluralConflict', known: before.plural }),
    singular: accept(singular ?? kind.toLowerCase(), resources, { reason: 'SingularConflict', known: before.singular }),
    kind: accept(kind, kinds, { reason: 'KindConflict', known: before.kind }),
    listKind: accept(listKind ?? `${kind}List`, kinds, { reason: 'ListKindConflict', known: before.listKind }),
  };
  const wrong = shortNames.filter((name) => resources.has(name));
  conflicts.push(...wrong.map((name) => ({ reason: 'ShortNamesConflict', name })));
  const short = wrong.length === 0 ? shortNames : (before.shortNames ?? []);
  const names: AcceptedNames = Object.fromEntries(Object.entries(one).filter(([, name]) => name !== undefined));
  return {
    accepted: {
      ...names,
      ...(short.length > 0 && { shortNames: short }),
      ...(categories.length > 0 && { categories }),
    },
    conflicts,
  };
}

function messageOf(conflicts: readonly NameConflict[]): string {
  return conflicts.map(({ name }) => `"${name}" is already in use`).join(', ');
}
