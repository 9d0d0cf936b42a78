import type { Static, TSchema } from 'typebox';
import type { DeclaredPath } from '#kernel/access/authorization/path-access.ts';
import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import type { Method, RequestContext } from '#kernel/http/router.ts';
import type { Steps } from '#kernel/base/turns.ts';
import type { Kind, World } from '#kernel/kinds/kind.ts';
import type { CohortSubject } from './cohort-membership.ts';

/**
 * The part of a domain in the decision plane: how to turn the live world into a table, and the questions that are
 * answered from it. Pure; the plane owns the snapshot, the clock and HTTP.
 */
export interface DecisionModule<Table> {
  /** The domain's name, e.g. `products`. */
  readonly name: string;
  /** The kinds that the table is compiled from. */
  readonly kinds: readonly Kind[];
  /** A table of a world in which every reference resolves and every check passes, and of the audiences in it. */
  readonly compile: (world: World, audiences: AudienceTable) => Steps<Table>;
  /**
   * The same table as `compile`, made from the previous one and what changed since. Never alters `table`, whose world is still
   * as it was: it changes when the next table has taken its place.
   */
  readonly update: (
    table: Table,
    world: World,
    changed: readonly ChangedObject[],
    audiences: AudienceTable,
  ) => Steps<Table>;
  readonly routes: readonly DecisionRoute<Table>[];
  /** Questions in a form that somebody else has laid down. */
  readonly protocols?: readonly DecisionProtocol<Table>[];
  /**
   * The subject of an input of its routes, which decides its cohorts in releases under way; a promise where records are
   * read. Called only while there are such releases, with the facts of other modules as everyone sees them.
   */
  readonly subjectOf?: (
    table: Table,
    input: unknown,
    facts: Readonly<Record<string, unknown>>,
  ) => CohortSubject | Promise<CohortSubject>;
  /** Facts for other modules, by name: each from the table of this one that the one who is asked about sees. */
  readonly provides?: Readonly<Record<string, (table: Table) => unknown>>;
  /** Names of the facts of other modules that its routes are answered from. */
  readonly needs?: readonly string[];
  /** Whether an answer keeps something from the listener. */
  readonly isDenial?: (answer: object) => boolean;
}

/** The access rules of a path and of its inputs. Every path has them. */
export interface Asking extends DeclaredPath {
  /** Only for applications on machines of ours: what it tells is not for listeners. */
  readonly forServers?: boolean;
  /** Inputs that only such applications may set. */
  readonly inputsForServers?: readonly string[];
  /** Inputs that say who is asked about: a publishable client gets them from the subject's token. */
  readonly subjectInputs?: readonly string[];
  /**
   * The input that names the listener whose record is read, where a question has it. Users also need `get` on `path`,
   * and the read is put on record.
   */
  readonly recordOf?: { readonly input: string; readonly path: string };
  /**
   * The input that holds the live name of the one object that the answer concerns. Users who may `get` this subresource
   * of it need no right to the path.
   */
  readonly about?: { readonly input: string; readonly kind: Kind; readonly subresource: string };
  /** True when the answer concerns no listener: a publishable client needs no subject, and may name its key in the URL. */
  readonly isAboutNobody?: boolean;
}

/** Paths whose requests and answers follow a published protocol, e.g. OFREP: it reads and answers them itself. */
export interface DecisionProtocol<Table> extends Asking {
  readonly methods: readonly Method[];
  /** Whether its answer goes on until somebody ends it. */
  readonly isStream?: boolean;
  /** The operations of the path as OpenAPI has them, by method in small letters. */
  readonly openApi: Readonly<Record<string, object>>;
  readonly answer: (exchange: Exchange, context: ProtocolContext<Table>) => void | Promise<void>;
}

/** The table that an answer of a protocol is made from. */
export interface ProtocolView<Table> {
  readonly table: Table;
  /** Version of the snapshot that the table is of. */
  readonly version: string;
  /** The releases whose candidates are in the table, as NAME@REVISION,…; empty where there are none. */
  readonly releases: string;
}

