/**
 * What a path beside the resource API lets somebody do. Users need the right to each path, which no default role but
 * cluster-admin has; Clients go by their spec; without a credential only `catalogue` is answered, see the gate.
 */
export type PathAccess =
  /** Tells what is on offer, and flags. */
  | 'catalogue'
  /** Tells why an answer is what it is, and everything that is live. */
  | 'insight'
  /** Tells what is on record for a listener. */
  | 'records'
  /** Changes what is on record for a listener. */
  | 'write'
  /** Takes events in. */
  | 'ingest';

/** A path as rules name it: with a star at the end it stands for everything below. */
export interface DeclaredPath {
  readonly path: string;
  readonly access: PathAccess;
}

/** The verb of the right to a path. A question stays a question when it is sent with POST. */
export function verbOfPath(access: PathAccess): 'get' | 'post' {
  return access === 'write' || access === 'ingest' ? 'post' : 'get';
}
