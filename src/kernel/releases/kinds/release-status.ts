import { Type } from 'typebox';
import type { Verdict } from '#kernel/statistics/verdict.ts';
import type { PlaceState, Undo } from './target.ts';
import type { GuardrailSpec } from './guardrail-spec.ts';

/** Entries of the history in the status; all of them are in `kubectl get --raw …/history` and the audit record. */
export const HISTORY_MAX = 50;

/** A time in which the cohort of a stage was observed to have the change; without an end it still has it. */
export interface StageInterval {
  readonly stage: number;
  readonly seenMs: number;
  readonly untilMs?: number;
}

/** Progress of a release. Times are milliseconds of the database's clock. */
export type ReleaseState =
  /** Collects changes of its group until it is sealed. */
  | { readonly at: 'collecting' }
  /** Waits; `for` has the reason. Not exposed. */
  | { readonly at: 'waiting'; readonly for: 'decision' | 'world' | 'approval' | 'turn' | 'release' }
  /** In a stage: `seenMs` is when its cohort was first observed to have it. */
  | {
      readonly at: 'exposing';
      readonly stage: number;
      readonly sinceMs: number;
      readonly seenMs?: number;
      /** Time that it has been held, and the start of the present hold: held time does not count as soak. */
      readonly heldMs: number;
      readonly heldSinceMs?: number;
      /** The start of the engine, up to which its downtime has been counted as held. */
      readonly awakeMs?: number;
      /** Intervals of earlier stages, or of this one before it restarted: their last windows are measured too. */
      readonly earlier?: readonly StageInterval[];
    }
  /** Goes live for everyone. */
  | { readonly at: 'promoting' }
  /** Is rolled back from everyone who has it; `shown` is false when it was never exposed. */
  | {
      readonly at: 'retracting';
      readonly end: EndState;
      readonly because: string;
      readonly by: string;
      readonly shown: boolean;
    }
  | { readonly at: 'promoted'; readonly atMs: number }
  | { readonly at: EndState; readonly because: string; readonly by: string; readonly atMs: number };

/** Final states without promotion. */
export type EndState = 'rolledBack' | 'aborted' | 'superseded';

export interface Approval {
  readonly user: string;
  /** Distinguishes a ServiceAccount from another one of the same name. */
  readonly uid?: string;
  /** The groups at the time of the approval. */
  readonly groups: readonly string[];
  /** Users who minted the token. */
  readonly mintedBy?: readonly string[];
  readonly atMs: number;
  readonly planHash: string;
  readonly reason?: string;
}

/** An effect that a rollback leaves behind. */
export interface Remainder {
  readonly target: string;
  readonly kind: string;
  readonly name: string;
  /** `keep`: the created object stays. `none`: the effect cannot be undone. */
  readonly undo: Exclude<Undo, 'exact'>;
  readonly says: string;
}

/** A larger release lists the first ones. */
export const REMAINDERS_MAX = 100;

/** State and requests of people, from which the next step follows. */
export interface ReleaseEngineState {
  readonly state: ReleaseState;
  readonly approvals: readonly Approval[];
  /** Targets on which any of it was started. */
  readonly begun?: readonly string[];
  /** Remainders of a rollback, as planned. */
  readonly remains?: readonly Remainder[];
  readonly paused?: { readonly by: string; readonly because: string; readonly atMs: number };
  /** Somebody promoted although a guardrail had failed in this stage. */
  readonly overruled?: { readonly stage: number; readonly by: string };
  readonly failing?: { readonly because: string; readonly sinceMs: number };
  /** Somebody promoted from this stage; `force`: also without evidence. `lapsed`: a hold began before it acted. */
  readonly goOn?: {
    readonly stage: number;
    readonly by: string;
    readonly force: boolean;
    readonly lapsed?: boolean;
  };
  /** The sentence of the conflict: it brings back a change that was rolled back, and needs a decision. */
  readonly doubt?: string;
  /** Somebody decided that this plan continues. */
  readonly decided?: { readonly by: string; readonly planHash: string };
}

/** Approvals, for people. */
export interface ApprovalsStatus {
  /** The requirement of each policy, and the approvals that count now. */
  readonly needed: readonly { readonly policy: string; readonly required: number; readonly given: number }[];
  /** Each approval, and why it does not count. */
  readonly given: readonly { readonly user: string; readonly counts: boolean; readonly because?: string }[];
}

