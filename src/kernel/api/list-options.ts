import { fieldPath, type Problem } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { Query } from './request.ts';

type Options = Pick<
  Query,
  'watch' | 'resourceVersion' | 'resourceVersionMatch' | 'continueToken' | 'sendInitialEvents'
>;

/** Refuses (422) parameters of a list or watch that make no sense together, in the words of Kubernetes. */
export function checkListOptions(options: Options): void {
  const problems = options.watch ? watchProblems(options) : listProblems(options);
  if (problems.length === 0) return;
  const texts = problems.map(({ path, detail }) => `${fieldPath(path)}: ${detail}`);
  const text = texts.length === 1 ? texts.join('') : `[${texts.join(', ')}]`;
  throw resourceRefusal('invalid-options', `ListOptions.meta.k8s.io "" is invalid: ${text}`, { problems });
}

function listProblems(options: Options): Problem[] {
  const { resourceVersion, resourceVersionMatch, continueToken, sendInitialEvents } = options;
  const problems: Problem[] = [];
  if (resourceVersionMatch !== undefined) {
    if (resourceVersion === undefined) {
      problems.push(match('resourceVersionMatch is forbidden unless resourceVersion is provided'));
    }
    if (continueToken !== '') problems.push(match('resourceVersionMatch is forbidden when continue is provided'));
    problems.push(...unsupportedProblems(resourceVersionMatch, ['Exact', 'NotOlderThan', '']));
    if (resourceVersionMatch === 'Exact' && resourceVersion === '0') {
      problems.push(match('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
    }
  }
  if (sendInitialEvents !== undefined) {
    problems.push(forbiddenProblem('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  return problems;
}

function watchProblems({ resourceVersionMatch, continueToken, sendInitialEvents }: Options): Problem[] {
  const problems: Problem[] = [];
  if (sendInitialEvents !== undefined && resourceVersionMatch !== 'NotOlderThan') {
    problems.push(match('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  }
  if (resourceVersionMatch === undefined) return problems;
  if (sendInitialEvents === undefined) {
    problems.push(match('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'));
  }
  problems.push(...unsupportedProblems(resourceVersionMatch, ['NotOlderThan']));
  if (continueToken !== '') problems.push(match('resourceVersionMatch is forbidden when continue is provided'));
  return problems;
}

function match(why: string): Problem {
  return forbiddenProblem('resourceVersionMatch', why);
}

function forbiddenProblem(parameter: string, why: string): Problem {
  return { path: [parameter], reason: 'FieldValueForbidden', detail: `Forbidden: ${why}` };
}

function unsupportedProblems(given: string, supported: readonly string[]): Problem[] {
  if (supported.includes(given)) return [];
  const values = supported.map((value) => JSON.stringify(value)).join(', ');
  return [
    {
      path: ['resourceVersionMatch'],
      reason: 'FieldValueNotSupported',
      detail: `Unsupported value: ${JSON.stringify(given)}: supported values: ${values}`,
    },
  ];
}
