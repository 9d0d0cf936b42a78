import { selectable } from '#kernel/api/selection.ts';
import type { Labels } from '#kernel/api/codec/selectors.ts';
import type { Refusal } from '#kernel/base/failures.ts';
import type { Value } from '#kernel/cel/values.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { Scale } from '#kernel/kinds/builtin/scale.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { servedVersions, type KindRegistry } from '#kernel/kinds/registry.ts';
import type { Entry, Mutation, Reader, Review } from '#kernel/store/contract.ts';
import { inVersion, readAs } from '#kernel/store/rules/read-as.ts';
import { scaleOf, scalePathsOf } from '#kernel/store/rules/scale.ts';
import type { Admission, ChangeRequest } from '#kernel/store/rules/write.ts';
import { EVERY_BINDING, ValidatingAdmissionPolicyBinding, type BindingSpec } from './kinds/binding.ts';
import { ADMISSION_GROUP } from './kinds/match.ts';
import { ValidatingAdmissionPolicy, type PolicySpec } from './kinds/policy.ts';
import { admissionRefusal } from './refusals.ts';
import { Authorizer, CheckBudget, ResourceCheck, type MayDo } from './kinds/authorizer.ts';
import { compilePolicy, type CompiledPolicy } from './kinds/compile-policy.ts';
import {
  evaluatePolicy,
  type PolicyBudget,
  type PolicyInput,
  type PolicyResult,
  type Violation,
} from './rules/evaluate-policy.ts';
import { kindMatched, type WriteFacts } from './rules/match-write.ts';
import { paramsOf, type Params } from './select-params.ts';
import { visible } from './visible.ts';

/** Messages in one refusal. */
const MESSAGES_MAX = 10;

/** Units of all policies for one object: some 40 ms at the very most. */
const WRITE_COST_MAX = 1_000_000;

/** The name that Kubernetes gives it. */
const FAILURE_ANNOTATION = 'validation.policy.admission.k8s.io/validation_failure';

const NOTHING: Review = { warnings: [], annotations: {} };

const CODES = {
  Invalid: 'denied',
  Forbidden: 'denied-forbidden',
  Unauthorized: 'denied-unauthorized',
  RequestEntityTooLarge: 'denied-too-large',
} as const satisfies Record<Violation['reason'], string>;

/** A policy in force. */
interface Bound {
  readonly name: string;
  readonly spec: PolicySpec;
  readonly policy: CompiledPolicy;
  readonly binding: { readonly name: string; readonly spec: BindingSpec };
}

/**
 * Asks the policies in force about each write from outside, where it is decided: with the object as it would be stored. Policies
 * and bindings themselves are written without them, so that nobody is locked out of a policy.
 * @param mayDo answers the checks of `authorizer`
 */
