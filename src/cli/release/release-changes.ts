import type { FieldChange } from '#kernel/base/field-changes.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import { ServerRefusal, call } from '../api/call.ts';
import { CliFailure } from '../terminal/failure.ts';
import { API_VERSION, RELEASES } from './release-api.ts';
import type { ReleaseObject } from './release-object.ts';

/** Objects that are shown without --all. */
const OBJECTS_SHOWN = 20;

/** The change of one object; `fields` is absent where a revision is no longer stored. */
export interface ObjectChange {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly fields?: readonly FieldChange[];
  readonly sentences: readonly string[];
}

interface Part {
  readonly planHash: string;
  readonly next?: number;
  readonly objects: readonly ObjectChange[];
}

/** The changes of the first objects, or of all. undefined for users who may read releases but not their changes. */
export async function releaseChanges(
  connection: Connection,
  { metadata: { name }, spec: { planHash } }: ReleaseObject,
  isAll: boolean,
): Promise<readonly ObjectChange[] | undefined> {
  const changes: ObjectChange[] = [];
  for (let offset: number | undefined = 0; offset !== undefined;) {
    const part: Part | undefined = await readPart(connection, name, offset, isAll ? {} : { limit: OBJECTS_SHOWN });
    if (part === undefined) return undefined;
    if (part.planHash !== planHash) {
      throw new CliFailure(`release ${name} has changed while it was read.`, { remedy: 'Show it again.' });
    }
    changes.push(...part.objects);
    offset = isAll ? part.next : undefined;
  }
  return changes;
}

async function readPart(
  connection: Connection,
  name: string,
  offset: number,
  more: { readonly limit?: number },
): Promise<Part | undefined> {
  const body = { apiVersion: API_VERSION, kind: 'ReleaseChanges', metadata: { name }, spec: { offset, ...more } };
  try {
    const path = `${RELEASES}/${encodeURIComponent(name)}/changes`;
    return ((await call(connection, 'POST', path, { body })) as { readonly status: Part }).status;
  } catch (error) {
    if (error instanceof ServerRefusal && error.status === 403) return undefined;
    throw error;
  }
}
