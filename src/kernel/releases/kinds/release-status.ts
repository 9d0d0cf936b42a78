import { Type } from 'typebox';
import type { Verdict } from '#kernel/statistics/verdict.ts';
import type { PlaceState, Undo } from './target.ts';
import type { GuardrailSpec } from './guardrail-spec.ts';

/** How long a history is kept in the status; all of it is in `kubectl get --raw …/history` and the audit record. */
export const HISTORY_MAX = 50;

/** A time in which the cohort of a stage was seen to have the change; without an end it still has it. */
export interface Stretch {
  readonly stage: number;
  readonly seenMs: number;
  readonly untilMs?: number;
}

/** How far a release has come. Times are milliseconds of the database's clock. */
export type ReleaseState =
  /** Takes in what its group brings, until somebody seals it. */
  | { readonly at: 'collecting' }
  /** Waits for its turn: see the reason. Nobody has got it. */
  | { readonly at: 'waiting'; readonly for: 'decision' | 'world' | 'approval' | 'turn' | 'release' }
  /** In a stage: `seenMs` is when its cohort was first seen to have it. */
  | {
      readonly at: 'exposing';
      readonly stage: number;
      readonly sinceMs: number;
      readonly seenMs?: number;
      /** How long it was held since, and since when it is now: that time is no soak. */
      readonly heldMs: number;
      readonly heldSinceMs?: number;
      /** The start of the engine whose absence before it has been counted as held. */
      readonly awakeMs?: number;
      /** The times before, of other stages or of this one before it began anew: their last moments are measured too. */
      readonly earlier?: readonly Stretch[];
    }
  /** Goes to everybody. */
  | { readonly at: 'promoting' }
  /** Is taken back from everybody who has it; `shown` is false when nobody ever had. */
  | {
      readonly at: 'retracting';
      readonly end: Ending;
      readonly because: string;
      readonly by: string;
      readonly shown: boolean;
    }
  | { readonly at: 'promoted'; readonly atMs: number }
  | { readonly at: Ending; readonly because: string; readonly by: string; readonly atMs: number };

/** Ends without being promoted. */
export type Ending = 'rolledBack' | 'aborted' | 'superseded';

export interface Approval {
  readonly user: string;
  /** Tells a ServiceAccount from another one of the same name. */
  readonly uid?: string;
  /** As they were when it was given. */
  readonly groups: readonly string[];
  /** Who minted the token that was used. */
  readonly mintedBy?: readonly string[];
  readonly atMs: number;
  readonly planHash: string;
  readonly reason?: string;
}

/** What taking the release back leaves behind. */
export interface Remainder {
  readonly target: string;
  readonly kind: string;
  readonly name: string;
  /** `keep`: what it made stays. `none`: what it did cannot be undone. */
  readonly undo: Exclude<Undo, 'exact'>;
  readonly says: string;
}

/** Of a release over very many objects the first. */
export const REMAINDERS_MAX = 100;

/** What people asked of it, and what follows from that. */
export interface ReleaseStanding {
  readonly state: ReleaseState;
  readonly approvals: readonly Approval[];
  /** Targets that were told to show any of it. */
  readonly begun?: readonly string[];
  /** What taking it back would leave behind, as it was planned. */
  readonly remains?: readonly Remainder[];
  readonly paused?: { readonly by: string; readonly because: string; readonly atMs: number };
  /** Somebody went on although a guardrail had failed in this stage. */
  readonly overruled?: { readonly stage: number; readonly by: string };
  readonly failing?: { readonly because: string; readonly sinceMs: number };
  /** Somebody said that it goes on from this stage; `force` also without evidence. `lapsed`: a hold began before it did. */
  readonly goOn?: {
    readonly stage: number;
    readonly by: string;
    readonly force: boolean;
    readonly lapsed?: boolean;
  };
  /** It brings back what was rolled back, as this sentence says: somebody has to decide. */
  readonly doubt?: string;
  /** Somebody decided that this plan goes on all the same. */
  readonly decided?: { readonly by: string; readonly planHash: string };
}