export function policyAdmission(kinds: KindRegistry, mayDo: MayDo): Pick<Admission, 'mayChange'> {
  const compiled = new WeakMap<Entry, { readonly spec: PolicySpec; readonly policy: CompiledPolicy }>();
  const bindings = new WeakMap<Entry, BindingSpec>();

  return {
    mayChange: (write) => {
      const { kind, author, read, mutation } = write;
      if (author.caller === undefined || kind.group === ADMISSION_GROUP || mutation.do === 'nothing') return NOTHING;
      const entries = read.find(ValidatingAdmissionPolicyBinding, EVERY_BINDING.index, EVERY_BINDING.value);
      if (entries.length === 0) return NOTHING;
      const facts = factsOf(write);
      const budget = { purse: { units: WRITE_COST_MAX }, checks: new CheckBudget() };
      const asking = askingFor(write, facts, { mayDo, budget: budget.checks });
      const remarks: Remarks = { warnings: [], annotations: {}, failures: [] };
      for (const entry of entries) {
        const bound = boundBy(entry, read);
        const seen = bound && kindSeen(bound, facts);
        if (bound === undefined || seen === undefined) continue;
        const given = { ...inputOf(write, facts, seen), ...asking, budget };
        const params = paramsOf(bound.spec, bound.binding.spec, { kinds, read, namespace: given.namespace });
        note(bound, judge(bound, params, given), remarks);
      }
      const { warnings, annotations, failures } = remarks;
      if (failures.length > 0) annotations[FAILURE_ANNOTATION] = JSON.stringify(failures);
      return { warnings, annotations };
    },
  };

  function boundBy(entry: Entry, read: Reader): Bound | undefined {
    const spec = bindings.get(entry) ?? ValidatingAdmissionPolicyBinding.spec(entry.object());
    bindings.set(entry, spec);
    const found = read.get(ValidatingAdmissionPolicy, '', spec.policyName);
    // As in Kubernetes a binding may come before its policy.
    if (found === undefined) return undefined;
    const known = compiled.get(found) ?? compileEntry(found);
    return { name: found.name, ...known, binding: { name: entry.name, spec } };
  }

  function compileEntry(entry: Entry): { readonly spec: PolicySpec; readonly policy: CompiledPolicy } {
    const spec = ValidatingAdmissionPolicy.spec(entry.object());
    const made = { spec, policy: compilePolicy(spec) };
    compiled.set(entry, made);
    return made;
  }
}

/** The variables of a policy for one write. */
type WriteInput = Omit<PolicyInput, 'params'> & {
  readonly read: Reader;
  readonly namespace: string;
  readonly budget: PolicyBudget;
};

type Asking = Pick<PolicyInput, 'authorizer' | 'authorizer.requestResource'>;

/** The results of a policy with each of its parameters, together. */
function judge({ policy }: Bound, all: readonly Params[], { read: _read, budget, ...input }: WriteInput): PolicyResult {
  const results = all.map((params): PolicyResult =>
    params.failure === undefined
      ? evaluatePolicy(policy, { ...input, params: params.value }, budget)
      : { violations: [], failures: [params.failure], annotations: {} },
  );
  return {
    violations: results.flatMap(({ violations }) => violations),
    failures: results.flatMap(({ failures }) => failures),
    annotations: joinAnnotations(results.map(({ annotations }) => annotations)),
  };
}

/** As in Kubernetes different values of a key are a list. */
function joinAnnotations(all: readonly PolicyResult['annotations'][]): PolicyResult['annotations'] {
  const values = Map.groupBy(all.flatMap(Object.entries<string>), ([key]) => key);
  return Object.fromEntries(
    Array.from(values, ([key, some]) => [key, [...new Set(some.map(([, value]) => value))].join(', ')]),
  );
}

/** Remarks on a write so far. */
interface Remarks {
  readonly warnings: string[];
  readonly annotations: Record<string, string>;
  /** For the audit record, in the form of Kubernetes. */
  readonly failures: object[];
}

/** Throws the denial of a policy, or adds its remarks. */
function note({ name, spec, binding }: Bound, result: PolicyResult, remarks: Remarks): void {
  const { violations, failures, annotations } = result;
  for (const [key, value] of Object.entries(annotations)) remarks.annotations[`${name}/${key}`] = value;
  const failed = spec.failurePolicy === 'Ignore' ? [] : failures;
  const messages = violations.length > 0 ? violations.map(({ message }) => message) : failed;
  if (messages.length === 0) return;
  const text = `ValidatingAdmissionPolicy '${name}' with binding '${binding.name}'`;
  const { validationActions } = binding.spec;
  if (validationActions.includes('Deny')) throw denialOf(text, messages, violations[0]?.reason ?? 'Invalid');
  if (validationActions.includes('Warn')) {
    remarks.warnings.push(...messages.map((message) => `Validation failed for ${text}: ${message}`));
  }
  if (validationActions.includes('Audit')) {
    const of = { policy: name, binding: binding.name, validationActions };
    remarks.failures.push(...messages.map((message) => ({ message, ...of })));
  }
}

