/** The state of a namespace that is being deleted. */
export interface Survey {
  /** One for each object that is left. */
  readonly remaining: readonly { readonly resource: string; readonly finalizers: readonly string[] }[];
  /** Why the server would not delete some of them. */
  readonly refusals: readonly string[];
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/** Refusals that a condition cites; of more it says only how many there are. */
const REFUSALS_MAX = 3;

/** The conditions of the namespace in Kubernetes' words; those of other types stay, and so does the time of a state that lasts. */
export function endConditions(before: readonly Condition[], survey: Survey, now: string): readonly Condition[] {
  const current = conditionsOf(survey).map((condition): Condition => {
    const last = before.find(({ type }) => type === condition.type);
    const lastTransitionTime = last?.status === condition.status ? (last.lastTransitionTime ?? now) : now;
    return { ...condition, lastTransitionTime };
  });
  return [...before.filter(({ type }) => !current.some((one) => one.type === type)), ...current];
}

function conditionsOf({ remaining, refusals }: Survey): readonly Condition[] {
  const finalizers = remaining.flatMap((object) => object.finalizers);
  return [
    condition(
      'NamespaceDeletionContentFailure',
      refusals.length > 0,
      ['ContentDeletionFailed', `Failed to delete ${refusals.length} objects: ${citeRefusals(refusals)}`],
      ['ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
    ),
    condition(
      'NamespaceContentRemaining',
      remaining.length > 0,
      [
        'SomeResourcesRemain',
        `Some resources are remaining: ${countByName(
          remaining.map(({ resource }) => resource),
          (resource, count) => `${resource} has ${count} resource instances`,
        )}`,
      ],
      ['ContentRemoved', 'All content successfully removed'],
    ),
    condition(
      'NamespaceFinalizersRemaining',
      finalizers.length > 0,
      [
        'SomeFinalizersRemain',
        `Some content in the namespace has finalizers remaining: ${countByName(
          finalizers,
          (finalizer, count) => `${finalizer} in ${count} resource instances`,
        )}`,
      ],
      ['ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
    ),
  ];
}

function condition(
  type: string,
  holds: boolean,
  yes: readonly [string, string],
  no: readonly [string, string],
): Condition {
  const [reason, message] = holds ? yes : no;
  return { type, status: holds ? 'True' : 'False', reason, message };
}

function citeRefusals(refusals: readonly string[]): string {
  const more = refusals.length - REFUSALS_MAX;
  return refusals.slice(0, REFUSALS_MAX).join('; ') + (more > 0 ? `; and ${more} more` : '');
}

function countByName(names: readonly string[], say: (name: string, count: number) => string): string {
  return [...Map.groupBy(names, (name) => name)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { length }]) => say(name, length))
    .join(', ');
}
