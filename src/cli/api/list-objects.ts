import type { Connection } from '#kernel/api/client/http.ts';
import { call } from './call.ts';
import { pathOf, type ResourceType } from './resource-types.ts';

const PAGE_SIZE = 500;

/** Asks for rows and columns, as kubectl does. */
export const AS_TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

export interface ListItem {
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** All pages of an answer in this form. */
export async function allPages<Page extends object>(
  connection: Connection,
  path: string,
  accept: string,
): Promise<Page[]> {
  const pages: Page[] = [];
  let token: string | undefined;
  do {
    const more = token === undefined ? '' : `&continue=${encodeURIComponent(token)}`;
    const page = (await call(connection, 'GET', `${path}limit=${PAGE_SIZE}${more}`, { accept })) as Page;
    pages.push(page);
    const { metadata } = page as { metadata?: { continue?: string } };
    token = metadata?.continue === '' ? undefined : metadata?.continue;
  } while (token !== undefined);
  return pages;
}

/** The objects of a kind with some labels; without a namespace: in all of them. */
export async function listObjects(
  connection: Connection,
  type: ResourceType,
  namespace: string | undefined,
  selector: string,
): Promise<readonly ListItem[]> {
  const path = `${pathOf(type, namespace, undefined)}?labelSelector=${encodeURIComponent(selector)}&`;
  const pages = await allPages<{ readonly items: readonly ListItem[] }>(connection, path, 'application/json');
  return pages.flatMap(({ items }) => items);
}