function denialOf(text: string, messages: readonly string[], reason: Violation['reason']): Refusal {
  const more = messages.length > MESSAGES_MAX ? `; and ${messages.length - MESSAGES_MAX} more` : '';
  const message = `${text} denied request: ${messages.slice(0, MESSAGES_MAX).join('; ')}${more}`;
  // Clients show the causes of an invalid object, not the message.
  const problems = [{ path: [], reason: 'FieldValueInvalid', detail: message }] as const;
  return admissionRefusal(CODES[reason], message, reason === 'Invalid' ? { problems } : {});
}

/** The kind in the version in which a policy sees a write; undefined where it is not for it. */
function kindSeen({ spec, binding }: Bound, facts: WriteFacts): Kind | undefined {
  const kind = kindMatched(spec.matchConstraints, facts);
  return kindMatched(binding.spec.matchResources, facts) === undefined ? undefined : kind;
}

function factsOf({ kind, operation, current, mutation, read }: ChangeRequest): WriteFacts {
  const { namespace, name } = operation;
  const after = objectIn(mutation);
  const inNamespace = kind === Namespace ? undefined : read.get(Namespace, '', namespace);
  const labels = [current?.labels, after?.metadata.labels].filter((one): one is Labels => one !== undefined);
  return {
    operation: operation.verb === 'delete' ? 'DELETE' : current === undefined ? 'CREATE' : 'UPDATE',
    kinds: [kind, ...servedVersions(kind).filter(({ apiVersion }) => apiVersion !== kind.apiVersion)],
    subresource: 'part' in operation && operation.part !== 'main' ? operation.part : '',
    namespace,
    name,
    labels: labels.length === 0 ? [{}] : labels,
    namespaceLabels: kind === Namespace ? (labels.at(-1) ?? {}) : inNamespace?.labels,
  };
}

function objectIn(mutation: Mutation): ResourceObject | undefined {
  return mutation.do === 'put' ? mutation.object : undefined;
}

const SCALE = { group: Scale.group, version: Scale.version, kind: Scale.kind } as const;

/** The values by which expressions ask what the author may do; `requestResource` is the written resource. */
function askingFor(
  { kind, author, current, mutation }: ChangeRequest,
  { subresource, namespace, name }: WriteFacts,
  checks: ConstructorParameters<typeof Authorizer>[0],
): Asking {
  const authorizer = new Authorizer(checks, { name: author.user, groups: author.caller?.groups ?? [] });
  const after = objectIn(mutation);
  const object = after === undefined ? current : selectable(kind, after);
  const { group, plural: resource } = kind;
  const asked = { group, resource, subresource, namespace, name, ...(object && { object }) };
  return { authorizer, 'authorizer.requestResource': new ResourceCheck(authorizer, asked) };
}

/** @param seen the kind in the version in which the policy sees it */
function inputOf(write: ChangeRequest, facts: WriteFacts, seen: Kind): Omit<WriteInput, 'budget' | keyof Asking> {
  const { operation, current, mutation, author, read } = write;
  const { group, version, kind, plural: resource } = seen;
  const { subresource, namespace, name } = facts;
  const after = operation.verb === 'delete' || mutation.do === 'nothing' ? undefined : mutation.object;
  const isScale = subresource === 'scale';
  const show = (object: ResourceObject | undefined): Value =>
    visible(seen, object && isScale ? scaleOf(scalePathsOf(seen), object) : object);
  return {
    read,
    namespace,
    object: show(after && inVersion(seen, after, author.requestId)),
    oldObject: show(current && readAs(seen, current).object()),
    namespaceObject: visible(Namespace, read.get(Namespace, '', namespace)?.object()),
    request: {
      kind: isScale ? SCALE : { group, version, kind },
      resource: { group, version, resource },
      subResource: subresource,
      name,
      namespace,
      operation: facts.operation,
      userInfo: { username: author.user, groups: [...(author.caller?.groups ?? [])] },
    },
  };
}
