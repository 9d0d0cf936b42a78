import type { LiveObject } from '#kernel/kinds/kind.ts';
import { fieldTable, type Schema } from './fields.ts';

interface EventSpec {
  readonly title?: string;
  readonly purpose: string;
  readonly subject?: string;
  readonly schema: Schema;
  readonly retention?: string;
  readonly identity?: readonly string[];
  readonly within?: string;
}

/** The types of the events that the program itself writes. */
export function eventsPage(types: readonly LiveObject[]): string {
  const sections = types.map(({ name, spec }) => section(name, spec as EventSpec));
  return `# Events of the program

The program writes these events itself. Nobody declares their types, and nobody else sends them. In SQL each is a table of that
name, with underscores for hyphens.

${sections.join('\n\n')}
`;
}

function section(name: string, { title, purpose, subject, schema, retention, identity, within }: EventSpec): string {
  const facts = [
    `- Subject: ${subject ?? 'optional'}.`,
    ...(retention === undefined ? [] : [`- Retention: ${retention}.`]),
    ...(identity === undefined
      ? []
      : [`- Deduplicated by ${identity.join(', ')}${within === undefined ? '' : ` within ${within}`}.`]),
  ];
  return [
    `## ${name}`,
    ...(title === undefined ? [] : [`${title}.`]),
    purpose,
    facts.join('\n'),
    fieldTable(schema),
  ].join('\n\n');
}
