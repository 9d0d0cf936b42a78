import type { Connection } from '#kernel/api/client/http.ts';
import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { allPages } from '../api/list-objects.ts';
import { EXIT } from '../terminal/failure.ts';
import { coloursFor, type Io } from '../terminal/io.ts';
import { accountTree, type AccountObjects, type AdsObject } from './account-tree.ts';
import { placeOf } from '../terminal/place-of.ts';
import { treeText } from './tree-text.ts';

export interface TreeOptions extends ConnectionOptions {
  readonly namespace?: string;
  readonly limit: number;
  readonly continue?: string;
  readonly output: 'table' | 'json';
}

interface Page<Spec> {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly AdsObject<Spec>[];
}

const API = '/apis/ads.backline.dev/v1';

/** `backline ads tree`: what an advertiser declared, with the reasons for which an ad set is served to nobody. */
export async function tree(account: string | undefined, options: TreeOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  const place = account === undefined ? undefined : placeOf(account, options, connection);
  const root = `${API}/namespaces/${encodeURIComponent(place?.namespace ?? options.namespace ?? connection.namespace)}`;
  const page = await readAccounts(connection, root, place?.name, options);
  const read = await Promise.all(page.items.map((advertiser) => readObjects(connection, root, advertiser)));
  const trees = read.map(accountTree);
  const next = page.metadata.continue;
  const token = next === undefined || next === '' ? undefined : next;
  if (options.output === 'json') {
    io.exact.write(`${JSON.stringify({ accounts: trees, ...(token && { continue: token }) }, null, 2)}\n`);
    return EXIT.ok;
  }
  if (trees.length === 0) io.stderr.write('No advertisers found (-n looks in another namespace).\n');
  else io.stdout.write(`${treeText(trees, coloursFor(io.stdout, io.env))}\n`);
  if (token !== undefined) io.stdout.write(`There are more: --continue ${token}\n`);
  return EXIT.ok;
}

async function readAccounts(
  connection: Connection,
  root: string,
  account: string | undefined,
  options: TreeOptions,
): Promise<Page<AccountObjects['advertiser']['spec']>> {
  if (account !== undefined) {
    const advertiser = await call(connection, 'GET', `${root}/advertisers/${encodeURIComponent(account)}`);
    return { metadata: {}, items: [advertiser as AccountObjects['advertiser']] };
  }
  const query = new URLSearchParams({ limit: String(options.limit) });
  if (options.continue !== undefined) query.set('continue', options.continue);
  return (await call(connection, 'GET', `${root}/advertisers?${query.toString()}`)) as Page<
    AccountObjects['advertiser']['spec']
  >;
}

async function readObjects(
  connection: Connection,
  root: string,
  advertiser: AccountObjects['advertiser'],
): Promise<AccountObjects> {
  const selector = encodeURIComponent(`spec.account=${advertiser.metadata.name}`);
  const list = <Object>(plural: string): Promise<readonly Object[]> =>
    listAll(connection, `${root}/${plural}?fieldSelector=${selector}&`) as Promise<readonly Object[]>;
  const [campaigns, adSets, ads, assets] = await Promise.all([
    list<AccountObjects['campaigns'][number]>('campaigns'),
    list<AccountObjects['adSets'][number]>('adsets'),
    list<AccountObjects['ads'][number]>('ads'),
    list<AccountObjects['assets'][number]>('assets'),
  ]);
  return { advertiser, campaigns, adSets, ads, assets };
}

async function listAll(connection: Connection, path: string): Promise<readonly AdsObject<unknown>[]> {
  const pages = await allPages<Page<unknown>>(connection, path, 'application/json');
  return pages.flatMap(({ items }) => items);
}
