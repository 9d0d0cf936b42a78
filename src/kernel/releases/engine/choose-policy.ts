import type { Kind } from '#kernel/resources/kind.ts';
import type { Store } from '#kernel/resources/store-contract.ts';
import type { PolicySpec, Selector } from '../kinds/policy-spec.ts';
import { ReleasePolicy, policySpec } from '../kinds/release-policy.ts';

/** What a selector goes by. */
export interface Selected {
  readonly kind: Kind;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface NamedPolicy {
  readonly name: string;
  readonly spec: PolicySpec;
}

/** The policies as they are declared now. */
export function policiesIn(store: Pick<Store<never>, 'list'>): readonly NamedPolicy[] {
  return [...store.list(ReleasePolicy)].map((entry) => ({ name: entry.name, spec: policySpec(entry.object()) }));
}

export function selects({ kinds, namespaces, matchLabels }: Selector, { kind, namespace, labels }: Selected): boolean {
  if (kinds !== undefined && !kinds.includes(kind.id) && !kinds.includes(kind.kind)) return false;
  if (namespaces !== undefined && !namespaces.includes(namespace)) return false;
  return Object.entries(matchLabels ?? {}).every(([label, value]) => labels[label] === value);
}

/**
 * The policy of a change: of all that select one of its objects, that of the highest priority; of several, the first by
 * name. It covers the whole change, for what was declared together is released together.
 */
export function choosePolicy(policies: readonly NamedPolicy[], objects: readonly Selected[]): NamedPolicy | undefined {
  return policies
    .filter(({ spec }) => objects.some((object) => selects(spec.selector, object)))
    .sort((a, b) => b.spec.priority - a.spec.priority || (a.name < b.name ? -1 : 1))[0];
}
