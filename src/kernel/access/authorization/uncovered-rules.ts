import { accessRefusal } from '#kernel/access/refusals.ts';
import { allowsPath, compileRule, selectorImplies, selectorOf, type PolicyRule } from '../rules/rules.ts';

/** Smallest parts of the rules of one role: the check compares each with all rights of its author. */
const PARTS_MAX = 10_000;

/**
 * The smallest parts of `wanted` that `held` does not grant: one verb on one resource of one group (and one name), or
 * one verb on one path. An author may grant only rules with an empty result.
 */
export function uncoveredRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  // Most rules are held as they are.
  const open = wanted.filter((rule) => !held.some((owned) => covers(owned, rule)));
  const size = open.reduce((sum, rule) => sum + partCount(rule), 0);
  if (size > PARTS_MAX) {
    throw accessRefusal(
      'rules-too-broad',
      `The rules have ${size} combinations of verb, resource and name; at most ${PARTS_MAX} can be compared with your rights.`,
    );
  }
  return open.flatMap(partsOf).filter((part) => !held.some((owned) => covers(owned, part)));
}

function partCount({ verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule) {
  const named = apiGroups.length * resources.length * Math.max(1, resourceNames.length);
  return verbs.length * (named + nonResourceURLs.length);
}

function partsOf(rule: PolicyRule): PolicyRule[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  return verbs.flatMap((verb) => [
    ...apiGroups.flatMap((group) =>
      resources.flatMap((resource) => {
        const part = { verbs: [verb], apiGroups: [group], resources: [resource], ...selectorsOf(rule) };
        return resourceNames.length === 0 ? [part] : resourceNames.map((name) => ({ ...part, resourceNames: [name] }));
      }),
    ),
    ...nonResourceURLs.map((url) => ({ verbs: [verb], nonResourceURLs: [url] })),
  ]);
}

function selectorsOf({
  fieldSelector,
  labelSelector,
}: PolicyRule): Pick<PolicyRule, 'fieldSelector' | 'labelSelector'> {
  return {
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
  };
}

/** Whether one rule grants at least everything that another does. */
function covers(owned: PolicyRule, wanted: PolicyRule): boolean {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = wanted;
  const rule = compileRule(owned);
  const hasAll = (set: ReadonlySet<string>, items: readonly string[]) =>
    set.has('*') || items.every((item) => set.has(item));
  if (!hasAll(rule.verbs, verbs)) return false;
  // A path that ends in `*` is a prefix: matching it as a path covers all paths below.
  if (!verbs.every((verb) => nonResourceURLs.every((path) => allowsPath(rule, { verb, path })))) return false;
  if (resources.length === 0) return true;
  if (rule.selector !== undefined && !selectorImplies(selectorOf(wanted), rule.selector)) return false;
  const resourceHeld = (resource: string) => {
    const [, subresource] = resource.split('/');
    return rule.resources.has(resource) || (subresource !== undefined && rule.resources.has(`*/${subresource}`));
  };
  const namesHeld =
    rule.resourceNames.size === 0 ||
    (resourceNames.length > 0 && resourceNames.every((name) => rule.resourceNames.has(name)));
  return hasAll(rule.apiGroups, apiGroups) && (rule.resources.has('*') || resources.every(resourceHeld)) && namesHeld;
}
