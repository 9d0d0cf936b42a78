import { parseFieldSelector, parseLabelSelector } from '../codec/selectors.ts';
import type { Kind } from '../kind.ts';
import type { Entry } from '../store-contract.ts';

/** Which objects a list or watch is about. */
export interface Selection {
  readonly matches: (entry: Entry) => boolean;
  /** True when neither selector says anything. */
  readonly everything: boolean;
}

export function selectionOf(
  kind: Kind,
  query: { readonly labelSelector: string; readonly fieldSelector: string },
  name?: string,
): Selection {
  const labels = query.labelSelector === '' ? undefined : parseLabelSelector(query.labelSelector);
  const fields =
    query.fieldSelector === '' ? undefined : parseFieldSelector(query.fieldSelector, kind.selectableFields ?? {});
  return {
    everything: labels === undefined && fields === undefined && name === undefined,
    matches: (entry) =>
      (name === undefined || entry.name === name) &&
      (labels === undefined || labels(entry.labels)) &&
      (fields === undefined || fields(entry)),
  };
}
