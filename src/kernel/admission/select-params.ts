import { labelsMeet } from '#kernel/api/codec/selectors.ts';
import { requirementsOf } from '#kernel/api/codec/requirements.ts';
import type { PlainMap, Value } from '#kernel/cel/values.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Entry, Reader } from '#kernel/store/contract.ts';
import { readAs } from '#kernel/store/rules/read-as.ts';
import type { BindingSpec } from './kinds/binding.ts';
import type { PolicySpec } from './kinds/policy.ts';

const LIMITS = {
  /** Objects that a selector is held against for one write: about 5 ms. */
  lookedAt: 10_000,
  /** Objects that a policy is evaluated with for one write. */
  chosen: 100,
} as const;

/** The value of `params` for one evaluation, or why there is none. */
export type Params = { readonly value: Value; readonly failure?: undefined } | { readonly failure: string };

type ParamRef = NonNullable<BindingSpec['paramRef']>;

/**
 * The values of `params` that a binding gives: the policy is evaluated with each of them. None where the policy does not count
 * without parameters.
 * @param where the objects of now, and the namespace of the written object
 */
export function paramsOf(
  { paramKind }: Pick<PolicySpec, 'paramKind'>,
  { paramRef }: Pick<BindingSpec, 'paramRef'>,
  { kinds, read, namespace }: { readonly kinds: KindRegistry; readonly read: Reader; readonly namespace: string },
): readonly Params[] {
  if (paramKind === undefined) return [{ value: null }];
  if (paramRef === undefined) return [{ failure: 'the policy has a paramKind, and the binding no paramRef' }];
  const { kind: name, apiVersion } = paramKind;
  const kind = kinds.byApiVersion(apiVersion, name);
  if (kind === undefined || kind.confidential === true)
    return [{ failure: `there is no kind ${name} of ${apiVersion} that a policy could read` }];
  const within = kind.namespaced ? (paramRef.namespace ?? namespace) : '';
  const found = entriesOf(paramRef, kind, within, read);
  if (typeof found === 'string') return [{ failure: found }];
  if (found.length > 0) return found.map((entry) => ({ value: readAs(kind, entry).object() as unknown as PlainMap }));
  if (paramRef.parameterNotFoundAction === 'Allow') return [];
  const sought = paramRef.name === undefined ? 'that the selector selects' : `"${paramRef.name}"`;
  return [{ failure: `there is no ${name} ${sought} with its parameters` }];
}

/** The objects with parameters, or why they cannot be had. */
function entriesOf(
  { name, selector = {} }: ParamRef,
  kind: Kind,
  namespace: string,
  read: Reader,
): readonly Entry[] | string {
  if (name !== undefined) {
    const entry = read.get(kind, namespace, name);
    return entry === undefined ? [] : [entry];
  }
  const requirements = requirementsOf(selector);
  const chosen: Entry[] = [];
  let looks = 0;
  for (const entry of read.list(kind, { namespace })) {
    looks += 1;
    if (looks > LIMITS.lookedAt)
      return `its selector has to look at more than ${LIMITS.lookedAt} ${kind.plural}: name one, or a namespace with fewer`;
    if (!labelsMeet(requirements, entry.labels)) continue;
    chosen.push(entry);
    if (chosen.length > LIMITS.chosen) return `its selector selects more than ${LIMITS.chosen} ${kind.plural}`;
  }
  return chosen;
}