/** How approvals stand, for people. */
export interface ApprovalsStatus {
  /** What each policy needs, and how many count now. */
  readonly needed: readonly { readonly policy: string; readonly required: number; readonly given: number }[];
  /** Each that was given, and why it does not count. */
  readonly given: readonly { readonly user: string; readonly counts: boolean; readonly because?: string }[];
}

export interface Moment {
  readonly at: string;
  readonly phase: Phase;
  readonly by?: string;
  readonly message: string;
}

export type Phase =
  | 'Collecting'
  | 'Blocked'
  | 'AwaitingApproval'
  | 'Queued'
  | 'Waiting'
  | 'Progressing'
  | 'Paused'
  | 'Promoting'
  | 'Promoted'
  | 'RollingBack'
  | 'RolledBack'
  | 'Aborted'
  | 'Superseded';

/** What people and programs see of a release. `standing` is what the engine goes on from. */
export interface ReleaseStatus {
  readonly phase: Phase;
  /** Why it is where it is, in a sentence. */
  readonly message: string;
  readonly stage?: string;
  /** In per cent, of the units that the stage is about. */
  readonly share?: number;
  /** Of a release that was begun, in the order in which they go out. */
  readonly targets?: readonly TargetStatus[];
  readonly held?: string;
  /** Of a promoted release: the one that took it back from everybody. */
  readonly rolledBackBy?: string;
  readonly approvals?: ApprovalsStatus;
  readonly guardrails?: readonly GuardrailStatus[];
  readonly nextAt?: string;
  readonly remains?: readonly Remainder[];
  readonly standing: ReleaseStanding;
  readonly history: readonly Moment[];
  readonly conditions: readonly {
    readonly type: 'Promoted' | 'Finished' | 'Remainder';
    readonly status: 'True' | 'False';
    readonly reason: string;
    readonly message: string;
    readonly lastTransitionTime: string;
  }[];
}

/** How one target of a release stands. */
export interface TargetStatus {
  readonly name: string;
  /** What its Heads say: a stage, `everybody`, or nothing. */
  readonly stage?: string;
  /** The worst of its places. */
  readonly state: PlaceState;
  readonly places: readonly PlaceStatus[];
  /** How many more places there are. */
  readonly placesMore?: number;
}

export interface PlaceStatus {
  readonly name: string;
  readonly state: PlaceState;
  readonly wanted: string;
  readonly observed?: string;
  readonly healthySince?: string;
  readonly message?: string;
  readonly observedAt?: string;
}

export interface GuardrailStatus {
  readonly name: string;
  /** It is shown only, and acts on nothing. */
  readonly shadow?: true;
  readonly outcome: Verdict['outcome'];
  readonly because: string;
  readonly figures: Verdict['figures'];
  /** How many more units it takes, where that is what is missing. */
  readonly unitsNeeded?: NonNullable<Verdict['unitsNeeded']>;
}

/** What the status of a release says of a guardrail. */
export function guardrailStatus(
  { name, shadow }: Pick<GuardrailSpec, 'name' | 'shadow'>,
  { outcome, because, figures, unitsNeeded }: Omit<GuardrailStatus, 'name' | 'shadow'>,
): GuardrailStatus {
  return {
    name,
    ...(shadow === true ? { shadow } : {}),
    outcome,
    because,
    figures,
    ...(unitsNeeded === undefined ? {} : { unitsNeeded }),
  };
}

/** Places of a target that are shown; those that are not healthy come first. */
export const PLACES_SHOWN_MAX = 100;

const PLACE_STATES = ['healthy', 'progressing', 'failed', 'unknown'] as const;
const placeState = (description: string) => Type.Enum([...PLACE_STATES], { description });

