/**
 * The right that a path beside the resource API requires. Users need a rule for each path, which of the default roles
 * only cluster-admin has; for Clients their spec decides; without a credential only `catalogue` is answered, see the
 * gate. Credentials do not matter where a token is the right.
 */
export type PathAccess =
  /** Reads the catalogue and flags. */
  | 'catalogue'
  /** Reads explanations of answers, and everything that is live. */
  | 'insight'
  /** Reads the records of a listener. */
  | 'records'
  /** Changes the records of a listener. */
  | 'write'
  /** Ingests events. */
  | 'ingest'
  /** Takes a sealed token of an earlier answer as the right, from anyone who holds it; the route opens it. */
  | 'token';

/** A path as rules name it; with a star at the end it stands for everything below. */
export interface DeclaredPath {
  readonly path: string;
  readonly access: PathAccess;
}

/** The verb of the right to a path. A query stays `get` when it is sent with POST. */
export function verbOfPath(access: PathAccess): 'get' | 'post' {
  return access === 'write' || access === 'ingest' || access === 'token' ? 'post' : 'get';
}
