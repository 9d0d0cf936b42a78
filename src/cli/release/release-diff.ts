import { fieldChanges, type FieldChange } from '#kernel/base/field-changes.ts';
import { contentHash } from '#kernel/base/ids.ts';
import type { Connection } from '#kernel/resources/client/http.ts';
import { Refused, call } from '../call.ts';
import { pathOf, resourceTypes, type ResourceType } from '../resource-types.ts';
import type { Carried, Side } from './release-object.ts';

const LIMITS = {
  /** Objects that are looked up; of the others only the revisions are told. */
  objectsMax: 20,
  /** Past versions of one object that are looked through for a revision. */
  historyMax: 50,
} as const;

/** What a release changes in one object; without `fields` a revision of it could not be had. */
export interface ObjectDiff {
  readonly object: Carried;
  readonly fields?: readonly FieldChange[];
}

/** What changes in the objects of a release, field by field, as far as their revisions can be had. */
export async function releaseDiff(connection: Connection, objects: readonly Carried[]): Promise<ObjectDiff[]> {
  const types = await resourceTypes(connection);
  const looked = await Promise.all(
    objects.slice(0, LIMITS.objectsMax).map(async (object): Promise<ObjectDiff> => {
      const type = types.find(({ group, kind }) => `${group}/${kind}` === object.kind);
      const specs = type === undefined ? undefined : await specsOf(connection, type, object);
      if (specs === undefined) return { object };
      const content = (side: Side | undefined, spec: unknown): object | undefined =>
        side === undefined ? undefined : { labels: side.labels, spec };
      return { object, fields: fieldChanges(content(object.from, specs.from), content(object.to, specs.to)) };
    }),
  );
  return [...looked, ...objects.slice(LIMITS.objectsMax).map((object) => ({ object }))];
}

interface Specs {
  readonly from?: unknown;
  readonly to?: unknown;
}

/** The specs of both sides; undefined when one of them is nowhere to be found. */
async function specsOf(connection: Connection, type: ResourceType, object: Carried): Promise<Specs | undefined> {
  const { from, to, name } = object;
  const wanted = new Set([from, to].flatMap((side) => (side === undefined ? [] : [side.revision])));
  const found = new Map<string, unknown>();
  const keep = (spec: unknown): void => {
    const revision = contentHash(spec);
    if (wanted.has(revision)) found.set(revision, spec);
  };
  const path = pathOf(type, (to ?? from)?.namespace, name);
  const [head, declared] = await Promise.all([
    read<HeadObject>(connection, `${HEADS}/${encodeURIComponent(`${type.plural}.${type.group}.${name}`)}`),
    read<Declared>(connection, path),
  ]);
  for (const { spec } of head?.spec.live ?? []) keep(spec);
  keep(declared?.spec);
  if (found.size < wanted.size) await lookBack(connection, path, keep, () => found.size === wanted.size);
  if (found.size < wanted.size) return undefined;
  return {
    ...(from === undefined ? {} : { from: found.get(from.revision) }),
    ...(to === undefined ? {} : { to: found.get(to.revision) }),
  };
}

/** Looks through past versions of an object, newest first, for as long as something is missing. */
async function lookBack(
  connection: Connection,
  path: string,
  keep: (spec: unknown) => void,
  isEnough: () => boolean,
): Promise<void> {
  const history = await read<History>(connection, `${path}/history?limit=${LIMITS.historyMax}`);
  // Between two changes of the spec it is the same.
  const versions = (history?.items ?? []).filter(({ changes }) =>
    changes.some(({ path: at }) => at.startsWith('spec')),
  );
  for (const { version } of versions) {
    if (isEnough()) return;
    keep((await read<Declared>(connection, `${path}?asOf=${version}`))?.spec);
  }
}

const HEADS = '/apis/releases.backline.dev/v1/heads';

interface Declared {
  readonly spec?: unknown;
}

interface HeadObject {
  readonly spec: { readonly live: readonly { readonly spec?: unknown }[] };
}

interface History {
  readonly items: readonly { readonly version: number; readonly changes: readonly { readonly path: string }[] }[];
}

/** What is there; undefined when it is not, or not for who asks. */
async function read<Found>(connection: Connection, path: string): Promise<Found | undefined> {
  try {
    return (await call(connection, 'GET', path)) as Found;
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}
