import { parseFieldRequirements, parseLabelSelector } from '#kernel/api/codec/selectors.ts';
import type { Attributes, ResourceAttributes, SelectedBy, User } from '#kernel/api/authority.ts';
import type { Requirement } from '#kernel/api/codec/requirements.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { CelCostError, CelError } from '#kernel/cel/cel-error.ts';
import { method, noOverload, TEXTS_COST, type CelFunction, type Cost, type Library } from '#kernel/cel/functions.ts';
import { SMALL, UNKNOWN_SIZE } from '#kernel/cel/sizes.ts';
import { BOOL, opaque, STRING, type CelType } from '#kernel/cel/types.ts';
import { Opaque, type Value } from '#kernel/cel/values.ts';
import { nameProblems } from '#kernel/kinds/schema/names.ts';

/** Units of authorization checks, as Kubernetes counts them: two in an expression. They have an account of their own. */
const CHECK_UNITS = { ofCheck: 350_000, expressionMax: 1_000_000, writeMax: 10_000_000 } as const;

/** Whether somebody may, by the rules in force, and by which binding. */
export type MayDo = (
  user: Pick<User, 'name' | 'groups'>,
  wanted: Attributes,
) => { readonly allowed: boolean; readonly reason: string };

/** The units that checks of one write may still cost. */
export class CheckBudget {
  #ofWrite: number = CHECK_UNITS.writeMax;
  #ofExpression: number = CHECK_UNITS.expressionMax;

  /** Runs an expression; a variable that it asks for is an expression of its own. */
  during<Result>(run: () => Result): Result {
    const before = this.#ofExpression;
    this.#ofExpression = CHECK_UNITS.expressionMax;
    try {
      return run();
    } finally {
      this.#ofExpression = before;
    }
  }

