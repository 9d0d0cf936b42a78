import type { FieldChange } from '#kernel/base/field-changes.ts';
import type { ChangeAnswer, ChangeResult } from '#kernel/releases/kinds/change-answer.ts';
import { oneLine, type Colours } from '../terminal/io.ts';

/** Characters of one value in a plan; the whole value is in `-o json`. */
const valueCharsMax = 120;

/** A plan for people: each object that would change, field by field against what is live, and what that means. */
export function planText(
  { results, policy }: Pick<ChangeAnswer, 'results' | 'policy'>,
  places: readonly string[],
  colours: Colours,
  /** Objects that the files do not have any more. */
  gone: readonly Pick<ChangeResult, 'kind' | 'namespace' | 'name'>[] = [],
): string {
  const { green, red, yellow, bold, dim, cyan } = colours;
  const blocks = results.flatMap((result, index) => {
    const { action, fields, sentences, problems, warnings } = result;
    if (action === 'unchanged' && problems.length + warnings.length === 0) return [];
    const sign = action === 'created' ? green('+') : action === 'configured' ? yellow('~') : dim('=');
    const lines = [`${sign} ${bold(titleOf(result))}  ${dim(places[index] ?? '')}`.trimEnd()];
    if (action === 'unchanged' && problems.length > 0) lines.push(`    ${dim('declared already, but not live')}`);
    lines.push(...fieldLines(fields, colours));
    for (const sentence of sentences) lines.push(`    ${cyan('»')} ${oneLine(sentence)}`);
    for (const warning of warnings) lines.push(`    ${yellow('!')} ${oneLine(warning)} ${dim('(warning)')}`);
    for (const { path, message } of problems) {
      lines.push(
        `    ${red('!')} ${path === '' ? '' : `${path}: `}${oneLine(message)} ${dim('(keeps it from going live)')}`,
      );
    }
    return [lines.join('\n')];
  });
  blocks.push(...gone.map((one) => `${red('-')} ${bold(titleOf(one))}  ${dim('not in the files')}`));
  const way = policy === undefined ? [] : [`${bold('Release:')} ${wayText(policy)}.`];
  const warned = (policy?.warnings ?? []).map((warning) => `${yellow('!')} ${oneLine(warning)} ${dim('(warning)')}`);
  return [...blocks, [`${bold('Plan:')} ${countsText(results, gone.length)}.`, ...way, ...warned].join('\n')].join(
    '\n\n',
  );
}

/** How a change would spread. */
function wayText({ name, stages, approvals, others, conflicts }: NonNullable<ChangeAnswer['policy']>): string {
  if (conflicts.length > 0) return `blocked, ${conflicts.join('; ')}`;
  const asked = [{ name, approvals }, ...others].filter((one) => one.approvals > 0);
  const counts = asked.map((one) => {
    const by = others.length === 0 ? '' : ` of policy ${one.name}`;
    return `${one.approvals} ${one.approvals === 1 ? 'approval' : 'approvals'}${by}`;
  });
  return `by policy ${name}, ${stages}${counts.length === 0 ? '' : ` after ${counts.join(' and ')}`}`;
}

/** Field by field: what is new, what is gone, what is another value. */
export function fieldLines(fields: readonly FieldChange[], { green, red, yellow }: Colours): string[] {
  return fields.map(({ path, before, after }) => {
    if (before === undefined) return `    ${green(`+ ${path}: ${showValue(after)}`)}`;
    if (after === undefined) return `    ${red(`- ${path}: ${showValue(before)}`)}`;
    return `    ${yellow('~')} ${path}: ${red(showValue(before))} → ${green(showValue(after))}`;
  });
}

/** `2 to create, 1 to change, 4 unchanged`. */
function countsText(results: readonly ChangeResult[], gone: number): string {
  const count = (action: ChangeResult['action']): number => results.filter((result) => result.action === action).length;
  const held = notLive(results).length;
  const deleted = gone === 0 ? '' : `${gone} to delete, `;
  const counts = `${count('created')} to create, ${count('configured')} to change, ${deleted}${count('unchanged')} unchanged`;
  return held === 0 ? counts : `${counts}; ${held} would not go live`;
}

/** The result of an apply: one line per object in the words of kubectl, then its sentences. */
export function applyText({ version, results }: ChangeAnswer, dryRun: boolean, colours: Colours): string {
  const { green, yellow, dim, cyan } = colours;
  const suffix = dryRun ? ' (dry run)' : '';
  const counts = new Map<string, number>();
  for (const one of results.map(resourceOf)) counts.set(one, (counts.get(one) ?? 0) + 1);
  const lines = results.flatMap((result) => {
    const paint = result.action === 'created' ? green : result.action === 'configured' ? yellow : dim;
    const resource = resourceOf(result);
    // One name may be of several objects, each in a namespace.
    const where = (counts.get(resource) ?? 0) > 1 ? ` in ${result.namespace}` : '';
    return [
      `${resource}${where} ${paint(result.action)}${suffix}`,
      ...result.sentences.map((text) => `  ${cyan('»')} ${oneLine(text)}`),
    ];
  });
  return [...lines, dim(dryRun ? 'Nothing was changed.' : `Declared as version ${version}.`)].join('\n');
}

/** Objects that are declared and not live, and that no release carries. */
export function notLive(results: readonly ChangeResult[]): readonly ChangeResult[] {
  return results.filter(({ problems, release }) => problems.length > 0 && release === undefined);
}

/** The warnings; empty when there are none. */
export function warningsText(results: readonly ChangeResult[], { yellow, bold }: Colours): string {
  return results
    .flatMap((result) =>
      result.warnings.map((warning) => `${yellow(bold('warning:'))} ${titleOf(result)}  ${oneLine(warning)}`),
    )
    .join('\n');
}

/** Objects that are declared and do not go live, with the reason; empty when there are none. */
export function heldText(
  results: readonly ChangeResult[],
  places: readonly string[],
  { yellow, bold }: Colours,
): string {
  return results
    .flatMap((result, index) =>
      result.problems.map(
        ({ path, message }) =>
          `${yellow(bold('not live:'))} ${titleOf(result)} (${places[index] ?? ''})  ${path === '' ? '' : `${path}: `}${oneLine(message)}`,
      ),
    )
    .join('\n');
}

function titleOf({ kind, namespace = '', name }: Pick<ChangeResult, 'kind' | 'namespace' | 'name'>): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}

/** `plan.products.backline.dev/premium`, as kubectl names resources. */
function resourceOf({ apiVersion, kind, name }: ChangeResult): string {
  const [group, version] = apiVersion.split('/');
  return `${kind.toLowerCase()}${version === undefined ? '' : `.${group}`}/${name}`;
}

function showValue(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return text.length <= valueCharsMax ? text : `${text.slice(0, valueCharsMax)}…`;
}
