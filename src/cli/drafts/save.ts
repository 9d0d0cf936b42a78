import type { Connection } from '#kernel/api/client/http.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { call, ServerRefusal } from '../api/call.ts';
import { connectionFrom } from '../api/connection.ts';
import { pathOf, resourceTypes, type ResourceType } from '../api/resource-types.ts';
import { refusedChange } from '../objects/change-set.ts';
import { readManifests } from '../objects/manifest-files.ts';
import { EXIT } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';
import { API_VERSION, documentText, draftPath, readDraft, type DraftObject, type DraftOptions } from './draft-api.ts';

/** Objects whose present version is read at a time. */
const READS_AT_ONCE = 20;

export interface SaveOptions extends DraftOptions {
  readonly filename: readonly string[];
  readonly title?: string;
  readonly account?: string;
  readonly rebase?: boolean;
}

/** `backline draft save`: makes a draft of files, or makes it what the files have now. */
export async function saveDraft(name: string, options: SaveOptions, io: Io): Promise<number> {
  const declared = await readManifests(options.filename, io);
  const target = connectionFrom(options, io);
  const namespace = options.namespace ?? target.namespace;
  const path = draftPath(namespace, name);
  const before = await readDraft(target, path).catch((error: unknown) => {
    if (error instanceof ServerRefusal && error.status === 404) return undefined;
    throw error;
  });
  const given = declared.map(({ object }) => object);
  const bases = options.rebase === true ? new Map<string, string | undefined>() : basesIn(before, namespace);
  const objects = await withBases(given, bases, { target, namespace });
  const { title = before?.spec.title, account = before?.spec.account } = options;
  const spec = { ...(title === undefined ? {} : { title }), ...(account === undefined ? {} : { account }), objects };
  const metadata = before?.metadata ?? { name, namespace };
  const body = { apiVersion: API_VERSION, kind: 'Draft', metadata, spec };
  const saved = await (
    before === undefined ? call(target, 'POST', draftPath(namespace), { body }) : call(target, 'PUT', path, { body })
  ).catch((error: unknown) => {
    if (error instanceof ServerRefusal && error.causes.length > 0)
      throw refusedChange(error.causes, declared, error.message, 'the draft was refused; nothing was saved.');
    throw error;
  });
  const document = documentText(options.output, saved as DraftObject);
  if (document !== undefined) io.exact.write(`${document}\n`);
  else io.stdout.write(`draft.releases.backline.dev/${name} ${savedText(before, saved as DraftObject)}\n`);
  return EXIT.ok;
}

function savedText(before: DraftObject | undefined, { spec: { objects } }: DraftObject): string {
  const based = objects.filter(({ metadata }) => metadata.resourceVersion !== undefined).length;
  const did = before === undefined ? 'created' : 'saved';
  return `${did}: ${objects.length} ${objects.length === 1 ? 'object' : 'objects'}, ${objects.length - based} new, ${based} over what is declared`;
}

type Manifest = Readonly<Record<string, unknown>>;

function keyOf(object: object, namespace: string): string {
  const { apiVersion, kind, metadata } = object as Manifest;
  const named = isRecord(metadata) ? metadata : {};
  return JSON.stringify([apiVersion, kind, named['namespace'] ?? namespace, named['name']]);
}

/** The versions that the objects of a draft build on already; undefined: there was none. */
function basesIn(draft: DraftObject | undefined, namespace: string): ReadonlyMap<string, string | undefined> {
  const objects = draft?.spec.objects ?? [];
  return new Map(objects.map((object) => [keyOf(object, namespace), object.metadata.resourceVersion]));
}

/** Each object with the version that it builds on: that of the file, or of the draft before, or the present one. */
async function withBases(
  given: readonly Manifest[],
  bases: ReadonlyMap<string, string | undefined>,
  { target, namespace }: { readonly target: Connection; readonly namespace: string },
): Promise<readonly object[]> {
  const types = await resourceTypes(target);
  const objects: object[] = [];
  for (let from = 0; from < given.length; from += READS_AT_ONCE) {
    objects.push(...(await Promise.all(given.slice(from, from + READS_AT_ONCE).map(withBase))));
  }
  return objects;

  async function withBase(object: Manifest): Promise<object> {
    const { metadata } = object;
    if (!isRecord(metadata) || (metadata['resourceVersion'] ?? '') !== '') return object;
    const key = keyOf(object, namespace);
    const resourceVersion = bases.has(key) ? bases.get(key) : await presentVersion(object, metadata);
    return resourceVersion === undefined ? object : { ...object, metadata: { ...metadata, resourceVersion } };
  }

  /** Undefined where there is no such object, or none that the user may read; the server refuses unknown kinds. */
  async function presentVersion(object: Manifest, metadata: Manifest): Promise<string | undefined> {
    const type = types.find((one) => isOfType(object, one));
    const { name, namespace: own = namespace } = metadata;
    if (type === undefined || typeof name !== 'string' || name === '' || typeof own !== 'string') return undefined;
    try {
      const found = (await call(target, 'GET', pathOf(type, own, name))) as DraftObject;
      return found.metadata.resourceVersion;
    } catch (error) {
      if (error instanceof ServerRefusal && error.status === 404) return undefined;
      throw error;
    }
  }
}

function isOfType({ apiVersion, kind }: Manifest, { group, version, kind: name }: ResourceType): boolean {
  return kind === name && apiVersion === (group === '' ? version : `${group}/${version}`);
}
