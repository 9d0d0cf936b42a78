import { verbOfPath, type DeclaredPath } from '#kernel/access/authorization/path-access.ts';
import { fieldTable, type Schema } from './fields.ts';
import { code, table } from './markdown.ts';

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema?: Schema;
  }[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> };
  readonly responses?: Readonly<
    Record<string, { readonly description?: string; readonly content?: Readonly<Record<string, { schema?: Schema }>> }>
  >;
}

interface Document {
  readonly info: { readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The meaning of each access class for callers. */
const ACCESS_TEXT: Readonly<Record<DeclaredPath['access'], string>> = {
  catalogue: 'catalogue: what is on offer, and flags',
  insight: 'insight: why an answer is what it is, and everything that is live',
  records: 'records: what is stored for one listener',
  write: 'write: changes what is stored for a listener',
  ingest: 'ingest: takes events',
  token: 'token: takes the token of an answer, from anyone who holds it',
};

/** Every path beside the resource API: who may ask it, what it takes, what it answers. */
export function httpPage(document: object, declared: readonly DeclaredPath[]): string {
  const { paths, info } = document as Document;
  const accessOf = (path: string) => declared.find((one) => one.path === path.replace(/\{\w+\}/, '*'))?.access;
  const sections = Object.entries(paths).flatMap(([path, item]) => {
    const access = accessOf(path);
    const right =
      access === undefined
        ? ''
        : `\n\nAccess: ${ACCESS_TEXT[access]}.${access === 'token' ? '' : ` Users need the verb \`${verbOfPath(access)}\` on it.`}`;
    const operations = Object.entries(item).filter(([method]) => method !== 'parameters');
    // A question asked with GET or POST is one question.
    const methods = operations.map(([method]) => method.toUpperCase()).join(', ');
    const [, operation] = operations.at(-1) ?? [];
    return operation === undefined ? [] : [`## ${methods} ${path}${right}\n\n${operationText(operation as Operation)}`];
  });
  return `# HTTP API\n\n${info.description} The resource API is that of Kubernetes; its kinds are under [kinds](kinds/).\n\n${sections.join('\n\n')}\n`;
}

function operationText({ summary, description, parameters = [], requestBody, responses = {} }: Operation): string {
  const parts = [summary, description].filter((text) => text !== undefined);
  if (parameters.length > 0) {
    const rows = parameters.map(({ name, in: where, required, description: text, schema }) => [
      code(name),
      where,
      required === true ? 'required' : '',
      text ?? schema?.description ?? '',
    ]);
    parts.push(table(['parameter', 'in', '', 'meaning'], rows));
  }
  for (const [type, { schema }] of Object.entries(requestBody?.content ?? {})) {
    parts.push(`Body, ${code(type)}:`, schema === undefined ? 'Any.' : fieldTable(schema));
  }
  for (const [status, { description: text, content = {} }] of Object.entries(responses)) {
    if (status === 'default') continue;
    parts.push(`Answer ${status}: ${text ?? ''}`);
    for (const { schema } of Object.values(content)) if (schema !== undefined) parts.push(fieldTable(schema));
  }
  return parts.join('\n\n');
}
