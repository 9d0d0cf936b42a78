import { encodeYaml } from '#kernel/resources/codec/body.ts';
import type { Connection } from '#kernel/resources/client/http.ts';
import { call, Refused } from './call.ts';
import { connectionFrom, type ConnectionOptions } from './connection.ts';
import { CliFailure, EXIT } from './failure.ts';
import type { Io } from './io.ts';
import { pathOf, resourceTypes, typeNamed, type ResourceType } from './resource-types.ts';
import { textTable } from './text-table.ts';

export interface GetOptions extends ConnectionOptions {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly asOf?: string;
  readonly output: 'table' | 'wide' | 'json' | 'yaml' | 'name';
}

interface Listed {
  readonly metadata?: { readonly continue?: string };
  readonly items: readonly Named[];
}

interface Named {
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** A `Table` of meta.k8s.io/v1. */
export interface Table {
  readonly metadata?: { readonly continue?: string };
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object?: Named }[];
}

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const pageSize = 500;

/** `backline get plans [premium]`, `backline get plan/premium`, `backline get plans,prices`. */
export async function get(what: string, name: string | undefined, options: GetOptions, io: Io): Promise<number> {
  const target = connectionFrom(options, io);
  const types = await resourceTypes(target);
  const [words = '', slashName, ...more] = what.split('/');
  if (more.length > 0 || (slashName !== undefined && name !== undefined)) {
    throw new CliFailure(`"${what}" is not KIND, KIND/NAME or KIND,KIND.`, { exitCode: EXIT.usage });
  }
  const wanted = slashName ?? name;
  const asked = words.split(',').map((word) => typeNamed(word, types));
  if (wanted !== undefined && options.allNamespaces === true && asked.some(({ namespaced }) => namespaced)) {
    throw new CliFailure('one object is in one namespace: name it with -n instead of -A.', { exitCode: EXIT.usage });
  }
  const namespace = options.allNamespaces === true ? undefined : (options.namespace ?? target.namespace);
  const texts: string[] = [];
  for (const type of asked) {
    const text = await textOf(target, type, pathOf(type, namespace, wanted), options).catch(async (error: unknown) => {
      throw wanted === undefined ? error : await keptLive(target, type, wanted, error);
    });
    if (text !== '') texts.push(text);
  }
  const output = options.output === 'json' || options.output === 'yaml' ? io.exact : io.stdout;
  if (texts.length > 0) output.write(`${texts.join(options.output === 'yaml' ? '\n---\n' : '\n\n')}\n`);
  else {
    const where =
      namespace === undefined || !asked.some(({ namespaced }) => namespaced) ? '' : ` in namespace ${namespace}`;
    const hint = where === '' ? '' : ' (-A looks everywhere)';
    io.stderr.write(`No ${asked.map(({ plural }) => plural).join(', ')} found${where}${hint}.\n`);
  }
  return EXIT.ok;
}

/** Of an object that is not declared: whether it is live all the same, and why. */
async function keptLive(connection: Connection, type: ResourceType, name: string, error: unknown): Promise<unknown> {
  if (!(error instanceof Refused) || error.status !== 404) return error;
  const path = `/apis/releases.backline.dev/v1/heads/${encodeURIComponent(`${type.plural}.${type.group}.${name}`)}`;
  // Who may not read what is live hears what was to be said anyway.
  const head = (await call(connection, 'GET', path).catch(() => undefined)) as
    | { status?: { held?: string } }
    | undefined;
  const held = head?.status?.held;
  return held === undefined ? error : new CliFailure(`${type.kind} "${name}" was deleted and is kept live: ${held}`);
}

/** What is printed of one kind; empty when there is nothing. */
async function textOf(connection: Connection, type: ResourceType, path: string, options: GetOptions): Promise<string> {
  const { output, selector, asOf } = options;
  const query =
    (selector === undefined ? '' : `labelSelector=${encodeURIComponent(selector)}&`) +
    (asOf === undefined ? '' : `asOf=${encodeURIComponent(asOf)}&`);
  if (output === 'table' || output === 'wide') {
    const pages = await allPages<Table>(connection, `${path}?${query}`, TABLE);
    const rows = pages.flatMap((page) => page.rows);
    const [first] = pages;
    if (first === undefined || rows.length === 0) return '';
    return tableText(
      { ...first, rows },
      { wide: output === 'wide', namespaces: options.allNamespaces === true && type.namespaced },
    );
  }
  const pages = await allPages<Listed | Named>(connection, `${path}?${query}`, 'application/json');
  const [first] = pages;
  const isList = first !== undefined && 'items' in first;
  const objects = pages.flatMap((page) => ('items' in page ? page.items : [page]));
  const suffix = type.group === '' ? '' : `.${type.group}`;
  if (output === 'name') return objects.map(({ metadata }) => `${type.singular}${suffix}/${metadata.name}`).join('\n');
  const document = isList ? { ...first, metadata: { ...first.metadata, continue: undefined }, items: objects } : first;
  return output === 'json'
    ? JSON.stringify(document, null, 2)
    : encodeYaml(JSON.parse(JSON.stringify(document))).trimEnd();
}

async function allPages<Page extends object>(connection: Connection, path: string, accept: string): Promise<Page[]> {
  const pages: Page[] = [];
  let token: string | undefined;
  do {
    const more = token === undefined ? '' : `&continue=${encodeURIComponent(token)}`;
    const page = (await call(connection, 'GET', `${path}limit=${pageSize}${more}`, { accept })) as Page;
    pages.push(page);
    const { metadata } = page as { metadata?: { continue?: string } };
    token = metadata?.continue === '' ? undefined : metadata?.continue;
  } while (token !== undefined);
  return pages;
}

/** A table as kubectl prints it. */
export function tableText(table: Table, options: { readonly wide: boolean; readonly namespaces: boolean }): string {
  const columns = table.columnDefinitions.map(({ name, priority }, index) => ({
    name: name.toUpperCase(),
    priority,
    index,
  }));
  const shown = columns.filter(({ priority }) => priority === 0 || options.wide);
  const lead = (text: string): string[] => (options.namespaces ? [text] : []);
  return textTable([
    [...lead('NAMESPACE'), ...shown.map(({ name }) => name)],
    ...table.rows.map(({ cells, object }) => [
      ...lead(object?.metadata.namespace ?? ''),
      ...shown.map(({ index }) => String(cells[index] ?? '<none>').split('\n', 1)[0] ?? ''),
    ]),
  ]);
}
