import type { Admission } from '#kernel/store/rules/write.ts';
import { CustomResourceDefinition } from './kinds/custom-resource-definition.ts';
import { UncheckedDefinition } from './definition-checks.ts';
import { knownProblems, textOfHeavy } from './kinds/known-checks.ts';
import { definitionRefusal } from './refusals.ts';
import { digestOf } from './rules/digest.ts';

/**
 * Refuses new objects of a kind whose definition is being deleted: nothing comes while the rest goes. A definition that takes long
 * to check waits for its check.
 */
export const definitionAdmission: Admission = {
  mayAsk: ({ kind, operation, current, read }) => {
    if (kind.definition === undefined || current !== undefined || operation.verb === 'delete') return;
    const definition = read.get(CustomResourceDefinition, '', kind.definition.name);
    if (definition !== undefined && !digestOf(definition).isTerminating) return;
    throw definitionRefusal('terminating', `create not allowed while custom resource definition is terminating`);
  },
  mayBecome: ({ kind, object, author }) => {
    if (kind !== CustomResourceDefinition) return;
    const text = textOfHeavy(CustomResourceDefinition.spec(object).versions);
    if (text !== undefined && knownProblems(text) === undefined) throw new UncheckedDefinition(text, author.user);
  },
  mayStore: () => {},
};
