/**
 * Attributes of a listener by name, as JSON values. `targetingKey` names the listener. An id beyond 2^53 is
 * a text or a bigint. Any object will do, also one of an interface of yours.
 */
export type Context = object;

/** A fallback of one literal type stands for all values of the type; of several, for these. */
type Value<Fallback extends string | number> =
  IsUnion<Fallback> extends true ? Fallback : Fallback extends string ? string : number;
type IsUnion<Type, Each = Type> = [Type] extends [never]
  ? false
  : Type extends Type
    ? [Each] extends [Type]
      ? false
      : true
    : never;

export interface BacklineOptions {
  /** Where the decision plane is, like https://decisions.example.com, or https://example.com/gateway. */
  readonly url: string;
  /** Key of a Client of type server; none is needed on the machine of a server without Clients. */
  readonly key?: string | undefined;
  /** File with the last snapshot, so that a start without the server can answer. */
  readonly cacheFile?: string | undefined;
  /** Called with errors in the background. Default console.warn. */
  readonly warn?: ((message: string) => void) | undefined;
  /** Called whenever there is a new snapshot, with the keys of the flags that may have changed. */
  readonly changed?: ((flags: readonly string[]) => void) | undefined;
  /** The EventType of exposures; default `exposure`. */
  readonly exposureType?: string | undefined;
}

/** The value of a flag, with its reason. */
export interface FlagDetails {
  readonly key: string;
  /** Frozen. Undefined: use the default in your code. */
  readonly value: unknown;
  readonly variant: string | undefined;
  readonly reason: 'STATIC' | 'TARGETING_MATCH' | 'SPLIT' | 'DISABLED' | 'ERROR';
  readonly errorCode?:
    | 'PROVIDER_NOT_READY'
    | 'FLAG_NOT_FOUND'
    | 'INVALID_CONTEXT'
    | 'TARGETING_KEY_MISSING'
    | 'GENERAL';
  readonly errorMessage?: string;
  readonly rule?: string;
  readonly experiment?: string;
  readonly assignmentId?: string;
  readonly holdout?: string;
  /** Attributes of which the first that the context has was put into buckets. */
  readonly unit?: readonly string[];
  readonly revision?: string;
  readonly snapshot?: string;
}

/** Which plan, and where: a market or a territory. */
export interface PlanQuestion {
  readonly plan: string;
  readonly market?: string;
  readonly territory?: string;
  readonly role?: string;
}

export interface FeatureQuestion extends PlanQuestion {
  readonly feature: string;
  readonly channel?: string;
  readonly at?: string;
}

/** A feature that a plan gives, with its value or limit. */
export interface Grant {
  readonly feature: string;
  readonly title: string;
  readonly type: string;
  readonly value?: unknown;
  /** A whole number, or "unlimited". */
  readonly limit?: unknown;
  readonly unit?: string;
  readonly per?: string;
}

export interface Entitlements {
  readonly market: string;
  readonly plan: string;
  readonly title: string;
  readonly role: string;
  readonly offered: boolean;
  readonly entitlements: readonly Grant[];
}

export interface CheckResult {
  readonly outcome: 'allow' | 'degrade' | 'upsell' | 'deny';
  readonly plan: string;
  readonly feature: string;
  readonly reason: { readonly code: string; readonly message: string };
}

export interface EventCounts {
  readonly waiting: number;
  readonly sent: number;
  /** Lost: too many were waiting, they were no JSON or refused for good, or came after close(). */
  readonly dropped: number;
  readonly quarantined: number;
}

/** State of the client. */
export interface Status {
  /** The snapshot that answers come from; undefined while there is none. */
  readonly snapshot: string | undefined;
  readonly connected: boolean;
  /** Milliseconds since the server was last heard of; 0 while connected. */
  readonly ageMs: number;
  /** Why there is no connection. */
  readonly problem: string | undefined;
  readonly events: EventCounts;
}

export interface Backline {
  /** Resolves when there is something to answer from; rejects when there is nothing after `ms` (default 5,000). */
  ready(ms?: number): Promise<void>;
  readonly status: Status;
  /** The value of a flag, for use right now: who uses it is exposed to it, and that is logged. */
  flag(key: string, fallback: boolean, context: Context): boolean;
  flag<Fallback extends string | number>(key: string, fallback: Fallback, context: Context): Value<Fallback>;
  flag<Shape extends object>(key: string, fallback: Shape, context: Context): Readonly<Shape>;
  /** The same with the reason, and without exposing anybody: call `expose` when it is used. */
  details(key: string, context: Context): FlagDetails;
  /** The same for any flag: those whose variants are on record are asked of the server. */
  detailsOnRecord(key: string, context: Context): Promise<FlagDetails>;
  /** Every flag that can be decided here, for instance to hand them to a page. Exposes nobody. */
  all(context: Context): FlagDetails[];
  /** Logs that somebody was shown a variant. */
  expose(details: FlagDetails, context: Context): void;
  /** The features of a plan. Throws for unknown names. */
  entitlements(question: PlanQuestion): Entitlements;
  /** Whether a plan gives a feature. Throws for unknown names. */
  check(question: FeatureQuestion): CheckResult;
  /** Queues an event. */
  track(type: string, subject: string | undefined, properties?: Readonly<Record<string, unknown>>): void;
  /** Sends what is queued now. */
  flush(): Promise<void>;
  /** Stops following, and sends what is queued, for as long as `ms` (default 2,000) at most. */
  close(ms?: number): Promise<void>;
}

/** Begins to follow a Backline. Call `ready()` before the first question, and `close()` at the end. */
export declare function connectBackline(options: BacklineOptions): Backline;
