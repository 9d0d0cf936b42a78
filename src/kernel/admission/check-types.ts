import type { StatusReader } from '#kernel/api/computed-status.ts';
import { fieldPath } from '#kernel/base/failures.ts';
import { DYN, type CelType } from '#kernel/cel/types.ts';
import { asResource, celTypeOf } from '#kernel/definitions/kinds/rule-types.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { servedVersions, type KindRegistry } from '#kernel/kinds/registry.ts';
import { OBJECT_META } from '#kernel/kinds/schema/object-meta.ts';
import { readSchema } from '#kernel/kinds/schema/schema-node.ts';
import { compilePolicy } from './kinds/compile-policy.ts';
import type { MatchSpec } from './kinds/match.ts';
import { ValidatingAdmissionPolicy, type PolicySpec } from './kinds/policy.ts';

const LIMITS = {
  /** Kinds that one policy is checked with, as in Kubernetes. */
  kinds: 10,
  /** Policies whose result is kept. */
  kept: 1_000,
} as const;

interface PolicyCheck {
  readonly generation: number;
  readonly kinds: readonly Kind[];
  readonly status: object;
}

/**
 * Checks the expressions of policies with the schemas of the kinds that they name. An expression that does not fit is a warning in the
 * status, no refusal: the kind may change, and the policy may be for others.
 */
export function policyTypeChecks(kinds: KindRegistry): StatusReader {
  const known = new Map<string, PolicyCheck>();
  return {
    kind: ValidatingAdmissionPolicy,
    read: (object) => {
      const { uid = '', generation = 1 } = object.metadata;
      const found = known.get(uid);
      if (found?.generation === generation && found.kinds === kinds.all) return found.status;
      const expressionWarnings = warningsOf(ValidatingAdmissionPolicy.spec(object), kinds.all);
      const status = { observedGeneration: generation, typeChecking: { expressionWarnings } };
      if (known.size >= LIMITS.kept) known.clear();
      known.set(uid, { generation, kinds: kinds.all, status });
      return status;
    },
  };
}

/** A warning for each expression that does not fit a kind, with the kind in front. */
function warningsOf(
  spec: PolicySpec,
  all: readonly Kind[],
): readonly { readonly fieldRef: string; readonly warning: string }[] {
  const served = all.flatMap(servedVersions);
  const { paramKind } = spec;
  const params = served.find(({ kind, apiVersion }) => kind === paramKind?.kind && apiVersion === paramKind.apiVersion);
  const byField = new Map<string, string[]>();
  for (const kind of kindsNamedIn(spec.matchConstraints, served).slice(0, LIMITS.kinds)) {
    const object = objectTypeOf(kind);
    const types = { object, oldObject: object, params: params === undefined ? DYN : objectTypeOf(params) };
    for (const { path, detail } of compilePolicy(spec, types).problems) {
      const field = fieldPath(path);
      const texts = byField.get(field) ?? [];
      byField.set(field, [...texts, `${kind.apiVersion}, Kind=${kind.kind}: ${detail}`]);
    }
  }
  return Array.from(byField, ([fieldRef, texts]) => ({ fieldRef, warning: texts.join('\n') }));
}

/** The kinds that rules name one by one: `*` may be anything. */
function kindsNamedIn({ resourceRules = [] }: MatchSpec, served: readonly Kind[]): readonly Kind[] {
  return served.filter((kind) =>
    resourceRules.some(
      ({ apiGroups, apiVersions, resources }) =>
        apiGroups.includes(kind.group) && apiVersions.includes(kind.version) && resources.includes(kind.plural),
    ),
  );
}

function objectTypeOf({ schema, kind }: Kind): CelType {
  const resource = asResource(readSchema(schema));
  const properties = new Map([...resource.properties, ['metadata', OBJECT_META] as const]);
  return celTypeOf({ ...resource, type: 'object', properties }, kind);
}
