import type { Problem } from '#kernel/base/failures.ts';
import type { CelProgram } from '#kernel/cel/cel.ts';
import { KUBERNETES } from '#kernel/cel/libraries/kubernetes.ts';
import { BOOL, DYN, listOf, NULL, STRING, type CelType } from '#kernel/cel/types.ts';
import { namesOf } from '#kernel/cel/scope.ts';
import { AUTHORIZER, AUTHORIZER_LIBRARY, RESOURCE_CHECK } from './authorizer.ts';
import { compileExpression } from './compile-expression.ts';

/** The class of a refusal. */
type DenialReason = 'Unauthorized' | 'Forbidden' | 'Invalid' | 'RequestEntityTooLarge';

/** The expressions of a policy, as its spec has them. */
export interface PolicyExpressions {
  readonly matchConditions?: readonly { readonly name: string; readonly expression: string }[];
  readonly variables?: readonly { readonly name: string; readonly expression: string }[];
  readonly auditAnnotations?: readonly { readonly key: string; readonly valueExpression: string }[];
  readonly validations?: readonly {
    readonly expression: string;
    readonly message?: string;
    readonly messageExpression?: string;
    readonly reason?: DenialReason;
  }[];
}

/** A policy whose expressions can run. */
export interface CompiledPolicy {
  readonly conditions: readonly { readonly name: string; readonly program: CelProgram }[];
  readonly variables: readonly { readonly name: string; readonly program: CelProgram }[];
  readonly validations: readonly {
    readonly expression: string;
    readonly program: CelProgram;
    readonly message: CelProgram | undefined;
    /** Where no expression gives one. */
    readonly text: string;
    readonly reason: DenialReason;
  }[];
  readonly annotations: readonly { readonly key: string; readonly program: CelProgram }[];
  /** The paths of expressions that do not compile, and why. */
  readonly problems: readonly Problem[];
}

/** Types of the variables of every expression. The written object is of any kind, so its fields are known when it runs. */
export interface VariableTypes {
  readonly object: CelType;
  readonly oldObject: CelType;
  readonly params: CelType;
}

const ANY: VariableTypes = { object: DYN, oldObject: DYN, params: DYN };

const ASKING = { authorizer: AUTHORIZER, 'authorizer.requestResource': RESOURCE_CHECK };

const OWN = namesOf([AUTHORIZER_LIBRARY]);
const LIBRARIES = {
  functions: new Map([...KUBERNETES.functions, ...OWN.functions]),
  types: new Map([...KUBERNETES.types, ...OWN.types]),
};

/** Compiles every expression of a policy. */
export function compilePolicy(spec: PolicyExpressions, types: VariableTypes = ANY): CompiledPolicy {
  const problems: Problem[] = [];
  const known: Record<string, CelType> = {};
  const compile = (text: string, path: Problem['path'], ...wanted: readonly CelType[]): CelProgram | undefined => {
    const shared = { ...types, request: REQUEST, namespaceObject: DYN, variables: objectOf('variables', known) };
    // As in Kubernetes messages ask nothing.
    const variables = path.at(-1) === 'messageExpression' ? shared : { ...shared, ...ASKING };
    return compileExpression({ text, path, types: wanted }, { variables, libraries: LIBRARIES }, problems);
  };
  const conditions = (spec.matchConditions ?? []).flatMap(({ name, expression }, index) => {
    // Conditions are decided first: they know no variables.
    const program = compile(expression, ['spec', 'matchConditions', index, 'expression'], BOOL);
    return program === undefined ? [] : [{ name, program }];
  });
  const variables = (spec.variables ?? []).flatMap(({ name, expression }, index) => {
    const program = compile(expression, ['spec', 'variables', index, 'expression']);
    known[name] = program?.type ?? DYN;
    return program === undefined ? [] : [{ name, program }];
  });
  const validations = (spec.validations ?? []).flatMap(
    ({ expression, messageExpression, message, reason = 'Invalid' }, index) => {
      const path = ['spec', 'validations', index] as const;
      const program = compile(expression, [...path, 'expression'], BOOL);
      const messageProgram =
        messageExpression === undefined
          ? undefined
          : compile(messageExpression, [...path, 'messageExpression'], STRING);
      const text = message ?? `failed expression: ${expression.trim()}`;
      return program === undefined ? [] : [{ expression, program, message: messageProgram, text, reason }];
    },
  );
  const annotations = (spec.auditAnnotations ?? []).flatMap(({ key, valueExpression }, index) => {
    const path = ['spec', 'auditAnnotations', index, 'valueExpression'];
    // A string, or null where there is none.
    const program = compile(valueExpression, path, STRING, NULL);
    return program === undefined ? [] : [{ key, program }];
  });
  return { conditions, variables, validations, annotations, problems };
}

const GROUP_VERSION_KIND = objectOf('GroupVersionKind', { group: STRING, version: STRING, kind: STRING });
const GROUP_VERSION_RESOURCE = objectOf('GroupVersionResource', { group: STRING, version: STRING, resource: STRING });

/** Who writes. */
export const USER_INFO = objectOf('UserInfo', { username: STRING, groups: listOf(STRING) });

/** The write itself. */
const REQUEST = objectOf('request', {
  kind: GROUP_VERSION_KIND,
  resource: GROUP_VERSION_RESOURCE,
  subResource: STRING,
  name: STRING,
  namespace: STRING,
  operation: STRING,
  userInfo: USER_INFO,
});

/** A type with these fields. */
export function objectOf(name: string, fields: Readonly<Record<string, CelType>>): CelType {
  const get = (field: string): CelType | undefined => (Object.hasOwn(fields, field) ? fields[field] : undefined);
  return { is: 'object', name, fields: { get, names: () => Object.keys(fields) } };
}
