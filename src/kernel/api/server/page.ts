import type { Entry } from '#kernel/store/contract.ts';
import type { RequestTarget } from '../request.ts';
import { listPage, type Page } from '../list.ts';
import { pastPage, readAsOf } from '../past.ts';
import { alternativesIn, narrow, selectionOf, type Selection } from '../selection.ts';
import type { ResourceServer, VerbRequest } from './context.ts';

/** The selection of a request, of which its caller gets what they may. */
export function allowedSelection({
  call: { target },
  query,
  within,
}: Pick<VerbRequest, 'call' | 'query' | 'within'>): Selection {
  const selection = selectionOf(target.kind, query, target.name);
  return within === undefined ? selection : narrow(target.kind, selection, [...within.values()]);
}

/** That a collection was narrowed, for its caller. */
export function narrowedWarning({ call: { target }, within }: Pick<VerbRequest, 'call' | 'within'>): readonly string[] {
  if (within === undefined) return [];
  return [`you may reach ${target.kind.plural} only with ${alternativesIn(within.keys())}: the answer is of those`];
}

/** The objects that a request selects and its caller may see, from wherever objects of their kind come. */
export async function pageOf(
  { store, virtualLists, convert }: ResourceServer,
  request: Pick<VerbRequest, 'call' | 'query' | 'within'>,
): Promise<Page> {
  const {
    call: { target },
    query,
  } = request;
  const lookUp = virtualLists.get(target.kind.id);
  if (lookUp !== undefined) return lookUp(target, query);
  const selection = allowedSelection(request);
  const looksInto = selection.fields.length > 0 || request.within !== undefined;
  if (query.asOf !== undefined) {
    const convertPast = (entries: readonly Entry[]) => (looksInto ? convert(target.kind, entries) : undefined);
    const past = await pastPage(store, target, readAsOf(query.asOf), { selection, convert: convertPast });
    await convert(target.kind, past.entries);
    return past;
  }
  if (looksInto) await convert(target.kind, inScope(store, target));
  const page = listPage(store, target, query, selection);
  await convert(target.kind, page.entries);
  return page;
}

/** The objects that a selector of fields looks into, where a server of others has to convert them first. */
function inScope(store: ResourceServer['store'], { kind, namespace }: RequestTarget): readonly Entry[] {
  if (kind.definition?.webhook === undefined) return [];
  return [...store.list(kind, namespace === undefined || namespace === '' ? {} : { namespace })];
}

/** The metadata of a list. */
export function pageMetadata({ version, continueToken, remaining }: Page) {
  return {
    resourceVersion: String(version),
    ...(continueToken === undefined ? {} : { continue: continueToken }),
    ...(remaining === undefined ? {} : { remainingItemCount: remaining }),
  };
}
