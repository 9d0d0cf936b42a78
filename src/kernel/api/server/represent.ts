import { representationOf, type Representation } from '../representation.ts';
import type { ResourceServer, VerbRequest } from './context.ts';

/** The form that a request asks for. Past objects have no computed status: it would be that of now. */
export function represent(
  { clock, statuses }: ResourceServer,
  { accepted, query }: Pick<VerbRequest, 'accepted' | 'query'>,
): Representation {
  const isStored = query.stored || query.asOf !== undefined;
  return representationOf(accepted, { ...query, clock, ...(isStored ? {} : { statuses }) });
}