export interface ProtocolContext<Table> {
  readonly now: Temporal.Instant;
  /** The time that the request has. */
  readonly limit: RequestContext;
  /** Lets the question through, or throws Refusal. Nothing can be answered before. */
  readonly admit: (input: Record<string, unknown>) => AdmittedToProtocol<Table> | Promise<AdmittedToProtocol<Table>>;
}

/** A question of a protocol that was let through, and what it is answered from. */
export interface AdmittedToProtocol<Table> {
  /** The inputs that the caller is entitled to. */
  readonly input: Record<string, unknown>;
  /** The key of a publishable client, which may stand in a URL. */
  readonly publishableKey: string | undefined;
  /**
   * The view of an input's subject; a promise while that is compiled. Called once for an answer: its releases count it.
   */
  readonly viewOf: <Input>(
    subjectOf: (input: Input) => CohortSubject,
    input: Input,
  ) => ProtocolView<Table> | Promise<ProtocolView<Table>>;
  /** The table of everyone, and a tag of the releases under way; empty where there are none. */
  readonly everybodys: () => { readonly table: Table; readonly exposure: string };
  /** Calls back with each later table, until the returned function is called. */
  readonly onSwap: (listener: (table: Table, exposure: string) => void) => () => void;
}

export interface ChangedObject {
  readonly kind: string;
  readonly name: string;
}

/**
 * One question over HTTP. GET reads the query string, POST a JSON object; both give the same `input`. What writes takes
 * POST alone.
 */
export interface DecisionRoute<Table> extends Asking {
  readonly summary: string;
  /** True when it tells people why an answer is what it is: it says what is seen of releases, and is not counted. */
  readonly explains?: boolean;
  /** Schema of the input, an object. Query values arrive as text and are converted to what the schema names. */
  readonly input: TSchema;
  /** The input that the last part of the path gives, where the path ends with a star. Its other inputs stand in the URL. */
  readonly pathInput?: string;
  /** Bytes of a body; by default as many as a question of names and numbers needs. */
  readonly bodyBytesMax?: number;
  readonly answer: TSchema;
  /**
   * The answer, without the snapshot that the plane adds; a promise where records of listeners are read or written.
   * Throws Refusal for what is wrong with the input.
   */
  readonly handle: (input: unknown, context: AnswerContext<Table>) => object | Promise<object>;
  /** The answer as a document of another type, or a redirect; undefined: as JSON. */
  readonly present?: (answer: object, request: PresentedRequest) => AnswerDocument | undefined;
  /** Whether its documents link back to this server: a host that is none of its names is refused before anything is done. */
  readonly linksBack?: boolean;
  /** Type of the document that `present` makes instead of JSON always (`documentType`), or for some requests. */
  readonly documentType?: string;
  readonly presentedType?: string;
}

/** The request that an answer is presented to. */
interface PresentedRequest {
  readonly method: string;
  /** Scheme and authority of links back to this server. Throws a Refusal for a host that is none of its names. */
  readonly baseUrl: () => string;
}

export interface AnswerDocument {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The sources of an answer: all of one moment, as the subject sees them. */
export interface AnswerContext<Table, Facts = Readonly<Record<string, unknown>>> {
  readonly table: Table;
  /** Facts of other modules, by name. */
  readonly facts: Facts;
  readonly now: Temporal.Instant;
  /** How long ago the tables were last known to be current, see `Follower`. */
  readonly snapshotAgeMs: () => number;
  /** Who asks, see `AdmittedQuestion`. */
  readonly by: string;
  /** See `AdmittedQuestion`. */
  readonly isTrusted: boolean;
  /** The time that the request has. */
  readonly limit: RequestContext;
}

/** Declares a question; `input` has been checked against the schema before `handle` sees it. */
export function defineRoute<Table, Input extends TSchema, Facts = Readonly<Record<string, unknown>>>(
  route: Omit<DecisionRoute<Table>, 'input' | 'handle'> & {
    readonly input: Input;
    readonly handle: (input: Static<Input>, context: AnswerContext<Table, Facts>) => object | Promise<object>;
  },
): DecisionRoute<Table> {
  return route as DecisionRoute<Table>;
}
