import type { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { managerNamed } from './entries.ts';
import { fieldsOf, pathText } from './field-set.ts';
import type { Conflict } from './transitions.ts';

/** Conflicts in one refusal. */
const CAUSES_MAX = 100;

/** The refusal of an apply that would change fields of others, worded as kube-apiserver words it. */
export function conflictRefusal(conflicts: readonly Conflict[]): Refusal {
  const all = conflicts.flatMap(({ manager, fields }) =>
    [...fieldsOf(fields)].map((path) => ({ manager: managerText(manager), path })),
  );
  const shown = all.slice(0, CAUSES_MAX);
  const [first] = shown;
  const text =
    all.length === 1 && first !== undefined
      ? `1 conflict: conflict with ${first.manager}: ${pathText(first.path)}`
      : `${all.length} conflicts: ${conflictLines(shown).join('\n')}`;
  return resourceRefusal('apply-conflict', `Apply failed with ${text}`, {
    problems: shown.map(({ manager, path }) => ({
      path,
      reason: 'FieldManagerConflict',
      detail: `conflict with ${manager}`,
    })),
  });
}

function conflictLines(conflicts: readonly { readonly manager: string; readonly path: readonly string[] }[]): string[] {
  const managers = [...new Set(conflicts.map(({ manager }) => manager))].toSorted();
  return managers.flatMap((manager) => [
    `conflicts with ${manager}:`,
    ...conflicts.filter((conflict) => conflict.manager === manager).map(({ path }) => `- ${pathText(path)}`),
  ]);
}

function managerText(id: string): string {
  const { name, subresource, version } = managerNamed(id);
  const of = subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  return `${JSON.stringify(name)}${of}${version === '' ? '' : ` using ${version}`}`;
}
