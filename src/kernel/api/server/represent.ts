import { representationOf, type Representation } from '../representation.ts';
import type { ResourceServer, VerbRequest } from './context.ts';

/** The form that a request asks for. Past objects have no computed status: it would be that of now. */
export function represent(
  { clock, statuses }: ResourceServer,
  { accepted, call, query }: Pick<VerbRequest, 'accepted' | 'call' | 'query'>,
): Representation {
  const isStored = query.stored || query.asOf !== undefined;
  return representationOf(call.target.kind, accepted, { ...query, clock, ...(isStored ? {} : { statuses }) });
}
