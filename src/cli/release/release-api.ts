import type { Connection } from '#kernel/api/client/http.ts';
import { ServerRefusal, call } from '../api/call.ts';
import { CliFailure } from '../terminal/failure.ts';
import type { Table } from '../objects/get.ts';
import { AS_TABLE } from '../api/list-objects.ts';
import type { ReleaseObject } from './release-object.ts';

const GROUP_PATH = '/apis/releases.backline.dev/v1';
export const RELEASES = `${GROUP_PATH}/releases`;
const STOPS = `${GROUP_PATH}/stops`;
/** The only valid name of the switch. */
const STOP_NAME = 'all';

export const API_VERSION = 'releases.backline.dev/v1';
/** Candidates that are listed for an ambiguous name. */
const candidatesShownMax = 10;

export type CommandVerb = 'approve' | 'pause' | 'resume' | 'promote' | 'abort' | 'rollback' | 'pin' | 'unpin' | 'seal';

export interface CommandSpec {
  readonly reason?: string | undefined;
  readonly planHash?: string | undefined;
  readonly force?: boolean | undefined;
  readonly until?: string | undefined;
}

export interface ReleaseList {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly ReleaseObject[];
}

export interface Pin {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly object: { readonly kind: string; readonly name: string };
    readonly refuses?: readonly string[];
    readonly release?: string;
    readonly by: string;
    readonly reason: string;
    readonly until?: string;
  };
}

/** The release of this name, or the only one with this prefix. */
export async function findRelease(connection: Connection, given: string): Promise<ReleaseObject> {
  try {
    return await getRelease(connection, given);
  } catch (error) {
    if (!(error instanceof ServerRefusal && error.status === 404)) throw error;
    const name = await completeName(connection, given);
    if (name === undefined) throw error;
    return getRelease(connection, name);
  }
}

async function getRelease(connection: Connection, name: string): Promise<ReleaseObject> {
  return (await call(connection, 'GET', `${RELEASES}/${encodeURIComponent(name)}`)) as ReleaseObject;
}

/** The only name with this prefix; undefined where there is none. */
async function completeName(connection: Connection, given: string): Promise<string | undefined> {
  const table = await releaseTable(connection, []);
  const phase = table.columnDefinitions.findIndex(({ name }) => name === 'Phase');
  const candidates = table.rows
    .map(({ cells }) => ({ name: String(cells[0]), phase: String(cells[phase]) }))
    .filter(({ name }) => name.startsWith(given));
  if (candidates.length <= 1) return candidates[0]?.name;
  const shown = candidates.slice(0, candidatesShownMax);
  const more = candidates.length - shown.length;
  throw new CliFailure(`${candidates.length} releases match "${given}".`, {
    details: [
      ...shown.map(({ name, phase }) => ({ where: name, what: phase })),
      ...(more > 0 ? [{ where: '', what: `and ${more} more` }] : []),
    ],
    remedy: 'Give more of the name.',
  });
}

/** Releases as rows, by field selectors that must all match. */
export async function releaseTable(connection: Connection, selectors: readonly string[]): Promise<Table> {
  const path = `${RELEASES}?${queryOf({ fieldSelector: selectors.join(',') })}`;
  return (await call(connection, 'GET', path, { accept: AS_TABLE })) as Table;
}

export async function listReleases(connection: Connection, selectors: readonly string[]): Promise<ReleaseList> {
  const path = `${RELEASES}?${queryOf({ fieldSelector: selectors.join(',') })}`;
  return (await call(connection, 'GET', path)) as ReleaseList;
}

export async function listPins(connection: Connection): Promise<readonly Pin[]> {
  const list = (await call(connection, 'GET', `${GROUP_PATH}/pins`)) as { readonly items: readonly Pin[] };
  return list.items;
}

/** Sends a command to a release. Returns the release afterwards. */
export async function command(
  connection: Connection,
  name: string,
  verb: CommandVerb,
  spec: CommandSpec,
): Promise<ReleaseObject> {
  const body = { apiVersion: API_VERSION, kind: 'ReleaseCommand', metadata: { name }, spec };
  return (await call(connection, 'POST', `${RELEASES}/${encodeURIComponent(name)}/${verb}`, { body })) as ReleaseObject;
}

/** Why every release is stopped; undefined while none is. */
export async function stopReason(connection: Connection): Promise<string | undefined> {
  const list = (await call(connection, 'GET', STOPS)) as {
    readonly items: readonly { readonly spec: { readonly reason: string } }[];
  };
  return list.items[0]?.spec.reason;
}

export async function stopAll(connection: Connection, reason: string): Promise<void> {
  const body = { apiVersion: API_VERSION, kind: 'Stop', metadata: { name: STOP_NAME }, spec: { reason } };
  await call(connection, 'POST', STOPS, { body });
}

export async function resumeAll(connection: Connection): Promise<void> {
  await call(connection, 'DELETE', `${STOPS}/${STOP_NAME}`);
}

export function queryOf(query: Readonly<Record<string, string>>): string {
  return new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '')).toString();
}
