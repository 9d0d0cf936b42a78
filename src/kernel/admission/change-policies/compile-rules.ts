import type { Problem } from '#kernel/base/failures.ts';
import type { CelProgram } from '#kernel/cel/cel.ts';
import { KUBERNETES } from '#kernel/cel/libraries/kubernetes.ts';
import { namesOf } from '#kernel/cel/scope.ts';
import { BOOL, DYN, listOf, STRING, type CelType } from '#kernel/cel/types.ts';
import { compileExpression } from '../kinds/compile-expression.ts';
import { objectOf, USER_INFO } from '../kinds/compile-policy.ts';
import { LIVE, LIVE_LIBRARY } from './live-world.ts';

/** Who is meant. */
export interface PeopleSpec {
  readonly groups?: readonly string[];
  readonly users?: readonly string[];
}

/** A rule, as the spec of a policy has it. */
interface RuleSpec {
  readonly name: string;
  readonly expression: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly allowedBy?: PeopleSpec;
}

/** A rule whose expressions can run. */
export interface CompiledRule {
  readonly name: string;
  readonly program: CelProgram;
  /** False where no expression reads `change`: the rule is for the write as a whole. */
  readonly isOfEach: boolean;
  readonly message: CelProgram | undefined;
  /** Where no expression gives one. */
  readonly text: string;
  readonly allowedBy: PeopleSpec | undefined;
}

const CHANGE = objectOf('Change', {
  operation: STRING,
  group: STRING,
  version: STRING,
  kind: STRING,
  namespace: STRING,
  name: STRING,
  object: DYN,
  oldObject: DYN,
  live: DYN,
  sentences: listOf(STRING),
});

const OF_WRITE: Readonly<Record<string, CelType>> = {
  changes: listOf(CHANGE),
  allChanges: listOf(CHANGE),
  live: LIVE,
  request: objectOf('request', { userInfo: USER_INFO }),
};
const OF_EACH = { ...OF_WRITE, change: CHANGE };

const NAMES = namesOf([LIVE_LIBRARY]);
const LIBRARIES = {
  functions: new Map([...KUBERNETES.functions, ...NAMES.functions]),
  types: KUBERNETES.types,
};

/** Compiles every rule of a policy. */
export function compileRules(rules: readonly RuleSpec[]): {
  readonly rules: readonly CompiledRule[];
  /** The paths of expressions that do not compile, and why. */
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const compiled = rules.flatMap((rule, index): readonly CompiledRule[] => {
    const { name, expression, messageExpression, message, allowedBy } = rule;
    const at = ['spec', 'rules', index] as const;
    if (rules.findIndex((one) => one.name === name) < index) {
      const detail = `there is a rule "${name}" already`;
      problems.push({ path: [...at, 'name'], reason: 'FieldValueDuplicate', detail });
    }
    const expressions = [
      { text: expression, path: [...at, 'expression'], types: [BOOL] },
      ...(messageExpression === undefined
        ? []
        : [{ text: messageExpression, path: [...at, 'messageExpression'], types: [STRING] }]),
    ];
    const compile = (variables: Readonly<Record<string, CelType>>, found: Problem[]) =>
      expressions.map((one) => compileExpression(one, { variables, libraries: LIBRARIES }, found));
    const ofWriteProblems: Problem[] = [];
    const ofWrite = compile(OF_WRITE, ofWriteProblems);
    const isOfEach = ofWriteProblems.length > 0;
    const [program, messageProgram] = isOfEach ? compile(OF_EACH, problems) : ofWrite;
    const text = message ?? `failed expression: ${expression.trim()}`;
    return program === undefined ? [] : [{ name, program, isOfEach, message: messageProgram, text, allowedBy }];
  });
  return { rules: compiled, problems };
}
