import { call, ServerRefusal } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions, type NamespacedConnection } from '../api/connection.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import { coloursFor, oneLine, type Io } from '../terminal/io.ts';
import { readManifests } from '../objects/manifest-files.ts';
import { listObjects } from '../api/list-objects.ts';
import { pathOf, resourceName, resourceTypes, typeNamed, typeOf, type ResourceType } from '../api/resource-types.ts';

export interface DeleteOptions extends ConnectionOptions {
  readonly filename?: readonly string[];
  readonly namespace?: string;
  readonly selector?: string;
  readonly dryRun?: boolean;
  readonly ignoreNotFound?: boolean;
}

/** One object, wherever it was named. */
export interface Deletion {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly name: string;
}

/** `backline delete plan premium`, `backline delete plan/premium flag/x`, `backline delete -f business/`. */
export async function deleteObjects(words: readonly string[], options: DeleteOptions, io: Io): Promise<number> {
  const target = connectionFrom(options, io);
  const types = await resourceTypes(target);
  const doomed = await readNames(words, options, { target, types, io });
  if (doomed.length === 0) io.stderr.write('No objects found.\n');
  let missing = 0;
  for (const one of withTitles(doomed)) {
    if (!(await remove(one, options.dryRun === true, target, io))) missing += 1;
  }
  if (missing === 0 || options.ignoreNotFound === true) return EXIT.ok;
  throw new CliFailure(
    `${missing} of ${doomed.length} ${doomed.length === 1 ? 'object' : 'objects'} ${missing === 1 ? 'was' : 'were'} not there.`,
    {
      remedy: 'Accept that with --ignore-not-found.',
    },
  );
}

async function readNames(
  words: readonly string[],
  options: DeleteOptions,
  {
    target,
    types,
    io,
  }: { readonly target: NamespacedConnection; readonly types: readonly ResourceType[]; readonly io: Io },
): Promise<Deletion[]> {
  const { filename, selector } = options;
  const namespace = options.namespace ?? target.namespace;
  const at = (type: ResourceType, name: string, of = namespace): Deletion => ({
    type,
    namespace: type.namespaced ? of : '',
    name,
  });
  if (filename !== undefined) {
    if (words.length > 0 || selector !== undefined) throw usage('name files with -f, or objects, and not both.');
    const declared = await readManifests(filename, io);
    // An object comes after those that it refers to, so it is deleted before them.
    return declared.toReversed().map(({ object }) => placeOf(object, types, namespace));
  }
  const [first, ...names] = words;
  if (first === undefined) throw usage('say what to delete: KIND NAME, KIND/NAME, KIND -l LABELS, or -f FILE.');
  if (first.includes('/')) {
    if (selector !== undefined) throw usage('name objects, or select them with -l, and not both.');
    return words.map((word) => {
      const [kind = '', name = '', ...more] = word.split('/');
      if (name === '' || more.length > 0) throw usage(`"${word}" is not KIND/NAME.`);
      return at(typeNamed(kind, types), name);
    });
  }
  const type = typeNamed(first, types);
  if (selector === undefined) {
    if (names.length === 0) throw usage(`name the ${type.plural} to delete, or select them with -l.`);
    return names.map((name) => at(type, name));
  }
  if (names.length > 0) throw usage('name objects, or select them with -l, and not both.');
  const found = await listObjects(target, type, type.namespaced ? namespace : undefined, selector);
  return found.map(({ metadata }) => at(type, metadata.name, metadata.namespace));
}

/** Where an object of a manifest is, or would be. */
export function placeOf(
  object: Readonly<Record<string, unknown>>,
  types: readonly ResourceType[],
  namespace: string,
): Deletion {
  const type = typeOf(object, types);
  const metadata = (object['metadata'] ?? {}) as { name?: string; namespace?: string };
  return { type, namespace: type.namespaced ? (metadata.namespace ?? namespace) : '', name: String(metadata.name) };
}

function usage(message: string): CliFailure {
  return new CliFailure(message, { exitCode: EXIT.usage });
}

interface TitledDeletion extends Deletion {
  readonly title: string;
}

/** With what each is called: one name may be of several objects, each in a namespace. */
export function withTitles(doomed: readonly Deletion[]): readonly TitledDeletion[] {
  const titleOf = ({ type, name }: Deletion): string => resourceName(type, name);
  const byTitle = Map.groupBy(doomed, titleOf);
  return doomed.map((one) => {
    const title = titleOf(one);
    const isOneOfSeveral = (byTitle.get(title)?.length ?? 0) > 1;
    return { ...one, title: isOneOfSeveral ? placedTitle(one) : title };
  });
}

/** With where each is as well: nobody named these, and others of the same name may stay. */
export function withPlaces(doomed: readonly Deletion[]): readonly TitledDeletion[] {
  return doomed.map((one) => ({ ...one, title: placedTitle(one) }));
}

function placedTitle({ type, namespace, name }: Deletion): string {
  return `${resourceName(type, name)}${namespace === '' ? '' : ` in ${namespace}`}`;
}

/** Deletes one object and says so; false when it was not there. */
export async function remove(
  { type, namespace, name, title }: TitledDeletion,
  isDryRun: boolean,
  target: NamespacedConnection,
  io: Io,
): Promise<boolean> {
  const { yellow, bold } = coloursFor(io.stderr, io.env);
  try {
    await call(target, 'DELETE', `${pathOf(type, namespace, name)}${isDryRun ? '?dryRun=All' : ''}`, {
      onWarning: (text) => io.stderr.write(`${yellow(bold('warning:'))} ${title}  ${oneLine(text)}\n`),
    });
  } catch (error) {
    if (!(error instanceof ServerRefusal) || error.status !== 404) throw error;
    io.stderr.write(`${resourceName(type, name)} is not there${type.namespaced ? ` (namespace ${namespace})` : ''}\n`);
    return false;
  }
  io.stdout.write(`${title} deleted${isDryRun ? ' (dry run)' : ''}\n`);
  return true;
}