  spend(): void {
    if (this.#ofExpression < CHECK_UNITS.ofCheck) throw new CelCostError(CHECK_UNITS.expressionMax);
    if (this.#ofWrite < CHECK_UNITS.ofCheck) throw new CelCostError(CHECK_UNITS.writeMax);
    this.#ofExpression -= CHECK_UNITS.ofCheck;
    this.#ofWrite -= CHECK_UNITS.ofCheck;
  }
}

/** The way in which checks of one write are answered. */
interface Checks {
  readonly mayDo: MayDo;
  readonly budget: CheckBudget;
}

type Subject = Pick<User, 'name' | 'groups'>;

/** Asks on behalf of a user. */
export class Authorizer extends Opaque {
  readonly typeName = 'kubernetes.authorization.Authorizer';
  readonly key: string;
  readonly checks: Checks;
  readonly subject: Subject;

  constructor(checks: Checks, { name, groups }: Subject) {
    super();
    this.checks = checks;
    this.subject = { name, groups };
    this.key = JSON.stringify([name, groups]);
  }
}

class PathCheck extends Opaque {
  readonly typeName = 'kubernetes.authorization.PathCheck';
  readonly key: string;
  readonly of: Authorizer;
  readonly path: string;

  constructor(of: Authorizer, path: string) {
    super();
    this.of = of;
    this.path = path;
    this.key = JSON.stringify([of.key, path]);
  }
}

class GroupCheck extends Opaque {
  readonly typeName = 'kubernetes.authorization.GroupCheck';
  readonly key: string;
  readonly of: Authorizer;
  readonly group: string;

  constructor(of: Authorizer, group: string) {
    super();
    this.of = of;
    this.group = group;
    this.key = JSON.stringify([of.key, group]);
  }
}

/** A question about a resource, before its verb is known. */
type ResourceQuestion = Omit<ResourceAttributes, 'verb' | 'selection'> & {
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
};

export class ResourceCheck extends Opaque {
  readonly typeName = 'kubernetes.authorization.ResourceCheck';
  readonly key: string;
  readonly of: Authorizer;
  readonly asked: ResourceQuestion;

  constructor(of: Authorizer, asked: ResourceQuestion) {
    super();
    this.of = of;
    this.asked = asked;
    const { object: _object, ...texts } = asked;
    this.key = JSON.stringify([of.key, texts]);
  }
}

class Decision extends Opaque {
  readonly typeName = 'kubernetes.authorization.Decision';
  readonly key: string;
  readonly allowed: boolean;
  readonly reason: string;

  constructor({ allowed, reason }: ReturnType<MayDo>) {
    super();
    this.allowed = allowed;
    this.reason = reason;
    this.key = JSON.stringify([allowed, reason]);
  }
}

export const AUTHORIZER = opaque('kubernetes.authorization.Authorizer');
export const RESOURCE_CHECK = opaque('kubernetes.authorization.ResourceCheck');
const PATH_CHECK = opaque('kubernetes.authorization.PathCheck');
const GROUP_CHECK = opaque('kubernetes.authorization.GroupCheck');
const DECISION = opaque('kubernetes.authorization.Decision');

const CHECK_COST: Cost = { of: () => 0, worst: () => CHECK_UNITS.ofCheck };

/** The library `authorizer` of Kubernetes: `authorizer.group('').resource('pods').namespace('x').check('create').allowed()`. */
export const AUTHORIZER_LIBRARY: Library = {
  functions: [
    builder('path', AUTHORIZER, PATH_CHECK, (of, path) => {
      if (path === '') throw new CelError('path must not be empty');
      return of instanceof Authorizer ? new PathCheck(of, path) : undefined;
    }),
    builder('group', AUTHORIZER, GROUP_CHECK, (of, group) =>
      of instanceof Authorizer ? new GroupCheck(of, group) : undefined,
    ),
    {
      name: 'serviceAccount',
      overloads: [method([AUTHORIZER, STRING, STRING], AUTHORIZER)],
      call: (...args: readonly Value[]) => {
        const [of, namespace, name] = args;
        if (!(of instanceof Authorizer) || typeof namespace !== 'string' || typeof name !== 'string')
          throw noOverload('serviceAccount', ...args);
        return new Authorizer(of.checks, serviceAccountOf(namespace, name));
      },
      size: () => UNKNOWN_SIZE,
    },
    builder('resource', GROUP_CHECK, RESOURCE_CHECK, (of, resource) =>
      of instanceof GroupCheck
        ? new ResourceCheck(of.of, { group: of.group, resource, subresource: '', namespace: '', name: '' })
        : undefined,
    ),
    refinement('subresource'),
    refinement('namespace'),
    refinement('name'),
    refinement('fieldSelector'),
    refinement('labelSelector'),
    {
      name: 'check',
      overloads: [method([PATH_CHECK, STRING], DECISION), method([RESOURCE_CHECK, STRING], DECISION)],
      call: (...args: readonly Value[]) => {
        const [of, verb] = args;
        if (typeof verb !== 'string' || !(of instanceof PathCheck || of instanceof ResourceCheck))
          throw noOverload('check', ...args);
        const { checks, subject } = of.of;
        checks.budget.spend();
        return new Decision(
          checks.mayDo(subject, of instanceof PathCheck ? { verb, path: of.path } : wantedIn(of.asked, verb)),
        );
      },
      cost: CHECK_COST,
      size: () => SMALL,
    },
    answer('allowed', BOOL, ({ allowed }) => allowed),
    answer('reason', STRING, ({ reason }) => reason),
    // The rules in force are in memory: asking them cannot fail.
    answer('errored', BOOL, () => false),
    answer('error', STRING, () => ''),
  ],
  types: {
    'kubernetes.authorization.Authorizer': AUTHORIZER,
    'kubernetes.authorization.PathCheck': PATH_CHECK,
    'kubernetes.authorization.GroupCheck': GROUP_CHECK,
    'kubernetes.authorization.ResourceCheck': RESOURCE_CHECK,
    'kubernetes.authorization.Decision': DECISION,
  },
};

function builder(
  name: string,
  from: CelType,
  to: CelType,
  make: (of: Value | undefined, text: string) => Opaque | undefined,
): CelFunction {
  return {
    name,
    overloads: [method([from, STRING], to)],
    call: (...args: readonly Value[]) => {
      const [of, text] = args;
      const made = typeof text === 'string' ? make(of, text) : undefined;
      if (made === undefined) throw noOverload(name, ...args);
      return made;
    },
    size: () => UNKNOWN_SIZE,
  };
}

function refinement(field: 'subresource' | 'namespace' | 'name' | 'fieldSelector' | 'labelSelector'): CelFunction {
  const make = builder(field, RESOURCE_CHECK, RESOURCE_CHECK, (of, text) =>
    of instanceof ResourceCheck ? new ResourceCheck(of.of, { ...of.asked, [field]: text }) : undefined,
  );
  return field === 'fieldSelector' || field === 'labelSelector' ? { ...make, cost: TEXTS_COST } : make;
}

function answer(name: string, type: CelType, of: (decision: Decision) => Value): CelFunction {
  return {
    name,
    overloads: [method([DECISION], type)],
    call: (...args: readonly Value[]) => {
      const [decision] = args;
      if (!(decision instanceof Decision)) throw noOverload(name, ...args);
      return of(decision);
    },
    size: () => UNKNOWN_SIZE,
  };
}

/** @see service-account-tokens.ts in kernel/access: the same name and groups as its tokens have. */
function serviceAccountOf(namespace: string, name: string): Subject {
  const problems = [...nameProblems('label', namespace), ...nameProblems('subdomain', name)];
  if (problems.length > 0) throw new CelError(`invalid service account "${namespace}:${name}": ${problems.join('; ')}`);
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  };
}

/** As in Kubernetes, a selector that cannot be read narrows nothing: the answer is that for all objects. */
function wantedIn({ fieldSelector, labelSelector, ...asked }: ResourceQuestion, verb: string): ResourceAttributes {
  if (fieldSelector === undefined && labelSelector === undefined) return { ...asked, verb };
  const selection: SelectedBy = {
    fields: requirementsIn(fieldSelector, parseFieldRequirements),
    labels: requirementsIn(labelSelector, (text) => parseLabelSelector(text).requirements),
  };
  return { ...asked, verb, selection };
}

function requirementsIn(
  text: string | undefined,
  parse: (text: string) => readonly Requirement[],
): readonly Requirement[] {
  if (text === undefined || text === '') return [];
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
}