const TargetsSchema = Type.Array(
  Type.Object({
    name: Type.String({ description: 'The target.' }),
    stage: Type.Optional(Type.String({ description: 'The stage that is wanted there; `everybody` behind the last.' })),
    state: placeState('The worst of its places.'),
    places: Type.Array(
      Type.Object({
        name: Type.String({ description: 'A cluster, a project, the decision plane.' }),
        state: placeState('`unknown` is neither healthy nor failed.'),
        wanted: Type.String({ description: 'What it should have.' }),
        observed: Type.Optional(Type.String({ description: 'What it was last seen to have.' })),
        healthySince: Type.Optional(Type.String({ format: 'date-time', description: 'Since when without a break.' })),
        message: Type.Optional(Type.String({ description: 'Why, in a sentence.' })),
        observedAt: Type.Optional(
          Type.String({ format: 'date-time', description: 'When it was last seen, to the minute; absent: never.' }),
        ),
      }),
      { maxItems: PLACES_SHOWN_MAX, description: 'Those that are not healthy first.' },
    ),
    placesMore: Type.Optional(Type.Integer({ description: 'Places that are not listed.' })),
  }),
  {
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    description: 'How far each target has come, in the order in which they go out.',
  },
);

const free = { 'x-kubernetes-preserve-unknown-fields': true } as const;

export const ReleaseStatusSchema = Type.Unsafe<ReleaseStatus>(
  Type.Object(
    {
      phase: Type.String({ description: 'Where it is.' }),
      message: Type.String({ description: 'Why, in a sentence.' }),
      stage: Type.Optional(Type.String({ description: 'The stage that it is in.' })),
      share: Type.Optional(Type.Number({ description: 'How many per cent of the units of the stage get it.' })),
      targets: Type.Optional(TargetsSchema),
      held: Type.Optional(Type.String({ description: 'What keeps it from reaching anybody new.' })),
      rolledBackBy: Type.Optional(
        Type.String({ description: 'Of a promoted release: the one that took it back from everybody.' }),
      ),
      approvals: Type.Optional(
        Type.Object({}, { ...free, description: 'What each policy needs, and which of the approvals given count.' }),
      ),
      guardrails: Type.Optional(
        Type.Array(Type.Object({}, free), { description: 'What the judge says, with the numbers it says it by.' }),
      ),
      nextAt: Type.Optional(Type.String({ format: 'date-time', description: 'When time alone may bring it on.' })),
      remains: Type.Optional(
        Type.Array(
          Type.Object({
            target: Type.String({ description: 'The target that carries it.' }),
            kind: Type.String({ description: 'Group and kind.' }),
            name: Type.String({ description: 'Its name.' }),
            undo: Type.Enum(['keep', 'none'], {
              description: '`keep`: what was made stays. `none`: what was done cannot be undone.',
            }),
            says: Type.String({ description: 'What stays behind, in a sentence.' }),
          }),
          { maxItems: REMAINDERS_MAX, description: 'What a rollback leaves behind: until it is planned, nothing.' },
        ),
      ),
      standing: Type.Object({}, { ...free, description: 'What the engine goes on from.' }),
      history: Type.Array(
        Type.Object({
          at: Type.String({ format: 'date-time' }),
          phase: Type.String(),
          by: Type.Optional(Type.String()),
          message: Type.String(),
        }),
        { maxItems: HISTORY_MAX, description: 'How it came here, the latest last.' },
      ),
      conditions: Type.Array(
        Type.Object({
          type: Type.String({
            description:
              '`Promoted`: everybody gets it. `Finished`: nothing more will happen. `Remainder`: it was taken back, and something stayed.',
          }),
          status: Type.Enum(['True', 'False']),
          reason: Type.String({ description: 'The phase.' }),
          message: Type.String({ description: 'A sentence for people.' }),
          lastTransitionTime: Type.String({ format: 'date-time' }),
        }),
        { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'], description: 'For kubectl wait.' },
      ),
    },
    { description: 'What has become of it.' },
  ),
);
