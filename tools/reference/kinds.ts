import { stringify } from 'yaml';
import type { Kind } from '#kernel/kinds/kind.ts';
import { fieldTable } from './fields.ts';
import { code } from './markdown.ts';

/** A page for each API group: its kinds with every field, as `kubectl explain` shows them. */
export function kindPages(kinds: readonly Kind[]): ReadonlyMap<string, string> {
  const groups = Map.groupBy(kinds, ({ group }) => (group === '' ? 'core' : group));
  return new Map(
    [...groups].map(([group, own]) => [
      `kinds/${group}.md`,
      `# Kinds of ${group}\n\n${own.map(section).join('\n\n')}\n`,
    ]),
  );
}

function section(kind: Kind): string {
  const { description, example, apiVersion } = kind;
  const parts = [`## ${kind.kind}`, description, factsOf(kind)];
  if (example !== undefined) {
    const namespace = kind.namespaced ? { namespace: 'default' } : {};
    const { name, spec, fields } = example;
    const object = {
      apiVersion,
      kind: kind.kind,
      metadata: { name, ...namespace },
      ...(spec === undefined ? {} : { spec }),
      ...fields,
    };
    parts.push(`\`\`\`yaml\n${stringify(object).trim()}\n\`\`\``);
  }
  parts.push(fieldTable(kind.schema));
  return parts.join('\n\n');
}

function factsOf(kind: Kind): string {
  const { apiVersion, plural, shortNames, namespaced, released, verbs, columns, selectableFields = {} } = kind;
  const lines = [
    `- \`apiVersion: ${apiVersion}\`, \`kubectl get ${[plural, ...shortNames].join('` or `kubectl get ')}\``,
    `- ${namespaced ? 'In a namespace.' : 'For the whole installation.'} Verbs: ${verbs.join(', ')}.`,
  ];
  if (released) lines.push('- Released: a change goes live by the release policies that select it.');
  if (columns.length > 0) lines.push(`- Columns: ${columns.map(({ name }) => name).join(', ')}.`);
  const selectors = Object.keys(selectableFields);
  if (selectors.length > 0) lines.push(`- Field selectors: ${selectors.map(code).join(', ')}.`);
  return lines.join('\n');
}
