import { requirementsOf } from '#kernel/api/codec/requirements.ts';
import { labelsMeet } from '#kernel/api/codec/selectors.ts';
import { isDeepStrictEqual } from 'node:util';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Store } from '#kernel/store/contract.ts';
import { actingOf } from '../kinds/guardrail-spec.ts';
import type { PolicySpec, Selector } from '../kinds/policy-spec.ts';
import { RELEASE_POLICY, policySpec } from '../kinds/release-policy.ts';
import type { NamedPolicy, ReleaseSpec } from '../kinds/release-spec.ts';
import { oncePerEntry } from './once-per-entry.ts';

/** The properties that a selector reads. */
export interface SelectorSubject {
  readonly kind: Kind;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The present policies. */
export function policiesIn(store: Pick<Store<never>, 'list'>, kinds: KindRegistry): readonly NamedPolicy[] {
  return Array.from(store.list(kinds.byId(RELEASE_POLICY)), policyIn);
}

const policyIn = oncePerEntry((entry): NamedPolicy => ({ name: entry.name, spec: policySpec(entry.object()) }));

export function selects(
  { kinds, namespaces, matchLabels }: Selector,
  { kind, namespace, labels }: SelectorSubject,
): boolean {
  if (kinds !== undefined && !kinds.includes(kind.id) && !kinds.includes(kind.kind)) return false;
  if (namespaces !== undefined && !namespaces.includes(namespace)) return false;
  return labelsMeet(requirementsOf({ matchLabels: matchLabels ?? {} }), labels);
}

/**
 * The policies of a change: all that select a state of one of its objects, by priority, then by name. Objects that are declared
 * together are released together, under all of them.
 */
export function selectPolicies(
  policies: readonly NamedPolicy[],
  selected: readonly SelectorSubject[],
  inherited: ReadonlySet<string> = new Set(),
): readonly NamedPolicy[] {
  return policies
    .filter(({ name, spec }) => inherited.has(name) || selected.some((one) => selects(spec.selector, one)))
    .sort((a, b) => b.spec.priority - a.spec.priority || (a.name < b.name ? -1 : 1));
}

/** The policies of a release; the first gives the stages. */
export function policiesOf({ policy, otherPolicies = [] }: ReleaseSpec): readonly NamedPolicy[] {
  return policy === undefined ? [] : [policy, ...otherPolicies];
}

/**
 * Why the first policy cannot release a change: another one has stages or guardrails that the first lacks. One sentence for each.
 */
export function policyConflicts(policies: readonly NamedPolicy[]): readonly string[] {
  const [first, ...others] = policies;
  if (first === undefined) return [];
  return others.flatMap(({ name, spec }) => {
    if (spec.stages.length > 0 && first.spec.stages.length === 0) {
      return [`policy ${name} stages this, policy ${first.name} does not: apply them separately`];
    }
    const missing = actingOf(spec.guardrails).filter(
      (guardrail) => !first.spec.guardrails.some((one) => isDeepStrictEqual(testOf(one), testOf(guardrail))),
    );
    const names = missing.map((guardrail) => guardrail.name).join(', ');
    return missing.length === 0
      ? []
      : [`policy ${name} guards this by ${names}, policy ${first.name} does not: apply them separately`];
  });
}

/** The test of a guardrail, without its name and the stage from which it is needed. */
function testOf({ name: _name, promotesFrom: _stage, ...test }: PolicySpec['guardrails'][number]): object {
  return test;
}