export interface HistoryEntry {
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

/** The public status of a release. `standing` is the state of the engine. */
export interface ReleaseStatus {
  readonly phase: Phase;
  /** Why the release is in this phase, in one sentence. */
  readonly message: string;
  readonly stage?: string;
  /** In per cent, of the units of the stage. */
  readonly share?: number;
  /** Of a started release, in the order of the targets. */
  readonly targets?: readonly TargetStatus[];
  readonly held?: string;
  /** Of a promoted release: the release that rolled it back. */
  readonly rolledBackBy?: string;
  readonly approvals?: ApprovalsStatus;
  readonly guardrails?: readonly GuardrailStatus[];
  readonly nextAt?: string;
  readonly remains?: readonly Remainder[];
  readonly standing: ReleaseEngineState;
  readonly history: readonly HistoryEntry[];
  readonly conditions: readonly {
    readonly type: 'Promoted' | 'Finished' | 'KindUnknown' | 'Remainder';
    readonly status: 'True' | 'False';
    readonly reason: string;
    readonly message: string;
    readonly lastTransitionTime: string;
  }[];
}

/** State of one target of a release. */
export interface TargetStatus {
  readonly name: string;
  /** As in its Heads: a stage, `everybody`, or nothing. */
  readonly stage?: string;
  /** The worst state of its places. */
  readonly state: PlaceState;
  readonly places: readonly PlaceStatus[];
  /** Further places that are not listed. */
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
  /** Shown only, without effect. */
  readonly shadow?: true;
  readonly outcome: Verdict['outcome'];
  readonly because: string;
  readonly figures: Verdict['figures'];
  /** Further units that are needed. */
  readonly unitsNeeded?: NonNullable<Verdict['unitsNeeded']>;
}

/** The status of a guardrail. */
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

/** Places of a target in the status; unhealthy ones come first. */
export const PLACES_SHOWN_MAX = 100;

const PLACE_STATES = ['healthy', 'progressing', 'failed', 'unknown'] as const;
const placeState = (description: string) => Type.Enum([...PLACE_STATES], { description });

const TargetsSchema = Type.Array(
  Type.Object({
    name: Type.String({ description: 'The target.' }),
    stage: Type.Optional(Type.String({ description: 'The desired stage; `everybody` after the last.' })),
    state: placeState('The worst of its places.'),
    places: Type.Array(
      Type.Object({
        name: Type.String({ description: 'A cluster, a project, the decision plane.' }),
        state: placeState('`unknown` is neither healthy nor failed.'),
        wanted: Type.String({ description: 'Desired state.' }),
        observed: Type.Optional(Type.String({ description: 'Last observed state.' })),
        healthySince: Type.Optional(
          Type.String({ format: 'date-time', description: 'Healthy without interruption since.' }),
        ),
        message: Type.Optional(Type.String({ description: 'Why, in a sentence.' })),
        observedAt: Type.Optional(
          Type.String({ format: 'date-time', description: 'Last observation, to the minute; absent: never.' }),
        ),
      }),
      { maxItems: PLACES_SHOWN_MAX, description: 'Unhealthy places first.' },
    ),
    placesMore: Type.Optional(Type.Integer({ description: 'Number of places that are not listed.' })),
  }),
  {
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    description: 'Progress of each target, in release order.',
  },
);

const free = { 'x-kubernetes-preserve-unknown-fields': true } as const;

export const ReleaseStatusSchema = Type.Unsafe<ReleaseStatus>(
  Type.Object(
    {
      phase: Type.String({ description: 'Phase of the release.' }),
      message: Type.String({ description: 'Why, in a sentence.' }),
      stage: Type.Optional(Type.String({ description: 'Present stage.' })),
      share: Type.Optional(Type.Number({ description: 'Per cent of the units of the stage that have it.' })),
      targets: Type.Optional(TargetsSchema),
      held: Type.Optional(Type.String({ description: 'What keeps it from reaching new users.' })),
      rolledBackBy: Type.Optional(
        Type.String({ description: 'Of a promoted release: the release that rolled it back.' }),
      ),
      approvals: Type.Optional(
        Type.Object({}, { ...free, description: 'Required approvals by policy, and the approvals that count.' }),
      ),
      guardrails: Type.Optional(
        Type.Array(Type.Object({}, free), { description: 'Verdicts of the judge, with figures.' }),
      ),
      nextAt: Type.Optional(Type.String({ format: 'date-time', description: 'When time alone may advance it.' })),
      remains: Type.Optional(
        Type.Array(
          Type.Object({
            target: Type.String({ description: 'The target of the object.' }),
            kind: Type.String({ description: 'Group and kind.' }),
            name: Type.String({ description: 'Its name.' }),
            undo: Type.Enum(['keep', 'none'], {
              description: '`keep`: the created object stays. `none`: the effect cannot be undone.',
            }),
            says: Type.String({ description: 'What remains, in a sentence.' }),
          }),
          { maxItems: REMAINDERS_MAX, description: 'Remainders of a rollback; none before it is planned.' },
        ),
      ),
      standing: Type.Object({}, { ...free, description: 'State of the engine.' }),
      history: Type.Array(
        Type.Object({
          at: Type.String({ format: 'date-time' }),
          phase: Type.String(),
          by: Type.Optional(Type.String()),
          message: Type.String(),
        }),
        { maxItems: HISTORY_MAX, description: 'History, the latest entry last.' },
      ),
      conditions: Type.Array(
        Type.Object({
          type: Type.String({
            description:
              '`Promoted`: live for everyone. `Finished`: nothing more will happen. `KindUnknown`: it waits for a version of the program that has its kinds. `Remainder`: it was rolled back, and something remains.',
          }),
          status: Type.Enum(['True', 'False']),
          reason: Type.String({ description: 'The phase.' }),
          message: Type.String({ description: 'A sentence for people.' }),
          lastTransitionTime: Type.String({ format: 'date-time' }),
        }),
        { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'], description: 'For kubectl wait.' },
      ),
    },
    { description: 'Progress of the release.' },
  ),
);
