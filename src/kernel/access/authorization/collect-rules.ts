import { canonicalJson } from '#kernel/base/ids.ts';
import { requirementsOf, type ObjectSelector } from '#kernel/api/codec/requirements.ts';
import { labelsMeet } from '#kernel/api/codec/selectors.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { aggregatesOf, rulesOf } from '../kinds/rbac.ts';
import type { PolicyRule } from '../rules/rules.ts';

/**
 * The ClusterRoles whose collected rules are out of date, with the right ones. Roles may collect from collecting roles:
 * every round of a cycle adds rules until none is new.
 */
export function outdatedRoles(
  roles: readonly ResourceObject[],
): readonly { readonly role: ResourceObject; readonly rules: readonly PolicyRule[] }[] {
  const sorted = [...roles].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const rules = new Map(sorted.map((role) => [role, aggregatesOf(role) === undefined ? rulesOf(role) : []]));
  const collecting = sorted.flatMap((role) => {
    const selectors = aggregatesOf(role);
    if (selectors === undefined) return [];
    const from = sorted.filter((other) => other !== role && selectors.some((selector) => selects(selector, other)));
    return [{ role, from }];
  });
  for (let grew = true; grew;) {
    grew = false;
    for (const { role, from } of collecting) {
      const collectedRules = distinct(from.flatMap((other) => rules.get(other) ?? []));
      if (collectedRules.length === rules.get(role)?.length) continue;
      rules.set(role, collectedRules);
      grew = true;
    }
  }
  return collecting
    .map(({ role }) => ({ role, rules: rules.get(role) ?? [] }))
    .filter((found) => canonicalJson(found.rules) !== canonicalJson(rulesOf(found.role)));
}

function distinct(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  return [...new Map(rules.map((rule) => [canonicalJson(rule), rule])).values()];
}

/** An empty selector selects everything, as in Kubernetes. */
function selects(selector: ObjectSelector, { metadata }: ResourceObject): boolean {
  return labelsMeet(requirementsOf(selector), metadata.labels ?? {});
}
