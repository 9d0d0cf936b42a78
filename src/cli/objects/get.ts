import { encodeYaml } from '#kernel/api/codec/body.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import { call, ServerRefusal } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';
import { allPages, AS_TABLE } from '../api/list-objects.ts';
import { pathOf, resourceName, resourceTypes, typeNamed, type ResourceType } from '../api/resource-types.ts';
import { stopSignal } from '../terminal/stop-signal.ts';
import { columnWidths, textTable } from '../terminal/text-table.ts';
import { watchEvents } from '../api/watch-events.ts';

export interface GetOptions extends ConnectionOptions {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly asOf?: string;
  readonly watch?: boolean;
  readonly output: 'table' | 'wide' | 'json' | 'yaml' | 'name';
}

interface NamedList {
  readonly metadata?: { readonly continue?: string; readonly resourceVersion?: string };
  readonly items: readonly ObjectName[];
}

interface ObjectName {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion?: string;
    readonly managedFields?: unknown;
  };
}

/** A `Table` of meta.k8s.io/v1. */
export interface Table {
  readonly metadata?: { readonly continue?: string; readonly resourceVersion?: string };
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object?: ObjectName }[];
}

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
  if (options.watch === true) {
    const [type, ...others] = asked;
    if (type === undefined || others.length > 0 || options.asOf !== undefined) {
      throw new CliFailure('--watch follows one kind, as it is now.', { exitCode: EXIT.usage });
    }
    return follow(target, type, { ...options, namespace, name: wanted }, io);
  }
  const texts: string[] = [];
  for (const type of asked) {
    const text = await textOf(target, type, pathOf(type, namespace, wanted), options).catch(async (error: unknown) => {
      throw wanted === undefined ? error : await keptLive(target, type, { namespace, name: wanted }, error);
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
async function keptLive(
  connection: Connection,
  type: ResourceType,
  { namespace, name }: { readonly namespace: string | undefined; readonly name: string },
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof ServerRefusal) || error.status !== 404) return error;
  const kind = `${type.plural}.${type.group}`;
  // Names of some kinds are unique in a namespace alone.
  const names = [`${kind}.${name}`, ...(namespace === undefined ? [] : [`${kind}.${namespace}.${name}`])];
  let held: string | undefined;
  for (const head of names) {
    const path = `/apis/releases.backline.dev/v1/heads/${encodeURIComponent(head)}`;
    // A caller who may not read Heads gets the first error.
    const found = (await call(connection, 'GET', path).catch(() => undefined)) as
      | { status?: { held?: string } }
      | undefined;
    held ??= found?.status?.held;
  }
  return held === undefined ? error : new CliFailure(`${type.kind} "${name}" was deleted and is kept live: ${held}`);
}

/** The printed text of one kind; empty when there are no objects. */
async function textOf(connection: Connection, type: ResourceType, path: string, options: GetOptions): Promise<string> {
  const { output, selector, asOf } = options;
  const query =
    (selector === undefined ? '' : `labelSelector=${encodeURIComponent(selector)}&`) +
    (asOf === undefined ? '' : `asOf=${encodeURIComponent(asOf)}&`);
  if (output === 'table' || output === 'wide') {
    const pages = await allPages<Table>(connection, `${path}?${query}`, AS_TABLE);
    const rows = pages.flatMap((page) => page.rows);
    const [first] = pages;
    if (first === undefined || rows.length === 0) return '';
    return tableText(
      { ...first, rows },
      { wide: output === 'wide', namespaces: options.allNamespaces === true && type.namespaced },
    );
  }
  return objectsText(
    type,
    await allPages<NamedList | ObjectName>(connection, `${path}?${query}`, 'application/json'),
    output,
  );
}

function objectsText(
  type: ResourceType,
  pages: readonly (NamedList | ObjectName)[],
  output: Exclude<GetOptions['output'], 'table' | 'wide'>,
): string {
  const [first] = pages;
  const isList = first !== undefined && 'items' in first;
  const objects = pages.flatMap((page) => ('items' in page ? page.items : [page])).map(withoutManagers);
  if (output === 'name') return objects.map(({ metadata }) => resourceName(type, metadata.name)).join('\n');
  const document = isList
    ? { ...first, metadata: { ...first.metadata, continue: undefined }, items: objects }
    : objects[0];
  return output === 'json'
    ? JSON.stringify(document, null, 2)
    : encodeYaml(JSON.parse(JSON.stringify(document))).trimEnd();
}

/** Who owns which field is long, and of no use to most. `kubectl get --show-managed-fields` shows it. */
function withoutManagers<Object extends ObjectName>(object: Object): Object {
  const { managedFields: _managedFields, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Prints what there is, then each change, until somebody stops it or the server ends the watch. */
async function follow(
  connection: Connection,
  type: ResourceType,
  options: Omit<GetOptions, 'namespace'> & {
    readonly namespace: string | undefined;
    readonly name: string | undefined;
  },
  io: Io,
): Promise<number> {
  const { output, selector, namespace, name } = options;
  const query = new URLSearchParams({
    ...(selector === undefined ? {} : { labelSelector: selector }),
    ...(name === undefined ? {} : { fieldSelector: `metadata.name=${name}` }),
  });
  const path = pathOf(type, namespace, undefined);
  const shown = { wide: output === 'wide', namespaces: options.allNamespaces === true && type.namespaced };
  const isTable = output === 'table' || output === 'wide';
  const all = `${path}?${query.size === 0 ? '' : `${query.toString()}&`}`;
  let version: string | undefined;
  let columns: Table['columnDefinitions'] = [];
  let widths: readonly number[] = [];
  const print = (table: Table, isDeleted: boolean): void => {
    const texts = tableRows(table, shown).map((row) => (isDeleted ? [...row, '(deleted)'] : row));
    widths = columnWidths(texts, widths);
    if (texts.length > 0) io.stdout.write(`${textTable(texts, widths)}\n`);
  };
  if (isTable) {
    const pages = await allPages<Table>(connection, all, AS_TABLE);
    const rows = pages.flatMap((page) => page.rows);
    version = pages.at(-1)?.metadata?.resourceVersion;
    columns = pages[0]?.columnDefinitions ?? [];
    const head = tableHead({ columnDefinitions: columns, rows }, shown);
    widths = columnWidths([head, ...tableRows({ columnDefinitions: columns, rows }, shown)]);
    io.stdout.write(`${textTable([head], widths)}\n`);
    print({ columnDefinitions: columns, rows }, false);
  } else {
    const pages = await allPages<NamedList>(connection, all, 'application/json');
    const items = pages.flatMap((page) => page.items);
    version = pages.at(-1)?.metadata?.resourceVersion;
    const text = items.length === 0 ? '' : objectsText(type, name === undefined ? pages : items, output);
    if (text !== '') io.exact.write(`${text}\n`);
  }
  using stop = stopSignal();
  try {
    while (!stop.signal.aborted) {
      query.set('resourceVersion', version ?? '0');
      const accept = isTable ? AS_TABLE : 'application/json';
      const events = watchEvents<ObjectName & Table>(connection, `${path}?${query.toString()}`, stop.signal, accept);
      for await (const { type: happened, object } of events) {
        if (happened === 'ERROR') throw new CliFailure('the server cannot go on from here; ask again.');
        version =
          (isTable ? object.rows?.at(-1)?.object : object)?.metadata.resourceVersion ??
          object.metadata?.resourceVersion ??
          version;
        if (happened === 'BOOKMARK') continue;
        if (isTable) print({ ...object, columnDefinitions: columns }, happened === 'DELETED');
        else if (output === 'name') io.stdout.write(`${resourceName(type, object.metadata.name)}\n`);
        else {
          const document = withoutManagers<ObjectName>(object);
          io.exact.write(output === 'json' ? `${JSON.stringify(document, null, 2)}\n` : `---\n${encodeYaml(document)}`);
        }
      }
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return EXIT.interrupted;
}

/** A table as kubectl prints it. */
export function tableText(table: Table, shown: Shown): string {
  return textTable([tableHead(table, shown), ...tableRows(table, shown)]);
}

interface Shown {
  readonly wide: boolean;
  readonly namespaces: boolean;
}

function columnsOf({ columnDefinitions }: Table, { wide }: Shown): { readonly name: string; readonly index: number }[] {
  return columnDefinitions
    .map(({ name, priority }, index) => ({ name: name.toUpperCase(), priority, index }))
    .filter(({ priority }) => priority === 0 || wide);
}

function tableHead(table: Table, shown: Shown): readonly string[] {
  return [...(shown.namespaces ? ['NAMESPACE'] : []), ...columnsOf(table, shown).map(({ name }) => name)];
}

function tableRows(table: Table, shown: Shown): readonly (readonly string[])[] {
  const columns = columnsOf(table, shown);
  return table.rows.map(({ cells, object }) => [
    ...(shown.namespaces ? [object?.metadata.namespace ?? ''] : []),
    ...columns.map(({ index }) => String(cells[index] ?? '<none>').split('\n', 1)[0] ?? ''),
  ]);
}
